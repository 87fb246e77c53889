//! Modified UTF-8, as Java writes strings: U+0000 is `C0 80`, a supplementary character is two
//! surrogates of three bytes each.
//!
//! Writing is exact. Reading is lenient, because C++ clients write true UTF-8 or any 8-bit
//! charset: what is neither becomes U+FFFD. Never fails and never panics.

use std::borrow::Cow;

/// Text of the bytes, whichever of the two encodings they are in; invalid parts are replaced.
#[must_use]
pub fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(decode_slowly(bytes)),
    }
}

fn decode_slowly(mut bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    while !bytes.is_empty() {
        let (valid, rest) = match std::str::from_utf8(bytes) {
            Ok(valid) => (valid, &bytes[bytes.len()..]),
            Err(error) => {
                let (valid, rest) = bytes.split_at(error.valid_up_to());
                (std::str::from_utf8(valid).unwrap_or_default(), rest)
            }
        };
        text.push_str(valid);
        if rest.is_empty() {
            break;
        }
        let (character, used) = foreign(rest);
        text.push(character);
        bytes = &rest[used..];
    }
    text
}

/// One character that is not UTF-8 at the start of `bytes`, and how many bytes it takes (≥ 1).
fn foreign(bytes: &[u8]) -> (char, usize) {
    if let [0xC0, 0x80, ..] = bytes {
        return ('\0', 2);
    }
    if let [
        0xED,
        h1 @ 0xA0..=0xAF,
        h2 @ 0x80..=0xBF,
        0xED,
        l1 @ 0xB0..=0xBF,
        l2 @ 0x80..=0xBF,
        ..,
    ] = bytes
    {
        let high = (u32::from(h1 & 0x0F) << 6) | u32::from(h2 & 0x3F);
        let low = (u32::from(l1 & 0x0F) << 6) | u32::from(l2 & 0x3F);
        let code = 0x1_0000 + (high << 10) + low;
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 6);
    }
    (char::REPLACEMENT_CHARACTER, 1)
}

/// Appends the text in modified UTF-8.
pub fn encode(text: &str, out: &mut Vec<u8>) {
    if is_same(text) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let mut units = [0_u16; 2];
    for character in text.chars() {
        match character {
            '\0' => out.extend_from_slice(&[0xC0, 0x80]),
            '\u{1_0000}'.. => {
                for unit in character.encode_utf16(&mut units) {
                    out.extend_from_slice(&three_bytes(*unit));
                }
            }
            _ => {
                let mut utf8 = [0; 4];
                out.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
            }
        }
    }
}

/// Modified UTF-8 is the same as UTF-8. Without an early end, so that many bytes are looked at in
/// one step: nearly all text is the same.
fn is_same(text: &str) -> bool {
    text.bytes().fold(true, |same, byte| same & (byte != 0) & (byte < 0xF0))
}

fn three_bytes(unit: u16) -> [u8; 3] {
    let [high, low] = unit.to_be_bytes();
    [0xE0 | (high >> 4), 0x80 | ((high & 0x0F) << 2) | (low >> 6), 0x80 | (low & 0x3F)]
}

/// Bytes that [`encode`] appends.
#[must_use]
pub fn encoded_len(text: &str) -> usize {
    if is_same(text) {
        return text.len();
    }
    text.chars().map(encoded_char_len).sum()
}

fn encoded_char_len(character: char) -> usize {
    match character {
        '\0' => 2,
        '\u{1_0000}'.. => 6,
        _ => character.len_utf8(),
    }
}

/// The longest beginning of the text that takes at most `limit` bytes in modified UTF-8.
#[must_use]
pub fn prefix(text: &str, limit: usize) -> &str {
    if text.len() <= limit / 2 {
        return text; // modified UTF-8 is never more than twice as long
    }
    let mut used = 0;
    for (at, character) in text.char_indices() {
        used += encoded_char_len(character);
        if used > limit {
            return &text[..at];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("plain", b"plain"),
            ("cdr-1 €", b"cdr-1 \xE2\x82\xAC"),
            ("a\0b", b"a\xC0\x80b"),
            ("\u{1F600}", b"\xED\xA0\xBD\xED\xB8\x80"),
        ] {
            let mut out = Vec::new();
            encode(text, &mut out);
            assert_eq!(out, bytes, "{text:?}");
            assert_eq!(encoded_len(text), bytes.len(), "{text:?}");
            assert_eq!(decode(bytes), text, "{text:?}");
        }
    }

    #[test]
    fn true_utf8_and_rubbish_are_read() {
        assert_eq!(decode("\u{1F600} ok".as_bytes()), "\u{1F600} ok");
        assert_eq!(decode(b"gr\xFC\xDFe"), "gr\u{FFFD}\u{FFFD}e");
        assert_eq!(decode(b"\xED\xA0\xBD"), "\u{FFFD}\u{FFFD}\u{FFFD}");
        assert_eq!(decode(b"\xC0"), "\u{FFFD}");
    }

    #[test]
    fn prefix_ends_between_characters() {
        assert_eq!(prefix("abc", 2), "ab");
        assert_eq!(prefix("a€", 3), "a");
        assert_eq!(prefix("a\0b", 3), "a\0");
        assert_eq!(prefix("\u{1F600}", 5), "");
        assert_eq!(prefix("abc", 100), "abc");
    }
}
