//! Calls of a dead media server that are ended or told of at a pace: what happens meanwhile
//! (rm.md §7.10).

use std::time::Duration;

use rm::{CallFilter, Input};
use serde_json::{Value, json};

use crate::pools::{held, servers, until_dead, world};
use crate::world::{MCP1, MCP2, World, address, settings, snapshot};

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// So many servers whose death and return are known soon.
fn quick(count: u16, edit: impl Fn(&mut Value)) -> Value {
    servers(count, |spec| {
        spec["monitor"] = json!({"interval": "200ms", "timeout": "50ms",
            "recovery_interval": "100ms"});
        spec["release_after"] = "1s".into();
        edit(spec);
    })
}

fn calls(world: &mut World, count: u32) {
    for number in 0..count {
        held(world, "18005550100", &format!("c{number}"));
    }
}

fn state(world: &World, name: &str) -> &'static str {
    world.proxy.resource("mcp", name).unwrap().state
}

/// Calls of this server that have ended.
fn ended(world: &World, name: &str) -> usize {
    world.ends().iter().filter(|end| end["resource"]["name"] == name).count()
}

fn logged(world: &World, id: u16) -> usize {
    world.logs.iter().filter(|(one, _)| *one == id).count()
}

/// Lets a little time pass until it is so.
fn until(world: &mut World, what: &str, so: impl Fn(&World) -> bool) {
    let end = world.now.mono + ms(10_000);
    while !so(world) {
        assert!(world.now.mono < end, "never: {what}");
        world.run(ms(10));
    }
}

fn notices(world: &World) -> Vec<Value> {
    let all = world.wire.iter().filter(|sent| sent.text.starts_with("NOTIFY "));
    let bodies = all.map(|sent| sent.text.split("\r\n\r\n").nth(1).unwrap());
    bodies.map(|body| serde_json::from_str(body).unwrap()).collect()
}

/// However it says that it lives, and also when nobody asks it any more.
#[test]
fn a_server_that_is_back_keeps_the_calls_that_are_left() {
    for how in ["200", "486", "503", "unprobed"] {
        let documents = quick(1, |spec| spec["resources"][0]["capacity"] = 600.into());
        let mut world = world(&documents, 1);
        calls(&mut world, 600);
        world.alive.clear();
        until_dead(&mut world);
        world.logs.clear();
        until(&mut world, "its calls are ended", |world| world.ends().len() >= 110);
        if let Ok(code) = how.parse() {
            (world.alive, world.alive_code) = (vec![address(MCP1)], code);
        } else {
            let documents = quick(1, |spec| spec["monitor"] = json!({"method": "none"}));
            world.input(Input::Snapshot(snapshot(&documents)));
        }
        until(&mut world, "it is back", |world| state(world, "mcp-1") != "dead");
        let gone = world.ends().len();
        assert!((110..200).contains(&gone), "{how}: {gone}");
        world.run(ms(10_000));
        assert_eq!((world.ends().len(), world.proxy.status().legs), (gone, 600 - gone), "{how}");
        let expected = match how {
            "unprobed" => vec![],
            "503" => vec![20403, 20405],
            _ => vec![20403],
        };
        let told: Vec<u16> = world.logs.iter().map(|(id, _)| *id).collect();
        let told: Vec<u16> =
            told.into_iter().filter(|id| [20403, 20405].contains(id)).take(2).collect();
        assert_eq!(told, expected, "{how}");
        if how == "unprobed" {
            continue;
        }
        // it dies again: for as long as that takes
        world.alive.clear();
        until(&mut world, "it is dead again", |world| state(world, "mcp-1") == "dead");
        world.run(ms(950));
        assert_eq!(world.ends().len(), gone, "{how}");
        world.run(ms(5000));
        assert_eq!((world.ends().len(), world.proxy.status().legs), (600, 0), "{how}");
        let own = |sent: &&crate::world::Sent| sent.flow.remote == address(MCP1);
        assert!(!world.wire.iter().filter(own).any(|sent| sent.text.starts_with("BYE ")), "{how}");
    }
}

/// One that waits behind another, comes back and dies again has a whole time to come back in.
#[test]
fn a_server_that_comes_back_before_its_turn_loses_nobody() {
    let mut world = world(&quick(2, |_| {}), 2);
    calls(&mut world, 1000);
    world.alive = vec![address(MCP2)];
    until_dead(&mut world);
    world.alive.clear();
    until(&mut world, "both are due", |world| logged(world, 20408) == 2);
    assert!((1..300).contains(&ended(&world, "mcp-1")));
    world.alive = vec![address(MCP2)];
    until(&mut world, "it is back", |world| state(world, "mcp-2") != "dead");
    until(&mut world, "the first has a second left", |world| ended(world, "mcp-1") >= 300);
    world.alive.clear();
    until(&mut world, "it is dead again", |world| state(world, "mcp-2") == "dead");
    let first = ended(&world, "mcp-1");
    assert!(first < 500, "its turn has not come yet: {first}");
    world.run(ms(950));
    assert_eq!((ended(&world, "mcp-1"), ended(&world, "mcp-2")), (500, 0));
    world.run(ms(5000));
    assert_eq!((ended(&world, "mcp-2"), world.proxy.status().legs), (500, 0));
}

/// The peers of a second group, whose server has died a little later than that of the first.
#[test]
fn who_is_told_waits_for_nobodys_end() {
    let mut documents = quick(1, |spec| {
        spec["preference"] = 1.into();
        spec["resources"][0]["capacity"] = 600.into();
    });
    let mut second = documents[3].clone();
    second["name"] = "told".into();
    second["spec"]["preference"] = 2.into();
    second["spec"]["on_dead"] = "notify".into();
    second["spec"]["release_after"] = "1500ms".into();
    second["spec"]["resources"] = json!([{"name": "mcp-2", "address": "sip:10.0.0.12:5070"}]);
    documents.as_array_mut().unwrap().push(second);
    let mut settings = settings();
    settings.peers[0].notify_failures = true;
    let mut world = World::with(&documents, settings);
    calls(&mut world, 605);
    world.alive.clear();
    until(&mut world, "both are due", |world| logged(world, 20408) == 2);
    world.run(ms(20));
    assert!((1..500).contains(&ended(&world, "mcp-1")));
    let told = notices(&world);
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["resource"], &told[0]["calls"][4]["call_id"]),
        (&json!("mcp-2"), &json!("c604@10.1.1.5"))
    );
    world.run(ms(5000));
    assert_eq!((ended(&world, "mcp-1"), world.proxy.status().legs), (600, 5));
}

/// It leaves the configuration with its last call while it is still told of.
#[test]
fn nobody_is_told_of_calls_that_went_with_their_server() {
    let both = quick(2, |spec| {
        spec["on_dead"] = "notify".into();
        spec["resources"][0]["capacity"] = 300.into();
        spec["resources"][1]["state"] = "disabled".into();
    });
    let mut settings = settings();
    settings.peers[0].notify_failures = true;
    let mut world = World::with(&both, settings);
    calls(&mut world, 300);
    world.alive = vec![address(MCP2)];
    until_dead(&mut world);
    for _ in 0..10_000 {
        if world.has_log(20408) {
            break;
        }
        let (next, _) = world.proxy.poll_timeout().unwrap();
        world.now = world.now.plus(next.saturating_sub(world.now.mono));
        world.fire();
    }
    assert!(world.has_log(20408) && notices(&world).is_empty(), "it has only begun");
    while world.proxy.status().legs > 0 {
        for call in world.proxy.calls(&CallFilter::default(), None, 1000).calls {
            world.input(Input::HangUp { guid: call.session, leg: None });
        }
    }
    let other = quick(2, |spec| {
        spec["on_dead"] = "notify".into();
        spec["resources"].as_array_mut().unwrap().remove(0);
    });
    world.input(Input::Snapshot(snapshot(&other)));
    assert!(world.proxy.resource("mcp", "mcp-1").is_none());
    world.run(ms(1000));
    world.wire.clear();
    assert_eq!(held(&mut world, "18005550100", "other"), 2);
    world.alive.clear();
    until(&mut world, "it is told of", |world| !notices(world).is_empty());
    let told = notices(&world);
    assert_eq!((told.len(), &told[0]["resource"]), (1, &json!("mcp-2")));
    let calls = told[0]["calls"].as_array().unwrap();
    assert_eq!((calls.len(), &calls[0]["call_id"]), (1, &json!("other@10.1.1.5")));
}
