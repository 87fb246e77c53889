//! A share of a batch on its way into one file of the store.

use std::collections::{BTreeMap, BTreeSet};

use rs::Key;
use rs::erase::Numbers;
use rs::share::{
    Attempt, Batch, Changes, Counts, Objects, SessionKey, Settled, Share, Tally, bisect,
};
use rusqlite::{Connection, Transaction};

use super::aside::of_main;
use super::dims;
use super::files::Days;
use super::load::{Files, ask};
use super::news::News;
use super::purge;
use super::save::save;
use crate::store::{Day, StoreError};

/// A share on its way into one file: each attempt is a savepoint of the file's transaction.
pub(super) struct Part<'p> {
    pub(super) transaction: Transaction<'p>,
    /// `None`: the main file.
    day: Option<Day>,
    batch: &'p Batch<'p>,
    pub(super) names: Names<'p>,
    beside: &'p mut Days,
    pub(super) objects: &'p mut Objects,
    now_ms: i64,
    pub(super) done: Done,
    pub(super) news: News,
    /// Items that the files of their days cannot take, and why.
    pub(super) lost: &'p BTreeMap<usize, String>,
}

/// No item.
static NONE: BTreeMap<usize, String> = BTreeMap::new();

/// Where names of objects are learned.
pub(super) enum Names<'p> {
    /// In the main file, while a day's file is written.
    Main(&'p mut Connection),
    /// They are known already.
    Known,
}

/// Sessions by the days on which something of them is to be made again.
pub(super) type Beside = BTreeMap<Day, BTreeSet<SessionKey>>;

/// What came of it, beside rows.
#[derive(Default)]
pub(super) struct Done {
    pub(super) counts: Counts,
    pub(super) tally: Tally,
    /// What hangs on calls of other days, and is to be made again.
    pub(super) beside: Beside,
    /// GUIDs whose calls of other days borrow something else now: they are made again before that.
    pub(super) lent: BTreeMap<Day, BTreeSet<String>>,
    /// Dead letters that were tried again.
    pub(super) settled: Vec<Settled>,
    /// Items whose days are damaged, and what is said of them: they become dead letters.
    pub(super) lost: BTreeMap<usize, String>,
}

impl Done {
    /// What is to be done after the file.
    fn follows(&mut self, changes: Changes) {
        for (day, session) in changes.beside {
            self.beside.entry(day).or_default().insert(session);
        }
        for (day, guid) in changes.lent {
            self.lent.entry(day).or_default().insert(guid);
        }
        self.settled.extend(changes.settled);
    }

    pub(super) fn add(&mut self, other: Self) {
        self.counts.add(other.counts);
        self.tally.add(other.tally);
        for (day, sessions) in other.beside {
            self.beside.entry(day).or_default().extend(sessions);
        }
        for (day, guids) in other.lent {
            self.lent.entry(day).or_default().extend(guids);
        }
        self.settled.extend(other.settled);
    }
}

impl<'p> Part<'p> {
    pub(super) fn new(
        transaction: Transaction<'p>,
        day: Option<Day>,
        batch: &'p Batch<'p>,
        names: Names<'p>,
        beside: &'p mut Days,
        objects: &'p mut Objects,
        now_ms: i64,
    ) -> Self {
        let (done, news) = (Done::default(), News::default());
        let lost = &NONE;
        Self { transaction, day, batch, names, beside, objects, now_ms, done, news, lost }
    }

    /// What was stored or refused before a crash: nothing of this file changes, but what is to
    /// follow from it is told again. Gives those that are to be stored after all.
    pub(super) fn again(&mut self, items: &[usize]) -> Result<Vec<usize>, StoreError> {
        let mut unseen = Vec::new();
        one_by_one(items, |items| {
            let mut done = Done::default();
            let mut late = Vec::new();
            let touch = |share: &mut Share<'_>| items.iter().for_each(|item| share.touch(*item));
            self.made(touch, |_, mut changes| {
                late.append(&mut changes.unseen);
                done.follows(changes);
                Ok(())
            })?;
            unseen.append(&mut late);
            self.done.add(done);
            Ok(())
        })?;
        Ok(unseen)
    }

    /// The calls of these GUIDs, with what they borrow now.
    pub(super) fn lend(&mut self, guids: &BTreeSet<String>) -> Result<(), StoreError> {
        let guids: Vec<String> = guids.iter().cloned().collect();
        one_by_one(&guids, |guids| {
            self.attempt(|share| share.lend(guids.iter().cloned().collect()))
        })
    }

    /// What hangs on these sessions.
    pub(super) fn revisit(&mut self, sessions: &BTreeSet<SessionKey>) -> Result<(), StoreError> {
        let sessions: Vec<SessionKey> = sessions.iter().cloned().collect();
        one_by_one(&sessions, |sessions| {
            self.attempt(|share| share.revisit(sessions.iter().cloned().collect()))
        })
    }

    /// Erases those of these calls that tell one of the numbers; without numbers all of them.
    pub(super) fn erase(
        &mut self,
        day: Day,
        keys: &[Key],
        numbers: Option<&Numbers>,
    ) -> Result<(), StoreError> {
        self.run(|share| keys.iter().for_each(|key| share.erase((day, *key), numbers)))
    }

    /// All of these at once; `careful`: what is refused is searched, each try a savepoint, whose
    /// copies of pages cost a tenth of the time that the share takes.
    pub(super) fn apply(&mut self, items: &[usize], careful: bool) -> Result<(), StoreError> {
        if careful {
            return bisect(self, items);
        }
        let (day, batch, lost) = (self.day, self.batch, self.lost);
        self.run(|share| items.iter().for_each(|item| tell(share, day, batch, lost, *item)))?;
        self.show()
    }

    /// A call of the day was stored: it is shown.
    fn show(&self) -> Result<(), StoreError> {
        if self.news.calls.is_empty() { Ok(()) } else { purge::show(&self.transaction) }
    }

    /// All or nothing of a share.
    fn attempt(&mut self, tell: impl Fn(&mut Share<'_>)) -> Result<(), StoreError> {
        self.transaction.execute_batch("SAVEPOINT part")?;
        match self.run(tell) {
            Ok(()) => Ok(self.transaction.execute_batch("RELEASE part")?),
            Err(error) => {
                // after any other error the whole transaction goes
                if error.is_poison() {
                    self.transaction.execute_batch("ROLLBACK TO part; RELEASE part")?;
                }
                Err(error)
            }
        }
    }

    fn run(&mut self, tell: impl Fn(&mut Share<'_>)) -> Result<(), StoreError> {
        // told when all of it is stored: a part that is undone was none
        let (mut done, mut news) = (Done::default(), News::default());
        let (day, now_ms) = (self.day, self.now_ms);
        self.made(tell, |transaction, mut changes| {
            save(transaction, day, &changes, now_ms)?;
            if let Some(day) = day {
                news.add(day, &changes);
            }
            done.counts.add(changes.counts);
            done.tally.add(std::mem::take(&mut changes.tally));
            done.follows(changes);
            Ok(())
        })?;
        self.done.add(done);
        self.news.join(news);
        Ok(())
    }

    /// The rows that a share writes, and then those of the shares after it, if one is too small.
    fn made(
        &mut self,
        tell: impl Fn(&mut Share<'_>),
        mut write: impl FnMut(&Transaction<'_>, Changes) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut first = Share::new(self.batch, self.day);
        tell(&mut first);
        let mut next = Some(first);
        while let Some(mut share) = next {
            self.feed(&mut share)?;
            let (changes, rest) = share.finish(self.objects);
            write(&self.transaction, changes)?;
            next = rest;
        }
        Ok(())
    }

    /// Gives a share what it wants.
    fn feed(&mut self, share: &mut Share<'_>) -> Result<(), StoreError> {
        let Self { transaction, day, names, beside, objects, now_ms, .. } = self;
        loop {
            let main = match names {
                Names::Main(main) => Some(&**main),
                Names::Known => None,
            };
            let mut files = Files { db: transaction, main, day: *day, beside, now_ms: *now_ms };
            let wanted = ask(&mut files, share, objects)?;
            match names {
                Names::Main(main) if !wanted.is_empty() => {
                    of_main(dims::learn(objects, main, &wanted, *now_ms))?;
                }
                Names::Main(_) | Names::Known => return Ok(()),
            }
        }
    }
}

/// All at once, or one by one where that cannot be: one that cannot be made again stays as it is.
fn one_by_one<T>(
    all: &[T],
    mut make: impl FnMut(&[T]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    if all.is_empty() {
        return Ok(());
    }
    match make(all) {
        Err(error) if error.is_poison() => {}
        done => return done,
    }
    all.chunks(1).try_for_each(|one| match make(one) {
        Err(error) if !error.is_poison() => Err(error),
        _ => Ok(()),
    })
}

/// A day's file has the records of its calls; the main one the books of all, and the rest.
fn tell(
    share: &mut Share<'_>,
    day: Option<Day>,
    batch: &Batch<'_>,
    lost: &BTreeMap<usize, String>,
    item: usize,
) {
    if day.is_none() {
        share.book(item);
    }
    if let Some(why) = lost.get(&item) {
        share.reject(item, why.clone());
    } else if day.is_some() || !batch.is_of_a_call(item) {
        share.store(item);
    }
}

impl Attempt for Part<'_> {
    type Error = StoreError;

    fn is_poison(error: &StoreError) -> bool {
        error.is_poison()
    }

    fn store(&mut self, items: &[usize]) -> Result<(), StoreError> {
        let (day, batch, lost) = (self.day, self.batch, self.lost);
        self.attempt(|share| items.iter().for_each(|item| tell(share, day, batch, lost, *item)))?;
        self.show()
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
