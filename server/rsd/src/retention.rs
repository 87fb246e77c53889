//! Retention as a job (rs.md §10, §4.9, §4.10): one thread that looks around now and then, takes
//! its lease, and carries out what `core/rs` has decided. Time is an argument of all that it does;
//! only the thread looks at the clock.

mod desk;
mod dry;
mod export;
mod file;
mod indexes;
mod orphans;
mod pace;
mod purge;
mod relief;
mod signs;
mod terms;
mod written;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use model::time::Millis;
use net::Clock;
use rs::key;
use rs::orphan::Patience;
use rs::retention::{Terms, ahead};
use rs::rollup::{State as Bins, forget};

use serde_json::Value;

use crate::background::Background;
use crate::rollup::{let_apart_go, let_go};
use telemetry::Log;

use crate::alarms::Name;
use crate::backlog::Backlog;
use crate::crew::Worker;
use crate::ingest;
use crate::jobs::{Jobs, Kind};
use crate::monitor::Monitor;
use crate::store::keeping::Lease;
use crate::store::{Day, Store, StoreError};

use self::desk::State;
use self::indexes::Indexes;
use self::pace::Pace;
use self::signs::Waiting;

pub(crate) use desk::Desk;
pub use export::{Export, Kept, Leaving, Under};
pub use purge::{Ages, Before, Keep, Report, Why, emergency, purge};
pub(crate) use terms::judge_by;
pub use terms::{Annexes, annexes, in_force};
pub use written::{Unread, Written};

/// Between two looks at the time.
const NAP: Duration = Duration::from_secs(1);
/// Between two looks for orphans, at the overrides, and at the volume.
const ROUND_MS: i64 = 60_000;
/// Why nothing goes by us.
const TAKEN: &str = "another Reporting Server is at it";
/// Why a run ends early: the next one goes by the new values.
const CHANGED: &str = "what is kept how long has changed meanwhile";
/// How long a lease is taken for.
const LEASE_MS: i64 = 30_000;
/// Where another has it, it is asked for again after so long: it may be over.
const TAKEN_MS: i64 = 10_000;
/// Records wait so long for the database, and the purge waits too: what is late for the ledger
/// must not be late because of us.
const LAG: Duration = Duration::from_secs(3600);

/// What the job works with.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) desk: Arc<Desk>,
    /// Where the ends of orphans go.
    pub(crate) ingest: ingest::Parts,
    pub(crate) backlog: Arc<Backlog>,
    pub(crate) monitor: Arc<Monitor>,
    /// Of this process alone.
    pub(crate) holder: String,
    /// `rs.name`
    pub(crate) name: String,
    /// Directory of the database, where it is ours.
    pub(crate) volume: Option<PathBuf>,
    pub(crate) log: Log,
    pub(crate) clock: Clock,
}

/// The running job.
pub(crate) struct Keeper {
    desk: Arc<Desk>,
    thread: Background,
}

impl Keeper {
    /// Starts the thread, which begins with the overrides.
    pub(crate) fn start(parts: Parts) -> std::io::Result<Self> {
        let desk = Arc::clone(&parts.desk);
        let now = parts.clock.now().wall;
        let export = parts.desk.settings().export.clone();
        let export = export.map(|to| Export::new(to, parts.name.clone(), parts.holder.clone()));
        let mut work = Work {
            parts,
            export,
            terms: None,
            round_ms: 0,
            since_ms: ms(now),
            again_ms: 0,
            ran: None,
            waiting: Waiting::default(),
            ahead: None,
            stuck: None,
            annexed: None,
            indexes: Indexes::default(),
        };
        let (crew, watched) = (Arc::clone(&work.parts.ingest.crew), Arc::clone(&desk));
        let rest = move |pause| {
            watched.rest(pause);
            !watched.is_stopping()
        };
        let work = move || crew.work(Worker::Retention, || work.run(), rest);
        Ok(Self { desk, thread: Background::start("retention", work)? })
    }

    /// Ends it at the next slice.
    pub(crate) fn stop(self) {
        self.desk.state().stopping = true;
        self.desk.wake.notify_all();
        // what it did not do is done after the next start
        let _ended = self.thread.end(Duration::ZERO);
    }
}

struct Work {
    parts: Parts,
    /// Where what goes is written down before; it knows what it has written.
    export: Option<Export>,
    /// In force.
    terms: Option<Terms>,
    /// When the last round was.
    round_ms: i64,
    /// Start of the process: since then silence can be told from our own absence.
    since_ms: i64,
    /// One that could not be is not tried before.
    again_ms: i64,
    /// Start of the day of the last run.
    ran: Option<i64>,
    waiting: Waiting,
    /// Why the clock is not believed.
    ahead: Option<String>,
    /// Why the volume stays nearly full.
    stuck: Option<String>,
    /// What the database was told of Annexes.
    annexed: Option<bool>,
    indexes: Indexes,
}

impl Work {
    fn run(&mut self) {
        while !self.parts.desk.is_stopping() {
            let now_ms = ms(self.parts.clock.now().wall);
            self.turn(now_ms);
            let desk = &self.parts.desk;
            let calm = |state: &mut State| !state.stopping && !state.stale;
            let waited = desk.wake.wait_timeout_while(desk.state(), NAP, calm);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn turn(&mut self, now_ms: i64) {
        let stale = std::mem::take(&mut self.parts.desk.state().stale);
        if stale || now_ms >= self.round_ms + ROUND_MS || now_ms < self.round_ms {
            self.round_ms = now_ms;
            if self.refresh().is_ok() && !self.orphans(now_ms) {
                self.round_ms = now_ms - ROUND_MS + TAKEN_MS;
            }
            self.space(now_ms);
            self.blocked(now_ms);
        }
        self.index(now_ms);
        let begins = self.parts.desk.begins_ms(now_ms);
        let window = self.parts.desk.settings().window.as_millis();
        let ends = begins.saturating_add(i64::try_from(window).unwrap_or(i64::MAX));
        let due = (begins..ends).contains(&now_ms) && self.ran != Some(begins);
        if now_ms < self.again_ms {
            return;
        }
        let jobs = Arc::clone(&self.parts.desk.jobs);
        let dry = jobs.begin(Kind::Retention, true);
        if !dry.is_empty() {
            match self.dry_run(now_ms) {
                Ok(Some(told)) => jobs.end(&dry, &told, ms(self.parts.clock.now().wall)),
                Ok(None) => return,
                Err(error) => self.later((&jobs, &dry), now_ms, &error.reason()),
            }
        }
        let asked = jobs.begin(Kind::Retention, false);
        if due || !asked.is_empty() {
            let until = if due { ends } else { now_ms.saturating_add(ends - begins) };
            match self.purge(!asked.is_empty(), now_ms, until) {
                Ok(report) => {
                    self.ran = Some(begins);
                    jobs.end(&asked, &report, ms(self.parts.clock.now().wall));
                }
                Err(why) => self.later((&jobs, &asked), now_ms, &why),
            }
        }
    }

    /// What could not be is tried again in a while.
    fn later(&mut self, (jobs, ids): (&Jobs, &[u64]), now_ms: i64, why: &str) {
        jobs.wait(ids, why);
        self.again_ms = now_ms + if why == TAKEN { TAKEN_MS } else { ROUND_MS };
    }

    /// Reads the overrides, and has what comes judged by them.
    fn refresh(&mut self) -> Result<(), StoreError> {
        let Parts { store, desk, log, .. } = &self.parts;
        let terms = judge_by(&**store, desk).inspect_err(|error| tell(log, "values", error))?;
        self.terms = Some(terms);
        self.remember();
        Ok(())
    }

    /// Whether tenants or profiles have days of their own is known to the database: a purge without
    /// their configuration would take what they keep.
    fn remember(&mut self) {
        let Parts { store, desk, log, clock, .. } = &self.parts;
        let (Some(annexes), Some(bins)) = (desk.annexes(), store.bins()) else { return };
        let any = !annexes.is_empty();
        if self.annexed != Some(any) {
            let none = std::collections::BTreeSet::new();
            match bins.note(&none, &Bins::annex(any), ms(clock.now().wall)) {
                Ok(()) => self.annexed = Some(any),
                Err(error) => tell(log, "values", &error),
            }
        }
    }

    /// Why nothing may go: who has days of its own is not known yet.
    fn is_unknown(&self) -> Result<Option<&'static str>, StoreError> {
        let Parts { store, desk, .. } = &self.parts;
        let (None, Some(bins)) = (desk.annexes(), store.bins()) else { return Ok(None) };
        let why = "the configuration is not known yet, which has days of tenants or profiles";
        Ok(Bins::of(&bins.meta()?).annexed.then_some(why))
    }

    /// False: another Reporting Server has the lease.
    fn orphans(&self, now_ms: i64) -> bool {
        let Parts { store, desk, ingest, backlog, holder, name, log, clock, .. } = &self.parts;
        let now = clock.now().wall;
        // what a component has sent may wait; of the time before that, nothing does
        let Some(as_of) = backlog.stored_up_to(now) else { return true };
        let keeping = store.keeping();
        let done = keeping.take_lease("orphan", holder, now_ms, now_ms + LEASE_MS);
        let closed = done.and_then(|lease| {
            let Some(lease) = lease else { return Ok(None) };
            let timeout = i64::try_from(desk.settings().timeout.as_millis());
            let timeout_ms = timeout.unwrap_or(i64::MAX);
            let patience = Patience { since_ms: self.since_ms, timeout_ms };
            let closed = orphans::close(keeping, ingest, name, patience, (as_of, now))?;
            keeping.end_lease(&lease)?;
            Ok(Some(closed))
        });
        match closed {
            Ok(None) => return false,
            Ok(Some(0)) => {}
            Ok(Some(closed)) => log.emit(34003, None, &[("count", &closed.to_string())]),
            Err(error) => tell(log, "orphans", &error),
        }
        true
    }

    /// One run, and what it did; else why it is to be tried again.
    fn purge(&mut self, asked: bool, now_ms: i64, until_ms: i64) -> Result<Value, String> {
        // days of tenants may have become known since the last look
        if self.refresh().is_err() {
            return Err("the database is away".to_owned());
        }
        let Parts { backlog, clock, .. } = &self.parts;
        if backlog.age(clock.now().wall) > LAG {
            return Err("records have waited for the database for an hour".to_owned());
        }
        let failed = |part: &str, error: &StoreError| {
            tell(&self.parts.log, part, error);
            error.reason()
        };
        let unknown = self.is_unknown().map_err(|error| failed("values", &error))?;
        if let Some(why) = unknown {
            return Err(why.to_owned());
        }
        if self.parts.desk.state().stale {
            return Err(CHANGED.to_owned());
        }
        let ahead = self.is_ahead(asked, now_ms).map_err(|error| failed("clock", &error))?;
        if ahead.is_some() {
            // the next night, unless an operator says that the clock is right
            self.ahead = ahead;
            self.blocked(now_ms);
            return Ok(Value::Null);
        }
        let report = self.run_once(now_ms, until_ms).map_err(|error| failed("purge", &error));
        self.ahead = None;
        let report = report?.ok_or(TAKEN)?;
        let (shown, busy) = (report.shown(), report.busy());
        let changed = !report.finished && self.parts.desk.state().stale;
        self.ran(report, now_ms);
        if changed {
            return Err(CHANGED.to_owned());
        }
        busy.map_or(Ok(shown), Err)
    }

    /// `None`: another RS has the lease.
    fn run_once(&self, now_ms: i64, until_ms: i64) -> Result<Option<Report>, StoreError> {
        let Parts { store, desk, holder, log, clock, .. } = &self.parts;
        let Some(terms) = &self.terms else { return Ok(None) };
        let keeping = store.keeping();
        let take = |now_ms| keeping.take_lease("retention", holder, now_ms, now_ms + LEASE_MS);
        let Some(lease) = take(now_ms)? else { return Ok(None) };
        let same = |now_ms| take(now_ms).is_ok_and(|ours| ours.as_ref() == Some(&lease));
        let mut pace = Pace::new(*clock, until_ms);
        let mut next = || desk.next(&mut pace, same);
        let ages = Ages { failures: desk.settings().failures };
        let clean = |day: Day, before_ms: i64| {
            store.bins().map_or(Ok(true), |bins| let_go(bins, day, before_ms, now_ms))
        };
        let apart = |before_ms: i64| {
            store.bins().map_or(Ok(true), |bins| let_apart_go(bins, before_ms, now_ms))
        };
        let days = terms::bin_days(&desk.settings().bins);
        let gone = || {
            let bins = store.bins();
            bins.map_or(Ok(Vec::new()), |bins| forget(bins, &desk.zone, &days, now_ms))
        };
        let keep = self.keeper(&lease);
        let before = Before { clean: &clean, apart: &apart, keep: &keep, forget: &gone };
        let report = purge(keeping, terms, &lease, ages, now_ms, before, &mut next);
        if let Err(error) = keeping.end_lease(&lease) {
            tell(log, "lease", &error);
        }
        report.map(Some)
    }

    /// Writes down what goes, where that is wanted.
    fn keeper(
        &self,
        lease: &Lease,
    ) -> impl Fn(&Leaving<'_>, &mut dyn FnMut() -> Option<u32>) -> Result<Kept, StoreError> {
        move |leaving, next| match &self.export {
            Some(export) => {
                let now = || ms(self.parts.clock.now().wall);
                export.keep(&*self.parts.store, Under { lease, now: &now }, leaving, next)
            }
            None => Ok(Kept::Whole),
        }
    }

    fn ran(&mut self, report: Report, now_ms: i64) {
        let (rows, days) = (report.rows.to_string(), report.gone.len().to_string());
        let fields = [("rows", &*rows), ("days", &*days), ("left", &*report.left())];
        self.parts.log.emit(35001, None, &fields);
        self.waiting.are(&report.blocked, now_ms);
        self.blocked(now_ms);
        if report.finished {
            let none = std::collections::BTreeSet::new();
            let bins = self.parts.store.bins();
            let noted = bins.map(|bins| bins.note(&none, &Bins::retained(now_ms), now_ms));
            if let Err(error) = noted.transpose() {
                tell(&self.parts.log, "success", &error);
            }
        }
        self.parts.desk.state().last = Some((now_ms, report));
        // what cannot be read now is read by the next round
        let _away = self.refresh();
    }

    /// Why the clock is not believed; in a run that was asked for it is. This is the last run now.
    fn is_ahead(&self, asked: bool, now_ms: i64) -> Result<Option<String>, StoreError> {
        let store = &self.parts.store;
        let Some(bins) = store.bins() else { return Ok(None) };
        let mut last_ms = Bins::of(&bins.meta()?).purged_ms;
        if last_ms.is_none() {
            let newest = store.keeping().days()?.last().copied();
            last_ms = newest.map(|day| key::start_ms(key::after(day)));
        }
        if let Some(days) = last_ms.and_then(|last_ms| ahead(now_ms, last_ms)).filter(|_| !asked) {
            return Ok(Some(format!("the clock is {days} days ahead of the last purge")));
        }
        let none = std::collections::BTreeSet::new();
        bins.note(&none, &Bins::purged(now_ms), now_ms)?;
        Ok(None)
    }

    /// Days that wait longer than a day raise the alarm, a clock that is not believed, and a volume
    /// that stays nearly full.
    fn blocked(&mut self, now_ms: i64) {
        let why = self.ahead.clone().or_else(|| self.stuck.clone());
        let why = why.or_else(|| self.waiting.late(now_ms));
        self.alarm(Name::PurgeBlocked, why);
    }

    fn alarm(&self, name: Name, why: Option<String>) {
        match why {
            Some(why) => self.parts.monitor.raise(name, &why),
            None => {
                self.parts.monitor.clear(name);
            }
        }
    }
}

fn tell(log: &Log, part: &str, error: &StoreError) {
    log.emit(35004, None, &[("part", part), ("error", &error.reason())]);
}

pub(crate) fn ms(time: Millis) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}
