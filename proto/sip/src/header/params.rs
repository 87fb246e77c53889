//! Parameters behind a header value: `;name`, `;name=value`, `;name="quoted value"`.
//!
//! The text has been checked at parse; iterating it again cannot fail. Values are given as they
//! stand, quotes and escapes included, so that what is copied is what came.

use crate::parse::ParseError;
use crate::parse::chars::{Cursor, NAME, VALUE, span};

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
        let mut cursor = Cursor::over(text, 0);
        std::iter::from_fn(move || {
            cursor.blanks();
            let found = step(&mut cursor).ok()??;
            Some(Param {
                name: text.get(found.name..found.name_end)?,
                value: if found.value == 0 { None } else { text.get(found.value..found.end) },
            })
        })
    }

    /// Takes parameters up to a comma or the end, and shows each to `each`.
    ///
    /// # Errors
    /// An empty name, an open quote, bytes that are no UTF-8, or anything that is no parameter.
    #[inline]
    pub(super) fn take(
        cursor: &mut Cursor<'a>,
        mut each: impl FnMut(&'a [u8], Value<'_, 'a>) -> Result<(), ParseError>,
    ) -> Result<Self, ParseError> {
        if cursor.peek().is_none() {
            return Ok(Self::default());
        }
        cursor.blanks();
        let from = cursor.at;
        let mut to = from;
        while let Some(found) = step(cursor)? {
            let name = span(cursor.bytes, found.name, found.name_end);
            each(name, Value { cursor, from: found.value, to: found.end })?;
            to = cursor.at;
            cursor.blanks();
        }
        if cursor.peek().is_some_and(|byte| byte != b',') {
            return Err(ParseError::new("text after header value", cursor.at));
        }
        Ok(Self { text: cursor.text(from, to)? })
    }
}

/// True for `name` without case. Nearly everybody writes lower case, and equality is cheaper.
#[inline]
pub(super) fn is_name(spelled: &[u8], name: &[u8]) -> bool {
    spelled == name || spelled.eq_ignore_ascii_case(name)
}

/// The value of a parameter that has just been taken.
pub(super) struct Value<'c, 'a> {
    cursor: &'c Cursor<'a>,
    from: usize,
    to: usize,
}

impl<'a> Value<'_, 'a> {
    /// The value as text, when there is one and it is not quoted.
    pub(super) fn plain(&self) -> Option<&'a str> {
        let text = self.cursor.text(self.from, self.to).ok()?;
        (!text.is_empty() && !text.starts_with('"')).then_some(text)
    }

    /// An error at this parameter.
    pub(super) const fn error(&self, what: &'static str) -> ParseError {
        ParseError::new(what, self.cursor.at)
    }
}

/// Where one parameter lies. Without a value, `value` is 0: no value can stand there.
struct Found {
    name: usize,
    name_end: usize,
    value: usize,
    end: usize,
}

/// One parameter, or `None` when no `;` follows.
#[inline(always)]
fn step(cursor: &mut Cursor<'_>) -> Result<Option<Found>, ParseError> {
    if !cursor.eat(b';') {
        return Ok(None);
    }
    cursor.blanks();
    let name = cursor.at;
    cursor.take(NAME);
    let name_end = cursor.at;
    if name == name_end {
        return Err(ParseError::new("empty parameter", name));
    }
    cursor.blanks();
    if !cursor.eat(b'=') {
        cursor.at = name_end;
        return Ok(Some(Found { name, name_end, value: 0, end: 0 }));
    }
    let equals = cursor.at;
    cursor.blanks();
    let mut value = cursor.at;
    if cursor.peek() == Some(b'"') {
        cursor.quoted().ok_or(ParseError::new("open quote", value))?;
    } else if cursor.take(VALUE).is_empty() {
        // blanks behind an empty value are those behind the parameter
        (value, cursor.at) = (equals, equals);
    }
    Ok(Some(Found { name, name_end, value, end: cursor.at }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, Option<String>)>, ParseError> {
        let mut cursor = Cursor::new(text.as_bytes());
        let params = Params::take(&mut cursor, |_, _| Ok(()))?;
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
        let params = Params::take(&mut cursor, |_, _| Ok(())).unwrap();
        assert_eq!(params.get("tAG"), Some(Some("x")));
        assert_eq!(params.get("LR"), Some(None));
        assert_eq!(params.get("q"), None);
        assert_eq!(params.as_str(), ";Tag=x;lr");
    }
}
