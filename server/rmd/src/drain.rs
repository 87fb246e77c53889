//! How a node leaves (ops.md §4, "RM, SIGTERM"): the delay, the wait for its legs, the end.
//!
//! Decided by time and the number of legs alone. Legs that are left are not hung up: their dialogs
//! describe themselves. Handing them to a living member comes with the cluster link.

use crate::limits::QUIET_TIME;
use std::time::Duration;

/// How to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Look away (`delay`, `rm.drain_delay`), take no new calls, wait for those that are up at
    /// most `timeout` (`rm.drain_timeout`); 0: only until the transactions are quiet.
    Drain {
        /// New calls are still served so long.
        delay: Duration,
        /// Then legs are waited for so long.
        timeout: Duration,
    },
    /// Flush the spool and go.
    Now,
}

/// Where a node is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Takes everything.
    Running,
    /// Not ready, but still serves new calls, so that a load balancer can look away.
    Delay { until: Duration, timeout: Duration },
    /// Takes no new calls.
    Waiting { until: Duration, quiet: bool },
    /// Done.
    Over,
}

/// What is still going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    /// Legs that are not ended.
    pub(crate) legs: usize,
    /// Transactions without final answer.
    pub(crate) pending: usize,
}

impl Phase {
    /// The phase after a request to stop. A second one of the same kind changes nothing.
    pub(crate) fn stop(self, now: Duration, stop: Stop) -> Self {
        match (self, stop) {
            (_, Stop::Now) => Self::Over,
            (Self::Running, Stop::Drain { delay, timeout }) => {
                Self::Delay { until: now + delay, timeout }
            }
            (other, Stop::Drain { .. }) => other,
        }
    }

    /// The phase at this time.
    pub(crate) fn at(self, now: Duration, left: Left) -> Self {
        match self {
            Self::Delay { until, timeout } if until <= now => {
                let quiet = timeout.is_zero();
                let wait = if quiet { QUIET_TIME } else { timeout };
                Self::Waiting { until: now + wait, quiet }.at(now, left)
            }
            Self::Waiting { until, quiet } => {
                let none = left.pending == 0 && (quiet || left.legs == 0);
                if none || until <= now { Self::Over } else { self }
            }
            other => other,
        }
    }

    /// When [`Self::at`] must be asked again.
    pub(crate) fn poll_timeout(self) -> Option<Duration> {
        match self {
            Self::Delay { until, .. } | Self::Waiting { until, .. } => Some(until),
            Self::Running | Self::Over => None,
        }
    }

    /// The node is leaving.
    pub(crate) fn draining(self) -> bool {
        self != Self::Running
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: Left = Left { legs: 2, pending: 1 };
    const HELD: Left = Left { legs: 2, pending: 0 };
    const NONE: Left = Left { legs: 0, pending: 0 };

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_drain_waits_for_its_legs_at_most_its_time() {
        let drain = Stop::Drain { delay: s(5), timeout: s(60) };
        let phase = Phase::Running.stop(s(1), drain).at(s(5), NONE);
        assert_eq!(phase, Phase::Delay { until: s(6), timeout: s(60) });
        let phase = phase.at(s(6), HELD);
        assert_eq!(phase, Phase::Waiting { until: s(66), quiet: false });
        assert_eq!(phase.at(s(65), HELD), phase);
        assert_eq!(phase.at(s(65), NONE), Phase::Over);
        assert_eq!(phase.at(s(66), BUSY), Phase::Over);
        assert_eq!(phase.stop(s(7), drain), phase);
        assert_eq!(phase.stop(s(7), Stop::Now), Phase::Over);
    }

    #[test]
    fn without_time_only_transactions_are_waited_for() {
        let phase = Phase::Running.stop(s(1), Stop::Drain { delay: s(0), timeout: s(0) });
        assert_eq!(phase.at(s(1), HELD), Phase::Over);
        let waiting = phase.at(s(1), BUSY);
        assert_eq!(waiting, Phase::Waiting { until: s(1) + QUIET_TIME, quiet: true });
        assert_eq!(waiting.at(s(1) + QUIET_TIME, BUSY), Phase::Over);
    }
}
