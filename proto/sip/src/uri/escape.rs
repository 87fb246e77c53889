//! Percent escapes of URI parameters and user parts.
//!
//! Escaping follows `spec/rm.md` §5.2 so that two nodes write the same bytes; reading is lenient.
//! Nothing here knows which parameters exist.

use std::borrow::Cow;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends `value` as a URI parameter value: everything but unreserved characters and
/// `[ ] / : & + $` (RFC 3261 `paramchar`) becomes `%XX` with upper-case digits.
pub fn escape_param(value: &str, out: &mut String) {
    for byte in value.bytes() {
        if is_param_char(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from(HEX.get(usize::from(digit)).copied().unwrap_or(b'0')));
            }
        }
    }
}

/// `text` with its `%XX` escapes replaced; an incomplete escape stays as it is, and bytes that
/// are no UTF-8 afterwards become U+FFFD.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        match (first, tail) {
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => {
                    bytes.push(b'%');
                    rest = tail;
                }
            },
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn is_param_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.!~*'()[]/:&+$".contains(&byte)
}

/// The value of one hexadecimal digit.
pub(super) fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        for (plain, escaped) in [
            ("http://a.example/b.vxml", "http://a.example/b.vxml"),
            ("http://a/b?c=d;e", "http://a/b%3Fc%3Dd%3Be"),
            ("1|2", "1%7C2"),
            ("ü\r\n", "%C3%BC%0D%0A"),
            ("[::1]+$&'()", "[::1]+$&'()"),
        ] {
            let mut out = String::new();
            escape_param(plain, &mut out);
            assert_eq!(out, escaped);
            assert_eq!(unescape(&out), plain);
        }
    }

    #[test]
    fn broken_escapes_stay() {
        for (text, expected) in
            [("100%", "100%"), ("%4", "%4"), ("%zz%41", "%zzA"), ("%ff", "\u{fffd}")]
        {
            assert_eq!(unescape(text), expected);
        }
    }
}
