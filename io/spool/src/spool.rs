//! The handle: what the two users of the spool (RM's records, RS's ingest) hold. `append` hands
//! over and never waits for the disk; the thread of `driver.rs` writes, syncs and answers.

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::catalog::Catalog;
use crate::damage::Ward;
use crate::driver::{Driver, Shared};
use crate::entry::{Entry, Frame};
use crate::format::{FRAMES_AT, frame_bytes};
use crate::fs::{FileSystem, make_dir};
use crate::intake::Intake;
use crate::limits;
use crate::machine::{Config, Machine};
use crate::maker::Maker;
use crate::reader::Reader;
use crate::recovery::recover;

/// How one spool is kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Directory of its own; made if missing.
    pub dir: PathBuf,
    /// Bytes on disk beyond which `append` answers `Full::Disk`.
    pub limit_bytes: u64,
    /// Bytes of a segment (64 MiB; tests use small ones); never more than an eighth of the limit.
    pub segment_bytes: u64,
    /// Bytes handed over and not yet durable beyond which `append` answers `Full::Memory`.
    pub pending_bytes: usize,
    /// Longest time an entry that nobody waits for lies unsynced.
    pub lazy: Duration,
    /// Cursors 0..n whose smallest value is what may be cleaned; 0: `release` says it.
    pub cursors: u8,
    /// Sequences go on above this even when the directory is empty (RS: its applied sequence).
    pub floor: u64,
    /// Fresh random number of this start; seeds the checksums of the segments.
    pub seed: u64,
}

impl Settings {
    /// Defaults of the specification: 64 MiB segments, 10 ms, no cursors.
    pub fn new(dir: PathBuf, limit_bytes: u64, seed: u64) -> Self {
        Self {
            dir,
            limit_bytes,
            segment_bytes: limits::SEGMENT_BYTES,
            pending_bytes: limits::PENDING_BYTES,
            lazy: Duration::from_millis(10),
            cursors: 0,
            floor: 0,
            seed,
        }
    }
}

/// Payload of an open or carried frame → payload of the carried frame that replaces it.
pub type Carry = Box<dyn Fn(&[u8]) -> Vec<u8> + Send>;

/// What the spool calls. All of them run on the spool's own thread and must not block.
pub struct Hooks {
    /// Monotonic time since an arbitrary origin.
    pub clock: Box<dyn Fn() -> Duration + Send>,
    /// All frames up to this sequence are durable.
    pub on_durable: Box<dyn Fn(u64) + Send>,
    /// A group was written and synced, well or not.
    pub on_sync: Box<dyn Fn(Synced) + Send>,
    /// Payload of an open or carried frame → payload of the carried frame that replaces it.
    pub carry: Carry,
}

/// One group commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synced {
    /// Time of the write and its sync.
    pub took: Duration,
    /// Frames of the group.
    pub frames: usize,
    /// False: it failed, and the group goes into a new segment.
    pub good: bool,
}

/// What a start found.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Newest open or carried frame of each key without close, in order of sequence.
    pub open: Vec<Frame>,
    /// Cursors by id, those that were ever set.
    pub cursors: Vec<(u8, u64)>,
    /// What could not be read although it had been durable; empty is the normal case.
    pub damage: Vec<Damage>,
    /// Highest sequence in the spool, 0 if there is none.
    pub last_seq: u64,
}

/// A part of a segment that had been durable and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// File name of the segment.
    pub file: String,
    /// First byte of the area.
    pub offset: u64,
    /// Bytes of the area.
    pub bytes: u64,
    /// First and last sequence lost, as far as known.
    pub lost: (u64, u64),
    /// Name of the copy in `quarantine/`, if one was made.
    pub copy: Option<String>,
}

/// Why an append was not taken. Nothing of it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// Too much lies undurable in memory; try again after `on_durable`.
    Memory,
    /// `limit_bytes` reached, or the file system is full; try again after a release.
    Disk,
    /// Larger than `limits::FRAME_BYTES`, without the key its kind needs, or empty.
    Entry,
    /// Two syncs failed in a row: only a new start helps.
    Broken,
    /// The spool has been closed.
    Closed,
}

/// State of the spool as an operator sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum State {
    /// Takes and keeps.
    #[default]
    Open,
    /// The file system gave no room for the next segment; tried again by itself.
    DiskFull,
    /// Two syncs failed in a row.
    Broken,
    /// Closed by its user.
    Closed,
}

/// Figures of the spool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// As an operator sees it.
    pub state: State,
    /// Appends not yet durable.
    pub pending: usize,
    /// Their bytes.
    pub pending_bytes: usize,
    /// Bytes of the segments on disk, the unused rest of the newest left out; also what is used of
    /// it, once all of that is released.
    pub bytes: u64,
    /// `limit_bytes` of the settings.
    pub limit: u64,
    /// Segments on disk.
    pub segments: usize,
    /// Highest durable sequence.
    pub durable: u64,
    /// Highest sequence handed out.
    pub last_seq: u64,
    /// Everything up to here may be cleaned.
    pub released: u64,
    /// Keys with an open frame.
    pub open_keys: usize,
    /// Damaged areas seen since the start, those that the start found included.
    pub damaged: usize,
    /// Syncs that failed since the start.
    pub failed_syncs: u64,
    /// Since when the writing thread has been at work without a break, by the clock of the hooks:
    /// the time of one group and its sync. Long: the disk does not answer.
    pub busy_since: Option<Duration>,
    /// A thread of its has panicked: nothing becomes durable any more, or soon.
    pub is_dead: bool,
}

/// Why a spool could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has it.
    Locked(std::io::Error),
    /// The file system refused.
    Io(std::io::Error),
    /// A segment was written by a newer version.
    Newer(String),
    /// A setting makes no sense; which and why.
    Settings(&'static str),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked(_) => f.write_str("the spool is in use by another process"),
            Self::Io(_) => f.write_str("the spool cannot be read or made"),
            Self::Newer(what) => write!(f, "the spool was written by a newer version ({what})"),
            Self::Settings(what) => write!(f, "spool settings: {what}"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Locked(error) | Self::Io(error) => Some(error),
            Self::Newer(_) | Self::Settings(_) => None,
        }
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "too much waits for the disk",
            Self::Disk => "the spool is full",
            Self::Entry => "not an entry that can be kept",
            Self::Broken => "the disk failed twice in a row",
            Self::Closed => "the spool is closed",
        })
    }
}

impl std::error::Error for Full {}

/// A handle; clones share one spool. When the last one is dropped the spool is closed.
#[derive(Clone)]
pub struct Spool {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Spool {
    /// Opens or makes the spool, reads all of it, and begins a new segment.
    pub fn open(
        settings: Settings,
        fs: Arc<dyn FileSystem>,
        hooks: Hooks,
    ) -> Result<(Self, Recovered), OpenError> {
        let (shared, driver, recovered) = Self::assemble(settings, fs, hooks)?;
        let threads = start_threads(&shared, driver).map_err(OpenError::Io)?;
        Ok((Self { inner: Arc::new(Inner { shared, threads }) }, recovered))
    }

    /// The handle of a spool whose driver somebody else turns.
    pub(crate) fn without_threads(shared: Arc<Shared>) -> Self {
        Self { inner: Arc::new(Inner { shared, threads: Mutex::default() }) }
    }

    /// All of `open` but the threads.
    pub(crate) fn assemble(
        settings: Settings,
        fs: Arc<dyn FileSystem>,
        hooks: Hooks,
    ) -> Result<(Arc<Shared>, Driver, Recovered), OpenError> {
        settings.check()?;
        let dir = settings.dir.clone();
        make_dir(&*fs, &dir).map_err(OpenError::Io)?;
        let lock = fs.lock(&dir).map_err(OpenError::Locked)?;
        let ward = Ward::new(Arc::clone(&fs), dir.clone());
        let found = recover(&*fs, &dir, settings.floor, &ward)?;
        let last_seq = found.start.last_seq;
        let status = Status {
            limit: settings.limit_bytes,
            last_seq,
            durable: last_seq,
            ..Status::default()
        };
        let intake = Intake::new(status, settings.pending_bytes, found.cursors);
        let mut catalog = Catalog::default();
        found.on_disk.into_iter().for_each(|segment| catalog.push(segment));
        let sizes = (settings.segment_bytes, settings.limit_bytes);
        let maker = Maker::new(Arc::clone(&fs), dir.clone(), sizes, found.last_serial);
        let shared = Arc::new(Shared::new(intake, last_seq, catalog, maker, ward));
        let Settings { limit_bytes, lazy, seed, .. } = settings;
        let machine = Machine::new(Config { limit_bytes, lazy, seed }, found.start);
        let mut driver = Driver {
            shared: Arc::clone(&shared),
            machine,
            hooks,
            fs,
            dir,
            cursors: usize::from(settings.cursors),
            buffer: Vec::new(),
            blanks: found.blanks,
            lock,
        };
        driver.begin()?;
        Ok((shared, driver, found.recovered))
    }

    /// Hands over; never waits for the disk. All entries of one call are whole or absent after a
    /// crash. `urgent`: somebody waits. Gives the sequence of the last.
    pub fn append(&self, entries: Vec<Entry>, urgent: bool) -> Result<u64, Full> {
        let shared = &self.inner.shared;
        let mut intake = shared.intake();
        let seq = intake.append(entries, urgent)?;
        shared.nudge(intake);
        Ok(seq)
    }

    /// Highest durable sequence.
    pub fn durable(&self) -> u64 {
        self.inner.shared.durable.load(Ordering::Acquire)
    }

    /// Reads durable frames above the sequence, also while writing goes on.
    pub fn reader(&self, after_seq: u64) -> Reader {
        Reader::new(Arc::clone(&self.inner.shared), after_seq)
    }

    /// Frames above the sequence, up to `to`: sequences that were passed for a floor are none.
    pub fn frames(&self, after_seq: u64, to: u64) -> u64 {
        self.inner.shared.catalog().count(after_seq, to)
    }

    /// A user's acknowledged position; written with the next group, never with its own sync.
    /// Goes only forward; an id beyond `limits::CURSORS` is ignored.
    pub fn set_cursor(&self, id: u8, seq: u64) {
        let mut intake = self.inner.shared.intake();
        intake.set_cursor(usize::from(id), seq);
        self.inner.shared.nudge(intake);
    }

    /// Everything up to the sequence may be cleaned (a user whose cursor lives elsewhere).
    pub fn release(&self, seq: u64) {
        let mut intake = self.inner.shared.intake();
        intake.released = intake.released.max(seq);
        intake.dirty = true;
        self.inner.shared.nudge(intake);
    }

    /// Another limit of the bytes on disk, from the next append on.
    pub fn set_limit(&self, bytes: u64) {
        let mut intake = self.inner.shared.intake();
        intake.status.limit = bytes;
        self.inner.shared.maker.fit(bytes);
        intake.dirty = true;
        self.inner.shared.nudge(intake);
    }

    /// [`State::Broken`]: what waits is written once more, into a new segment, and if that is
    /// synced the spool is open again; else it is broken as before.
    pub fn try_again(&self) {
        let mut intake = self.inner.shared.intake();
        intake.again = true;
        intake.dirty = true;
        self.inner.shared.nudge(intake);
    }

    /// Figures for health and metrics.
    pub fn status(&self) -> Status {
        let status = self.inner.shared.intake().status;
        Status { damaged: self.inner.shared.ward.found(), ..status }
    }

    /// Bytes on disk, at most, once a record of so many bytes more is there: the rest of a segment
    /// that it ends is lost.
    pub fn would_use(&self, payload: usize) -> u64 {
        self.inner.shared.intake().would_use(frame_bytes(None, payload))
    }

    /// Bytes on disk of such a record in an empty spool.
    pub fn least_use(payload: usize) -> u64 {
        FRAMES_AT + frame_bytes(None, payload) as u64
    }

    /// What was found damaged since the last call, by readers or while cleaning; to be told. What
    /// the start found is in [`Recovered`].
    pub fn take_damage(&self) -> Vec<Damage> {
        self.inner.shared.ward.take()
    }

    /// Writes and syncs what was handed over, and ends the threads.
    pub fn close(self) {
        self.inner.close();
    }
}

impl Inner {
    fn close(&self) {
        let mut intake = self.shared.intake();
        intake.closing = true;
        self.shared.nudge(intake);
        self.shared.maker.close();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // the last handle may be dropped by a hook, on the spool's own thread
            if thread.thread().id() != thread::current().id() {
                // a thread that panicked has already said so; there is nothing left to wait for
                let _ended = thread.join();
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl Settings {
    fn check(&self) -> Result<(), OpenError> {
        if usize::from(self.cursors) > limits::CURSORS {
            return Err(OpenError::Settings("at most 8 cursors"));
        }
        if self.segment_bytes < 64 << 10 || !self.segment_bytes.is_multiple_of(4096) {
            return Err(OpenError::Settings("a segment is a multiple of 4 KiB, at least 64 KiB"));
        }
        Ok(())
    }
}

/// Says so when a thread ends in another way than by closing: it has panicked.
struct Ends(Arc<Shared>);

impl Drop for Ends {
    fn drop(&mut self) {
        if thread::panicking() {
            let mut intake = self.0.intake();
            intake.status.state = State::Broken;
            intake.status.is_dead = true;
        }
    }
}

fn start_threads(
    shared: &Arc<Shared>,
    driver: Driver,
) -> std::io::Result<Mutex<Vec<JoinHandle<()>>>> {
    let make = Arc::clone(shared);
    let ends = Ends(Arc::clone(shared));
    let maker = thread::Builder::new().name("spool-make".to_owned()).spawn(move || {
        let _ends = ends;
        make.maker.run(&|| {
            let mut intake = make.intake();
            intake.dirty = true;
            make.nudge(intake);
        });
    })?;
    let writer = thread::Builder::new().name("spool-write".to_owned());
    let ends = Ends(Arc::clone(shared));
    let run = move || {
        let _ends = ends;
        driver.run();
    };
    match writer.spawn(run) {
        Ok(writer) => Ok(Mutex::new(vec![writer, maker])),
        Err(error) => {
            shared.maker.close();
            Err(error)
        }
    }
}
