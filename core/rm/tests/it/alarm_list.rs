//! The list of alarms (rm.md §12.1): what each is about, since when, how often, and its latest
//! cause; `alarms` has when they are raised and over.

use std::time::Duration;

use rm::{Alarm, Input};
use serde_json::json;

use crate::world::{CALLER, MCP1, MCP2, World, address, invite, objects, settings, snapshot};

/// The alarms that are raised, by their names.
pub(crate) fn list(world: &World) -> Vec<Alarm> {
    let parts = (0..).map_while(|part| world.proxy.alarms(world.now, part));
    let mut all: Vec<Alarm> = parts.flatten().collect();
    all.sort();
    let mut raised: Vec<_> = all.iter().map(|alarm| alarm.name).collect();
    raised.dedup();
    let states = world.proxy.alarm_states(world.now);
    let states: Vec<_> = states.into_iter().filter(|(_, raised)| *raised).collect();
    assert_eq!(states.iter().map(|(name, _)| *name).collect::<Vec<_>>(), raised, "the gauge");
    all
}

/// What stands in the list, in short, and how often the log lines named an alarm.
fn told(world: &World) -> (Vec<String>, usize) {
    let short = |one: &Alarm| {
        let Alarm { name, kind, object, log_id, count, text, .. } = one;
        format!("{name} {kind} {object}: {log_id} x{count}, {text}")
    };
    let named = |(_, fields): &&(u16, Vec<(&'static str, String)>)| {
        fields.iter().any(|(name, _)| *name == "alarm")
    };
    (list(world).iter().map(short).collect(), world.logs.iter().filter(named).count())
}

fn refused(world: &mut World, number: &str, call: &str) {
    world.udp(CALLER, &invite(number, call));
    assert!(world.take(CALLER).starts_with("SIP/2.0 4"));
}

#[test]
fn a_number_that_leads_nowhere_raises_one_for_two_minutes_without_another() {
    let mut world = World::new();
    let began = world.now.wall;
    for (number, call) in [("4711", "a"), ("4712", "b")] {
        refused(&mut world, number, call);
        world.run(Duration::from_secs(100));
    }
    let expected = "RMMatchingIVRTenantNotFound node rm-1: 20201 x2, 4712".to_owned();
    assert_eq!(told(&world), (vec![expected], 1));
    assert_eq!(list(&world)[0].since, began);
    world.run(Duration::from_secs(20));
    assert_eq!(told(&world), (vec![], 1));
}

#[test]
fn servers_that_die_and_calls_that_find_none_raise_theirs() {
    let mut world = World::new();
    world.alive.remove(0);
    let began = world.now.wall;
    world.run(Duration::from_secs(20));
    let mcp_1 = "RMResourceDown resource mcp-1: 20402 x1, probe timed out".to_owned();
    assert_eq!(told(&world), (vec![mcp_1.clone()], 1));
    let since = list(&world)[0].since;
    assert!(began < since && since < world.now.wall, "{since}");
    world.alive.clear();
    world.run(Duration::from_secs(20));
    for call in ["a", "b", "c"] {
        refused(&mut world, "18005550100", call);
    }
    let none = "RMResourceAllocationFailed group mcp: 20401 x3, resource-dead".to_owned();
    let mcp_2 = mcp_1.replace("mcp-1", "mcp-2");
    assert_eq!(told(&world), (vec![none, mcp_1, mcp_2], 3));
    world.alive = vec![address(MCP1), address(MCP2)];
    world.run(Duration::from_secs(60));
    assert_eq!(told(&world), (vec![], 3));
}

#[test]
fn a_full_group_has_its_alarm_until_a_place_is_free() {
    let mut documents = objects();
    for server in documents[3]["spec"]["resources"].as_array_mut().unwrap() {
        server["capacity"] = json!(1);
    }
    let mut world = World::with(&documents, settings());
    let mut first = world.up("18005550100", "a");
    world.up("18005550100", "b");
    refused(&mut world, "18005550100", "c");
    let full = "MCPPortsExceeded group mcp: 20407 x1, 2 resources".to_owned();
    assert!(told(&world).0.contains(&full), "{:?}", told(&world));
    world.hang_up(&mut first, "bye");
    assert!(!told(&world).0.contains(&full));
    // full again, but nobody was refused: what was before is over, and nothing new is told
    world.run(Duration::from_secs(4));
    world.up("18005550100", "d");
    assert!(!told(&world).0.contains(&full));
    world.run(Duration::from_secs(4));
    refused(&mut world, "18005550100", "e");
    assert!(told(&world).0.contains(&full));
    let raised = list(&world).into_iter().find(|one| one.name == "MCPPortsExceeded").unwrap();
    assert_eq!(raised.since, world.now.wall);
    assert_eq!(world.told_alarms(20407), ["MCPPortsExceeded"; 2]);
    // Without the group there is nothing to tell.
    documents.as_array_mut().unwrap().truncate(3);
    world.input(Input::Snapshot(snapshot(&documents)));
    assert!(!told(&world).0.contains(&full));
}

#[test]
fn profiles_of_one_name_have_an_alarm_each() {
    let policy = json!({"usage_limit": 0, "alarms": {"usage_limit": true}});
    let spec = json!({"service": "voicexml", "initial_page_url": "http://a.example/x.vxml",
        "policy": policy});
    let mut documents = objects();
    let all = documents.as_array_mut().unwrap();
    for (tenant, number) in [("north", "1001"), ("south", "2001")] {
        all.push(json!({"kind": "Tenant", "name": tenant, "spec": {}}));
        all.push(json!({"kind": "IvrProfile", "name": "main", "tenant": tenant, "spec": spec}));
        all.push(json!({"kind": "DidGroup", "name": tenant, "tenant": tenant, "spec": {
            "profile": "main", "dids": [number]}}));
    }
    let mut world = World::with(&documents, settings());
    for (number, call) in [("1001", "a"), ("2001", "b"), ("1001", "c")] {
        refused(&mut world, number, call);
    }
    let of = |tenant: &str, count: u8| {
        format!(
            "RMPolicyViolation profile {tenant}/main: 20301 x{count}, \
             profile {tenant}/main usage_limit 0/0"
        )
    };
    assert_eq!(told(&world), (vec![of("north", 2), of("south", 1)], 2));
    for (tenant, call) in [("north", "a"), ("south", "b")] {
        let line = world
            .logs
            .iter()
            .find(|(id, fields)| *id == 20301 && fields.contains(&("tenant", tenant.to_owned())));
        let fields = &line.unwrap().1;
        assert!(fields.contains(&("profile", "main".to_owned())), "{fields:?}");
        assert!(fields.iter().any(|(name, value)| *name == "call_id" && value.contains(call)));
    }
}

#[test]
fn a_question_raises_nothing() {
    let mut world = World::new();
    let question =
        rm::Question { uri: Some("sip:4711@10.0.0.5".to_owned()), ..rm::Question::default() };
    assert_eq!(world.proxy.explain(world.now, &question).unwrap().code, Some(404));
    assert_eq!(told(&world), (vec![], 0));
}
