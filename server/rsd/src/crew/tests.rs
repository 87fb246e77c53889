//! What panics is told, counted and begun again; what cannot be ends the process.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use config::Settings as BootSettings;
use config::settings::Retention;
use model::time::Millis;
use rs::privacy::Hush;
use rs::rollup::Weekday;
use spool::fs::real::RealFs;
use spool::{Hooks, Spool};
use telemetry::log::Captured;
use tempfile::TempDir;

use super::faulty::Faulty;
use super::*;
use crate::backlog::Backlog;
use crate::ingest::{Counters, Durable, Gate, Parts as Taking};
use crate::jobs::Jobs;
use crate::live::Live;
use crate::monitor::{Monitor, Watched};
use crate::retention::{self, Desk, Keeper};
use crate::rollup::{self, Place, Rollup};
use crate::store::Store;

/// A crew over nobody.
pub(crate) fn idle() -> Arc<Crew> {
    Arc::new(Crew::new(Log::silent(|| Millis(0)), Clock::start()))
}

fn told() -> (Arc<Crew>, Captured) {
    let (log, lines) = Log::capture(|| Millis(0));
    (Arc::new(Crew::new(log, Clock::start())), lines)
}

fn panics(crew: &Crew, worker: Worker) -> u64 {
    crew.panics().into_iter().find(|(one, _)| *one == worker).map_or(0, |(_, panics)| panics)
}

fn within(mut done: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if done() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("never");
}

#[test]
fn pauses_grow_to_their_limit_and_begin_anew_when_it_was_calm() {
    let crew = idle();
    let at = |second: u64| Now { mono: Duration::from_secs(second), wall: Millis(second * 1000) };
    let fail = |second| crew.note(Worker::Rollup, "why", Fate::Again, at(second)).as_millis();
    let pauses: Vec<u128> = (0..8).map(fail).collect();
    assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    assert_eq!(crew.trouble(at(606).mono).as_deref(), Some("rollup: why"));
    assert_eq!(crew.trouble(at(607).mono), None, "ten minutes without");
    assert_eq!(fail(607), 500);
    assert_eq!((panics(&crew, Worker::Rollup), panics(&crew, Worker::Apply)), (9, 0));
    crew.down(Worker::Configuration, "gone");
    let year = Duration::from_secs(366 * 86_400);
    assert_eq!(crew.trouble(year).as_deref(), Some("configuration: gone"), "until a start");
}

#[test]
fn a_task_that_panics_begins_again_and_one_that_cannot_ends_the_process() {
    let (crew, lines) = told();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_closing, closed) = watch::channel(false);
    let turns = Arc::new(AtomicU32::new(0));
    let own = Arc::clone(&turns);
    runtime.block_on(Arc::clone(&crew).keep(Worker::Books, closed, move || {
        let turns = Arc::clone(&own);
        async move {
            assert!(turns.fetch_add(1, Ordering::SeqCst) > 0, "the first turn");
        }
    }));
    assert_eq!((turns.load(Ordering::SeqCst), panics(&crew, Worker::Books)), (2, 1));
    assert!(crew.alarms.is_up(Name::WorkerFailed));
    assert!(!*crew.broken.borrow());
    crew.end(Worker::Listener, "gone");
    crew.end(Worker::Listener, "gone");
    runtime.block_on(crew.broken());
    assert_eq!(panics(&crew, Worker::Listener), 1, "told once");
    crew.log.flush();
    let lines: Vec<_> = lines.lines().into_iter().filter(|line| line.contains("31401")).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("worker=books") && lines[0].contains("the first turn"), "{lines:?}");
    assert!(lines[0].contains("alarm=RS-WORKER-FAILED"), "{lines:?}");
}

/// The parts of a daemon around a store that fails.
struct House {
    _dir: TempDir,
    store: Arc<Faulty>,
    taking: Taking,
    monitor: Arc<Monitor>,
}

impl House {
    fn open() -> Self {
        Self::with(|_| {})
    }

    /// With what is called when frames are durable.
    fn with(on_durable: fn(u64)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Faulty::open(dir.path().join("rs")));
        let (log, clock) = (Log::silent(|| Millis(0)), Clock::start());
        let settings = spool::Settings::new(dir.path().join("spool"), 1 << 30, 1);
        let hooks = Hooks {
            clock: Box::new(move || clock.mono()),
            on_durable: Box::new(on_durable),
            on_sync: Box::new(|_| {}),
            carry: Box::new(<[u8]>::to_vec),
        };
        let (spool, _) = Spool::open(settings, Arc::new(RealFs), hooks).unwrap();
        let taking = Taking {
            gate: Arc::new(Gate::new(spool.clone(), log.clone())),
            spool,
            durable: Durable::default(),
            counters: Arc::<Counters>::default(),
            roster: Arc::default(),
            backlog: Arc::<Backlog>::default(),
            crew: Arc::new(Crew::new(log.clone(), clock)),
            log: log.clone(),
            clock,
        };
        let watched = Watched {
            crew: Arc::clone(&taking.crew),
            spool: taking.spool.clone(),
            spool_dir: dir.path().join("spool"),
            gate: Arc::clone(&taking.gate),
            figures: Arc::default(),
            backlog: Arc::clone(&taking.backlog),
            live: Arc::new(Live::of(BootSettings::default(), Vec::new())),
            certificates: None,
            users: None,
            jobs: Arc::default(),
            store: Arc::clone(&store) as Arc<dyn Store>,
            holder: "a".to_owned(),
        };
        let monitor = Arc::new(Monitor::new("rs-1", watched, log, clock));
        Self { _dir: dir, store, taking, monitor }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as Arc<dyn Store>
    }

    fn place() -> Arc<Place> {
        Arc::new(Place::of(Some("UTC"), Weekday::Monday).unwrap())
    }

    fn rollup(&self) -> Rollup {
        let parts = rollup::Parts {
            store: self.store(),
            place: Self::place(),
            learned: Arc::default(),
            live: Arc::new(Live::of(BootSettings::default(), Vec::new())),
            monitor: Arc::clone(&self.monitor),
            holder: "a".to_owned(),
            log: self.taking.log.clone(),
            clock: self.taking.clock,
        };
        Rollup::start(parts).unwrap()
    }

    fn retention(&self) -> (Keeper, Arc<Desk>) {
        let zone = Self::place().zone.clone();
        let hush = Hush::of(Vec::new());
        let desk = Desk::new(Retention::default(), zone, hush, Arc::<Jobs>::default());
        let desk = Arc::new(desk);
        let parts = retention::Parts {
            store: self.store(),
            desk: Arc::clone(&desk),
            ingest: self.taking.clone(),
            backlog: Arc::clone(&self.taking.backlog),
            monitor: Arc::clone(&self.monitor),
            holder: "a".to_owned(),
            name: "rs-1".to_owned(),
            volume: None,
            log: self.taking.log.clone(),
            clock: self.taking.clock,
        };
        (Keeper::start(parts).unwrap(), desk)
    }

    /// Two panics are seen and told, and then it works: more than `before` is answered.
    fn recovers(&self, worker: Worker, before: u32, wake: impl Fn()) {
        let crew = &self.taking.crew;
        within(|| {
            wake();
            panics(crew, worker) == 2 && self.store.answers() > before
        });
        self.monitor.look();
        let health = self.monitor.health.checks();
        let told = health.iter().find(|(name, ..)| *name == "workers").unwrap();
        let why = format!("{}: a fault of the test", worker.as_str());
        assert_eq!((told.1, told.2, &*told.3), (false, false, &*why));
        assert!(self.monitor.alarms.is_up(Name::WorkerFailed));
    }
}

#[test]
fn the_rollup_job_goes_on_after_a_panic() {
    let house = House::open();
    let before = house.store.fail(2);
    let rollup = house.rollup();
    house.recovers(Worker::Rollup, before, || {});
    rollup.stop();
}

#[test]
fn retention_goes_on_after_a_panic() {
    let house = House::open();
    let (retention, desk) = house.retention();
    let before = house.store.fail(2);
    house.recovers(Worker::Retention, before, || desk.changed());
    retention.stop();
}

#[test]
fn the_look_at_the_books_goes_on_after_a_panic() {
    let house = House::open();
    let before = house.store.fail(2);
    let runtime = crate::running::runtime().unwrap();
    let (closing, closed) = watch::channel(false);
    let looking = Arc::clone(&house.monitor).keep_books(closed);
    let looking = runtime.spawn(looking);
    house.recovers(Worker::Books, before, || {});
    closing.send_replace(true);
    runtime.block_on(looking).unwrap();
}

#[test]
fn a_thread_of_the_queue_that_panics_ends_the_process() {
    let house = House::with(|_| panic!("a fault of the test"));
    let spool = &house.taking.spool;
    let (kind, payload) = (spool::Kind::Data, vec![1]);
    spool.append(vec![spool::Entry { kind, key: None, payload, records: 1 }], true).unwrap();
    within(|| spool.status().is_dead);
    let crew = &house.taking.crew;
    assert!(!*crew.broken.borrow());
    house.monitor.look();
    assert!(*crew.broken.borrow());
    assert_eq!(panics(crew, Worker::Spool), 1);
}
