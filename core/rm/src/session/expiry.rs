//! When a leg ends without a BYE (rm.md §2.6, §2.7, §11.6), and the BYEs that RM then sends.
//!
//! One deadline per leg, the earliest that applies. A message only moves it later, so it is
//! worked out again when it fires, not at every message.

use std::time::Duration;

use model::record::EndState;
use model::time::Now;
use sip::endpoint::ClientOptions;
use sip::uri::Uri;

use super::end::End;
use super::{Leg, Side, State, Text};
use crate::dialog::hop::is_secure;
use crate::forward::own_request::{OwnRequest, Way, party};
use crate::limits;
use crate::proxy::{ClientUse, Proxy};
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

    /// BYE in both directions, with a code and a word for Reason.
    pub(crate) fn bye_both(&mut self, now: Now, key: usize, why: (u16, &str)) {
        for to in [Side::Caller, Side::Callee] {
            let Some((request, flow)) = self.bye(now, key, to, why) else { continue };
            let client = self.endpoint.request(now.mono, flow, &request, ClientOptions::default());
            self.clients.insert(client, ClientUse::Absorb(None));
        }
    }

    /// BYE to one side; none for a leg that a token has brought back: of such a one neither route
    /// sets nor numbers are known, whoever has been heard since (rm.md §2.7).
    pub(crate) fn bye(
        &mut self,
        now: Now,
        key: usize,
        to: Side,
        (code, word): (u16, &str),
    ) -> Option<(Vec<u8>, sip::transport::Flow)> {
        let leg = self.table.leg(key).filter(|leg| !leg.rebuilt)?;
        self.branches += 1;
        let number = self.branches;
        let texts = &leg.texts;
        let caller = party(texts.get(Text::FromUri), texts.get(Text::FromTag));
        let callee = party(texts.get(Text::ToUri), texts.get(Text::ToTag));
        let (uri, route, from, them) = match to {
            Side::Callee => (Text::CalleeTarget, Text::CalleeRoute, &caller, &callee),
            Side::Caller => (Text::CallerTarget, Text::CallerRoute, &callee, &caller),
        };
        let target = texts.get(uri);
        if target.is_empty() {
            return None;
        }
        let way = Way::through(target, texts.get(route));
        let flow = self.flow_to(now, &Uri::parse(&way.hop).ok()?, is_secure(target)).ok()?;
        let listener = self.listener(flow.listener)?;
        let node = self.settings.node_id;
        let branch = crate::forward::branch::Branch { node, number, hash: 0 };
        let (host, port) = &listener.via;
        let via = format!("SIP/2.0/{} {host}:{port};branch={branch}", flow.transport);
        let missed = if leg.epoch.0 > 1 { 1000 } else { 1 };
        let request = OwnRequest {
            method: "BYE",
            uri: &way.uri,
            via: &via,
            route: &way.route,
            from,
            to: them,
            call_id: texts.get(Text::CallId),
            cseq: leg.highest_cseq(to.other()).saturating_add(missed),
            reason: &format!("SIP;cause={code};text=\"{word}\""),
        };
        Some((request.bytes(), flow))
    }
}
