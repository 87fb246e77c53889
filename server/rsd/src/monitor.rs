//! The checks behind the probes (rs.md §5.12), looked at once a second and when a probe asks.
//!
//! What was found is in memory: a probe never waits for a disk or the database.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use net::Clock;
use spool::{Spool, State};
use telemetry::Log;
use telemetry::health::Health;
use tokio::sync::watch;

use crate::apply::Figures;
use crate::running::Addresses;

const PERIOD: Duration = Duration::from_secs(1);

/// Which checks there are, and which of them readiness needs.
const CHECKS: [(&str, bool); 4] =
    [("spool", true), ("config", false), ("broker", true), ("database", false)];

/// Looks after the checks.
pub(crate) struct Monitor {
    pub(crate) health: Health,
    spool: Spool,
    figures: Arc<Figures>,
    log: Log,
    clock: Clock,
    /// The spool is broken, and the log knows.
    broken: AtomicBool,
}

impl Monitor {
    pub(crate) fn new(
        name: &str,
        spool: Spool,
        figures: Arc<Figures>,
        log: Log,
        clock: Clock,
    ) -> Self {
        let health = Health::new(name, clock.now().wall, &CHECKS);
        Self { health, spool, figures, log, clock, broken: AtomicBool::new(false) }
    }

    /// Everything listens.
    pub(crate) fn listening(&self, addresses: Addresses) {
        let now = self.clock.now().wall;
        self.health.set(now, "broker", true, &format!("listens on {}", addresses.broker));
        self.look();
        let (broker, http) = (addresses.broker.to_string(), addresses.http.to_string());
        self.log.emit(31001, None, &[("broker", &broker), ("http", &http)]);
    }

    /// The broker's listener closes.
    pub(crate) fn leaving(&self) {
        self.health.set(self.clock.now().wall, "broker", false, "stopping");
    }

    /// Looks at the spool and the database.
    pub(crate) fn look(&self) {
        let now = self.clock.now().wall;
        let status = self.spool.status();
        let below = status.bytes < status.limit;
        let detail = match status.state {
            State::Open if below => "open",
            State::Open => "at its limit",
            State::DiskFull => "the file system is full",
            State::Broken => "the disk failed twice in a row",
            State::Closed => "closed",
        };
        let open = status.state == State::Open && below;
        self.health.set(now, "spool", open, detail);
        let broken = status.state == State::Broken;
        if broken && !self.broken.swap(true, Ordering::Relaxed) {
            self.log.emit(33002, None, &[("pending", &status.pending.to_string())]);
        }
        let up = self.figures.up();
        let detail = if up { "open" } else { "the last batch was not stored" };
        self.health.set(now, "database", up, detail);
    }

    /// Looks again and again until the end.
    pub(crate) async fn run(self: Arc<Self>, mut closed: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(PERIOD) => self.look(),
                _ = closed.changed() => return,
            }
        }
    }
}
