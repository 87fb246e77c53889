//! What the daemon can tell about itself: the engine's life signs, read at any time, and one copy
//! of all its numbers, made when somebody asks.
//!
//! Life signs are atomics, so that a probe never waits for the engine (ops.md §4).

use crate::{mirror, transport};
use net::Clock;
use rm::{Counters, ResourceView, Status};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use telemetry::prometheus::{Histogram, LATENCY_SECONDS};

/// All numbers of the engine thread at one moment.
pub(crate) struct Figures {
    /// The engine's own.
    pub(crate) counters: Counters,
    /// Of its transaction layer.
    pub(crate) transactions: sip::endpoint::Counters,
    /// Sets and state.
    pub(crate) status: Status,
    /// All resources.
    pub(crate) resources: Vec<ResourceView>,
    /// Sockets.
    pub(crate) transport: transport::Counters,
    /// Records on their way to disk.
    pub(crate) journal: rm::journal::Counters,
    /// Copies of messages.
    pub(crate) mirrored: mirror::Counts,
    /// How many host names are known, and the age of the oldest answer that serves although its
    /// renewal failed.
    pub(crate) names: (usize, Duration),
    /// The node is leaving.
    pub(crate) draining: bool,
    /// What of the new requests is shed: 0 none, 1 some, 2 all.
    pub(crate) overload: u8,
    /// Alarms by name, and whether each is raised.
    pub(crate) alarms: Vec<(&'static str, bool)>,
}

/// Signs of life of the engine thread.
#[derive(Debug)]
pub(crate) struct Pulse {
    /// Milliseconds of the daemon's clock at the end of the last turn.
    last_turn: AtomicU64,
    /// Microseconds that a message of the last turn had waited at most.
    queue_age: AtomicU64,
    /// Microseconds of work since the start.
    busy: AtomicU64,
    /// Lengths of turns.
    pub(crate) turns: Histogram,
}

impl Pulse {
    pub(crate) fn new(now: Duration) -> Self {
        let pulse = Self {
            last_turn: AtomicU64::new(0),
            queue_age: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            turns: Histogram::new(LATENCY_SECONDS),
        };
        pulse.last_turn.store(millis(now), Ordering::Relaxed);
        pulse
    }

    /// One turn is over.
    pub(crate) fn turned(&self, now: Duration, took: Duration, queue_age: Duration) {
        self.last_turn.store(millis(now), Ordering::Relaxed);
        self.queue_age.store(micros(queue_age), Ordering::Relaxed);
        self.busy.fetch_add(micros(took), Ordering::Relaxed);
        self.turns.observe(took);
    }

    /// How long ago the engine last turned.
    pub(crate) fn age(&self, clock: &Clock) -> Duration {
        let last = Duration::from_millis(self.last_turn.load(Ordering::Relaxed));
        clock.mono().saturating_sub(last)
    }

    /// How long a message of the last turn had waited at most.
    pub(crate) fn queue_age(&self) -> Duration {
        Duration::from_micros(self.queue_age.load(Ordering::Relaxed))
    }

    /// Time worked since the start.
    pub(crate) fn busy(&self) -> Duration {
        Duration::from_micros(self.busy.load(Ordering::Relaxed))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
