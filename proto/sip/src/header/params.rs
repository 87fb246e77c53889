//! Parameters behind a header value: `;name`, `;name=value`, `;name="quoted value"`.
//!
//! The text has been checked at parse; iterating it again cannot fail. Values are given as they
//! stand, quotes and escapes included, so that what is copied is what came.

use crate::parse::ParseError;
use crate::parse::chars::{Cursor, VALUE};

/// One parameter of a header value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    /// Its name as spelled.
    pub name: &'a str,
    /// Its value with quotes, if it stands in quotes; `None` without `=`.
    pub value: Option<&'a str>,
}

/// All parameters of a header value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a> {
    text: &'a str,
}

impl<'a> Params<'a> {
    /// The text from the first `;` on, or empty.
    pub const fn as_str(&self) -> &'a str {
        self.text
    }

    /// The value of `name` (without case): `None` when absent, `Some(None)` without a value.
    pub fn get(&self, name: &str) -> Option<Option<&'a str>> {
        self.iter().find(|param| param.name.eq_ignore_ascii_case(name)).map(|param| param.value)
    }

    /// All parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        let text = self.text;
        let mut cursor = Cursor::new(text.as_bytes());
        std::iter::from_fn(move || {
            let (name, value) = step(&mut cursor).ok()??;
            Some(Param {
                name: text.get(name.0..name.1)?,
                value: match value {
                    Some((from, to)) => Some(text.get(from..to)?),
                    None => None,
                },
            })
        })
    }

    /// Reads parameters up to a comma or the end, and shows each to `each`.
    ///
    /// # Errors
    /// An empty name, an open quote, bytes that are no UTF-8, or anything that is no parameter.
    pub(crate) fn take(
        cursor: &mut Cursor<'a>,
        mut each: impl FnMut(&'a [u8], Option<&'a [u8]>, usize) -> Result<(), ParseError>,
    ) -> Result<Self, ParseError> {
        cursor.blanks();
        let from = cursor.at;
        let mut to = from;
        let bytes = cursor.bytes;
        while let Some((name, value)) = step(cursor)? {
            let value_bytes = value.and_then(|(from, to)| bytes.get(from..to));
            each(bytes.get(name.0..name.1).unwrap_or_default(), value_bytes, name.0)?;
            to = cursor.at;
            cursor.blanks();
        }
        if cursor.peek().is_some_and(|byte| byte != b',') {
            return Err(ParseError::new("text after header value", cursor.at));
        }
        let text =
            std::str::from_utf8(bytes.get(from..to).unwrap_or_default()).map_err(|error| {
                ParseError::new("parameters are no UTF-8", from + error.valid_up_to())
            })?;
        Ok(Self { text })
    }
}

type Span = (usize, usize);

/// One parameter, or `None` when no `;` follows.
fn step(cursor: &mut Cursor<'_>) -> Result<Option<(Span, Option<Span>)>, ParseError> {
    cursor.blanks();
    if !cursor.eat(b';') {
        return Ok(None);
    }
    cursor.blanks();
    let from = cursor.at;
    while cursor.peek().is_some_and(|byte| byte != b'=' && crate::parse::chars::is(byte, VALUE)) {
        cursor.at += 1;
    }
    let name = (from, cursor.at);
    if name.0 == name.1 {
        return Err(ParseError::new("empty parameter", from));
    }
    let mut ahead = *cursor;
    ahead.blanks();
    if !ahead.eat(b'=') {
        return Ok(Some((name, None)));
    }
    ahead.blanks();
    *cursor = ahead;
    let from = cursor.at;
    if cursor.peek() == Some(b'"') {
        cursor.quoted().ok_or(ParseError::new("open quote", from))?;
    } else {
        cursor.take(VALUE);
    }
    Ok(Some((name, Some((from, cursor.at)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, Option<String>)>, ParseError> {
        let mut cursor = Cursor::new(text.as_bytes());
        let params = Params::take(&mut cursor, |_, _, _| Ok(()))?;
        Ok(params
            .iter()
            .map(|param| (param.name.to_owned(), param.value.map(str::to_owned)))
            .collect())
    }

    #[test]
    fn reads() {
        let pair = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
        for (text, expected) in [
            ("", vec![]),
            (";a", vec![pair("a", None)]),
            (" ; a = b\r\n ;c", vec![pair("a", Some("b")), pair("c", None)]),
            (";a=\"x;\\\"y,\";b=", vec![pair("a", Some("\"x;\\\"y,\"")), pair("b", Some(""))]),
            (";r=[::1]:5;t=a=b", vec![pair("r", Some("[::1]:5")), pair("t", Some("a=b"))]),
            (";a , ;b", vec![pair("a", None)]),
        ] {
            assert_eq!(read(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn refuses() {
        for text in [";", ";;", ";a;", ";a=\"", ";a b", ";a=b c", ";=x", "x", ";a=b>"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn finds_without_case() {
        let mut cursor = Cursor::new(b";Tag=x;lr");
        let params = Params::take(&mut cursor, |_, _, _| Ok(())).unwrap();
        assert_eq!(params.get("tAG"), Some(Some("x")));
        assert_eq!(params.get("LR"), Some(None));
        assert_eq!(params.get("q"), None);
        assert_eq!(params.as_str(), ";Tag=x;lr");
    }
}
