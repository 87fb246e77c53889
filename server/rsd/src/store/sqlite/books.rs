//! The books: what came, what was told, what was stored (spec rs.md §6). The stored side is counted
//! in the files that stored, and added up.

use std::collections::{BTreeMap, BTreeSet};

use rs::Intervals;
use rs::integrity::{Gap, Stored, Told, beginnings};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::read::Reader;
use crate::store::{Books, BooksAsked, StoreError, StreamBooks};

impl Reader {
    pub(super) fn books(&mut self, asked: &BooksAsked) -> Result<Books, StoreError> {
        let told = told(&self.main, asked)?;
        let mut books = Books {
            streams: streams(&self.main, asked)?,
            first: first(&self.main, &told, asked)?,
            told,
            ..Books::default()
        };
        let mut minutes = BTreeMap::new();
        figures(&self.main, asked, &mut books.figures)?;
        for day in self.all_days()? {
            self.days.ask(day, self.now_ms, |db| {
                figures(db, asked, &mut books.figures)?;
                stored(db, asked, &mut minutes)
            })?;
        }
        books.stored = minutes.into_values().collect();
        Ok(books)
    }

    pub(super) fn sums(&mut self, (from, to): (i64, i64)) -> Result<Vec<Told>, StoreError> {
        let sql = "SELECT minute_ms, sum(calls_in), sum(records_out), sum(in_progress)
             FROM rs_integrity_minute WHERE minute_ms >= ?1 AND minute_ms < ?2
             GROUP BY minute_ms ORDER BY minute_ms";
        let mut statement = self.main.prepare_cached(sql)?;
        let rows = statement.query_map([from, to], |row| {
            let (calls_in, records_out) = (row.get(1)?, row.get(2)?);
            let (minute_ms, in_progress) = (row.get(0)?, row.get(3)?);
            Ok(Told { minute_ms, calls_in, records_out, in_progress, ..Told::default() })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(super) fn producers(&mut self, after: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let numbered = "SELECT DISTINCT producer FROM rs_producer_stream WHERE producer > ?1
             ORDER BY producer LIMIT ?2";
        let mut names = BTreeSet::new();
        names_of(&self.main, numbered, after, limit, &mut names)?;
        let counted = "SELECT producer FROM rs_figure WHERE name = 'stored' AND producer > ?1
             ORDER BY producer LIMIT ?2";
        names_of(&self.main, counted, after, limit, &mut names)?;
        for day in self.all_days()? {
            self.days
                .ask(day, self.now_ms, |db| names_of(db, counted, after, limit, &mut names))?;
        }
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(names.into_iter().take(most).collect())
    }
}

fn names_of(
    db: &Connection,
    sql: &str,
    after: &str,
    limit: u32,
    names: &mut BTreeSet<String>,
) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached(sql)?;
    for name in statement.query_map(params![after, limit], |row| row.get(0))? {
        names.insert(name?);
    }
    Ok(())
}

fn streams(main: &Connection, asked: &BooksAsked) -> Result<Vec<StreamBooks>, StoreError> {
    let Some(since) = asked.heard_ms else { return Ok(Vec::new()) };
    const COLUMNS: &str = "SELECT producer, boot, stream, received, max_seq, announced_seq,
           duplicates, first_ms, last_ms, gaps FROM rs_producer_stream
         WHERE (last_ms >= ?1 OR gaps <> x'')";
    let row = |row: &rusqlite::Row<'_>| {
        Ok(StreamBooks {
            producer: row.get(0)?,
            boot: row.get::<_, i64>(1)?.cast_unsigned(),
            stream: row.get(2)?,
            received: Intervals::decode(&row.get::<_, Vec<u8>>(3)?),
            max_seq: row.get::<_, i64>(4)?.cast_unsigned(),
            announced_seq: row.get::<_, i64>(5)?.cast_unsigned(),
            duplicates: row.get::<_, i64>(6)?.cast_unsigned(),
            seen_ms: (row.get(7)?, row.get(8)?),
            gaps: Gap::decode(&row.get::<_, Vec<u8>>(9)?),
        })
    };
    let rows = match &asked.producer {
        None => {
            let sql = format!("{COLUMNS} ORDER BY producer, boot, stream");
            let mut statement = main.prepare_cached(&sql)?;
            statement.query_map([since], row)?.collect::<Result<_, _>>()?
        }
        Some(name) => {
            let sql = format!("{COLUMNS} AND producer = ?2 ORDER BY producer, boot, stream");
            let mut statement = main.prepare_cached(&sql)?;
            statement.query_map(params![since, name], row)?.collect::<Result<_, _>>()?
        }
    };
    Ok(rows)
}

type Minutes = BTreeMap<(String, i64, i64), Stored>;

/// What the producers told of their minutes.
fn told(main: &Connection, asked: &BooksAsked) -> Result<Vec<Told>, StoreError> {
    let [from, to] = asked.told();
    let (all, one) = (
        "SELECT producer, boot, minute_ms, calls_in, records_out, adopted_in, handed_out, rejected,
           in_progress FROM rs_integrity_minute WHERE minute_ms >= ?1 AND minute_ms < ?2
         ORDER BY minute_ms, producer, boot",
        "SELECT producer, boot, minute_ms, calls_in, records_out, adopted_in, handed_out, rejected,
           in_progress FROM rs_integrity_minute
         WHERE producer = ?3 AND minute_ms >= ?1 AND minute_ms < ?2
         ORDER BY minute_ms, producer, boot",
    );
    let row = |row: &rusqlite::Row<'_>| {
        Ok(Told {
            producer: row.get(0)?,
            boot: row.get(1)?,
            minute_ms: row.get(2)?,
            calls_in: row.get(3)?,
            records_out: row.get(4)?,
            adopted_in: row.get(5)?,
            handed_out: row.get(6)?,
            rejected: row.get(7)?,
            in_progress: row.get(8)?,
        })
    };
    let mut statement = main.prepare_cached(if asked.producer.is_some() { one } else { all })?;
    let rows = match &asked.producer {
        None => statement.query_map([from, to], row)?,
        Some(name) => statement.query_map(params![from, to, name], row)?,
    };
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The first minute of starts that may begin here.
fn first(
    main: &Connection,
    told: &[Told],
    asked: &BooksAsked,
) -> Result<BTreeMap<(String, i64), i64>, StoreError> {
    let sql = "SELECT minute_ms FROM rs_integrity_minute WHERE producer = ?1 AND boot = ?2
         ORDER BY minute_ms LIMIT 1";
    let mut statement = main.prepare_cached(sql)?;
    let mut first = BTreeMap::new();
    for (producer, boot) in beginnings(told, asked.minutes.0) {
        let minute = statement.query_row(params![producer, boot], |row| row.get(0)).optional()?;
        first.extend(minute.map(|minute| ((producer, boot), minute)));
    }
    Ok(first)
}

/// What a day's file stored of them.
fn stored(day: &Connection, asked: &BooksAsked, minutes: &mut Minutes) -> Result<(), StoreError> {
    let (from, to) = asked.minutes;
    let (all, one) = (
        "SELECT producer, boot, minute_ms, stored FROM rs_stored_minute
         WHERE minute_ms >= ?1 AND minute_ms < ?2",
        "SELECT producer, boot, minute_ms, stored FROM rs_stored_minute
         WHERE producer = ?3 AND minute_ms >= ?1 AND minute_ms < ?2",
    );
    let row = |row: &rusqlite::Row<'_>| {
        let (producer, boot) = (row.get(0)?, row.get(1)?);
        Ok(Stored { producer, boot, minute_ms: row.get(2)?, stored: row.get(3)? })
    };
    let mut statement = day.prepare_cached(if asked.producer.is_some() { one } else { all })?;
    let rows = match &asked.producer {
        None => statement.query_map([from, to], row)?,
        Some(name) => statement.query_map(params![from, to, name], row)?,
    };
    for row in rows {
        let row = row?;
        let key = (row.producer.clone(), row.boot, row.minute_ms);
        let all = minutes.entry(key).or_insert_with(|| Stored { stored: 0, ..row.clone() });
        all.stored += row.stored;
    }
    Ok(())
}

fn figures(
    db: &Connection,
    asked: &BooksAsked,
    figures: &mut BTreeMap<(String, String), u64>,
) -> Result<(), StoreError> {
    let (all, one) = (
        "SELECT producer, value FROM rs_figure WHERE name = ?1",
        "SELECT producer, value FROM rs_figure WHERE name = ?1 AND producer = ?2",
    );
    let mut statement = db.prepare_cached(if asked.producer.is_some() { one } else { all })?;
    for name in asked.figures {
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?));
        let rows = match &asked.producer {
            None => statement.query_map([name], row)?,
            Some(producer) => statement.query_map(params![name, producer], row)?,
        };
        for row in rows {
            let (producer, value): (String, i64) = row?;
            let sum = figures.entry(((*name).to_owned(), producer)).or_default();
            *sum = sum.saturating_add_signed(value);
        }
    }
    Ok(())
}
