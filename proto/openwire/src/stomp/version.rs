//! The three versions of STOMP: which one is agreed, and how each writes a header.
//!
//! 1.0 has no escapes and lets blanks stand around a value; 1.1 escapes line feed, colon and
//! backslash; 1.2 the carriage return too. The heads of CONNECT and CONNECTED are never escaped,
//! because nothing is agreed yet.

use std::borrow::Cow;

use crate::link::CloseReason;

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    V1_0,
    V1_1,
    V1_2,
}

/// What is told to a peer that speaks none of them.
pub(super) const SPOKEN: &str = "1.0,1.1,1.2";

impl Version {
    /// The highest that both speak; whoever names none speaks 1.0.
    pub(super) fn agree(accepted: Option<&str>) -> Option<Self> {
        let Some(accepted) = accepted else { return Some(Self::V1_0) };
        let known = |word: &str| match word.trim() {
            "1.0" => Some(Self::V1_0),
            "1.1" => Some(Self::V1_1),
            "1.2" => Some(Self::V1_2),
            _ => None,
        };
        accepted.split(',').filter_map(known).max()
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
        }
    }

    /// A name or value as its sender meant it.
    ///
    /// # Errors
    /// An escape that this version does not have: the connection cannot go on.
    pub(super) fn read(self, raw: &str) -> Result<Cow<'_, str>, CloseReason> {
        if self == Self::V1_0 {
            return Ok(Cow::Borrowed(raw.trim_matches(' ')));
        }
        if !raw.contains('\\') {
            return Ok(Cow::Borrowed(raw));
        }
        let mut text = String::with_capacity(raw.len());
        let mut characters = raw.chars();
        while let Some(character) = characters.next() {
            if character != '\\' {
                text.push(character);
                continue;
            }
            text.push(match characters.next() {
                Some('n') => '\n',
                Some('c') => ':',
                Some('\\') => '\\',
                Some('r') if self == Self::V1_2 => '\r',
                _ => return Err(CloseReason::NoFrame("an escape that is none")),
            });
        }
        Ok(Cow::Owned(text))
    }

    /// Appends a name or value; what a version cannot say becomes a blank.
    pub(super) fn write(self, text: &str, out: &mut Vec<u8>) {
        for byte in text.bytes() {
            match byte {
                b'\0' => out.push(b' '),
                b'\n' | b'\r' if self == Self::V1_0 => out.push(b' '),
                b'\r' if self == Self::V1_1 => out.push(b' '),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b':' if self != Self::V1_0 => out.extend_from_slice(b"\\c"),
                b'\\' if self != Self::V1_0 => out.extend_from_slice(b"\\\\"),
                byte => out.push(byte),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_that_both_speak() {
        for (accepted, agreed) in [
            (None, Some(Version::V1_0)),
            (Some("1.0"), Some(Version::V1_0)),
            (Some("1.0,1.1"), Some(Version::V1_1)),
            (Some("1.2, 1.1 ,1.0"), Some(Version::V1_2)),
            (Some("1.1,2.0"), Some(Version::V1_1)),
            (Some("2.0"), None),
            (Some(""), None),
        ] {
            assert_eq!(Version::agree(accepted), agreed, "{accepted:?}");
        }
    }

    #[test]
    fn escapes_by_version() {
        use Version::{V1_0, V1_1, V1_2};
        for (version, raw, text) in [
            (V1_0, " a\\nb:c ", Some("a\\nb:c")),
            (V1_1, "a\\nb\\cc\\\\", Some("a\nb:c\\")),
            (V1_1, " a ", Some(" a ")),
            (V1_1, "\\r", None),
            (V1_2, "\\r\\n", Some("\r\n")),
            (V1_2, "\\t", None),
            (V1_2, "a\\", None),
        ] {
            assert_eq!(version.read(raw).ok().as_deref(), text, "{version:?} {raw}");
        }
        let written = |version: Version, text: &str| {
            let mut out = Vec::new();
            version.write(text, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(V1_0, "a: b\r\n\0\\"), "a: b   \\");
        assert_eq!(written(V1_1, "a: b\r\n\\"), "a\\c b \\n\\\\");
        assert_eq!(written(V1_2, "a: b\r\n\\"), "a\\c b\\r\\n\\\\");
        for version in [V1_1, V1_2] {
            let text = "id:1\\2\n€";
            assert_eq!(version.read(&written(version, text)).unwrap(), text);
        }
    }
}
