//! All that works in the background of a Reporting Server, each under a name. One that panics is
//! told, counted and begun again after a pause; where that cannot be it stays down, and the alarm
//! up, or the process ends. Dead parts that nobody sees would let it answer as if all were well.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::time::Now;
use net::Clock;
use telemetry::Log;
use tokio::sync::watch;
use tokio::task::JoinError;

use crate::alarms::{Alarms, Name};

/// Pause after the first panic; each that follows within [`CALM`] doubles it,
const FIRST: Duration = Duration::from_millis(500);
/// up to this.
const LONGEST: Duration = Duration::from_secs(30);
/// After so long without a panic one is over.
const CALM: Duration = Duration::from_secs(600);

/// Who works; in the order of the metric's labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worker {
    /// From the spool into the database.
    Apply,
    /// Logs are moved into their files.
    Checkpoint,
    /// Marks become bins.
    Rollup,
    /// Purge, orphans, emergency.
    Retention,
    /// Numbers are erased.
    Erasure,
    /// The monitor's look at the books of the producers.
    Books,
    /// Logins become lines of the audit log.
    Audit,
    /// Checks and alarms.
    Monitor,
    /// Passwords are checked.
    Logins,
    /// Names of tenants in the files of users get their numbers.
    Names,
    /// One connection of a producer; the others go on.
    Connection,
    /// One question over HTTP.
    Question,
    /// The listener for producers.
    Listener,
    /// HTTP.
    Http,
    /// The writer of the ingest queue, and who makes its segments.
    Spool,
    /// Who listens to the Config Server, or looks at a file.
    Configuration,
}

/// What became of one that has panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It begins again after a pause.
    Again,
    /// One piece of work is lost, others go on.
    Lost,
    /// It does not work any more until the next start.
    Down,
    /// The process ends.
    End,
}

/// What is known of one of them.
#[derive(Clone, Debug, Default)]
struct Record {
    panics: u64,
    /// Those of which none was over before the next.
    in_a_row: u32,
    last: Option<Duration>,
    why: String,
    is_down: bool,
}

/// Watches over all of them.
pub struct Crew {
    pub(crate) alarms: Alarms,
    records: Mutex<[Record; Worker::ALL.len()]>,
    /// One without whom the process cannot go on has broken.
    broken: watch::Sender<bool>,
    log: Log,
    clock: Clock,
}

impl Worker {
    pub(crate) const ALL: [Self; 16] = [
        Self::Apply,
        Self::Checkpoint,
        Self::Rollup,
        Self::Retention,
        Self::Erasure,
        Self::Books,
        Self::Audit,
        Self::Monitor,
        Self::Logins,
        Self::Names,
        Self::Connection,
        Self::Question,
        Self::Listener,
        Self::Http,
        Self::Spool,
        Self::Configuration,
    ];

    /// Value of the label.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Checkpoint => "checkpoint",
            Self::Rollup => "rollup",
            Self::Retention => "retention",
            Self::Erasure => "erasure",
            Self::Books => "books",
            Self::Audit => "audit",
            Self::Monitor => "monitor",
            Self::Logins => "logins",
            Self::Names => "names",
            Self::Connection => "connection",
            Self::Question => "question",
            Self::Listener => "listener",
            Self::Http => "http",
            Self::Spool => "spool",
            Self::Configuration => "configuration",
        }
    }
}

impl Crew {
    /// Nobody works yet.
    #[must_use]
    pub fn new(log: Log, clock: Clock) -> Self {
        let (alarms, records) = (Alarms::default(), Mutex::default());
        Self { alarms, records, broken: watch::Sender::new(false), log, clock }
    }

    /// Works on this thread until the work is over, and begins it again after each panic. `rest`
    /// waits, and tells whether to go on.
    pub(crate) fn work(
        &self,
        worker: Worker,
        mut work: impl FnMut(),
        rest: impl Fn(Duration) -> bool,
    ) {
        while let Err(cause) = catch_unwind(AssertUnwindSafe(&mut work)) {
            if !rest(self.again(worker, &*cause)) {
                return;
            }
        }
    }

    /// The same of a task: it works until it is over, or all is closed.
    pub(crate) async fn keep<F: Future<Output = ()> + Send + 'static>(
        self: Arc<Self>,
        worker: Worker,
        mut closed: watch::Receiver<bool>,
        work: impl Fn() -> F,
    ) {
        while let Err(error) = tokio::spawn(work()).await {
            let Some(pause) = self.failed(worker, error) else { return };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = closed.changed() => return,
            }
        }
    }

    /// A task that its owner begins again has ended in another way than by its work: the pause
    /// before that; `None`: it was told to.
    pub(crate) fn failed(&self, worker: Worker, error: JoinError) -> Option<Duration> {
        let cause = error.try_into_panic().ok()?;
        Some(self.again(worker, &*cause))
    }

    /// One of many pieces of work is lost.
    pub(crate) fn lost(&self, worker: Worker, error: JoinError) {
        if let Ok(cause) = error.try_into_panic() {
            self.note(worker, &said(&*cause), Fate::Lost, self.clock.now());
        }
    }

    /// It does not work any more, the others do.
    pub(crate) fn down(&self, worker: Worker, why: &str) {
        self.note(worker, why, Fate::Down, self.clock.now());
    }

    /// Without it the process cannot go on: it ends.
    pub(crate) fn end(&self, worker: Worker, why: &str) {
        if !*self.broken.borrow() {
            self.note(worker, why, Fate::End, self.clock.now());
            self.broken.send_replace(true);
        }
    }

    /// Waits until the process cannot go on.
    pub(crate) async fn broken(&self) {
        let mut broken = self.broken.subscribe();
        // the sender is ours
        let _ = broken.wait_for(|broken| *broken).await;
    }

    /// Panics of each since the start.
    pub(crate) fn panics(&self) -> Vec<(Worker, u64)> {
        let records = self.records();
        Worker::ALL.into_iter().zip(records.iter().map(|record| record.panics)).collect()
    }

    /// Why not all of them work as they should; `None`: they do. `now` is monotonic.
    pub(crate) fn trouble(&self, now: Duration) -> Option<String> {
        let records = self.records();
        let bad = |record: &Record| {
            record.is_down || record.last.is_some_and(|last| now.saturating_sub(last) < CALM)
        };
        let bad = Worker::ALL.iter().zip(records.iter()).filter(|(_, record)| bad(record));
        let told = bad.map(|(worker, record)| format!("{}: {}", worker.as_str(), record.why));
        let told = told.collect::<Vec<_>>().join("; ");
        (!told.is_empty()).then_some(told)
    }

    fn again(&self, worker: Worker, cause: &(dyn Any + Send)) -> Duration {
        self.note(worker, &said(cause), Fate::Again, self.clock.now())
    }

    /// Tells and counts it; gives the pause before it begins again, if it does.
    fn note(&self, worker: Worker, why: &str, fate: Fate, now: Now) -> Duration {
        let pause = self.count(worker, why, fate, now.mono);
        let then = match fate {
            Fate::Again => format!("it begins again in {} ms", pause.as_millis()),
            Fate::Lost => "one piece of work is lost, others go on".to_owned(),
            Fate::Down => "it stays down until the next start".to_owned(),
            Fate::End => "the process ends".to_owned(),
        };
        let mut fields = vec![("worker", worker.as_str()), ("why", why), ("then", &*then)];
        let text = format!("{}: {why}", worker.as_str());
        fields.extend(self.alarms.raise(now.wall, Name::WorkerFailed, &text));
        self.log.emit(Name::WorkerFailed.log_id(), None, &fields);
        pause
    }

    fn count(&self, worker: Worker, why: &str, fate: Fate, now: Duration) -> Duration {
        let mut records = self.records();
        let at = Worker::ALL.iter().position(|one| *one == worker);
        let Some(record) = at.and_then(|at| records.get_mut(at)) else { return LONGEST };
        let calm = record.last.is_none_or(|last| now.saturating_sub(last) >= CALM);
        record.in_a_row = if calm { 0 } else { record.in_a_row.saturating_add(1) };
        record.panics += 1;
        record.last = Some(now);
        why.clone_into(&mut record.why);
        record.is_down |= matches!(fate, Fate::Down | Fate::End);
        FIRST.saturating_mul(2_u32.saturating_pow(record.in_a_row)).min(LONGEST)
    }

    fn records(&self) -> MutexGuard<'_, [Record; Worker::ALL.len()]> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The text of a panic.
fn said(cause: &(dyn Any + Send)) -> String {
    let text = cause.downcast_ref::<&str>().copied();
    let text = text.or_else(|| cause.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it panicked, and did not say why").to_owned()
}

#[cfg(test)]
mod faulty;
#[cfg(test)]
pub(crate) mod tests;
