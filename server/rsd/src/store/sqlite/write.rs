//! Applies a batch over several files so that a crash anywhere changes nothing (spec rs.md §3.3):
//! new ids in the main file first, then each day's file, the main file last; each skips what it
//! has, by its own `applied_seq`.

use std::collections::{BTreeMap, BTreeSet};

use model::time::Millis;
use rs::{Key, Told, key};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::books::{self, News};
use super::dims::{Dims, Mention, mentions};
use super::fact::{Outcome, Share};
use super::files::{Days, Layout};
use super::letter::{self, Cause};
use super::prepare::{Good, Prepared};
use crate::store::{Applied, Arrival, Day, ObjectKind, StoreError};

/// The one writer.
pub(super) struct Writer {
    main: Connection,
    days: Days,
    dims: Dims,
    /// What could not be told to the main file yet.
    news: News,
    /// Highest `applied_seq` of all day files at the start.
    days_seq: u64,
    #[cfg(test)]
    pub(super) fault: Fault,
}

/// Where a test lets the power go: the number of commits that still succeed.
#[cfg(test)]
pub(super) type Fault = Option<u32>;

/// Day files that the writer holds open.
const OPEN_DAYS: usize = 16;

impl Writer {
    /// Opens the main file, and makes the lists that come from the day files again.
    pub(super) fn open(layout: Layout, now_ms: i64) -> Result<Self, StoreError> {
        let main = layout.open_main(now_ms)?;
        let all = layout.days()?;
        let mut writer = Self {
            main,
            days: Days::new(layout, OPEN_DAYS),
            dims: Dims::default(),
            news: News::default(),
            days_seq: 0,
            #[cfg(test)]
            fault: None,
        };
        writer.make_lists(&all, now_ms)?;
        Ok(writer)
    }

    pub(super) fn applied_seq(&self) -> Result<u64, StoreError> {
        applied_seq(&self.main)
    }

    pub(super) fn highest_seq(&self) -> Result<u64, StoreError> {
        Ok(self.applied_seq()?.max(self.days_seq))
    }

    pub(super) fn apply(
        &mut self,
        batch: &[Arrival],
        now: Millis,
    ) -> Result<(Applied, Vec<(Day, Key)>), StoreError> {
        let now_ms = i64::try_from(now.0).unwrap_or(i64::MAX);
        let mut homes = BTreeMap::new();
        let prepared = Prepared::of(batch, |good| self.home(good, &mut homes, now_ms))?;
        let goods = prepared.items.iter().filter_map(|item| item.read.as_ref().ok());
        let mentioned: BTreeSet<Mention> =
            goods.flat_map(|good| mentions(&good.fact, &good.record)).collect();
        if self.dims.learn(&mut self.main, &mentioned, now_ms)? {
            self.survive()?;
        }
        let mut total = Outcome::default();
        let last = batch.last().map_or(0, |arrival| arrival.seq);
        for (day, indexes) in &prepared.days {
            let outcome = match self.day(*day, indexes, &prepared, last, false, now_ms) {
                Err(error) if error.is_poison() => {
                    self.day(*day, indexes, &prepared, last, true, now_ms)?
                }
                other => other?,
            };
            self.news.add(*day, &outcome);
            total.add(outcome);
            self.survive()?;
        }
        total.add(self.commit_main(&prepared, &mentioned, last, now_ms)?);
        self.survive()?;
        let changed = std::mem::take(&mut self.news).calls;
        let changed = changed.into_iter().map(|(key, (day, _))| (day, key)).collect();
        let Outcome { stored, duplicates, dead, .. } = total;
        let seq = self.applied_seq()?;
        Ok((Applied { seq, changed: Vec::new(), stored, duplicates, dead }, changed))
    }

    /// One day's share. `careful`: each record by itself, so that one that the database refuses
    /// becomes a dead letter and the rest is stored.
    fn day(
        &mut self,
        day: Day,
        indexes: &[usize],
        prepared: &Prepared<'_>,
        last: u64,
        careful: bool,
        now_ms: i64,
    ) -> Result<Outcome, StoreError> {
        let Self { main, days, dims, .. } = self;
        let db = days.get(day, now_ms)?;
        let mut transaction = db.transaction()?;
        let applied = applied_seq(&transaction)?;
        if applied >= last {
            return Ok(Outcome::default());
        }
        let mut id_of = |kind: ObjectKind, dbid: Option<u32>, name: Option<&str>| {
            dims.id(main, kind, dbid, name, now_ms)
        };
        let mut outcome = Outcome::default();
        if careful {
            for index in indexes {
                one(&mut transaction, day, *index, prepared, applied, &mut outcome, &mut id_of)?;
            }
        } else {
            let mut share = Share::new(&transaction, day);
            for index in indexes {
                let item = &prepared.items[*index];
                if let Ok(good) = item.read.as_ref()
                    && item.seq > applied
                {
                    share.take(item, good, &mut id_of)?;
                }
            }
            outcome = share.finish(&mut id_of)?;
        }
        set_applied(&transaction, last, now_ms)?;
        transaction.commit()?;
        Ok(outcome)
    }

    fn commit_main(
        &mut self,
        prepared: &Prepared<'_>,
        mentioned: &BTreeSet<Mention>,
        last: u64,
        now_ms: i64,
    ) -> Result<Outcome, StoreError> {
        let mut day_of = BTreeMap::new();
        for (day, indexes) in &prepared.days {
            day_of.extend(indexes.iter().map(|index| (*index, *day)));
        }
        // the ids of this batch are known; a second connection is not needed for them
        let Self { main, dims, news, .. } = self;
        let mut ids = BTreeMap::new();
        for mention in mentioned {
            let name = mention.name.as_deref();
            let id = dims.id(main, mention.kind, mention.dbid, name, now_ms)?;
            ids.insert((mention.kind, mention.dbid, mention.name.clone()), id);
        }
        let mut id_of = |kind: ObjectKind, dbid: Option<u32>, name: Option<&str>| {
            Ok(ids.get(&(kind, dbid, name.map(ToOwned::to_owned))).copied().flatten())
        };
        let transaction = main.transaction()?;
        let applied = applied_seq(&transaction)?;
        let outcome = books::share(&transaction, prepared, applied, &day_of, &mut id_of)?;
        news.write(&transaction)?;
        dims.touch(&transaction, mentioned, now_ms)?;
        if last > applied {
            set_applied(&transaction, last, now_ms)?;
        }
        transaction.commit()?;
        Ok(outcome)
    }

    /// The day of a fact: that of its session. A call without a GUID that carries its time stays
    /// where its first fact put it, also when a GUID of the day before or after comes later.
    fn home(
        &mut self,
        good: &Good,
        homes: &mut BTreeMap<Key, Day>,
        now_ms: i64,
    ) -> Result<Day, StoreError> {
        let own = good.fact.keys.day;
        let (Told::Call(call), Some(key)) = (&good.fact.told, good.fact.keys.call_key) else {
            return Ok(own);
        };
        if call.leg.is_some() {
            return Ok(own);
        }
        if let Some(day) = homes.get(&key) {
            return Ok(*day);
        }
        let mut home = own;
        let started = key::day(Millis(u64::try_from(call.started_ms).unwrap_or_default()));
        for day in BTreeSet::from([own, started, before(started), after(started)]) {
            if let Some(db) = self.days.find(day, now_ms)? {
                let known = "SELECT 1 FROM rs_call WHERE call_key = ?1";
                let known = db.prepare_cached(known)?.query_row([key], |_| Ok(())).optional()?;
                if known.is_some() {
                    home = day;
                    break;
                }
            }
        }
        homes.insert(key, home);
        Ok(home)
    }

    fn make_lists(&mut self, days: &[Day], now_ms: i64) -> Result<(), StoreError> {
        let mut news = News::default();
        for day in days {
            let db = self.days.get(*day, now_ms)?;
            self.days_seq = self.days_seq.max(applied_seq(db)?);
            let span = "SELECT min(started_ms), max(started_ms) FROM rs_call";
            let (first, last): (Option<i64>, Option<i64>) =
                db.query_row(span, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            news.spans.extend(first.zip(last).map(|span| (*day, span)));
            let mut live = db.prepare("SELECT call_key FROM rs_call WHERE live = 1")?;
            for key in live.query_map([], |row| row.get::<_, Key>(0))? {
                news.calls.insert(key?, (*day, true));
            }
        }
        let transaction = self.main.transaction()?;
        transaction.execute("DELETE FROM rs_live_key", [])?;
        transaction.execute("DELETE FROM rs_day_span", [])?;
        news.write(&transaction)?;
        Ok(transaction.commit()?)
    }

    pub(super) fn checkpoint(&self) -> Result<(), StoreError> {
        let passive = "PRAGMA wal_checkpoint(PASSIVE)";
        self.main.query_row(passive, [], |_| Ok(()))?;
        for db in self.days.open() {
            db.query_row(passive, [], |_| Ok(()))?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn survive(&mut self) -> Result<(), StoreError> {
        match &mut self.fault {
            Some(0) => Err(StoreError::Files(std::io::Error::other("the power is off"))),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    #[cfg(not(test))]
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "a test lets it fail")]
    const fn survive(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// One record in a savepoint of its own.
fn one(
    transaction: &mut Transaction<'_>,
    day: Day,
    index: usize,
    prepared: &Prepared<'_>,
    applied: u64,
    outcome: &mut Outcome,
    id_of: &mut super::row::IdOf<'_>,
) -> Result<(), StoreError> {
    let item = &prepared.items[index];
    let Ok(good) = &item.read else { return Ok(()) };
    if item.seq <= applied {
        return Ok(());
    }
    let savepoint = transaction.savepoint()?;
    let mut share = Share::new(&savepoint, day);
    let taken = share.take(item, good, id_of).and_then(|()| share.finish(id_of));
    match taken {
        Ok(taken) => {
            savepoint.commit()?;
            outcome.add(taken);
        }
        Err(error) if error.is_poison() => {
            // dropped, the savepoint rolls back
            drop(savepoint);
            outcome.dead += 1;
            let text = reason(&error);
            let cause = Cause { code: "db_rejected", field: "", text: &text };
            letter::figure(transaction, "db_rejected", good.producer())?;
            letter::write(transaction, Some(day), item, &cause, None)?;
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn reason(error: &StoreError) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string);
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

fn applied_seq(db: &Connection) -> Result<u64, StoreError> {
    let seq = "SELECT spool_seq FROM rs_spool_cursor";
    let seq: i64 = db.prepare_cached(seq)?.query_row([], |row| row.get(0))?;
    Ok(u64::try_from(seq).unwrap_or(0))
}

fn set_applied(db: &Connection, seq: u64, now_ms: i64) -> Result<(), StoreError> {
    let seq = i64::try_from(seq).unwrap_or(i64::MAX);
    db.prepare_cached("UPDATE rs_spool_cursor SET spool_seq = ?1, updated_ms = ?2")?
        .execute(params![seq, now_ms])?;
    Ok(())
}

/// The day before.
pub(super) fn before(day: Day) -> Day {
    neighbour(day, -1)
}

/// The day after.
pub(super) fn after(day: Day) -> Day {
    neighbour(day, 1)
}

fn neighbour(day: Day, by: i64) -> Day {
    const DAY_MS: u64 = 86_400_000;
    let text = format!("{:04}-{:02}-{:02}T12:00:00Z", day / 10_000, day / 100 % 100, day % 100);
    let noon = Millis::parse(&text).map_or(0, |noon| noon.0);
    key::day(Millis(noon.saturating_add_signed(by * DAY_MS.cast_signed())))
}
