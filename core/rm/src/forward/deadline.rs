//! How long a try lasts: its own time, Timer C, and what is left of the time of the whole hunt
//! (rm.md §1.11, §7.8).
//!
//! One deadline per try, the earliest of them. Once it rings, a call is no hunt any more and has
//! Timer C alone. What a failed try leads to says `failover`.

use std::time::Duration;

use model::id::Dbid;
use model::time::Now;

use super::verdict::Outcome;
use crate::limits;
use crate::pool::Pick;
use crate::proxy::Proxy;
use crate::reject::Reason;
use crate::timer::Timer;

impl Proxy {
    /// The group of a choice, and how long its resource may say nothing at all.
    pub(super) fn time_of_try(&self, pick: Pick) -> (Dbid, Duration) {
        match pick.group.map(|group| self.snapshot.group(group)) {
            Some(group) => (group.dbid, group.try_timeout.unwrap_or(self.options.try_timeout)),
            None => (Dbid(0), limits::OUTSIDE_TRY),
        }
    }

    /// A try begins that may take so long before anything is heard.
    pub(super) fn await_try(&mut self, now: Now, key: usize, pick: Pick) {
        let rings = now.mono + self.settings.timers.c;
        // nobody else is asked for a host outside: it has its own time
        let hunt = self.hunts.get(key).filter(|_| pick.group.is_some());
        let over = hunt.map(|hunt| hunt.began + self.options.max_hunt);
        let until = over.map_or(rings, |over| rings.min(over));
        self.timers.set(until, Timer::Try(key));
    }

    /// It has rung for too long, or has said nothing but 100 until now.
    pub(crate) fn on_try_due(&mut self, now: Now, key: usize) {
        let Some(hunt) = self.hunts.get_mut(key) else { return };
        let Some(current) = &hunt.current else { return };
        let (client, progress) = (current.client, current.progress);
        // as much as it can be given, or all of it: nobody else has taken time from it
        let (took, time) = (now.mono.saturating_sub(current.began), current.time);
        let early = took < time.min(self.options.max_hunt) && !hunt.story.tries.is_empty();
        let rung = took >= self.settings.timers.c;
        self.endpoint.cancel(now.mono, client, Some(b"Reason: SIP;cause=408\r\n"));
        if !progress {
            let cut = Outcome::MaxHunt { early };
            let outcome = if rung { Outcome::Silence } else { cut };
            self.on_failure(now, key, outcome, None);
            return;
        }
        if let Some(current) = hunt.current.take() {
            self.timers.take_back(Timer::Try(key));
            self.give_up(now, key, current, false);
        }
        self.finish_hunt(now, key, &Reason::NoAnswer.into());
    }
}
