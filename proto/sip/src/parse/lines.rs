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
pub(super) fn line_end(bytes: &[u8], from: usize) -> Result<usize, ParseError> {
    let rest = bytes.get(from..).unwrap_or_default();
    let Some(length) = memchr::memchr2(b'\r', b'\n', rest) else {
        return Err(ParseError::new("header without end", bytes.len()));
    };
    let at = from + length;
    match bytes.get(at..at + 2) {
        Some(b"\r\n") => Ok(at + 2),
        _ => Err(ParseError::new("line end is not CR LF", at)),
    }
}

/// The header line that starts at `at`; `None` when the blank line stands there.
pub(crate) fn next_line(bytes: &[u8], at: usize) -> Result<Option<RawLine>, ParseError> {
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.starts_with(b"\r\n") {
        return Ok(None);
    }
    let colon = memchr::memchr(b':', rest).ok_or(ParseError::new("no colon in header", at))?;
    let spelled = trim_blanks(span(rest, 0, colon));
    let name = Name::of(spelled);
    if name == Name::Other && (spelled.is_empty() || !chars::all(spelled, TOKEN)) {
        return Err(ParseError::new("header name", at + chars::run(spelled, TOKEN)));
    }
    let name_end = at + spelled.len();
    let from = at + colon + 1;
    let mut end = line_end(bytes, from)?;
    while matches!(bytes.get(end), Some(b' ' | b'\t')) {
        end = line_end(bytes, end)?;
    }
    let all = span(bytes, from, end);
    let value = from + chars::run(all, LWS);
    let value_end = value + chars::trim_end(span(bytes, value, end)).len();
    Ok(Some(RawLine { name, name_end, value, value_end, end }))
}

/// `bytes` without the blanks that may stand before a colon.
fn trim_blanks(bytes: &[u8]) -> &[u8] {
    let mut bytes = bytes;
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
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
