//! Character classes of RFC 3261 §25.1 and a cursor over one header value.
//!
//! Classes are as wide as a proxy can bear: what it only passes on need not be pretty, what it
//! copies into its own lines or keys must not break them. No class contains control characters.

use super::ParseError;

/// `token`: header and method names, transports.
pub(crate) const TOKEN: u16 = 1;
/// Host names and IPv4 addresses (and `_`, which the field uses).
pub(crate) const HOST: u16 = 2;
/// The user part of a plain `sip:` URI: as `URI`, but none of `@ : ; ? %`.
pub(crate) const USER: u16 = 256;
/// The parameters of a plain `sip:` URI: as `URI`, but none of `@ ? %`.
pub(crate) const PARAMS: u16 = 1024;
/// Inside a URI: visible, but not `<`, `>`, `"` and `\`; bytes of UTF-8 are let through.
pub(crate) const URI: u16 = 4;
/// An unquoted parameter name: as `VALUE`, but not `=`.
pub(crate) const NAME: u16 = 512;
/// An unquoted parameter value: as `URI`, but not `;` and `,`.
pub(crate) const VALUE: u16 = 8;
/// Linear white space inside a header value, where CR LF can only be a fold.
pub(crate) const LWS: u16 = 16;
/// Decimal digit.
pub(crate) const DIGIT: u16 = 32;
/// An unquoted display name: tokens, blanks and what the field adds to them.
pub(crate) const DISPLAY: u16 = 64;
/// A `word` of Call-ID: visible, no blanks.
pub(crate) const WORD: u16 = 128;

/// Inside of a line: neither CR nor LF.
const INSIDE: u16 = 2048;

static CLASSES: [u16; 256] = classes();

#[expect(
    clippy::indexing_slicing,
    reason = "runs at compile time, over exactly the table's places"
)]
const fn classes() -> [u16; 256] {
    let mut table = [0u16; 256];
    let mut byte = 0u8;
    loop {
        let mut class = if matches!(byte, b'\r' | b'\n') { 0 } else { INSIDE };
        if byte.is_ascii_alphanumeric() {
            class |= TOKEN | HOST;
        }
        if byte.is_ascii_digit() {
            class |= DIGIT;
        }
        if matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~') {
            class |= TOKEN;
        }
        if matches!(byte, b'-' | b'.' | b'_') {
            class |= HOST;
        }
        let visible = byte > b' ' && byte != 0x7f;
        if visible {
            class |= WORD;
            if !matches!(byte, b'<' | b'>' | b'"' | b'\\') {
                class |= URI;
                if !matches!(byte, b'@' | b'?' | b'%') {
                    class |= PARAMS;
                    if !matches!(byte, b':' | b';') {
                        class |= USER;
                    }
                }
                if !matches!(byte, b';' | b',') {
                    class |= VALUE;
                    if byte != b'=' {
                        class |= NAME;
                    }
                }
            }
        }
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            class |= LWS | DISPLAY;
        }
        if visible && !matches!(byte, b'<' | b'>' | b'"' | b'\\' | b';' | b',') {
            class |= DISPLAY;
        }
        table[byte as usize] = class;
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

/// All classes of `byte`.
#[inline]
fn of(byte: u8) -> u16 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

/// True when `byte` is in `class`.
#[inline]
pub(crate) fn is(byte: u8, class: u16) -> bool {
    of(byte) & class != 0
}

/// True when `bytes[at]` is in `class`.
#[inline]
pub(crate) fn is_at(bytes: &[u8], at: usize, class: u16) -> bool {
    bytes.get(at).is_some_and(|&byte| is(byte, class))
}

/// True when all of `bytes` are in `class`.
#[inline]
pub(crate) fn all(bytes: &[u8], class: u16) -> bool {
    run(bytes, class) == bytes.len()
}

/// How many bytes from the first one on are in `class`.
#[inline]
pub(crate) fn run(bytes: &[u8], class: u16) -> usize {
    run_end(bytes, 0, class)
}

/// Where the bytes of `class` that stand from `at` on end.
#[inline]
pub(crate) fn run_end(bytes: &[u8], mut at: usize, class: u16) -> usize {
    // Four at a time: one test of the length for all of them.
    while let Some(&[a, b, c, d]) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        if !is(a, class) {
            return at;
        }
        if !is(b, class) {
            return at + 1;
        }
        if !is(c, class) {
            return at + 2;
        }
        if !is(d, class) {
            return at + 3;
        }
        at += 4;
    }
    while is_at(bytes, at, class) {
        at += 1;
    }
    at
}

/// Where the bytes inside of a line (neither CR nor LF) that stand from `at` on end.
#[inline]
pub(crate) fn inside_end(bytes: &[u8], mut at: usize) -> usize {
    // Sixteen at a time while none is a control character, which is a few vector instructions.
    while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk::<16>)
        && block.iter().fold(true, |none, &byte| none & (byte >= b' '))
    {
        at += 16;
    }
    run_end(bytes, at, INSIDE)
}

/// `bytes[from..to]`, empty when the range does not lie inside.
#[inline]
pub(crate) fn span(bytes: &[u8], from: usize, to: usize) -> &[u8] {
    bytes.get(from..to).unwrap_or_default()
}

/// `bytes` without linear white space at both ends.
#[inline]
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    let blank = run(bytes, LWS);
    trim_end(bytes.get(blank..).unwrap_or_default())
}

/// `bytes` without linear white space at its end.
#[inline]
pub(crate) fn trim_end(bytes: &[u8]) -> &[u8] {
    let mut bytes = bytes;
    while let [rest @ .., last] = bytes {
        if !is(*last, LWS) {
            break;
        }
        bytes = rest;
    }
    bytes
}

/// A place in a header value.
///
/// The value may lie in the middle of a header section: then the section has been checked to be
/// text once, and parts of it become text by their borders alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) at: usize,
    text: Option<&'a str>,
}

impl<'a> Cursor<'a> {
    /// A cursor over a value of its own.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, text: std::str::from_utf8(bytes).ok() }
    }

    /// A cursor over text, from `at` on.
    pub(crate) const fn over(text: &'a str, at: usize) -> Self {
        Self { bytes: text.as_bytes(), at, text: Some(text) }
    }

    /// A cursor over `bytes[from..to]`; `text` are the same bytes, if they are text.
    pub(crate) fn within(bytes: &'a [u8], text: Option<&'a str>, from: usize, to: usize) -> Self {
        Self { bytes: span(bytes, 0, to), at: from, text }
    }

    /// `bytes[from..to]` as text.
    #[inline]
    pub(crate) fn text(&self, from: usize, to: usize) -> Result<&'a str, ParseError> {
        match self.text {
            Some(text) => text.get(from..to).ok_or(ParseError::new("not UTF-8", from)),
            None => std::str::from_utf8(span(self.bytes, from, to))
                .map_err(|error| ParseError::new("not UTF-8", from + error.valid_up_to())),
        }
    }

    /// The next byte, without taking it.
    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// What has not been taken yet.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Takes `byte` if it is next.
    #[inline]
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let hit = self.peek() == Some(byte);
        self.at += usize::from(hit);
        hit
    }

    /// Takes all that is in `class`.
    #[inline]
    pub(crate) fn take(&mut self, class: u16) -> &'a [u8] {
        let from = self.at;
        self.at = run_end(self.bytes, from, class);
        span(self.bytes, from, self.at)
    }

    /// Takes blanks and folds; true when there were any.
    #[inline]
    pub(crate) fn blanks(&mut self) -> bool {
        let from = self.at;
        while is_at(self.bytes, self.at, LWS) {
            self.at += 1;
        }
        self.at > from
    }

    /// Takes a quoted string (RFC 3261 `quoted-string`) that starts here; with its quotes.
    /// `None` when it does not end.
    pub(crate) fn quoted(&mut self) -> Option<&'a [u8]> {
        let from = self.at;
        let mut at = from + 1;
        loop {
            match *self.bytes.get(at)? {
                b'\\' => at += 2,
                b'"' => break,
                _ => at += 1,
            }
        }
        self.at = at + 1;
        self.bytes.get(from..self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_lines_end_at_the_first_other_byte() {
        for length in 0..40 {
            for from in 0..=length {
                for at in from..=length {
                    let mut bytes = vec![b'a'; length];
                    for other in [b'\t', b'\0', b'\n', b'\r', b' ', 0xff] {
                        if let Some(byte) = bytes.get_mut(at) {
                            *byte = other;
                        }
                        assert_eq!(run_end(&bytes, from, TOKEN), at);
                        let end = if matches!(other, b'\n' | b'\r') { at } else { length };
                        assert_eq!(inside_end(&bytes, from), end, "{other} {from} {at} {length}");
                    }
                }
            }
        }
    }
}
