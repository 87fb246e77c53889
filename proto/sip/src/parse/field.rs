//! Small header values that are checked at parse: Call-ID, CSeq, Max-Forwards, Content-Length.
//!
//! Numbers may have leading zeros (RFC 4475 §3.1.1.1); none may wrap.

use super::ParseError;
use super::chars::{self, Cursor, DIGIT, TOKEN, WORD};
use crate::limits::Limits;
use crate::method::Method;

/// A Call-ID: visible characters without blanks.
pub(super) fn call_id<'a>(value: &'a [u8], limits: &Limits) -> Result<&'a str, ParseError> {
    if value.is_empty() || !chars::all(value, WORD) {
        return Err(ParseError::new("Call-ID", 0));
    }
    if value.len() > limits.call_id {
        return Err(ParseError::limit(400, "Call-ID too long", limits.call_id));
    }
    std::str::from_utf8(value).map_err(|_| ParseError::new("Call-ID is no UTF-8", 0))
}

/// CSeq: a 32-bit number and a method.
pub(super) fn cseq<'a>(value: &'a [u8], limits: &Limits) -> Result<(u32, Method<'a>), ParseError> {
    let mut cursor = Cursor::new(value);
    let number = number(cursor.take(DIGIT)).ok_or(ParseError::new("CSeq number", 0))?;
    if !cursor.blanks() {
        return Err(ParseError::new("CSeq", cursor.at));
    }
    let at = cursor.at;
    let method = cursor.take(TOKEN);
    if method.is_empty() || cursor.peek().is_some() {
        return Err(ParseError::new("CSeq method", at));
    }
    if method.len() > limits.method {
        return Err(ParseError::limit(400, "CSeq method too long", at));
    }
    let method = std::str::from_utf8(method).map_err(|_| ParseError::new("CSeq method", at))?;
    Ok((number, Method::from_name(method)))
}

/// Max-Forwards: 0 to 255.
pub(super) fn max_forwards(value: &[u8]) -> Result<u8, ParseError> {
    number(value)
        .and_then(|number| u8::try_from(number).ok())
        .ok_or(ParseError::new("Max-Forwards", 0))
}

/// Content-Length: digits only, few of them, and no more than any message of ours.
pub(super) fn content_length(value: &[u8], limits: &Limits) -> Result<usize, ParseError> {
    if value.len() > limits.content_length_digits {
        return Err(ParseError::limit(400, "Content-Length too long", 0));
    }
    let length = number(value).ok_or(ParseError::new("Content-Length", 0))?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > limits.content_length {
        return Err(ParseError::limit(400, "Content-Length too large", 0));
    }
    Ok(length)
}

/// A decimal number of 32 bits, all of `digits`.
fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u32, |sum, &digit| {
        let digit = chars::is(digit, DIGIT).then(|| u32::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits::DEFAULT;

    #[test]
    fn call_ids() {
        for text in ["a", "a@b", "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"] {
            assert_eq!(call_id(text.as_bytes(), &LIMITS), Ok(text));
        }
        for text in [&b""[..], b"a b", b"a\r\n b", b"a\0", b"\xff"] {
            assert!(call_id(text, &LIMITS).is_err());
        }
        assert!(call_id(&[b'x'; 256], &LIMITS).is_ok());
        assert!(call_id(&[b'x'; 257], &LIMITS).is_err());
    }

    #[test]
    fn cseqs() {
        for (text, number) in
            [("0009\r\n  INVITE", 9), ("4294967295 INVITE", u32::MAX), ("1\tINVITE", 1)]
        {
            assert_eq!(cseq(text.as_bytes(), &LIMITS), Ok((number, Method::Invite)));
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
            assert!(cseq(text.as_bytes(), &LIMITS).is_err(), "{text}");
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
            assert_eq!(max_forwards(text.as_bytes()).ok(), expected, "{text}");
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
            assert_eq!(content_length(text.as_bytes(), &LIMITS).ok(), expected, "{text}");
        }
    }
}
