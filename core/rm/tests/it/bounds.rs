//! Bounds of the engine that only many calls reach (rm.md §1.9), made small: full is a designed
//! state.

use std::time::Duration;

use crate::world::{CALLER, MCP1, MCP2, World, invite, objects, reply, settings};
use rm::{Input, NodeState};

/// Only so many tries that were given up are watched for late answers; those of further ones are
/// strays, counted, and their places free at once.
#[test]
fn so_many_tries_are_watched_and_no_more() {
    let mut world = World::cold(&objects(), settings());
    world.proxy = world.proxy.watching(3);
    world.input(Input::State(NodeState::Ready));
    world.run(Duration::from_millis(200));
    // nobody answers: two tries of each call are given up, the last one unwatched
    let mut tries = Vec::new();
    for call in ["a", "b"] {
        world.udp(CALLER, &invite("18005550100", call));
        tries.extend([MCP1, MCP2].into_iter().filter_map(|server| world.try_take(server)));
    }
    world.run(Duration::from_secs(2));
    for server in [MCP1, MCP2] {
        while let Some(text) = world.try_take(server) {
            if !tries.contains(&text) {
                tries.push(text);
            }
        }
    }
    world.run(Duration::from_secs(2));
    world.wire.clear();
    assert_eq!(tries.len(), 4);
    let used = |world: &World| world.proxy.resources().iter().map(|one| one.used).sum::<usize>();
    assert_eq!((world.proxy.status().legs, used(&world)), (0, 3));
    assert_eq!(world.proxy.counters().dropped["watches"], 1);

    let mut ended = 0;
    for (number, text) in tries.iter().enumerate() {
        let server = if text.starts_with("INVITE sip:dialog@10.0.0.11") { MCP1 } else { MCP2 };
        let contact = format!("Contact: <sip:mcp@{server}>\r\n");
        world.udp(server, &reply(text, 200, &format!("late{number}"), &contact));
        if let Some(text) = world.try_take(server) {
            assert!(text.starts_with("ACK "), "{text}");
            let bye = world.take(server);
            world.udp(server, &reply(&bye, 200, "", ""));
            ended += 1;
        }
        assert!(world.try_take(CALLER).is_none_or(|text| text.starts_with("SIP/2.0 4")));
    }
    assert_eq!((ended, world.proxy.counters().dropped["stray"]), (3, 1));
    assert_eq!(used(&world), 0, "each place is free with the answer to its BYE");
}
