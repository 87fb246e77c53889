//! `stomp`: the receiving end of STOMP with a stranger on the other.
//!
//! The first byte says how the rest is cut into pieces; time passes between them.

use std::time::Duration;

use openwire::{BrokerEvent, BrokerSettings, Limits, Stomp, Ticket};

pub(super) fn run(data: &[u8]) {
    let Some((pieces, bytes)) = data.split_first() else { return };
    let size = usize::from(pieces >> 1).max(1) * 3;
    let slow = pieces & 1 == 1;
    let limits = Limits::default();
    let session = "ID:rs-1-0-1".to_owned();
    let mut stomp = Stomp::new(BrokerSettings::new("rs-1"), session, Duration::ZERO);
    let (mut out, mut late) = (Vec::new(), Vec::new());
    for (number, piece) in (0..).zip(bytes.chunks(size)) {
        let now = Duration::from_millis(number * 20);
        stomp.handle_input(now, piece);
        drain(&mut stomp, slow, number, &mut late);
        while stomp.poll_transmit(&mut out) {
            out.clear();
        }
        let most = limits.frame + limits.transactions_bytes() + limits.unanswered_bytes;
        assert!(stomp.held() <= most, "memory has a bound");
        if stomp.poll_timeout().is_some_and(|at| at <= now) {
            stomp.handle_timeout(now);
        }
    }
    for ticket in late {
        stomp.stored(ticket);
    }
    assert_eq!(stomp.unanswered(), (0, 0), "every ticket was answered");
    stomp.handle_timeout(Duration::from_secs(3_600));
}

/// A slow disk answers at the end.
fn drain(stomp: &mut Stomp, slow: bool, number: u64, late: &mut Vec<Ticket>) {
    while let Some(event) = stomp.poll_event() {
        match event {
            BrokerEvent::Login { .. } if number % 7 == 6 => stomp.refuse_login("no"),
            BrokerEvent::Login { .. } => stomp.accept_login(),
            BrokerEvent::Store { ticket, messages } => {
                assert!(!messages.is_empty(), "a ticket has messages");
                if slow {
                    late.push(ticket);
                } else {
                    stomp.stored(ticket);
                }
            }
            BrokerEvent::Note(_) | BrokerEvent::Closed { .. } => {}
        }
    }
}
