//! Engine overload: how much of what is new must be shed so that the rest is served in time
//! (rm.md §1.9). Stage 4 asks; which requests may be shed is its decision.
//!
//! Three signs: packets of one listener have waited for more than 100 ms over a whole second, or
//! for longer and longer, or the kernel has dropped some. From then on so many new requests a step
//! are served as an engine at its limit can serve, whatever is asked for beyond: less after each
//! sign, more while there is none,
//! quickly up to what was too much before and slowly beyond. From that and from what is asked for
//! follows the share that is shed; what waits already is worked off by shedding more, and all while
//! the wait is long. Calls that cannot be served are so refused at once instead of making all of
//! them late. Reads no message and no clock.

mod queue;

use std::time::Duration;

use self::queue::Queue;
use crate::limits::{QUEUE_AGE, QUEUE_CALM};

/// The share that sheds all.
const ALL: u32 = 1024;
/// The least share at the beginning, when packets wait.
const FIRST: u32 = ALL / 8;
/// The least and the most that a reading with drops takes off what is served.
const CUT: [u32; 2] = [ALL / 32, ALL / 2];
/// A step whose packets have waited longer than [`QUEUE_CALM`] takes off such a part.
const LESS: u64 = 32;
/// A calm step adds such a part of what is served, …
const MORE: u64 = 256;
/// … of what is missing to what was too much before, …
const BACK: u64 = 16;
/// … and once more of the first for so many calm steps in a row.
const PATIENCE: u64 = 8;
/// What is asked for counts with the steps before, this one as the fourth part.
const MEMORY: u64 = 4;
/// Requests per step are counted in such parts.
const UNIT: u64 = 256;
/// Steps after a drop in which nothing is added: until the kernel has been asked again.
const HOLD: u32 = 10;
/// Without new requests the share ends in so many calm steps.
const ENDS: u32 = 32;

/// See the module.
#[derive(Debug)]
pub(crate) struct Overload {
    /// By the index of the listener.
    queues: Vec<Queue>,
    /// It has begun, and is not over.
    watching: bool,
    /// New requests shed, of [`ALL`].
    share: u32,
    /// What is served, when something new was asked for.
    rate: Option<Rate>,
    /// New requests of this step.
    asked: u32,
    /// All packets of the last step had waited for longer than [`QUEUE_AGE`]: all are shed.
    late: bool,
    /// Steps in a row without a sign.
    calm: u64,
    /// Steps for which nothing more is served.
    hold: u32,
    /// Datagrams since the kernel's drops were read last.
    received: u64,
}

/// New requests per step, in [`UNIT`]ths.
#[derive(Clone, Copy, Debug)]
struct Rate {
    asked: u64,
    served: u64,
    /// What was served when the latest signs began: too much.
    edge: u64,
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
            watching: false,
            share: 0,
            rate: None,
            asked: 0,
            late: false,
            calm: 0,
            hold: 0,
            received: 0,
        }
    }

    /// A message has waited for `age`; true when that begins an overload.
    pub(crate) fn waited(&mut self, now: Duration, listener: u8, age: Duration) -> bool {
        self.received += 1;
        let Some(queue) = self.queues.get_mut(usize::from(listener)) else { return false };
        let sign = queue.waited(now, age).filter(|_| !self.watching);
        if let Some(share) = sign {
            self.late = true;
            self.begin(share);
        }
        sign.is_some()
    }

    /// The kernel has dropped so many datagrams since it was read last; true when that begins an
    /// overload: with twice the share of those that had no room.
    pub(crate) fn dropped(&mut self, packets: u64) -> bool {
        let arrived = packets.saturating_add(std::mem::take(&mut self.received));
        if packets == 0 {
            return false;
        }
        let lost = u128::from(packets) * u128::from(ALL) / u128::from(arrived);
        let lost = u32::try_from(lost).unwrap_or(ALL);
        let [least, most] = CUT;
        let begins = !self.watching;
        if begins {
            self.begin((2 * lost).clamp(least, ALL));
        } else if let Some(rate) = &mut self.rate {
            rate.cut(u64::from(lost.clamp(least, most)), u64::from(ALL), self.calm > 0);
        }
        self.calm = 0;
        self.hold = HOLD;
        begins
    }

    fn begin(&mut self, share: u32) {
        (self.watching, self.share, self.rate) = (true, share, None);
        (self.asked, self.calm) = (0, 0);
    }

    /// What a step has shown; true while there is to be another one.
    pub(crate) fn step(&mut self) -> bool {
        let shortest = self.queues.iter_mut().filter_map(Queue::end_step);
        let age = shortest.max().unwrap_or_default();
        self.late = age > QUEUE_AGE;
        let asked = u64::from(std::mem::take(&mut self.asked)) * UNIT;
        let calm = age <= QUEUE_CALM && self.hold == 0;
        self.hold = self.hold.saturating_sub(1);
        match &mut self.rate {
            None if asked == 0 => {
                let less = if calm { ALL / ENDS } else { 0 };
                self.share = self.share.saturating_sub(less);
                self.watching = self.share > 0;
                return self.watching;
            }
            None => {
                let served = asked * u64::from(ALL - self.share) / u64::from(ALL);
                let served = served.max(asked / 8);
                self.rate = Some(Rate { asked, served, edge: served.midpoint(asked) });
            }
            Some(rate) => {
                rate.asked = (rate.asked * (MEMORY - 1) + asked) / MEMORY;
                if calm {
                    rate.add(self.calm);
                } else if age > QUEUE_CALM && !self.late {
                    rate.cut(1, LESS, self.calm > 0);
                }
            }
        }
        self.calm = if calm { self.calm + 1 } else { 0 };
        self.follow(age)
    }

    /// The share that follows from the rate and from what waits; true while it is not over.
    fn follow(&mut self, age: Duration) -> bool {
        let Some(rate) = self.rate else { return true };
        let served = rate.served * u64::from(ALL) / rate.asked.max(1);
        let passes = u32::try_from(served).unwrap_or(ALL).min(ALL);
        let waits = age.saturating_sub(QUEUE_CALM).as_millis();
        let left = QUEUE_AGE.as_millis().saturating_sub(waits);
        let passes = u128::from(passes) * left / QUEUE_AGE.as_millis();
        self.share = ALL.saturating_sub(u32::try_from(passes).unwrap_or(ALL));
        self.watching = self.share > 0 || rate.served <= rate.asked + rate.asked / 4;
        self.watching
    }

    /// It has begun, and is not over: new requests are to be asked about.
    pub(crate) fn is_watching(&self) -> bool {
        self.watching
    }

    /// Whether a new request is shed; `lot` is a number of its own that its copies share, so that
    /// they share its fate.
    pub(crate) fn sheds(&mut self, lot: u32) -> bool {
        self.asked = self.asked.saturating_add(1);
        self.hits(lot)
    }

    /// The same, of what is not asked for.
    pub(crate) fn hits(&self, lot: u32) -> bool {
        match self.state() {
            0 => false,
            1 => lot % ALL < self.share,
            _ => true,
        }
    }

    /// 0 normal, 1 some of what is new is shed, 2 all of it.
    pub(crate) fn state(&self) -> u8 {
        match self.share {
            _ if !self.watching => 0,
            _ if self.late => 2,
            0 => 0,
            ALL => 2,
            _ => 1,
        }
    }
}

impl Rate {
    /// A sign: `part` of `whole` is too much. `first`: there was none before.
    fn cut(&mut self, part: u64, whole: u64, first: bool) {
        if first {
            self.edge = self.served;
        }
        let served = self.served.min(self.asked);
        self.served = (served - served * part / whole).max(UNIT);
    }

    /// No sign, for so many steps.
    fn add(&mut self, calm: u64) {
        let usual = self.served / MORE * (1 + calm / PATIENCE);
        let back = self.edge.saturating_sub(self.served) / BACK;
        self.served += usual.max(back).max(UNIT / BACK);
    }
}

#[cfg(test)]
mod tests;
