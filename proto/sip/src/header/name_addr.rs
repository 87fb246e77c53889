//! `From`, `To`, `Contact`, `Route`, `Record-Route`: an optional name, a URI, parameters.
//!
//! Both forms of RFC 3261 §25.1 are read, with and without angle brackets. The display name may
//! hold any bytes and is only passed on; the URI is text.

use super::params::{Params, is_name};
use crate::limits::Limits;
use crate::parse::chars::{self, Cursor, DISPLAY};
use crate::parse::{Blame, ParseError};
use crate::uri::Uri;

/// One address with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// Display name as it came, with its quotes; empty when there is none.
    pub display: &'a [u8],
    /// The URI, without angle brackets; `*` for the Contact of that form.
    pub uri: &'a str,
    /// Parameters of the header (not of the URI).
    pub params: Params<'a>,
    tag: Option<&'a str>,
    bracketed: bool,
}

impl<'a> NameAddr<'a> {
    /// Reads one address that fills `value`. Its URI is not looked at: `parsed_uri` tells.
    ///
    /// # Errors
    /// 400 when `value` is no single address.
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(value);
        let address = Self::take(&mut cursor)?;
        match cursor.peek() {
            None => Ok(address),
            Some(_) => Err(ParseError::new("more than one address", cursor.at)),
        }
    }

    /// The `tag` parameter.
    pub const fn tag(&self) -> Option<&'a str> {
        self.tag
    }

    /// The parameter `name` of the header (without case): `None` when absent, `Some(None)` when it
    /// stands without a value.
    pub fn param(&self, name: &str) -> Option<Option<&'a str>> {
        self.params.get(name)
    }

    /// The URI in its parts; `None` for `*`, and for what is no URI. Addresses of a parsed message
    /// have been checked.
    pub fn parsed_uri(&self) -> Option<Uri<'a>> {
        Uri::parse(self.uri).ok()
    }

    /// True for `Contact: *`.
    pub fn is_star(&self) -> bool {
        self.uri == "*"
    }

    /// True when the URI stands in angle brackets.
    pub const fn is_bracketed(&self) -> bool {
        self.bracketed
    }

    /// Takes one address and its parameters; stops at a comma or the end. Inlined: moving a result
    /// of this size costs more than the code.
    #[inline(always)]
    pub(crate) fn take(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        cursor.blanks();
        let from = cursor.at;
        let (display, uri, bracketed) = if cursor.peek() == Some(b'"') {
            let display = cursor.quoted().ok_or(ParseError::new("open quote", from))?;
            cursor.blanks();
            (display, take_bracketed(cursor)?, true)
        } else {
            let text = match cursor.peek() {
                Some(b'<') => b"",
                _ => chars::trim(cursor.take(DISPLAY)),
            };
            if cursor.peek() == Some(b'<') {
                (text, take_bracketed(cursor)?, true)
            } else if text.is_empty() {
                return Err(ParseError::new("empty address", from));
            } else {
                (&b""[..], cursor.text(from, from + text.len())?, false)
            }
        };
        let mut tag = None;
        let params = Params::take(cursor, |name, value| {
            if is_name(name, b"tag") {
                if tag.is_some() {
                    return Err(value.error("two tags"));
                }
                tag = Some(value.plain().ok_or(value.error("tag"))?);
            }
            Ok(())
        })?;
        Ok(Self { display, uri, params, tag, bracketed })
    }

    /// Checks URI grammar and the bounds of `limits`; `at` is where the value starts.
    #[inline]
    pub(crate) fn check(&self, limits: &Limits, at: usize) -> Result<(), ParseError> {
        if self.tag.is_some_and(|tag| tag.len() > limits.tag) {
            return Err(ParseError::limit(400, "tag too long", at));
        }
        if self.is_star() {
            return Ok(());
        }
        if self.uri.len() > limits.uri {
            return Err(ParseError::limit(414, "URI too long", at));
        }
        let uri = Uri::parse(self.uri).map_err(|error| ParseError { at, ..error })?;
        if uri.params.len() > limits.uri_params && uri.params().count() > limits.uri_params {
            return Err(ParseError::limit(414, "too many URI parameters", at));
        }
        if !self.bracketed && !uri.headers.is_empty() {
            return Err(ParseError {
                status: 400,
                what: "URI with ? needs brackets",
                at,
                blame: Blame::Sender,
            });
        }
        Ok(())
    }
}

#[inline]
fn take_bracketed<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, ParseError> {
    let open = cursor.at;
    if !cursor.eat(b'<') {
        return Err(ParseError::new("expected <", open));
    }
    let from = cursor.at;
    let rest = cursor.bytes.get(from..).unwrap_or_default();
    let length = memchr::memchr(b'>', rest).ok_or(ParseError::new("open angle bracket", open))?;
    cursor.at = from + length + 1;
    cursor.text(from, from + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &[u8]) -> Result<NameAddr<'_>, ParseError> {
        let address = NameAddr::parse(value)?;
        address.check(&Limits::DEFAULT, 0)?;
        Ok(address)
    }

    #[test]
    fn accepted() {
        for (value, display, uri, tag) in [
            (&b"<sip:a@b>"[..], &b""[..], "sip:a@b", None),
            (b"sip:a@b;tag=x", b"", "sip:a@b", Some("x")),
            (b" sip:a@b ;\r\n tag    = 1918181833n", b"", "sip:a@b", Some("1918181833n")),
            (
                b"\"J \\\\\\\"\"  <sip:a@b>\r\n  ;\r\n  tag = 98",
                b"\"J \\\\\\\"\"",
                "sip:a@b",
                Some("98"),
            ),
            (b"caller<sip:a@b;x=y>;tag=1;q", b"caller", "sip:a@b;x=y", Some("1")),
            (b"Mr. \xc3\xbc \xff <tel:+1>", b"Mr. \xc3\xbc \xff", "tel:+1", None),
            (b"<sip:a@b?Route=%3Csip:x%3E>", b"", "sip:a@b?Route=%3Csip:x%3E", None),
            (b"isbn:2983792873", b"", "isbn:2983792873", None),
            (b"*", b"", "*", None),
            (b"\"a <b>, c\" <sip:x@y>", b"\"a <b>, c\"", "sip:x@y", None),
        ] {
            let address =
                read(value).unwrap_or_else(|error| panic!("{}: {error}", value.escape_ascii()));
            assert_eq!((address.display, address.uri, address.tag()), (display, uri, tag));
        }
    }

    #[test]
    fn refused() {
        for value in [
            &b""[..],
            b"<>",
            b"<sip:a@b",
            b"sip:a@b>",
            b"\"open <sip:a@b>",
            b"\"x\" sip:a@b",
            b"\"Watson, Thomas\" < sip:t.watson@example.org >",
            b"Bell, Alexander <sip:a.g.bell@example.com>",
            b"sip:user@example.com?Route=%3Csip:sip.example.com%3E",
            b"sip:a@b;tag=1;tag=2",
            b"sip:a@b;tag",
            b"sip:a@b;tag=",
            b"sip:a@b;tag=\"x\"",
            b"<sip:a@b>;;;;",
            b"<sip:a@b>, <sip:c@d>",
            b"<sip:a@b> x",
            b"<sip:a\r\n @b>",
            b"<sip:\xff@b>",
            b"Bob",
        ] {
            assert!(read(value).is_err(), "{}", value.escape_ascii());
        }
    }

    #[test]
    fn limits() {
        let long = format!("<sip:{}@b>", "a".repeat(2_048));
        assert_eq!(read(long.as_bytes()).unwrap_err().status, 414);
        let many = format!("<sip:a@b{}>", ";p".repeat(65));
        assert_eq!(read(many.as_bytes()).unwrap_err().status, 414);
        let tag = format!("<sip:a@b>;tag={}", "t".repeat(257));
        assert_eq!(read(tag.as_bytes()).unwrap_err().status, 400);
        let enough = format!("<sip:a@b{}>;tag={}", ";p".repeat(64), "t".repeat(256));
        assert!(read(enough.as_bytes()).is_ok());
    }
}
