//! Values on their way into columns, and keys as JSON.

use std::ops::RangeInclusive;

use rs::{Day, Key};
use serde_json::{Value, json};

/// A row for a bulk load.
macro_rules! row {
    ($($value:expr),+ $(,)?) => {{
        let mut row = tiberius::TokenRow::new();
        $(row.push(tiberius::IntoSql::into_sql($value));)+
        row
    }};
}
pub(super) use row;

/// A day, a depth, a number of a list: `int`.
pub(super) fn int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// `binary(16)`, or null.
pub(super) fn key(key: Option<&Key>) -> Option<&[u8]> {
    key.map(<[u8; 16]>::as_slice)
}

/// Keys as the statements take them.
pub(super) fn keys<'k>(keys: impl IntoIterator<Item = (Day, &'k Key)>) -> String {
    let keys = keys.into_iter().map(|(day, key)| json!({"d": day, "k": hex(key)}));
    Value::Array(keys.collect()).to_string()
}

/// Numbers of a list.
pub(super) fn numbers(numbers: impl IntoIterator<Item = i64>) -> String {
    Value::Array(numbers.into_iter().map(Value::from).collect()).to_string()
}

/// Days and GUIDs.
pub(super) fn guids<'g>(guids: impl IntoIterator<Item = (Day, &'g str)>) -> String {
    let guids = guids.into_iter().map(|(day, guid)| json!({"d": day, "g": guid}));
    Value::Array(guids.collect()).to_string()
}

/// Sessions: day, component and name.
pub(super) fn sessions<'s>(sessions: impl IntoIterator<Item = (Day, i64, &'s str)>) -> String {
    let sessions = sessions.into_iter();
    let sessions =
        sessions.map(|(day, component, name)| json!({"d": day, "c": component, "s": name}));
    Value::Array(sessions.collect()).to_string()
}

/// Times of sessions: component, name, and from when to when.
pub(super) fn times<'s>(
    times: impl IntoIterator<Item = (i64, &'s str, &'s RangeInclusive<i64>)>,
) -> String {
    let times = times.into_iter().map(
        |(component, name, of)| json!({"c": component, "s": name, "f": of.start(), "u": of.end()}),
    );
    Value::Array(times.collect()).to_string()
}

fn hex(key: &Key) -> String {
    use std::fmt::Write as _;
    let mut hex = String::with_capacity(32);
    for byte in key {
        // a `String` takes everything
        let _written = write!(hex, "{byte:02X}");
    }
    hex
}
