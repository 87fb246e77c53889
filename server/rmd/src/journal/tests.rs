//! The journal over a real spool that is small, so that it fills.

use super::*;
use rm::Event;
use rm::frame;
use rm::journal::Change;
use rm::limits::{COMMIT_REST, SPOOL_RETRY};
use spool::fs::real::RealFs;
use spool::fs::{File, FileSystem};
use spool::{Hooks, Settings};
use std::io;
use std::path::Path;
use std::sync::RwLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;
use tempfile::TempDir;

const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    journal: Journal,
    durable: Receiver<u64>,
    _dir: TempDir,
}

/// A journal that may keep `most` bytes in memory over a spool of a quarter of a megabyte.
fn bench(most: usize) -> Bench {
    bench_on(most, Arc::new(RealFs))
}

fn bench_on(most: usize, fs: Arc<dyn FileSystem>) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(dir.path().join("spool"), 256 * 1024, 1);
    settings.segment_bytes = 64 * 1024;
    settings.cursors = 1;
    let (sender, durable) = sync_channel(10_000);
    let clock = net::Clock::start();
    let hooks = Hooks {
        clock: Box::new(move || clock.mono()),
        on_durable: Box::new(move |seq| sender.send(seq).unwrap()),
        on_sync: Box::new(|_| {}),
        carry: Box::new(frame::carry),
    };
    let (spool, _) = Spool::open(settings, fs, hooks).unwrap();
    let (wakers, _wakes) = crate::publish::wakers().unwrap();
    let publishing = Arc::new(Publishing::new(0, [0, 0], wakers));
    let journal = Journal::with_backlog(Spooled::new(spool, publishing), most);
    Bench { journal, durable, _dir: dir }
}

fn record(no: u64, stream: Stream, frame: FrameKind, bytes: usize) -> Event {
    let mut key = [0; 22];
    key[..8].copy_from_slice(&no.to_be_bytes());
    let end = frame == FrameKind::Close;
    Event::Record { no, stream, frame, key, json: bytes, block: 0, urgent: true, end }
}

impl Bench {
    fn take(&mut self, event: Event) -> Option<Event> {
        let bytes = match &event {
            Event::Record { json, .. } => vec![b'x'; *json],
            Event::Forget { .. }
            | Event::Log { .. }
            | Event::Resolve { .. }
            | Event::Discover { .. }
            | Event::Alias { .. } => Vec::new(),
        };
        self.journal.take(event, &bytes)
    }

    /// Waits for the newest record event that is on disk.
    fn newest(&mut self, until: u64) -> u64 {
        let mut newest = 0;
        while newest < until {
            let seq = self.durable.recv_timeout(10 * SECOND).unwrap();
            newest = self.journal.durable(seq).unwrap_or(newest);
        }
        newest
    }
}

#[test]
fn a_turns_records_are_one_append_and_become_durable_by_number() {
    let mut bench = bench(1 << 20);
    for no in 1..=3 {
        let record = record(no, Stream::Cdr, FrameKind::Data, 100);
        assert_eq!(bench.take(record), None);
    }
    assert_eq!(bench.take(Event::Forget { key: [9; 22] }), None);
    let log = Event::Log { id: 20201, session: None, fields: Vec::new() };
    assert_eq!(bench.take(log.clone()), Some(log));
    assert_eq!(bench.journal.commit(SECOND), Change::None);
    assert_eq!(bench.newest(3), 3);
    assert_eq!(bench.journal.shelf().publishing.pending(), 3);
    assert_eq!(bench.journal.durable(1_000), None);
}

#[test]
fn records_that_come_quickly_share_an_append_and_the_last_ones_wait_for_nothing() {
    let mut bench = bench(1 << 20);
    let rest = COMMIT_REST / 4;
    let take = |bench: &mut Bench, no, now| {
        bench.take(record(no, Stream::Cdr, FrameKind::Data, 100));
        assert_eq!(bench.journal.commit(now), Change::None);
        (bench.journal.backlog().0, bench.journal.poll_timeout())
    };
    assert_eq!(take(&mut bench, 1, SECOND), (0, None), "nothing came before it");
    assert_eq!(take(&mut bench, 2, SECOND + rest), (1, Some(SECOND + COMMIT_REST)));
    assert_eq!(take(&mut bench, 3, SECOND + rest * 2), (2, Some(SECOND + COMMIT_REST)));
    assert_eq!(take(&mut bench, 4, SECOND + COMMIT_REST), (0, None), "the time has come");
    assert_eq!(take(&mut bench, 5, SECOND + COMMIT_REST + rest).0, 1);
    bench.journal.finish(SECOND + COMMIT_REST + rest);
    assert_eq!(bench.journal.backlog(), (0, 0));
    assert_eq!(bench.newest(5), 5);
}

#[test]
fn a_full_spool_is_told_once_and_the_least_important_go_first() {
    let mut bench = bench(100_000);
    let mut no = 0;
    let mut now = SECOND;
    let mut change = Change::None;
    while change == Change::None {
        no += 1;
        now += COMMIT_REST;
        bench.take(record(no, Stream::Cdr, FrameKind::Data, 10_000));
        change = bench.journal.commit(now);
        if no < 1000 && change == Change::None {
            bench.newest(no);
        }
    }
    assert_eq!(change, Change::Refuses(Full::Disk));
    // All events go before the first update, updates before the first start, and no end at all.
    for (stream, frame, count) in [
        (Stream::Cdr, FrameKind::Open, 4),
        (Stream::Event, FrameKind::Data, 4),
        (Stream::Cdr, FrameKind::Data, 4),
        (Stream::Cdr, FrameKind::Close, 12),
    ] {
        for _ in 0..count {
            no += 1;
            now += SPOOL_RETRY;
            bench.take(record(no, stream, frame, 5_000));
            assert_eq!(bench.journal.commit(now), Change::None);
        }
    }
    let [events, _, updates, starts, ends] = bench.journal.counters().dropped;
    assert_eq!((events, starts, ends), (4, 0, 0));
    assert!((1..5).contains(&updates), "{updates}");
    assert!(bench.journal.backlog().1 <= 100_000);
    assert!(bench.journal.poll_timeout().is_some());
}

#[test]
fn an_entry_that_no_spool_takes_does_not_stop_the_others() {
    let large = spool::limits::FRAME_BYTES + 1;
    let mut bench = bench(large * 2);
    bench.take(record(1, Stream::Cdr, FrameKind::Data, large));
    bench.take(record(2, Stream::Cdr, FrameKind::Close, 100));
    assert_eq!(bench.journal.commit(SECOND), Change::None);
    assert_eq!(bench.newest(2), 2);
    assert_eq!(bench.journal.counters().dropped, [0, 0, 1, 0, 0]);
}

/// A disk whose syncs wait while somebody holds the gate for writing.
#[derive(Clone, Default)]
struct SlowFs(Arc<RwLock<()>>);

struct SlowFile(Arc<dyn File>, SlowFs);

impl FileSystem for SlowFs {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        RealFs.create_dir(dir)
    }
    fn lock(&self, dir: &Path) -> io::Result<Box<dyn Send + Sync>> {
        RealFs.lock(dir)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealFs.list(dir)
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(SlowFile(RealFs.open(path)?, self.clone())))
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(SlowFile(RealFs.create(path)?, self.clone())))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        RealFs.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealFs.sync_dir(dir)
    }
}

impl File for SlowFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }
    fn sync_data(&self) -> io::Result<()> {
        let _open = self.1.0.read().map_err(|_| io::Error::other("the gate broke"))?;
        self.0.sync_data()
    }
}

#[test]
fn nothing_is_durable_before_the_disk_has_synced_it() {
    let disk = SlowFs::default();
    let mut bench = bench_on(1 << 20, Arc::new(disk.clone()));
    let shut = disk.0.write().unwrap();
    assert!(bench.take(record(1, Stream::Cdr, FrameKind::Close, 100)).is_none());
    assert_eq!(bench.journal.commit(Duration::ZERO), Change::None);
    let early = bench.durable.recv_timeout(Duration::from_millis(300));
    assert_eq!(early, Err(RecvTimeoutError::Timeout), "written, and not yet synced");
    drop(shut);
    assert_eq!(bench.newest(1), 1);
}
