//! Rollups: bins, their texts and what the job keeps, in one place. The job has a connection of its
//! own, so that it never holds up the applier for longer than a row's lock.

use std::collections::{BTreeMap, BTreeSet};

use rs::rollup::{
    Aliases, At, BinRows, Changes, Dim, Granularity, Job, LevelKey, LevelRow, Levels, Mark,
    MarkRow, Meta, Numbered, Question, Span, Stored, Tables,
};
use rs::share::{Mention, Objects};
use tokio_postgres::Row;

use super::bin_rows::{self, ACTIONS, COUNTS, LATENCIES, LEVELS, OUTCOMES, QUALITY, Shape};
use super::link::{Link, Values};
use super::load::{signed, unsigned};
use super::save::column;
use super::{Busy, Postgres, custody, erasing, facts, keeping, lock, marks, objects};
use crate::store::bins::{Bins, LEASE, Series, Table};
use crate::store::custody::Audit;
use crate::store::erasing::untold;
use crate::store::keeping::{Lease, fenced};
use crate::store::{Day, StoreError};

/// One job or operator at a time writes bins.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7237405, 4)";
/// A plan for the very keys of a bin takes longer to make than its questions take, and reads whole
/// partitions for many keys; a plan for any keys goes by their indexes.
const PLAN: &str = "SET plan_cache_mode = force_generic_plan";
/// The same, and what its connection is set to, for one question of a reader.
const ASKED: &str = "BEGIN; SET LOCAL plan_cache_mode = force_generic_plan;
    SET LOCAL enable_seqscan TO off; SET LOCAL random_page_cost TO 1";
/// What is forgotten at once, ms.
const SLICE_MS: i64 = 3_600_000;

impl Postgres {
    /// Lends the job's connection; one that met an error is made anew next time.
    fn roll<T>(
        &self,
        work: impl FnOnce(&mut Link) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut place = lock(&self.job);
        let mut link = match place.take() {
            Some(link) if link.is_open() => link,
            _ => {
                let mut link = self.connect_indexed()?;
                link.batch(PLAN)?;
                link
            }
        };
        let _busy = Busy::new(&self.busy, 1);
        let done = work(&mut link)?;
        *place = Some(link);
        Ok(done)
    }
}

impl Tables for Postgres {
    type Error = StoreError;

    fn meta(&self) -> Result<Meta, StoreError> {
        let sql = "SELECT key, value FROM rs_meta WHERE key LIKE 'rollup.%'";
        let rows = self.roll(|link| {
            // each turn begins with it: the plans of the last one may be of tables that were empty
            link.batch("DISCARD PLANS")?;
            link.query(sql, &[])
        })?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    fn aliases(&self) -> Result<Aliases, StoreError> {
        self.read(|reader| objects::aliases(reader.link))
    }

    fn extent(&self) -> Result<Option<(i64, i64)>, StoreError> {
        let of = |shape: &&Shape| {
            format!("SELECT min(bin_ms), max(bin_ms) FROM {} WHERE gran = 1", shape.table)
        };
        let tables: Vec<_> = bin_rows::ALL.iter().map(of).collect();
        let sql = format!(
            "SELECT min(first), max(last) FROM ({}) e (first, last)",
            tables.join(" UNION ALL ")
        );
        let rows = self.read(|reader| reader.link.query(&sql, &[]))?;
        let ends = |row: &Row| Some((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?));
        Ok(rows.first().and_then(ends))
    }

    fn marks(
        &self,
        job: Job,
        from_ms: i64,
        until_ms: i64,
        most: usize,
    ) -> Result<Vec<MarkRow>, StoreError> {
        self.roll(|link| marks::read(link, job, (from_ms, until_ms), most))
    }

    fn spans(&self) -> Result<Vec<Span>, StoreError> {
        let sql = "SELECT day, first_ms, last_ms FROM rs_fact_span ORDER BY day";
        let rows = self.roll(|link| link.query(sql, &[]))?;
        let span = |row: &Row| Span {
            day: unsigned(row.get(0)),
            first_ms: row.get(1),
            last_ms: row.get(2),
        };
        Ok(rows.iter().map(span).collect())
    }

    fn facts(&self, question: &Question) -> Result<Stored, StoreError> {
        self.roll(|link| facts::facts(link, question))
    }

    fn learn(
        &self,
        known: &mut Objects,
        mentions: &BTreeSet<Mention>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        self.roll(|link| objects::learn(link, known, mentions, now_ms))
    }

    fn numbers(
        &self,
        asked: &BTreeMap<Day, BTreeSet<i64>>,
    ) -> Result<BTreeMap<Day, Numbered>, StoreError> {
        let days: Vec<i32> = asked.keys().map(|day| signed(*day)).collect();
        let pairs: Vec<(Day, i64)> =
            asked.iter().flat_map(|(day, ids)| ids.iter().map(|id| (*day, *id))).collect();
        let mut found: BTreeMap<Day, Numbered> =
            asked.keys().map(|day| (*day, Default::default())).collect();
        self.roll(|link| {
            let all = "SELECT day, count(*) FROM rs_day_number WHERE day = ANY($1) GROUP BY day";
            for row in link.query(all, &[&days])? {
                let of = found.entry(unsigned(row.get(0))).or_default();
                of.1 = usize::try_from(row.get::<_, i64>(1)).unwrap_or(usize::MAX);
            }
            let known =
                "SELECT day, dim_id FROM unnest($1::integer[], $2::bigint[]) n (day, dim_id)
                JOIN rs_day_number USING (day, dim_id)";
            let values: Values<'_> =
                &[&column(&pairs, |(day, _)| signed(*day)), &column(&pairs, |(_, id)| *id)];
            for row in link.query(known, values)? {
                found.entry(unsigned(row.get(0))).or_default().0.insert(row.get(1));
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn rows(&self, of: Granularity, from_ms: i64, to_ms: i64) -> Result<BinRows, StoreError> {
        let which = "b.gran = $1 AND b.bin_ms >= $2 AND b.bin_ms < $3";
        let values: Values<'_> = &[&i16::from(of.number()), &from_ms, &to_ms];
        self.roll(|link| bin_rows::all(link, (which, values)))
    }

    fn levels(
        &self,
        at: At,
        before: &BTreeSet<LevelKey>,
        after: &BTreeSet<LevelKey>,
    ) -> Result<Levels, StoreError> {
        let columns = LEVELS.columns(true);
        let of_key = "b.dim = k.dim AND b.dim_id = k.dim_id AND b.measure = k.measure
            AND b.sub = k.sub";
        let keys = "unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::smallint[])
            k (dim, dim_id, measure, sub)";
        let last = format!(
            "SELECT {columns} FROM {keys} CROSS JOIN LATERAL (
               SELECT * FROM rs_conc_bin b WHERE b.gran = $5 AND {of_key} AND b.bin_ms < $6
               ORDER BY b.bin_ms DESC LIMIT 1) b"
        );
        let later = format!(
            "SELECT {columns} FROM unnest('{{1,2,3,4,5,6}}'::smallint[]) g
             CROSS JOIN {keys} CROSS JOIN LATERAL (
               SELECT * FROM rs_conc_bin b WHERE b.gran = g AND {of_key} AND b.bin_ms > $5) b"
        );
        self.roll(|link| {
            let mut levels = Levels::default();
            if !before.is_empty() {
                levels.before = of_keys(link, &last, before, &[&i16::from(at.gran), &at.bin_ms])?;
            }
            if !after.is_empty() {
                levels.after = of_keys(link, &later, after, &[&at.bin_ms])?;
            }
            Ok(levels)
        })
    }

    fn standing(&self, at: At) -> Result<Vec<LevelRow>, StoreError> {
        let sql = format!(
            "SELECT {} FROM (
               SELECT dim, dim_id, measure, sub, max(bin_ms) AS bin_ms FROM rs_conc_bin
               WHERE gran = $1 AND bin_ms < $2 GROUP BY dim, dim_id, measure, sub) k
             JOIN rs_conc_bin b USING (dim, dim_id, measure, sub, bin_ms)
             WHERE b.gran = $1 AND b.level_start + b.net <> 0",
            LEVELS.columns(true)
        );
        let values: Values<'_> = &[&i16::from(at.gran), &at.bin_ms];
        self.roll(|link| Ok(link.query(&sql, values)?.iter().map(bin_rows::level).collect()))
    }

    fn write(&self, changes: &Changes, now_ms: i64) -> Result<bool, StoreError> {
        self.roll(|link| {
            begin(link, changes.fence)?;
            link.query(erasing::BESIDE, &[])?;
            let (key, expected) = &changes.guard;
            let rows = link.query("SELECT value FROM rs_meta WHERE key = $1", &[key])?;
            let value: Option<String> = rows.first().map(|row| row.get(0));
            if value != *expected {
                link.batch("ROLLBACK")?;
                return Ok(false);
            }
            marks::hold(link, &changes.clear)?;
            if let Some(from_ms) = changes.remake {
                remake(link, from_ms)?;
            }
            bin_rows::delete(link, &changes.gone)?;
            bin_rows::put(link, &changes.put)?;
            let texts = &changes.put.texts;
            if !texts.is_empty() {
                let erased = erasing::erased(link, &self.secret)?;
                bin_rows::put_texts(link, &untold(texts, &erased))?;
            }
            marks::put(link, changes.marks.iter().map(|mark| (0, *mark)), now_ms)?;
            widen(link, changes)?;
            set_meta(link, &changes.meta)?;
            marks::clear(link, &changes.clear, now_ms)?;
            link.batch("COMMIT")?;
            Ok(true)
        })
    }
}

/// Begins a transaction of the job, which nobody else writes bins beside; refused when another
/// holds its lease.
fn begin(link: &mut Link, fence: Option<u64>) -> Result<(), StoreError> {
    link.batch(&format!("BEGIN; {LOCK}"))?;
    let Some(fence) = fence else { return Ok(()) };
    if keeping::holds(link, &Lease { name: LEASE, fence })? {
        return Ok(());
    }
    link.batch("ROLLBACK")?;
    Err(fenced(LEASE))
}

fn remake(link: &mut Link, from_ms: i64) -> Result<(), StoreError> {
    for Shape { table, .. } in bin_rows::ALL {
        let sql = format!("DELETE FROM {table} WHERE gran > 1 AND bin_ms >= $1");
        link.execute(&sql, &[&from_ms])?;
    }
    link.execute("DELETE FROM rs_dirty_bin WHERE job > 1 AND bin_ms >= $1", &[&from_ms])?;
    Ok(())
}

/// Levels of these keys.
fn of_keys(
    link: &mut Link,
    sql: &str,
    keys: &BTreeSet<LevelKey>,
    more: Values<'_>,
) -> Result<Vec<LevelRow>, StoreError> {
    let dims = column(keys, |key| i16::from(key.target.dim.number()));
    let ids = column(keys, |key| key.target.id);
    let measures = column(keys, |key| i16::from(key.measure.number()));
    let subs = column(keys, |key| i16::from(key.target.sub));
    let mut values: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> =
        vec![&dims, &ids, &measures, &subs];
    values.extend(more);
    Ok(link.query(sql, &values)?.iter().map(bin_rows::level).collect())
}

/// What is known of days: the bins that their facts touch, and their numbers.
fn widen(link: &mut Link, changes: &Changes) -> Result<(), StoreError> {
    if !changes.spans.is_empty() {
        let sql = "INSERT INTO rs_fact_span AS t
              SELECT day, min(first_ms), max(last_ms)
              FROM unnest($1::integer[], $2::bigint[], $3::bigint[]) n (day, first_ms, last_ms)
              GROUP BY day
            ON CONFLICT (day) DO UPDATE SET first_ms = least(t.first_ms, excluded.first_ms),
              last_ms = greatest(t.last_ms, excluded.last_ms)";
        let spans = &changes.spans;
        link.execute(
            sql,
            &[
                &column(spans, |span| signed(span.day)),
                &column(spans, |span| span.first_ms),
                &column(spans, |span| span.last_ms),
            ],
        )?;
    }
    if !changes.numbers.is_empty() {
        let sql = "INSERT INTO rs_day_number SELECT * FROM unnest($1::integer[], $2::bigint[])
            ON CONFLICT DO NOTHING";
        let numbers = &changes.numbers;
        let values: Values<'_> =
            &[&column(numbers, |(day, _)| signed(*day)), &column(numbers, |(_, id)| *id)];
        link.execute(sql, values)?;
    }
    Ok(())
}

fn set_meta(link: &mut Link, meta: &Meta) -> Result<(), StoreError> {
    for (key, value) in meta {
        let sql = "INSERT INTO rs_meta VALUES ($1, $2)
            ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        link.execute(sql, &[key, value])?;
    }
    Ok(())
}

impl Bins for Postgres {
    fn asked(&self, question: &Question) -> Result<Stored, StoreError> {
        self.read(|reader| {
            let link = &mut *reader.link;
            link.batch(ASKED)?;
            let stored = facts::facts(link, question)?;
            link.batch("COMMIT")?;
            Ok(stored)
        })
    }

    fn series(&self, asked: &Series) -> Result<BinRows, StoreError> {
        let Series { table, granularity, from_ms, to_ms, dim, ids, changes, most } = asked;
        let id = if *table == Table::Latencies { "component_id" } else { "dim_id" };
        let of_dim =
            if *table == Table::Latencies { "$4::smallint >= 0" } else { "b.dim = $4::smallint" };
        let which = format!(
            "b.gran = $1 AND b.bin_ms >= $2 AND b.bin_ms < $3 AND {of_dim}
             AND ($5::bigint[] IS NULL OR b.{id} = ANY($5))"
        );
        let ids: Option<Vec<i64>> =
            (!ids.is_empty() && *dim != Dim::All).then(|| ids.iter().copied().collect());
        let (gran, dim) = (i16::from(granularity.number()), i16::from(dim.number()));
        let most = i64::try_from(*most).unwrap_or(i64::MAX);
        let values: Values<'_> = &[&gran, from_ms, to_ms, &dim, &ids, &most];
        self.read(|reader| {
            use bin_rows::read;
            let rows_only = (false, true);
            let (link, which, mut rows) =
                (&mut *reader.link, (&*which, values), BinRows::default());
            match table {
                Table::Counts => {
                    rows.counts = read(link, &COUNTS, rows_only, which, bin_rows::count)?
                }
                Table::Levels => {
                    rows.levels = read(link, &LEVELS, (*changes, true), which, bin_rows::level)?
                }
                Table::Outcomes => {
                    rows.outcomes = read(link, &OUTCOMES, rows_only, which, bin_rows::outcome)?;
                }
                Table::Actions => {
                    rows.actions = read(link, &ACTIONS, rows_only, which, bin_rows::action)?;
                }
                Table::Quality => {
                    rows.quality = read(link, &QUALITY, rows_only, which, bin_rows::quality)?;
                }
                Table::Latencies => {
                    rows.latencies = read(link, &LATENCIES, rows_only, which, bin_rows::latency)?;
                }
            }
            Ok(rows)
        })
    }

    fn texts(&self, keys: &BTreeSet<i64>) -> Result<BTreeMap<i64, String>, StoreError> {
        let keys: Vec<i64> = keys.iter().copied().collect();
        let sql = "SELECT key, value FROM rs_text_dim WHERE key = ANY($1)";
        let rows = self.read(|reader| reader.link.query(sql, &[&keys]))?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    fn marks_of_day(&self, day: Day) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM rs_dirty_bin WHERE day = $1";
        let rows = self.read(|reader| reader.link.query(sql, &[&signed(day)]))?;
        Ok(rows.first().map_or(0, |row| row.get::<_, i64>(0).cast_unsigned()))
    }

    fn oldest_mark(&self) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT min(since_ms) FROM rs_dirty_bin";
        let rows = self.read(|reader| reader.link.query(sql, &[]))?;
        Ok(rows.first().and_then(|row| row.get(0)))
    }

    fn note(&self, marks: &BTreeSet<Mark>, meta: &Meta, now_ms: i64) -> Result<(), StoreError> {
        self.roll(|link| {
            link.batch(&format!("BEGIN; {LOCK}"))?;
            marks::put(link, marks.iter().map(|mark| (0, *mark)), now_ms)?;
            set_meta(link, meta)?;
            link.batch("COMMIT")
        })
    }

    fn remake(&self, marks: &BTreeSet<Mark>, line: &Audit) -> Result<(), StoreError> {
        self.roll(|link| {
            link.batch(&format!("BEGIN; {LOCK}"))?;
            marks::put(link, marks.iter().map(|mark| (0, *mark)), line.time_ms)?;
            custody::note(link, line)?;
            link.batch("COMMIT")
        })
    }

    fn forget_deltas(&self, fence: u64, before_ms: i64) -> Result<(), StoreError> {
        let first = "SELECT min(bin_ms) FROM rs_conc_bin
            WHERE gran = 1 AND bin_ms < $1 AND deltas IS NOT NULL";
        let forget = "UPDATE rs_conc_bin SET deltas = NULL
            WHERE gran = 1 AND bin_ms >= $1 AND bin_ms < $2 AND deltas IS NOT NULL";
        self.roll(|link| {
            loop {
                let rows = link.query(first, &[&before_ms])?;
                let Some(from_ms) = rows.first().and_then(|row| row.get::<_, Option<i64>>(0))
                else {
                    return Ok(());
                };
                // a slice at a time, so that nobody waits long
                begin(link, Some(fence))?;
                link.execute(forget, &[&from_ms, &before_ms.min(from_ms + SLICE_MS)])?;
                link.batch("COMMIT")?;
            }
        })
    }
}
