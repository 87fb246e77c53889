//! The receiving end of RS alone, for `cargo xtask bench ingest`: it serves until it is ended.
//! Without an applier behind it, so that what it takes stays in the
//! spool; with `null` on a disk that forgets, so that it answers without storing.
//!
//! That is a program of the bench and no mode of the product: a Reporting Server always stores.

#![expect(clippy::unwrap_used, reason = "a bench that fails, fails")]

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use model::time::Millis;
use net::Clock;
use rsd::ingest::{Counters, Durable, Gate, Ingest, Limits, Parts, Settings};
use rsd::{Backlog, Crew};
use spool::fs::real::RealFs;
use spool::fs::{File, FileSystem};
use spool::{Hooks, Spool};
use telemetry::Log;

/// Bytes of the spool: more than a run can send.
const LIMIT: u64 = 64 << 30;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let mut next = || arguments.next();
    let (Some(kind), Some(dir), Some(listen)) = (next(), next(), next()) else {
        // as one of all benches of the workspace
        return;
    };
    let (clock, log) = (Clock::start(), Log::silent(|| Millis(0)));
    let fs: Arc<dyn FileSystem> = match kind.as_str() {
        "null" => Arc::new(Forgetful::default()),
        _ => Arc::new(RealFs),
    };
    let durable = Durable::default();
    let hooks = Hooks {
        clock: Box::new(move || clock.mono()),
        on_durable: durable.hook(),
        on_sync: Box::new(|_| {}),
        carry: Box::new(<[u8]>::to_vec),
    };
    let (spool, _) =
        Spool::open(spool::Settings::new(PathBuf::from(dir), LIMIT, 1), fs, hooks).unwrap();
    let settings = Settings {
        listen: listen.parse().unwrap(),
        name: "bench".to_owned(),
        http: String::new(),
        anonymous: true,
        users: None,
        tls: None,
        limits: Limits::default().into(),
    };
    let parts = Parts {
        gate: Arc::new(Gate::new(spool.clone(), log.clone())),
        spool,
        durable,
        counters: Arc::new(Counters::default()),
        roster: Arc::default(),
        backlog: Arc::new(Backlog::default()),
        crew: Arc::new(Crew::new(log.clone(), clock)),
        log,
        clock,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let _ingest = runtime.block_on(Ingest::start(settings, parts)).unwrap();
    let mut line = String::new();
    // until whoever started it goes
    while io::stdin().read_line(&mut line).is_ok_and(|count| count > 0) {}
}

/// A disk of which only the lengths of files are kept.
#[derive(Default)]
struct Forgetful(Mutex<BTreeMap<PathBuf, Arc<Length>>>);

#[derive(Default)]
struct Length(AtomicU64);

impl Forgetful {
    fn files(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Arc<Length>>> {
        self.0.lock().unwrap()
    }
}

impl FileSystem for Forgetful {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _dir: &Path) -> io::Result<Box<dyn Send + Sync>> {
        Ok(Box::new(()))
    }

    fn list(&self, _dir: &Path) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let found = self.files().get(path).cloned();
        Ok(found.ok_or(io::ErrorKind::NotFound)?)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = Arc::new(Length::default());
        self.files().insert(path.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.files().remove(path);
        Ok(())
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }
}

impl File for Length {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.load(Ordering::Relaxed))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = usize::try_from(self.len()?.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = buffer.len().min(left);
        buffer[..count].fill(0);
        Ok(count)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let end = offset + u64::try_from(bytes.len()).unwrap_or(0);
        self.0.fetch_max(end, Ordering::Relaxed);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}
