//! Rollups: bins, their texts and what the job keeps. The job works on a connection of the writers'
//! pool beside the applier.

use std::collections::{BTreeMap, BTreeSet};

use rs::Day;
use rs::rollup::{
    Aliases, At, BinRows, Changes, Dim, Granularity, Job, LevelKey, LevelRow, Levels, Mark,
    MarkRow, Meta, Numbered, Question, Span, Stored, Tables,
};
use rs::share::{Mention, ObjectKind, Objects};
use serde_json::{Value, json};
use tiberius::ToSql;

use super::bin_rows::{self, action, count, latency, level, outcome, quality};
use super::failure::Failure;
use super::link::{Cells, Link};
use super::row::{int, numbers};
use super::save::one;
use super::statement::{accounts, bins as sql};
use super::{SqlServer, custody, dims, erasing, facts, keeping, marks};
use crate::store::StoreError;
use crate::store::bins::{Bins, LEASE, Series, Table};
use crate::store::custody::Audit;
use crate::store::erasing::untold;
use crate::store::keeping::fenced;

/// What is forgotten at once, ms.
const SLICE_MS: i64 = 3_600_000;

impl Tables for SqlServer {
    type Error = StoreError;

    fn meta(&self) -> Result<Meta, StoreError> {
        Ok(self.read(async |link| meta(link).await)?)
    }

    fn aliases(&self) -> Result<Aliases, StoreError> {
        let mut all = Vec::new();
        for kind in ObjectKind::ALL {
            let objects = self.read(async |link| dims::all(link, kind).await)?;
            all.extend(objects.into_iter().filter_map(|object| {
                Some((kind, i64::from(object.id), i64::from(object.alias_of?)))
            }));
        }
        Ok(all.into_iter().collect())
    }

    fn extent(&self) -> Result<Option<(i64, i64)>, StoreError> {
        let ends = |cells: &Cells<'_>| Ok(cells.number(0)?.zip(cells.number(1)?));
        let found = self.read(async |link| link.ask(sql::EXTENT, &[], ends).await)?;
        Ok(found.into_iter().flatten().next())
    }

    fn marks(
        &self,
        job: Job,
        from_ms: i64,
        until_ms: i64,
        most: usize,
    ) -> Result<Vec<MarkRow>, StoreError> {
        Ok(self.read(async |link| marks::read(link, job, (from_ms, until_ms), most).await)?)
    }

    fn spans(&self) -> Result<Vec<Span>, StoreError> {
        let span = |cells: &Cells<'_>| {
            let number = |at| cells.some(at, Cells::number);
            Ok(Span { day: cells.day(0)?, first_ms: number(1)?, last_ms: number(2)? })
        };
        Ok(self.read(async |link| link.ask(sql::SPANS, &[], span).await)?)
    }

    fn facts(&self, question: &Question) -> Result<Stored, StoreError> {
        Ok(self.read(async |link| facts::facts(link, question).await)?)
    }

    fn learn(
        &self,
        objects: &mut Objects,
        mentions: &BTreeSet<Mention>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        Ok(self.write(async |link| dims::learn(link, objects, mentions, now_ms).await)?)
    }

    fn numbers(
        &self,
        asked: &BTreeMap<Day, BTreeSet<i64>>,
    ) -> Result<BTreeMap<Day, Numbered>, StoreError> {
        Ok(self.read(async |link| {
            let number = |cells: &Cells<'_>| cells.some(0, Cells::number);
            let mut found = BTreeMap::new();
            for (day, ids) in asked {
                let ids = numbers(ids.iter().copied());
                let all = link.ask(sql::NUMBERS, &[&int(*day)], number).await?;
                let known = link.ask(sql::NUMBERS_KNOWN, &[&int(*day), &ids], number).await?;
                let all = usize::try_from(all.first().copied().unwrap_or(0)).unwrap_or(usize::MAX);
                found.insert(*day, (known.into_iter().collect(), all));
            }
            Ok(found)
        })?)
    }

    fn rows(&self, of: Granularity, from_ms: i64, to_ms: i64) -> Result<BinRows, StoreError> {
        let gran = of.number();
        let values: [&dyn ToSql; 3] = [&gran, &from_ms, &to_ms];
        Ok(self.read(async |link| bin_rows::all(link, &values).await)?)
    }

    fn levels(
        &self,
        at: At,
        before: &BTreeSet<LevelKey>,
        after: &BTreeSet<LevelKey>,
    ) -> Result<Levels, StoreError> {
        Ok(self.read(async |link| {
            let mut levels = Levels::default();
            if !before.is_empty() {
                let values: [&dyn ToSql; 3] = [&keys(before), &at.gran, &at.bin_ms];
                levels.before = link.ask(sql::LEVELS_BEFORE, &values, level).await?;
            }
            if !after.is_empty() {
                let values: [&dyn ToSql; 2] = [&keys(after), &at.bin_ms];
                levels.after = link.ask(sql::LEVELS_AFTER, &values, level).await?;
            }
            Ok(levels)
        })?)
    }

    fn standing(&self, at: At) -> Result<Vec<LevelRow>, StoreError> {
        let values: [&dyn ToSql; 2] = [&at.gran, &at.bin_ms];
        Ok(self.read(async |link| link.ask(sql::LEVELS_STANDING, &values, level).await)?)
    }

    fn write(&self, changes: &Changes, now_ms: i64) -> Result<bool, StoreError> {
        let done = Self::write(self, async |link| {
            if !begin(link, changes.fence).await? {
                return Ok(None);
            }
            erasing::held(link, &self.secret).await?;
            let (key, expected) = &changes.guard;
            if meta(link).await?.get(key) != expected.as_ref() {
                link.rollback().await?;
                return Ok(Some(false));
            }
            marks::hold(link, &changes.clear).await?;
            if let Some(from_ms) = changes.remake {
                remake(link, from_ms).await?;
            }
            bin_rows::delete(link, &changes.gone).await?;
            bin_rows::write(link, &changes.put).await?;
            let texts = &changes.put.texts;
            if !texts.is_empty() {
                let erased = erasing::erased(link, &self.secret).await?;
                bin_rows::write_texts(link, &untold(texts, &erased)).await?;
            }
            let of_job = changes.marks.iter().map(|mark| (0, *mark));
            marks::put(link, of_job, now_ms).await?;
            widen(link, changes).await?;
            set_meta(link, &changes.meta).await?;
            marks::clear(link, &changes.clear, now_ms).await?;
            link.commit().await?;
            Ok(Some(true))
        });
        done?.ok_or_else(|| fenced(LEASE))
    }
}

/// Begins a transaction of the job, which nobody else writes bins beside; false, and none: another
/// holds its lease.
async fn begin(link: &mut Link, fence: Option<u64>) -> Result<bool, Failure> {
    link.begin().await?;
    link.batch(sql::BINS_LOCK).await?;
    let Some(fence) = fence else { return Ok(true) };
    let ours = keeping::holds(link, LEASE, fence).await?;
    if !ours {
        link.rollback().await?;
    }
    Ok(ours)
}

async fn remake(link: &mut Link, from_ms: i64) -> Result<(), Failure> {
    let larger = [
        sql::COUNTS_LARGER_GONE,
        sql::LEVELS_LARGER_GONE,
        sql::OUTCOMES_LARGER_GONE,
        sql::ACTIONS_LARGER_GONE,
        sql::SQ_BINS_LARGER_GONE,
        sql::LATENCIES_LARGER_GONE,
        sql::MARKS_LARGER_GONE,
    ];
    for gone in larger {
        link.run(gone, &[&from_ms]).await?;
    }
    Ok(())
}

async fn meta(link: &mut Link) -> Result<Meta, Failure> {
    let read = |cells: &Cells<'_>| Ok((cells.some(0, Cells::text)?, cells.some(1, Cells::text)?));
    Ok(link.ask(sql::META, &[], read).await?.into_iter().collect())
}

async fn set_meta(link: &mut Link, meta: &Meta) -> Result<(), Failure> {
    for (key, value) in meta {
        one(link, [accounts::NOTE_UPDATE, accounts::NOTE_INSERT], &[key, value]).await?;
    }
    Ok(())
}

/// What is known of days: the bins that their facts touch, and their numbers.
async fn widen(link: &mut Link, changes: &Changes) -> Result<(), Failure> {
    for Span { day, first_ms, last_ms } in &changes.spans {
        let values: [&dyn ToSql; 3] = [&int(*day), first_ms, last_ms];
        one(link, [sql::SPAN_UPDATE, sql::SPAN_INSERT], &values).await?;
    }
    let mut days: BTreeMap<Day, BTreeSet<i64>> = BTreeMap::new();
    for (day, id) in &changes.numbers {
        days.entry(*day).or_default().insert(*id);
    }
    for (day, ids) in days {
        link.run(sql::NUMBERS_INSERT, &[&int(day), &numbers(ids)]).await?;
    }
    Ok(())
}

/// Keys of levels as the statements take them.
fn keys(keys: &BTreeSet<LevelKey>) -> String {
    let keys = keys.iter().map(|LevelKey { measure, target }| {
        let (dim, measure) = (target.dim.number(), measure.number());
        json!({"d": dim, "i": target.id, "m": measure, "s": target.sub})
    });
    Value::Array(keys.collect()).to_string()
}

impl Bins for SqlServer {
    fn series(&self, asked: &Series) -> Result<BinRows, StoreError> {
        let Series { table, granularity, from_ms, to_ms, dim, ids, changes, most } = asked;
        let all = ids.is_empty() || *dim == Dim::All;
        let ids = (!all).then(|| numbers(ids.iter().copied()));
        let (gran, dim) = (granularity.number(), dim.number());
        let most = i64::try_from(*most).unwrap_or(i64::MAX);
        let values: [&dyn ToSql; 6] = [&gran, from_ms, to_ms, &dim, &ids, &most];
        let of_components: [&dyn ToSql; 5] = [&gran, from_ms, to_ms, &ids, &most];
        Ok(self.read(async |link| {
            let mut rows = BinRows::default();
            match table {
                Table::Counts => rows.counts = link.ask(sql::COUNTS_OF, &values, count).await?,
                Table::Levels => {
                    let of = if *changes { sql::CHANGES_OF } else { sql::LEVELS_OF };
                    rows.levels = link.ask(of, &values, level).await?;
                }
                Table::Outcomes => {
                    rows.outcomes = link.ask(sql::OUTCOMES_OF, &values, outcome).await?;
                }
                Table::Actions => rows.actions = link.ask(sql::ACTIONS_OF, &values, action).await?,
                Table::Quality => {
                    rows.quality = link.ask(sql::SQ_BINS_OF, &values, quality).await?
                }
                Table::Latencies => {
                    rows.latencies = link.ask(sql::LATENCIES_OF, &of_components, latency).await?;
                }
            }
            Ok(rows)
        })?)
    }

    fn texts(&self, keys: &BTreeSet<i64>) -> Result<BTreeMap<i64, String>, StoreError> {
        let keys = numbers(keys.iter().copied());
        let text =
            |cells: &Cells<'_>| Ok((cells.some(0, Cells::number)?, cells.some(1, Cells::text)?));
        let found = self.read(async |link| link.ask(sql::TEXTS, &[&keys], text).await)?;
        Ok(found.into_iter().collect())
    }

    fn marks_of_day(&self, day: Day) -> Result<u64, StoreError> {
        let count = |cells: &Cells<'_>| cells.some(0, Cells::number);
        let found =
            self.read(async |link| link.ask(sql::MARKS_OF_DAY, &[&int(day)], count).await)?;
        Ok(found.first().copied().unwrap_or(0).cast_unsigned())
    }

    fn oldest_mark(&self) -> Result<Option<i64>, StoreError> {
        let since = |cells: &Cells<'_>| cells.number(0);
        let found = self.read(async |link| link.ask(sql::OLDEST_MARK, &[], since).await)?;
        Ok(found.into_iter().flatten().next())
    }

    fn note(&self, marks: &BTreeSet<Mark>, meta: &Meta, now_ms: i64) -> Result<(), StoreError> {
        Ok(Self::write(self, async |link| {
            link.begin().await?;
            link.batch(sql::BINS_LOCK).await?;
            marks::put(link, marks.iter().map(|mark| (0, *mark)), now_ms).await?;
            set_meta(link, meta).await?;
            link.commit().await
        })?)
    }

    fn remake(&self, marks: &BTreeSet<Mark>, line: &Audit) -> Result<(), StoreError> {
        Ok(Self::write(self, async |link| {
            link.begin().await?;
            link.batch(sql::BINS_LOCK).await?;
            marks::put(link, marks.iter().map(|mark| (0, *mark)), line.time_ms).await?;
            custody::note(link, line).await?;
            link.commit().await
        })?)
    }

    fn forget_deltas(&self, fence: u64, before_ms: i64) -> Result<(), StoreError> {
        loop {
            let first = |cells: &Cells<'_>| cells.number(0);
            let found =
                self.read(async |link| link.ask(sql::DELTAS_FIRST, &[&before_ms], first).await)?;
            let Some(from_ms) = found.into_iter().flatten().next() else { return Ok(()) };
            // a slice at a time, so that nobody waits long
            let values: [&dyn ToSql; 2] = [&from_ms, &before_ms.min(from_ms + SLICE_MS)];
            let done = Self::write(self, async |link| {
                let ours = begin(link, Some(fence)).await?;
                if ours {
                    link.run(sql::DELTAS_FORGET, &values).await?;
                    link.commit().await?;
                }
                Ok(ours)
            });
            if !done? {
                return Err(fenced(LEASE));
            }
        }
    }
}
