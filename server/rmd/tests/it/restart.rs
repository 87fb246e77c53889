//! What was up is up again, and what was written reaches the broker, once.

use crate::node::{Node, objects};
use crate::peer::{Caller, udp_media};

#[test]
fn calls_survive_a_restart_and_end_with_their_records() {
    let (media, _seen) = udp_media();
    let text = objects(&[(media, "udp")], 2);
    let node = Node::with(&text);
    node.until_media(1);
    let mut callers = [Caller::udp(node.udp(), "a"), Caller::udp(node.udp(), "b")];
    for caller in &mut callers {
        assert!(caller.invite("18005550100").starts_with("SIP/2.0 200 "));
    }
    let dir = node.stop();

    let node = Node::in_dir(dir, &text, "");
    let calls = node.get("/v1/calls").1;
    assert_eq!(calls.matches("\"session\"").count(), 2, "{calls}");
    node.until_media(1);
    let refused = Caller::udp(node.udp(), "c").invite("18005550100");
    assert!(refused.starts_with("SIP/2.0 480 "), "{refused}");
    for caller in &mut callers {
        caller.move_to(node.udp());
        let answer = caller.bye();
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    }
    assert!(!node.get("/v1/calls").1.contains("\"session\""));
    assert!((node.metric("ringmaster_rm_adopted_total") - 2.0).abs() < 0.5);
    node.stop();
}
