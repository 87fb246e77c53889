//! Any bytes: neither end panics, memory follows the bytes that came, and chunking changes
//! nothing.

use std::time::Duration;

use openwire::{
    Broker, BrokerEvent, BrokerSettings, Client, ClientSettings, Command, Limits, Step, decode,
};
use proptest::prelude::*;

use crate::golden;
use crate::peer::{ID, greeting, login, message, producer, send, step, transaction};

/// A whole session of the sending side.
fn conversation() -> Vec<u8> {
    let mut bytes = Vec::new();
    greeting(12, "5.17.2").encode(&mut bytes);
    let mut inside = message("ringmaster.cdr", 2, b"{\"a\":1}");
    inside.transaction = Some(transaction(1));
    let mut outside = message("ringmaster.sq", 1, b"{}");
    outside.properties = Some(b"\0\0\0\x01\0\x08recordId\x09\0\x02r1");
    for (id, command) in [
        (1, login(ID)),
        (2, Command::ProducerInfo { id: producer(1), destination: None, window: 4096 }),
        (3, send(outside)),
        (4, step(1, Step::Begin)),
        (5, send(inside)),
        (6, step(1, Step::Commit)),
        (7, send(message("orders", 3, b"{}"))),
        (8, Command::KeepAliveInfo),
    ] {
        let header = openwire::Header { id, respond: id != 4 };
        openwire::encode(header, &command, 12, &mut bytes);
    }
    bytes
}

/// Everything that comes out of it: events and bytes.
fn play(bytes: &[u8], cuts: &[usize]) -> (Vec<String>, Vec<u8>) {
    let mut broker = Broker::new(BrokerSettings::new("test"), Duration::ZERO);
    let mut events = Vec::new();
    let mut tickets = Vec::new();
    let mut out = Vec::new();
    let mut rest = bytes;
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let cut = cuts.next().map_or(rest.len(), |cut| (*cut).clamp(1, rest.len()));
        let (chunk, behind) = rest.split_at(cut);
        rest = behind;
        broker.handle_input(Duration::ZERO, chunk);
        while let Some(event) = broker.poll_event() {
            events.push(format!("{event:?}"));
            match event {
                BrokerEvent::Login { .. } => broker.accept_login(),
                BrokerEvent::Store { ticket, .. } => tickets.push(ticket),
                BrokerEvent::Note(_) | BrokerEvent::Closed { .. } => {}
            }
        }
    }
    // the disk is slow: its answers come last, however the bytes were cut
    for ticket in tickets {
        broker.stored(ticket);
    }
    broker.poll_transmit(&mut out);
    (events, out)
}

#[test]
fn the_conversation_is_understood() {
    let (events, _) = play(&conversation(), &[]);
    let kinds: Vec<_> = events.iter().map(|event| event.split(' ').next().unwrap()).collect();
    assert_eq!(kinds, ["Login", "Store", "Store", "Note(Refused(Destination(Some(Destination"]);
}

/// Wherever in a message four bytes say that very much follows, or less than nothing: it cannot be
/// read, or the bytes were no length, and what was read is no larger than what came.
#[test]
fn lengths_are_checked_before_they_are_used() {
    let body = golden::bytes(golden::MESSAGE);
    let whole = body[4..].to_vec();
    let (header, command) = decode(&whole, 12).unwrap().unwrap();
    let Command::Message(message) = &command else { panic!("{command:?}") };
    let size = |header, command: &Command<'_>| {
        let mut bytes = Vec::new();
        openwire::encode(header, command, 12, &mut bytes);
        bytes.len()
    };
    let usual = size(header, &command);
    assert!(message.content.is_some_and(|content| !content.is_empty()));
    let (mut refused, mut places) = (0, std::collections::BTreeSet::new());
    for at in 0..whole.len() - 4 {
        for length in [[0xff; 4], [0x7f, 0xff, 0xff, 0xff], [0x80, 0, 0, 0], [0, 0xff, 0xff, 0xff]]
        {
            let mut body = whole.clone();
            body[at..at + 4].copy_from_slice(&length);
            match decode(&body, 12) {
                Ok(Some((header, command))) => {
                    // of four bytes that are no text each is one of three instead
                    assert!(size(header, &command) <= usual + 8, "{at}: {length:?}");
                }
                Ok(None) => {}
                Err(_) => {
                    refused += 1;
                    places.insert(at);
                }
            }
        }
    }
    // those of the content and of the properties among them, which are followed by that much
    let lengths = (0..whole.len() - 4).filter(|at| {
        let told = u32::from_be_bytes(whole[*at..*at + 4].try_into().unwrap());
        let parts = [message.content, message.properties];
        parts.iter().flatten().any(|part| {
            part.len() == told as usize && whole[*at + 4..].starts_with(part) && !part.is_empty()
        })
    });
    let lengths: Vec<usize> = lengths.collect();
    assert!(!lengths.is_empty() && lengths.iter().all(|at| places.contains(at)), "{lengths:?}");
    assert!(refused > 20, "{refused}");
}

/// A class name in an exception is text: it is read, and nothing comes of it.
#[test]
fn an_exception_class_is_only_a_name() {
    let class = "org.springframework.context.support.ClassPathXmlApplicationContext";
    let mut bytes = conversation();
    let exception = openwire::Exception { class: class.to_owned(), text: "http://x/".to_owned() };
    let header = openwire::Header { id: 9, respond: true };
    let error = Command::ConnectionError(Some(exception.clone()));
    openwire::encode(header, &error, 12, &mut bytes);
    let response = Command::ExceptionResponse { correlation: 1, exception: Some(exception) };
    openwire::encode(header, &response, 12, &mut bytes);
    let (events, out) = play(&bytes, &[]);
    assert!(!events.iter().any(|event| event.contains(class)), "{events:?}");
    let answer = b"\x1e\0\0\0\0\0\0\0\0\x09";
    let answers = out.windows(answer.len()).filter(|part| part == answer).count();
    assert_eq!(answers, 2, "both are answered like anything that says nothing");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chunks_change_nothing(cuts in prop::collection::vec(1_usize..200, 1..20)) {
        let bytes = conversation();
        prop_assert_eq!(play(&bytes, &cuts), play(&bytes, &[]));
    }

    #[test]
    fn changed_bytes_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cuts in prop::collection::vec(1_usize..200, 1..20),
    ) {
        let mut bytes = conversation();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        prop_assert_eq!(play(&bytes, &cuts), play(&bytes, &[]));
    }

    #[test]
    fn cut_or_repeated_parts_never_panic(
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
        again in any::<bool>(),
    ) {
        let bytes = conversation();
        let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
        let part = bytes[from.min(to)..from.max(to)].to_vec();
        let mut changed = bytes[..from.min(to)].to_vec();
        if again {
            changed.extend_from_slice(&part);
            changed.extend_from_slice(&part);
        }
        changed.extend_from_slice(&bytes[from.max(to)..]);
        play(&changed, &[]);
    }

    #[test]
    fn any_frame_never_panics(frame in prop::collection::vec(any::<u8>(), 1..200), v in 1..13) {
        let _ = decode(&frame, v);
    }

    #[test]
    fn any_answer_never_panics_the_client(answer in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = Vec::new();
        greeting(12, "5.17.2").encode(&mut bytes);
        bytes.extend_from_slice(b"\0\0\0\x0a\x1e\0\0\0\0\0\0\0\0\x01");
        bytes.extend_from_slice(&u32::try_from(answer.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(&answer);
        let settings = ClientSettings {
            client_id: None,
            connection_id: ID.to_owned(),
            user: None,
            password: None,
            attempt: 0,
            limits: Limits::default(),
        };
        let mut client = Client::new(settings, Duration::ZERO);
        client.handle_input(Duration::ZERO, &bytes);
        while client.poll_event().is_some() {}
    }
}
