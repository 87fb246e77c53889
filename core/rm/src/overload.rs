//! Engine overload: how much of what is new must be shed so that the rest is served in time
//! (rm.md §1.9). Stage 4 asks; which requests may be shed is its decision.
//!
//! Two signs: packets of one listener have waited in the kernel for more than 100 ms over a whole
//! second, or the kernel has dropped some. From then on a share of the new requests is shed. It
//! follows the load: all of them while the wait is long, then less in steps that grow with the time
//! without a sign. Shed and served together stay at what the engine can do, so that calls beyond
//! that are refused at once instead of making all of them late. Reads no message and no clock.

use std::time::Duration;

use crate::limits::{OVERLOAD_AFTER, OVERLOAD_CLEAR, QUEUE_AGE, QUEUE_CALM};

/// The share that sheds all.
const ALL: u32 = 256;
/// Added to the share in a step whose packets have waited longer than [`QUEUE_CALM`].
const MORE: u32 = ALL / 16;
/// The share at the beginning, and the least part of what is still served that a drop takes away.
const LEAST: u32 = ALL / 8;
/// So many calm steps in a row add one to what a calm step takes off the share.
const PATIENCE: u32 = 8;
/// Steps after a drop in which nothing is taken off: until the kernel has been asked again.
const HOLD: u32 = 10;

/// See the module.
#[derive(Debug)]
pub(crate) struct Overload {
    /// By the index of the listener.
    queues: Vec<Queue>,
    /// New requests shed, of [`ALL`].
    share: u32,
    /// All packets of the last step had waited for longer than [`QUEUE_AGE`]: all are shed.
    late: bool,
    /// Steps in a row without a sign.
    calm: u32,
    /// Steps for which the share stays at least.
    hold: u32,
    /// Datagrams since the kernel's drops were read last.
    received: u64,
    /// When the alarm clears, if nothing more comes.
    alarm_until: Option<Duration>,
}

/// The kernel's queue of one listener.
#[derive(Clone, Copy, Debug, Default)]
struct Queue {
    /// All packets since then have waited for longer than [`QUEUE_AGE`].
    late_since: Option<Duration>,
    /// The latest packet.
    latest: Duration,
    /// Of the packets of this step the shortest wait.
    shortest: Option<Duration>,
}

/// Why the engine is overloaded: the field of log 20111.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// Packets wait for too long.
    QueueAge,
    /// The kernel had no room for packets.
    KernelDrops,
    /// Transactions, sessions or legs are at their limit.
    Full,
}

impl Sign {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::QueueAge => "queue-age",
            Self::KernelDrops => "kernel-drops",
            Self::Full => "full",
        }
    }
}

impl Overload {
    pub(crate) fn new(listeners: usize) -> Self {
        Self {
            queues: vec![Queue::default(); listeners],
            share: 0,
            late: false,
            calm: 0,
            hold: 0,
            received: 0,
            alarm_until: None,
        }
    }

    /// A datagram has waited for `age`; true when that begins an overload.
    pub(crate) fn waited(&mut self, now: Duration, listener: u8, age: Duration) -> bool {
        self.received += 1;
        let Some(queue) = self.queues.get_mut(usize::from(listener)) else { return false };
        let idle = now.saturating_sub(queue.latest) >= OVERLOAD_AFTER;
        if idle || age <= QUEUE_AGE {
            queue.late_since = None;
        }
        queue.latest = now;
        queue.shortest = Some(queue.shortest.map_or(age, |shortest| shortest.min(age)));
        if age <= QUEUE_AGE {
            return false;
        }
        let since = *queue.late_since.get_or_insert(now);
        let begins = self.share == 0 && now.saturating_sub(since) >= OVERLOAD_AFTER;
        if begins {
            self.late = true;
            self.shed(LEAST);
        }
        begins
    }

    /// The kernel has dropped so many datagrams since it was read last; true when that begins an
    /// overload. The share follows from how many had no room: twice as many are turned away.
    pub(crate) fn dropped(&mut self, packets: u64) -> bool {
        let arrived = packets.saturating_add(std::mem::take(&mut self.received));
        if packets == 0 {
            return false;
        }
        let begins = self.share == 0;
        let twice = u128::from(packets) * 2 * u128::from(ALL) / u128::from(arrived);
        let part = u32::try_from(twice).unwrap_or(ALL).clamp(LEAST, ALL);
        let served = ALL.saturating_sub(self.share);
        self.shed(self.share + (served * part).div_ceil(ALL));
        self.hold = HOLD;
        begins
    }

    /// What a step has shown; true while there is to be another one.
    pub(crate) fn step(&mut self) -> bool {
        let shortest = self.queues.iter_mut().filter_map(|queue| queue.shortest.take());
        let age = shortest.max().unwrap_or_default();
        self.late = age > QUEUE_AGE;
        if age > QUEUE_CALM {
            self.shed(self.share + MORE);
        } else if self.hold > 0 {
            self.hold -= 1;
        } else {
            self.calm += 1;
            self.share = self.share.saturating_sub(self.calm.div_ceil(PATIENCE));
        }
        self.share > 0
    }

    /// Whether a new request is shed; `lot` is a number of its own that its copies share, so that
    /// they share its fate.
    pub(crate) fn sheds(&self, lot: impl FnOnce() -> u8) -> bool {
        match self.state() {
            0 => false,
            1 => u32::from(lot()) < self.share,
            _ => true,
        }
    }

    /// 0 normal, 1 some of what is new is shed, 2 all of it.
    pub(crate) fn state(&self) -> u8 {
        match self.share {
            0 => 0,
            ALL => 2,
            _ if self.late => 2,
            _ => 1,
        }
    }

    /// Raises the alarm, or keeps it up; true when it was not up.
    pub(crate) fn raise(&mut self, now: Duration) -> bool {
        let up = self.alarm_until.replace(now + OVERLOAD_CLEAR).is_some_and(|until| now < until);
        !up
    }

    fn shed(&mut self, share: u32) {
        self.share = share.min(ALL);
        self.calm = 0;
    }
}

#[cfg(test)]
mod tests;
