//! What holds for any bytes, however damaged: shared by the property tests and by `fuzz/`.
//!
//! A message that is accepted can be told, copied and answered, and what is refused has a place;
//! the same stream in other pieces is the same messages.

use sip::glance;
use sip::header::Name;
use sip::limits::Limits;
use sip::message::Message;
use sip::parse::parse;
use sip::print::{Rewrite, refuse, response};
use sip::stream::{Frame, Framer};
use sip::transport::{Flow, Transport};

/// What came out of a stream: messages, pings (`None`), and the status of the break.
pub(crate) type Cut = (Vec<Option<Vec<u8>>>, Option<u16>);

/// Any flow: answers go there.
fn flow() -> Flow {
    let remote = std::net::SocketAddr::from(([192, 0, 2, 77], 5060));
    Flow { transport: Transport::Udp, listener: 0, remote, conn: None }
}

/// Everything that may be asked of bytes; true when they are a message.
pub(crate) fn message(data: &[u8]) -> bool {
    let limits = Limits::DEFAULT;
    let head = glance::head(data);
    match parse(data, &limits) {
        Ok(message) => {
            let body = message.raw().len() - message.body().len();
            assert_eq!(Some(head), message.raw().get(..body), "a glance sees the same head");
            let seen = glance::call_id(head);
            assert_eq!(seen, Some(message.call_id().as_bytes()), "and the same Call-ID");
            accepted(&message, &limits);
            true
        }
        Err(error) => {
            assert!(error.at <= data.len(), "the fault lies in the bytes");
            let lines: usize = glance::lines(head).map(<[u8]>::len).sum();
            assert!(lines <= head.len() && head.len() <= data.len(), "a glance stays inside");
            let mut answer = Vec::new();
            if refuse(data, &error, &[], flow(), &mut answer) {
                let line = format!("SIP/2.0 {} ", error.status);
                assert!(answer.starts_with(line.as_bytes()), "the answer has the error's status");
            } else {
                assert!(answer.is_empty(), "silence is silent");
            }
            false
        }
    }
}

/// What comes out when a stream comes in these pieces.
pub(crate) fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Cut {
    let mut framer = Framer::new(Limits::DEFAULT);
    let (mut out, mut came) = (Vec::new(), 0);
    for piece in pieces {
        framer.push(piece);
        came += piece.len();
        loop {
            match framer.next_frame() {
                Ok(Some(Frame::Message(bytes))) => {
                    // a frame has its end where `parse` sees it, or is refused
                    if let Ok(message) = parse(bytes, &Limits::DEFAULT) {
                        assert_eq!(message.raw(), bytes, "both see the same end");
                    }
                    out.push(Some(bytes.to_vec()));
                }
                Ok(Some(Frame::Ping)) => out.push(None),
                Ok(None) => break,
                Err(error) => return (out, Some(error.0.status)),
            }
        }
        assert!(framer.pending() <= came, "no more waits than came");
    }
    (out, None)
}

fn accepted(message: &Message<'_>, limits: &Limits) {
    let mut copy = Vec::new();
    Rewrite::new(message).write(&mut copy);
    assert_eq!(copy, message.raw(), "a copy without edits is the same");
    let again = parse(&copy, limits).ok();
    assert_eq!(again.map(|again| again.raw() == message.raw()), Some(true), "it is read again");
    let lines: usize = message.headers().map(|header| header.line.len()).sum();
    assert!(lines + message.body().len() < message.raw().len(), "parts lie inside");
    for (name, count) in [
        (Name::Via, message.vias().count()),
        (Name::Route, message.routes().count()),
        (Name::RecordRoute, message.record_routes().count()),
        (Name::Contact, message.contacts().count()),
    ] {
        assert!(count >= message.all(name).count(), "each line of {name:?} has a value");
    }
    for address in message.routes().chain(message.contacts()) {
        assert!(address.is_star() || address.parsed_uri().is_some(), "an address has a URI");
    }
    for header in message.headers() {
        let longest = header.values().map(<[u8]>::len).max().unwrap_or(0);
        assert!(longest <= header.value.len(), "a value lies in its line");
        let _ = (header.number(), header.text_lossy());
    }
    assert_eq!(message.vias().next(), Some(message.top_via()));
    edited(message, limits);
    if message.is_request() {
        answered(message, limits);
    }
}

/// What a proxy does to every message: one line more on top, one line replaced.
fn edited(message: &Message<'_>, limits: &Limits) {
    let via = b"Via: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bK-rm\r\n";
    let mut copy = Rewrite::new(message);
    copy.top(via);
    if let Some(hops) = message.header(Name::MaxForwards) {
        copy.replace(hops.index, b"Max-Forwards: 7\r\n");
    }
    let mut out = Vec::new();
    copy.write(&mut out);
    // one line more may be one too many
    let Ok(again) = parse(&out, limits) else {
        let full = message.headers().count() >= limits.header_lines
            || message.vias().count() >= limits.vias
            || message.raw().len() - message.body().len() + via.len() + 16 > limits.header_section
            || out.len() > limits.message;
        assert!(full, "an edited message is a message");
        return;
    };
    assert_eq!(again.body(), message.body(), "nobody touches a body");
    assert_eq!(again.top_via().branch, Some("z9hG4bK-rm"));
    let kept = message.headers().filter(|header| header.name != Name::MaxForwards);
    for (was, is) in kept.zip(again.headers().skip(1).filter(|h| h.name != Name::MaxForwards)) {
        assert_eq!(was.line, is.line, "untouched lines leave as they came");
    }
}

fn answered(message: &Message<'_>, limits: &Limits) {
    let mut answer = Vec::new();
    response(message, 200, "OK", Some("tag"), &[], flow(), &mut answer);
    let Ok(answer) = parse(&answer, limits) else {
        assert!(message.raw().len() > limits.header_section / 2, "an answer is a message");
        return;
    };
    assert_eq!(answer.call_id(), message.call_id());
    assert_eq!((answer.cseq(), answer.method()), (message.cseq(), message.method()));
    assert_eq!(answer.vias().count(), message.vias().count());
    assert!(answer.to().tag().is_some(), "an answer has a To tag");
}
