//! Applies a batch over several files so that a crash anywhere changes nothing (spec rs.md §3.3):
//! new ids in the main file first, then each day's file, the main file last; each skips what it
//! has, by its own `applied_seq`. What is written is `core/rs`'s matter ([`rs::share`]).

use std::collections::{BTreeMap, BTreeSet};

use model::time::Millis;
use rs::Key;
use rs::share::{Attempt, Batch, Changes, Counts, Mention, Objects, Share, bisect};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::dims;
use super::files::{Days, Layout};
use super::load::ask;
use super::news::News;
use super::remove;
use super::save::save;
use crate::store::keeping::Judge;
use crate::store::{Applied, Arrival, Day, StoreError, prepare};

/// The one writer.
pub(super) struct Writer {
    pub(super) main: Connection,
    pub(super) days: Days,
    objects: Objects,
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
const OPEN_DAYS: usize = 15;

impl Writer {
    /// Opens the main file, and makes the lists that come from the day files again.
    pub(super) fn open(layout: Layout, now_ms: i64) -> Result<Self, StoreError> {
        let main = layout.open_main(now_ms)?;
        remove::finish(&main, &layout)?;
        let all = layout.days()?;
        let mut writer = Self {
            main,
            days: Days::to_write(layout, OPEN_DAYS),
            objects: Objects::default(),
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
        arrivals: &[Arrival],
        judge: &Judge,
        now: Millis,
    ) -> Result<Applied, StoreError> {
        let now_ms = i64::try_from(now.0).unwrap_or(i64::MAX);
        let mut batch = prepare::batch(arrivals, judge);
        batch.settle(self.homes(&batch.homeless(), now_ms)?);
        let mentioned = batch.mentions();
        self.learn(&mentioned, now_ms)?;
        let last = arrivals.last().map_or(0, |arrival| arrival.seq);
        let mut counts = Counts::default();
        for (day, items) in &batch.days() {
            counts.add(self.apply_day(*day, items, &batch, last, now_ms)?);
            self.survive()?;
        }
        counts.add(self.apply_main(&batch, &mentioned, last, now_ms)?);
        self.survive()?;
        let changed = std::mem::take(&mut self.news).calls;
        let changed = changed.into_iter().map(|(key, (day, _))| (day, key)).collect();
        let Counts { stored, duplicates, dead, ignored } = counts;
        let seq = self.applied_seq()?;
        Ok(Applied { seq, changed, stored, duplicates, dead, ignored })
    }

    fn learn(&mut self, mentions: &BTreeSet<Mention>, now_ms: i64) -> Result<(), StoreError> {
        match dims::learn(&mut self.objects, &mut self.main, mentions, now_ms)? {
            true => self.survive(),
            false => Ok(()),
        }
    }

    /// One day's share, in one transaction of its file; what is refused is searched only then.
    fn apply_day(
        &mut self,
        day: Day,
        items: &[usize],
        batch: &Batch<'_>,
        last: u64,
        now_ms: i64,
    ) -> Result<Counts, StoreError> {
        match self.try_day(day, items, batch, (last, now_ms), false) {
            Err(error) if error.is_poison() => {
                self.try_day(day, items, batch, (last, now_ms), true)
            }
            done => done,
        }
    }

    fn try_day(
        &mut self,
        day: Day,
        items: &[usize],
        batch: &Batch<'_>,
        (last, now_ms): (u64, i64),
        careful: bool,
    ) -> Result<Counts, StoreError> {
        let Self { main, days, objects, news, .. } = self;
        let transaction = days.get(day, now_ms)?.transaction()?;
        let applied = applied_seq(&transaction)?;
        if applied >= last {
            return Ok(Counts::default());
        }
        let items = above(applied, items, batch);
        let mut part = Part {
            transaction,
            day: Some(day),
            batch,
            names: Names::Main(main),
            objects,
            now_ms,
            counts: Counts::default(),
            news: News::default(),
        };
        part.apply(&items, careful)?;
        let Part { transaction, counts, news: told, .. } = part;
        set_applied(&transaction, last, now_ms)?;
        transaction.commit()?;
        news.join(told);
        Ok(counts)
    }

    /// The main file's share, its last transaction: records that hang on no call, dead letters,
    /// the producers' books, what the day files changed.
    fn apply_main(
        &mut self,
        batch: &Batch<'_>,
        mentioned: &BTreeSet<Mention>,
        last: u64,
        now_ms: i64,
    ) -> Result<Counts, StoreError> {
        // more names than are remembered: those of the batch again
        self.learn(mentioned, now_ms)?;
        match self.try_main(batch, mentioned, (last, now_ms), false) {
            Err(error) if error.is_poison() => {
                self.try_main(batch, mentioned, (last, now_ms), true)
            }
            done => done,
        }
    }

    fn try_main(
        &mut self,
        batch: &Batch<'_>,
        mentioned: &BTreeSet<Mention>,
        (last, now_ms): (u64, i64),
        careful: bool,
    ) -> Result<Counts, StoreError> {
        let Self { main, objects, news, .. } = self;
        let transaction = main.transaction()?;
        let applied = applied_seq(&transaction)?;
        let all: Vec<usize> = (0..batch.items().len()).collect();
        let items = above(applied, &all, batch);
        let mut part = Part {
            transaction,
            day: None,
            batch,
            names: Names::Known,
            objects,
            now_ms,
            counts: Counts::default(),
            news: News::default(),
        };
        part.apply(&items, careful)?;
        let Part { transaction, counts, objects, .. } = part;
        news.write(&transaction)?;
        dims::touch(objects, &transaction, mentioned, now_ms)?;
        if last > applied {
            set_applied(&transaction, last, now_ms)?;
        }
        transaction.commit()?;
        Ok(counts)
    }

    /// The days of calls that are stored.
    fn homes(
        &mut self,
        homeless: &BTreeMap<Key, BTreeSet<Day>>,
        now_ms: i64,
    ) -> Result<BTreeMap<Key, Day>, StoreError> {
        let mut homes = BTreeMap::new();
        for (key, days) in homeless {
            for day in days {
                let Some(db) = self.days.find(*day, now_ms)? else { continue };
                let known = "SELECT 1 FROM rs_call WHERE call_key = ?1";
                let known = db.prepare_cached(known)?.query_row([key], |_| Ok(())).optional()?;
                if known.is_some() {
                    homes.insert(*key, *day);
                    break;
                }
            }
        }
        Ok(homes)
    }

    fn make_lists(&mut self, days: &[Day], now_ms: i64) -> Result<(), StoreError> {
        let mut news = News::default();
        for day in days {
            let db = self.days.get(*day, now_ms)?;
            self.days_seq = self.days_seq.max(applied_seq(db)?);
            // two looks into an index each, however many calls there are
            let span = "SELECT (SELECT min(started_ms) FROM rs_call),
                (SELECT max(started_ms) FROM rs_call)";
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
    pub(super) fn survive(&mut self) -> Result<(), StoreError> {
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
    pub(super) const fn survive(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A share on its way into one file, in its transaction.
struct Part<'p> {
    transaction: Transaction<'p>,
    /// `None`: the main file.
    day: Option<Day>,
    batch: &'p Batch<'p>,
    names: Names<'p>,
    objects: &'p mut Objects,
    now_ms: i64,
    counts: Counts,
    news: News,
}

/// Where names of objects are learned.
enum Names<'p> {
    /// In the main file, while a day's file is written.
    Main(&'p mut Connection),
    /// They are known already.
    Known,
}

impl Part<'_> {
    /// All of these at once; `careful`: what is refused is searched, each try a savepoint, whose
    /// copies of pages cost a tenth of the time that the share takes.
    fn apply(&mut self, items: &[usize], careful: bool) -> Result<(), StoreError> {
        if careful {
            return bisect(self, items);
        }
        let (day, batch) = (self.day, self.batch);
        let changes =
            self.run(|share| items.iter().for_each(|item| tell(share, day, batch, *item)))?;
        self.count(&changes);
        Ok(())
    }

    fn attempt(&mut self, tell: impl FnOnce(&mut Share<'_>)) -> Result<(), StoreError> {
        self.transaction.execute_batch("SAVEPOINT part")?;
        match self.run(tell) {
            Ok(changes) => {
                self.transaction.execute_batch("RELEASE part")?;
                self.count(&changes);
                Ok(())
            }
            Err(error) => {
                // after any other error the whole transaction goes
                if error.is_poison() {
                    self.transaction.execute_batch("ROLLBACK TO part; RELEASE part")?;
                }
                Err(error)
            }
        }
    }

    fn run(&mut self, tell: impl FnOnce(&mut Share<'_>)) -> Result<Changes, StoreError> {
        let Self { transaction, day, batch, names, objects, now_ms, .. } = self;
        let mut share = Share::new(batch);
        tell(&mut share);
        loop {
            let wanted = ask(transaction, &mut share, objects)?;
            match names {
                Names::Main(main) if !wanted.is_empty() => {
                    dims::learn(objects, main, &wanted, *now_ms)?;
                }
                Names::Main(_) | Names::Known => break,
            }
        }
        let changes = share.finish(objects);
        save(transaction, *day, &changes)?;
        Ok(changes)
    }

    fn count(&mut self, changes: &Changes) {
        self.counts.add(changes.counts);
        if let Some(day) = self.day {
            self.news.add(day, &changes.calls);
        }
    }
}

/// A day's file has the records of its calls; the main one the books of all, and the rest.
fn tell(share: &mut Share<'_>, day: Option<Day>, batch: &Batch<'_>, item: usize) {
    if day.is_none() {
        share.book(item);
    }
    if day.is_some() || !batch.is_of_a_call(item) {
        share.store(item);
    }
}

impl Attempt for Part<'_> {
    type Error = StoreError;

    fn is_poison(error: &StoreError) -> bool {
        error.is_poison()
    }

    fn store(&mut self, items: &[usize]) -> Result<(), StoreError> {
        let (day, batch) = (self.day, self.batch);
        self.attempt(|share| items.iter().for_each(|item| tell(share, day, batch, *item)))
    }

    fn bury(&mut self, item: usize, error: &StoreError) -> Result<(), StoreError> {
        let reason = error.reason();
        let main = self.day.is_none();
        self.attempt(|share| {
            if main {
                share.book(item);
            }
            share.reject(item, reason.clone());
        })
    }
}

/// The items that a file does not have yet.
fn above(applied: u64, items: &[usize], batch: &Batch<'_>) -> Vec<usize> {
    let seq = |index: &usize| batch.items().get(*index).map_or(0, |item| item.origin.seq);
    items.iter().copied().filter(|index| seq(index) > applied).collect()
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
