//! Erasure in the files: day by day, table by table, in slices that hold the writer for a moment
//! each. How far one has come is in the main file, written after each slice: a slice that is done
//! twice changes nothing. A file that was changed is written anew at its end, so that nothing of
//! the number is left in its free pages.

use std::time::Duration;

use rs::erase::{
    Erased, Number, NumberHash, Numbers, SEAL, Secret, body_without, kept_without, newest, seal,
};
use rs::quality::QualityFact;
use rs::report::Call;
use rs::{Day, Key};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};

use super::Sqlite;
use super::aside::of_main;
use super::custody;
use super::files::{self, Layout};
use super::write::Writer;
use crate::store::custody::Audit;
use crate::store::erasing::{Erasing, Erasure, LATE_MS, LETTER_ROWS, Place};
use crate::store::{StoreError, secret};

/// Calls of a slice.
const CALLS: i64 = 100;
/// Rows of a slice.
const ROWS: i64 = 500;
/// So long a log waits for who reads it, before the next try.
const READ: Duration = Duration::from_millis(200);

/// A table that is searched, by its key, and its columns that may hold a number. A row whose key is
/// a name that holds one goes whole.
struct Table {
    name: &'static str,
    key: &'static [&'static str],
    texts: &'static [&'static str],
}

const LETTERS: Table =
    Table { name: "rs_dead_letter", key: &["no"], texts: &["properties", "body", "text"] };
const KEPT: Table = Table { name: "rs_kept_record", key: &["no"], texts: &["body"] };
/// Of figures: they are by the key, which stays.
const NAMES: Table = Table { name: "rs_text_dim", key: &["key"], texts: &["value"] };
const FIGURES: Table =
    Table { name: "rs_snmp_value", key: &["component_id", "name"], texts: &["value"] };
const MAIN: &[Table] = &[KEPT, LETTERS, NAMES, FIGURES];
const DAY: &[Table] = &[
    KEPT,
    LETTERS,
    Table { name: "rs_call_event", key: &["no"], texts: &["label", "text", "extra"] },
    Table { name: "rs_var_call", key: &["call_key"], texts: &["reason", "notes"] },
    Table { name: "rs_var_action", key: &["call_key", "n"], texts: &["action", "reason", "notes"] },
    Table { name: "rs_var_custom", key: &["call_key", "name"], texts: &["value"] },
    Table { name: "rs_sq_call", key: &["id_key"], texts: &["fact"] },
    Table { name: "rs_sq_failure", key: &["failure_key"], texts: &["text"] },
];

impl Erasing for Sqlite {
    fn begin(&self, number: &Number, line: &Audit) -> Result<i64, StoreError> {
        self.write(|writer| {
            let number = number.hash(&writer.secret);
            let transaction = writer.main.unchecked_transaction()?;
            let insert = "INSERT INTO rs_erasure (digits, hash, requested_ms) VALUES (?1, ?2, ?3)";
            transaction.execute(insert, params![number.digits, number.hash, line.time_ms])?;
            let no = transaction.last_insert_rowid();
            let note = "INSERT OR REPLACE INTO rs_meta VALUES (?1, ?2)";
            transaction.execute(note, params![SEAL, seal(&writer.secret, no)])?;
            custody::note(&transaction, &line.about(no))?;
            transaction.commit()?;
            writer.erased = erased(&writer.main, &writer.secret)?;
            Ok(no)
        })
    }

    fn forget(&self, legs: &[Call], line: &Audit) -> Result<(), StoreError> {
        self.write(|writer| writer.forget(legs, line))
    }

    fn erasures(&self, limit: usize) -> Result<Vec<Erasure>, StoreError> {
        self.read(|reader| {
            let sql = "SELECT no, requested_ms, ended_ms, calls, rows, day
                FROM rs_erasure WHERE digits > 0 ORDER BY no DESC LIMIT ?1";
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut all = reader.main.prepare_cached(sql)?;
            let all = all.query_map([limit], |row| {
                Ok(Erasure {
                    no: row.get(0)?,
                    requested_ms: row.get(1)?,
                    ended_ms: row.get(2)?,
                    calls: row.get(3)?,
                    rows: row.get(4)?,
                    day: row.get(5)?,
                })
            })?;
            Ok(all.collect::<Result<_, _>>()?)
        })
    }

    fn go_on(&self, now_ms: i64) -> Result<bool, StoreError> {
        let _unmoved = self.unmoved();
        self.write(|writer| writer.erase_some(now_ms))
    }
}

/// The secret, which must be that of the erasures, and what records that come must not tell.
pub(super) fn known(main: &Connection, layout: &Layout) -> Result<(Secret, Erased), StoreError> {
    let any = "SELECT EXISTS (SELECT 1 FROM rs_erasure)";
    let any = main.query_row(any, [], |row| row.get(0))?;
    let secret = secret::read_or_make(&layout.secret_path(), any)?;
    let sealed = "SELECT value FROM rs_meta WHERE key = ?1";
    let sealed: Option<String> = main.query_row(sealed, [SEAL], |row| row.get(0)).optional()?;
    newest(&secret, sealed.as_deref())?;
    Ok((secret, erased(main, &secret)?))
}

/// What records that come must not tell.
pub(super) fn erased(main: &Connection, secret: &Secret) -> Result<Erased, StoreError> {
    let mut all = main.prepare("SELECT digits, hash, requested_ms FROM rs_erasure")?;
    let all = all.query_map([], |row| {
        let number = NumberHash { digits: row.get(0)?, hash: row.get(1)? };
        Ok((number, row.get::<_, i64>(2)?.saturating_add(LATE_MS)))
    })?;
    Ok(Erased::of(all.collect::<Result<_, _>>()?, *secret))
}

/// Notes, before the first change of a file is stored, that it has free pages with the number: a
/// cut behind the change finds nothing to change any more.
pub(super) fn changing(main: &Connection) -> Result<(), StoreError> {
    let note = "UPDATE rs_erasure SET changed = 1
        WHERE no = (SELECT min(no) FROM rs_erasure WHERE ended_ms IS NULL) AND changed = 0";
    let note = || Ok(main.prepare_cached(note)?.execute([])?);
    of_main(note())?;
    Ok(())
}

impl Writer {
    fn erase_some(&mut self, now_ms: i64) -> Result<bool, StoreError> {
        let Some(mut place) = self.place()? else { return Ok(false) };
        let numbers = Numbers::of([place.number], self.secret);
        let tables = if place.day == 0 { MAIN } else { DAY };
        let (calls, rows) = match tables.get(place.stage) {
            Some(table) => (0, self.erase_texts(&mut place, table, &numbers, now_ms)?),
            None if place.day != 0 && place.stage == tables.len() => {
                (self.erase_some_calls(&mut place, &numbers, now_ms)?, 0)
            }
            None if place.day != 0 && place.stage == tables.len() + 1 => {
                (0, self.erase_traces(&mut place, &numbers, now_ms)?)
            }
            None if place.changed != 0 && place.stage <= tables.len() + 2 => {
                if let Some(db) = self.file(place.day, now_ms)? {
                    files::write_anew(db)?;
                }
                place.stage = tables.len() + 3;
                (0, 0)
            }
            None => {
                if let Some(db) = self.file(place.day, now_ms)?.filter(|_| place.changed != 0) {
                    empty_log(db)?;
                }
                let next = self.days.all()?.into_iter().find(|day| *day > place.day);
                match next {
                    Some(day) => place.turn(day),
                    None => {
                        let end = "UPDATE rs_erasure SET ended_ms = ?2 WHERE no = ?1";
                        self.main.execute(end, params![place.no, now_ms])?;
                    }
                }
                (0, 0)
            }
        };
        self.survive()?;
        let (stage, changed) = (i64::try_from(place.stage).unwrap_or(0), place.changed);
        self.main.execute(
            "UPDATE rs_erasure SET day = ?2, stage = ?3, after = ?4, changed = ?5,
               calls = calls + ?6, rows = rows + ?7 WHERE no = ?1",
            params![place.no, place.day, stage, place.after, changed, calls, rows],
        )?;
        Ok(true)
    }

    fn place(&self) -> Result<Option<Place>, StoreError> {
        let sql = "SELECT no, digits, hash, day, stage, after, changed FROM rs_erasure
            WHERE ended_ms IS NULL ORDER BY no LIMIT 1";
        let place = self.main.query_row(sql, [], |row| {
            Ok(Place {
                no: row.get(0)?,
                number: NumberHash { digits: row.get(1)?, hash: row.get(2)? },
                day: row.get(3)?,
                stage: usize::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
                after: row.get(5)?,
                changed: row.get(6)?,
            })
        });
        Ok(place.optional()?)
    }

    /// A slice of one table: rows are passed in the order of the first column of the key.
    fn erase_texts(
        &mut self,
        place: &mut Place,
        table: &Table,
        numbers: &Numbers,
        now_ms: i64,
    ) -> Result<i64, StoreError> {
        let Self { main, days, .. } = self;
        let db = match place.day {
            0 => &*main,
            day => match days.find(day, now_ms)? {
                Some(db) => &*db,
                None => return Ok(done(place)),
            },
        };
        let Table { name, key, texts } = table;
        let Some(first) = key.first() else { return Ok(done(place)) };
        let after = match (*first, <[u8; 8]>::try_from(&*place.after)) {
            ("no" | "key" | "component_id", Ok(no)) => Value::from(i64::from_be_bytes(no)),
            ("no" | "key" | "component_id", Err(_)) => Value::from(i64::MIN),
            _ => Value::from(place.after.clone()),
        };
        let rows = if *name == LETTERS.name { LETTER_ROWS } else { ROWS };
        // up to a key, with all rows of it
        let upto = format!(
            "SELECT max(k) FROM (SELECT {first} AS k FROM {name} WHERE {first} > ?1
             ORDER BY {first} LIMIT {rows})"
        );
        let upto: Value = db.query_row(&upto, [&after], |row| row.get(0))?;
        place.after = match &upto {
            Value::Integer(no) => no.to_be_bytes().to_vec(),
            Value::Blob(key) => key.clone(),
            _ => return Ok(done(place)),
        };
        let transaction = db.unchecked_transaction()?;
        let found = told(&transaction, table, (&after, &upto), numbers)?;
        if !found.is_empty() {
            changing(main)?;
            place.changed = 1;
        }
        let which: Vec<String> = key.iter().map(|column| format!("{column} = ?")).collect();
        let which = which.join(" AND ");
        for (keys, values) in &found {
            if named(keys, numbers) {
                let gone = format!("DELETE FROM {name} WHERE {which}");
                transaction.execute(&gone, params_from_iter(keys))?;
                continue;
            }
            let values = texts.iter().zip(values);
            for (text, value) in values.filter_map(|(text, value)| Some((text, value.as_ref()?))) {
                let update = format!("UPDATE {name} SET {text} = ? WHERE {which}");
                let values = std::iter::once(value).chain(keys);
                transaction.execute(&update, params_from_iter(values))?;
            }
        }
        transaction.commit()?;
        Ok(i64::try_from(found.len()).unwrap_or(i64::MAX))
    }

    fn erase_some_calls(
        &mut self,
        place: &mut Place,
        numbers: &Numbers,
        now_ms: i64,
    ) -> Result<i64, StoreError> {
        let keys = match self.days.find(place.day, now_ms)? {
            Some(db) => keys(db, "rs_call", &place.after)?,
            None => Vec::new(),
        };
        let Some(last) = keys.last() else { return Ok(done(place)) };
        place.after = last.to_vec();
        // texts of failures are masked in their own table, on whatever day they are
        let (erased, _beside) = self.erase_calls(place.day, &keys, Some(numbers), now_ms)?;
        place.changed |= i64::from(!erased.is_empty());
        Ok(i64::try_from(erased.len()).unwrap_or(i64::MAX))
    }

    /// Traces of other calls: one that tells the number goes.
    fn erase_traces(
        &mut self,
        place: &mut Place,
        numbers: &Numbers,
        now_ms: i64,
    ) -> Result<i64, StoreError> {
        let Self { main, days, .. } = self;
        let Some(db) = days.find(place.day, now_ms)? else { return Ok(done(place)) };
        let keys = keys(db, "rs_call_trace", &place.after)?;
        let Some(last) = keys.last() else { return Ok(done(place)) };
        place.after = last.to_vec();
        let transaction = db.transaction()?;
        let mut gone = 0;
        for key in &keys {
            let steps = "SELECT steps FROM rs_call_trace WHERE call_key = ?1";
            let steps: Vec<u8> = transaction.query_row(steps, [key], |row| row.get(0))?;
            // one that cannot be read any more is of no use to anybody
            let told = zstd::stream::decode_all(&*steps);
            if told.map_or(true, |steps| numbers.are_in(&steps)) {
                let remove = "DELETE FROM rs_call_trace WHERE call_key = ?1";
                gone += i64::try_from(transaction.execute(remove, [key])?).unwrap_or(0);
            }
        }
        if gone > 0 {
            changing(main)?;
            place.changed = 1;
        }
        transaction.commit()?;
        Ok(gone)
    }

    /// The file that is searched, if it is still there.
    fn file(&mut self, day: Day, now_ms: i64) -> Result<Option<&Connection>, StoreError> {
        match day {
            0 => Ok(Some(&self.main)),
            day => Ok(self.days.find(day, now_ms)?.map(|db| &*db)),
        }
    }
}

/// The log of a file without anything; an error while somebody still reads what is in it.
fn empty_log(db: &Connection) -> Result<(), StoreError> {
    // the writer waits for nobody
    db.busy_timeout(READ)?;
    let busy = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    db.busy_timeout(files::BUSY)?;
    match busy? {
        true => Err(StoreError::Unavailable("the log of an erased file is being read".into())),
        false => Ok(()),
    }
}

/// A row that tells a number: its key, and what is to stand in each column that does.
type Told = (Vec<Value>, Vec<Option<Value>>);

/// The rows of a part of a table that tell a number.
fn told(
    db: &Connection,
    table: &Table,
    (after, upto): (&Value, &Value),
    numbers: &Numbers,
) -> Result<Vec<Told>, StoreError> {
    let Table { name, key, texts } = table;
    let columns = [*key, *texts].concat().join(", ");
    let first = key.first().copied().unwrap_or_default();
    let rows = format!("SELECT {columns} FROM {name} WHERE {first} > ?1 AND {first} <= ?2");
    let mut rows = db.prepare(&rows)?;
    let rows = rows.query_map([after, upto], |row| {
        let keys = (0..key.len()).map(|at| row.get::<_, Value>(at));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let values = texts.iter().enumerate().map(|(at, column)| {
            let value = row.get_ref(key.len() + at)?;
            Ok(match *column {
                "fact" => fact(value, numbers),
                "body" if *name == KEPT.name => kept(value, numbers),
                _ => without(value, numbers),
            })
        });
        Ok((keys, values.collect::<Result<Vec<_>, rusqlite::Error>>()?))
    })?;
    let mut found = rows.collect::<Result<Vec<_>, _>>()?;
    found.retain(|(keys, values)| named(keys, numbers) || values.iter().any(Option::is_some));
    Ok(found)
}

/// Whether the name by which a row is known holds a number.
fn named(keys: &[Value], numbers: &Numbers) -> bool {
    keys.iter().any(|key| matches!(key, Value::Text(name) if numbers.are_in(name.as_bytes())))
}

/// A fact of quality without the numbers; one that cannot be read stays.
fn fact(value: ValueRef<'_>, numbers: &Numbers) -> Option<Value> {
    let mut fact = QualityFact::decode(value.as_blob().ok()?)?;
    fact.wipe(numbers).then(|| Value::from(fact.encode()))
}

/// A record that is kept whole without the numbers; `None`: it holds none.
fn kept(value: ValueRef<'_>, numbers: &Numbers) -> Option<Value> {
    kept_without(numbers, value.as_str().ok()?).map(Value::from)
}

/// This table is done, and nothing of it was changed.
fn done(place: &mut Place) -> i64 {
    place.next();
    0
}

/// The next keys of calls.
fn keys(db: &Connection, table: &str, after: &[u8]) -> Result<Vec<Key>, StoreError> {
    let sql =
        format!("SELECT call_key FROM {table} WHERE call_key > ?1 ORDER BY call_key LIMIT {CALLS}");
    let mut keys = db.prepare(&sql)?;
    let keys = keys.query_map([after], |row| row.get(0))?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// A value without the numbers; `None`: it holds none.
fn without(value: ValueRef<'_>, numbers: &Numbers) -> Option<Value> {
    match value {
        ValueRef::Text(text) => {
            let text = String::from_utf8(numbers.without_bytes(text)?).ok()?;
            Some(Value::from(text))
        }
        // of a dead letter
        ValueRef::Blob(bytes) => body_without(numbers, bytes).map(Value::from),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => None,
    }
}
