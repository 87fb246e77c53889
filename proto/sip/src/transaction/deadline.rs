//! All deadlines of the endpoint, soonest first, each with its reason.
//!
//! The durations of §17 are few, and a deadline is always now plus one of them; so each duration
//! has a lane in which deadlines are sorted merely by joining at the end. Arming, disarming and
//! firing are constant in the number of transactions. Durations of another length (a try timeout
//! that is no multiple of T1 by a power of two) go to an ordered map.

use std::collections::BTreeSet;
use std::time::Duration;

use super::chain::{Chain, Link, Linked};
use super::timer::{Kind, Timer, Timers};
use crate::slots::{NONE, Slots};

/// The lane number of a deadline in the ordered map.
const ODD: u8 = u8::MAX;

/// What runs for one transaction: at most one deadline of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Armed {
    resend: u32,
    end: u32,
}

impl Armed {
    pub(crate) const NOTHING: Self = Self { resend: NONE, end: NONE };

    fn place(&mut self, kind: Kind) -> &mut u32 {
        match kind {
            Kind::Resend => &mut self.resend,
            Kind::End => &mut self.end,
        }
    }

    /// Takes note that `timer` has fired.
    pub(crate) fn fired(&mut self, timer: Timer) {
        *self.place(timer.kind()) = NONE;
    }

    pub(crate) fn has_resend(self) -> bool {
        self.resend != NONE
    }

    pub(crate) fn has_end(self) -> bool {
        self.end != NONE
    }

    pub(crate) fn count(self) -> usize {
        usize::from(self.resend != NONE) + usize::from(self.end != NONE)
    }
}

#[derive(Debug)]
struct Deadline {
    /// Nanoseconds; 584 years fit.
    at: u64,
    owner: u32,
    timer: Timer,
    lane: u8,
    link: Link,
}

impl Linked<0> for Deadline {
    fn link(&mut self) -> &mut Link {
        &mut self.link
    }
}

#[derive(Debug)]
struct Lane {
    after: Duration,
    queue: Chain<0>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Deadlines {
    deadlines: Slots<Deadline>,
    lanes: Vec<Lane>,
    odd: BTreeSet<(u64, u32)>,
}

impl Deadlines {
    /// Bytes that one deadline takes.
    #[cfg(test)]
    pub(crate) const PLACE: usize = Slots::<Deadline>::PLACE;

    pub(crate) fn new(timers: &Timers) -> Self {
        let doubled = (0..=6).map(|doublings| timers.t1.saturating_mul(1 << doublings));
        let others = [timers.t2, timers.t4, timers.first(Timer::D), timers.trying];
        let mut lanes: Vec<Lane> = Vec::new();
        for after in doubled.chain(others) {
            if lanes.iter().all(|lane| lane.after != after) {
                lanes.push(Lane { after, queue: Chain::EMPTY });
            }
        }
        Self { deadlines: Slots::default(), lanes, odd: BTreeSet::new() }
    }

    /// Arms `timer` of transaction `owner`; one of the same kind that ran is disarmed.
    pub(crate) fn arm(
        &mut self,
        now: Duration,
        owner: u32,
        armed: &mut Armed,
        timer: Timer,
        after: Duration,
    ) {
        self.disarm(armed, timer.kind());
        let at = nanos(now.saturating_add(after));
        let lane = self.lanes.iter_mut().zip(0u8..).find(|(lane, _)| lane.after == after);
        let number = lane.as_ref().map_or(ODD, |(_, number)| *number);
        let deadline = Deadline { at, owner, timer, lane: number, link: Link::LOOSE };
        let index = self.deadlines.insert(deadline).index;
        match lane {
            Some((lane, _)) => lane.queue.push(&mut self.deadlines, index),
            None => {
                self.odd.insert((at, index));
            }
        }
        *armed.place(timer.kind()) = index;
    }

    pub(crate) fn disarm(&mut self, armed: &mut Armed, kind: Kind) {
        let index = std::mem::replace(armed.place(kind), NONE);
        self.drop_one(index);
    }

    pub(crate) fn disarm_all(&mut self, armed: &mut Armed) {
        self.disarm(armed, Kind::Resend);
        self.disarm(armed, Kind::End);
    }

    /// The soonest deadline and its reason.
    pub(crate) fn next(&self) -> Option<(Duration, Timer)> {
        let deadline = self.deadlines.at(self.soonest()?)?;
        Some((Duration::from_nanos(deadline.at), deadline.timer))
    }

    /// Takes the soonest deadline that is due: the transaction and its timer.
    pub(crate) fn pop_due(&mut self, now: Duration) -> Option<(u32, Timer)> {
        let (index, now) = (self.soonest()?, nanos(now));
        let deadline = self.deadlines.at(index).filter(|deadline| deadline.at <= now)?;
        let due = (deadline.owner, deadline.timer);
        self.drop_one(index);
        Some(due)
    }

    pub(crate) fn len(&self) -> usize {
        self.deadlines.len()
    }

    /// The transactions of everything that is armed, for checks.
    pub(crate) fn owners(&self) -> impl Iterator<Item = u32> {
        self.deadlines.iter().map(|(_, deadline)| deadline.owner)
    }

    /// Whether every lane is sorted and the lanes and the map hold all deadlines.
    pub(crate) fn sorted(&self) -> bool {
        let mut seen = self.odd.len();
        for lane in &self.lanes {
            let (mut at, mut last) = (lane.queue.head, 0);
            while let Some(deadline) = self.deadlines.at(at) {
                if deadline.at < last {
                    return false;
                }
                (at, last) = (deadline.link.next, deadline.at);
                seen += 1;
            }
        }
        seen == self.deadlines.len()
    }

    /// The head with the earliest instant; at the same instant the lane made first.
    fn soonest(&self) -> Option<u32> {
        let heads = self.lanes.iter().map(|lane| lane.queue.head);
        let heads = heads.filter_map(|head| Some((self.deadlines.at(head)?.at, head)));
        let odd = self.odd.first().copied();
        heads.chain(odd).min_by_key(|(at, _)| *at).map(|(_, index)| index)
    }

    fn drop_one(&mut self, index: u32) {
        let Some(deadline) = self.deadlines.at(index) else { return };
        let (at, lane) = (deadline.at, deadline.lane);
        match self.lanes.get_mut(usize::from(lane)) {
            Some(lane) => lane.queue.unlink(&mut self.deadlines, index),
            None => {
                self.odd.remove(&(at, index));
            }
        }
        self.deadlines.remove(index);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_fire_in_order_whatever_their_length() {
        let mut deadlines = Deadlines::new(&Timers::default());
        let mut armed = [Armed::NOTHING; 4];
        let after = [32_000, 500, 1_234, 4_000];
        for (owner, after) in (0u32..).zip(after) {
            let after = Duration::from_millis(after);
            let armed = &mut armed[owner as usize];
            deadlines.arm(Duration::ZERO, owner, armed, Timer::B, after);
        }
        deadlines.disarm_all(&mut armed[3]);
        assert!(deadlines.sorted());
        assert_eq!(deadlines.odd.len(), 1);
        assert_eq!(deadlines.next(), Some((Duration::from_millis(500), Timer::B)));
        let late = Duration::from_secs(60);
        let fired: Vec<u32> =
            std::iter::from_fn(|| deadlines.pop_due(late)).map(|(owner, _)| owner).collect();
        assert_eq!(fired, [1, 2, 0]);
        assert_eq!((deadlines.len(), deadlines.odd.len()), (0, 0));
    }

    #[test]
    fn arming_again_replaces_the_deadline_of_the_same_kind() {
        let mut deadlines = Deadlines::new(&Timers::default());
        let mut armed = Armed::NOTHING;
        let second = Duration::from_secs(1);
        for (timer, at) in [(Timer::A, 0), (Timer::B, 0), (Timer::A, 3)] {
            deadlines.arm(Duration::from_secs(at), 7, &mut armed, timer, second);
        }
        assert_eq!((deadlines.len(), armed.count()), (2, 2));
        assert_eq!(deadlines.pop_due(second), Some((7, Timer::B)));
        assert_eq!(deadlines.pop_due(second), None);
    }
}
