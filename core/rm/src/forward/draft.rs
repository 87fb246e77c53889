//! A message in the making: its first line, what stands in front of its headers, what stands in
//! the place of which line, and the bytes it comes to.
//!
//! The engine has one, and its memory is used for the next message: writing one allocates nothing.

use std::fmt::Write;

use sip::header::Name;
use sip::message::Message;
use sip::print::Rewrite;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// First line without its end; empty: as it came.
    pub(crate) start: String,
    /// Whole header lines in front of all others.
    pub(crate) top: String,
    pub(crate) edits: Edits,
    /// The message, once it is written.
    pub(crate) bytes: Vec<u8>,
}

/// Header lines by number with what stands in their place.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    lines: Vec<(usize, usize, usize)>,
    text: Vec<u8>,
}

impl Draft {
    /// Nothing is left but the memory.
    pub(crate) fn clear(&mut self) {
        let Self { start, top, edits, bytes } = self;
        start.clear();
        top.clear();
        edits.lines.clear();
        edits.text.clear();
        bytes.clear();
    }

    /// Writes the copy of `message` with all edits. It may leave by a stream, in which nothing but
    /// Content-Length tells where it ends (RFC 3261 §16.6 step 8).
    pub(crate) fn write(&mut self, message: &Message<'_>) {
        let Self { start, top, edits, bytes } = self;
        if message.header(Name::ContentLength).is_none() {
            // writing to a String cannot fail
            let _ = write!(top, "Content-Length: {}\r\n", message.body().len());
        }
        let mut copy = Rewrite::new(message);
        if !start.is_empty() {
            copy.start_line(start);
        }
        copy.top(top.as_bytes());
        for (index, from, to) in &edits.lines {
            copy.replace(*index, edits.text.get(*from..*to).unwrap_or_default());
        }
        bytes.clear();
        copy.write(bytes);
    }
}

impl Edits {
    /// Leaves the header line of this number out.
    pub(crate) fn drop(&mut self, index: usize) {
        self.put(index, |_| {});
    }

    /// Puts what `write` appends in the place of the header line of this number.
    pub(crate) fn put(&mut self, index: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let from = self.text.len();
        write(&mut self.text);
        self.lines.push((index, from, self.text.len()));
    }
}
