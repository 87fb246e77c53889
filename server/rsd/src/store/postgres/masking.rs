//! The texts of the tables that may hold an erased number, read slice by slice, and what is put in
//! their place.

use rs::Key;
use rs::erase::{Numbers, body_without, kept_without};
use rs::quality::QualityFact;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::erasing::{Found, bit};
use super::link::{Link, Uid};
use super::load::{signed, uid};
use crate::store::StoreError;
use crate::store::erasing::{LETTER_ROWS, Place};

/// Rows of a slice.
const ROWS: i64 = 500;
/// Calls of a slice.
const CALLS: i64 = 100;

/// A table that is searched: its key with the types, and its columns that may hold a number. A row
/// whose key is a name that holds one goes whole.
pub(super) struct Table {
    pub(super) name: &'static str,
    key: &'static [(&'static str, &'static str)],
    texts: &'static [(&'static str, Kind)],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// Of a dead letter.
    Body,
    /// Of quality.
    Fact,
    /// A record that is kept whole.
    Kept,
}

use Kind::{Body, Fact, Kept, Text};

const ID: &[(&str, &str)] = &[("id_key", "uuid")];
const CALL: (&str, &str) = ("call_key", "uuid");
const NAME: (&str, &str) = ("name", "text");

/// What is not by day. Texts of figures: they are by the key, which stays.
pub(super) const WHOLE: &[Table] = &[
    Table {
        name: "rs_dead_letter",
        key: &[("no", "bigint")],
        texts: &[("properties", Text), ("body", Body), ("text", Text)],
    },
    Table { name: "rs_text_dim", key: &[("key", "bigint")], texts: &[("value", Text)] },
    Table {
        name: "rs_snmp_value",
        key: &[("component_id", "bigint"), NAME],
        texts: &[("value", Text)],
    },
];
pub(super) const BY_DAY: &[Table] = &[
    Table { name: "rs_kept_record", key: ID, texts: &[("body", Kept)] },
    Table {
        name: "rs_call_event",
        key: ID,
        texts: &[("label", Text), ("text", Text), ("extra", Text)],
    },
    Table { name: "rs_var_call", key: &[CALL], texts: &[("reason", Text), ("notes", Text)] },
    Table {
        name: "rs_var_action",
        key: &[CALL, ("n", "bigint")],
        texts: &[("action", Text), ("reason", Text), ("notes", Text)],
    },
    Table { name: "rs_var_custom", key: &[CALL, NAME], texts: &[("value", Text)] },
    Table { name: "rs_sq_call", key: ID, texts: &[("fact", Fact)] },
    Table { name: "rs_sq_failure", key: &[("failure_key", "uuid")], texts: &[("text", Text)] },
];
/// What else changes when a call is erased.
pub(super) const OF_CALLS: [&str; 3] = ["rs_call", "rs_call_fact_state", "rs_call_trace"];

/// The next calls of a day with one column; none: the table is done.
pub(super) fn keyed(
    link: &mut Link,
    place: &mut Place,
    (table, column): (&str, &str),
) -> Result<Vec<Row>, StoreError> {
    let sql = format!(
        "SELECT call_key, {column} FROM {table} WHERE day = $1 AND call_key > $2
         ORDER BY call_key LIMIT {CALLS}"
    );
    // no call has the key that is all zeros
    let after = Key::try_from(&*place.after).unwrap_or_default();
    let rows = link.query(&sql, &[&signed(place.day), &Uid(after)])?;
    match rows.last() {
        Some(row) => place.after = uid(row, 0).to_vec(),
        None => place.next(),
    }
    Ok(rows)
}

/// Traces of other calls: one that tells the number goes.
pub(super) fn traces(
    link: &mut Link,
    place: &mut Place,
    numbers: &Numbers,
    write: bool,
) -> Result<Found, StoreError> {
    let rows = keyed(link, place, ("rs_call_trace", "steps"))?;
    let tells = |row: &&Row| {
        // one that cannot be read any more is of no use to anybody
        zstd::stream::decode_all(row.get::<_, &[u8]>(1))
            .map_or(true, |steps| numbers.are_in(&steps))
    };
    let keys: Vec<Uid> = rows.iter().filter(tells).map(|row| Uid(uid(row, 0))).collect();
    if write && !keys.is_empty() {
        let gone = "DELETE FROM rs_call_trace WHERE day = $1 AND call_key = ANY($2)";
        link.execute(gone, &[&signed(place.day), &keys])?;
        place.changed |= bit(place, "rs_call_trace");
    }
    Ok(Found { rows: count(keys.len()), ..Found::default() })
}

/// A slice of one table, in the order of the first column of its key, with all rows of the last.
pub(super) fn texts(
    link: &mut Link,
    place: &mut Place,
    table: &Table,
    numbers: &Numbers,
    write: bool,
) -> Result<Found, StoreError> {
    let Table { name, key, texts } = table;
    let Some((first, kind)) = key.first() else { return Ok(Found::default()) };
    let after = String::from_utf8_lossy(&place.after).into_owned();
    let day = if place.day == 0 { "$1 = 0" } else { "day = $1" };
    let behind = |sign: &str, at: u8| format!("{first} {sign} ${at}::text::{kind}");
    let begins = if after.is_empty() { "$2 = ''".to_owned() } else { behind(">", 2) };
    let letters = texts.iter().any(|(_, kind)| *kind == Body);
    let rows = if letters { LETTER_ROWS } else { ROWS };
    let upto = format!(
        "SELECT k::text FROM (SELECT {first} AS k FROM {name} WHERE {day} AND {begins}
         ORDER BY {first} LIMIT {rows}) slice ORDER BY k DESC LIMIT 1"
    );
    let upto = link.query(&upto, &[&signed(place.day), &after])?;
    let Some(upto) = upto.first().map(|row| row.get::<_, String>(0)) else {
        place.next();
        return Ok(Found::default());
    };
    let keys = key.iter().map(|(name, _)| format!("{name}::text"));
    let columns = keys.chain(texts.iter().map(|(name, _)| (*name).to_owned()));
    let rows = format!(
        "SELECT {} FROM {name} WHERE {day} AND {begins} AND {}",
        columns.collect::<Vec<_>>().join(", "),
        behind("<=", 3)
    );
    let rows = link.query(&rows, &[&signed(place.day), &after, &upto])?;
    place.after = upto.into_bytes();
    let mut found = Found::default();
    for row in &rows {
        let values = texts.iter().enumerate();
        let values = values.map(|(at, (_, kind))| without(row, key.len() + at, *kind, numbers));
        let values: Vec<Option<Value>> = values.collect();
        let gone = key.iter().enumerate().any(|(at, column)| {
            *column == NAME && numbers.are_in(row.get::<_, &str>(at).as_bytes())
        });
        if !gone && values.iter().all(Option::is_none) {
            continue;
        }
        found.rows += 1;
        if write {
            mask(link, place, table, (row, (!gone).then_some(&*values)))?;
            place.changed |= bit(place, name);
        }
    }
    Ok(found)
}

enum Value {
    Text(String),
    Bytes(Vec<u8>),
}

/// A value without the numbers; `None`: it holds none.
fn without(row: &Row, at: usize, kind: Kind, numbers: &Numbers) -> Option<Value> {
    match kind {
        Text => {
            let text = row.get::<_, Option<&str>>(at)?;
            numbers.without(text).map(Value::Text)
        }
        Kept => kept_without(numbers, row.get(at)).map(Value::Text),
        Body => body_without(numbers, row.get(at)).map(Value::Bytes),
        Fact => {
            // one that cannot be read stays
            let mut fact = QualityFact::decode(row.get(at))?;
            fact.wipe(numbers).then(|| Value::Bytes(fact.encode()))
        }
    }
}

/// Puts the values of one row in place of what told a number; without values it goes.
fn mask(
    link: &mut Link,
    place: &Place,
    table: &Table,
    (row, values): (&Row, Option<&[Option<Value>]>),
) -> Result<(), StoreError> {
    let Table { name, key, texts } = table;
    let which = |from: usize| {
        let which = key.iter().zip(from..);
        let which = which.map(|((name, kind), at)| format!("{name} = ${at}::text::{kind}"));
        which.collect::<Vec<_>>().join(" AND ")
    };
    let keys: Vec<String> = (0..key.len()).map(|at| row.get(at)).collect();
    let day = signed(place.day);
    let of_day = if place.day == 0 { "$1 = 0" } else { "day = $1" };
    let Some(values) = values else {
        let sql = format!("DELETE FROM {name} WHERE {of_day} AND {}", which(2));
        let keys = keys.iter().map(|key| key as &(dyn ToSql + Sync));
        let all: Vec<_> = std::iter::once(&day as &(dyn ToSql + Sync)).chain(keys).collect();
        link.execute(&sql, &all)?;
        return Ok(());
    };
    for ((text, _), value) in texts.iter().zip(values) {
        let value: &(dyn ToSql + Sync) = match value {
            Some(Value::Text(text)) => text,
            Some(Value::Bytes(bytes)) => bytes,
            None => continue,
        };
        let sql = format!("UPDATE {name} SET {text} = $2 WHERE {of_day} AND {}", which(3));
        let mut all: Vec<&(dyn ToSql + Sync)> = vec![&day, value];
        all.extend(keys.iter().map(|key| key as &(dyn ToSql + Sync)));
        link.execute(&sql, &all)?;
    }
    Ok(())
}

pub(super) fn count(many: usize) -> i64 {
    i64::try_from(many).unwrap_or(i64::MAX)
}
