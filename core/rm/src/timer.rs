//! What is due when: one ordered set of (deadline, what), with the reason of each deadline.
//!
//! Owners keep the deadline they have set and take it back with it, so a fired timer is never
//! stale and nothing is counted twice. Equal deadlines fire in the order of the enum: replay.

use std::collections::BTreeSet;
use std::time::Duration;

/// One thing that becomes due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The next OPTIONS of a resource.
    Probe(usize),
    /// A held answer to a BYE must leave.
    Held,
    /// Timer C of a try.
    TimerC(usize),
    /// Timer C of a re-INVITE.
    RelayC(usize),
    /// The watch over a try that was given up ends.
    Watch(usize),
    /// A leg's session timer, silence or longest duration.
    Leg(usize),
    /// An overloaded engine looks at what it sheds.
    Overload,
    /// Tombstones become old.
    Tombstones,
    /// A host name becomes old, or its question has no answer.
    Name(usize),
}

impl Timer {
    fn reason(self) -> &'static str {
        match self {
            Self::Probe(_) => "probe",
            Self::Held => "bye-hold",
            Self::TimerC(_) | Self::RelayC(_) => "timer-c",
            Self::Watch(_) => "watch",
            Self::Leg(_) => "leg-expiry",
            Self::Overload => "overload",
            Self::Tombstones => "tombstones",
            Self::Name(_) => "name",
        }
    }
}

/// All deadlines of the engine but those of transactions.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeSet<(Duration, Timer)>,
}

impl Timers {
    pub(crate) fn set(&mut self, at: Duration, timer: Timer) {
        self.due.insert((at, timer));
    }

    pub(crate) fn take_back(&mut self, at: Duration, timer: Timer) {
        self.due.remove(&(at, timer));
    }

    /// Takes the first one that is due.
    pub(crate) fn pop(&mut self, now: Duration) -> Option<(Duration, Timer)> {
        let first = *self.due.first()?;
        (first.0 <= now).then(|| {
            self.due.remove(&first);
            first
        })
    }

    pub(crate) fn next(&self) -> Option<(Duration, &'static str)> {
        self.due.first().map(|(at, timer)| (*at, timer.reason()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Timer, Timers};
    use std::time::Duration;

    #[test]
    fn due_ones_come_in_order_and_once() {
        let second = Duration::from_secs;
        let mut timers = Timers::default();
        timers.set(second(2), Timer::Held);
        timers.set(second(1), Timer::Leg(7));
        timers.set(second(1), Timer::Probe(3));
        timers.set(second(3), Timer::Watch(1));
        timers.take_back(second(3), Timer::Watch(1));
        assert_eq!(timers.next(), Some((second(1), "probe")));
        let fired: Vec<_> = std::iter::from_fn(|| timers.pop(second(2))).collect();
        assert_eq!(
            fired,
            [(second(1), Timer::Probe(3)), (second(1), Timer::Leg(7)), (second(2), Timer::Held)]
        );
        assert_eq!(timers.next(), None);
    }
}
