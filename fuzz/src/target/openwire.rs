//! `openwire`: first bytes, and both ends of a connection with a stranger on the other.
//!
//! The first byte says how the rest is cut into pieces; time passes between them.

use std::time::Duration;

use openwire::detect::{ENOUGH, detect, refusal};
use openwire::{
    Broker, BrokerEvent, BrokerSettings, Class, Client, ClientEvent, ClientSettings, Limits,
    Outbound,
};

pub(super) fn run(data: &[u8]) {
    let Some((pieces, bytes)) = data.split_first() else { return };
    first(bytes);
    let size = usize::from(pieces >> 1).max(1) * 3;
    if pieces & 1 == 0 {
        broker(bytes, size);
    } else {
        client(bytes, size);
    }
}

fn first(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(ENOUGH)];
    if let Some(protocol) = detect(bytes) {
        let _ = refusal(protocol, "127.0.0.1:8080");
        let sooner = (0..bytes.len()).find_map(|end| detect(&bytes[..end]));
        assert!(sooner.is_none_or(|sooner| sooner == protocol), "more bytes change nothing");
    } else {
        assert!(bytes.len() < ENOUGH, "eight bytes are enough");
    }
}

fn broker(bytes: &[u8], size: usize) {
    let limits = Limits::default();
    let mut broker = Broker::new(BrokerSettings::new("rs-1"), Duration::ZERO);
    let mut out = Vec::new();
    for (number, piece) in (0..).zip(bytes.chunks(size)) {
        let now = Duration::from_millis(number * 20);
        broker.handle_input(now, piece);
        while let Some(event) = broker.poll_event() {
            match event {
                BrokerEvent::Login { .. } if number % 7 == 6 => {
                    broker.refuse_login(Class::Security, "no");
                }
                BrokerEvent::Login { .. } => broker.accept_login(),
                BrokerEvent::Store { ticket, messages } => {
                    assert!(!messages.is_empty(), "a ticket has messages");
                    broker.stored(ticket);
                }
                BrokerEvent::Note(_) | BrokerEvent::Closed { .. } => {}
            }
        }
        while broker.poll_transmit(&mut out) {
            out.clear();
        }
        let most = limits.frame + limits.transactions_bytes() + limits.unanswered_bytes;
        assert!(broker.held() <= most, "memory has a bound");
        if broker.poll_timeout().is_some_and(|at| at <= now) {
            broker.handle_timeout(now);
        }
    }
    broker.handle_timeout(Duration::from_secs(3_600));
}

fn client(bytes: &[u8], size: usize) {
    let settings = ClientSettings {
        client_id: Some("rm-1".to_owned()),
        connection_id: "ID:rm-1-1-1-1:1".to_owned(),
        user: None,
        password: None,
        attempt: 0,
        limits: Limits::default(),
    };
    let mut client = Client::new(settings, Duration::ZERO);
    let mut out = Vec::new();
    for (number, piece) in (0..).zip(bytes.chunks(size)) {
        client.handle_input(Duration::from_millis(number * 20), piece);
        while let Some(event) = client.poll_event() {
            if matches!(event, ClientEvent::Ready) {
                let message =
                    Outbound { record_id: "r", kind: "cdr", schema: 1, body: b"{}", sequence: 1 };
                let sent = client.send("ringmaster.cdr", 1, &message);
                assert!(sent.is_ok() || client.in_flight() == 0);
            }
        }
        while client.poll_transmit(&mut out) {
            out.clear();
        }
    }
    client.handle_timeout(Duration::from_secs(3_600));
}
