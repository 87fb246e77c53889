//! The checks behind the probes (rs.md §5.12) and the alarms that figures raise (§12), looked at
//! once a second and when a probe asks.
//!
//! What was found is in memory: a probe never waits for a disk or the database.

mod books;
mod deeds;
mod logins;
mod lost;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use config::certificates::Certificates;
use model::time::{Millis, Now};
use net::Clock;
use spool::{Damage, Spool, State, Status};
use telemetry::Log;
use telemetry::health::Health;
use tokio::sync::watch;

use crate::alarms::{Alarms, Name, Sight, Standing, Turn, Watch, hangs};
use crate::apply::Figures;
use crate::backlog::Backlog;
use crate::crew::{Crew, Worker};
use crate::diary::Diary;
use crate::ingest::{Gate, Priority};
use crate::jobs::Jobs;
use crate::live::Live;
use crate::machine::Beyond;
use crate::running::Addresses;
use crate::store::Store;
use crate::users::Users;

pub(crate) use self::books::Stock;
pub(crate) use self::deeds::Deeds;
pub(crate) use self::logins::Forbidden;
pub(crate) use self::lost::Lost;

const PERIOD: Duration = Duration::from_secs(1);

/// Different refusals that the audit log tells of in an hour: who, where from, what.
const FORBIDDEN: usize = 1_000;

/// Which checks there are, and which of them readiness needs.
const CHECKS: [(&str, bool); 6] = [
    ("spool", true),
    ("config", false),
    ("broker", true),
    ("database", false),
    ("workers", false),
    ("limits", false),
];

/// What the monitor looks at.
pub(crate) struct Watched {
    pub(crate) crew: Arc<Crew>,
    pub(crate) spool: Spool,
    /// Where that is.
    pub(crate) spool_dir: PathBuf,
    pub(crate) gate: Arc<Gate>,
    pub(crate) figures: Arc<Figures>,
    pub(crate) backlog: Arc<Backlog>,
    /// What is in force.
    pub(crate) live: Arc<Live>,
    /// `rs.tls`
    pub(crate) certificates: Option<Mutex<Certificates>>,
    /// `rs.auth.users_file`
    pub(crate) users: Option<Arc<Users>>,
    /// What operators have asked for.
    pub(crate) jobs: Arc<Jobs>,
    /// Where the books of the producers are.
    pub(crate) store: Arc<dyn Store>,
    /// Name of this process as the holder of leases.
    pub(crate) holder: String,
}

/// Looks after the checks and the alarms.
pub(crate) struct Monitor {
    pub(crate) health: Health,
    pub(crate) alarms: Alarms,
    /// What is done beside the database, for the audit log.
    pub(crate) deeds: Deeds,
    /// What somebody was not allowed, likewise.
    pub(crate) forbidden: Diary<Forbidden>,
    /// What of the queue was lost.
    pub(crate) lost: Lost,
    watched: Watched,
    watch: Mutex<Watch>,
    standings: Mutex<BTreeMap<String, Standing>>,
    stock: Mutex<Stock>,
    /// Levels that were not those of the facts, since the start.
    drifted: AtomicU64,
    /// Failed syncs that the log knows.
    failed_syncs: AtomicU64,
    log: Log,
    clock: Clock,
}

impl Monitor {
    pub(crate) fn new(name: &str, watched: Watched, log: Log, clock: Clock) -> Self {
        let health = Health::new(name, clock.now().wall, &CHECKS);
        let (alarms, watch) = (watched.crew.alarms.clone(), Mutex::default());
        let (standings, stock) = (Mutex::default(), Mutex::default());
        let (drifted, failed_syncs) = (AtomicU64::new(0), AtomicU64::new(0));
        let lost = Lost::open(watched.spool_dir.clone());
        let monitor = Self {
            health,
            alarms,
            deeds: Deeds::default(),
            forbidden: Diary::new(FORBIDDEN),
            lost,
            watched,
            watch,
            standings,
            stock,
            drifted,
            failed_syncs,
            log,
            clock,
        };
        if !monitor.lost.all().is_empty() {
            monitor.raise(Name::SpoolDamaged, "found at an earlier start");
        }
        monitor
    }

    /// Limits that are smaller than asked for: that is told, and no failure.
    pub(crate) fn limits(&self, beyond: &[Beyond]) {
        let beyond: Vec<_> = beyond.iter().map(ToString::to_string).collect();
        let detail = if beyond.is_empty() { "as set".to_owned() } else { beyond.join("; ") };
        self.health.set(self.clock.now().wall, "limits", true, &detail);
    }

    /// Who watches over all that works in the background.
    pub(crate) fn crew(&self) -> &Arc<Crew> {
        &self.watched.crew
    }

    /// Everything listens.
    pub(crate) fn listening(&self, addresses: Addresses) {
        let now = self.clock.now().wall;
        let broker = addresses.broker.map_or_else(|| "off".to_owned(), |at| at.to_string());
        let detail = addresses.broker.map_or("off".to_owned(), |at| format!("listens on {at}"));
        self.health.set(now, "broker", true, &detail);
        self.look();
        let http = addresses.http.to_string();
        self.log.emit(31001, None, &[("broker", &broker), ("http", &http)]);
    }

    /// The broker's listener closes.
    pub(crate) fn leaving(&self) {
        self.health.set(self.clock.now().wall, "broker", false, "stopping");
    }

    /// Looks at the spool, the queue and the database.
    pub(crate) fn look(&self) {
        let now = self.clock.now();
        let Watched { spool, gate, figures, backlog, live, .. } = &self.watched;
        let high = live.rs().queue_high;
        let status = spool.status();
        // decides anew when no producer asks
        gate.look();
        let full = gate.held_back(Priority::First);
        let hangs = hangs(status.busy_since, now.mono);
        self.check_spool(now.wall, &status, full, hangs.is_some());
        let stuck = figures.stuck();
        let open = figures.up(now.mono);
        let detail = if open { "open" } else { "the last batch was not stored" };
        let up = open && stuck.is_none();
        self.health.set(now.wall, "database", up, stuck.as_deref().unwrap_or(detail));
        self.turn(Name::ApplyStuck, stuck);
        if status.is_dead {
            self.watched.crew.end(Worker::Spool, "a thread of the ingest queue has panicked");
        }
        self.workers(now);
        self.damaged(&spool.take_damage());
        self.damaged_files();
        self.synced(now.wall, &status);
        self.judge(&Sight {
            now: now.mono,
            used: status.bytes.saturating_add(u64::try_from(status.pending_bytes).unwrap_or(0)),
            limit: status.limit,
            full,
            hangs,
            queue: backlog.records(),
            queue_high: (high.size, high.long),
            outage: figures.outage(),
            letters: figures.dead(),
            certificate: self.certificates_left(),
            skewed: figures.tallied().skews.wrong(now.mono),
        });
    }

    /// Whether all that works in the background does.
    fn workers(&self, now: Now) {
        let trouble = self.watched.crew.trouble(now.mono);
        let detail = trouble.as_deref().unwrap_or("all at work");
        self.health.set(now.wall, "workers", trouble.is_none(), detail);
        if trouble.is_none() {
            self.clear(Name::WorkerFailed);
        }
    }

    /// Looks whether files of certificates or users have changed; `asked`: reads them anyway.
    fn look_at_files(&self, asked: bool) {
        if let Some(users) = &self.watched.users {
            users.look(asked);
        }
        if let Some(own) = &self.watched.certificates {
            let mut own = own.lock().unwrap_or_else(PoisonError::into_inner);
            own.look(self.clock.now().wall, asked, &self.log);
        }
    }

    /// How long the certificates are still valid, where there are any.
    pub(crate) fn certificates_left(&self) -> Option<Duration> {
        let own = self.watched.certificates.as_ref()?;
        Some(own.lock().unwrap_or_else(PoisonError::into_inner).left(self.clock.now().wall))
    }

    fn check_spool(&self, at: Millis, status: &Status, full: bool, hangs: bool) {
        let detail = match status.state {
            State::Open if hangs => "the disk does not answer",
            State::Open if full => "at its limit",
            State::Open => "open",
            State::DiskFull => "the file system is full",
            State::Broken => "the disk failed twice in a row",
            State::Closed => "closed",
        };
        self.health.set(at, "spool", status.state == State::Open && !full && !hangs, detail);
    }

    /// Parts of the spool cannot be read: each is a line, all of them one alarm.
    pub(crate) fn damaged(&self, found: &[Damage]) {
        if !found.is_empty() {
            self.lost.add(found);
        }
        for damage in found {
            let (offset, bytes) = (damage.offset.to_string(), damage.bytes.to_string());
            let lost = format!("{}-{}", damage.lost.0, damage.lost.1);
            let copy = damage.copy.as_deref().unwrap_or("-");
            let text = format!("{bytes} bytes of {} at {offset}", damage.file);
            let alarm = self.alarms.raise(self.clock.now().wall, Name::SpoolDamaged, &text);
            let mut fields = vec![
                ("file", &*damage.file),
                ("offset", &*offset),
                ("bytes", &*bytes),
                ("lost", &*lost),
                ("copy", copy),
            ];
            fields.extend(alarm);
            self.log.emit(Name::SpoolDamaged.log_id(), None, &fields);
        }
    }

    /// Files of the database can be neither read nor written.
    fn damaged_files(&self) {
        let store = &self.watched.store;
        let main = store.damaged_main().map(|why| format!("the main file: {why}"));
        let days = store.damaged().into_iter().map(|(day, why)| format!("day {day}: {why}"));
        let told = main.into_iter().chain(days).collect::<Vec<_>>().join("; ");
        self.turn(Name::DbDamaged, (!told.is_empty()).then_some(told));
    }

    /// A sync failed: the group went into a new segment, or, the second in a row, nowhere.
    fn synced(&self, at: Millis, status: &Status) {
        let told = self.failed_syncs.swap(status.failed_syncs, Ordering::Relaxed);
        if status.failed_syncs <= told {
            return;
        }
        let what = match status.state {
            State::Broken => {
                "twice in a row: nothing is taken until this alarm is ended, or a restart"
            }
            State::Open | State::DiskFull | State::Closed => "the group went into a new segment",
        };
        let (failed, pending) = (status.failed_syncs.to_string(), status.pending.to_string());
        let mut fields = vec![("failed", &*failed), ("pending", &*pending), ("what", what)];
        fields.extend(self.alarms.raise(at, Name::SpoolSync, what));
        self.log.emit(Name::SpoolSync.log_id(), None, &fields);
    }

    fn judge(&self, sight: &Sight) {
        // held to the end, so that two who look do not tell their turns in another order
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        self.tell(watch.look(sight));
    }

    fn tell(&self, turns: Vec<Turn>) {
        for turn in turns {
            match turn {
                Turn::Raise(name, why) => {
                    let mut fields = vec![("why", &*why)];
                    fields.extend(self.alarms.raise(self.clock.now().wall, name, &why));
                    self.log.emit(name.log_id(), None, &fields);
                }
                Turn::Clear(name) => {
                    self.clear(name);
                }
            }
        }
    }

    /// The alarm is raised; told once.
    pub(crate) fn raise(&self, name: Name, why: &str) {
        if let Some(alarm) = self.alarms.raise(self.clock.now().wall, name, why) {
            self.log.emit(name.log_id(), None, &[("why", why), alarm]);
        }
    }

    /// Every producer as its books showed it when they were last looked at.
    pub(crate) fn standings(&self) -> BTreeMap<String, Standing> {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was in the database when it was last looked at.
    pub(crate) fn stock(&self) -> Stock {
        self.stock.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// So many levels were not those of the facts, and are now.
    pub(crate) fn drifted(&self, levels: usize) {
        if levels > 0 {
            let more = u64::try_from(levels).unwrap_or(u64::MAX);
            self.drifted.fetch_add(more, Ordering::Relaxed);
            let why = format!("{levels} levels were not those of the facts; repaired");
            self.turn(Name::RollupDrift, Some(why));
        }
    }

    /// Levels that were not those of the facts, since the start.
    pub(crate) fn drift(&self) -> u64 {
        self.drifted.load(Ordering::Relaxed)
    }

    /// Why an alarm is up; `None`: it is not, unless an operator has to end it.
    pub(crate) fn turn(&self, name: Name, why: Option<String>) {
        match why {
            Some(why) if name.is_by_operator() || !self.alarms.is_up(name) => {
                let mut fields = vec![("why", &*why)];
                fields.extend(self.alarms.raise(self.clock.now().wall, name, &why));
                self.log.emit(name.log_id(), None, &fields);
            }
            Some(_) => {}
            None => {
                self.clear(name);
            }
        }
    }

    /// The alarm is over; false: it was not raised.
    pub(crate) fn clear(&self, name: Name) -> bool {
        let was_up = self.alarms.clear(name);
        if name == Name::SpoolDamaged {
            self.lost.forget();
        }
        if was_up {
            self.log.emit(31301, None, &[("alarm", name.as_str())]);
        }
        was_up
    }

    /// Looks again and again until the end.
    pub(crate) async fn run(
        self: Arc<Self>,
        mut reload: watch::Receiver<u64>,
        mut closed: watch::Receiver<bool>,
    ) {
        loop {
            let asked = tokio::select! {
                () = tokio::time::sleep(PERIOD) => false,
                // the sender lives as long as the server
                changed = reload.changed() => changed.is_ok(),
                _ = closed.changed() => return,
            };
            self.look();
            self.look_at_files(asked);
        }
    }
}
