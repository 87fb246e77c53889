//! What is due, in turns: a bounded amount of work in each, so that the packets that come meanwhile
//! are served between two of them (rm.md §1.9).
//!
//! What happens to all legs at once comes here as many timers, or as one that is set again by its
//! slice. Work is counted in pieces, since there is no clock: the same inputs make the same turns.

use std::time::Duration;

use model::time::Now;

use super::Proxy;
use crate::limits::{MADE_WORK, TURN_WORK};
use crate::timer::Timer;

impl Proxy {
    /// Fires what is due. Call it when `poll_timeout` says so; drain both polls afterwards, and
    /// ask `poll_timeout` again: one call does a bounded amount of work.
    pub fn handle_timeout(&mut self, now: Now) {
        self.clock(now);
        self.endpoint.handle_timeout(now.mono);
        let mut work = self.settle_transactions(now, 0);
        while work < TURN_WORK
            && let Some(timer) = self.timers.pop(now.mono)
        {
            let made = self.made();
            work += 1 + self.fire(now, timer) + self.work_since(made);
        }
        self.settle_transactions(now, work);
        self.check();
    }

    /// When to call `handle_timeout` at the latest, and what for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Duration, &'static str)> {
        let news = self.endpoint.has_news().then_some((self.seen.mono, "transactions"));
        let both = [news, self.endpoint.poll_timeout(), self.timers.next()];
        both.into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// Records and requests of our own so far.
    pub(super) fn made(&self) -> u64 {
        self.recorder.no + self.branches
    }

    /// The pieces of work that they have been since.
    pub(super) fn work_since(&self, made: u64) -> usize {
        let since = usize::try_from(self.made().saturating_sub(made)).unwrap_or(TURN_WORK);
        since.saturating_mul(MADE_WORK)
    }

    /// Does what a timer is for. Gives back what a slice has looked at.
    fn fire(&mut self, now: Now, timer: Timer) -> usize {
        match timer {
            Timer::Held => return self.answer_held(now),
            Timer::Returns => return self.on_returns(now),
            Timer::Releases => return self.on_release_step(now),
            Timer::Tells => return self.on_tell_step(now),
            Timer::Linger => return self.forget_lingering(now),
            Timer::Tombstones => return self.forget_tombstones(now),
            Timer::Probe(key) => self.probe(now, key),
            Timer::Try(key) => self.on_try_due(now, key),
            Timer::RelayC(key) => self.on_relay_timer_c(now, key),
            Timer::Watch(key) => self.end_watch(key),
            Timer::Leg(key) => self.on_leg_due(now, key),
            Timer::Overload => self.on_overload_step(now),
            Timer::Name(key) => self.on_name_due(now, key),
            Timer::Release(key) => self.on_release_due(now, key),
            Timer::Deadline(key) => self.on_deadline(now, key),
            Timer::Minute => self.on_minute(now),
            Timer::Update(key) => self.on_update_due(now, key),
            Timer::Discovery => self.discover(now),
            Timer::Farewells => self.on_farewell_step(now),
        }
        0
    }
}
