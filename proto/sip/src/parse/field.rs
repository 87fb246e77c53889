//! Small header values that are checked at parse: Call-ID, CSeq, Max-Forwards, Content-Length.
//!
//! Numbers may have leading zeros (RFC 4475 §3.1.1.1); none may wrap.

use super::ParseError;
use super::chars::{Cursor, DIGIT, TOKEN, WORD};
use crate::limits::Limits;
use crate::method::Method;

/// A Call-ID: visible characters without blanks.
pub(super) fn call_id<'a>(mut value: Cursor<'a>, limits: &Limits) -> Result<&'a str, ParseError> {
    let from = value.at;
    let length = value.take(WORD).len();
    if length == 0 || value.peek().is_some() {
        return Err(ParseError::new("Call-ID", value.at));
    }
    if length > limits.call_id {
        return Err(ParseError::limit(400, "Call-ID too long", from));
    }
    value.text(from, value.at)
}

/// CSeq: a 32-bit number and a method.
pub(super) fn cseq<'a>(
    mut value: Cursor<'a>,
    limits: &Limits,
) -> Result<(u32, Method<'a>), ParseError> {
    let from = value.at;
    let number = number(value.take(DIGIT)).ok_or(ParseError::new("CSeq number", from))?;
    if !value.blanks() {
        return Err(ParseError::new("CSeq", value.at));
    }
    let from = value.at;
    let length = value.take(TOKEN).len();
    if length == 0 || value.peek().is_some() {
        return Err(ParseError::new("CSeq method", value.at));
    }
    if length > limits.method {
        return Err(ParseError::limit(400, "CSeq method too long", from));
    }
    Ok((number, Method::from_name(value.text(from, value.at)?)))
}

/// Max-Forwards: 0 to 255.
pub(super) fn max_forwards(value: Cursor<'_>) -> Result<u8, ParseError> {
    number(value.rest())
        .and_then(|number| u8::try_from(number).ok())
        .ok_or(ParseError::new("Max-Forwards", value.at))
}

/// Content-Length: digits only, few of them (400), and no more than any message of ours (413).
pub(super) fn content_length(value: Cursor<'_>, limits: &Limits) -> Result<usize, ParseError> {
    let digits = value.rest();
    if digits.len() > limits.content_length_digits {
        return Err(ParseError::limit(400, "Content-Length too long", value.at));
    }
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(ParseError::new("Content-Length", value.at));
    }
    let length = number(digits).and_then(|length| usize::try_from(length).ok());
    length.filter(|length| *length <= limits.content_length).ok_or(ParseError::limit(
        413,
        "Content-Length too large",
        value.at,
    ))
}

/// A decimal number of 32 bits, all of `digits`.
fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    let mut sum = 0u64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        sum = sum * 10 + u64::from(digit - b'0');
        if sum > u64::from(u32::MAX) {
            return None;
        }
    }
    u32::try_from(sum).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits::DEFAULT;

    fn on(bytes: &[u8]) -> Cursor<'_> {
        Cursor::new(bytes)
    }

    #[test]
    fn call_ids() {
        for text in ["a", "a@b", "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"] {
            assert_eq!(call_id(on(text.as_bytes()), &LIMITS), Ok(text));
        }
        for text in [&b""[..], b"a b", b"a\r\n b", b"a\0", b"\xff"] {
            assert!(call_id(on(text), &LIMITS).is_err());
        }
        assert!(call_id(on(&[b'x'; 256]), &LIMITS).is_ok());
        assert!(call_id(on(&[b'x'; 257]), &LIMITS).is_err());
    }

    #[test]
    fn cseqs() {
        for (text, number) in
            [("0009\r\n  INVITE", 9), ("4294967295 INVITE", u32::MAX), ("1\tINVITE", 1)]
        {
            assert_eq!(cseq(on(text.as_bytes()), &LIMITS), Ok((number, Method::Invite)));
        }
        for text in [
            "",
            "INVITE",
            "1",
            "1INVITE",
            "1 ",
            "-1 INVITE",
            "4294967296 INVITE",
            "1 INVITE x",
            "36893488147419103232 REGISTER",
            "1 INVI/TE",
        ] {
            assert!(cseq(on(text.as_bytes()), &LIMITS).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers() {
        for (text, expected) in [
            ("0068", Some(68)),
            ("0", Some(0)),
            ("255", Some(255)),
            ("256", None),
            ("", None),
            ("-1", None),
            ("1 ", None),
            ("99999999999", None),
        ] {
            assert_eq!(max_forwards(on(text.as_bytes())).ok(), expected, "{text}");
        }
        for (text, expected) in [
            ("0", Some(0)),
            ("0000000010", Some(10)),
            ("00000000010", None),
            ("-999", None),
            ("65536", Some(65_536)),
            ("65537", None),
            ("1, 1", None),
            ("0x1", None),
            ("", None),
        ] {
            assert_eq!(content_length(on(text.as_bytes()), &LIMITS).ok(), expected, "{text}");
        }
    }
}
