//! URIs as a proxy needs them: cut into their parts, never decoded, never rebuilt by accident.
//!
//! `sip:` and `sips:` are read in full (RFC 3261 §19.1), `tel:` and `urn:` so far that number,
//! parameters and name can be seen, any other scheme as opaque text: whether it may be called is
//! decided later (416), not here. All parts are slices of the text.

mod compare;
mod escape;

pub use escape::{escape_param, unescape};

use crate::parse::ParseError;
use crate::parse::chars::{self, Cursor, DIGIT, HOST, PARAMS, URI, USER};
use std::net::IpAddr;

/// The scheme of a URI, compared without case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme<'a> {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:` (RFC 3966)
    Tel,
    /// `urn:` (RFC 5031 for `urn:service:sos`)
    Urn,
    /// Anything else, as spelled.
    Other(&'a str),
}

impl Scheme<'_> {
    /// True for `sip` and `sips`.
    pub const fn is_sip(&self) -> bool {
        matches!(self, Self::Sip | Self::Sips)
    }
}

/// One URI in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    /// The whole URI as it came.
    pub text: &'a str,
    /// The scheme.
    pub scheme: Scheme<'a>,
    /// User part before a password, still escaped; the number of a `tel:` URI.
    pub user: Option<&'a str>,
    /// Password, still escaped.
    pub password: Option<&'a str>,
    /// Host as spelled, IPv6 with its brackets; empty unless the scheme is `sip` or `sips`.
    pub host: &'a str,
    /// Port, if one is given.
    pub port: Option<u16>,
    /// Parameters with the leading `;`, or empty.
    pub params: &'a str,
    /// Headers with the leading `?`, or empty.
    pub headers: &'a str,
}

impl<'a> Uri<'a> {
    /// Reads one URI that fills `text`.
    ///
    /// # Errors
    /// 400 when the scheme is missing, when a `sip:` or `sips:` URI breaks the grammar, or when
    /// the text holds blanks, control characters, `<`, `>`, `"` or `\`. An unknown scheme is no
    /// error.
    #[inline]
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        match Self::plain(text) {
            Some(uri) => Ok(uri),
            None => Self::any(text),
        }
    }

    /// A `sip:` URI without password, escapes and headers, as nearly all are: one look at each
    /// byte. `None` says nothing: then `any` decides, and it would have given the same parts.
    #[inline]
    fn plain(text: &'a str) -> Option<Self> {
        let from = "sip:".len();
        if !text.starts_with("sip:") {
            return None;
        }
        let mut uri = Self::opaque(text, Scheme::Sip);
        let mut cursor = Cursor::over(text, from);
        let user = cursor.take(USER);
        if cursor.eat(b'@') {
            uri.user = Some(part(text, from, from + user.len())).filter(|user| !user.is_empty());
            uri.user?;
        } else {
            cursor.at = from;
        }
        let host = cursor.at;
        if cursor.take(HOST).is_empty() {
            return None;
        }
        uri.host = part(text, host, cursor.at);
        if cursor.eat(b':') {
            uri.port = Some(take_port(&mut cursor).ok()?);
        }
        let params = cursor.at;
        if cursor.peek().is_some_and(|byte| byte != b';') {
            return None;
        }
        cursor.take(PARAMS);
        uri.params = part(text, params, cursor.at);
        cursor.peek().is_none().then_some(uri)
    }

    /// A URI of any scheme and form.
    #[inline(never)]
    fn any(text: &'a str) -> Result<Self, ParseError> {
        let bytes = text.as_bytes();
        let colon = memchr::memchr(b':', bytes).ok_or(ParseError::new("URI without scheme", 0))?;
        let name = part(text, 0, colon);
        check_characters(bytes)?;
        let scheme = scheme_of(name).ok_or(ParseError::new("URI scheme", 0))?;
        let rest = colon + 1;
        match scheme {
            Scheme::Sip | Scheme::Sips => Self::sip(text, scheme, rest),
            Scheme::Tel => Self::tel(text, scheme, rest),
            Scheme::Urn | Scheme::Other(_) => {
                if rest >= text.len() {
                    return Err(ParseError::new("empty URI", rest));
                }
                Ok(Self::opaque(text, scheme))
            }
        }
    }

    /// The value of the parameter `name` (without case, escaped or not): `None` when absent,
    /// `Some(None)` when it stands without value.
    pub fn param(&self, name: &str) -> Option<Option<&'a str>> {
        let named = |have: &str| unescape(have).eq_ignore_ascii_case(name);
        self.params().find(|(have, _)| named(have)).map(|(_, value)| value)
    }

    /// All parameters in order, still escaped.
    pub fn params(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        self.params.split(';').filter(|param| !param.is_empty()).map(|param| {
            match param.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (param, None),
            }
        })
    }

    /// The host as an address, when it is one (IPv6 with or without zone-free brackets).
    pub fn host_ip(&self) -> Option<IpAddr> {
        host_ip(self.host)
    }

    /// True when both name the same resource by the rules of RFC 3261 §19.1.4.
    pub fn same(&self, other: &Uri<'_>) -> bool {
        compare::same(self, other)
    }

    const fn opaque(text: &'a str, scheme: Scheme<'a>) -> Self {
        Self {
            text,
            scheme,
            user: None,
            password: None,
            host: "",
            port: None,
            params: "",
            headers: "",
        }
    }

    fn tel(text: &'a str, scheme: Scheme<'a>, from: usize) -> Result<Self, ParseError> {
        let semicolon = find(text, b';', from).unwrap_or(text.len());
        if semicolon == from {
            return Err(ParseError::new("tel URI without number", from));
        }
        let mut uri = Self::opaque(text, scheme);
        uri.user = Some(part(text, from, semicolon));
        uri.params = part(text, semicolon, text.len());
        Ok(uri)
    }

    /// The parts behind `sip:`.
    fn sip(text: &'a str, scheme: Scheme<'a>, from: usize) -> Result<Self, ParseError> {
        let mut uri = Self::opaque(text, scheme);
        let mut cursor = Cursor::over(text, from);
        if let Some((colon, at)) = user_info(text.as_bytes(), from) {
            if at == from {
                return Err(ParseError::new("empty user part", from));
            }
            uri.user = Some(part(text, from, colon.unwrap_or(at)));
            uri.password = colon.map(|colon| part(text, colon + 1, at));
            cursor.at = at + 1;
        }
        let host = cursor.at;
        take_host(&mut cursor)?;
        uri.host = part(text, host, cursor.at);
        if cursor.eat(b':') {
            uri.port = Some(take_port(&mut cursor)?);
        }
        let params = cursor.at;
        match cursor.peek() {
            None => return Ok(uri),
            Some(b';' | b'?') => {}
            Some(_) => return Err(ParseError::new("URI after host", params)),
        }
        let question = memchr::memchr(b'?', cursor.rest());
        let headers = question.map_or(text.len(), |at| params + at);
        uri.params = part(text, params, headers);
        uri.headers = part(text, headers, text.len());
        Ok(uri)
    }
}

/// The first `:` of a user part, if any, and the `@` that ends it: the first one, because it must
/// be escaped inside.
fn user_info(bytes: &[u8], from: usize) -> Option<(Option<usize>, usize)> {
    let rest = bytes.get(from..).unwrap_or_default();
    let length = memchr::memchr(b'@', rest)?;
    let colon = memchr::memchr(b':', chars::span(rest, 0, length));
    Some((colon.map(|colon| from + colon), from + length))
}

/// Checks each character, and each escape.
fn check_characters(bytes: &[u8]) -> Result<(), ParseError> {
    let good = chars::run(bytes, URI);
    if good < bytes.len() {
        return Err(ParseError::new("character in URI", good));
    }
    for at in memchr::memchr_iter(b'%', bytes) {
        match bytes.get(at + 1..at + 3) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => {}
            _ => return Err(ParseError::new("escape in URI", at)),
        }
    }
    Ok(())
}

/// Reads a host as an address: `192.0.2.1`, `[2001:db8::1]` or `2001:db8::1`.
pub fn host_ip(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

/// Takes a host name, an IPv4 address or an IPv6 reference.
#[inline]
pub(crate) fn take_host(cursor: &mut Cursor<'_>) -> Result<(), ParseError> {
    let from = cursor.at;
    if cursor.eat(b'[') {
        while cursor
            .peek()
            .is_some_and(|byte| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.')
        {
            cursor.at += 1;
        }
        if cursor.at < from + 3 || !cursor.eat(b']') {
            return Err(ParseError::new("IPv6 reference", from));
        }
        return Ok(());
    }
    if cursor.take(HOST).is_empty() {
        return Err(ParseError::new("host", from));
    }
    Ok(())
}

/// Takes a port: 1 to 65,535 in at most 5 digits (port 0 names nothing).
#[inline]
pub(crate) fn take_port(cursor: &mut Cursor<'_>) -> Result<u16, ParseError> {
    let from = cursor.at;
    let digits = cursor.take(DIGIT);
    if digits.is_empty() || digits.len() > 5 {
        return Err(ParseError::new("port", from));
    }
    let number = digits.iter().fold(0u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    match u16::try_from(number) {
        Ok(0) | Err(_) => Err(ParseError::new("port", from)),
        Ok(port) => Ok(port),
    }
}

fn scheme_of(name: &str) -> Option<Scheme<'_>> {
    if name.eq_ignore_ascii_case("sip") {
        Some(Scheme::Sip)
    } else if name.eq_ignore_ascii_case("sips") {
        Some(Scheme::Sips)
    } else if name.eq_ignore_ascii_case("tel") {
        Some(Scheme::Tel)
    } else if name.eq_ignore_ascii_case("urn") {
        Some(Scheme::Urn)
    } else {
        is_scheme(name).then_some(Scheme::Other(name))
    }
}

fn is_scheme(name: &str) -> bool {
    name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

fn find(text: &str, byte: u8, from: usize) -> Option<usize> {
    let rest = text.as_bytes().get(from..)?;
    memchr::memchr(byte, rest).map(|at| at + from)
}

fn part(text: &str, from: usize, to: usize) -> &str {
    text.get(from..to).unwrap_or_default()
}

#[cfg(test)]
mod tests;
