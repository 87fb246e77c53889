//! The disk of a Resource Manager: a spool that moves when the node's time moves, and the shelf of
//! its journal.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rm::journal::{Frame, Full, Shelf};
use rm::{FrameKind, Stream, frame};
use spool::fs::faulty::FaultyFs;
use spool::{Entry, Hooks, Key, Kind, OpenError, Recovered, Settings, Spool, Stepped};

/// Bytes of the whole spool, unless a scenario says less.
pub(super) const SPOOL_BYTES: u64 = 64 << 20;
/// Bytes of a segment, unless a scenario says more: so few that lives have many.
pub(super) const SEGMENT_BYTES: u64 = 64 << 10;
/// Cursors: one for each line to the broker.
const CURSORS: u8 = 2;

/// The spool and its clock.
pub(super) struct Disk {
    stepped: Stepped,
    clock: Arc<AtomicU64>,
}

impl Disk {
    /// Opens what is on this file system at this time.
    pub(super) fn open(
        fs: &FaultyFs,
        now: Duration,
        (limit, segment): (u64, u64),
        seed: u64,
    ) -> Result<(Self, Recovered), OpenError> {
        let clock = Arc::new(AtomicU64::new(nanos(now)));
        let hand = Arc::clone(&clock);
        let hooks = Hooks {
            clock: Box::new(move || Duration::from_nanos(hand.load(Ordering::Relaxed))),
            on_durable: Box::new(|_| {}),
            on_sync: Box::new(|_| {}),
            carry: Box::new(frame::carry),
        };
        let mut settings = Settings::new(PathBuf::from("/rm/spool"), limit, seed);
        settings.segment_bytes = segment;
        settings.cursors = CURSORS;
        let (stepped, recovered) = Stepped::open(settings, Arc::new(fs.clone()), hooks)?;
        Ok((Self { stepped, clock }, recovered))
    }

    /// Payloads of all frames that a start would find if nothing arrived that was not synced.
    ///
    /// # Errors
    /// Such a start would find no spool.
    pub(super) fn safe(
        fs: &FaultyFs,
        now: Duration,
        sizes: (u64, u64),
    ) -> Result<Vec<Vec<u8>>, String> {
        let told = |error: &dyn std::fmt::Debug| format!("what is safe cannot be read: {error:?}");
        let (disk, _) = Self::open(&fs.safe(), now, sizes, 0).map_err(|error| told(&error))?;
        let mut reader = disk.spool().reader(0);
        let mut all = Vec::new();
        loop {
            let frames = reader.read(usize::MAX, usize::MAX).map_err(|error| told(&error))?;
            if frames.is_empty() {
                return Ok(all);
            }
            all.extend(frames.into_iter().map(|frame| frame.payload));
        }
    }

    pub(super) fn spool(&self) -> &Spool {
        self.stepped.spool()
    }

    pub(super) fn shelf(&self) -> Spooled {
        Spooled(self.spool().clone())
    }

    /// What the disk does by now.
    pub(super) fn turn(&mut self, now: Duration, sync: Duration) {
        self.clock.store(nanos(now), Ordering::Relaxed);
        self.stepped.set_sync(sync);
        self.stepped.turn();
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        self.stepped.poll_timeout()
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The spool as the journal's shelf, as the daemon has it.
pub(super) struct Spooled(Spool);

impl Shelf for Spooled {
    fn append(&mut self, frames: Vec<Frame>, urgent: bool) -> Result<u64, Full> {
        self.0.append(frames.into_iter().map(entry).collect(), urgent).map_err(full)
    }

    fn made(&mut self, _stream: Stream) {}

    fn lost(&mut self, _stream: Stream) {}
}

fn entry(frame: Frame) -> Entry {
    let kind = match frame.kind {
        FrameKind::Data => Kind::Data,
        FrameKind::Open => Kind::Open,
        FrameKind::Close => Kind::Close,
    };
    Entry {
        kind,
        key: frame.key.and_then(|key| Key::new(&key)),
        payload: frame.payload,
        records: 1,
    }
}

fn full(full: spool::Full) -> Full {
    match full {
        spool::Full::Memory => Full::Memory,
        spool::Full::Disk => Full::Disk,
        spool::Full::Entry => Full::Frame,
        spool::Full::Broken => Full::Broken,
        spool::Full::Closed => Full::Closed,
    }
}
