//! What the applier counts (ops.md §5.2). Read by metrics and health while it works.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use net::Clock;
use rs::var::Rule;
use telemetry::prometheus::{Histogram, LATENCY_SECONDS};

use super::tallied::Tallied;
use crate::alarms::{DOWN_AFTER, Outage};
use crate::store::Applied;

/// All figures of the applier.
#[derive(Debug)]
pub struct Figures {
    stored: AtomicU64,
    dead: AtomicU64,
    ignored: [AtomicU64; Rule::ALL.len()],
    failures: AtomicU64,
    up: AtomicBool,
    outage: Mutex<Option<Outage>>,
    tallied: Mutex<Tallied>,
    batch_seconds: Histogram,
    /// Why the next frame of the spool cannot be read.
    stuck: Mutex<Option<String>>,
    /// Last turn of the loop, monotonic ms.
    turned: AtomicU64,
    /// Since when the loop waits for the database, monotonic ms, plus 1; 0: it does not.
    asking: AtomicU64,
}

/// The loop waits for the database as long as this is there.
pub(super) struct Asking<'f>(&'f Figures, Clock);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let Self(figures, clock) = self;
        figures.turned(clock.mono());
        figures.asking.store(0, Ordering::Relaxed);
    }
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            stored: AtomicU64::new(0),
            dead: AtomicU64::new(0),
            ignored: [const { AtomicU64::new(0) }; Rule::ALL.len()],
            failures: AtomicU64::new(0),
            up: AtomicBool::new(true),
            outage: Mutex::default(),
            tallied: Mutex::default(),
            batch_seconds: Histogram::new(LATENCY_SECONDS),
            stuck: Mutex::default(),
            turned: AtomicU64::new(0),
            asking: AtomicU64::new(0),
        }
    }
}

impl Figures {
    /// A batch was stored, at this monotonic time.
    pub(super) fn add(&self, applied: &mut Applied, (took, now): (Duration, Duration)) {
        self.stored.fetch_add(applied.stored, Ordering::Relaxed);
        self.dead.fetch_add(applied.dead, Ordering::Relaxed);
        for (counter, count) in self.ignored.iter().zip(applied.ignored) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
        self.tallied().add(std::mem::take(&mut applied.tally), now);
        self.up.store(true, Ordering::Relaxed);
        *self.current() = None;
        self.batch_seconds.observe(took);
    }

    /// The next frame of the spool can be read, or why it cannot.
    pub(super) fn read(&self, stuck: Option<String>) {
        self.failures.fetch_add(u64::from(stuck.is_some()), Ordering::Relaxed);
        *self.stuck.lock().unwrap_or_else(PoisonError::into_inner) = stuck;
    }

    /// Why the next frame of the spool cannot be read, so that nothing is stored.
    pub(crate) fn stuck(&self) -> Option<String> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The database answers.
    pub(super) fn reached(&self) {
        self.up.store(true, Ordering::Relaxed);
        *self.current() = None;
    }

    /// An attempt to store a batch failed.
    pub(super) fn failed(&self, now: Duration) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.up.store(false, Ordering::Relaxed);
        let mut outage = self.current();
        let attempts = outage.map_or(0, |outage| outage.attempts).saturating_add(1);
        let since = outage.map_or(now, |outage| outage.since);
        *outage = Some(Outage { attempts, since });
    }

    /// Attempts that failed since the last that worked; one that is under way counts from where it
    /// began, should it be the first.
    pub(crate) fn outage(&self) -> Option<Outage> {
        let waits = || Some(Outage { attempts: 0, since: self.waits_since()? });
        self.current().or_else(waits)
    }

    /// The loop waits for the database from here on.
    pub(super) fn asking(&self, clock: Clock) -> Asking<'_> {
        self.asking.store(millis(clock.mono()).saturating_add(1), Ordering::Relaxed);
        Asking(self, clock)
    }

    fn waits_since(&self) -> Option<Duration> {
        self.asking.load(Ordering::Relaxed).checked_sub(1).map(Duration::from_millis)
    }

    fn current(&self) -> MutexGuard<'_, Option<Outage>> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The loop turns.
    pub(super) fn turned(&self, now: Duration) {
        self.turned.store(millis(now), Ordering::Relaxed);
    }

    /// Whether the loop has turned within that time, or waits for the database, whose calls have
    /// limits of their own.
    #[must_use]
    pub fn turned_within(&self, now: Duration, span: Duration) -> bool {
        let since = millis(now).saturating_sub(self.turned.load(Ordering::Relaxed));
        since <= millis(span) || self.waits_since().is_some()
    }

    /// Records stored for the first time.
    #[must_use]
    pub fn stored(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    /// What was counted by kind.
    pub(crate) fn tallied(&self) -> MutexGuard<'_, Tallied> {
        self.tallied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that became dead letters.
    #[must_use]
    pub fn dead(&self) -> u64 {
        self.dead.load(Ordering::Relaxed)
    }

    /// Reports of voice applications that broke a rule.
    pub fn ignored(&self) -> impl Iterator<Item = (Rule, u64)> {
        let counts = self.ignored.iter().map(|counter| counter.load(Ordering::Relaxed));
        Rule::ALL.into_iter().zip(counts)
    }

    /// Attempts that failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The last attempt worked, and none is under way for so long that the database is taken for
    /// down. `now` is monotonic.
    #[must_use]
    pub fn up(&self, now: Duration) -> bool {
        let hangs = |since| now.saturating_sub(since) >= DOWN_AFTER;
        self.up.load(Ordering::Relaxed) && !self.waits_since().is_some_and(hangs)
    }

    /// Time of one batch.
    #[must_use]
    pub const fn batch_seconds(&self) -> &Histogram {
        &self.batch_seconds
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
