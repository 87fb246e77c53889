//! `text/event-stream` into messages, as the bytes come (WHATWG HTML §9.2.6); pure.
//!
//! However the bytes are split, the messages are the same. A message that is too large is refused
//! before it is kept; what it says is not looked at here.

/// One message of a stream.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Message {
    /// `event`; empty where there is none.
    pub event: String,
    /// `data`, its lines joined by line feeds.
    pub data: String,
}

/// A message is larger than the limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLarge;

/// The state between two pieces of a stream.
#[derive(Debug)]
pub struct Parser {
    limit: usize,
    /// The line that has not ended.
    line: Vec<u8>,
    /// The last byte was a carriage return: a line feed that follows belongs to it.
    after_return: bool,
    /// No line has ended yet: a byte order mark may come.
    first: bool,
    event: String,
    data: String,
    /// There was a `data` line.
    has_data: bool,
}

impl Parser {
    /// One whose messages and lines are at most so large, bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            after_return: false,
            first: true,
            event: String::new(),
            data: String::new(),
            has_data: false,
        }
    }

    /// Takes the next piece; whole messages are put into `out`.
    ///
    /// # Errors
    /// A message or a line is larger than the limit; nothing more can be read then.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<Message>) -> Result<(), TooLarge> {
        let mut rest = bytes;
        if self.after_return && !rest.is_empty() {
            self.after_return = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, end) = rest.split_at(at);
            self.keep(line)?;
            self.ended(out);
            self.after_return = end == b"\r";
            rest = end.strip_prefix(b"\r\n").or_else(|| end.get(1..)).unwrap_or_default();
        }
        self.keep(rest)
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), TooLarge> {
        let size = self.line.len() + part.len() + self.data.len() + self.event.len();
        if size > self.limit {
            return Err(TooLarge);
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    /// A line has ended; an empty one ends the message.
    fn ended(&mut self, out: &mut Vec<Message>) {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        let text = if self.first { text.trim_start_matches('\u{FEFF}') } else { &text };
        self.first = false;
        if text.is_empty() {
            let message = Message {
                event: std::mem::take(&mut self.event),
                data: std::mem::take(&mut self.data),
            };
            // without data it is nobody's
            if std::mem::take(&mut self.has_data) {
                out.push(message);
            }
            return;
        }
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => {
                if self.has_data {
                    self.data.push('\n');
                }
                self.has_data = true;
                self.data.push_str(value);
            }
            // ids are in the data too; comments and `retry` say nothing that is used
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Message, Parser, TooLarge};
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]]) -> Vec<Message> {
        let (mut parser, mut out) = (Parser::new(1_000), Vec::new());
        for piece in pieces {
            parser.feed(piece, &mut out).unwrap();
        }
        out
    }

    fn message(event: &str, data: &str) -> Message {
        Message { event: event.to_owned(), data: data.to_owned() }
    }

    #[test]
    fn messages_as_the_standard_has_them() {
        for (text, expected) in [
            ("", vec![]),
            ("retry: 1000\n\n", vec![]),
            ("id: 42\nevent: change\ndata: {}\n\n", vec![message("change", "{}")]),
            ("data: a\ndata: b\r\ndata:c\rdata\n\n", vec![message("", "a\nb\nc\n")]),
            (": sign of life\n\ndata:  x\n\n", vec![message("", " x")]),
            ("event: a\n\ndata: b\n\n", vec![message("", "b")]),
            ("data: never ended", vec![]),
            ("\u{FEFF}data: 1\n\n\u{FEFF}data: 2\n\n", vec![message("", "1")]),
            ("data: 1\r\r\n\ndata: 2\r\n\r\n", vec![message("", "1"), message("", "2")]),
        ] {
            assert_eq!(read(&[text.as_bytes()]), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_is_kept() {
        let mut out = Vec::new();
        let mut parser = Parser::new(10);
        assert_eq!(parser.feed(b"data: 1\n\n", &mut out), Ok(()));
        assert_eq!(parser.feed(b"data: 12345", &mut out), Err(TooLarge));
        let mut parser = Parser::new(10);
        assert_eq!(parser.feed(b"data:1234\ndata:5", &mut out), Ok(()));
        assert_eq!(parser.feed(b"6", &mut out), Err(TooLarge));
        assert_eq!(out.len(), 1);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_messages(
            text in "(data|event|: |[a-z]| |\r|\n|\r\n|é|\u{FEFF}){0,60}",
            cuts in prop::collection::vec(0usize..400, 0..8),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            prop_assert_eq!(read(&pieces), read(&[bytes]));
        }

        #[test]
        fn no_bytes_make_it_panic_or_grow(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let (mut parser, mut out) = (Parser::new(40), Vec::new());
            for byte in &bytes {
                if parser.feed(&[*byte], &mut out).is_err() {
                    break;
                }
                prop_assert!(parser.line.len() + parser.data.len() + parser.event.len() <= 41);
            }
        }
    }
}
