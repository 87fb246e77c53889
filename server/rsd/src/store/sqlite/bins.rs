//! Rollups in the files: bins and their texts in the main one, marks where their facts are. The job
//! writes through connections of its own, so that it never holds up the applier for longer than a
//! transaction.

use std::collections::{BTreeMap, BTreeSet};

use rs::erase::Secret;
use rs::rollup::{
    Aliases, At, BinRows, Changes, Dim, Granularity, Job, LevelKey, LevelRow, Levels, Mark,
    MarkRow, Meta, Numbered, Question, Span, Stored, Tables,
};
use rs::share::{Mention, Objects};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::bin_rows::{self, Where};
use super::files::{Days, Layout};
use super::write::begin;
use super::{Sqlite, custody, dims, erasing, keeping, marks};
use crate::store::bins::{Bins, LEASE, Series, Table};
use crate::store::custody::Audit;
use crate::store::{Day, StoreError};

/// The connections of the job.
pub(super) struct Roller {
    main: Connection,
    days: Days,
    secret: Secret,
}

/// Day files that it holds open.
pub(super) const OPEN_DAYS: usize = 4;

impl Roller {
    fn open(layout: Layout, now_ms: i64) -> Result<Self, StoreError> {
        let main = layout.open_main(now_ms)?;
        let (secret, _) = erasing::known(&main, &layout)?;
        Ok(Self { main, days: Days::new(layout, OPEN_DAYS), secret })
    }
}

impl Sqlite {
    /// Lends the job's connections; after an error they are not used again.
    fn roll<T>(
        &self,
        work: impl FnOnce(&mut Roller) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.ready()?;
        let mut job = super::lock(&self.job);
        let mut roller = match job.take() {
            Some(roller) => roller,
            None => self.told(Roller::open(self.layout.clone(), self.opened_ms))?,
        };
        let done = self.told(work(&mut roller))?;
        *job = Some(roller);
        Ok(done)
    }

    /// Does something while the job has the file of a day not open.
    pub(super) fn unrolled<T>(
        &self,
        day: Day,
        work: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.roll(|roller| {
            roller.days.close(day);
            work()
        })
    }
}

/// What the rollups have laid down.
pub(super) fn meta(main: &Connection) -> Result<Meta, StoreError> {
    let sql = "SELECT key, value FROM rs_meta WHERE key LIKE 'rollup.%'";
    let mut statement = main.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

impl Tables for Sqlite {
    type Error = StoreError;

    fn meta(&self) -> Result<Meta, StoreError> {
        self.read(|reader| meta(&reader.main))
    }

    fn aliases(&self) -> Result<Aliases, StoreError> {
        self.read(|reader| dims::aliases(&reader.main))
    }

    fn extent(&self) -> Result<Option<(i64, i64)>, StoreError> {
        self.read(|reader| {
            let mut extent: Option<(i64, i64)> = None;
            for table in bin_rows::TABLES {
                let of = |order: &str| {
                    let sql = format!(
                        "SELECT bin_ms FROM {table} WHERE gran = 1 ORDER BY bin_ms {order} LIMIT 1"
                    );
                    reader.main.query_row(&sql, [], |row| row.get::<_, i64>(0)).optional()
                };
                if let (Some(first), Some(last)) = (of("ASC")?, of("DESC")?) {
                    let (from, to) = extent.unwrap_or((first, last));
                    extent = Some((from.min(first), to.max(last)));
                }
            }
            Ok(extent)
        })
    }

    fn marks(
        &self,
        job: Job,
        from_ms: i64,
        until_ms: i64,
        most: usize,
    ) -> Result<Vec<MarkRow>, StoreError> {
        let small = matches!(job, Job::Spread | Job::Make(Granularity::FiveMinutes));
        self.roll(|roller| {
            let asked = (from_ms, until_ms, most);
            let mut rows = marks::read(&roller.main, None, job, asked)?;
            if small {
                for day in self.marked.seen() {
                    let of_file = |db: &mut _| marks::read(db, Some(day), job, asked);
                    rows.extend(roller.days.ask(day, self.opened_ms, of_file)?.unwrap_or_default());
                }
            }
            rows.sort_by_key(|row| (row.mark, row.day));
            rows.truncate(most);
            Ok(rows)
        })
    }

    fn spans(&self) -> Result<Vec<Span>, StoreError> {
        self.read(|reader| {
            let sql = "SELECT day, first_ms, last_ms FROM rs_fact_span ORDER BY day";
            let mut statement = reader.main.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| {
                Ok(Span { day: row.get(0)?, first_ms: row.get(1)?, last_ms: row.get(2)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn unreadable(&self) -> BTreeSet<Day> {
        self.layout.aside.all().into_keys().collect()
    }

    fn is_damage(&self, error: &StoreError) -> bool {
        matches!(error, StoreError::Damaged(_))
    }

    fn facts(&self, question: &Question) -> Result<Stored, StoreError> {
        self.read(|reader| reader.facts(question))
    }

    fn learn(
        &self,
        objects: &mut Objects,
        mentions: &BTreeSet<Mention>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        self.roll(|roller| dims::learn(objects, &mut roller.main, mentions, now_ms).map(|_| ()))
    }

    fn numbers(
        &self,
        asked: &BTreeMap<Day, BTreeSet<i64>>,
    ) -> Result<BTreeMap<Day, Numbered>, StoreError> {
        self.read(|reader| {
            let mut found = BTreeMap::new();
            for (day, ids) in asked {
                let all = "SELECT count(*) FROM rs_day_number WHERE day = ?1";
                let all: i64 =
                    reader.main.prepare_cached(all)?.query_row([day], |row| row.get(0))?;
                let mut known = BTreeSet::new();
                for id in ids {
                    let sql = "SELECT 1 FROM rs_day_number WHERE day = ?1 AND dim_id = ?2";
                    let mut one = reader.main.prepare_cached(sql)?;
                    if one.query_row(params![day, id], |_| Ok(())).optional()?.is_some() {
                        known.insert(*id);
                    }
                }
                found.insert(*day, (known, usize::try_from(all).unwrap_or(usize::MAX)));
            }
            Ok(found)
        })
    }

    fn rows(&self, of: Granularity, from_ms: i64, to_ms: i64) -> Result<BinRows, StoreError> {
        let values = [i64::from(of.number()), from_ms, to_ms].map(Value::from).to_vec();
        let sql = "gran = ?1 AND bin_ms >= ?2 AND bin_ms < ?3".to_owned();
        self.read(|reader| bin_rows::all(&reader.main, &Where { sql, values }))
    }

    fn levels(
        &self,
        at: At,
        before: &BTreeSet<LevelKey>,
        after: &BTreeSet<LevelKey>,
    ) -> Result<Levels, StoreError> {
        self.read(|reader| {
            let mut levels = Levels::default();
            for key in before {
                levels.before.extend(level_before(&reader.main, at, *key)?);
            }
            for of in Granularity::ALL {
                let later = "SELECT 1 FROM rs_conc_bin WHERE gran = ?1 AND bin_ms > ?2 LIMIT 1";
                let later = reader
                    .main
                    .prepare_cached(later)?
                    .query_row(params![of.number(), at.bin_ms], |_| Ok(()));
                if later.optional()?.is_none() {
                    continue;
                }
                for key in after {
                    levels.after.extend(levels_after(&reader.main, of, at.bin_ms, *key)?);
                }
            }
            Ok(levels)
        })
    }

    fn standing(&self, at: At) -> Result<Vec<LevelRow>, StoreError> {
        let last = "(dim, dim_id, measure, sub, bin_ms) IN (
              SELECT dim, dim_id, measure, sub, max(bin_ms) FROM rs_conc_bin
              WHERE gran = ?1 AND bin_ms < ?2 GROUP BY dim, dim_id, measure, sub)";
        let sql = format!("gran = ?1 AND level_start + net <> 0 AND {last}");
        let values = [i64::from(at.gran), at.bin_ms].map(Value::from).to_vec();
        let which = Where { sql, values };
        self.read(|reader| bin_rows::read(&reader.main, bin_rows::LEVELS, &which, bin_rows::level))
    }

    fn write(&self, changes: &Changes, now_ms: i64) -> Result<bool, StoreError> {
        self.roll(|roller| {
            let transaction = begin(&mut roller.main)?;
            if let Some(fence) = changes.fence {
                keeping::check(&transaction, LEASE, fence)?;
            }
            let (key, expected) = &changes.guard;
            let sql = "SELECT value FROM rs_meta WHERE key = ?1";
            let value: Option<String> =
                transaction.prepare_cached(sql)?.query_row([key], |row| row.get(0)).optional()?;
            if value != *expected {
                return Ok(false);
            }
            if let Some(from_ms) = changes.remake {
                remake(&transaction, from_ms)?;
            }
            bin_rows::delete(&transaction, &changes.gone)?;
            bin_rows::put(&transaction, &changes.put, &roller.secret)?;
            let marks: BTreeSet<_> = changes.marks.iter().map(|mark| (0, *mark)).collect();
            marks::of_facts(&transaction, None, &marks, now_ms)?;
            for Span { day, first_ms, last_ms } in &changes.spans {
                let sql = "INSERT INTO rs_fact_span VALUES (?1, ?2, ?3) ON CONFLICT (day)
                    DO UPDATE SET first_ms = min(first_ms, ?2), last_ms = max(last_ms, ?3)";
                transaction.prepare_cached(sql)?.execute(params![day, first_ms, last_ms])?;
            }
            for number in &changes.numbers {
                let sql = "INSERT OR IGNORE INTO rs_day_number VALUES (?1, ?2)";
                transaction.prepare_cached(sql)?.execute(*number)?;
            }
            set_meta(&transaction, &changes.meta)?;
            let (own, of_days): (Vec<_>, Vec<_>) =
                changes.clear.iter().copied().partition(|row| row.file == 0);
            marks::clear(&transaction, None, &own, now_ms)?;
            transaction.commit()?;
            for rows in of_days.chunk_by(|one, other| one.file == other.file) {
                let Some(file) = rows.first().map(|row| row.file) else { continue };
                roller.days.ask(file, self.opened_ms, |db| {
                    let transaction = begin(db)?;
                    marks::clear(&transaction, Some(file), rows, now_ms)?;
                    Ok(transaction.commit()?)
                })?;
            }
            Ok(true)
        })
    }
}

fn remake(db: &Connection, from_ms: i64) -> Result<(), StoreError> {
    for table in bin_rows::TABLES {
        db.execute(&format!("DELETE FROM {table} WHERE gran > 1 AND bin_ms >= ?1"), [from_ms])?;
    }
    db.execute("DELETE FROM rs_dirty_bin WHERE job > 1 AND bin_ms >= ?1", [from_ms])?;
    Ok(())
}

fn set_meta(db: &Connection, meta: &Meta) -> Result<(), StoreError> {
    for (key, value) in meta {
        let sql = "INSERT OR REPLACE INTO rs_meta VALUES (?1, ?2)";
        db.prepare_cached(sql)?.execute(params![key, value])?;
    }
    Ok(())
}

/// Which rows of `conc_bin` are of a key.
fn of_key(of: u8, key: LevelKey, bin: &str, bin_ms: i64) -> Where {
    let LevelKey { measure, target } = key;
    let numbers = [of, target.dim.number(), measure.number(), target.sub].map(i64::from);
    let [of, dim, measure, sub] = numbers;
    let sql = format!(
        "gran = ?1 AND dim = ?2 AND dim_id = ?3 AND measure = ?4 AND sub = ?5 AND bin_ms {bin}"
    );
    let values = [of, dim, target.id, measure, sub, bin_ms].map(Value::from).to_vec();
    Where { sql, values }
}

fn level_before(db: &Connection, at: At, key: LevelKey) -> Result<Vec<LevelRow>, StoreError> {
    let which = of_key(at.gran, key, "< ?6 ORDER BY bin_ms DESC LIMIT 1", at.bin_ms);
    bin_rows::read(db, bin_rows::LEVELS, &which, bin_rows::level)
}

fn levels_after(
    db: &Connection,
    of: Granularity,
    bin_ms: i64,
    key: LevelKey,
) -> Result<Vec<LevelRow>, StoreError> {
    let which = of_key(of.number(), key, "> ?6", bin_ms);
    bin_rows::read(db, bin_rows::LEVELS, &which, bin_rows::level)
}

impl Bins for Sqlite {
    fn series(&self, asked: &Series) -> Result<BinRows, StoreError> {
        let Series { table, granularity, from_ms, to_ms, dim, ids, changes, most } = asked;
        let mut values: Vec<Value> =
            [i64::from(granularity.number()), *from_ms, *to_ms].map(Value::from).to_vec();
        let mut sql = "gran = ?1 AND bin_ms >= ?2 AND bin_ms < ?3".to_owned();
        let id = if *table == Table::Latencies { "component_id" } else { "dim_id" };
        if *table != Table::Latencies {
            sql.push_str(" AND dim = ?4");
            values.push(i64::from(dim.number()).into());
        }
        if !ids.is_empty() && *dim != Dim::All {
            let marks = vec!["?"; ids.len()].join(", ");
            sql.push_str(&format!(" AND {id} IN ({marks})"));
            values.extend(ids.iter().map(|id| Value::from(*id)));
        }
        sql.push_str(" ORDER BY bin_ms LIMIT ?");
        values.push(i64::try_from(*most).unwrap_or(i64::MAX).into());
        let which = Where { sql, values };
        self.read(|reader| {
            use bin_rows::{ACTIONS, COUNTS, LATENCIES, LEVELS, OUTCOMES, PEAKS, QUALITY, read};
            let levels = if *changes { LEVELS } else { PEAKS };
            let (db, mut rows) = (&reader.main, BinRows::default());
            match table {
                Table::Counts => rows.counts = read(db, COUNTS, &which, bin_rows::count)?,
                Table::Levels => rows.levels = read(db, levels, &which, bin_rows::level)?,
                Table::Outcomes => rows.outcomes = read(db, OUTCOMES, &which, bin_rows::outcome)?,
                Table::Actions => rows.actions = read(db, ACTIONS, &which, bin_rows::action)?,
                Table::Quality => rows.quality = read(db, QUALITY, &which, bin_rows::quality)?,
                Table::Latencies => {
                    rows.latencies = read(db, LATENCIES, &which, bin_rows::latency)?;
                }
            }
            Ok(rows)
        })
    }

    fn texts(&self, keys: &BTreeSet<i64>) -> Result<BTreeMap<i64, String>, StoreError> {
        self.read(|reader| {
            let mut texts = BTreeMap::new();
            for key in keys {
                let sql = "SELECT value FROM rs_text_dim WHERE key = ?1";
                let text = reader.main.prepare_cached(sql)?.query_row([key], |row| row.get(0));
                texts.extend(text.optional()?.map(|text| (*key, text)));
            }
            Ok(texts)
        })
    }

    fn marks_of_day(&self, day: Day) -> Result<u64, StoreError> {
        self.roll(|roller| {
            let sql = "SELECT count(*) FROM rs_dirty_bin WHERE day = ?1";
            let own: i64 = roller.main.query_row(sql, [day], |row| row.get(0))?;
            let sql = "SELECT count(*) FROM rs_dirty_bin";
            let count = |db: &mut Connection| Ok(db.query_row(sql, [], |row| row.get(0))?);
            let of_file: i64 = roller.days.ask(day, self.opened_ms, count)?.unwrap_or(0);
            // of one that was set aside nobody knows
            self.layout.aside.check(day)?;
            Ok(own.unsigned_abs() + of_file.unsigned_abs())
        })
    }

    fn oldest_mark(&self) -> Result<Option<i64>, StoreError> {
        self.roll(|roller| {
            let sql = "SELECT min(since_ms) FROM rs_dirty_bin";
            let mut oldest: Option<i64> = roller.main.query_row(sql, [], |row| row.get(0))?;
            for day in self.marked.seen() {
                // what the applier marks from here on makes it known again
                self.marked.forget(day);
                let first = |db: &mut Connection| Ok(db.query_row(sql, [], |row| row.get(0))?);
                let since = roller.days.ask(day, self.opened_ms, first).map(Option::flatten);
                if !matches!(since, Ok(None)) {
                    self.marked.add(day);
                }
                oldest = oldest.into_iter().chain(since?).min();
            }
            Ok(oldest)
        })
    }

    fn note(&self, marks: &BTreeSet<Mark>, meta: &Meta, now_ms: i64) -> Result<(), StoreError> {
        self.roll(|roller| {
            let transaction = begin(&mut roller.main)?;
            mark(&transaction, marks, now_ms)?;
            set_meta(&transaction, meta)?;
            Ok(transaction.commit()?)
        })
    }

    fn remake(&self, marks: &BTreeSet<Mark>, line: &Audit) -> Result<(), StoreError> {
        self.roll(|roller| {
            let transaction = begin(&mut roller.main)?;
            mark(&transaction, marks, line.time_ms)?;
            custody::note(&transaction, line)?;
            Ok(transaction.commit()?)
        })
    }

    fn forget_deltas(&self, fence: u64, before_ms: i64) -> Result<(), StoreError> {
        self.roll(|roller| {
            // an hour at a time, so that nobody waits long
            let sql = "SELECT min(bin_ms) FROM rs_conc_bin
                WHERE gran = 1 AND bin_ms >= ?1 AND bin_ms < ?2 AND deltas IS NOT NULL";
            let mut to_ms = 0;
            loop {
                let first = params![to_ms, before_ms];
                let first: Option<i64> = roller.main.query_row(sql, first, |row| row.get(0))?;
                let Some(first) = first else { return Ok(()) };
                to_ms = before_ms.min(first + 3_600_000);
                let transaction = begin(&mut roller.main)?;
                keeping::check(&transaction, LEASE, fence)?;
                transaction.execute(
                    "UPDATE rs_conc_bin SET deltas = NULL
                     WHERE gran = 1 AND bin_ms >= ?1 AND bin_ms < ?2 AND deltas IS NOT NULL",
                    params![first, to_ms],
                )?;
                transaction.commit()?;
            }
        })
    }
}

/// Marks of day 0.
fn mark(main: &Connection, marks: &BTreeSet<Mark>, now_ms: i64) -> Result<(), StoreError> {
    let marks: BTreeSet<_> = marks.iter().map(|mark| (0, *mark)).collect();
    marks::of_facts(main, None, &marks, now_ms)
}
