//! Answers to requests inside a dialog, and what the leg learns from them (rm.md §1.8, §2.6).

use model::record::EndState;
use model::time::Now;
use sip::buffers::Buffers;
use sip::endpoint::ClientId;
use sip::header::Name;
use sip::message::Message;
use smallvec::SmallVec;

use super::effect::{Fate, fate};
use super::{Kind, Relay};
use crate::forward::response::{Answered, Back};
use crate::forward::session_timer::agreed;
use crate::forward::size::too_large_an_answer;
use crate::forward::verdict::Outcome;
use crate::proxy::{ClientUse, Proxy};
use crate::reject::{No, Reason};
use crate::session::end::End;
use crate::session::{Bye, Kind as LegKind, Leg, Side, State, Text};
use crate::timer::Timer;

impl Proxy {
    /// An answer to a request that was passed on.
    pub(crate) fn on_relay_response(
        &mut self,
        now: Now,
        key: usize,
        client: ClientId,
        message: &Message<'_>,
    ) {
        let Some(status) = message.status() else { return };
        // somebody is there: no other address is asked
        if let Some(relay) = self.relays.get_mut(key)
            && relay.settle()
        {
            self.endpoint.wait_on(now.mono, client);
        }
        if status == 100 {
            return;
        }
        if status < 200 {
            self.relay_progress(now, key, status, message);
            return;
        }
        let Some(relay) = self.end_relay(key) else { return };
        if relay.kind == Kind::Invite && status < 300 {
            let (server, owed, trust) = (relay.server, relay.owed, relay.trust.back());
            let answered = Answered { server, whose: None, owed, trust };
            self.clients.insert(client, ClientUse::Answered(answered));
        }
        if let Some(placed) = &relay.placed {
            let retry = message.header(Name::RetryAfter).and_then(|header| header.number());
            self.judge_single(now, placed, Outcome::Answer(status), retry);
            if status == 503 && !self.options.forward_503 {
                let no = self.none_for(now, placed);
                self.answer_no(now, relay.server, relay.ingress, &relay.request, &no, None);
                return self.buffers.release(relay.request);
            }
        }
        let held = self.learn(now, &relay, status, message);
        match held {
            // no 408 may be said to anything but INVITE (RFC 4320 §4.2)
            _ if status == 408 && relay.kind != Kind::Invite => {
                self.counters.answer(self.told(status), passed(status), false);
            }
            _ if !self.fits_back(relay.server, message) => {
                self.say_no(now, held, &relay, &too_large_an_answer());
            }
            Some(number) => {
                self.counters.answer(self.told(status), passed(status), false);
                let mut draft = self.fresh_draft();
                if self.passed_back(message, Back::plain(relay.trust.back()), &mut draft) {
                    let told = self.told(status);
                    self.hold(now, number, relay.server, told, &draft.bytes);
                }
                self.draft = draft;
            }
            None => {
                self.counters.answer(self.told(status), passed(status), false);
                let back = Back { owed: relay.owed, ..Back::plain(relay.trust.back()) };
                self.pass_back(now, relay.server, status, message, back);
            }
        }
        self.buffers.release(relay.request);
    }

    /// An answer of our own, at once or when the record of this number is safe.
    fn say_no(&mut self, now: Now, held: Option<u64>, relay: &Relay, no: &No) {
        let (server, ingress) = (relay.server, relay.ingress);
        let Some(number) = held else {
            return self.answer_no(now, server, ingress, &relay.request, no, None);
        };
        let mut draft = self.fresh_draft();
        if self.no_bytes(ingress, &relay.request, no, None, &mut draft.bytes) {
            self.hold(now, number, server, no.status(), &draft.bytes);
        }
        self.draft = draft;
    }

    fn relay_progress(&mut self, now: Now, key: usize, status: u16, message: &Message<'_>) {
        let until = now.mono + self.settings.timers.c;
        let Some(relay) = self.relays.get(key) else { return };
        // nothing but 100 may be said before the end to anything else (RFC 4320 §4.1)
        if relay.kind != Kind::Invite {
            return;
        }
        self.timers.set(until, Timer::RelayC(key));
        let (server, back) = (relay.server, Back::plain(relay.trust.back()));
        self.pass_back(now, server, status, message, back);
    }

    /// What the final answer means for the leg; the number of its end record, if that was it.
    fn learn(
        &mut self,
        now: Now,
        relay: &Relay,
        status: u16,
        message: &Message<'_>,
    ) -> Option<u64> {
        let Some(key) = self.leg_of_relay(relay.leg) else {
            // another BYE was faster: the record of the end goes before this answer too
            let newest = self.recorder.no;
            let late = relay.kind == Kind::Bye && relay.placed.is_none() && newest > self.durable;
            return late.then_some(newest);
        };
        match relay.kind {
            Kind::Bye if ends(status) => return self.end_by_bye(now, key, relay),
            Kind::Bye => {
                let leg = self.table.leg_mut(key).filter(|leg| leg.state == State::Ending)?;
                leg.state = State::Up;
                leg.bye = None;
            }
            Kind::Invite | Kind::Update if status < 300 => {
                // the target that the request itself named, now that it was accepted
                let request = sip::parse::parse(&relay.request, &self.limits).ok();
                let asked = request.as_ref().map_or("", contact);
                let leg = self.table.leg_mut(key)?;
                leg.heard = now.mono;
                leg.refreshed = now.mono;
                leg.last_heard = now.wall;
                let moves = refresh(leg, relay.side, asked, contact(message), &mut self.buffers);
                // without an interval the timer ends (RFC 4028 §8.2)
                leg.session_timer = agreed(message, relay.owed);
                self.set_expiry(key);
                if moves {
                    self.follow_resource(now, key);
                }
            }
            Kind::Refer if status < 300 => self.table.leg_mut(key)?.referred = true,
            Kind::Invite | Kind::Update | Kind::Refer | Kind::Other => {
                let later = message.header(Name::RetryAfter).is_some();
                let fate = fate(message.method(), status, later);
                self.suffer(now, key, relay.side.other(), fate);
                if matches!(relay.kind, Kind::Invite | Kind::Update) {
                    self.refresh_failed(now, key, Some(status));
                }
            }
        }
        None
    }

    /// The call has ended by its BYE, which came from this side. One that has overtaken the 2xx was
    /// not noted when it came; while there is none the INVITE has its own end.
    fn end_by_bye(&mut self, now: Now, key: usize, relay: &Relay) -> Option<u64> {
        let by = relay.side;
        let leg = self.table.leg_mut(key)?;
        if leg.state < State::Up {
            leg.bye = Some(Bye { at: relay.came, by });
            // the dialog that is over: a 2xx may make another one
            let request = sip::parse::parse(&relay.request, &self.limits).ok()?;
            let callee = if by == Side::Caller { request.to() } else { request.from() };
            let over = [(Text::ToTag, callee.tag().unwrap_or_default())];
            leg.texts.set(&over, &mut self.buffers);
            return None;
        }
        let bye = leg.bye.unwrap_or(Bye { at: relay.came, by });
        let state = if leg.referred { EndState::Transferred } else { ended_by(leg.kind, bye.by) };
        // a BYE may have come before the 2xx, and be answered behind it
        let ended = leg.answered.map_or(bye.at, |answered| bye.at.max(answered));
        let end = End { state, word: "normal", status: None, ended, urgent: true };
        self.end_leg(now, key, end, None)
    }

    /// A leg is up by a 2xx that its BYE has overtaken, and that BYE was answered: it is over since
    /// that came.
    pub(crate) fn end_what_was_hung_up(&mut self, now: Now, key: usize, bye: Bye) {
        let Some(leg) = self.table.leg(key) else { return };
        let state = if leg.referred { EndState::Transferred } else { ended_by(leg.kind, bye.by) };
        let end = End { state, word: "normal", status: None, ended: bye.at, urgent: false };
        self.end_leg(now, key, end, None);
    }

    /// A request to this side has failed: what that does to a leg that is up. One whose BYE is on
    /// its way ends with that.
    fn suffer(&mut self, now: Now, key: usize, asked: Side, fate: Fate) {
        let Some(leg) = self.table.leg(key).filter(|leg| leg.state == State::Up) else { return };
        let (state, word) = match fate {
            Fate::Lives => return,
            Fate::Gone => (ended_by(leg.kind, asked), Reason::NoDialog.word()),
            Fate::Silent => (EndState::Timeout, "refresh-failed"),
        };
        self.end_leg(
            now,
            key,
            End { state, word, status: None, ended: now.wall, urgent: false },
            None,
        );
    }

    /// No answer ever came, or the message could not be sent.
    pub(crate) fn on_relay_failure(&mut self, now: Now, key: usize, transport: bool) {
        let too_large = match self.another_way(now, key, transport) {
            Ok(true) => return,
            Ok(false) => None,
            Err(no) => Some(no),
        };
        let Some(relay) = self.end_relay(key) else { return };
        let leg = self.leg_of_relay(relay.leg);
        let held = match (relay.kind, leg) {
            (Kind::Bye, Some(key)) => self.end_by_bye(now, key, &relay),
            (Kind::Invite | Kind::Update, Some(key)) if !transport => {
                self.suffer(now, key, relay.side.other(), Fate::Silent);
                None
            }
            (Kind::Invite | Kind::Update, Some(key)) => {
                self.refresh_failed(now, key, None);
                None
            }
            _ => None,
        };
        // no 408 to anything but INVITE (RFC 4320): the sender's own timer tells it
        let no = match (relay.kind, transport, &relay.placed) {
            _ if too_large.is_some() => too_large,
            (_, _, Some(placed)) => {
                let outcome = if transport { Outcome::Transport } else { Outcome::Timeout };
                self.judge_single(now, placed, outcome, None);
                transport.then(|| self.none_for(now, placed))
            }
            (_, true, None) => Some(Reason::NextHop.into()),
            (Kind::Invite, false, None) => Some(Reason::NoAnswer.into()),
            _ => None,
        };
        let Some(no) = no else { return self.buffers.release(relay.request) };
        self.say_no(now, held, &relay, &no);
        self.buffers.release(relay.request);
    }

    pub(crate) fn end_relay(&mut self, key: usize) -> Option<Relay> {
        let relay = self.relays.try_remove(key)?;
        self.timers.take_back(Timer::RelayC(key));
        self.servers.remove(&relay.server);
        self.clients.remove(&relay.client);
        Some(relay)
    }
}

/// The user is the party outside: of an outbound leg the one that was called.
fn ended_by(kind: LegKind, side: Side) -> EndState {
    match (kind, side) {
        (LegKind::Inbound | LegKind::Bridged, Side::Caller) | (LegKind::Outbound, Side::Callee) => {
            EndState::UserEnd
        }
        (LegKind::Inbound | LegKind::Bridged, Side::Callee) | (LegKind::Outbound, Side::Caller) => {
            EndState::AppEnd
        }
    }
}

/// Whether a final answer to a BYE ends the leg: all but those after which it is sent again.
fn ends(status: u16) -> bool {
    !matches!(status, 300..=399 | 401 | 407)
}

fn passed(status: u16) -> &'static str {
    if status < 300 { "ok" } else { "forwarded" }
}

fn contact<'m>(message: &Message<'m>) -> &'m str {
    message.contacts().next().map_or("", |contact| contact.uri)
}

/// Target refresh: both sides have told where they are now; whether the called one is elsewhere.
fn refresh(
    leg: &mut Leg,
    asked_by: Side,
    asked: &str,
    answered: &str,
    buffers: &mut Buffers,
) -> bool {
    let (own, other) = match asked_by {
        Side::Caller => (Text::CallerTarget, Text::CalleeTarget),
        Side::Callee => (Text::CalleeTarget, Text::CallerTarget),
    };
    let known = [(own, asked), (other, answered)];
    let known = known.into_iter().filter(|(_, uri)| !uri.is_empty());
    let known: SmallVec<[(Text, &str); 2]> = known.collect();
    let callee = known.iter().find(|(text, _)| *text == Text::CalleeTarget);
    let moves = callee.is_some_and(|(text, uri)| leg.texts.get(*text) != *uri);
    leg.texts.set(&known, buffers);
    moves
}
