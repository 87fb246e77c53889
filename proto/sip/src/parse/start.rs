//! The first line: `METHOD URI SIP/2.0` or `SIP/2.0 STATUS REASON` (RFC 3261 §7.1, §7.2).
//!
//! Exactly one space between the parts, none at the ends; another SIP version is told apart from
//! garbage, because it has its own answer (505).

use super::ParseError;
use super::chars::{self, DIGIT, TOKEN, span};
use crate::limits::Limits;
use crate::message::RequestLine;
use crate::method::Method;
use crate::uri::Uri;

/// The first line in its parts.
pub(super) enum Line<'a> {
    Request(RequestLine<'a>),
    Response { status: u16, reason: &'a [u8] },
}

/// Reads the first line, given without its CR LF.
pub(super) fn read<'a>(line: &'a [u8], limits: &Limits) -> Result<Line<'a>, ParseError> {
    let space = memchr::memchr(b' ', line).ok_or(ParseError::new("start line", line.len()))?;
    let first = span(line, 0, space);
    if first.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")) {
        version(first, 0)?;
        return response(line, space + 1);
    }
    request(line, space, limits)
}

fn response(line: &[u8], at: usize) -> Result<Line<'_>, ParseError> {
    let digits = span(line, at, at + 3);
    if digits.len() != 3 || !chars::all(digits, DIGIT) {
        return Err(ParseError::new("status", at));
    }
    let status = digits.iter().fold(0u16, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    if !(100..700).contains(&status) {
        return Err(ParseError::new("status", at));
    }
    match line.get(at + 3) {
        None => Ok(Line::Response { status, reason: b"" }),
        Some(b' ') => Ok(Line::Response { status, reason: span(line, at + 4, line.len()) }),
        Some(_) => Err(ParseError::new("status", at)),
    }
}

fn request<'a>(line: &'a [u8], space: usize, limits: &Limits) -> Result<Line<'a>, ParseError> {
    let last = match line.strip_suffix(b" SIP/2.0") {
        Some(front) => Some(front.len()),
        None => memchr::memrchr(b' ', line),
    };
    let last = last.filter(|&last| last > space).ok_or(ParseError::new("request line", space))?;
    let method = span(line, 0, space);
    if method.is_empty() || !chars::all(method, TOKEN) {
        return Err(ParseError::new("method", 0));
    }
    if method.len() > limits.method {
        return Err(ParseError::limit(400, "method too long", limits.method));
    }
    version(span(line, last + 1, line.len()), last + 1)?;
    let at = space + 1;
    let uri = span(line, at, last);
    if uri.len() > limits.uri {
        return Err(ParseError::limit(414, "Request-URI too long", at));
    }
    let uri = text(uri, at)?;
    let target = Uri::parse(uri).map_err(|error| error.moved(at))?;
    if target.params.len() > limits.uri_params && target.params().count() > limits.uri_params {
        return Err(ParseError::limit(414, "too many URI parameters", at));
    }
    if !target.headers.is_empty() {
        return Err(ParseError::new("headers in Request-URI", at));
    }
    let method = Method::from_name(text(method, 0)?);
    Ok(Line::Request(RequestLine { method, uri, target }))
}

/// `SIP/2.0`, without case; 505 for another number of the same form.
fn version(bytes: &[u8], at: usize) -> Result<(), ParseError> {
    if bytes == b"SIP/2.0" || bytes.eq_ignore_ascii_case(b"SIP/2.0") {
        return Ok(());
    }
    let number = match bytes.get(..4) {
        Some(start) if start.eq_ignore_ascii_case(b"SIP/") => span(bytes, 4, bytes.len()),
        _ => return Err(ParseError::new("SIP version", at)),
    };
    let mut parts = number.split(|&byte| byte == b'.');
    let digits =
        |part: Option<&[u8]>| part.is_some_and(|part| !part.is_empty() && chars::all(part, DIGIT));
    if digits(parts.next()) && digits(parts.next()) && parts.next().is_none() {
        return Err(ParseError { status: 505, ..ParseError::new("SIP version is not 2.0", at) });
    }
    Err(ParseError::new("SIP version", at))
}

fn text(bytes: &[u8], at: usize) -> Result<&str, ParseError> {
    std::str::from_utf8(bytes)
        .map_err(|error| ParseError::new("start line is no UTF-8", at + error.valid_up_to()))
}
