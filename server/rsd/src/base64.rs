//! Base64 (RFC 4648 §4): of bodies that are no text, and of logins; and its form for URLs (§5), of
//! tokens and their keys.

/// The last two letters are others in URLs.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// With its padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let group = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for at in 0..4 {
            let index = usize::try_from((group >> (18 - 6 * at)) & 63).unwrap_or_default();
            let letter = ALPHABET.get(index).copied().unwrap_or(b'=');
            text.push(if usize::try_from(at).unwrap_or(4) > chunk.len() {
                '='
            } else {
                char::from(letter)
            });
        }
    }
    text
}

/// Bytes of a text, whose padding may be left out; `None`: it is no base64.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    plain(text.trim_end_matches('='))
}

/// Bytes of a text in the form for URLs, which has no padding.
pub(crate) fn decode_url(text: &str) -> Option<Vec<u8>> {
    if text.contains(['+', '/']) {
        return None;
    }
    plain(&text.replace('-', "+").replace('_', "/"))
}

/// The form for URLs, without padding.
#[cfg(test)]
pub(crate) fn encode_url(bytes: &[u8]) -> String {
    let text = encode(bytes).replace('+', "-").replace('/', "_");
    text.trim_end_matches('=').to_owned()
}

fn plain(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for chunk in text.chunks(4) {
        let mut group = 0;
        for letter in chunk {
            let value = ALPHABET.iter().position(|one| one == letter)?;
            group = (group << 6) | u32::try_from(value).ok()?;
        }
        let missing = 4 - chunk.len();
        if missing == 3 {
            return None;
        }
        let [_, three @ ..] = (group << (6 * missing)).to_be_bytes();
        bytes.extend(three.iter().take(3 - missing));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{decode, decode_url, encode, encode_url};

    #[test]
    fn base64_of_the_rfc() {
        let cases =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (bytes, text) in cases {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(encode(&[0xff, 0xfe, 0xfd]), "//79");
        assert_eq!(decode("//79"), Some(vec![0xff, 0xfe, 0xfd]));
        for text in ["Z", "Zg=a", "Z m8", "é", "Zm9vY"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn urls_have_letters_of_their_own_and_no_padding() {
        assert_eq!(encode_url(&[0xff, 0xfe, 0xfd, 0xfb]), "__79-w");
        assert_eq!(decode_url("__79-w"), Some(vec![0xff, 0xfe, 0xfd, 0xfb]));
        for text in ["//79", "__79+w", "__79-w==", "_", "__ 9"] {
            assert_eq!(decode_url(text), None, "{text}");
        }
    }
}
