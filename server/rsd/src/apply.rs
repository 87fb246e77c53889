//! Stage 13: from the spool into the database, oldest first, on a thread of low priority (spec
//! rs.md §1.4.6). It never waits for rollups and ingest never waits for it.
//!
//! One loop: read a batch, store it until it is stored, release the spool, tell who watches. What
//! the database refuses for a record's own sake is the store's matter; all else is tried again,
//! for ever, with growing pauses. A crash anywhere applies frames again, which changes nothing.

mod backoff;
mod bell;
mod figures;
mod mover;
mod set_back;
mod skew;
mod tallied;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::chance::Chance;
use model::snapshot::Snapshot;
use net::Clock;
use rs::report::Call;
use spool::{Frame, Kind, Reader, Spool};
use telemetry::Log;
use tokio::sync::broadcast;

use self::backoff::Backoff;
use self::mover::Mover;
use crate::background::Background;
use crate::backlog::Backlog;
use crate::checks;
use crate::crew::{Crew, Worker};
use crate::entry::{Entry, Unreadable, glance};
use crate::priority::{APPLY, lower};
use crate::store::{Applied, Arrival, Store, StoreError};
use crate::view::View;

pub use self::bell::Bell;
pub use self::figures::Figures;

/// Records of one batch; one frame is always taken whole.
const BATCH_RECORDS: usize = 2000;
/// Bytes of frames that are read from the spool at once.
const READ_BYTES: usize = 4 << 20;
/// From the beginning of a batch to that of the next, unless that is full: many small ones cost
/// more, and one that comes alone does not wait.
const GATHER: Duration = Duration::from_millis(100);
/// Longest sleep, should a ring of the bell be lost.
const NAP: Duration = Duration::from_secs(1);
/// Calls that watchers may lag behind, in batches; who lags more begins anew.
pub const WATCHED_BATCHES: usize = 256;

/// Calls that a batch changed, as they are now.
pub type Changed = Arc<Vec<Call>>;

/// What the applier works with.
pub struct Parts {
    /// The ingest queue; its `on_durable` rings the bell.
    pub spool: Spool,
    /// Its last sequence before anything came: what is at or below it was found.
    pub found: u64,
    /// Sequences of what comes now are above this, too.
    pub floor: u64,
    /// Has the queue begin anew with the next start. False: that is not possible.
    pub disown: Box<dyn Fn() -> io::Result<bool> + Send>,
    /// Where the database was found to be; 0: it could not be looked at.
    pub applied: u64,
    /// It has not answered yet: that it does is told.
    pub awaited: bool,
    /// The database.
    pub store: Arc<dyn Store>,
    /// Has what is stored judged by the values of retention in force: before the first batch.
    pub values: Box<dyn Fn() -> Result<(), StoreError> + Send>,
    /// The configuration in force, whose names the database learns.
    pub platform: Box<dyn Fn() -> Option<Arc<Snapshot>> + Send>,
    /// Counts how often it has.
    pub learned: Arc<AtomicU64>,
    /// Rung when there is something to read.
    pub bell: Arc<Bell>,
    /// Who watches.
    pub changed: broadcast::Sender<Changed>,
    /// Calls in progress in memory.
    pub view: Arc<View>,
    /// What is counted.
    pub figures: Arc<Figures>,
    /// How much waits.
    pub backlog: Arc<Backlog>,
    /// Watches over the thread.
    pub crew: Arc<Crew>,
    /// The log.
    pub log: Log,
    /// The clock.
    pub clock: Clock,
    /// Seed of the jitter.
    pub seed: u64,
}

/// The running applier.
pub struct Applier {
    bell: Arc<Bell>,
    thread: Background,
    mover: Option<Mover>,
}

impl Applier {
    /// Starts the thread, which begins where it finds the database to be.
    ///
    /// # Errors
    /// There are no threads.
    pub fn start(parts: Parts) -> io::Result<Self> {
        let applied = parts.applied;
        parts.spool.release(applied);
        let bell = Arc::clone(&parts.bell);
        let reader = parts.spool.reader(applied);
        let backoff = Backoff::new(Chance::new([parts.seed, 0, 0, 1]));
        parts.figures.turned(parts.clock.mono());
        let found = Found { after: applied, last: parts.found };
        parts.backlog.found(parts.spool.frames(found.after, found.last));
        let mover = Mover::start(&parts)?;
        let waiting = VecDeque::new();
        let mut work = Work {
            parts,
            found,
            counted: None,
            platform: None,
            reader,
            waiting,
            backoff,
            written: mover.as_ref().map(Mover::bell),
            asked: None,
            gathered: Duration::ZERO,
        };
        let (crew, watched) = (Arc::clone(&work.parts.crew), Arc::clone(&bell));
        let work = move || {
            lower(APPLY);
            crew.work(Worker::Apply, || work.run(), |pause| watched.pause(pause));
        };
        Ok(Self { bell, thread: Background::start("apply", work)?, mover })
    }

    /// Lets it store what is in the spool, for at most so long, and ends the thread.
    pub fn stop(self, at_most: Duration) {
        self.bell.stop(at_most);
        // the spool keeps what it did not store
        let _ended = self.thread.end(at_most);
        if let Some(mover) = self.mover {
            mover.stop();
        }
    }
}

/// Frames that were in the spool at the start and not in the database.
#[derive(Clone, Copy)]
struct Found {
    after: u64,
    last: u64,
}

struct Work {
    parts: Parts,
    found: Found,
    /// The last frame of those that is counted.
    counted: Option<u64>,
    /// The configuration whose names the database has.
    platform: Option<Arc<Snapshot>>,
    reader: Reader,
    /// Read, not stored.
    waiting: VecDeque<Frame>,
    backoff: Backoff,
    /// Rung when a batch is stored: logs have grown.
    written: Option<Arc<Bell>>,
    /// When a stop was first seen.
    asked: Option<Duration>,
    /// When the last batch began.
    gathered: Duration,
}

impl Work {
    /// Until told to stop. After a panic all is read anew from where the database is.
    fn run(&mut self) {
        if !self.begin() {
            return;
        }
        self.waiting.clear();
        self.parts.view.doubt();
        self.count_found();
        loop {
            self.parts.figures.turned(self.parts.clock.mono());
            self.know();
            self.ask(|store| self.parts.view.refresh(store, self.parts.clock.mono()));
            self.gather();
            let batch = match self.next_batch() {
                Ok(batch) => {
                    self.parts.figures.read(None);
                    batch
                }
                Err(error) => {
                    self.parts.figures.read(Some(error.reason()));
                    self.failed("spool", &error);
                    Vec::new()
                }
            };
            let oldest = batch.iter().find_map(|arrival| arrival.entry.as_ref());
            self.parts.backlog.next_is_of(oldest.map(|entry| entry.received));
            if !batch.is_empty() {
                self.gathered = self.parts.clock.mono();
                if !self.store(&batch) || self.is_late() {
                    return;
                }
                continue;
            }
            if self.parts.bell.stopping().is_some() {
                return;
            }
            let (spool, reader) = (&self.parts.spool, &self.reader);
            self.parts.backlog.forget_lost(|| spool.status().last_seq < reader.next());
            self.parts.bell.wait(NAP);
        }
    }

    /// Has the database learn the names of the configuration. Records do not wait for that: what
    /// is stored under a name alone is found by its id later.
    fn know(&mut self) {
        let Some(platform) = (self.parts.platform)() else { return };
        if self.platform.as_ref().is_some_and(|known| Arc::ptr_eq(known, &platform)) {
            return;
        }
        let names = rs::share::platform(&platform);
        let now = self.parts.clock.now().wall;
        match self.ask(|store| store.know(&names, now)) {
            // a batch tells that it is away
            Err(error) if error.passes() => return,
            Err(error) => self.tell("names", &error),
            Ok(()) => {
                self.parts.view.renamed();
                self.parts.learned.fetch_add(1, Ordering::Release);
            }
        }
        self.platform = Some(platform);
    }

    /// Asks where the database is, however long it takes; false: told to stop before it was known.
    fn begin(&mut self) -> bool {
        loop {
            let asked = self.ask(|store| {
                store.applied_seq().and_then(|applied| (self.parts.values)().map(|()| applied))
            });
            match asked {
                Ok(applied) if self.is_set_back(applied) => {
                    if !self.set_back(applied) {
                        return false;
                    }
                }
                Ok(applied) => {
                    let Parts { spool, backlog, figures, log, .. } = &self.parts;
                    figures.reached();
                    spool.release(applied);
                    self.reader = spool.reader(applied);
                    if self.counted.is_none() {
                        self.found.after = applied;
                        backlog.found(spool.frames(applied, self.found.last));
                    }
                    if self.backoff.good() {
                        log.emit(33102, None, &[("seq", &applied.to_string())]);
                    }
                    if std::mem::take(&mut self.parts.awaited) {
                        let server = self.parts.store.server().unwrap_or_default();
                        checks::answers_now(&server, &self.parts.log);
                    }
                    return true;
                }
                Err(error) => {
                    self.parts.figures.failed(self.parts.clock.mono());
                    if !self.failed("database", &error) {
                        return false;
                    }
                }
            }
        }
    }

    /// Counts the records of the frames that were there at the start, each of which has counted
    /// as one. What cannot be understood is met again, and told, when it is to be stored.
    fn count_found(&mut self) {
        let Parts { spool, backlog, bell, .. } = &self.parts;
        let Found { after, last } = self.found;
        let mut reader = spool.reader(self.counted.unwrap_or(after));
        let mut frames = 0;
        while let Ok(read) = reader.read(BATCH_RECORDS, READ_BYTES) {
            let before = read.iter().take_while(|frame| frame.seq <= last);
            for frame in before.clone() {
                let glance = glance(&frame.payload).ok().filter(|_| frame.kind == Kind::Data);
                let received = glance.as_ref().map(|glance| glance.received);
                let parts = glance.map(|glance| glance.parts).unwrap_or_default();
                backlog.counted(received.unwrap_or_default(), &parts);
                self.counted = Some(frame.seq);
                frames += 1;
                if frames == 1 {
                    backlog.next_is_of(received.map(|received| received.0));
                }
            }
            if before.count() == 0 || bell.stopping().is_some() {
                break;
            }
        }
        backlog.all_counted();
        self.counted = Some(last);
    }

    /// Waits for the database, which may hang for as long as its own limits allow.
    fn ask<T>(&self, ask: impl FnOnce(&dyn Store) -> T) -> T {
        let _asking = self.parts.figures.asking(self.parts.clock);
        ask(&*self.parts.store)
    }

    /// Lets more come, if the last batch has just begun and there is less than another.
    fn gather(&self) {
        let Parts { spool, bell, clock, .. } = &self.parts;
        let unread = (spool.status().last_seq + 1).saturating_sub(self.reader.next());
        let full = u64::try_from(BATCH_RECORDS).is_ok_and(|full| unread >= full);
        let since = clock.mono().saturating_sub(self.gathered);
        if let Some(left) = GATHER.checked_sub(since).filter(|_| !full && self.waiting.is_empty()) {
            bell.rest(left);
        }
    }

    /// Up to 2000 records of whole frames; empty: there is nothing.
    fn next_batch(&mut self) -> Result<Vec<Arrival>, ReadError> {
        if self.waiting.is_empty() {
            self.waiting.extend(self.reader.read(BATCH_RECORDS, READ_BYTES)?);
        }
        let mut batch = Vec::new();
        let mut records = 0;
        while let Some(frame) = self.waiting.front() {
            let arrival = match arrival(frame) {
                Ok(arrival) => arrival,
                // what stands before it is stored first
                Err(_) if !batch.is_empty() => break,
                Err(error) => return Err(error),
            };
            records += arrival.records();
            if records > BATCH_RECORDS as u64 && !batch.is_empty() {
                break;
            }
            batch.push(arrival);
            self.waiting.pop_front();
        }
        Ok(batch)
    }

    /// Stores a batch, however long it takes; false: told to stop before it was.
    fn store(&mut self, batch: &[Arrival]) -> bool {
        loop {
            let now = self.parts.clock.now();
            match self.ask(|store| store.apply(batch, now.wall)) {
                Ok(applied) => {
                    let took = self.parts.clock.mono().saturating_sub(now.mono);
                    self.stored(batch, applied, took);
                    return true;
                }
                Err(error) => {
                    self.parts.view.doubt();
                    self.parts.figures.failed(self.parts.clock.mono());
                    if !self.failed("database", &error) {
                        return false;
                    }
                }
            }
        }
    }

    fn stored(&mut self, batch: &[Arrival], mut applied: Applied, took: Duration) {
        let Parts { spool, figures, backlog, log, changed, view, .. } = &self.parts;
        let now = self.parts.clock.now();
        figures.add(&mut applied, (took, now.mono));
        let now = now.wall;
        for entry in batch.iter().filter_map(|arrival| arrival.entry.as_ref()) {
            backlog.went(now, &entry.parts());
        }
        spool.release(applied.seq);
        if let Some(written) = &self.written {
            written.ring();
        }
        if self.backoff.good() {
            log.emit(33102, None, &[("seq", &applied.seq.to_string())]);
        }
        if applied.dead > 0 {
            log.emit(34001, None, &[("count", &applied.dead.to_string())]);
        }
        // who begins to watch after this reads what is stored by now
        let watched = !applied.changed.is_empty() && changed.receiver_count() > 0;
        let calls = watched.then(|| view.named(&applied.changed));
        self.ask(|store| view.take(store, applied));
        if let Some(calls) = calls {
            // the last one may have gone
            let _watchers = changed.send(Arc::new(calls));
        }
    }

    /// Told to stop, and the time for that is over: the rest waits for the next start.
    fn is_late(&mut self) -> bool {
        let Some(at_most) = self.parts.bell.stopping() else { return false };
        let now = self.parts.clock.mono();
        now.saturating_sub(*self.asked.get_or_insert(now)) >= at_most
    }

    fn tell(&self, part: &str, error: &dyn std::error::Error) {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        let fields = [("part", part), ("error", &error.to_string()), ("cause", &cause)];
        self.parts.log.emit(33101, None, &fields);
    }

    /// Tells, and pauses; false: told to stop.
    fn failed(&mut self, part: &str, error: &dyn std::error::Error) -> bool {
        let now = self.parts.clock.mono();
        self.parts.figures.turned(now);
        if self.backoff.is_to_be_told(now) {
            self.tell(part, error);
        }
        let pause = self.backoff.pause();
        self.parts.bell.pause(pause)
    }
}

/// Why the next batch cannot be read.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("the spool cannot be read")]
    Io(#[from] io::Error),
    #[error("frame {seq} of the spool cannot be understood")]
    Frame {
        seq: u64,
        #[source]
        error: Unreadable,
    },
}

impl ReadError {
    /// With its cause, in one line.
    fn reason(&self) -> String {
        let source = std::error::Error::source(self).map(ToString::to_string);
        source.map_or_else(|| self.to_string(), |source| format!("{self}: {source}"))
    }
}

/// A frame as the store takes it. One that a newer version wrote stops the applier, for it must
/// not be passed over.
fn arrival(frame: &Frame) -> Result<Arrival, ReadError> {
    let entry = match frame.kind {
        Kind::Data => Some(
            Entry::decode(&frame.payload)
                .map_err(|error| ReadError::Frame { seq: frame.seq, error })?,
        ),
        Kind::Open | Kind::Carried | Kind::Close | Kind::Cursor => None,
    };
    Ok(Arrival { seq: frame.seq, entry })
}
