//! Lines of a header section: CR LF ends one, a blank at the next line's start continues it.
//!
//! Shared by `parse` and by the stream framer, so that both see the same lines: two readings of
//! one message are how requests get smuggled. A lone LF or CR anywhere in the header is refused.

use super::chars::{self, Cursor, LWS, TOKEN, span};
use super::{ParseError, field};
use crate::header::Name;
use crate::limits::Limits;

/// One header line: its name, and offsets into the buffer.
pub(crate) struct RawLine {
    pub(crate) name: Name,
    pub(crate) name_end: usize,
    pub(crate) value: usize,
    pub(crate) value_end: usize,
    pub(crate) end: usize,
}

/// Bytes of blank lines (CR LF) before the start line.
pub(super) fn leading_blank(bytes: &[u8]) -> usize {
    bytes.chunks_exact(2).take_while(|pair| *pair == b"\r\n").count() * 2
}

/// Where the line that starts at `from` ends, behind its CR LF; without folding.
#[inline]
pub(super) fn line_end(bytes: &[u8], from: usize) -> Result<usize, ParseError> {
    let rest = bytes.get(from..).unwrap_or_default();
    let Some(length) = memchr::memchr2(b'\r', b'\n', rest) else {
        return Err(ParseError::new("header without end", bytes.len()));
    };
    match rest.get(length..) {
        Some([b'\r', b'\n', ..]) => Ok(from + length + 2),
        _ => Err(ParseError::new("line end is not CR LF", from + length)),
    }
}

/// The header line that starts at `at`; `None` when the blank line stands there.
pub(crate) fn next_line(bytes: &[u8], at: usize) -> Result<Option<RawLine>, ParseError> {
    let rest = bytes.get(at..).unwrap_or_default();
    let length = chars::run(rest, TOKEN);
    let (spelled, mut after) = rest.split_at_checked(length).unwrap_or_default();
    if spelled.is_empty() {
        return match after {
            [b'\r', b'\n', ..] => Ok(None),
            _ => Err(ParseError::new("header name", at)),
        };
    }
    while let [b' ' | b'\t', tail @ ..] = after {
        after = tail;
    }
    let from = bytes.len() - after.len() + 1;
    if after.first() != Some(&b':') {
        return Err(ParseError::new("no colon after header name", from - 1));
    }
    let mut end = line_end(bytes, from)?;
    while matches!(bytes.get(end), Some(b' ' | b'\t')) {
        end = line_end(bytes, end)?;
    }
    // Every line ends with CR LF, which is no part of its value.
    let all = span(bytes, from, end - 2);
    let blank = chars::run(all, LWS);
    let value = from + blank;
    let value_end = value + chars::trim_end(all.get(blank..).unwrap_or_default()).len();
    let name = Name::of(spelled);
    Ok(Some(RawLine { name, name_end: at + length, value, value_end, end }))
}

/// Content-Length of a whole header section (start line included), read as `parse` reads it.
pub(crate) fn content_length(head: &[u8], limits: &Limits) -> Result<Option<usize>, ParseError> {
    let mut found = None;
    let mut at = line_end(head, 0)?;
    while let Some(line) = next_line(head, at)? {
        if line.name == Name::ContentLength {
            let value = Cursor::within(head, None, line.value, line.value_end);
            let length = field::content_length(value, limits)?;
            if found.is_some_and(|other| other != length) {
                return Err(ParseError::new("two different Content-Lengths", line.value));
            }
            found = Some(length);
        }
        at = line.end;
    }
    Ok(found)
}
