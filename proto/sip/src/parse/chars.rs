//! Character classes of RFC 3261 §25.1 and a cursor over one header value.
//!
//! Classes are as wide as a proxy can bear: what it only passes on need not be pretty, what it
//! copies into its own lines or keys must not break them. No class contains control characters.

/// `token`: header and method names, transports.
pub(crate) const TOKEN: u8 = 1;
/// Host names and IPv4 addresses (and `_`, which the field uses).
pub(crate) const HOST: u8 = 2;
/// Inside a URI: visible, but not `<`, `>`, `"` and `\`; bytes of UTF-8 are let through.
pub(crate) const URI: u8 = 4;
/// An unquoted parameter value or name: as `URI`, but not `;` and `,`.
pub(crate) const VALUE: u8 = 8;
/// Linear white space inside a header value, where CR LF can only be a fold.
pub(crate) const LWS: u8 = 16;
/// Decimal digit.
pub(crate) const DIGIT: u8 = 32;
/// An unquoted display name: tokens, blanks and what the field adds to them.
pub(crate) const DISPLAY: u8 = 64;
/// A `word` of Call-ID: visible, no blanks.
pub(crate) const WORD: u8 = 128;

const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut index = 0;
    while index < 256 {
        let byte = index as u8;
        let mut class = 0;
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
                if !matches!(byte, b';' | b',') {
                    class |= VALUE;
                }
            }
        }
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            class |= LWS | DISPLAY;
        }
        if visible && !matches!(byte, b'<' | b'>' | b'"' | b'\\' | b';' | b',') {
            class |= DISPLAY;
        }
        table[index] = class;
        index += 1;
    }
    table
}

/// True when `byte` is in one of the classes of `class`.
#[inline]
pub(crate) fn is(byte: u8, class: u8) -> bool {
    CLASSES.get(usize::from(byte)).is_some_and(|have| have & class != 0)
}

/// True when all of `bytes` are in `class`.
#[inline]
pub(crate) fn all(bytes: &[u8], class: u8) -> bool {
    bytes.iter().all(|&byte| is(byte, class))
}

/// `bytes[from..to]`, empty when the range does not lie inside.
#[inline]
pub(crate) fn span(bytes: &[u8], from: usize, to: usize) -> &[u8] {
    bytes.get(from..to).unwrap_or_default()
}

/// `bytes` without linear white space at both ends.
#[inline]
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    let mut bytes = bytes;
    while let [first, rest @ ..] = bytes {
        if !is(*first, LWS) {
            break;
        }
        bytes = rest;
    }
    while let [rest @ .., last] = bytes {
        if !is(*last, LWS) {
            break;
        }
        bytes = rest;
    }
    bytes
}

/// A place in a header value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next byte, without taking it.
    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
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
    pub(crate) fn take(&mut self, class: u8) -> &'a [u8] {
        let from = self.at;
        while self.peek().is_some_and(|byte| is(byte, class)) {
            self.at += 1;
        }
        span(self.bytes, from, self.at)
    }

    /// Takes blanks and folds; true when there were any.
    #[inline]
    pub(crate) fn blanks(&mut self) -> bool {
        let from = self.at;
        while self.peek().is_some_and(|byte| is(byte, LWS)) {
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

    /// The bytes from `from` up to here.
    #[inline]
    pub(crate) fn since(&self, from: usize) -> &'a [u8] {
        span(self.bytes, from, self.at)
    }
}
