//! Header lines and the few header values that a proxy must understand.
//!
//! A `Header` is a view of one line of the message buffer: its bytes are never changed here, and
//! values need not be text. Structured values (`Via`, `NameAddr`) are read once at parse, so that
//! later stages get them without errors.

mod name;
mod name_addr;
mod params;
mod via;

pub use name::Name;
pub use name_addr::NameAddr;
pub use params::{Param, Params};
pub use via::{MAGIC_COOKIE, Via};

use std::borrow::Cow;

/// One header line of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Which header it is; compact forms and odd case are mapped.
    pub name: Name,
    /// The name as spelled, without blanks before the colon.
    pub spelled: &'a [u8],
    /// The value without blanks at both ends; folds (CR LF and a blank) may stand inside.
    pub value: &'a [u8],
    /// The whole line with folded parts and its last CR LF.
    pub line: &'a [u8],
    /// Number of the line in the message, from 0: the key for `Rewrite`.
    pub index: usize,
}

impl<'a> Header<'a> {
    /// The value as text; `None` when it is no UTF-8.
    pub fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.value).ok()
    }

    /// The value as text, with U+FFFD for what is no UTF-8.
    pub fn text_lossy(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.value)
    }

    /// The values of a comma-separated list (RFC 3261 §7.3.1), each without blanks at its ends;
    /// commas in quotes and in angle brackets do not count, empty values are left out.
    pub fn values(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.value;
        std::iter::from_fn(move || {
            while !rest.is_empty() {
                let (value, after) = split_value(rest);
                rest = after;
                if !value.is_empty() {
                    return Some(value);
                }
            }
            None
        })
    }

    /// The value as a decimal number, as in `Expires` or the first part of `Session-Expires`; what
    /// is larger than a `u32` is its largest value.
    pub fn number(&self) -> Option<u32> {
        let digits = self.value.iter().take_while(|byte| byte.is_ascii_digit());
        let add = |sum: u32, byte: &u8| {
            sum.saturating_mul(10).saturating_add(u32::from(byte.saturating_sub(b'0')))
        };
        digits.fold(None, |sum, byte| Some(add(sum.unwrap_or(0), byte)))
    }
}

/// The first value of a list and what follows its comma.
fn split_value(bytes: &[u8]) -> (&[u8], &[u8]) {
    // Nearly every list has one value, and a comma is found faster than quotes are told apart.
    if memchr::memchr(b',', bytes).is_none() {
        return (crate::parse::chars::trim(bytes), &[]);
    }
    let (mut quoted, mut angle, mut at) = (false, false, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b'<' if !quoted => angle = true,
            b'>' if !quoted => angle = false,
            b',' if !quoted && !angle => break,
            _ => {}
        }
        at += 1;
    }
    let end = at.min(bytes.len());
    (
        crate::parse::chars::trim(bytes.get(..end).unwrap_or_default()),
        bytes.get(end + 1..).unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(value: &[u8]) -> Header<'_> {
        Header { name: Name::Other, spelled: b"X", value, line: b"", index: 0 }
    }

    #[test]
    fn values_of_a_list() {
        let list = header(b"\"a, \\\"b\" <sip:x,y@h>;q=1 ,, c\r\n ,d");
        let values: Vec<_> = list.values().collect();
        assert_eq!(values, [&b"\"a, \\\"b\" <sip:x,y@h>;q=1"[..], b"c", b"d"]);
        assert_eq!(header(b"").values().count(), 0);
        assert_eq!(header(b"\"open \\").values().count(), 1);
    }

    #[test]
    fn numbers() {
        for (text, expected) in [
            (&b"1800"[..], Some(1800)),
            (b"90;refresher=uac", Some(90)),
            (b"", None),
            (b"x", None),
            (b"4294967295", Some(u32::MAX)),
            (b"4294967296;x", Some(u32::MAX)),
            (b"99999999999999999999", Some(u32::MAX)),
        ] {
            assert_eq!(header(text).number(), expected);
        }
    }

    #[test]
    fn text_and_bytes() {
        assert_eq!(header(b"\xff").text(), None);
        assert_eq!(header(b"a\xff").text_lossy(), "a\u{fffd}");
        assert_eq!(header("ü".as_bytes()).text(), Some("ü"));
    }
}
