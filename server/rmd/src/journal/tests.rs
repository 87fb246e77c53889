//! The journal over a real spool that is small, so that it fills.

use super::*;
use spool::fs::real::RealFs;
use spool::{Hooks, Settings};
use std::sync::mpsc::{Receiver, sync_channel};
use tempfile::TempDir;

const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    journal: Journal,
    durable: Receiver<u64>,
    _dir: TempDir,
}

/// A journal that may keep `most` bytes in memory over a spool of a quarter of a megabyte.
fn bench(most: usize) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(dir.path().join("spool"), 256 * 1024, 1);
    settings.segment_bytes = 64 * 1024;
    settings.cursors = 1;
    let (sender, durable) = sync_channel(10_000);
    let clock = net::Clock::start();
    let hooks = Hooks {
        clock: Box::new(move || clock.mono()),
        on_durable: Box::new(move |seq| sender.send(seq).unwrap()),
        carry: Box::new(frame::carry),
    };
    let (spool, _) = Spool::open(settings, Arc::new(RealFs), hooks).unwrap();
    let (wakers, _wakes) = crate::publish::wakers().unwrap();
    let mut journal = Journal::new(spool, Arc::new(Publishing::new(0, [0, 0], wakers)));
    journal.most_bytes = most;
    Bench { journal, durable, _dir: dir }
}

fn record(no: u64, stream: Stream, frame: FrameKind, bytes: usize) -> Event {
    let mut key = [0; 22];
    key[..8].copy_from_slice(&no.to_be_bytes());
    let (json, block) = (vec![b'x'; bytes], Vec::new());
    Event::Record { no, stream, frame, key, json, block, urgent: true }
}

impl Bench {
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
        assert_eq!(bench.journal.take(record), None);
    }
    assert_eq!(bench.journal.take(Event::Forget { key: [9; 22] }), None);
    let log = Event::Log { id: 20201, session: None, fields: Vec::new() };
    assert_eq!(bench.journal.take(log.clone()), Some(log));
    assert_eq!(bench.journal.commit(SECOND), Change::None);
    assert_eq!(bench.newest(3), 3);
    assert_eq!(bench.journal.publishing.pending(), 3);
    assert_eq!(bench.journal.durable(1_000), None);
}

#[test]
fn a_full_spool_is_told_once_and_the_least_important_go_first() {
    let mut bench = bench(100_000);
    let mut no = 0;
    let mut now = SECOND;
    let mut change = Change::None;
    while change == Change::None {
        no += 1;
        bench.journal.take(record(no, Stream::Cdr, FrameKind::Data, 10_000));
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
            bench.journal.take(record(no, stream, frame, 5_000));
            assert_eq!(bench.journal.commit(now), Change::None);
        }
    }
    let [events, updates, starts, ends] = bench.journal.counters().dropped;
    assert_eq!((events, starts, ends), (4, 0, 0));
    assert!((1..5).contains(&updates), "{updates}");
    assert!(bench.journal.waiting_bytes <= 100_000);
    assert!(bench.journal.poll_timeout().is_some());
}

#[test]
fn an_entry_that_no_spool_takes_does_not_stop_the_others() {
    let mut bench = bench(1 << 20);
    let large = spool::limits::FRAME_BYTES + 1;
    bench.journal.most_bytes = large * 2;
    bench.journal.take(record(1, Stream::Cdr, FrameKind::Data, large));
    bench.journal.take(record(2, Stream::Cdr, FrameKind::Close, 100));
    assert_eq!(bench.journal.commit(SECOND), Change::None);
    assert_eq!(bench.newest(2), 2);
    assert_eq!(bench.journal.counters().dropped, [0, 1, 0, 0]);
}
