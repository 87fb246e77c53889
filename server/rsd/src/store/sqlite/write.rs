//! Applies a batch over several files so that a crash anywhere changes nothing (spec rs.md §3.3):
//! new ids in the main file first, then each day's file, the main file last; each skips what it
//! has, by its own `applied_seq`. What is written is `core/rs`'s matter ([`rs::share`]).

use std::collections::BTreeSet;
use std::sync::Arc;

use model::record::ContentHash;
use model::time::Millis;
use rs::Key;
use rs::erase::{Erased, Numbers, Secret};
use rs::share::{Batch, Counts, DayKey, Mention, Objects, SessionKey};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::aside::of_main;
use super::custody::note;
use super::dims;
use super::erasing;
use super::files::{Days, Layout};
use super::load::content;
use super::marks::Marked;
use super::news::News;
use super::part::{Beside, Done, Names, Part};
use super::purge;
use super::remove;
use super::save::{day_of, settle};
use crate::store::custody::retried;
use crate::store::keeping::Judge;
use crate::store::{Applied, Arrival, Day, StoreError, prepare};

/// The one writer.
pub(super) struct Writer {
    pub(super) main: Connection,
    pub(super) days: Days,
    /// The files beside the one that is written, to be read.
    pub(super) beside: Days,
    objects: Objects,
    /// What records that come must not tell.
    pub(super) erased: Erased,
    /// What hashes of erased numbers are made with.
    pub(super) secret: Secret,
    /// What could not be told to the main file yet.
    news: News,
    /// Highest `applied_seq` of all day files.
    days_seq: u64,
    /// The days whose files may have marks.
    marked: Arc<Marked>,
    #[cfg(test)]
    pub(super) fault: Fault,
}

/// Where a test lets the power go: the number of commits that still succeed.
#[cfg(test)]
pub(super) type Fault = Option<u32>;

/// Day files that the writer holds open.
pub(super) const OPEN_DAYS: usize = 11;
/// Those that it reads beside the one it writes.
pub(super) const BESIDE_DAYS: usize = 4;

impl Writer {
    /// Opens the main file, and makes the lists that come from the day files again.
    pub(super) fn open(
        layout: Layout,
        marked: Arc<Marked>,
        now_ms: i64,
    ) -> Result<Self, StoreError> {
        layout.make()?;
        layout.check_whole()?;
        let mut main = layout.open_main(now_ms)?;
        remove::finish(&mut main, &layout)?;
        let all = layout.days()?;
        let (secret, erased) = erasing::known(&main, &layout)?;
        let mut writer = Self {
            main,
            days: Days::to_write(layout.clone(), OPEN_DAYS),
            beside: Days::new(layout, BESIDE_DAYS),
            objects: Objects::default(),
            erased,
            secret,
            news: News::default(),
            days_seq: 0,
            marked,
            #[cfg(test)]
            fault: None,
        };
        writer.make_lists(&all, now_ms)?;
        Ok(writer)
    }

    pub(super) fn applied_seq(&self) -> Result<u64, StoreError> {
        of_main(applied_seq(&self.main))
    }

    pub(super) fn apply(
        &mut self,
        arrivals: &[Arrival],
        judge: &Judge,
        now: Millis,
    ) -> Result<Applied, StoreError> {
        let now_ms = i64::try_from(now.0).unwrap_or(i64::MAX);
        let mut batch = prepare::batch(arrivals, judge);
        batch.relent(&self.kept(&batch, now_ms)?);
        batch.erase(&self.erased);
        let mentioned = batch.mentions();
        self.learn(&mentioned, now_ms)?;
        let last = arrivals.last().map_or(0, |arrival| arrival.seq);
        let mut done = Done::default();
        for (day, items) in &batch.days() {
            let stored =
                careful(|careful| self.apply_day(*day, items, &batch, (last, now_ms), careful));
            match stored {
                Ok(stored) => done.add(stored),
                Err(error) => {
                    let why = self.days.set_aside(*day, &error).ok_or(error)?;
                    let why = format!("the file of day {day} is damaged: {why}");
                    done.lost.extend(items.iter().map(|item| (*item, why.clone())));
                    continue;
                }
            }
            self.days_seq = self.days_seq.max(last);
            self.marked.add(*day);
            self.survive()?;
        }
        for (day, guids) in std::mem::take(&mut done.lent) {
            self.make_again(day, &batch, now_ms, &mut done, |part| part.lend(&guids))?;
        }
        for (day, sessions) in std::mem::take(&mut done.beside) {
            self.make_again(day, &batch, now_ms, &mut done, |part| part.revisit(&sessions))?;
        }
        // of the days beside it nothing comes but answers
        let main = of_main(careful(|careful| {
            self.apply_main(&batch, &mentioned, (last, now_ms), &done, careful)
        }))?;
        done.add(main);
        self.survive()?;
        let News { turned, ended, .. } = std::mem::take(&mut self.news);
        let (changed, ended) = (turned.into_values().collect(), ended.into_iter().collect());
        let Done { counts: Counts { stored, duplicates, dead, ignored }, tally, .. } = done;
        let seq = self.applied_seq()?;
        Ok(Applied { seq, changed, ended, stored, duplicates, dead, ignored, tally })
    }

    pub(super) fn know(
        &mut self,
        platform: &BTreeSet<Mention>,
        now: Millis,
    ) -> Result<(), StoreError> {
        let news = rs::share::news(&of_main(dims::aliases(&self.main))?, platform);
        self.objects.doubt(&news);
        self.learn(&news, i64::try_from(now.0).unwrap_or(i64::MAX))
    }

    fn learn(&mut self, mentions: &BTreeSet<Mention>, now_ms: i64) -> Result<(), StoreError> {
        match of_main(dims::learn(&mut self.objects, &mut self.main, mentions, now_ms))? {
            true => self.survive(),
            false => Ok(()),
        }
    }

    /// One day's share, in one transaction of its file.
    fn apply_day(
        &mut self,
        day: Day,
        items: &[usize],
        batch: &Batch<'_>,
        (last, now_ms): (u64, i64),
        careful: bool,
    ) -> Result<Done, StoreError> {
        let done_seq = self.applied_seq()?;
        let Self { main, days, beside, objects, news, .. } = self;
        let transaction = begin(days.get(day, now_ms)?)?;
        let applied = applied_seq(&transaction)?;
        let (new, known) = above(applied, items, batch);
        // what the main file has, too, is done
        let (known, _done) = above(done_seq, &known, batch);
        let names = Names::Main(main);
        let mut part = Part::new(transaction, Some(day), batch, names, beside, objects, now_ms);
        let mut unseen = part.again(&known)?;
        // they came before
        unseen.extend(new);
        part.apply(&unseen, careful)?;
        let Part { transaction, done, news: told, .. } = part;
        if last > applied {
            set_applied(&transaction, last, now_ms)?;
        }
        transaction.commit()?;
        news.join(told);
        Ok(done)
    }

    /// Erases those of a day's calls that tell one of the numbers, without numbers all of them;
    /// gives their keys, and the sessions of which something on other days is to be made again.
    pub(super) fn erase_calls(
        &mut self,
        day: Day,
        keys: &[Key],
        numbers: Option<&Numbers>,
        now_ms: i64,
    ) -> Result<(Vec<Key>, Beside), StoreError> {
        let Self { main, days, beside, objects, erased, .. } = self;
        let Some(db) = days.find(day, now_ms)? else { return Ok(Default::default()) };
        let (mut batch, names) = (Batch::default(), Names::Main(main));
        batch.erase(erased);
        let transaction = begin(db)?;
        let mut part = Part::new(transaction, Some(day), &batch, names, beside, objects, now_ms);
        part.erase(day, keys, numbers)?;
        let Part { transaction, news, names, done, .. } = part;
        let erased: Vec<Key> = news.calls.into_keys().collect();
        if let (Names::Main(main), false) = (names, erased.is_empty()) {
            erasing::changing(main)?;
        }
        transaction.commit()?;
        self.marked.add(day);
        Ok((erased, done.beside))
    }

    /// Makes again what hangs on these sessions, of which a call was erased on another day.
    pub(super) fn erase_beside(
        &mut self,
        day: Day,
        sessions: &BTreeSet<SessionKey>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        batch.erase(&self.erased);
        self.made_again(day, &batch, now_ms, |part| part.revisit(sessions))?;
        self.marked.add(day);
        Ok(())
    }

    /// Makes again what hangs together with other days, since something of them has changed; a
    /// damaged day stays as it is. A crash before the main file has the batch brings that again,
    /// and so this.
    fn make_again(
        &mut self,
        day: Day,
        batch: &Batch<'_>,
        now_ms: i64,
        done: &mut Done,
        make: impl FnOnce(&mut Part<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match self.made_again(day, batch, now_ms, make) {
            Err(error) if self.days.set_aside(day, &error).is_some() => return Ok(()),
            made => done.add(made?),
        }
        self.marked.add(day);
        self.survive()
    }

    fn made_again(
        &mut self,
        day: Day,
        batch: &Batch<'_>,
        now_ms: i64,
        make: impl FnOnce(&mut Part<'_>) -> Result<(), StoreError>,
    ) -> Result<Done, StoreError> {
        let Self { main, days, beside, objects, news, .. } = self;
        let Some(db) = days.find(day, now_ms)? else { return Ok(Done::default()) };
        let (transaction, names) = (begin(db)?, Names::Main(main));
        let mut part = Part::new(transaction, Some(day), batch, names, beside, objects, now_ms);
        make(&mut part)?;
        let Part { transaction, done, news: told, .. } = part;
        let hidden = purge::is_hidden(&transaction)?;
        transaction.commit()?;
        if !hidden {
            news.join(told);
        }
        Ok(done)
    }

    /// The main file's share, its last transaction: records that hang on no call, dead letters,
    /// the producers' books, what the day files changed.
    fn apply_main(
        &mut self,
        batch: &Batch<'_>,
        mentioned: &BTreeSet<Mention>,
        (last, now_ms): (u64, i64),
        before: &Done,
        careful: bool,
    ) -> Result<Done, StoreError> {
        // more names than are remembered: those of the batch again
        self.learn(mentioned, now_ms)?;
        let Self { main, days, beside, objects, news, .. } = self;
        let transaction = begin(main)?;
        let applied = applied_seq(&transaction)?;
        let all: Vec<usize> = (0..batch.items().len()).collect();
        let (items, _known) = above(applied, &all, batch);
        let mut part = Part::new(transaction, None, batch, Names::Known, beside, objects, now_ms);
        part.lost = &before.lost;
        part.apply(&items, careful)?;
        let Part { transaction, done, objects, .. } = part;
        // of several tries of one letter in a batch the last one counts
        let mut settled: Vec<_> = before.settled.iter().chain(&done.settled).collect();
        settled.sort_by_key(|settled| settled.retries);
        for line in retried(settled.iter().copied()) {
            note(&transaction, &line)?;
        }
        for settled in settled {
            match day_of(settled.no) {
                None => settle(&transaction, settled)?,
                Some(day) => {
                    days.ask(day, now_ms, |db| settle(db, settled))?;
                }
            }
        }
        news.write(&transaction)?;
        dims::touch(objects, &transaction, mentioned, now_ms)?;
        if last > applied {
            set_applied(&transaction, last, now_ms)?;
        }
        transaction.commit()?;
        Ok(done)
    }

    /// Of what is refused now, what an earlier try of the batch has stored: the main file does not
    /// have the batch, and a day's file has.
    fn kept(
        &mut self,
        batch: &Batch<'_>,
        now_ms: i64,
    ) -> Result<Vec<(DayKey, ContentHash)>, StoreError> {
        let tried = self.applied_seq()? + 1..=self.days_seq;
        let mut kept = Vec::new();
        for (seq, at) in batch.refused().into_iter().filter(|(seq, _)| tried.contains(seq)) {
            let hash = self.days.ask(at.0, now_ms, |db| match applied_seq(db)? >= seq {
                true => content(db, &at.1),
                false => Ok(None),
            });
            kept.extend(hash?.flatten().map(|hash| (at, hash)));
        }
        Ok(kept)
    }

    fn make_lists(&mut self, days: &[Day], now_ms: i64) -> Result<(), StoreError> {
        let mut news = News::default();
        for day in days {
            self.marked.add(*day);
            let lists = self.days.ask(*day, now_ms, |db| lists(db))?;
            let Some(Lists { seq, span, live }) = lists else { continue };
            self.days_seq = self.days_seq.max(seq);
            news.spans.extend(span.map(|span| (*day, span)));
            news.calls.extend(live.into_iter().map(|key| (key, (*day, true))));
        }
        of_main(self.tell_lists(&news))
    }

    fn tell_lists(&mut self, news: &News) -> Result<(), StoreError> {
        let transaction = begin(&mut self.main)?;
        // whoever asks for a day that cannot be read is to be told
        let kept = self.days.aside();
        for table in ["rs_live_key", "rs_day_span"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE day NOT IN ({kept})"), [])?;
        }
        news.write(&transaction)?;
        Ok(transaction.commit()?)
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

/// What a day's file tells the main one at a start.
struct Lists {
    seq: u64,
    /// Starts of its first and its last call.
    span: Option<(i64, i64)>,
    /// Calls in progress.
    live: Vec<Key>,
}

fn lists(db: &Connection) -> Result<Lists, StoreError> {
    let seq = applied_seq(db)?;
    if purge::is_hidden(db)? {
        return Ok(Lists { seq, span: None, live: Vec::new() });
    }
    // two looks into an index each, however many calls there are
    let span = "SELECT (SELECT min(started_ms) FROM rs_call),
        (SELECT max(started_ms) FROM rs_call)";
    let (first, last): (Option<i64>, Option<i64>) =
        db.query_row(span, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut live = db.prepare("SELECT call_key FROM rs_call WHERE live = 1")?;
    let live = live.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(Lists { seq, span: first.zip(last), live })
}

/// Once as if nothing was refused; what is refused is searched only then.
fn careful<T>(mut store: impl FnMut(bool) -> Result<T, StoreError>) -> Result<T, StoreError> {
    match store(false) {
        Err(error) if error.is_poison() => store(true),
        done => done,
    }
}

/// A transaction that writes. It waits for its turn at once: one that has read before it waits is
/// refused when another has written meanwhile.
pub(super) fn begin(db: &mut Connection) -> Result<Transaction<'_>, StoreError> {
    Ok(db.transaction_with_behavior(TransactionBehavior::Immediate)?)
}

/// The items that a file does not have yet, and those that it has.
fn above(applied: u64, items: &[usize], batch: &Batch<'_>) -> (Vec<usize>, Vec<usize>) {
    let seq = |index: &usize| batch.items().get(*index).map_or(0, |item| item.origin.seq);
    items.iter().partition(|index| seq(index) > applied)
}

/// The place in the spool of a file.
pub(super) fn applied_seq(db: &Connection) -> Result<u64, StoreError> {
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
