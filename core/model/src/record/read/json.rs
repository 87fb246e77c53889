//! A body of bytes becomes a JSON value, or the reason why not (rs.md §2.8).
//!
//! What cannot be text is mended before it is parsed: bytes that are no UTF-8, and halves of
//! surrogate pairs, which a cut in the middle of an emoji leaves behind in many languages. A number
//! beyond what 64 bits can be becomes the largest there is, which no field takes, so that it costs
//! its field and not the record (rs.md §8).

use std::borrow::Cow;

use serde_json::Value;

use super::fields::Log;
use crate::record::limits::{BODY_BYTES, DEPTH};
use crate::record::refusal::Refusal;

pub(super) fn parse(body: &[u8], log: &mut Log) -> Result<Value, Refusal> {
    if body.len() > BODY_BYTES {
        return Err(log.fault("too_large", "at most 4 MiB"));
    }
    // the lossy reader goes byte by byte, also where nothing is to be mended
    let text = std::str::from_utf8(body);
    let text = text.map_or_else(|_| String::from_utf8_lossy(body), Cow::Borrowed);
    let invalid = matches!(text, Cow::Owned(_));
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
    if nesting(text) > DEPTH {
        return Err(log.fault("too_deep", "nested deeper than 32"));
    }
    let parsed = serde_json::from_str(text).or_else(|error| {
        let mended = mend_surrogates(text);
        log.notes.repaired |= mended.is_some();
        let cut = cut_numbers(mended.as_deref().unwrap_or(text));
        cut.or(mended).map_or(Err(error), |text| serde_json::from_str(&text))
    });
    log.notes.repaired |= invalid;
    parsed.map_err(|error| {
        log.fault(if invalid { "not_utf8" } else { "not_json" }, &error.to_string())
    })
}

/// The deepest nesting of a text, brackets inside of strings left out.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    deepest
}

fn skip_string(bytes: &mut std::str::Bytes<'_>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

/// The text with every `\uD8xx` or `\uDCxx` that has no partner made `\ufffd`; `None` if there
/// is none.
fn mend_surrogates(text: &str) -> Option<String> {
    let mut mended = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('\\')) {
        at += found;
        let step = match unit(text, at) {
            Some(0xD800..0xDC00) => match unit(text, at + 6) {
                Some(0xDC00..0xE000) => 12,
                _ => 0,
            },
            Some(0xDC00..0xE000) => 0,
            Some(_) => 6,
            None => 2,
        };
        if step == 0 {
            mended.push_str(text.get(copied..at)?);
            mended.push_str("\\ufffd");
            copied = at + 6;
        }
        at += step.max(if step == 0 { 6 } else { 0 });
    }
    if copied == 0 {
        return None;
    }
    mended.push_str(text.get(copied..)?);
    Some(mended)
}

/// The text with every number beyond a float of 64 bits made the largest, with its sign; `None` if
/// there is none.
fn cut_numbers(text: &str) -> Option<String> {
    let mut cut = String::new();
    let mut copied = 0;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'"' {
            skip_string(&mut bytes);
        } else if byte == b'-' || byte.is_ascii_digit() {
            let from = text.len() - bytes.len() - 1;
            let rest = text.get(from..)?;
            let part = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
            let number = rest.split(|c| !part(c)).next()?;
            let to = from + number.len();
            if number.parse().is_ok_and(f64::is_infinite) {
                cut.push_str(text.get(copied..from)?);
                cut.push_str(if byte == b'-' { "-" } else { "" });
                cut.push_str(&format!("{:e}", f64::MAX));
                copied = to;
            }
            bytes = text.get(to..)?.bytes();
        }
    }
    if copied == 0 {
        return None;
    }
    cut.push_str(text.get(copied..)?);
    Some(cut)
}

/// The UTF-16 unit that the escape `\u` and four hex digits at this place stands for.
fn unit(text: &str, at: usize) -> Option<u16> {
    let hex = text.get(at..at + 6)?.strip_prefix("\\u")?;
    if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u16::from_str_radix(hex, 16).ok()
}
