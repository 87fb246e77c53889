//! The inputs that cost most within the limits: each kind in two sizes, as one line for
//! `xtask bench`. Twice the bytes may take twice the time; what takes four times is quadratic.
//!
//! The work is all that bytes of a stranger cause below the proxy, in two stages: cut out of a
//! stream in pieces of one byte; parsed, every list split, every parameter read, and answered or
//! refused.

#![expect(clippy::print_stdout, reason = "the line is what this program is for")]

use sip::limits::Limits;
use sip::parse::parse;
use sip::print::{refuse, response};
use sip::stream::{Frame, Framer};
use sip::transport::{Flow, Transport};
use std::hint::black_box;
use std::time::Instant;

/// Rounds, of which the fastest counts: other work on the machine only ever adds time.
const ROUNDS: u32 = 40;

/// How a message of about so many bytes is made: its lines besides the usual ones.
type Kind = (&'static str, usize, fn(usize) -> String);

/// Kinds whose one line grows are bounded by 8 KiB, the others by the 32 KiB of a header.
const LINE: usize = 7_900;
const HEAD: usize = 31_000;

const KINDS: &[Kind] = &[
    ("header-lines", HEAD, |size| lines("X-Any: ", 'x', size)),
    ("long-lines", HEAD, |size| format!("X: {}\r\n", "x".repeat(7_000)).repeat(size / 7_000)),
    ("folds", LINE, |size| format!("Subject: a{}\r\n", "\r\n b".repeat(size / 4))),
    ("commas", LINE, |size| format!("Accept: {}\r\n", ",".repeat(size))),
    ("quoted-commas", LINE, |size| format!("Contact: \"{}\" <sip:a@b>\r\n", ",".repeat(size))),
    ("escapes", LINE, |size| format!("Contact: \"{}\" <sip:a@b>\r\n", "\\\"".repeat(size / 2))),
    ("open-quotes", LINE, |size| format!("Reason: {}\r\n", "\"\\".repeat(size / 2))),
    ("comments", LINE, |size| format!("Server: {}\r\n", "(".repeat(size))),
    ("angles", LINE, |size| format!("Path: {}\r\n", "<".repeat(size))),
    ("parameters", LINE, |size| format!("Contact: <sip:a@b>{}\r\n", ";a".repeat(size / 2))),
    ("via-parameters", LINE, |size| {
        format!("Via: SIP/2.0/UDP h{}\r\n", ";a=\"\\\"\"".repeat(size / 7))
    }),
    ("uri", 2_000, |size| format!("Contact: <sip:a@b;{}>\r\n", "a=%41%".repeat(size / 6))),
    ("blank-name", LINE, |size| format!("X{}: a\r\n", " ".repeat(size))),
    ("broken-vias", HEAD, |size| {
        // the bad one comes last: everything has been read by then
        lines("Via: SIP/2.0/UDP h;a=", 'x', size.min(60 * 500)) + "Max-Forwards: x\r\n"
    }),
];

/// Up to 60 lines that together have this size.
fn lines(start: &str, fill: char, size: usize) -> String {
    let each: String = std::iter::repeat_n(fill, size / 60 - start.len() - 2).collect();
    format!("{start}{each}\r\n").repeat(60)
}

fn message(more: &str) -> Vec<u8> {
    format!(
        "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
         To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n{more}\r\n"
    )
    .into_bytes()
}

fn flow() -> Flow {
    let remote = std::net::SocketAddr::from(([10, 0, 0, 1], 5060));
    Flow { transport: Transport::Udp, listener: 0, remote, conn: None }
}

/// A stage of the work.
type Stage = (&'static str, fn(&[u8]));

const STAGES: [Stage; 2] = [("cut", cut), ("read", read)];

fn main() {
    let (mut slowest, mut growth) = ((String::new(), 0), (String::new(), 0.0_f64));
    for (name, size, make) in KINDS {
        let (half, whole) = (message(&make(size / 2)), message(&make(*size)));
        let bytes = whole.len() as f64 / half.len() as f64;
        for (stage, work) in STAGES {
            let (half_ns, whole_ns) = (fastest(&half, work), fastest(&whole, work));
            // what the usual lines cost beside the odd ones is left out by the bytes
            let grown = whole_ns as f64 / half_ns as f64 / bytes * 2.0;
            let what = format!("{stage}-{name}");
            println!("{what}: {} bytes {whole_ns} ns, grown {grown:.2}", whole.len());
            if whole_ns > slowest.1 {
                slowest = (what.clone(), whole_ns);
            }
            if grown > growth.1 {
                growth = (what, grown);
            }
        }
    }
    let ((worst, ns), (steepest, growth)) = (slowest, growth);
    println!("worst={worst} worst_ns={ns} steepest={steepest} growth={growth:.2}");
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures with the real clock")]
fn fastest(bytes: &[u8], work: fn(&[u8])) -> u128 {
    let round = || {
        let start = Instant::now();
        work(black_box(bytes));
        start.elapsed().as_nanos()
    };
    (0..ROUNDS).map(|_| round()).min().unwrap_or(0)
}

fn cut(bytes: &[u8]) {
    let mut framer = Framer::new(Limits::DEFAULT);
    for piece in bytes.chunks(1) {
        framer.push(piece);
        if let Ok(Some(Frame::Message(frame))) = framer.next_frame() {
            assert_eq!(black_box(frame).len(), bytes.len());
        }
    }
}

fn read(bytes: &[u8]) {
    let mut answer = Vec::new();
    match parse(bytes, &Limits::DEFAULT) {
        Ok(message) => {
            let values: usize = message.headers().map(|header| header.values().count()).sum();
            let contacts = message.contacts().map(|contact| contact.params.iter().count());
            let vias = message.vias().map(|via| via.params.iter().count());
            black_box((values, contacts.sum::<usize>(), vias.sum::<usize>()));
            response(&message, 200, "OK", Some("t"), &[], flow(), &mut answer);
        }
        Err(error) => {
            refuse(bytes, &error, &[], flow(), &mut answer);
        }
    }
    black_box(answer);
}
