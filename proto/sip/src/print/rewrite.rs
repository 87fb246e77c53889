//! A copy of a message with edits: what is not named leaves as it came, byte by byte.
//!
//! Edits name header lines by their number in the message; they are kept in order, so that
//! writing is one pass of long copies.

use crate::message::Message;
use smallvec::SmallVec;

/// Edits kept without heap memory. 16: a forwarded request needs about six.
const INLINE_EDITS: usize = 16;

/// A copy of a message with edits.
#[derive(Clone, Debug)]
pub struct Rewrite<'m, 'a> {
    message: &'m Message<'a>,
    start_line: Option<&'m str>,
    top: SmallVec<[&'m [u8]; 4]>,
    /// Header line and what stands in its place, in the order of lines.
    edits: SmallVec<[(usize, &'m [u8]); INLINE_EDITS]>,
}

impl<'m, 'a> Rewrite<'m, 'a> {
    /// A copy of `message` without edits.
    pub fn new(message: &'m Message<'a>) -> Self {
        Self { message, start_line: None, top: SmallVec::new(), edits: SmallVec::new() }
    }

    /// Replaces the first line; given without CR LF.
    pub fn start_line(&mut self, line: &'m str) -> &mut Self {
        self.start_line = Some(line);
        self
    }

    /// Puts whole header lines (each with its CR LF) in front of the first header; a further call
    /// puts its lines behind those of the earlier one.
    pub fn top(&mut self, lines: &'m [u8]) -> &mut Self {
        self.top.push(lines);
        self
    }

    /// Leaves out the header line of this number.
    pub fn drop(&mut self, index: usize) -> &mut Self {
        self.replace(index, b"")
    }

    /// Puts `lines` (whole, each with its CR LF) in the place of the header line of this number.
    /// The last edit of a line counts; a number beyond the last line changes nothing.
    pub fn replace(&mut self, index: usize, lines: &'m [u8]) -> &mut Self {
        match self.edits.binary_search_by_key(&index, |(at, _)| *at) {
            Ok(place) => {
                if let Some(edit) = self.edits.get_mut(place) {
                    edit.1 = lines;
                }
            }
            Err(place) => self.edits.insert(place, (index, lines)),
        }
        self
    }

    /// Appends the copy to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let raw = self.message.raw();
        let added: usize = self.top.iter().map(|lines| lines.len()).sum();
        out.reserve(raw.len() + added);
        let first = self.message.start_line_end();
        match self.start_line {
            None => out.extend_from_slice(raw.get(..first).unwrap_or_default()),
            Some(line) => {
                out.extend_from_slice(line.as_bytes());
                out.extend_from_slice(b"\r\n");
            }
        }
        for lines in &self.top {
            out.extend_from_slice(lines);
        }
        let mut copied = first;
        for (index, lines) in &self.edits {
            let Some((start, end)) = self.message.line_range(*index) else { break };
            out.extend_from_slice(raw.get(copied..start).unwrap_or_default());
            out.extend_from_slice(lines);
            copied = end;
        }
        out.extend_from_slice(raw.get(copied..).unwrap_or_default());
    }
}
