//! Scenario 31 of rm.md §14, one node: ten thousand calls of all kinds, a kill, an empty memory.

use model::config::Service;
use rm::view::limits::{self, Counted};
use serde_json::json;
use sim::Call;
use sim::objects;
use sim::world::{Setup, World, server};

use crate::scenarios::{SECOND, all_is_over, count, ms, number, resource};

const CALLS: usize = 10_000;

/// Example 1 with room for all, a gateway, and a limit on each set of acme and of its profile.
fn setup() -> Setup {
    let mut setup = Setup::example_1(1);
    let carrier = server(41);
    setup.servers.push(("carrier", carrier));
    let limits = json!({
        "usage_limit": 2 * CALLS, "inbound_usage_limit": 2 * CALLS,
        "outbound_usage_limit": 2 * CALLS, "services": {
            "voicexml": {"usage_limit": 2 * CALLS}, "msml": {"usage_limit": 2 * CALLS},
            "gateway": {"usage_limit": 2 * CALLS}}});
    for (kind, name) in [("Tenant", "acme"), ("IvrProfile", "IVRAppDefault")] {
        objects::spec(&mut setup.objects, kind, name).unwrap()["policy"] = limits.clone();
    }
    for server in 0..2 {
        let spec = objects::spec(&mut setup.objects, "ResourceGroup", "mcp").unwrap();
        spec["resources"][server]["capacity"] = json!(CALLS);
    }
    setup.objects.as_array_mut().unwrap().push(json!({
        "kind": "ResourceGroup", "name": "carriers", "spec": {
            "services": ["gateway"], "resources": [
                {"name": "carrier", "address": format!("sip:{carrier}"), "dbid": 320}]}}));
    setup
}

/// What each limit of acme and of its profile counts: by sessions, direction and service.
fn usage(world: &World) -> Vec<(String, u64)> {
    let snapshot = objects::snapshot(&world.objects, 1).unwrap();
    let tenant = snapshot.tenant_by_name("acme").unwrap();
    let profile = snapshot.profile_within(tenant, "IVRAppDefault").unwrap();
    let mut all = limits::of_tenant(&snapshot, tenant);
    all.extend(limits::of_profile(&snapshot, profile));
    let sets: Vec<_> = all.iter().map(|one| one.set).collect();
    let counts = |of: Counted| sets.iter().any(|set| set.of == of);
    assert!(counts(Counted::Inbound) && counts(Counted::Legs(Service::Gateway)));
    let used = world.nodes[0].proxy().unwrap().used(&sets);
    all.into_iter().map(|one| format!("{} {}", one.kind, one.rule)).zip(used).collect()
}

/// Of ten calls two go out, from a media server; three are msml; all others are of a number.
fn place(world: &mut World, nth: usize) {
    let tenant = ";gvp-tenant-id=acme".to_owned();
    match nth % 10 {
        0 | 1 => world.place_by(1, 0, Call { parameters: tenant, ..number("030456789") }),
        2..5 => world.place(0, Call { parameters: tenant, ..number("msml") }),
        _ => world.place(0, number("18005550100")),
    };
}

/// Load of each resource, sessions and legs.
fn load(world: &World) -> ([usize; 3], usize, usize) {
    let used = ["mcp-1", "mcp-2", "carrier"].map(|name| resource(world, name).used);
    let status = world.nodes[0].proxy().unwrap().status();
    (used, status.sessions, status.legs)
}

#[test]
fn scenario_31_ten_thousand_calls_survive_a_kill() {
    let mut world = World::new(setup()).unwrap();
    world.checks.sparse = 50_000;
    world.agents.iter_mut().for_each(|agent| agent.listens = false);
    for nth in 0..CALLS {
        place(&mut world, nth);
        world.run(ms(1)).unwrap();
    }
    world.run(SECOND).unwrap();
    let before = (load(&world), usage(&world));
    let ([one, two, out], sessions, legs) = before.0;
    assert_eq!((one + two, out, sessions, legs), (8_000, 2_000, CALLS, CALLS));
    let mut expected = Vec::new();
    for kind in ["tenant", "profile"] {
        for (rule, used) in [
            ("usage_limit", 10_000),
            ("inbound_usage_limit", 8_000),
            ("outbound_usage_limit", 2_000),
            ("services.gateway.usage_limit", 2_000),
            ("services.msml.usage_limit", 3_000),
            ("services.voicexml.usage_limit", 5_000),
        ] {
            expected.push((format!("{kind} {rule}"), used));
        }
    }
    let mut sorted = before.1.clone();
    sorted.sort();
    expected.sort();
    assert_eq!(sorted, expected);
    world.crash(0);
    world.run(SECOND).unwrap();
    let restored = world.start(0).unwrap();
    assert_eq!((restored.legs, restored.refused), (CALLS, 0));
    assert_eq!((load(&world), usage(&world)), before);
    let calls: Vec<String> = world.truth.calls().keys().cloned().collect();
    for method in ["INVITE", "BYE"] {
        world.agents.iter_mut().for_each(|agent| agent.listens = true);
        for call in &calls {
            let now = world.now.mono;
            let (_, name) = call.split_once('@').unwrap();
            let name = name.to_owned();
            world.agent(&name).say(now, call, method);
            world.run(ms(1)).unwrap();
        }
        world.run(SECOND).unwrap();
        let answered =
            ["sip-server", "mcp-1"].map(|name| count(&mut world, name, &format!("200 {method}")));
        assert_eq!(answered, [8_000, 2_000], "{method}");
    }
    all_is_over(&mut world);
    assert!(usage(&world).iter().all(|(_, used)| *used == 0));
    assert_eq!(world.report.ends().len(), CALLS);
    assert!(world.report.ends().iter().all(|end| end.epoch == 2));
}
