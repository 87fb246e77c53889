//! Applies a batch in one transaction: ledger, facts, merge, books and the place in the spool
//! (spec rs.md §1.4 rule 6). Objects are learned before it, on a connection of their own. Several
//! Reporting Servers may do so at once: each passes the gates of its batch first.

use std::collections::{BTreeMap, BTreeSet};

use model::time::Millis;
use rs::erase::{Erased, Secret};
use rs::share::{Attempt, Batch, Changes, Counts, Mention, Objects, Settled, Share, Tally, bisect};
use rs::{Day, Key, key};

use super::erasing;
use super::link::Link;
use super::load::{ask, signed};
use super::objects;
use super::save::{save, settle};
use crate::store::keeping::Judge;
use crate::store::{Applied, Arrival, StoreError, Turned, prepare};

/// Days whose partitions are made ahead.
const DAYS_AHEAD: u32 = 3;
/// Days before today that get partitions of their own; older ones share one, so that neither a
/// batch nor a question has to lock thousands of tables.
const DAYS_BACK: u64 = 62;
const DAY_MS: u64 = 86_400_000;
/// Gates of all writers: as many locks a batch takes at most.
const GATES: u32 = 1024;

/// Which place in the spool is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) rs_name: String,
    pub(super) spool_id: String,
}

/// The one writer of this RS.
pub(super) struct Writer {
    /// The batch's connection.
    pub(super) link: Link,
    /// Where objects are learned.
    pub(super) second: Link,
    objects: Objects,
    /// Days that have their partitions.
    days: BTreeSet<Day>,
    place: Place,
    /// What hashes of erased numbers are made with.
    secret: Secret,
    /// What records that come must not tell, and the newest erasure of it.
    erased: (Erased, i64),
}

impl Writer {
    pub(super) fn new(link: Link, second: Link, place: Place, secret: Secret) -> Self {
        let (objects, days, erased) = Default::default();
        Self { link, second, objects, days, place, secret, erased }
    }

    /// Waits for what a process before this one may have left under way.
    pub(super) fn applied_seq(&mut self) -> Result<u64, StoreError> {
        let sql = "SELECT spool_seq FROM rs_spool_cursor WHERE rs_name = $1 AND spool_id = $2
            FOR UPDATE";
        let Place { rs_name, spool_id } = &self.place;
        let rows = self.link.query(sql, &[rs_name, spool_id])?;
        Ok(rows.first().map_or(0, |row| row.get::<_, i64>(0).cast_unsigned()))
    }

    pub(super) fn know(
        &mut self,
        platform: &BTreeSet<Mention>,
        now: Millis,
    ) -> Result<(), StoreError> {
        let news = rs::share::news(&objects::aliases(&mut self.second)?, platform);
        self.objects.doubt(&news);
        let now_ms = i64::try_from(now.0).unwrap_or(i64::MAX);
        objects::learn(&mut self.second, &mut self.objects, &news, now_ms)
    }

    /// Stores a batch.
    pub(super) fn apply(
        &mut self,
        arrivals: &[Arrival],
        judge: &Judge,
        now: Millis,
    ) -> Result<Applied, StoreError> {
        let now_ms = i64::try_from(now.0).unwrap_or(i64::MAX);
        let mut batch = prepare::batch(arrivals, judge);
        self.pass_gates(&batch)?;
        if let Some(news) = erasing::news(&mut self.link, &self.secret, self.erased.1)? {
            self.erased = news;
        }
        batch.erase(&self.erased.0);
        let mentioned = batch.mentions();
        objects::learn(&mut self.second, &mut self.objects, &mentioned, now_ms)?;
        self.make_days(&batch, now)?;
        let last = arrivals.last().map_or(0, |arrival| arrival.seq);
        let done = match self.transaction(&batch, &mentioned, last, now_ms, false) {
            Err(error) if error.is_poison() => {
                self.link.batch("ROLLBACK")?;
                self.transaction(&batch, &mentioned, last, now_ms, true)?
            }
            done => done?,
        };
        let Done { counts: Counts { stored, duplicates, dead, ignored }, tally, .. } = done;
        let changed = done.changed.into_values().collect();
        let ended = done.ended.into_iter().collect();
        Ok(Applied { seq: last, changed, ended, stored, duplicates, dead, ignored, tally })
    }

    /// Waits until no other writer is at what this batch may make or see, and nobody erases. The
    /// gates are held until the batch is stored, or this connection ends: what an error leaves is
    /// dropped.
    fn pass_gates(&mut self, batch: &Batch<'_>) -> Result<(), StoreError> {
        self.link.query(erasing::TOGETHER, &[])?;
        let gates: Vec<i32> = batch.gates(GATES).into_iter().map(u32::cast_signed).collect();
        if !gates.is_empty() {
            let sql = "SELECT pg_advisory_lock(7237406, gate) FROM unnest($1::integer[]) gate";
            self.link.query(sql, &[&gates])?;
        }
        Ok(())
    }

    /// `careful`: what is refused is searched, each try a savepoint.
    fn transaction(
        &mut self,
        batch: &Batch<'_>,
        mentioned: &BTreeSet<Mention>,
        last: u64,
        now_ms: i64,
        careful: bool,
    ) -> Result<Done, StoreError> {
        self.link.batch("BEGIN")?;
        let applied = self.applied_seq()?;
        let fresh =
            |item: &usize| batch.items().get(*item).is_some_and(|item| item.origin.seq > applied);
        let items: Vec<usize> = (0..batch.items().len()).filter(fresh).collect();
        let Self { link, second, objects, place, .. } = self;
        let mut part = Part::new(link, second, objects, batch, now_ms);
        match careful {
            true => bisect(&mut part, &items)?,
            false => part.run(|share| tell(share, &items))?,
        }
        let mut done = part.done;
        settle(link, std::mem::take(&mut done.settled))?;
        objects::touch(link, &objects.touched(mentioned), now_ms)?;
        link.execute(
            "INSERT INTO rs_spool_cursor VALUES ($1, $2, $3, $4)
             ON CONFLICT (rs_name, spool_id) DO UPDATE SET
               spool_seq = greatest(rs_spool_cursor.spool_seq, excluded.spool_seq),
               updated_ms = excluded.updated_ms",
            &[&place.rs_name, &place.spool_id, &last.cast_signed(), &now_ms],
        )?;
        link.batch("COMMIT; SELECT pg_advisory_unlock_all()")?;
        Ok(done)
    }

    /// Makes the partitions that the batch needs, and those of the days to come.
    fn make_days(&mut self, batch: &Batch<'_>, now: Millis) -> Result<(), StoreError> {
        let oldest = key::day(Millis(now.0.saturating_sub(DAYS_BACK * DAY_MS)));
        let mut newest = key::day(now);
        let mut days = BTreeSet::from([newest]);
        for _ in 0..DAYS_AHEAD {
            newest = key::after(newest);
            days.insert(newest);
        }
        let own = (0..batch.items().len()).filter_map(|item| batch.day(item));
        days.extend(own.filter(|day| (oldest..=newest).contains(day)));
        for day in days {
            if !self.days.contains(&day) {
                self.link.query("SELECT rs_make_day($1)", &[&signed(day)])?;
                self.days.insert(day);
            }
        }
        Ok(())
    }
}

/// What a transaction did.
#[derive(Default)]
struct Done {
    counts: Counts,
    tally: Tally,
    changed: BTreeMap<Key, Turned>,
    ended: BTreeSet<(Day, Key)>,
    /// Not written yet.
    settled: Vec<Settled>,
}

impl Done {
    /// What one share wrote.
    fn take(&mut self, changes: Changes) {
        self.counts.add(changes.counts);
        let changed = changes.calls.iter().map(|line| (line.row.call_key, Turned::of(line)));
        self.changed.extend(changed);
        self.ended.extend(&changes.ended);
        self.tally.add(changes.tally);
        self.settled.extend(changes.settled);
    }

    fn add(&mut self, other: Self) {
        self.counts.add(other.counts);
        self.changed.extend(other.changed);
        self.ended.extend(other.ended);
        self.tally.add(other.tally);
        self.settled.extend(other.settled);
    }
}

pub(super) struct Part<'p> {
    link: &'p mut Link,
    second: &'p mut Link,
    objects: &'p mut Objects,
    batch: &'p Batch<'p>,
    now_ms: i64,
    done: Done,
}

impl<'p> Part<'p> {
    pub(super) fn new(
        link: &'p mut Link,
        second: &'p mut Link,
        objects: &'p mut Objects,
        batch: &'p Batch<'p>,
        now_ms: i64,
    ) -> Self {
        Self { link, second, objects, batch, now_ms, done: Done::default() }
    }

    pub(super) fn run(&mut self, tell: impl FnOnce(&mut Share<'_>)) -> Result<(), StoreError> {
        // told when all of it is stored: a part that is undone was none
        let mut done = Done::default();
        let mut first = Share::new(self.batch, None);
        tell(&mut first);
        let mut next = Some(first);
        while let Some(mut share) = next {
            self.feed(&mut share)?;
            let (changes, rest) = share.finish(self.objects);
            save(self.link, &changes, self.now_ms)?;
            done.take(changes);
            next = rest;
        }
        self.done.add(done);
        Ok(())
    }

    /// Gives a share what it wants.
    fn feed(&mut self, share: &mut Share<'_>) -> Result<(), StoreError> {
        loop {
            let wanted = ask(self.link, share, self.objects)?;
            if wanted.is_empty() {
                return Ok(());
            }
            objects::learn(self.second, self.objects, &wanted, self.now_ms)?;
        }
    }

    fn savepoint(&mut self, tell: impl FnOnce(&mut Share<'_>)) -> Result<(), StoreError> {
        self.link.batch("SAVEPOINT part")?;
        match self.run(tell) {
            Err(error) if error.is_poison() => {
                self.link.batch("ROLLBACK TO part")?;
                Err(error)
            }
            other => {
                other?;
                self.link.batch("RELEASE part")
            }
        }
    }
}

impl Attempt for Part<'_> {
    type Error = StoreError;

    fn is_poison(error: &StoreError) -> bool {
        error.is_poison()
    }

    fn store(&mut self, items: &[usize]) -> Result<(), StoreError> {
        self.savepoint(|share| tell(share, items))
    }

    fn bury(&mut self, item: usize, error: &StoreError) -> Result<(), StoreError> {
        self.savepoint(|share| {
            share.book(item);
            share.reject(item, error.reason());
        })
    }
}

fn tell(share: &mut Share<'_>, items: &[usize]) {
    for item in items {
        share.book(*item);
        share.store(*item);
    }
}
