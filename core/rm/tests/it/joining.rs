//! Sessions of several legs (rm.md §2.4, §2.5): who may join one, what a leg of one costs, how long
//! it can be joined, and where the calls of one recording go.

use std::time::Duration;

use crate::platform::{self, CARRIER, caller, invite_to, platform};
use crate::world::{
    CALLER, Dialog, MCP1, MCP2, Up, World, address, header, invite, reply, settings,
};

pub(crate) const SESSION_ID: &str = "X-Genesys-GVP-Session-ID";

/// The GUID in a session header.
fn guid(text: &str) -> &str {
    header(text, SESSION_ID).split(';').next().unwrap()
}

/// The session header of a call, as its media server has got it.
fn session_of(world: &World) -> String {
    let start = world.phase("start")[0];
    let guid = start["guid"].as_str().unwrap();
    format!("{SESSION_ID}: {guid};gvp.rm.datanodes=1;gvp.rm.tenant-id=1.102_IVRAppDefault\r\n")
}

/// An INVITE of a media server with this session header.
fn joins(uri: &str, from: &str, call: &str, session: &str) -> String {
    invite_to(uri, from, call, session)
}

/// Answers the next INVITE on the wire; gives back where it went, and its text.
pub(crate) fn answered(world: &mut World, from: &str) -> (String, String, Up) {
    let sent = world.take_invite().expect("an INVITE leaves");
    let at = sent.flow.remote.to_string();
    let contact = format!("<sip:x@{at}>");
    world.udp(&at, &reply(&sent.text, 200, "callee", &format!("Contact: {contact}\r\n")));
    let ok = world.take(from);
    assert!(ok.starts_with("SIP/2.0 200 "), "{ok}");
    let caller = Dialog::of_caller(&ok);
    let callee = Dialog::of_callee(&sent.text, "callee", &contact);
    (at.clone(), sent.text, Up { caller, callee, server: at })
}

/// The caller at `from` hangs up.
fn hangs_up(world: &mut World, from: &str, up: &mut Up, branch: &str) {
    let bye = up.caller.request("BYE", from, branch);
    world.udp(from, &bye);
    let bye = world.take(&up.server);
    assert!(bye.starts_with("BYE "), "{bye}");
    world.udp(&up.server, &reply(&bye, 200, "", ""));
    world.take(from);
}

#[test]
fn a_leg_of_a_media_server_joins_its_session() {
    let mut world = platform::ready();
    let mut first = world.up("18005550100", "one");
    let session = session_of(&world);
    let server = first.server.clone();
    world.udp(&server, &joins("sip:dialog@10.0.0.5", &server, "two", &session));
    let (_, forwarded, mut second) = answered(&mut world, &server);
    let id = world.phase("start")[0]["guid"].as_str().unwrap().to_owned();
    assert_eq!(guid(&forwarded), id);
    assert!(forwarded.contains(";idtag=00410002>"), "{forwarded}");
    assert_eq!(world.proxy.status().sessions, 1);
    assert_eq!(world.proxy.status().legs, 2);
    hangs_up(&mut world, CALLER, &mut first, "b1");
    assert_eq!(world.proxy.status().sessions, 1, "it lives as long as its last leg");
    hangs_up(&mut world, &server, &mut second, "b2");
    assert_eq!(world.proxy.status().sessions, 0);
    let ends = world.ends();
    let told = |at: usize, name: &str| ends[at][name].clone();
    assert_eq!((told(0, "guid"), told(1, "guid")), (id.clone().into(), id.into()));
    assert_eq!((told(0, "leg"), told(1, "leg")), ("00410001".into(), "00410002".into()));
    assert_eq!((told(0, "primary"), told(1, "primary")), (true.into(), serde_json::Value::Null));
    assert_eq!((told(0, "selected_by"), told(1, "selected_by")), ("did".into(), "joined".into()));
    assert_eq!((told(0, "call_type"), told(1, "call_type")), ("INBOUND".into(), "BRIDGED".into()));
    assert_eq!(told(1, "call_uuid"), told(0, "call_uuid"));
}

#[test]
fn a_leg_that_joins_takes_nothing_of_the_limits() {
    let mut objects = platform();
    objects[1]["spec"]["policy"] = serde_json::json!({"usage_limit": 1});
    let mut world = World::with(&objects, settings());
    let first = world.up("18005550100", "one");
    let session = session_of(&world);
    world.udp(CALLER, &invite("18005550100", "two"));
    assert_eq!(header(&world.take(CALLER), "Warning"), "399 rm-1 \"usage-limit\"");
    world.udp(&first.server, &joins("sip:dialog@10.0.0.5", &first.server, "three", &session));
    assert!(world.take_invite().is_some());
}

#[test]
fn of_many_sessions_that_linger_no_more_are_joined_than_fit() {
    let mut objects = platform();
    objects[1]["spec"]["policy"] = serde_json::json!({"usage_limit": 5});
    let mut world = World::with(&objects, settings());
    let mut sessions = Vec::new();
    for number in 0..40 {
        world.udp(CALLER, &invite("18005550100", &format!("short{number}")));
        let (_, text, mut up) = answered(&mut world, CALLER);
        sessions.push(format!("{SESSION_ID}: {}\r\n", header(&text, SESSION_ID)));
        hangs_up(&mut world, CALLER, &mut up, &format!("b{number}"));
    }
    let mut again = Vec::new();
    for (at, session) in sessions.iter().enumerate() {
        world.udp(MCP1, &joins("sip:dialog@10.0.0.5", MCP1, &format!("again{at}"), session));
        if at < 5 {
            let (_, text, up) = answered(&mut world, MCP1);
            assert!(session.contains(guid(&text)));
            again.push(up);
        } else {
            let answer = world.take(MCP1);
            assert!(answer.starts_with("SIP/2.0 480 "), "{answer}");
            assert_eq!(header(&answer, "Warning"), "399 rm-1 \"usage-limit\"");
        }
        assert_eq!(world.proxy.status().sessions, 5.min(at + 1));
        assert_eq!(world.proxy.invariant(), Ok(()));
    }
    // who was refused joins the same session as soon as it fits
    hangs_up(&mut world, MCP1, &mut again[0], "free");
    world.udp(MCP1, &joins("sip:dialog@10.0.0.5", MCP1, "fits", &sessions[39]));
    let (_, text, _) = answered(&mut world, MCP1);
    assert!(sessions[39].contains(guid(&text)) && text.contains(";idtag=00410003>"), "{text}");
    assert_eq!(world.proxy.status().sessions, 5);
}

/// Also one whose first call came in, joined by a call that does not.
#[test]
fn who_is_refused_a_session_that_lingers_does_not_prolong_it() {
    for limit in ["usage_limit", "inbound_usage_limit"] {
        let mut objects = platform();
        objects[1]["spec"]["policy"] = serde_json::json!({limit: 1});
        let mut world = World::with(&objects, settings());
        let mut first = world.up("18005550100", "one");
        let session = format!("{SESSION_ID}: {}\r\n", world.phase("start")[0]["guid"]);
        let session = session.replace('"', "");
        hangs_up(&mut world, CALLER, &mut first, "b1");
        let mut second = world.up("18005550100", "two");
        world.run(Duration::from_millis(4_900));
        world.udp(MCP1, &joins("sip:dialog@10.0.0.5", MCP1, "three", &session));
        assert_eq!(header(&world.take(MCP1), "Warning"), "399 rm-1 \"usage-limit\"", "{limit}");
        hangs_up(&mut world, CALLER, &mut second, "b2");
        world.run(Duration::from_millis(200));
        world.udp(CALLER, &invite_to("sip:18005550100@10.0.0.5", CALLER, "four", &session));
        let (_, text, _) = answered(&mut world, CALLER);
        assert!(!session.contains(guid(&text)), "it is forgotten: {text}");
    }
}

#[test]
fn a_session_can_be_joined_for_a_while_after_its_end_and_counts_again() {
    let mut objects = platform();
    objects[1]["spec"]["policy"] = serde_json::json!({"usage_limit": 1});
    let mut world = World::with(&objects, settings());
    let mut first = world.up("18005550100", "one");
    let session = session_of(&world);
    let server = first.server.clone();
    hangs_up(&mut world, CALLER, &mut first, "b1");
    world.run(Duration::from_millis(4_900));
    world.udp(&server, &joins("sip:dialog@10.0.0.5", &server, "two", &session));
    let (_, forwarded, mut second) = answered(&mut world, &server);
    assert!(session.contains(guid(&forwarded)));
    assert!(forwarded.contains(";idtag=00410002>"), "{forwarded}");
    world.udp(CALLER, &invite("18005550100", "three"));
    assert_eq!(header(&world.take(CALLER), "Warning"), "399 rm-1 \"usage-limit\"");
    hangs_up(&mut world, &server, &mut second, "b2");
    assert_eq!(world.ends().last().unwrap()["resurrected"], serde_json::Value::Null);
    // now it is forgotten, and made again under its id: a new one for all limits
    world.run(Duration::from_secs(6));
    world.udp(&server, &joins("sip:dialog@10.0.0.5", &server, "four", &session));
    let (_, forwarded, mut third) = answered(&mut world, &server);
    assert!(session.contains(guid(&forwarded)));
    world.udp(CALLER, &invite("18005550100", "five"));
    assert_eq!(header(&world.take(CALLER), "Warning"), "399 rm-1 \"usage-limit\"");
    hangs_up(&mut world, &server, &mut third, "b3");
    let end = *world.ends().last().unwrap();
    assert_eq!((&end["resurrected"], &end["primary"]), (&true.into(), &true.into()));
    let legs: Vec<_> = world.ends().iter().map(|end| end["leg"].as_str().unwrap()).collect();
    assert!(legs.last().unwrap() > &"00418000", "no id is used twice: {legs:?}");
}

/// Also within one second, without any leg that was answered, and whichever node it was on before.
#[test]
fn legs_of_a_session_that_is_made_again_often_have_ids_of_their_own() {
    let mut world = platform::ready();
    for number in 0..6 {
        let node = 1 + number / 3;
        let session = format!(
            "{SESSION_ID}: 9E565000-457B-6487-67D5-BA32B23886C4;gvp.rm.datanodes={node};\
             gvp.rm.tenant-id=1.102_IVRAppDefault\r\n"
        );
        let name = format!("again{number}");
        world.udp(MCP1, &joins("sip:dialog@10.0.0.5", MCP1, &name, &session));
        let sent = world.take_invite().unwrap();
        world.udp(&sent.flow.remote.to_string(), &reply(&sent.text, 603, "t", ""));
        assert_eq!(world.proxy.status().sessions, 0);
    }
    let ends = world.ends();
    let ids: std::collections::BTreeSet<&str> =
        ends.iter().filter_map(|end| end["id"].as_str()).collect();
    assert_eq!((ends.len(), ids.len()), (6, 6), "{ids:?}");
    assert!(ends.iter().all(|end| end["resurrected"] == true));
}

#[test]
fn a_session_whose_only_leg_was_never_answered_ends_with_it() {
    let mut world = platform::ready();
    world.udp(CALLER, &invite("18005550100", "one"));
    let sent = world.take_invite().unwrap();
    let session = format!("{SESSION_ID}: {}\r\n", guid(&sent.text));
    world.udp(MCP1, &reply(&sent.text, 603, "t", ""));
    world.udp(CALLER, &invite_to("sip:18005550100@10.0.0.5", CALLER, "two", &session));
    let sent = world.take_invite().unwrap();
    assert!(!session.contains(guid(&sent.text)), "{}", sent.text);
}

#[test]
fn who_may_not_join_gets_a_session_of_its_own() {
    let mut world = platform::ready();
    let first = world.up("18005550100", "one");
    let session = session_of(&world);
    let unknown = |owner: &str| {
        format!("{SESSION_ID}: 0193F2A0-7C5B-7D3E-9A44-11D2C3B4A596;gvp.rm.tenant-id={owner}\r\n")
    };
    let nobody = [unknown("1.102_nope"), unknown("1.999_IVRAppDefault"), unknown("x")];
    let cases = nobody.iter().map(|line| (CALLER, line)).chain([(caller("gw-acme"), &session)]);
    for (at, (from, line)) in cases.enumerate() {
        world.udp(from, &invite_to("sip:18005550100@10.0.0.5", from, &format!("x{at}"), line));
        let sent = world.take_invite().unwrap();
        let ids: Vec<_> = crate::world::all(&sent.text, SESSION_ID);
        assert_eq!(ids.len(), 1, "{}", sent.text);
        assert!(!line.contains(guid(&sent.text)), "{line} {}", sent.text);
        world.udp(&sent.flow.remote.to_string(), &reply(&sent.text, 603, "t", ""));
    }
    drop(first);
}

#[test]
fn a_call_to_the_outside_in_a_session() {
    let mut world = platform::ready();
    let first = world.up("18005550100", "one");
    let session = session_of(&world);
    let server = first.server;
    world.udp(&server, &joins("sip:+4420123@10.0.0.5;user=phone", &server, "out", &session));
    let (at, forwarded, mut up) = answered(&mut world, &server);
    assert_eq!(address(&at), address(CARRIER));
    assert!(forwarded.starts_with("INVITE sip:+4420123@192.0.2.10;user=phone SIP/2.0\r\n"));
    let start = world.phase("start")[1].clone();
    // the party outside hangs up: it is the user
    let bye = up.callee.request("BYE", CARRIER, "bye");
    world.udp(CARRIER, &bye);
    let bye = world.take(&server);
    world.udp(&server, &reply(&bye, 200, "", ""));
    let end = world.ends()[0];
    assert_eq!(end["guid"], start["guid"]);
    for (name, value) in [
        ("call_type", "OUTBOUND"),
        ("service", "gateway"),
        ("selected_by", "joined"),
        ("dn", "4420123"),
        ("dialled", "4420123"),
        ("local_uri", "sip:+4930123@10.0.0.2"),
        ("remote_uri", "sip:0@10.0.0.5"),
        ("end_state", "USER_END"),
    ] {
        assert_eq!(end[name], value, "{name}");
    }
}

/// Scenario 46.
#[test]
fn both_calls_of_a_phone_are_recorded_on_one_server() {
    let mut world = platform::ready();
    let call = |refci: u32, end: &str, name: &str| {
        let phone = format!("<sip:7013@cucm;{end};x-refci={refci}>");
        invite("8001", name).replacen("<sip:+4930123@10.0.0.2>", &phone, 1)
    };
    let mut went = Vec::new();
    for (refci, end, name, suffix) in [
        (1, "x-nearend", "near1", ""),
        (2, "x-nearend", "near2", ""),
        (1, "x-farend", "far1", "(2)"),
        (2, "x-farend", "far2", "(2)"),
    ] {
        world.udp(CALLER, &call(refci, end, name));
        let (at, text, _) = answered(&mut world, CALLER);
        let record = format!(";record=CUCM/call-{refci}-at-7013-on-2026-01-01{suffix} SIP/2.0\r\n");
        assert!(text.contains(&record), "{text}");
        let instance = ";confinstid=2026-01-01-10.0.0.5:5060;idtag=";
        assert!(header(&text, "Record-Route").contains(instance), "{text}");
        went.push(at);
    }
    assert_eq!(went, [MCP1, MCP2, MCP1, MCP2]);
}

#[test]
fn recordings_of_one_session_stay_together() {
    let mut world = platform::ready();
    let record = "sip:msml@10.0.0.5;gvp-tenant-id=acme;media-service=record";
    world.udp(CALLER, &invite_to(record, CALLER, "r1", ""));
    let (first, text, _) = answered(&mut world, CALLER);
    let session = format!("{SESSION_ID}: {}\r\n", header(&text, SESSION_ID));
    let named = |text: &str| {
        let route = header(text, "Record-Route");
        let name = route.split(";confinstid=").nth(1).expect("the recording is named");
        name.split(';').next().unwrap().to_owned()
    };
    assert_eq!(named(&text), "2026-01-01-10.0.0.5:5060");
    for name in ["r2", "r3"] {
        world.udp(CALLER, &invite_to(record, CALLER, name, &session));
        let (at, again, _) = answered(&mut world, CALLER);
        assert_eq!((at, named(&again)), (first.clone(), named(&text)));
    }
    world.udp(CALLER, &invite_to(record, CALLER, "other", ""));
    let (other, ..) = answered(&mut world, CALLER);
    assert_ne!(other, first, "another session is placed like any call");
}

#[test]
fn msml_legs_of_one_call_of_the_sip_server_stay_together_if_they_can() {
    let mut world = platform::ready();
    let uri = "sip:msml@10.0.0.5;gvp-tenant-id=acme";
    let leg = |uuid: &str, call: &str| {
        invite_to(uri, CALLER, call, "").replacen("0UJDMQHH2O8QV3P8P8R2LDAES0000001", uuid, 1)
    };
    let mut went = Vec::new();
    for (uuid, call) in [("A", "a1"), ("B", "b1"), ("A", "a2"), ("B", "b2"), ("A", "a3")] {
        world.udp(CALLER, &leg(uuid, call));
        went.push(answered(&mut world, CALLER).0);
    }
    assert_eq!(went, [MCP1, MCP2, MCP1, MCP2, MCP1]);
    let mut objects = platform();
    objects[3]["spec"]["resources"][0]["state"] = "draining".into();
    world.input(rm::Input::Snapshot(crate::world::snapshot(&objects)));
    world.udp(CALLER, &leg("A", "a4"));
    assert_eq!(answered(&mut world, CALLER).0, MCP2, "it takes no more calls");
}

#[test]
fn to_explain_a_leg_that_would_join_changes_nothing() {
    let mut world = platform::ready();
    let mut first = world.up("18005550100", "one");
    let session = session_of(&world);
    let server = first.server.clone();
    let explained = |world: &mut World| {
        let question = rm::Question {
            source: Some(server.clone()),
            message: Some(joins("sip:dialog@10.0.0.5", &server, "what-if", &session)),
            ..rm::Question::default()
        };
        let told = world.proxy.explain(world.now, &question).unwrap();
        assert_eq!((told.outcome, told.selected_by), ("forward", Some("joined")));
        assert!(told.request.unwrap().contains(";idtag=00410002>"));
    };
    explained(&mut world);
    explained(&mut world);
    hangs_up(&mut world, CALLER, &mut first, "b1");
    explained(&mut world);
    explained(&mut world);
    assert_eq!(world.proxy.status().sessions, 0);
    world.udp(&first.server, &joins("sip:dialog@10.0.0.5", &first.server, "two", &session));
    let (_, forwarded, _) = answered(&mut world, &first.server);
    assert!(forwarded.contains(";idtag=00410002>"), "{forwarded}");
}

#[test]
fn a_gateway_is_not_asked_for_what_a_media_server_must_be_able_to() {
    let mut objects = platform();
    objects[1]["spec"]["requires"] = serde_json::json!({"asr": ["en-US"]});
    objects[3]["spec"]["capabilities"] = serde_json::json!({"asr": ["en-US"]});
    let mut world = World::with(&objects, settings());
    let first = world.up("18005550100", "one");
    let session = session_of(&world);
    world.udp(&first.server, &joins("sip:4420123@10.0.0.5", &first.server, "out", &session));
    assert_eq!(world.take_invite().unwrap().flow.remote, address(CARRIER));
}

#[test]
fn a_message_in_a_session_gets_what_the_session_has() {
    let mut world = platform::ready();
    world.udp(CALLER, &invite("493055", "one"));
    let (_, text, _) = answered(&mut world, CALLER);
    let session = format!("{SESSION_ID}: {}\r\n", header(&text, SESSION_ID));
    let message =
        invite_to("sip:dialog@10.0.0.5", MCP1, "m", &session).replace("INVITE", "MESSAGE");
    world.udp(MCP1, &message);
    let sent = world.wire.iter().find(|sent| sent.text.starts_with("MESSAGE ")).unwrap();
    assert!(sent.text.contains(";voicexml=http://a.example/x.vxml;a=main;"), "{}", sent.text);
    assert_eq!((world.proxy.status().sessions, world.proxy.status().legs), (1, 1));
}

#[test]
fn a_call_leaves_through_the_gateway_of_its_session_where_a_policy_wants_that() {
    for (said, down, expected) in [
        ("no", false, Some(CARRIER)),
        ("preferred", false, Some(caller("gw-env"))),
        ("preferred", true, Some(CARRIER)),
        ("required", false, Some(caller("gw-env"))),
        ("required", true, None),
    ] {
        let mut objects = platform();
        objects[1]["spec"]["policy"]["use_same_gateway"] = said.into();
        let mut world = World::with(&objects, settings());
        let from = caller("gw-env");
        world.udp(from, &invite_to("sip:18005550100@10.0.0.5", from, "in", ""));
        let (server, text, _) = answered(&mut world, from);
        let session = format!("{SESSION_ID}: {}\r\n", header(&text, SESSION_ID));
        if down {
            let all = objects.as_array_mut().unwrap();
            let gateway = all.iter_mut().find(|one| one["name"] == "gw-env").unwrap();
            gateway["spec"]["resources"][0]["state"] = "disabled".into();
            world.input(rm::Input::Snapshot(crate::world::snapshot(&objects)));
        }
        world.udp(&server, &joins("sip:4420123@10.0.0.5", &server, "out", &session));
        let went = world.take_invite().map(|sent| sent.flow.remote);
        assert_eq!(went, expected.map(address), "{said} {down}");
    }
}
