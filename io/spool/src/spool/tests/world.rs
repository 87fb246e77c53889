//! A spool without threads: its driver and maker take turns when the test says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::driver::{Driver, Shared};
use crate::entry::{Entry, Kind};
use crate::fs::FileSystem as _;
use crate::fs::faulty::FaultyFs;
use crate::reader::Reader;
use crate::recovery::read_whole;
use crate::spool::{Hooks, OpenError, Recovered, Settings, Spool};

pub(super) struct World {
    pub(super) fs: FaultyFs,
    pub(super) shared: Arc<Shared>,
    pub(super) driver: Driver,
    pub(super) recovered: Recovered,
    pub(super) clock: Arc<AtomicU64>,
}

pub(super) const DIR: &str = "/spool";

/// What RM does: keeps the block, which stands before the bar, and leaves the record.
pub(super) fn carry(payload: &[u8]) -> Vec<u8> {
    payload.split(|byte| *byte == b'|').next().unwrap_or_default().to_vec()
}

impl World {
    pub(super) fn new(fs: FaultyFs, seed: u64) -> Self {
        Self::with_floor(fs, seed, 0)
    }

    pub(super) fn with_floor(fs: FaultyFs, seed: u64, floor: u64) -> Self {
        Self::open(fs, seed, floor).unwrap()
    }

    pub(super) fn open(fs: FaultyFs, seed: u64, floor: u64) -> Result<Self, OpenError> {
        let settings = Settings {
            segment_bytes: 64 << 10,
            floor,
            ..Settings::new(PathBuf::from(DIR), 1 << 20, seed)
        };
        let clock = Arc::new(AtomicU64::new(0));
        let now = Arc::clone(&clock);
        let hooks = Hooks {
            clock: Box::new(move || Duration::from_micros(now.fetch_add(1, Ordering::Relaxed))),
            on_durable: Box::new(|_| {}),
            on_sync: Box::new(|_| {}),
            carry: Box::new(carry),
        };
        let disk = Arc::new(fs.clone());
        let (shared, driver, recovered) = Spool::assemble(settings, disk, hooks)?;
        Ok(Self { fs, shared, driver, recovered, clock })
    }

    pub(super) fn append(&mut self, entries: Vec<Entry>) -> u64 {
        self.shared.intake().append(entries, true).unwrap()
    }

    /// One turn of each thread.
    pub(super) fn turn(&mut self) {
        self.driver.turn();
        self.turn_maker();
    }

    /// What fails is tried again in the next turn.
    pub(super) fn turn_maker(&self) {
        let _tried_again_later = self.shared.maker.turn();
    }

    pub(super) fn advance(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap();
        self.clock.fetch_add(micros, Ordering::Relaxed);
    }

    pub(super) fn durable(&self) -> u64 {
        self.shared.durable.load(Ordering::Acquire)
    }

    pub(super) fn reader(&self, after: u64) -> Reader {
        Reader::new(Arc::clone(&self.shared), after)
    }

    /// All payloads of the users' frames, in order.
    pub(super) fn payloads(&mut self, after: u64) -> Vec<Vec<u8>> {
        let mut reader = self.reader(after);
        let mut all = Vec::new();
        loop {
            let frames = reader.read(7, 5000).unwrap();
            if frames.is_empty() {
                return all;
            }
            let users = frames.into_iter().filter(|frame| frame.kind != Kind::Carried);
            all.extend(users.map(|frame| frame.payload));
        }
    }

    pub(super) fn restart(self, seed: u64) -> Self {
        self.restart_with_floor(seed, 0)
    }

    pub(super) fn restart_with_floor(self, seed: u64, floor: u64) -> Self {
        Self::with_floor(self.fs.restart(), seed, floor)
    }

    /// The file and offset where the bytes lie on the disk.
    pub(super) fn find(&self, bytes: &[u8]) -> (PathBuf, usize) {
        for name in self.fs.list(Path::new(DIR)).unwrap() {
            let path = Path::new(DIR).join(name);
            let file = self.fs.open(&path).unwrap();
            let content = read_whole(&*file, file.len().unwrap());
            let at = content.windows(bytes.len()).position(|window| window == bytes);
            if let Some(at) = at {
                return (path, at);
            }
        }
        panic!("nowhere on the disk");
    }
}
