//! What can be seen of a message without reading it: for those who keep, show or copy messages.
//!
//! The bytes may be no message, or half of one; nothing is checked here and nothing refused. Who
//! decides something about a message parses it (stage 2).

use memchr::{memchr, memmem};

use crate::header::Name;

/// Start line and header lines, with the blank line that ends them if there is one; what stands
/// before the start line is left out. Empty for a keep-alive.
#[must_use]
pub fn head(bytes: &[u8]) -> &[u8] {
    let blank = bytes.chunks_exact(2).take_while(|pair| *pair == b"\r\n").count() * 2;
    let bytes = bytes.get(blank..).unwrap_or_default();
    let end = memmem::find(bytes, b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    bytes.get(..end).unwrap_or_default()
}

/// Lines of a head without their CR LF, the start line first; a header line comes with the lines
/// that continue it (RFC 3261 §7.3.1).
pub fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = head;
    std::iter::from_fn(move || {
        let mut end = 0;
        loop {
            let Some(line) = memchr(b'\n', rest.get(end..)?) else {
                end = rest.len();
                break;
            };
            end += line + 1;
            if !matches!(rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (line, behind) = rest.split_at_checked(end)?;
        rest = behind;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        (!line.is_empty()).then_some(line)
    })
}

/// Name and value of a header line; `None` for any other line.
#[must_use]
pub fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = line.split_at_checked(memchr(b':', line)?)?;
    Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
}

/// The value of the first Call-ID of a head, in either spelling.
#[must_use]
pub fn call_id(head: &[u8]) -> Option<&[u8]> {
    let fields = lines(head).skip(1).filter_map(field);
    fields.filter(|(name, _)| Name::of(name) == Name::CallId).map(|(_, value)| value).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        for (bytes, expected) in [
            ("A b\r\nC: d\r\n\r\nbody\r\n\r\n", "A b\r\nC: d\r\n\r\n"),
            ("\r\n\r\nA b\r\n\r\nbody", "A b\r\n\r\n"),
            ("A b\r\nC: d\r\n", "A b\r\nC: d\r\n"),
            ("\r\n\r\n", ""),
            ("", ""),
        ] {
            assert_eq!(head(bytes.as_bytes()), expected.as_bytes(), "{bytes:?}");
        }
    }

    #[test]
    fn lines_come_with_what_continues_them() {
        let head = b"A b\r\nC: d\r\n  e\r\n\tf\r\nG:h\r\n\r\n";
        let found: Vec<&[u8]> = lines(head).collect();
        assert_eq!(found, [&b"A b"[..], b"C: d\r\n  e\r\n\tf", b"G:h"]);
        assert_eq!(lines(b"").count(), 0);
        assert_eq!(lines(b"A\r\nhalf").last(), Some(&b"half"[..]));
    }

    #[test]
    fn call_ids() {
        for (head, expected) in [
            ("A b\r\nCall-ID: one@x \r\n\r\n", Some("one@x")),
            ("A b\r\nVia: x\r\ni : two\r\nCall-ID: one\r\n\r\n", Some("two")),
            ("A b\r\nCALL-ID:\r\n three\r\n\r\n", Some("three")),
            ("Call-ID: no header line\r\nVia: x\r\n\r\n", None),
            ("A b\r\nX-Call-ID: four\r\nno colon\r\n\r\n", None),
        ] {
            assert_eq!(call_id(head.as_bytes()), expected.map(str::as_bytes), "{head:?}");
        }
    }
}
