//! Back from the spool, and from a token alone (rm.md §11.5, §11.6).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::platform::{CONNECTOR, caller, invite_to, platform};
use crate::world::{CALLER, MCP1, Up, World, header, invite, objects, reply, settings, snapshot};
use model::id::BootEpoch;
use model::time::Millis;
use rm::FrameKind;
use rm::view::limits;

fn limited() -> serde_json::Value {
    let mut documents = objects();
    documents[0]["spec"]["policy"] = serde_json::json!({"usage_limit": 20});
    documents
}

type Blocks = Vec<Vec<u8>>;
type Keys = Vec<[u8; 22]>;

/// A world with 20 calls up, and what its spool holds.
fn twenty() -> (Vec<Up>, Blocks, Keys, World) {
    let mut world = World::with(&limited(), settings());
    let calls: Vec<Up> = (0..20).map(|i| world.up("18005550100", &format!("c{i}"))).collect();
    let open: Vec<_> = world.records.iter().filter(|one| one.frame == FrameKind::Open).collect();
    let blocks = open.iter().map(|one| one.block.clone()).collect();
    let keys = open.iter().map(|one| one.key).collect();
    (calls, blocks, keys, world)
}

/// The same node after a kill -9.
fn again(blocks: &[Vec<u8>]) -> World {
    let mut second = settings();
    second.boot = BootEpoch(2);
    second.seed = [9, 9, 9, 9];
    let mut world = World::cold(&limited(), second);
    world.now = world.now.plus(Duration::from_secs(60));
    let restored = world.proxy.restore(world.now, blocks.iter().map(Vec::as_slice));
    assert_eq!((restored.legs, restored.refused), (blocks.len(), 0));
    world.ready();
    world
}

#[test]
fn twenty_calls_come_back_count_and_end_once() {
    let (mut calls, blocks, keys, old) = twenty();
    let starts: Vec<serde_json::Value> = old.phase("start").into_iter().cloned().collect();
    drop(old);
    let mut world = again(&blocks);
    assert_eq!(world.forgotten, keys, "the older epoch's frames are superseded");
    let updates = world.phase("update");
    assert_eq!(updates.len(), 20);
    let first = updates[0];
    assert_eq!(first["update_reason"], "adopted");
    assert!(first["id"].as_str().unwrap().ends_with("/cdr.update/2.1.1"));
    assert_eq!(first["owners"][0]["from"], starts[0]["started_at"]);
    assert_eq!(first["owners"][1]["component"]["name"], "rm-1");
    let page = world.proxy.calls(&rm::CallFilter::default(), None, 100);
    assert_eq!((page.calls.len(), page.next), (20, None));
    let used: usize = world.proxy.resources().iter().map(|one| one.used).sum();
    assert_eq!(used, 20);

    world.udp(CALLER, &invite("18005550100", "c21"));
    let refused = world.take(CALLER);
    assert_eq!(header(&refused, "Warning"), "399 rm-1 \"usage-limit\"");
    let refusals = world.ends().len();

    for (i, up) in calls.iter_mut().enumerate() {
        assert!(world.hang_up(up, &format!("b{i}")).unwrap().starts_with("SIP/2.0 200 "));
    }
    let ends: Vec<_> = world.ends().into_iter().skip(refusals).collect();
    assert_eq!(ends.len(), 20);
    for (start, end) in starts.iter().zip(&ends) {
        let guid = start["guid"].as_str().unwrap();
        assert_eq!(end["id"], format!("{guid}/00410001/cdr.end/2.1"));
        assert_eq!((end["epoch"].as_u64(), end["end_state"].as_str()), (Some(2), Some("USER_END")));
        let same = [
            "guid",
            "leg",
            "started_at",
            "answered_at",
            "tenant",
            "profile",
            "service",
            "dn",
            "local_uri",
            "remote_uri",
            "call_id",
            "call_uuid",
            "resource",
            "config_rev",
            "sip_status",
            "selected_by",
            "placed_by",
            "from_tag",
            "to_tag",
            "ani",
            "source",
            "primary",
            "call_type",
        ];
        for field in same {
            assert_eq!(end[field], start[field], "{field}");
        }
        assert_eq!(end["owners"].as_array().unwrap().len(), 2);
    }
    let mut ids: Vec<_> = world.records.iter().map(|one| one.json["id"].to_string()).collect();
    ids.sort();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all, "no id twice");
    let counters = world.proxy.counters();
    assert_eq!((counters.adopted, counters.rebuilt), (20, 0));
    assert_eq!(counters.ledger_in, counters.ledger_out);
    world.up("18005550100", "free");
}

#[test]
fn an_orphan_ends_after_its_lifetime_with_the_last_time_known() {
    let (_, blocks, _, old) = twenty();
    let answered = old.phase("start")[0]["answered_at"].clone();
    let mut world = again(&blocks[..1]);
    world.run(Duration::from_secs(3600) - Duration::from_millis(201));
    assert!(world.ends().is_empty());
    world.run(Duration::from_millis(1));
    let end = world.ends()[0];
    assert_eq!(
        (end["end_state"].as_str(), end["reason"].as_str()),
        (Some("INTERRUPTED"), Some("interrupted"))
    );
    assert_eq!(end["ended_at"], answered);
    assert!(world.try_take(CALLER).is_none(), "nobody is told");
    assert_eq!(world.proxy.counters().interrupted, 1);
}

#[test]
fn damaged_blocks_are_refused_and_never_panic() {
    let (_, blocks, _, _) = twenty();
    let good = &blocks[0];
    let mut world = World::cold(&limited(), settings());
    let mut wrong: Vec<Vec<u8>> = (0..good.len()).map(|cut| good[..cut].to_vec()).collect();
    wrong.push([good.as_slice(), b"x"].concat());
    wrong.push([&[0xFE], &good[1..]].concat());
    let restored = world.proxy.restore(world.now, wrong.iter().map(Vec::as_slice));
    assert_eq!((restored.legs, restored.refused), (0, wrong.len()));
    // any byte changed: refused, or read as some leg, and the sets still agree
    for at in 0..good.len() {
        let mut bent = good.clone();
        bent[at] ^= 0xFF;
        let mut world = World::cold(&limited(), settings());
        world.proxy.restore(world.now, std::iter::once(bent.as_slice()));
        assert_eq!(world.proxy.invariant(), Ok(()));
    }
}

#[test]
fn with_an_empty_memory_the_token_alone_carries_a_call_to_its_end() {
    let (mut calls, _, _, old) = twenty();
    let start = old.phase("start")[0].clone();
    drop(old);
    let mut world = again(&[]);
    let up = &mut calls[0];
    // the other party, for a change
    let host = up.server.clone();
    let request = up.callee.request("INFO", &host, "info");
    world.udp(&host, &request);
    let info = world.take(CALLER);
    world.udp(CALLER, &reply(&info, 200, "", ""));
    world.take(&host);
    assert_eq!(world.proxy.status().legs, 1);
    let update = world.phase("update")[0].clone();
    assert_eq!((&update["rebuilt"], &update["epoch"]), (&true.into(), &2.into()));
    assert!(world.hang_up(up, "bye").unwrap().starts_with("SIP/2.0 200 "));
    let end = world.ends()[0];
    for field in [
        "guid",
        "leg",
        "started_at",
        "tenant",
        "profile",
        "service",
        "primary",
        "local_uri",
        "remote_uri",
        "call_id",
    ] {
        assert_eq!(end[field], start[field], "{field}");
    }
    assert_eq!(end["resource"]["name"], start["resource"]["name"]);
    assert_eq!((&end["rebuilt"], &end["epoch"]), (&true.into(), &2.into()));
    assert_eq!(end["end_state"], "USER_END");
    assert!(end.get("usage").is_none() && end["resource"].get("attempts").is_none());
    assert_eq!(world.proxy.counters().rebuilt, 1);
    // a late repetition does not bring it back
    world.run(Duration::from_secs(40));
    world.udp(CALLER, &up.caller.request("BYE", "10.0.0.2:5090", "again"));
    assert_eq!((world.proxy.status().legs, world.ends().len()), (0, 1));
}

#[test]
fn a_bye_alone_makes_a_whole_record_too() {
    let (mut calls, _, _, _) = twenty();
    let mut world = again(&[]);
    assert!(world.hang_up(&mut calls[3], "bye").unwrap().starts_with("SIP/2.0 200 "));
    let frames: Vec<_> = world
        .records
        .iter()
        .filter(|one| one.json["kind"] == "cdr")
        .map(|one| (one.frame, one.json["phase"].as_str().unwrap()))
        .collect();
    assert_eq!(frames, [(FrameKind::Open, "update"), (FrameKind::Close, "end")]);
}

#[test]
fn of_two_open_frames_of_one_leg_the_higher_epoch_goes_on() {
    let (_, blocks, keys, _) = twenty();
    let first = again(&blocks[..1]);
    let newer = first.records.iter().find(|one| one.frame == FrameKind::Open).unwrap().clone();
    let both = [blocks[0].clone(), newer.block.clone()];
    let mut third = settings();
    third.boot = BootEpoch(3);
    let mut world = World::cold(&limited(), third);
    let restored = world.proxy.restore(world.now, both.iter().map(Vec::as_slice));
    assert_eq!((restored.legs, restored.refused), (1, 0));
    world.ready();
    assert_eq!(world.forgotten, [keys[0], newer.key]);
    let update = world.phase("update")[0].clone();
    assert!(update["id"].as_str().unwrap().ends_with("/cdr.update/3.1.1"), "{update}");
    assert_eq!(update["owners"].as_array().unwrap().len(), 3);
    assert_eq!(world.proxy.status().legs, 1);
}

/// The clock was a month ahead when the calls came in, and was set right before the start.
#[test]
fn calls_of_a_clock_that_was_ahead_are_carried_on_and_end_in_records_that_are_taken() {
    let (_, blocks, ..) = twenty();
    let mut second = settings();
    second.boot = BootEpoch(2);
    let mut world = World::cold(&limited(), second);
    world.now.wall = Millis(world.now.wall.0 - 30 * 86_400_000);
    let now = world.now.wall;
    let restored = world.proxy.restore(world.now, blocks.iter().map(Vec::as_slice));
    assert_eq!((restored.legs, restored.refused), (20, 0));
    world.ready();
    world.run(rm::limits::MAX_CALL_DURATION);
    let ends = world.ends();
    assert_eq!(ends.len(), 20);
    for end in ends {
        for time in ["started_at", "answered_at"] {
            assert_eq!(end[time], now.to_string(), "{end:#}");
        }
    }
}

/// The platform with a limit of one session for tenant and profile that a CTI session is mapped to.
fn mapped_platform() -> serde_json::Value {
    let mut documents = platform();
    for one in documents.as_array_mut().unwrap() {
        if one["name"] == "north" || one["name"] == "north-main" {
            one["spec"]["policy"] = serde_json::json!({"usage_limit": 1});
        }
    }
    documents
}

/// What each limit of north and its profile says is used, and what is on each resource.
fn usage(world: &World) -> (Vec<u64>, Vec<(String, usize)>) {
    let snapshot = snapshot(&mapped_platform());
    let tenant = snapshot.tenant_by_name("north").unwrap();
    let profile = snapshot.profile_within(tenant, "north-main").unwrap();
    let acme = snapshot.tenant_by_name("acme").unwrap();
    let mut all = limits::of_tenant(&snapshot, tenant);
    all.extend(limits::of_tenant(&snapshot, acme));
    all.extend(limits::of_profile(&snapshot, profile));
    let sets: Vec<_> = all.iter().map(|limit| limit.set).collect();
    let resources = world.proxy.resources();
    let load = resources.iter().map(|one| (one.name.clone(), one.used)).collect();
    (world.proxy.used(&sets), load)
}

/// A session of two legs: the connector's, mapped to north when the connector came back. With the
/// packed legs in the order of their writing, and the INVITE that the media server got.
fn mapped() -> (World, Blocks, String) {
    let mut world = World::with(&mapped_platform(), settings());
    let gateway = caller("gw-cti-1");
    let number = "sip:4930123@10.0.0.5";
    world.udp(gateway, &invite_to(number, gateway, "cti", ""));
    let asked = world.take(CONNECTOR);
    world.udp(CONNECTOR, &reply(&asked, 200, "t", &format!("Contact: <sip:c@{CONNECTOR}>\r\n")));
    let session = header(&asked, "X-Genesys-GVP-Session-ID");
    let session = format!("X-Genesys-GVP-Session-ID: {session}\r\n");
    world.udp(CONNECTOR, &invite_to(number, CONNECTOR, "back", &session));
    let sent = world.take(MCP1);
    world.udp(MCP1, &reply(&sent, 200, "t", &format!("Contact: <sip:m@{MCP1}>\r\n")));
    let open = world.records.iter().filter(|one| one.frame == FrameKind::Open);
    let blocks: Blocks = open.map(|one| one.block.clone()).collect();
    assert_eq!(blocks.len(), 3, "the connector's leg, the same one mapped, the server's");
    (world, blocks, sent)
}

/// The node comes back with these packed legs; north is as full as it was before.
fn comes_back_mapped(blocks: &[&Vec<u8>], before: &(Vec<u64>, Vec<(String, usize)>)) {
    let mut second = settings();
    second.boot = BootEpoch(2);
    let mut world = World::cold(&mapped_platform(), second);
    let restored = world.proxy.restore(world.now, blocks.iter().map(|block| block.as_slice()));
    assert_eq!((restored.legs, restored.refused), (blocks.len(), 0));
    world.ready();
    assert_eq!(&usage(&world), before);
    let updates = world.phase("update").into_iter();
    let last: BTreeMap<_, _> = updates.map(|one| (one["leg"].to_string(), one)).collect();
    assert_eq!(last.len(), blocks.len());
    for update in last.into_values() {
        let names = (&update["tenant"]["name"], &update["profile"]["name"]);
        assert_eq!(names, (&"north".into(), &"north-main".into()));
    }
    world.udp(CALLER, &invite("4930999", "full"));
    assert_eq!(header(&world.take(CALLER), "Warning"), "399 rm-1 \"usage-limit\"");
    assert_eq!(world.proxy.invariant(), Ok(()));
}

/// Scenario 31 for a session that a connector had mapped.
#[test]
fn a_mapped_session_comes_back_with_its_tenant_and_profile_whichever_leg_is_read_first() {
    let (world, blocks, _) = mapped();
    let before = usage(&world);
    assert_eq!(before.0, [1, 1, 1], "north, acme, north-main");
    let (unmapped, connector, server) = (&blocks[0], &blocks[1], &blocks[2]);
    for both in [[connector, server], [server, connector], [unmapped, server], [server, unmapped]] {
        comes_back_mapped(&both, &before);
    }
}

#[test]
fn a_mapped_session_comes_back_mapped_when_only_the_first_leg_is_left() {
    let (mut world, blocks, sent) = mapped();
    let answer = world.take(CONNECTOR);
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    let mut back = crate::world::Dialog::of_caller(&answer);
    let bye = back.request("BYE", CONNECTOR, "bye");
    world.udp(CONNECTOR, &bye);
    let bye = world.take(MCP1);
    assert_eq!(header(&bye, "Call-ID"), header(&sent, "Call-ID"));
    world.udp(MCP1, &reply(&bye, 200, "", ""));
    assert_eq!(world.proxy.status().legs, 1);
    comes_back_mapped(&[&blocks[1]], &usage(&world));
}

#[test]
fn legs_take_their_places_when_their_resource_comes_into_the_configuration_later() {
    let (_, blocks, _, _) = twenty();
    let mut without = limited();
    without[3]["spec"]["resources"].as_array_mut().unwrap().remove(0);
    let mut second = settings();
    second.boot = BootEpoch(2);
    let mut world = World::cold(&without, second);
    world.proxy.restore(world.now, blocks.iter().map(Vec::as_slice));
    world.ready();
    let used = |world: &World| world.proxy.resources().iter().map(|one| one.used).sum::<usize>();
    assert_eq!(used(&world), 10, "mcp-1 and the calls on it are unknown to the configuration");
    world.input(rm::Input::Snapshot(snapshot(&limited())));
    let load: Vec<usize> = world.proxy.resources().iter().map(|one| one.used).collect();
    assert_eq!(load, [10, 10]);
    assert_eq!(world.proxy.invariant(), Ok(()));
    // once: the next configuration, and the end of a call, count from there
    world.input(rm::Input::Snapshot(snapshot(&limited())));
    assert_eq!(used(&world), 20);
    world.run(rm::limits::MAX_CALL_DURATION);
    assert_eq!((used(&world), world.ends().len()), (0, 20));
}
