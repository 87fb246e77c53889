//! The handle: what the two users of the spool (RM's records, RS's ingest) hold. `append` hands
//! over and never waits for the disk; the thread of `driver.rs` writes, syncs and answers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::entry::{Entry, Frame};
use crate::fs::FileSystem;
use crate::limits;
use crate::reader::Reader;

/// How one spool is kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Directory of its own; made if missing.
    pub dir: PathBuf,
    /// Bytes on disk beyond which `append` answers `Full::Disk`.
    pub limit_bytes: u64,
    /// Bytes of a segment (64 MiB; tests use small ones).
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

/// What the spool calls. All three run on the spool's own thread and must not block.
pub struct Hooks {
    /// Monotonic time since an arbitrary origin.
    pub clock: Box<dyn Fn() -> Duration + Send>,
    /// All frames up to this sequence are durable.
    pub on_durable: Box<dyn Fn(u64) + Send>,
    /// Payload of an open or carried frame → payload of the carried frame that replaces it.
    pub carry: Box<dyn Fn(&[u8]) -> Vec<u8> + Send>,
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
    /// Bytes of the segments on disk, the unused rest of the newest left out.
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
    /// Damaged areas seen since the start.
    pub damaged: usize,
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

/// A handle; clones share one spool.
#[derive(Clone)]
pub struct Spool {}

impl Spool {
    /// Opens or makes the spool, reads all of it, and begins a new segment.
    pub fn open(
        _settings: Settings,
        _fs: Arc<dyn FileSystem>,
        _hooks: Hooks,
    ) -> Result<(Self, Recovered), OpenError> {
        unimplemented!()
    }

    /// Hands over; never waits for the disk. All entries of one call are whole or absent after a
    /// crash. `urgent`: somebody waits. Gives the sequence of the last.
    pub fn append(&self, _entries: Vec<Entry>, _urgent: bool) -> Result<u64, Full> {
        unimplemented!()
    }

    /// Highest durable sequence.
    pub fn durable(&self) -> u64 {
        unimplemented!()
    }

    /// Reads durable frames above the sequence, also while writing goes on.
    pub fn reader(&self, _after_seq: u64) -> Reader {
        unimplemented!()
    }

    /// A user's acknowledged position; written with the next group, never with its own sync.
    pub fn set_cursor(&self, _id: u8, _seq: u64) {
        unimplemented!()
    }

    /// Everything up to the sequence may be cleaned (a user whose cursor lives elsewhere).
    pub fn release(&self, _seq: u64) {
        unimplemented!()
    }

    /// Figures for health and metrics.
    pub fn status(&self) -> Status {
        unimplemented!()
    }

    /// Writes and syncs what was handed over, and ends the threads.
    pub fn close(self) {
        unimplemented!()
    }
}
