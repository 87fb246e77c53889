//! Requests without session, such as MESSAGE (rm.md §1.5).

use std::time::Duration;

use crate::world::{CALLER, MCP1, World, invite, reply};

/// RFC 4320: nothing but 100 before the end, no 408, and nothing at all where nobody answers.
#[test]
fn no_provisional_answer_no_408_and_silence_for_silence() {
    for statuses in [&[100, 183][..], &[408], &[]] {
        let mut world = World::new();
        world.udp(CALLER, &invite("18005550100", "m").replace("INVITE", "MESSAGE"));
        let sent = world.take(MCP1);
        for status in statuses {
            world.udp(MCP1, &reply(&sent, *status, "t", ""));
        }
        world.run(Duration::from_secs(70));
        assert_eq!(world.try_take(CALLER), None, "{statuses:?}");
        assert_eq!(world.proxy.status().transactions_pending, 0, "{statuses:?}");
    }
}
