//! Unpadded base64url (RFC 4648 §5), because tokens stand in the user part of a URI.
//!
//! Strict: a character outside the alphabet or surplus bits are refused, so that one token has
//! exactly one spelling.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Appends the text of `bytes`.
pub fn encode(bytes: &[u8], out: &mut String) {
    for group in bytes.chunks(3) {
        let mut block = [0_u8; 3];
        block.iter_mut().zip(group).for_each(|(to, from)| *to = *from);
        let [a, b, c] = block.map(u32::from);
        let bits = a << 16 | b << 8 | c;
        for shift in [18_u32, 12, 6, 0].into_iter().take(group.len() + 1) {
            let place = usize::try_from(bits >> shift & 63).unwrap_or_default();
            out.push(char::from(ALPHABET[place]));
        }
    }
}

/// The bytes of `text`; `None` if it is not exactly what [`encode`] makes.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    for group in text.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for letter in group {
            bits = bits << 6 | value(*letter)?;
        }
        bits <<= 6 * (4 - group.len());
        let [_, a, b, c] = bits.to_be_bytes();
        match group.len() {
            4 => out.extend([a, b, c]),
            3 if c == 0 => out.extend([a, b]),
            2 if b == 0 && c == 0 => out.push(a),
            _ => return None,
        }
    }
    Some(out)
}

fn value(letter: u8) -> Option<u32> {
    let (base, offset) = match letter {
        b'A'..=b'Z' => (b'A', 0),
        b'a'..=b'z' => (b'a', 26),
        b'0'..=b'9' => (b'0', 52),
        b'-' => (b'-', 62),
        b'_' => (b'_', 63),
        _ => return None,
    };
    Some(u32::from(letter - base) + offset)
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    fn text(bytes: &[u8]) -> String {
        let mut out = String::new();
        encode(bytes, &mut out);
        out
    }

    #[test]
    fn vectors_of_rfc_4648_without_padding() {
        let cases: [(&[u8], &str); 8] = [
            (b"", ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg"),
            (b"fooba", "Zm9vYmE"),
            (b"foobar", "Zm9vYmFy"),
            (&[0xfb, 0xff], "-_8"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(text(bytes), expected);
            assert_eq!(decode(expected).as_deref(), Some(bytes));
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for wrong in ["Z", "Zh", "Zm9", "Zg==", "Zm9v!", "+/8"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
