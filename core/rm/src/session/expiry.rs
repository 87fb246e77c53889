//! When a leg ends without a BYE (rm.md §2.6, §2.7, §11.6).
//!
//! One deadline per leg, the earliest that applies. A message only moves it later, so it is
//! worked out again when it fires, not at every message.

use std::time::Duration;

use model::record::EndState;
use model::time::Now;

use super::end::End;
use super::{Leg, State};
use crate::limits;
use crate::proxy::Proxy;
use crate::timer::Timer;

/// Why a leg is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    SessionTimer,
    /// Adopted, and never heard since.
    Interrupted,
    NoTimer,
    MaxDuration,
}

/// The earliest end of a leg that is up.
pub(crate) fn due(leg: &Leg, silence: Duration, orphan: Duration) -> (Duration, Due) {
    let (since, by_silence, why) = match (leg.session_timer, leg.silent) {
        (Some(timer), silent) => {
            let why = if silent { Due::Interrupted } else { Due::SessionTimer };
            (leg.refreshed, timer + limits::SESSION_TIMER_GRACE, why)
        }
        (None, true) => (leg.heard, orphan, Due::Interrupted),
        (None, false) => (leg.heard, silence, Due::NoTimer),
    };
    let by_silence = since.saturating_add(by_silence);
    if leg.longest < by_silence { (leg.longest, Due::MaxDuration) } else { (by_silence, why) }
}

impl Proxy {
    /// Sets the deadline of a leg that is up.
    pub(crate) fn set_expiry(&mut self, key: usize) {
        let (silence, orphan) = (self.options.no_timer_lifetime, self.options.orphan_lifetime);
        let Some(leg) = self.table.leg(key) else { return };
        if leg.state < State::Up {
            return;
        }
        let (at, _) = due(leg, silence, orphan);
        self.timers.set(at, Timer::Leg(key));
    }

    /// A leg's deadline has come, or would have if it had not been heard since.
    pub(crate) fn on_leg_due(&mut self, now: Now, key: usize) {
        let (silence, orphan) = (self.options.no_timer_lifetime, self.options.orphan_lifetime);
        let Some(leg) = self.table.leg(key) else { return };
        let (at, why) = due(leg, silence, orphan);
        if at > now.mono {
            self.set_expiry(key);
            return;
        }
        let last = leg.last_heard;
        let (state, word, ended) = match why {
            Due::SessionTimer => (EndState::Timeout, "session-timer", now.wall),
            Due::Interrupted => (EndState::Interrupted, "interrupted", last),
            Due::NoTimer => (EndState::MaxDuration, "no-timer", now.wall),
            Due::MaxDuration => (EndState::MaxDuration, "max-duration", now.wall),
        };
        match why {
            Due::Interrupted => self.counters.interrupted += 1,
            Due::NoTimer | Due::MaxDuration => {
                *self.counters.calls_cut.entry("duration").or_default() += 1;
                self.bye_both(now, key, (408, word));
            }
            Due::SessionTimer => {}
        }
        self.end_leg(now, key, End { state, word, status: None, ended, urgent: false }, None);
    }
}
