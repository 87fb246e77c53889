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
    let at = chars::inside_end(bytes, from);
    match bytes.get(at..at + 2) {
        Some(b"\r\n") => Ok(at + 2),
        _ if at == bytes.len() => Err(ParseError::new("header without end", at)),
        _ => Err(ParseError::new("line end is not CR LF", at)),
    }
}

/// The header line that starts at `at`; `None` when the blank line stands there.
#[inline(always)]
pub(crate) fn next_line(bytes: &[u8], at: usize) -> Result<Option<RawLine>, ParseError> {
    let name_end = chars::run_end(bytes, at, TOKEN);
    let spelled = span(bytes, at, name_end);
    if spelled.is_empty() {
        return match bytes.get(at..at + 2) {
            Some(b"\r\n") => Ok(None),
            _ => Err(ParseError::new("header name", at)),
        };
    }
    let mut colon = name_end;
    while matches!(bytes.get(colon), Some(b' ' | b'\t')) {
        colon += 1;
    }
    if bytes.get(colon) != Some(&b':') {
        return Err(ParseError::new("no colon after header name", colon));
    }
    let mut value = colon + 1;
    let mut end = line_end(bytes, value)?;
    while matches!(bytes.get(end), Some(b' ' | b'\t')) {
        end = line_end(bytes, end)?;
    }
    // Every line ends with CR LF, which is no part of its value.
    let mut value_end = end - 2;
    while value < value_end && chars::is_at(bytes, value, LWS) {
        value += 1;
    }
    while value < value_end && chars::is_at(bytes, value_end - 1, LWS) {
        value_end -= 1;
    }
    Ok(Some(RawLine { name: Name::of(spelled), name_end, value, value_end, end }))
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
