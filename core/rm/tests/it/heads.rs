//! What is left of a call when it is over: the heads of all its messages, in order, and its end.

use rm::heads::{Direction, Entry, entries};
use sip::glance;

use crate::line::{Call, Line};
use crate::world::{CALLER, address};

/// What is kept: direction, peer and start line, or the end of a leg.
fn kept(line: &Line) -> Vec<String> {
    let mut out = Vec::new();
    line.proxy.heads(0, &mut out);
    let shown = entries(&out).map(|(_, entry)| match entry {
        Entry::Head(head) => {
            let text = std::str::from_utf8(head.text).unwrap();
            let way = if head.direction == Direction::In { '<' } else { '>' };
            let first = text.lines().next().unwrap().split(" sip:").next().unwrap();
            assert!(text.ends_with("\r\n\r\n") && !text.contains("v=0"), "{text}");
            assert!(glance::call_id(head.text).is_some());
            format!("{way} {} {first}", head.peer)
        }
        Entry::Ended { guid, call_id, .. } => {
            assert!(line.proxy.call(guid).is_none());
            format!("{} ended", String::from_utf8_lossy(call_id))
        }
    });
    shown.collect()
}

#[test]
fn a_whole_call_is_kept_in_order_with_its_end() {
    let (mut line, mut call, caller) = (Line::new().remembering(), Call::new("a"), address(CALLER));
    line.feed(caller, call.invite().as_bytes());
    call.placed(&line);
    let server = call.server();
    line.feed(server, call.answer(180).as_bytes());
    line.feed(server, call.answer(200).as_bytes());
    call.answered(&line);
    let ack = call.request("ACK");
    line.feed(caller, ack.as_bytes());
    // a keep-alive is no message
    line.feed(caller, b"\r\n\r\n");
    let bye = call.request("BYE");
    line.feed(caller, bye.as_bytes());
    let ok = call.ok(&line);
    line.feed(server, ok.as_bytes());

    let id = call.invite();
    let id = crate::world::header(&id, "Call-ID").to_owned();
    let expected = [
        format!("< {caller} INVITE"),
        format!("> {caller} SIP/2.0 100 Trying"),
        format!("> {server} INVITE"),
        format!("< {server} SIP/2.0 180 Whatever"),
        format!("> {caller} SIP/2.0 180 Whatever"),
        format!("< {server} SIP/2.0 200 Whatever"),
        format!("> {caller} SIP/2.0 200 Whatever"),
        format!("< {caller} ACK"),
        format!("> {server} ACK"),
        format!("< {caller} BYE"),
        format!("> {server} BYE"),
        format!("< {server} SIP/2.0 200 Whatever"),
        format!("{id} ended"),
        format!("> {caller} SIP/2.0 200 Whatever"),
    ];
    assert_eq!(kept(&line), expected);
}

#[test]
fn a_refused_call_has_its_end_too() {
    let (mut line, call, caller) = (Line::new().remembering(), Call::new("b"), address(CALLER));
    let invite = call.invite().replace("18005550100", "4711");
    line.feed(caller, invite.as_bytes());
    let kept = kept(&line);
    let id = crate::world::header(&invite, "Call-ID");
    let expected = [
        format!("< {caller} INVITE"),
        format!("{id} ended"),
        format!("> {caller} SIP/2.0 100 Trying"),
        format!("> {caller} SIP/2.0 404 Not Found"),
    ];
    assert_eq!(kept, expected);
}
