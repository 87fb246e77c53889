//! Lines of a header section: CR LF ends one, a blank at the next line's start continues it.
//!
//! Shared by `parse` and by the stream framer, so that both see the same lines: two readings of
//! one message are how requests get smuggled. A lone LF or CR anywhere in the header is refused.

use super::chars::{self, TOKEN, span};
use super::{ParseError, field};
use crate::header::Name;
use crate::limits::Limits;

/// One header line: offsets into the buffer.
pub(crate) struct RawLine {
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
    let mut name_end = at;
    while bytes.get(name_end).is_some_and(|&byte| chars::is(byte, TOKEN)) {
        name_end += 1;
    }
    if name_end == at {
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
    let from = colon + 1;
    let mut end = line_end(bytes, from)?;
    while matches!(bytes.get(end), Some(b' ' | b'\t')) {
        end = line_end(bytes, end)?;
    }
    let all = span(bytes, from, end);
    let value = chars::trim(all);
    let lead = all.iter().take_while(|&&byte| chars::is(byte, chars::LWS)).count();
    let start = from + if value.is_empty() { 0 } else { lead };
    Ok(Some(RawLine { name_end, value: start, value_end: start + value.len(), end }))
}

/// Content-Length of a whole header section (start line included), read as `parse` reads it.
pub(crate) fn content_length(head: &[u8], limits: &Limits) -> Result<Option<usize>, ParseError> {
    let mut found = None;
    let mut at = line_end(head, 0)?;
    while let Some(line) = next_line(head, at)? {
        if Name::of(span(head, at, line.name_end)) == Name::ContentLength {
            let value = span(head, line.value, line.value_end);
            let length =
                field::content_length(value, limits).map_err(|error| error.moved(line.value))?;
            if found.is_some_and(|other| other != length) {
                return Err(ParseError::new("two different Content-Lengths", line.value));
            }
            found = Some(length);
        }
        at = line.end;
    }
    Ok(found)
}
