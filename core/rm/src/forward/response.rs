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
use super::size::too_large_an_answer;
use super::trust::Trust;
use super::verdict::Outcome;
use super::{headers, routes, session_timer};
use crate::pool::health::Tried;
use crate::proxy::{ClientUse, Proxy};
use crate::reject::Reason;
use crate::session::end::route_set;
use crate::session::{Side, State, Text};
use crate::timer::Timer;
use model::id::{Guid, LegId};
use sip::endpoint::{ClientId, ServerId};

/// What is done to an answer on its way back, besides taking our Via off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Back {
    /// From who answers to who asked.
    pub(crate) trust: Trust,
    /// The session header of this leg is written into it: 101–199 and 2xx of an INVITE.
    pub(crate) session: Option<usize>,
    /// A 2xx without a session timer is given this one.
    pub(crate) owed: Option<u32>,
}

impl Back {
    /// Nothing is written into it.
    pub(crate) const fn plain(trust: Trust) -> Self {
        Self { trust, session: None, owed: None }
    }
}

/// An INVITE that was answered with a 2xx, for further ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) server: ServerId,
    /// The leg whose session header they get.
    pub(crate) whose: Option<(Guid, LegId)>,
    /// The session timer that the first one was given.
    pub(crate) owed: Option<u32>,
    /// From who answers to who asked.
    pub(crate) trust: Trust,
}

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
            200..=299 if !self.fits_caller(key, message) => self.on_too_large(now, key, message),
            200..=299 => self.on_answer(now, key, client, status, message),
            _ => self.on_failure(now, key, Outcome::Answer(status), Some(message)),
        }
    }

    pub(crate) fn fits_caller(&self, key: usize, message: &Message<'_>) -> bool {
        self.hunts.get(key).is_none_or(|hunt| self.fits_back(hunt.server, message))
    }

    /// A 2xx that the caller cannot be given: the call is ended where it was taken, as one that was
    /// answered too late, and refused.
    fn on_too_large(&mut self, now: Now, key: usize, message: &Message<'_>) {
        let Some(hunt) = self.hunts.get_mut(key) else { return };
        let Some(current) = hunt.current.take() else { return };
        self.timers.take_back(Timer::Try(key));
        let (number, member) = (current.number, current.member);
        let took = now.mono.saturating_sub(current.began);
        let mut story = std::mem::take(&mut hunt.story);
        if let Some(member) = self.pool.get_mut(member) {
            member.tried(now.mono, Tried::Answered, "");
        }
        self.note_try(&mut story, &current.names, "placed", message.status(), None, took);
        if let Some(hunt) = self.hunts.get_mut(key) {
            hunt.story = story;
        }
        self.give_up(now, key, current, false);
        if let Some(watch) = self.watched.get(&number).copied() {
            self.on_watched(now, watch, message, true);
        }
        self.finish_hunt(now, key, &too_large_an_answer());
    }

    fn on_progress(&mut self, now: Now, key: usize, status: u16, message: &Message<'_>) {
        let until = now.mono + self.settings.timers.c;
        let Some(hunt) = self.hunts.get_mut(key) else { return };
        let Some(current) = hunt.current.as_mut() else { return };
        self.timers.set(until, Timer::Try(key));
        let first = !std::mem::replace(&mut current.progress, true);
        let (server, leg, member) = (hunt.server, hunt.leg, current.member);
        let trust = current.trust.back();
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
        let session = trust.to.then_some(leg);
        self.pass_back(now, server, status, message, Back { trust, session, owed: None });
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
        let current = hunt.current.as_ref();
        let owed = current.and_then(|current| current.owed);
        let seen = Trust { from: false, to: hunt.trusted };
        let trust = current.map_or(seen, |current| current.trust.back());
        let answered = Answered { server, whose, owed, trust };
        self.clients.insert(client, ClientUse::Answered(answered));
        if let Some(current) = &hunt.current {
            if let Some(member) = self.pool.get_mut(current.member) {
                member.tried(now.mono, Tried::Answered, "");
            }
            let took = now.mono.saturating_sub(current.began);
            self.note_try(&mut hunt.story, &current.names, "placed", Some(status), None, took);
        }
        let timer = session_timer::agreed(message, owed);
        let mut route = std::mem::take(&mut self.scratch);
        self.callee_route(message, &mut route);
        let longest = self.table.both(leg_key).map(|(session, _)| session.longest);
        let longest = longest.unwrap_or(crate::limits::MAX_CALL_DURATION);
        let to_tag = message.to().tag().unwrap_or_default();
        let mut hung_up = None;
        if let Some(leg) = self.table.leg_mut(leg_key) {
            hung_up = leg.bye.take().filter(|_| leg.texts.get(Text::ToTag) == to_tag);
            leg.state = State::Up;
            // no call lasts beyond its BYE, and none ends before it is answered
            leg.answered = Some(hung_up.map_or(now.wall, |bye| bye.at.min(now.wall)));
            leg.last_heard = now.wall;
            leg.sip_status = Some(status);
            leg.session_timer = timer;
            leg.heard = now.mono;
            leg.refreshed = now.mono;
            leg.longest = now.mono + longest;
            let learnt = [
                (Text::ToTag, to_tag),
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
        let session = hunt.trusted.then_some(leg_key);
        self.pass_back(now, server, status, message, Back { trust, session, owed });
        self.record_start(now, leg_key, &hunt.story);
        let story = self.dismiss(hunt);
        self.keep_story(leg_key, story);
        if let Some(bye) = hung_up {
            self.end_what_was_hung_up(now, leg_key, bye);
        }
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

    /// A 2xx after the first one: the same again, or that of another dialog.
    pub(crate) fn on_further_answer(
        &mut self,
        now: Now,
        answered: Answered,
        message: &Message<'_>,
    ) {
        let Answered { server, whose, owed, trust } = answered;
        let back = Back { trust, session: self.leg_of_relay(whose), owed };
        self.pass_back(now, server, message.status().unwrap_or_default(), message, back);
    }

    /// Sends an answer on, without our Via; one that is too large for its way is dropped and
    /// counted, and who has a final one says something in its place.
    pub(crate) fn pass_back(
        &mut self,
        now: Now,
        server: ServerId,
        status: u16,
        message: &Message<'_>,
        back: Back,
    ) {
        if !self.fits_back(server, message) {
            return self.counters.dropped(Reason::TooLarge.word());
        }
        let mut draft = self.fresh_draft();
        if self.passed_back(message, back, &mut draft) {
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
    pub(crate) fn passed_back(&self, message: &Message<'_>, back: Back, draft: &mut Draft) -> bool {
        if message.vias().nth(1).is_none() {
            return false;
        }
        routes::without_first(message, Name::Via, 1, &mut draft.edits);
        back.trust.strip(message, &mut draft.edits);
        let Back { session, owed, .. } = back;
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
