//! An operator ends a call (rm.md §2.7): BYE both ways to a leg that is up; one that is not is
//! refused upstream, and its resource gets CANCEL, whether it rings or has said 100 alone.
//!
//! A leg whose BYE is on its way ends by that.

use model::id::{Guid, LegId};
use model::record::EndState;
use model::time::Now;
use smallvec::SmallVec;

use super::State;
use super::end::End;
use crate::proxy::Proxy;
use crate::reject::Reason;
use crate::timer::Timer;

impl Proxy {
    /// How many legs [`crate::Input::HangUp`] would end; `None`: there is no such session or leg.
    #[must_use]
    pub fn to_hang_up(&self, guid: Guid, leg: Option<LegId>) -> Option<usize> {
        let (known, ending) = self.named(guid, leg);
        (known > 0).then_some(ending.len())
    }

    /// Ends them.
    pub(crate) fn hang_up(&mut self, now: Now, guid: Guid, leg: Option<LegId>) {
        for key in self.named(guid, leg).1 {
            self.hang_up_leg(now, key);
        }
    }

    /// How many legs are meant, and the keys of those that do not end already.
    fn named(&self, guid: Guid, leg: Option<LegId>) -> (usize, SmallVec<[usize; 2]>) {
        let session = self.table.session_of(guid).and_then(|key| self.table.session(key));
        let legs = session.into_iter().flat_map(|session| &session.legs).copied();
        let all = legs.filter_map(|key| Some((key, self.table.leg(key)?)));
        let meant = all.filter(|(_, one)| leg.is_none_or(|leg| one.id == leg));
        let mut known = 0;
        let ending = meant.inspect(|_| known += 1).filter(|(_, one)| one.state != State::Ending);
        let ending = ending.map(|(key, _)| key).collect();
        (known, ending)
    }

    /// Ends one leg in the name of an operator.
    pub(crate) fn hang_up_leg(&mut self, now: Now, key: usize) {
        let Some(leg) = self.table.leg(key) else { return };
        *self.counters.calls_cut.entry("operator").or_default() += 1;
        if leg.state < State::Up {
            return self.stop_ringing(now, key);
        }
        let no = Reason::Operator;
        self.bye_both(now, key, (no.entry().status, no.word()));
        let (state, word) = (EndState::OperatorEnd, no.word());
        let end = End { state, word, status: None, ended: now.wall, urgent: false };
        self.end_leg(now, key, end, None);
    }

    /// The hunt of a leg is over; a 2xx that crosses is acknowledged and ended.
    fn stop_ringing(&mut self, now: Now, leg: usize) {
        let Some(key) = self.hunts.iter().find(|(_, hunt)| hunt.leg == leg).map(|(key, _)| key)
        else {
            return;
        };
        let current = self.hunts.get_mut(key).and_then(|hunt| hunt.current.take());
        if let Some(current) = current {
            self.timers.take_back(Timer::Try(key));
            // as long as nothing has come, not even a 100, it waits for that (RFC 3261 §9.1)
            let reason = b"Reason: SIP;cause=480;text=\"operator\"\r\n";
            self.endpoint.cancel(now.mono, current.client, Some(reason));
            self.give_up(now, key, current, false);
        }
        self.finish_hunt(now, key, &Reason::Operator.into());
    }
}
