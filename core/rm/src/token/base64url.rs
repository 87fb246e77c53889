//! Unpadded base64url (RFC 4648 §5), because tokens stand in the user part of a URI.
//!
//! Strict: a character outside the alphabet or surplus bits are refused, so that one token has
//! exactly one spelling.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Writes the text of `bytes` into `out`, which has exactly that length (four characters for
/// three bytes, rounded up).
pub fn encode(bytes: &[u8], out: &mut [u8]) {
    for (group, text) in bytes.chunks(3).zip(out.chunks_mut(4)) {
        let mut block = [0_u8; 3];
        block.iter_mut().zip(group).for_each(|(to, from)| *to = *from);
        let [a, b, c] = block.map(u32::from);
        let bits = a << 16 | b << 8 | c;
        for (letter, shift) in text.iter_mut().zip([18_u32, 12, 6, 0]) {
            let place = usize::try_from(bits >> shift & 63).unwrap_or_default();
            *letter = ALPHABET[place];
        }
    }
}

/// The bytes of `text`; `None` if it is not exactly what [`encode`] makes of `N` bytes.
#[must_use]
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    if text.len() != (N * 4).div_ceil(3) {
        return None;
    }
    for (group, bytes) in text.as_bytes().chunks(4).zip(out.chunks_mut(3)) {
        let mut bits = 0_u32;
        for letter in group {
            bits = bits << 6 | value(*letter)?;
        }
        bits <<= 6 * (4 - group.len());
        let [_, block @ ..] = bits.to_be_bytes();
        let (kept, surplus) = block.split_at_checked(bytes.len())?;
        if surplus.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.copy_from_slice(kept);
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

    fn goes_both_ways<const N: usize>(bytes: [u8; N], expected: &str) {
        let mut text = vec![0; expected.len()];
        encode(&bytes, &mut text);
        assert_eq!(text, expected.as_bytes());
        assert_eq!(decode(expected), Some(bytes));
    }

    #[test]
    fn vectors_of_rfc_4648_without_padding() {
        goes_both_ways(*b"", "");
        goes_both_ways(*b"f", "Zg");
        goes_both_ways(*b"fo", "Zm8");
        goes_both_ways(*b"foo", "Zm9v");
        goes_both_ways(*b"foob", "Zm9vYg");
        goes_both_ways(*b"fooba", "Zm9vYmE");
        goes_both_ways(*b"foobar", "Zm9vYmFy");
        goes_both_ways([0xfb, 0xff], "-_8");
    }

    #[test]
    fn other_spellings_are_refused() {
        for wrong in ["Z", "Zh", "Zm9", "Zg==", "Zm9v!", "+/8", "Zm8"] {
            assert_eq!(decode::<1>(wrong), None, "{wrong}");
        }
        assert_eq!(decode::<2>("Zm9"), None);
        assert_eq!(decode::<2>("+/8"), None);
    }
}
