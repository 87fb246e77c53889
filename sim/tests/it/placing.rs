//! Scenarios of rm.md §14 about who takes a call, as far as they wait or live through a change. The
//! number in a name is the scenario's.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use model::config::Admin;
use rm::{Input, Will};
use serde_json::{Value, json};
use sim::agent::text::{header, reason};
use sim::objects;
use sim::world::{Setup, World, server};
use sim::{Call, Manner};

use crate::scenarios::{SECOND, all_is_over, count, held, ms, number, resource, row};

const SERVERS: [&str; 10] =
    ["mcp-1", "mcp-2", "mcp-3", "mcp-4", "mcp-5", "mcp-6", "mcp-7", "mcp-8", "mcp-9", "mcp-10"];

/// Example 1 with so many media servers, and this said of their group.
fn servers(count: u8, change: impl FnOnce(&mut Value)) -> World {
    let names = SERVERS.into_iter().zip(11..11 + count);
    let servers: Vec<(&'static str, SocketAddr)> =
        names.map(|(name, last)| (name, server(last))).collect();
    let mut objects = objects::example_1(&servers);
    change(objects::spec(&mut objects, "ResourceGroup", "mcp").unwrap());
    objects::spec(&mut objects, "Tenant", "acme").unwrap()["policy"] = json!({});
    let settings = |_: &mut rm::Settings| ();
    World::new(Setup { seed: 1, nodes: 1, servers, names: &[], objects, settings }).unwrap()
}

fn used(world: &World) -> Vec<usize> {
    world.nodes[0].proxy().unwrap().resources().iter().map(|one| one.used).collect()
}

/// Where each call was taken, by Call-ID.
fn taken(world: &World) -> BTreeMap<String, &'static str> {
    let calls = world.truth.calls().iter();
    calls.filter_map(|(id, call)| Some((id.clone(), *call.taken.first()?))).collect()
}

#[test]
fn scenario_18_least_percent_keeps_the_proportion_while_calls_come_and_go() {
    let mut world = servers(2, |group| {
        group["scheme"] = json!("least-percent");
        (group["resources"][0]["capacity"], group["resources"][1]["capacity"]) =
            (json!(100), json!(300));
    });
    let calls: Vec<String> = (0..40).map(|_| world.place(0, number("18005550100"))).collect();
    world.run(SECOND).unwrap();
    assert_eq!(used(&world), [10, 30]);
    // the smaller one is emptied, and filled again by what comes
    let on_first = taken(&world);
    let gone: Vec<&String> = calls.iter().filter(|call| on_first[*call] == "mcp-1").collect();
    for call in &gone {
        let now = world.now.mono;
        world.caller().say(now, call, "BYE");
    }
    world.run(SECOND).unwrap();
    assert_eq!(used(&world), [0, 30]);
    for _ in 0..gone.len() {
        world.place(0, number("18005550100"));
        world.run(ms(10)).unwrap();
    }
    world.run(SECOND).unwrap();
    assert_eq!(used(&world), [10, 30]);
    let now = world.now.mono;
    world.caller().hang_up_all(now);
    all_is_over(&mut world);
    assert_eq!(row(&world, &calls[0]).attempts, Some(1));
}

#[test]
fn scenario_19_hash_moves_the_keys_of_a_lost_server_and_they_come_back_with_it() {
    let mut world = servers(10, |group| {
        (group["scheme"], group["hash_on"]) = (json!("hash"), json!("dnis"));
    });
    let round = |world: &mut World| -> Vec<&'static str> {
        let key = |key: u32| held_to(&format!("1900{key:03}"));
        let calls: Vec<String> = (0..200)
            .map(|number| {
                let call = world.place(0, key(number));
                world.run(ms(20)).unwrap();
                call
            })
            .collect();
        world.run(SECOND).unwrap();
        let taken = taken(world);
        calls.iter().map(|call| taken[call]).collect()
    };
    let before = round(&mut world);
    assert_eq!(round(&mut world), before, "the same key, the same server");
    assert!(before.contains(&"mcp-5"));
    let all = world.objects.clone();
    let mut fewer = all.clone();
    let group = objects::spec(&mut fewer, "ResourceGroup", "mcp").unwrap();
    group["resources"].as_array_mut().unwrap().remove(4);
    world.configure(fewer).unwrap();
    let without = round(&mut world);
    for (key, (old, new)) in before.iter().zip(&without).enumerate() {
        assert_ne!(*new, "mcp-5");
        assert!(old == new || *old == "mcp-5", "{key}: {old} to {new}");
    }
    world.configure(all).unwrap();
    world.run(3 * SECOND).unwrap();
    assert_eq!(round(&mut world), before);
    // one that dies loses its own keys as well, and no others
    world.agent("mcp-5").alive = None;
    world.run(15 * SECOND).unwrap();
    assert_eq!(resource(&world, "mcp-5").state, "dead");
    assert_eq!(round(&mut world), without);
    all_is_over(&mut world);
}

/// A short call to this number.
fn held_to(to: &str) -> Call {
    Call { hold: Some(ms(500)), ..number(to) }
}

#[test]
fn scenario_21_retry_after_is_full_for_so_long_and_no_longer() {
    // probes are rare, so that the time alone ends it
    let mut world = servers(2, |group| group["monitor"] = json!({"interval": "10m"}));
    world.agent("mcp-1").manners.push_back(Manner::answers(503).with("Retry-After: 5\r\n"));
    world.place(0, held_to("18005550100"));
    world.run(ms(50)).unwrap();
    assert_eq!(count(&mut world, "mcp-1", "INVITE"), 1);
    assert_eq!(count(&mut world, "mcp-2", "INVITE"), 1, "the call goes on at once");
    for _ in 0..9 {
        assert_eq!(resource(&world, "mcp-1").state, "full");
        world.place(0, held_to("18005550100"));
        world.run(ms(500)).unwrap();
    }
    assert_eq!(count(&mut world, "mcp-1", "INVITE"), 1, "nobody touches it");
    assert_eq!(count(&mut world, "mcp-2", "INVITE"), 10);
    let (now, rm) = (world.now.mono, world.nodes[0].address);
    world.caller().ask(now, rm, "OPTIONS");
    world.run(ms(600)).unwrap();
    assert_eq!(count(&mut world, "sip-server", "200 OPTIONS"), 1);
    for _ in 0..2 {
        world.place(0, held_to("18005550100"));
        world.run(ms(500)).unwrap();
    }
    assert_eq!(resource(&world, "mcp-1").state, "healthy");
    assert_eq!(count(&mut world, "mcp-1", "INVITE"), 2, "it takes its turn again");
    assert_eq!(count(&mut world, "sip-server", "503 INVITE"), 0);
    all_is_over(&mut world);
}

/// A leg of this conference, which its caller leaves after so long.
fn joins(conference: &str, hold: Option<std::time::Duration>) -> Call {
    let parameters = ";gvp-tenant-id=acme".to_owned();
    Call { parameters, hold, ..number(&format!("conf={conference}")) }
}

#[test]
fn scenario_29_a_conference_of_a_dead_server_takes_nobody_until_it_is_over() {
    let mut world = servers(2, |group| group["on_dead"] = json!("bye"));
    let first = world.place(0, joins("team7", None));
    world.run(ms(100)).unwrap();
    let (server, other) = match taken(&world)[&first] {
        "mcp-1" => ("mcp-1", "mcp-2"),
        _ => ("mcp-2", "mcp-1"),
    };
    let will = Will { admin: Admin::Draining, until: None };
    world.input(0, Input::Administer { resource: server, will: Some(will) }).unwrap();
    world.place(0, joins("team7", None));
    world.run(SECOND).unwrap();
    assert_eq!(resource(&world, server).used, 2, "it grows where it is, also while that drains");
    world.input(0, Input::Administer { resource: server, will: None }).unwrap();
    let now = world.now.mono;
    world.agent(server).power_off(now);
    let dead = |world: &World| resource(world, server).state == "dead";
    assert!(world.run_until(12 * SECOND, dead).unwrap());
    let late = world.place(0, joins("team7", None));
    world.place(0, joins("team8", None));
    world.run(SECOND).unwrap();
    let answer = world.caller().heard_of("503 INVITE").next().unwrap().text.clone();
    assert_eq!((header(&answer, "Call-ID"), reason(&answer)), (late.as_str(), "conference-dead"));
    assert_eq!(resource(&world, other).used, 1, "another conference is not hurt");
    // release_after is 15 s: its legs are ended, and with the last one the conference
    world.run(16 * SECOND).unwrap();
    assert_eq!(resource(&world, server).used, 0);
    let again = world.place(0, joins("team7", None));
    world.run(SECOND).unwrap();
    assert_eq!(taken(&world)[&again], other);
    let now = world.now.mono;
    world.caller().hang_up_all(now);
    all_is_over(&mut world);
    assert_eq!(row(&world, &late).reason.as_deref(), Some("conference-dead"));
}

#[test]
fn scenario_47_a_strict_location_is_never_left_and_served_when_it_has_servers() {
    let mut world = servers(2, |group| group["geo_location"] = json!(["Paris"]));
    let berlin = "X-Genesys-geo-location: berlin\r\n";
    let strict = format!("{berlin}X-Genesys-strict-location: enforce\r\n");
    let from = |lines: &str| Call { lines: lines.to_owned(), ..held(ms(500)) };
    let refused = world.place(0, from(&strict));
    world.run(ms(100)).unwrap();
    let answer = world.caller().heard_of("480 INVITE").next().unwrap().text.clone();
    assert_eq!(reason(&answer), "no-location");
    let elsewhere = world.place(0, from(berlin));
    world.run(2 * SECOND).unwrap();
    assert!(taken(&world).contains_key(&elsewhere), "without strict any site");
    // a server comes to Berlin, which has to answer a probe before it is more than a last resort
    let mut objects = world.objects.clone();
    let mut group = json!({"kind": "ResourceGroup", "name": "berlin", "spec": {
        "services": ["voicexml"], "geo_location": ["Berlin"], "resources": []}});
    let paris = objects::spec(&mut objects, "ResourceGroup", "mcp").unwrap();
    let moved = paris["resources"].as_array_mut().unwrap().remove(1);
    group["spec"]["resources"] = json!([moved]);
    objects.as_array_mut().unwrap().push(group);
    world.configure(objects).unwrap();
    world.run(6 * SECOND).unwrap();
    for _ in 0..3 {
        let here = world.place(0, from(&strict));
        world.run(2 * SECOND).unwrap();
        assert_eq!(taken(&world)[&here], "mcp-2");
    }
    all_is_over(&mut world);
    assert_eq!(row(&world, &refused).reason.as_deref(), Some("no-location"));
}

#[test]
fn scenario_51_another_address_hurts_no_call_over_hours() {
    let names = [("mcp-1", server(11)), ("mcp-2", server(12))];
    let mut objects = objects::example_1(&names);
    objects::spec(&mut objects, "ResourceGroup", "mcp").unwrap()["monitor"] =
        json!({"interval": "1m"});
    // the same server at its new address: the last of the agents
    let servers = vec![names[0], names[1], ("mcp-1", server(13))];
    let settings = |_: &mut rm::Settings| ();
    let mut world =
        World::new(Setup { seed: 1, nodes: 1, servers, names: &[], objects, settings }).unwrap();
    world.listens = false;
    let old = world.place(0, number("18005550100"));
    world.run(SECOND).unwrap();
    assert_eq!(taken(&world)[&old], "mcp-1");
    let mut objects = world.objects.clone();
    let group = objects::spec(&mut objects, "ResourceGroup", "mcp").unwrap();
    group["resources"][0]["address"] = json!(format!("sip:{}", server(13)));
    world.configure(objects).unwrap();
    world.run(3600 * SECOND).unwrap();
    assert_eq!(resource(&world, "mcp-1").used, 1, "the load is unbroken");
    let new: Vec<String> = (0..2).map(|_| world.place(0, number("18005550100"))).collect();
    world.run(SECOND).unwrap();
    let where_to: Vec<&str> = new.iter().map(|call| taken(&world)[call]).collect();
    assert_eq!(where_to, ["mcp-2", "mcp-1"]);
    let asked = |agent: usize| world.agents[agent].heard_of("INVITE").count();
    assert_eq!((asked(1), asked(3)), (1, 1), "new calls go to the new address");
    assert_eq!(resource(&world, "mcp-1").used, 2);
    let now = world.now.mono;
    world.caller().say(now, &old, "INVITE");
    world.run(SECOND).unwrap();
    let now = world.now.mono;
    world.caller().say(now, &old, "BYE");
    world.run(SECOND).unwrap();
    assert_eq!(count(&mut world, "mcp-1", "BYE"), 1, "the old call is where it was");
    assert_eq!(resource(&world, "mcp-1").used, 1);
    let now = world.now.mono;
    world.caller().hang_up_all(now);
    all_is_over(&mut world);
}
