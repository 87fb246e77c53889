//! Scripts: what machines are fed with. A line `@step word word` begins a step; the lines behind
//! it, up to the next such line, are its text. Any bytes are a script. And what both machines need
//! to be fed: flows, and streams cut into messages.

use std::net::SocketAddr;

use sip::limits::Limits;
use sip::parse::ParseError;
use sip::stream::{Frame, Framer};
use sip::transport::{ConnId, Flow, Transport};

/// One step.
pub(super) struct Step<'a> {
    name: &'a str,
    words: [&'a str; 2],
    /// The lines behind the first.
    pub(super) text: &'a [u8],
}

impl<'a> Step<'a> {
    pub(super) fn name(&self) -> &'a str {
        self.name
    }

    /// The first word, or the second; empty when it is missing.
    pub(super) fn word(&self, at: usize) -> &'a str {
        self.words.get(at).copied().unwrap_or_default()
    }

    /// A word as a number, at most `most`.
    pub(super) fn number(&self, at: usize, most: u64) -> u64 {
        self.word(at).parse().unwrap_or(0).min(most)
    }

    /// The text as a message: where a script has plain line ends, they are made CR LF.
    pub(super) fn message(&self) -> Vec<u8> {
        if self.text.contains(&b'\r') {
            return self.text.to_vec();
        }
        let mut out = Vec::with_capacity(self.text.len() + 32);
        for byte in self.text {
            if *byte == b'\n' {
                out.push(b'\r');
            }
            out.push(*byte);
        }
        out
    }
}

/// The steps of a script, at most `most`.
pub(super) fn steps(script: &[u8], most: usize) -> impl Iterator<Item = Step<'_>> {
    let mut rest = script;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let next = rest.windows(2).position(|pair| pair == b"\n@").map_or(rest.len(), |at| at + 1);
        let (step, after) = rest.split_at(next);
        rest = after;
        Some(read(step))
    })
    .take(most)
}

fn read(step: &[u8]) -> Step<'_> {
    let end = step.iter().position(|byte| *byte == b'\n').map_or(step.len(), |at| at + 1);
    let (line, text) = step.split_at(end);
    let line = std::str::from_utf8(line).unwrap_or_default().trim_end();
    let mut words = line.strip_prefix('@').unwrap_or_default().split(' ');
    let name = words.next().unwrap_or_default();
    let words = [words.next().unwrap_or_default(), words.next().unwrap_or_default()];
    Step { name, words, text }
}

/// How packets of that far end come: a datagram, or its one stream.
pub(super) fn flow(remote: SocketAddr, stream: bool) -> Flow {
    let transport = if stream { Transport::Tcp } else { Transport::Udp };
    let conn = stream.then(|| ConnId(u64::from(remote.port())));
    Flow { transport, listener: u8::from(stream), remote, conn }
}

/// Where the framing of a stream breaks: what is left, and why.
pub(super) type Break = (Vec<u8>, ParseError);

/// The messages in bytes of a stream, and its break if there is one.
pub(super) fn messages(bytes: &[u8]) -> (Vec<Vec<u8>>, Option<Break>) {
    let mut framer = Framer::new(Limits::DEFAULT);
    framer.push(bytes);
    let mut messages = Vec::new();
    loop {
        match framer.next_frame() {
            Ok(Some(Frame::Message(frame))) => messages.push(frame.to_vec()),
            Ok(Some(Frame::Ping)) => {}
            Ok(None) => return (messages, None),
            Err(error) => return (messages, Some((framer.rest().to_vec(), error.0))),
        }
    }
}

/// Replaces a word of the text.
pub(super) fn replace(text: &mut Vec<u8>, word: &[u8], value: &[u8]) {
    let mut from = 0;
    while let Some(at) = text[from..].windows(word.len()).position(|window| window == word) {
        text.splice(from + at..from + at + word.len(), value.iter().copied());
        from += at + value.len();
    }
}
