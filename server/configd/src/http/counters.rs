//! What is counted of requests, by route; labels never come from the wire (ops.md §5.3).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::Method;
use telemetry::door::Handshake;
use telemetry::prometheus::{Histogram, LATENCY_SECONDS};

use crate::refusal::Refusal;

/// Methods that routes have; any other is counted as `other`.
const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

/// Outcomes of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Applied,
    Unchanged,
    Invalid,
    Conflict,
    Failed,
    DryRun,
}

impl Outcome {
    pub(super) const ALL: [(Self, &'static str); 6] = [
        (Self::Applied, "applied"),
        (Self::Unchanged, "unchanged"),
        (Self::Invalid, "invalid"),
        (Self::Conflict, "conflict"),
        (Self::Failed, "failed"),
        (Self::DryRun, "dry_run"),
    ];

    /// What a refusal counts as.
    pub(super) fn of(refusal: &Refusal) -> Self {
        match refusal.entry().status {
            400 | 413 | 415 | 422 => Self::Invalid,
            404 | 409 | 410 | 412 | 428 => Self::Conflict,
            _ => Self::Failed,
        }
    }
}

/// Why somebody was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    /// Neither token nor certificate.
    Missing,
    /// A token that is none.
    Unknown,
    /// Too many of those from one source.
    Limited,
    /// No certificate, where everybody needs one.
    Certificate,
}

impl Stranger {
    pub(super) const ALL: [(Self, &'static str); 4] = [
        (Self::Missing, "missing"),
        (Self::Unknown, "unknown"),
        (Self::Limited, "limited"),
        (Self::Certificate, "certificate"),
    ];
}

/// How handshakes come to nothing.
const HANDSHAKES: [(Handshake, &str); 3] =
    [(Handshake::Refused, "refused"), (Handshake::Left, "left"), (Handshake::Late, "late")];

/// Requests of one route.
#[derive(Debug)]
struct Route {
    /// By method and status.
    requests: BTreeMap<(&'static str, u16), u64>,
    seconds: Histogram,
}

/// All counters of the port.
#[derive(Debug)]
pub(super) struct Counters {
    routes: Mutex<BTreeMap<&'static str, Route>>,
    transactions: [AtomicU64; Outcome::ALL.len()],
    strangers: [AtomicU64; Stranger::ALL.len()],
    /// Errors of objects, by code.
    errors: Mutex<BTreeMap<&'static str, u64>>,
    /// Refusals, by name.
    refusals: Mutex<BTreeMap<&'static str, u64>>,
    /// Handshakes that came to nothing.
    handshakes: [AtomicU64; HANDSHAKES.len()],
    /// From the request to the end of a transaction.
    pub(super) apply: Histogram,
    /// From the commit to the connection.
    pub(super) delivery: Histogram,
    /// Watchers that could not keep up.
    pub(super) overflows: AtomicU64,
    /// Numbers the requests that have no id of their own.
    last: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            routes: Mutex::default(),
            transactions: Default::default(),
            strangers: Default::default(),
            errors: Mutex::default(),
            refusals: Mutex::default(),
            handshakes: Default::default(),
            apply: Histogram::new(LATENCY_SECONDS),
            delivery: Histogram::new(LATENCY_SECONDS),
            overflows: AtomicU64::new(0),
            last: AtomicU64::new(0),
        }
    }
}

impl Counters {
    /// Another number each time.
    pub(super) fn number(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A request has been answered; `route` is a pattern of the router.
    pub(super) fn request(
        &self,
        route: &'static str,
        method: &Method,
        status: u16,
        took: Duration,
    ) {
        let known = METHODS.iter().find(|known| **known == method.as_str());
        let key = (known.copied().unwrap_or("other"), status);
        let mut routes = lock(&self.routes);
        let of = routes.entry(route).or_insert_with(|| Route {
            requests: BTreeMap::new(),
            seconds: Histogram::new(LATENCY_SECONDS),
        });
        *of.requests.entry(key).or_default() += 1;
        of.seconds.observe(took);
    }

    /// A transaction has come to its end.
    pub(super) fn transaction(&self, outcome: Outcome) {
        let at = Outcome::ALL.iter().position(|(own, _)| *own == outcome);
        if let Some(counter) = at.and_then(|at| self.transactions.get(at)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Somebody was not let in.
    pub(super) fn stranger(&self, why: Stranger) {
        let at = Stranger::ALL.iter().position(|(own, _)| *own == why);
        if let Some(counter) = at.and_then(|at| self.strangers.get(at)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A request was refused, and its problems were told.
    pub(super) fn refused(&self, refusal: &Refusal) {
        *lock(&self.refusals).entry(refusal.entry().name).or_default() += 1;
        let mut errors = lock(&self.errors);
        for problem in refusal.problems() {
            *errors.entry(problem.code).or_default() += 1;
        }
    }

    /// Each route with its requests, and with its times.
    pub(super) fn each_route(
        &self,
        mut show: impl FnMut(&str, &BTreeMap<(&'static str, u16), u64>, &Histogram),
    ) {
        for (route, of) in lock(&self.routes).iter() {
            show(route, &of.requests, &of.seconds);
        }
    }

    pub(super) fn transactions(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = Outcome::ALL.iter().map(|(_, name)| *name);
        names.zip(self.transactions.iter().map(|counter| counter.load(Ordering::Relaxed)))
    }

    pub(super) fn strangers(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = Stranger::ALL.iter().map(|(_, name)| *name);
        names.zip(self.strangers.iter().map(|counter| counter.load(Ordering::Relaxed)))
    }

    /// A handshake came to nothing.
    pub(super) fn handshake(&self, how: Handshake) {
        let at = HANDSHAKES.iter().position(|(own, _)| *own == how);
        if let Some(counter) = at.and_then(|at| self.handshakes.get(at)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn handshakes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = HANDSHAKES.iter().map(|(_, name)| *name);
        names.zip(self.handshakes.iter().map(|counter| counter.load(Ordering::Relaxed)))
    }

    pub(super) fn refusals(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.refusals).clone()
    }

    pub(super) fn errors(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.errors).clone()
    }
}

/// Nobody panics while holding a lock; if someone did, counters are still counters.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
