//! Media servers that the name service tells (ops.md §3.4, scenario 24 of §14).

use std::net::IpAddr;
use std::time::Duration;

use crate::world::{
    CALLER, MCP1, MCP2, World, address, invite, objects, reply, settings, snapshot,
};
use rm::Input;
use serde_json::{Value, json};
use sip::locate::{Failure, HostName, Listing, Member};

const NAME: &str = "_sip._tcp.mcp.voice.test";
/// Where a third media server is.
const MCP3: &str = "10.0.0.13:5070";
const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(10);

/// Example 1 with these resources in its group, which discovers.
fn documents(resources: &Value, discovery: &Value) -> Value {
    let mut objects = objects();
    objects[3]["spec"]["resources"] = resources.clone();
    objects[3]["spec"]["discovery"] = discovery.clone();
    objects
}

fn world_of(resources: Value, discovery: Value) -> World {
    let mut world = World::cold(&documents(&resources, &discovery), settings());
    world.alive.push(address(MCP3));
    world.ready();
    world
}

/// Nobody but who is found.
fn world() -> World {
    world_of(json!([]), json!({"dns": {"name": NAME}, "capacity": 500}))
}

fn listing(name: &str) -> Listing {
    Listing { name: HostName::parse(name).unwrap(), port: 5060 }
}

/// The name service tells these hosts with their addresses.
fn tell(world: &mut World, hosts: &[(&str, &str)]) {
    let member = |(host, at): &(&str, &str)| Member {
        host: HostName::parse(&format!("{host}.mcp.voice.test")),
        port: address(at).port(),
        addresses: vec![address(at).ip()],
    };
    answer(world, NAME, Ok(hosts.iter().map(member).collect()));
}

fn answer(world: &mut World, name: &str, found: Result<Vec<Member>, Failure>) {
    let listing = listing(name);
    let asked = world.listings.iter().position(|one| *one == listing).expect("it was asked for");
    world.listings.remove(asked);
    world.input(Input::Discovered { listing, found });
}

/// The name service tells these addresses, which have no names.
pub(crate) fn tell_addresses(world: &mut World, name: &str, all: &[&str]) {
    let member = |at: &&str| {
        let at = address(at);
        Member { host: None, port: at.port(), addresses: vec![at.ip()] }
    };
    let name = HostName::parse(name).unwrap();
    let asked = world.listings.iter().position(|one| one.name == name).expect("it was asked for");
    let listing = world.listings.remove(asked);
    world.input(Input::Discovered { listing, found: Ok(all.iter().map(member).collect()) });
}

/// The next question, answered with these.
fn next(world: &mut World, hosts: &[(&str, &str)]) {
    world.run(2 * SECOND);
    tell(world, hosts);
    world.run(MOMENT);
}

/// Name, address and state of each resource.
fn shown(world: &World) -> Vec<String> {
    let all = world.proxy.resources();
    let mut all: Vec<String> = all
        .iter()
        .map(|one| format!("{} {} {} {}", one.name, one.address, one.state, one.source))
        .collect();
    all.sort();
    all
}

fn call(world: &mut World, call: &str, server: &str) {
    world.udp(CALLER, &invite("18005550100", call));
    let forwarded = world.take(server);
    assert!(forwarded.starts_with("INVITE "), "{forwarded}");
    world.udp(server, &reply(&forwarded, 404, "no", ""));
    while world.try_take(CALLER).is_some() || world.try_take(server).is_some() {}
}

fn logged(world: &World, id: u16) -> usize {
    world.logs.iter().filter(|(one, _)| *one == id).count()
}

#[test]
fn who_is_found_is_probed_at_once_and_takes_calls() {
    let mut world = world();
    assert_eq!(world.listings, [listing(NAME)], "asked at once, and once");
    tell(&mut world, &[("mcp-1", MCP1)]);
    world.run(MOMENT);
    assert_eq!(shown(&world), ["mcp-1 sip:10.0.0.11:5070;transport=tcp healthy dns"]);
    assert_eq!(world.proxy.resources()[0].capacity, Some(500));
    call(&mut world, "first", MCP1);
    // asked again every two seconds, and one more comes
    next(&mut world, &[("mcp-2", MCP2), ("mcp-1", MCP1)]);
    let names: Vec<String> = world.proxy.resources().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["mcp-1", "mcp-2"]);
}

#[test]
fn failures_and_empty_answers_take_nobody_away() {
    let mut world = world();
    tell(&mut world, &[("mcp-1", MCP1)]);
    world.run(MOMENT);
    for found in [Err(Failure::Unanswered), Ok(vec![]), Err(Failure::Nothing), Ok(vec![])] {
        world.run(2 * SECOND);
        answer(&mut world, NAME, found);
    }
    // and one that nobody answers at all
    world.run(8 * SECOND);
    assert_eq!(logged(&world, 50021), 1, "told when it begins");
    call(&mut world, "still", MCP1);
    tell(&mut world, &[("mcp-1", MCP1)]);
    next(&mut world, &[("mcp-1", MCP1)]);
    world.run(2 * SECOND);
    answer(&mut world, NAME, Err(Failure::Nothing));
    assert_eq!(logged(&world, 50021), 2, "and when it begins again");
    call(&mut world, "more", MCP1);
}

#[test]
fn who_is_missing_from_three_answers_in_a_row_has_gone() {
    let mut world = world();
    tell(&mut world, &[("mcp-1", MCP1), ("mcp-2", MCP2)]);
    let count = |world: &World| world.proxy.resources().len();
    next(&mut world, &[("mcp-1", MCP1)]);
    next(&mut world, &[("mcp-1", MCP1)]);
    world.run(2 * SECOND);
    answer(&mut world, NAME, Err(Failure::Unanswered));
    assert_eq!(count(&world), 2, "a failure is no answer without it");
    next(&mut world, &[("mcp-1", MCP1), ("mcp-2", MCP2)]);
    next(&mut world, &[("mcp-1", MCP1)]);
    next(&mut world, &[("mcp-1", MCP1)]);
    assert_eq!(count(&world), 2, "two, after it was there again");
    next(&mut world, &[("mcp-1", MCP1)]);
    assert_eq!(count(&world), 1);
    for n in 0..3 {
        call(&mut world, &format!("left{n}"), MCP1);
    }
}

/// A call is up on mcp-2, which goes; mcp-1 stays.
fn gone_with_a_call(discovery: Value) -> (World, crate::world::Up) {
    let mut world = world_of(json!([]), discovery);
    tell(&mut world, &[("mcp-2", MCP2)]);
    world.run(MOMENT);
    let up = world.up("18005550100", "up");
    assert_eq!(up.server, MCP2);
    for _ in 0..3 {
        next(&mut world, &[("mcp-1", MCP1)]);
    }
    let line = "mcp-2 sip:10.0.0.12:5070;transport=tcp draining dns";
    assert!(shown(&world).contains(&line.to_owned()), "{:?}", shown(&world));
    call(&mut world, "new", MCP1);
    call(&mut world, "newer", MCP1);
    (world, up)
}

#[test]
fn who_goes_with_calls_drains_until_the_last_of_them_ends() {
    let (mut world, mut up) = gone_with_a_call(json!({"dns": {"name": NAME}}));
    next(&mut world, &[("mcp-1", MCP1)]);
    assert_eq!(world.proxy.resources().len(), 2);
    assert!(world.hang_up(&mut up, "bye").unwrap().starts_with("SIP/2.0 200 "));
    next(&mut world, &[("mcp-1", MCP1)]);
    assert_eq!(world.proxy.resources().len(), 1);
}

#[test]
fn who_comes_back_while_it_drains_takes_calls_again() {
    let (mut world, mut up) = gone_with_a_call(json!({"dns": {"name": NAME}}));
    next(&mut world, &[("mcp-2", MCP2)]);
    next(&mut world, &[("mcp-2", MCP2)]);
    next(&mut world, &[("mcp-2", MCP2)]);
    assert_eq!(shown(&world), ["mcp-2 sip:10.0.0.12:5070;transport=tcp healthy dns"]);
    assert_eq!(world.proxy.resources()[0].used, 1, "its call is still its call");
    assert!(world.hang_up(&mut up, "bye").is_some());
}

#[test]
fn nobody_keeps_its_place_for_ever() {
    let (mut world, mut up) = gone_with_a_call(json!({"dns": {"name": NAME}, "keep_gone": "10s"}));
    for _ in 0..4 {
        next(&mut world, &[("mcp-1", MCP1)]);
    }
    assert_eq!(world.proxy.resources().len(), 2);
    next(&mut world, &[("mcp-1", MCP1)]);
    next(&mut world, &[("mcp-1", MCP1)]);
    assert_eq!(world.proxy.resources().len(), 1);
    assert!(world.hang_up(&mut up, "bye").unwrap().starts_with("SIP/2.0 200 "), "its call goes on");
}

#[test]
fn a_new_address_is_the_same_resource_and_probed_anew() {
    let mut world = world();
    tell(&mut world, &[("mcp-1", MCP1)]);
    world.run(MOMENT);
    let before = world.proxy.resources().remove(0);
    let up = world.up("18005550100", "up");
    assert_eq!(up.server, MCP1);
    world.alive.retain(|at| *at != address(MCP2));
    world.run(2 * SECOND);
    world.probed.clear();
    tell(&mut world, &[("mcp-1", MCP2)]);
    let after = world.proxy.resources().remove(0);
    assert_eq!((after.dbid, after.used), (before.dbid, 1));
    assert_eq!((before.state, after.state), ("healthy", "unknown"));
    world.run(MOMENT);
    assert_eq!(world.probed.iter().filter(|one| one.remote == address(MCP2)).count(), 1);
    world.alive.push(address(MCP2));
    world.run(6 * SECOND);
    assert_eq!(world.proxy.resources()[0].state, "healthy");
    call(&mut world, "there", MCP2);
}

#[test]
fn nobody_takes_the_address_of_one_that_answers() {
    let mut world = world();
    tell(&mut world, &[("mcp-1", MCP1)]);
    world.run(MOMENT);
    // its name stands before the other's
    for _ in 0..2 {
        next(&mut world, &[("mcp-0", MCP1), ("mcp-1", MCP1)]);
        assert_eq!(shown(&world), ["mcp-1 sip:10.0.0.11:5070;transport=tcp healthy dns"]);
    }
    assert_eq!(logged(&world, 50022), 1, "told when it begins");
    call(&mut world, "still", MCP1);
    // missing is not yet gone
    for _ in 0..2 {
        next(&mut world, &[("mcp-0", MCP1)]);
        assert_eq!(shown(&world), ["mcp-1 sip:10.0.0.11:5070;transport=tcp healthy dns"]);
    }
    next(&mut world, &[("mcp-0", MCP1)]);
    assert_eq!(shown(&world), ["mcp-0 sip:10.0.0.11:5070;transport=tcp healthy dns"]);
    call(&mut world, "other", MCP1);
}

#[test]
fn of_two_hosts_with_one_label_the_known_one_stays() {
    let mut world = world();
    let host = |zone: &str, at: &str| Member {
        host: HostName::parse(&format!("mcp-1.{zone}.voice.test")),
        port: address(at).port(),
        addresses: vec![address(at).ip()],
    };
    let both = || vec![host("a", MCP1), host("b", MCP2)];
    answer(&mut world, NAME, Ok(vec![host("a", MCP1)]));
    world.run(MOMENT);
    for turned in [false, true, false] {
        let mut found = both();
        if turned {
            found.reverse();
        }
        world.run(2 * SECOND);
        answer(&mut world, NAME, Ok(found));
        world.run(MOMENT);
        assert_eq!(shown(&world), ["mcp-1 sip:10.0.0.11:5070;transport=tcp healthy dns"]);
    }
}

#[test]
fn addresses_in_another_order_move_nobody() {
    let mut world = world();
    let ips = |order: [&str; 2]| order.map(|at| address(at).ip()).to_vec();
    let host = HostName::parse("mcp-1.mcp.voice.test");
    for order in [[MCP1, MCP2], [MCP2, MCP1]] {
        let addresses: Vec<IpAddr> = ips(order);
        let member = Member { host: host.clone(), port: 5070, addresses };
        answer(&mut world, NAME, Ok(vec![member]));
        world.run(2 * SECOND);
        assert_eq!(shown(&world), ["mcp-1 sip:10.0.0.11:5070;transport=tcp healthy dns"]);
    }
    // nobody could tell its address: it is there
    let member = Member { host, port: 5070, addresses: vec![] };
    answer(&mut world, NAME, Ok(vec![member]));
    assert_eq!(world.proxy.resources().len(), 1);
}

#[test]
fn what_is_listed_says_everything_but_the_address() {
    let listed =
        json!([{"name": "mcp-1", "address": "sip:10.0.0.99:5070", "capacity": 7, "dbid": 310}]);
    let mut world = world_of(listed, json!([{"dns": {"name": NAME}, "capacity": 500}]));
    tell(&mut world, &[("mcp-1", MCP1), ("mcp-2", MCP2)]);
    world.run(MOMENT);
    assert_eq!(
        shown(&world),
        [
            "mcp-1 sip:10.0.0.11:5070;transport=tcp healthy static",
            "mcp-2 sip:10.0.0.12:5070;transport=tcp healthy dns"
        ]
    );
    let all = world.proxy.resources();
    assert_eq!((all[0].dbid, all[0].capacity, all[1].capacity), (310, Some(7), Some(500)));
    for _ in 0..3 {
        next(&mut world, &[("mcp-2", MCP2)]);
    }
    assert!(shown(&world)[0].starts_with("mcp-1 sip:10.0.0.99:5070 "), "{:?}", shown(&world));
}

#[test]
fn a_name_or_address_that_another_group_has_is_left_out_and_told_once() {
    let mut objects = documents(&json!([]), &json!({"dns": {"name": NAME}}));
    objects.as_array_mut().unwrap().push(
        json!({"kind": "ResourceGroup", "name": "other", "spec": {
        "services": ["voicexml"], "resources": [
            {"name": "MCP-1", "address": "sip:10.0.0.99:5070"},
            {"name": "else", "address": "sip:10.0.0.13:5070"}]}}),
    );
    let mut world = World::cold(&objects, settings());
    world.ready();
    let hosts = [("mcp-1", MCP1), ("mcp-2", MCP2), ("mcp-3", MCP3), ("own", "10.0.0.5:5060")];
    for _ in 0..3 {
        tell(&mut world, &hosts);
        world.run(2 * SECOND);
    }
    let of_group = world.proxy.resources().into_iter().filter(|one| one.group == "mcp");
    assert_eq!(of_group.map(|one| one.name).collect::<Vec<_>>(), ["mcp-2"]);
    let told: Vec<String> = world
        .logs
        .iter()
        .filter(|(id, _)| *id == 50022)
        .map(|(_, fields)| {
            fields.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" ")
        })
        .collect();
    assert_eq!(
        told,
        ["mcp-1 mcp name other/MCP-1", "mcp-3 mcp address other/else", "own mcp address rm/rm-1"]
    );
}

#[test]
fn without_srv_records_the_address_is_the_name() {
    let discovery = json!({"dns": {"name": "pool.voice.test", "port": 5070}});
    let mut world = world_of(json!([]), discovery);
    let member = |ip: &str| Member { host: None, port: 5070, addresses: vec![ip.parse().unwrap()] };
    let listing = Listing { name: HostName::parse("pool.voice.test").unwrap(), port: 5070 };
    assert_eq!(world.listings, std::slice::from_ref(&listing));
    let all = ["10.0.0.11", "fd00::1", "0.0.0.0", "224.0.0.1"];
    let found = Ok(all.map(member).to_vec());
    world.input(Input::Discovered { listing, found });
    world.run(MOMENT);
    let shown = shown(&world);
    assert_eq!(shown[0], "10.0.0.11 sip:10.0.0.11:5070 healthy dns");
    assert!(shown[1].starts_with("fd00-0-0-0-0-0-0-1 sip:[fd00::1]:5070 "), "{shown:?}");
    assert_eq!(shown.len(), 2);
}

#[test]
fn two_groups_ask_once_for_the_same_name() {
    let mut objects = documents(&json!([]), &json!({"dns": {"name": NAME}}));
    objects
        .as_array_mut()
        .unwrap()
        .push(json!({"kind": "ResourceGroup", "name": "other", "spec": {
        "services": ["voicexml"], "discovery": {"dns": {"name": NAME}}}}));
    let mut world = World::cold(&objects, settings());
    world.ready();
    assert_eq!(world.listings, [listing(NAME)]);
    tell(&mut world, &[("mcp-1", MCP1)]);
    let of: Vec<String> = world.proxy.resources().into_iter().map(|one| one.group).collect();
    assert_eq!(of, ["mcp"], "the first group of the configuration has it");
}

#[test]
fn a_new_configuration_keeps_who_was_found() {
    let mut world = world();
    tell(&mut world, &[("mcp-1", MCP1)]);
    world.run(MOMENT);
    let with = |discovery: Value| snapshot(&documents(&json!([]), &discovery));
    let more =
        json!([{"dns": {"name": "pool.voice.test"}}, {"dns": {"name": NAME}, "capacity": 9}]);
    world.input(Input::Snapshot(with(more)));
    assert_eq!(shown(&world), ["mcp-1 sip:10.0.0.11:5070;transport=tcp healthy dns"]);
    assert_eq!(world.proxy.resources()[0].capacity, Some(9));
    assert_eq!(world.listings, [listing("pool.voice.test")], "the new name is asked for");
    world.input(Input::Snapshot(with(Value::Null)));
    assert!(world.proxy.resources().is_empty());
}

/// Scenario 24: a name server between whose answers and the zone a TTL lies.
#[test]
fn scenario_24_within_the_ttl_and_two_seconds() {
    const TTL: Duration = Duration::from_secs(30);
    let mut world = world();
    let start = world.now.mono;
    let at = |world: &World| world.now.mono.saturating_sub(start);
    // what the zone says from when on
    let both: &[(&str, &str)] = &[("mcp-1", MCP1), ("mcp-2", MCP2)];
    let zone: [(u64, &[(&str, &str)]); 3] = [(0, &both[..1]), (45, both), (125, &both[..1])];
    let mut cached: Option<(Duration, &[(&str, &str)])> = None;
    let mut first_call = None;
    let mut last_call = Duration::ZERO;
    for n in 0..2400 {
        world.run(SECOND / 10);
        let now = at(&world);
        if !world.listings.is_empty() {
            let (until, hosts) = match cached {
                Some((until, hosts)) if until > now => (until, hosts),
                _ => {
                    let said = zone.iter().rfind(|(from, _)| now >= Duration::from_secs(*from));
                    (now + TTL, said.unwrap().1)
                }
            };
            cached = Some((until, hosts));
            // for a while the name server is away
            let away = (Duration::from_secs(80)..Duration::from_secs(100)).contains(&now);
            if away {
                answer(&mut world, NAME, Err(Failure::Unanswered));
            } else {
                tell(&mut world, hosts);
            }
        }
        world.udp(CALLER, &invite("18005550100", &format!("c{n}")));
        let server = [MCP1, MCP2]
            .into_iter()
            .find(|server| world.wire.iter().any(|sent| sent.flow.remote == address(server)));
        let Some(server) = server else {
            assert!(now < SECOND, "no call is refused later than at the start: {now:?}");
            while world.try_take(CALLER).is_some() {}
            continue;
        };
        if server == MCP2 {
            first_call.get_or_insert(now);
            last_call = now;
        }
        let forwarded = world.take(server);
        world.udp(server, &reply(&forwarded, 404, "no", ""));
        while world.try_take(CALLER).is_some() || world.try_take(server).is_some() {}
    }
    let first = first_call.expect("the second one got calls").as_secs_f64();
    assert!((45.0..=45.0 + 32.0).contains(&first), "{first}");
    // three answers in a row after the cache has let it go
    let last = last_call.as_secs_f64();
    assert!((125.0..=125.0 + 30.0 + 3.0 * 2.5).contains(&last), "{last}");
}
