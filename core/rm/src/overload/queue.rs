//! How long packets wait in the queue of one listener, and whether that is an overload's sign.
//!
//! All packets of a whole second were late: it is one. A queue that grows is one sooner: an engine
//! that was held up for a moment finds a long queue too, but one that shrinks. By how much it grows
//! in a second tells the part of the load that nobody can serve. What came all at once waits for
//! longer and longer too, but is no load: what grows must have come over a while.

use std::time::Duration;

use super::{ALL, FIRST};
use crate::limits::{OVERLOAD_AFTER, OVERLOAD_STEP, QUEUE_AGE};

/// So many steps in a row the shortest wait has become longer, …
const GROWS: u32 = 3;
/// … by so much at least.
const GROWTH: Duration = Duration::from_millis(5);

/// The queue of one listener.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Queue {
    /// All packets since then have waited for longer than [`QUEUE_AGE`].
    late_since: Option<Duration>,
    /// The latest packet.
    latest: Duration,
    /// Of the packets of this step of an overload the shortest wait.
    shortest: Option<Duration>,
    trend: Trend,
}

/// The shortest wait of a step, and when the step began. These steps run always.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    begun: Duration,
    shortest: Duration,
}

/// Whether the shortest wait becomes longer from step to step.
#[derive(Clone, Copy, Debug, Default)]
struct Trend {
    now: Step,
    before: Step,
    /// So many steps in a row it has, since this one.
    grown: u32,
    first: Step,
}

impl Queue {
    /// A packet has waited for `age`. If that shows an overload: of [`ALL`] what is to be shed.
    pub(super) fn waited(&mut self, now: Duration, age: Duration) -> Option<u32> {
        let idle = now.saturating_sub(self.latest) >= OVERLOAD_AFTER;
        if idle || age <= QUEUE_AGE {
            self.late_since = None;
        }
        self.latest = now;
        self.shortest = Some(self.shortest.map_or(age, |shortest| shortest.min(age)));
        self.trend.note(now, age);
        if age <= QUEUE_AGE {
            return None;
        }
        let since = *self.late_since.get_or_insert(now);
        if self.trend.grown >= GROWS && self.trend.came_within() >= QUEUE_AGE {
            return Some(self.trend.surplus().max(FIRST));
        }
        (now.saturating_sub(since) >= OVERLOAD_AFTER).then_some(FIRST)
    }

    /// The shortest wait of this step, which ends; none without packets.
    pub(super) fn end_step(&mut self) -> Option<Duration> {
        self.shortest.take()
    }
}

impl Trend {
    fn note(&mut self, now: Duration, age: Duration) {
        let step = &mut self.now;
        let lasted = now.saturating_sub(step.begun);
        if lasted < OVERLOAD_STEP {
            step.shortest = step.shortest.min(age);
            return;
        }
        // a step with a gap is no part of a trend
        if lasted < 2 * OVERLOAD_STEP && step.shortest >= self.before.shortest + GROWTH {
            self.grown += 1;
        } else {
            (self.grown, self.first) = (0, *step);
        }
        self.before = std::mem::replace(step, Step { begun: now, shortest: age });
    }

    /// How much longer packets wait than when it began, and how long ago that is.
    fn growth(&self) -> (Duration, Duration) {
        let grown = self.before.shortest.saturating_sub(self.first.shortest);
        (grown, self.before.begun.saturating_sub(self.first.begun))
    }

    /// The time in which those packets came.
    fn came_within(&self) -> Duration {
        let (grown, within) = self.growth();
        within.saturating_sub(grown)
    }

    /// The part of the load by which the queue has grown, of [`ALL`].
    fn surplus(&self) -> u32 {
        let (grown, within) = self.growth();
        let (grown, within) = (grown.as_micros(), within.as_micros());
        u32::try_from(grown * u128::from(ALL) / within.max(1)).map_or(ALL, |part| part.min(ALL))
    }
}

#[cfg(test)]
mod tests {
    use super::{ALL, FIRST, Queue};
    use std::time::Duration;

    fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// The first millisecond whose packet is a sign, and what is to be shed.
    fn sign(age: impl Fn(u64) -> Option<u64>) -> Option<(u64, u32)> {
        let mut queue = Queue::default();
        (1_000..4_000).find_map(|at| {
            let age = age(at - 1_000)?;
            queue.waited(millis(at), millis(age)).map(|share| (at - 1_000, share))
        })
    }

    #[test]
    fn a_queue_that_grows_is_seen_when_its_packets_are_late() {
        // half as much again as can be served: a third is too much
        let (at, share) = sign(|at| Some(at / 3)).unwrap();
        assert!((303..450).contains(&at), "{at}");
        assert!(share.abs_diff(ALL / 3) < ALL / 20, "{share}");
        // three times as much
        let (at, share) = sign(|at| Some(at * 2 / 3)).unwrap();
        assert!((300..500).contains(&at), "{at}");
        assert!(share.abs_diff(ALL * 2 / 3) < ALL / 20, "{share}");
        // hardly more than can be served: not before packets are late
        assert_eq!(sign(|at| Some(at / 12)), Some((1_212, FIRST)));
    }

    #[test]
    fn a_queue_that_shrinks_is_none_and_one_that_stands_is_after_a_second() {
        // held up for half a second at half load
        let held_up = |at| match at {
            0..500 => Some(0),
            500..1_000 => None,
            _ => Some(1_500_u64.saturating_sub(at)),
        };
        let mut queue = Queue::default();
        for at in 0..3_000 {
            let waited = held_up(at).and_then(|age| queue.waited(millis(at), millis(age)));
            assert_eq!(waited, None, "{at}");
        }
        // 800 ms of work came at once, or within 90 ms
        assert_eq!(sign(|at| (at < 800).then_some(at)), None);
        assert_eq!(sign(|at| (at < 800).then_some(at - at * 90 / 800)), None);
        assert_eq!(sign(|_| Some(150)), Some((1_000, FIRST)));
        assert_eq!(sign(|_| Some(100)), None);
        // now this, now that, and never a calm moment: a second
        assert_eq!(sign(|at| Some(150 + at / 100 % 2 * 50)), Some((1_000, FIRST)));
    }
}
