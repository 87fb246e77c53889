//! The shapes of field values: text of a length, whole numbers, times, words, lists.
//!
//! Each reads one value or says what was expected; whether that costs the record is decided by
//! the field that asked (`Fields::required` or `Fields::optional`).

use serde_json::{Map, Value};

use super::fields::{Fields, Log};
use crate::id::LegId;
use crate::record::cdr::ObjectRef;
use crate::record::guid::CallGuid;
use crate::record::limits::{AHEAD_MS, DBID, EARLIEST_MS, GUID_CHARS, NAME_CHARS};
use crate::record::refusal::Refusal;
use crate::time::Millis;

/// Text of at most `chars` characters; longer text is cut.
pub(super) fn text(chars: usize) -> impl Fn(&Value, &mut Log) -> Result<String, Refusal> {
    move |value, log| {
        let mut text = any_text(value, log)?;
        // no text has more characters than bytes
        let end = if text.len() > chars { text.char_indices().nth(chars) } else { None };
        if let Some((end, _)) = end {
            text.truncate(end);
            log.notes.truncated = true;
        }
        Ok(text)
    }
}

/// Text of at most `bytes` bytes, cut between characters.
pub(super) fn text_bytes(bytes: usize) -> impl Fn(&Value, &mut Log) -> Result<String, Refusal> {
    move |value, log| {
        let mut text = any_text(value, log)?;
        if text.len() > bytes {
            text.truncate(text.floor_char_boundary(bytes));
            log.notes.truncated = true;
        }
        Ok(text)
    }
}

/// As [`text`], and not empty.
pub(super) fn name(chars: usize) -> impl Fn(&Value, &mut Log) -> Result<String, Refusal> {
    move |value, log| {
        let text = text(chars)(value, log)?;
        if text.is_empty() { Err(log.fault("bad_value", "not empty")) } else { Ok(text) }
    }
}

fn any_text(value: &Value, log: &mut Log) -> Result<String, Refusal> {
    let text = value.as_str().ok_or_else(|| log.fault("bad_type", "text"))?;
    Ok(without_nul(text, log))
}

/// Text without U+0000.
pub(super) fn without_nul(text: &str, log: &mut Log) -> String {
    if text.contains('\0') {
        log.notes.repaired = true;
        text.replace('\0', "")
    } else {
        text.to_owned()
    }
}

/// A whole number from 0, as a number or as text.
pub(super) fn int(value: &Value, log: &mut Log) -> Result<u64, Refusal> {
    signed(value).and_then(|n| u64::try_from(n).ok()).ok_or_else(|| {
        let code = if signed(value).is_some() { "bad_value" } else { "bad_type" };
        log.fault(code, "a whole number from 0")
    })
}

/// A whole number from 1, as a number or as text.
pub(super) fn from_one(value: &Value, log: &mut Log) -> Result<u64, Refusal> {
    match int(value, log)? {
        0 => Err(log.fault("bad_value", "numbers begin with 1")),
        number => Ok(number),
    }
}

/// A whole number from 0 up to a limit, as a number or as text.
pub(super) fn up_to(most: u64) -> impl Fn(&Value, &mut Log) -> Result<u64, Refusal> {
    move |value, log| {
        let number = int(value, log)?;
        if number > most {
            Err(log.fault("bad_value", &format!("at most {most}")))
        } else {
            Ok(number)
        }
    }
}

/// A whole number between a limit and its negative, as a number or as text.
pub(super) fn within(most: u64) -> impl Fn(&Value, &mut Log) -> Result<i64, Refusal> {
    move |value, log| {
        let number = signed(value).ok_or_else(|| log.fault("bad_type", "a whole number"))?;
        let number = i64::try_from(number).ok().filter(|number| number.unsigned_abs() <= most);
        number.ok_or_else(|| log.fault("bad_value", &format!("at most {most} more or less")))
    }
}

fn signed(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => {
            let exact = number.as_u64().map(i128::from).or_else(|| number.as_i64().map(i128::from));
            exact.or_else(|| number.as_f64().and_then(whole))
        }
        Value::String(text) => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let plain =
                (1..=20).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| text.parse().ok())?
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `5.0` and `1e3` are whole numbers too, as far as a double is exact.
fn whole(number: f64) -> Option<i128> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole and at most 2^53 by the test")]
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i128)
}

/// A DBID: they begin with 1, and other programs write 0 for none.
pub(super) fn dbid(value: &Value, log: &mut Log) -> Result<u32, Refusal> {
    let number = int(value, log)?;
    let dbid = u32::try_from(number).ok().filter(|dbid| (1..=DBID).contains(dbid));
    dbid.ok_or_else(|| log.fault("bad_value", "a DBID is from 1 to 2^31 - 1"))
}

/// A SIP status code.
pub(super) fn status(value: &Value, log: &mut Log) -> Result<u16, Refusal> {
    let code = int(value, log)?;
    let code = u16::try_from(code).ok().filter(|code| (100..700).contains(code));
    code.ok_or_else(|| log.fault("bad_value", "100 to 699"))
}

/// True or false.
pub(super) fn flag(value: &Value, log: &mut Log) -> Result<bool, Refusal> {
    value.as_bool().ok_or_else(|| log.fault("bad_type", "true or false"))
}

/// A JSON number of any kind; the largest stands for one that is none (`json`).
pub(super) fn number(value: &Value, log: &mut Log) -> Result<serde_json::Number, Refusal> {
    match value {
        Value::Number(number) if number.as_f64().is_some_and(|it| it.abs() < f64::MAX) => {
            Ok(number.clone())
        }
        _ => Err(log.fault("bad_type", "a number")),
    }
}

/// A time with zone, not before 2000 and not later than a day after the body arrived.
pub(super) fn time(value: &Value, log: &mut Log) -> Result<Millis, Refusal> {
    let text = value.as_str().ok_or_else(|| log.fault("bad_type", "a time as text"))?;
    let time = Millis::parse(text)
        .ok_or_else(|| log.fault("bad_time", "RFC 3339 with zone, such as 2026-11-22T10:00:00Z"))?;
    if time.0 < EARLIEST_MS || time.0 > log.arrived.0.saturating_add(AHEAD_MS) {
        return Err(log.fault("bad_time", "between 2000-01-01 and tomorrow"));
    }
    Ok(time)
}

/// A time that begins a bin.
pub(super) fn minute(value: &Value, log: &mut Log) -> Result<Millis, Refusal> {
    let time = time(value, log)?;
    if time.0.is_multiple_of(60_000) {
        Ok(time)
    } else {
        Err(log.fault("bad_value", "a whole minute"))
    }
}

/// A word of a closed list.
pub(super) fn word<W>(
    parse: impl Fn(&str) -> Option<W>,
) -> impl Fn(&Value, &mut Log) -> Result<W, Refusal> {
    move |value, log| {
        let text = value.as_str().ok_or_else(|| log.fault("bad_type", "text"))?;
        parse(text).ok_or_else(|| log.fault("bad_value", "none of the words of this field"))
    }
}

/// The GUID of a platform call.
pub(super) fn guid(value: &Value, log: &mut Log) -> Result<CallGuid, Refusal> {
    name(GUID_CHARS)(value, log).map(|text| CallGuid::new(&text))
}

/// A leg id.
pub(super) fn leg(value: &Value, log: &mut Log) -> Result<LegId, Refusal> {
    let text = value.as_str().ok_or_else(|| log.fault("bad_type", "text"))?;
    LegId::parse(text).ok_or_else(|| log.fault("bad_value", "8 hex digits"))
}

/// A list, every item of which must be right.
pub(super) fn strict_list<T>(
    longest: usize,
    item: impl Fn(&Value, &mut Log) -> Result<T, Refusal>,
) -> impl FnOnce(&Value, &mut Log) -> Result<Vec<T>, Refusal> {
    move |value, log| {
        let items = value.as_array().ok_or_else(|| log.fault("bad_type", "an array"))?;
        if items.len() > longest {
            return Err(log.fault("bad_value", &format!("at most {longest} items")));
        }
        let numbered = items.iter().enumerate();
        numbered.map(|(at, value)| log.inside(&at.to_string(), |log| item(value, log))).collect()
    }
}

/// A list of which wrong items are set aside, and what is too much is cut.
pub(super) fn list<T>(
    longest: usize,
    item: impl Fn(&Value, &mut Log) -> Result<T, Refusal>,
) -> impl FnOnce(&Value, &mut Log) -> Result<Vec<T>, Refusal> {
    move |value, log| {
        let items = value.as_array().ok_or_else(|| log.fault("bad_type", "an array"))?;
        log.notes.truncated |= items.len() > longest;
        let numbered = items.iter().take(longest).enumerate();
        Ok(numbered
            .filter_map(|(at, value)| log.inside(&at.to_string(), |log| log.or_bad(value, &item)))
            .collect())
    }
}

/// An object by name, DBID or both.
pub(super) fn object_ref(value: &Value, log: &mut Log) -> Result<ObjectRef, Refusal> {
    let mut fields = Fields::of(value, log)?;
    let object = ObjectRef {
        name: fields.optional(log, "name", name(NAME_CHARS)),
        dbid: fields.optional(log, "dbid", dbid),
    };
    fields.finish(log);
    if object == ObjectRef::default() {
        return Err(log.fault("missing_field", "name or dbid"));
    }
    Ok(object)
}

/// A copy without U+0000, which no database takes.
pub(super) fn clean(value: &Value, log: &mut Log) -> Value {
    match value {
        Value::String(text) => Value::String(without_nul(text, log)),
        Value::Array(items) => items.iter().map(|item| clean(item, log)).collect(),
        Value::Object(map) => {
            let members = map.iter().map(|(key, value)| {
                let key = without_nul(key, log);
                (key, clean(value, log))
            });
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}
