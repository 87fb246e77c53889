//! The content hash of rs.md §2.8: two records of one id are duplicates if it is the same.
//!
//! BLAKE3-128 over the JSON Canonicalization Scheme (RFC 8785) of the object as received, without
//! the top-level `producer` and without nulls. Every RS must compute the same one, so this file
//! follows the RFC to the letter: keys sorted by UTF-16 units, numbers printed as ECMAScript does.

use std::fmt::Write;

use serde_json::{Map, Number, Value};

/// BLAKE3-128 of a record's content.
pub type ContentHash = [u8; 16];

/// The content hash of an object as it was received.
#[must_use]
pub fn content_hash(object: &Map<String, Value>) -> ContentHash {
    let mut text = String::with_capacity(1024);
    write_object(object, Some("producer"), &mut text);
    let hash = blake3::hash(text.as_bytes());
    let mut short = ContentHash::default();
    short.copy_from_slice(&hash.as_bytes()[..16]);
    short
}

/// A value in canonical form (RFC 8785), members that are null left out.
#[must_use]
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_value(value, &mut text);
    text
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_value(item, out);
            }
            out.push(']');
        }
        Value::Object(object) => write_object(object, None, out),
    }
}

fn write_object(object: &Map<String, Value>, without: Option<&str>, out: &mut String) {
    let mut members: Vec<_> = object
        .iter()
        .filter(|(key, value)| !value.is_null() && Some(key.as_str()) != without)
        .collect();
    members.sort_unstable_by(|(a, _), (b, _)| by_utf16(a, b));
    out.push('{');
    for (at, (key, value)) in members.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_text(key, out);
        out.push(':');
        write_value(value, out);
    }
    out.push('}');
}

/// RFC 8785 §3.2.3. Bytes of UTF-8 order like units of UTF-16 but beyond the basic plane.
fn by_utf16(a: &str, b: &str) -> std::cmp::Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// RFC 8785 §3.2.2.2: the short escapes, `\u00xx` for other controls, all else as it is.
fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    let special = |b: u8| b < b' ' || b == b'"' || b == b'\\';
    while let Some(at) = rest.bytes().position(special) {
        let (plain, tail) = rest.split_at(at);
        out.push_str(plain);
        let mut tail = tail.chars();
        match tail.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\t') => out.push_str("\\t"),
            Some('\n') => out.push_str("\\n"),
            Some('\u{C}') => out.push_str("\\f"),
            Some('\r') => out.push_str("\\r"),
            Some(control) => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            None => {}
        }
        rest = tail.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// RFC 8785 §3.2.2.3: every number is an IEEE double, printed as ECMAScript's `ToString`.
fn write_number(number: &Number, out: &mut String) {
    const EXACT: u64 = 1 << 53;
    match (number.as_u64(), number.as_i64()) {
        (Some(n), _) if n <= EXACT => {
            let _ = write!(out, "{n}");
        }
        (_, Some(n)) if n.unsigned_abs() <= EXACT => {
            let _ = write!(out, "{n}");
        }
        _ => write_double(number.as_f64().unwrap_or_default(), out),
    }
}

fn write_double(double: f64, out: &mut String) {
    if double == 0.0 {
        out.push('0');
        return;
    }
    if double < 0.0 {
        out.push('-');
    }
    let (digits, point) = shortest(double.abs());
    let length = i32::try_from(digits.len()).unwrap_or_default();
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or_default());
    let split = digits.split_at_checked(usize::try_from(point).unwrap_or_default());
    let _ = match (point, split) {
        (1..=21, _) if length <= point => write!(out, "{digits}{}", zeros(point - length)),
        (1..=21, Some((whole, fraction))) => write!(out, "{whole}.{fraction}"),
        (-5..=0, _) => write!(out, "0.{}{digits}", zeros(-point)),
        _ => {
            let (first, rest) = digits.split_at_checked(1).unwrap_or((&digits, ""));
            let dot = if rest.is_empty() { "" } else { "." };
            write!(out, "{first}{dot}{rest}e{:+}", point - 1)
        }
    };
}

/// The shortest digits that read back as this positive double (of two equally near ones the even
/// one, which is why this is not `{:e}`), and ECMAScript's n: the point stands after n digits.
fn shortest(double: f64) -> (String, i32) {
    let text = serde_json::to_string(&double).unwrap_or_default();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    let point = i32::try_from(whole.len()).unwrap_or_default()
        - i32::try_from(digits.len() - significant.len()).unwrap_or_default()
        + exponent.parse::<i32>().unwrap_or_default();
    (significant.trim_end_matches('0').to_owned(), point)
}

#[cfg(test)]
mod tests;
