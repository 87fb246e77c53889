//! Properties over damaged messages: nothing panics, nothing changes that nobody named.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use crate::torture;
use proptest::prelude::*;
use proptest::sample::Index;
use sip::header::Name;
use sip::limits::Limits;
use sip::parse::parse;
use sip::print::{Rewrite, refuse, response};
use sip::stream::{Frame, Framer};
use sip::transport::{Flow, Transport};

/// One way to damage a message.
#[derive(Clone, Debug)]
enum Damage {
    Replace(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Cut(Index),
}

/// What breaks messages at the joints of the grammar.
const PIECES: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"\r\n ",
    b"\"",
    b"<",
    b">",
    b";;",
    b"Via: ",
    b"l: 99999\r\n",
    b"To: <",
    b"%4",
    b"[::",
];

fn damage() -> impl Strategy<Value = Damage> {
    let telling = prop::sample::select(&b"\r\n \t:;,<>\"\\@?=%[]*\0\x7f\xff09aZ"[..]);
    let piece = prop::sample::select(PIECES);
    prop_oneof![
        4 => (any::<Index>(), telling).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        3 => (any::<Index>(), piece)
            .prop_map(|(at, piece)| Damage::Insert(at, piece.to_vec())),
        1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 0..8))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        2 => (any::<Index>(), 1usize..40).prop_map(|(at, count)| Damage::Remove(at, count)),
        1 => any::<Index>().prop_map(Damage::Cut),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    if bytes.is_empty() {
        return;
    }
    match damage {
        Damage::Replace(at, byte) => {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        Damage::Insert(at, piece) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, piece.iter().copied());
        }
        Damage::Remove(at, count) => {
            let at = at.index(bytes.len());
            let end = (at + count).min(bytes.len());
            bytes.drain(at..end);
        }
        Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
    }
}

fn damaged() -> impl Strategy<Value = Vec<u8>> {
    (prop::sample::select(torture::corpus()), prop::collection::vec(damage(), 0..4)).prop_map(
        |(mut bytes, all)| {
            all.iter().for_each(|damage| apply(&mut bytes, damage));
            bytes
        },
    )
}

fn flow() -> Flow {
    let remote = "[2001:db8::1]:5060".parse().unwrap();
    Flow { transport: Transport::Udp, listener: 0, remote, conn: None }
}

/// Everything that may be asked of bytes; true when they are a message.
fn look_at_all(bytes: &[u8]) -> bool {
    let limits = Limits::DEFAULT;
    let message = match parse(bytes, &limits) {
        Ok(message) => message,
        Err(error) => {
            assert!(error.at <= bytes.len());
            let mut answer = Vec::new();
            refuse(bytes, &error, &[], flow(), &mut answer);
            return false;
        }
    };
    let mut copy = Vec::new();
    Rewrite::new(&message).write(&mut copy);
    assert_eq!(copy, message.raw());
    let again = parse(&copy, &limits).unwrap();
    assert_eq!(again.raw(), message.raw());
    let lines: usize = message.headers().map(|header| header.line.len()).sum();
    assert!(lines + message.body().len() < message.raw().len());
    for (name, count) in [
        (Name::Via, message.vias().count()),
        (Name::Route, message.routes().count()),
        (Name::RecordRoute, message.record_routes().count()),
        (Name::Contact, message.contacts().count()),
    ] {
        assert!(count >= message.all(name).count(), "each line of {name:?} has a value");
    }
    for address in message.routes().chain(message.contacts()) {
        assert!(address.is_star() || address.parsed_uri().is_some());
    }
    assert_eq!(message.vias().next(), Some(message.top_via()));
    if message.is_request() {
        let mut answer = Vec::new();
        response(&message, 200, "OK", Some("tag"), &[], flow(), &mut answer);
        let answer = parse(&answer, &limits).unwrap();
        assert_eq!(answer.call_id(), message.call_id());
        assert_eq!((answer.cseq(), answer.method()), (message.cseq(), message.method()));
        assert_eq!(answer.vias().count(), message.vias().count());
        assert!(answer.to().tag().is_some());
    }
    true
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn damaged_messages(bytes in damaged()) {
        look_at_all(&bytes);
    }

    #[test]
    fn noise(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        look_at_all(&bytes);
    }

    #[test]
    fn streams_do_not_depend_on_pieces(bytes in damaged(), more in damaged(), size in 1usize..64) {
        let stream = [bytes, more].concat();
        prop_assert_eq!(frames(&stream, size), frames(&stream, stream.len().max(1)));
    }
}

fn frames(bytes: &[u8], size: usize) -> (Vec<Option<Vec<u8>>>, Option<u16>) {
    let mut framer = Framer::new(Limits::DEFAULT);
    let mut out = Vec::new();
    for piece in bytes.chunks(size) {
        framer.push(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(Frame::Message(bytes))) => {
                    // A frame has its end where `parse` sees it, or is refused.
                    if let Ok(message) = parse(bytes, &Limits::DEFAULT) {
                        assert_eq!(message.raw(), bytes);
                    }
                    out.push(Some(bytes.to_vec()));
                }
                Ok(Some(Frame::Ping)) => out.push(None),
                Ok(None) => break,
                Err(error) => return (out, Some(error.0.status)),
            }
        }
    }
    (out, None)
}

#[test]
fn the_corpus_itself_is_mostly_good() {
    let good = torture::corpus().iter().filter(|bytes| look_at_all(bytes)).count();
    assert!(good > 35, "{good}");
}
