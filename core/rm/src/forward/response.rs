//! Answers on their way back (stages 8 → 3): our Via off, the session header on, to the caller.
//!
//! Provisional ones and every 2xx pass at once; failures go to failover first.

use std::fmt::Write;

use model::time::Now;
use sip::header::Name;
use sip::message::Message;
use sip::print::phrase;

use smallvec::SmallVec;

use super::draft::Draft;
use super::{failover, headers, routes, session_timer};
use crate::pool::health::Tried;
use crate::proxy::{ClientUse, Proxy};
use crate::session::end::route_set;
use crate::session::{Side, State, Text};
use crate::timer::Timer;
use sip::endpoint::{ClientId, ServerId};

impl Proxy {
    /// An answer to the current try of a hunt.
    pub(crate) fn on_hunt_response(
        &mut self,
        now: Now,
        key: usize,
        client: ClientId,
        message: &Message<'_>,
    ) {
        let Some(status) = message.status() else { return };
        match status {
            100 => {}
            101..=199 => self.on_progress(now, key, status, message),
            200..=299 => self.on_answer(now, key, client, status, message),
            _ => self.on_failure(now, key, failover::Outcome::Answer(status), Some(message)),
        }
    }

    fn on_progress(&mut self, now: Now, key: usize, status: u16, message: &Message<'_>) {
        let until = now.mono + self.settings.timers.c;
        let Some(hunt) = self.hunts.get_mut(key) else { return };
        let Some(current) = hunt.current.as_mut() else { return };
        self.timers.set(until, Timer::TimerC(key));
        let first = !std::mem::replace(&mut current.progress, true);
        let (server, leg, member, trusted) = (hunt.server, hunt.leg, current.member, hunt.trusted);
        if first && let Some(one) = self.pool.get_mut(member) {
            one.tried(now.mono, Tried::Answered, "");
        }
        if let Some(leg) = self.table.leg_mut(leg) {
            leg.state = leg.state.max(State::Early);
            leg.last_heard = now.wall;
            if status == 180 && leg.ringing.is_none() {
                leg.ringing = Some(now.wall);
            }
        }
        self.pass_back(now, server, status, message, trusted.then_some(leg), None);
    }

    /// The final 2xx: the call is up, remembered and recorded; the hunt is over.
    fn on_answer(
        &mut self,
        now: Now,
        key: usize,
        client: ClientId,
        status: u16,
        message: &Message<'_>,
    ) {
        let Some(mut hunt) = self.end_hunt(key) else { return };
        let (server, leg_key) = (hunt.server, hunt.leg);
        let whose = self.table.both(leg_key).map(|(session, leg)| (session.guid, leg.id));
        let whose = whose.filter(|_| hunt.trusted);
        let owed = hunt.current.as_ref().and_then(|current| current.owed);
        self.clients.insert(client, ClientUse::Answered(server, whose, owed));
        if let Some(current) = &hunt.current {
            if let Some(member) = self.pool.get_mut(current.member) {
                member.tried(now.mono, Tried::Answered, "");
            }
            let took = now.mono.saturating_sub(current.began);
            self.note_try(&mut hunt.story, current.member, "placed", Some(status), None, took);
        }
        let timer = session_timer::agreed(message, owed);
        let mut route = std::mem::take(&mut self.scratch);
        self.callee_route(message, &mut route);
        if let Some(leg) = self.table.leg_mut(leg_key) {
            leg.state = State::Up;
            leg.answered = Some(now.wall);
            leg.last_heard = now.wall;
            leg.sip_status = Some(status);
            leg.session_timer = timer;
            leg.heard = now.mono;
            leg.refreshed = now.mono;
            leg.longest = now.mono + crate::limits::MAX_CALL_DURATION;
            let learnt = [
                (Text::ToTag, message.to().tag().unwrap_or_default()),
                (Text::CalleeTarget, message.contacts().next().map_or("", |one| one.uri)),
                (Text::CalleeRoute, route.as_str()),
            ];
            leg.texts.set(&learnt, &mut self.buffers);
            leg.note_cseq(Side::Caller, message.cseq());
            let service = leg.service.as_str();
            *self.counters.forwarded.entry((service, status)).or_default() += 1;
        }
        self.scratch = route;
        self.set_expiry(leg_key);
        self.counters.answer(status, "ok", true);
        self.pass_back(now, server, status, message, hunt.trusted.then_some(leg_key), owed);
        self.record_start(now, leg_key, &hunt.story);
        let story = self.dismiss(hunt);
        self.recorder.told(story);
    }

    /// The route set behind us towards the called side.
    pub(crate) fn callee_route(&self, message: &Message<'_>, out: &mut String) {
        let own = |uri| crate::admit::own::is_own(&self.settings, &uri);
        let behind =
            message.record_routes().take_while(|route| !route.parsed_uri().is_some_and(own));
        let mut behind: SmallVec<[&str; 8]> = behind.map(|route| route.uri).collect();
        behind.reverse();
        out.clear();
        route_set(behind.into_iter(), out);
    }

    /// Sends an answer on, without our Via. `session` writes the session header of that leg into
    /// 101–199 and 2xx of an INVITE, `owed` a session timer into a 2xx without one.
    pub(crate) fn pass_back(
        &mut self,
        now: Now,
        server: ServerId,
        status: u16,
        message: &Message<'_>,
        session: Option<usize>,
        owed: Option<u32>,
    ) {
        let mut draft = self.fresh_draft();
        if self.passed_back(message, session.filter(|_| status < 300), owed, &mut draft) {
            self.endpoint.respond(now.mono, server, self.told(status), &draft.bytes);
        }
        self.draft = draft;
    }

    /// The status under which an answer goes back: who gets a 503 from us gives up on us as a whole
    /// (RFC 3261 §16.7 step 6), unless that is asked for.
    pub(crate) fn told(&self, status: u16) -> u16 {
        if status == 503 && !self.options.forward_503 { 500 } else { status }
    }

    /// Writes an answer as it goes back; false when it had no Via but ours.
    pub(crate) fn passed_back(
        &self,
        message: &Message<'_>,
        session: Option<usize>,
        owed: Option<u32>,
        draft: &mut Draft,
    ) -> bool {
        if message.vias().nth(1).is_none() {
            return false;
        }
        routes::without_first(message, Name::Via, 1, &mut draft.edits);
        if let Some((session, _)) = session.and_then(|key| self.table.both(key)) {
            headers::session_id(session, self.settings.node_id, &mut draft.top);
            if let Some(theirs) = message.named("X-Genesys-GVP-Session-ID") {
                draft.edits.drop(theirs.index);
            }
        }
        session_timer::give(message, owed, &mut draft.top, &mut draft.edits);
        let status = message.status().unwrap_or_default();
        let told = self.told(status);
        if told != status {
            // writing to a String cannot fail
            let _ = write!(draft.start, "SIP/2.0 {told} {}", phrase(told));
        }
        draft.write(message);
        true
    }
}
