//! Late answers to a try that was given up (rm.md §7.8): a late 100–199 gets CANCEL, a late 2xx
//! gets ACK and BYE of our own; nothing of it goes upstream.
//!
//! It is watched until its failure or for 32 s, and keeps its place on the resource until then or
//! until those BYEs are answered. Each To tag is a dialog of its own (RFC 3261 §13.2.2.4).
//!
//! One that has failed keeps no place, but is watched too: behind it may be a proxy that forks, of
//! whose branches one still says 2xx (RFC 3261 §16.7 step 5).

use std::sync::Arc;

use model::id::{Epoch, Guid, LegId};
use model::record::Level;
use model::time::Now;
use sip::endpoint::{ClientId, ClientOptions};
use sip::header::Name;
use sip::message::Message;
use sip::transport::Flow;
use sip::uri::Uri;
use smallvec::SmallVec;

use super::Try;
use super::branch;
use super::own_request::{OwnRequest, Way, after};
use crate::counters::count;
use crate::dialog::hop::is_secure;
use crate::limits;
use crate::pool::{Direction, Occupant};
use crate::proxy::{ClientUse, Proxy};
use crate::session::ResourceNames;
use crate::timer::Timer;
use crate::token::tag_hash;

/// A try that was given up.
#[derive(Debug)]
pub(crate) struct Watch {
    number: u64,
    member: usize,
    names: Arc<ResourceNames>,
    direction: Direction,
    flow: Flow,
    sent: Vec<u8>,
    /// Whose try it was, and the number of its next event.
    whose: (Guid, LegId, Epoch, u32),
    /// Its client transaction still lives.
    client: Option<ClientId>,
    cancelled: bool,
    /// A late 101–199 is in the events.
    told: bool,
    /// It has failed: only a 2xx may still come.
    answered: bool,
    /// The dialogs of its 2xx, acknowledged and ended.
    ended: SmallVec<[Ended; 1]>,
}

impl Watch {
    /// Key of the resource that was given up.
    pub(crate) fn member(&self) -> usize {
        self.member
    }

    /// Where it takes a place, and under which number: until it is answered, and then as long as a
    /// dialog that answered late is being ended.
    pub(crate) fn place(&self) -> Option<(usize, u64)> {
        let answered = self.answered || !self.ended.is_empty();
        let ending = self.ended.iter().any(|one| one.bye.is_some());
        (!answered || ending).then_some((self.member, self.number))
    }
}

/// A dialog that answered late.
#[derive(Clone, Copy, Debug)]
struct Ended {
    /// Hash of its To tag.
    tag: [u8; 4],
    /// The BYE to it, until that is answered.
    bye: Option<ClientId>,
}

impl Proxy {
    /// The try leaves the hunt. `answered`: it had its final answer, so only a 2xx may still come.
    pub(crate) fn give_up(&mut self, now: Now, key: usize, current: Try, answered: bool) {
        let Some(hunt) = self.hunts.get(key) else { return };
        let leg_key = hunt.leg;
        self.pool.free(current.member, Occupant::Leg(leg_key));
        let client = self.clients.remove(&current.client).map(|_| current.client);
        let client = client.filter(|_| !answered);
        // what has failed leaves room for what has not
        let most = if answered { self.most_watches / 2 } else { self.most_watches };
        if self.watches.len() >= most {
            if !answered {
                self.counters.dropped("watches");
            }
            return self.buffers.release(current.sent);
        }
        let Some((session, leg)) = self.table.both(leg_key) else { return };
        let whose = (session.guid, leg.id, leg.epoch, leg.events + 1);
        let direction = leg.kind.direction();
        if let Some(leg) = self.table.leg_mut(leg_key) {
            // one for a late provisional answer, one for a late 2xx
            leg.events += 2;
        }
        let until = now.mono + limits::WATCH;
        let Try { number, member, names, flow, sent, .. } = current;
        let watch = self.watches.insert(Watch {
            number,
            member,
            names,
            direction,
            flow,
            sent,
            whose,
            client,
            cancelled: false,
            told: false,
            answered,
            ended: SmallVec::new(),
        });
        if let Some(client) = client {
            self.clients.insert(client, ClientUse::Watch(watch));
        }
        self.watched.insert(number, watch);
        self.timers.set(until, Timer::Watch(watch));
        self.keep_place(watch);
    }

    /// It has its place on the resource, or has it no longer.
    fn keep_place(&mut self, key: usize) {
        let Some(watch) = self.watches.get(key) else { return };
        let occupant = Occupant::Watch(watch.number);
        match watch.place() {
            Some((member, _)) => self.pool.occupy(member, occupant, watch.direction),
            None => self.pool.free(watch.member, occupant),
        }
    }

    /// A response whose top Via may be that of a watched try; true if it was.
    pub(crate) fn on_stray(&mut self, now: Now, message: &Message<'_>) -> bool {
        let node = self.settings.node_id;
        let number = message.top_via().branch.and_then(|text| branch::number_of(text, node));
        let Some(key) = number.and_then(|number| self.watched.get(&number).copied()) else {
            return false;
        };
        self.on_watched(now, key, message, false);
        true
    }

    /// An answer to a watched try. `alive`: its transaction lives and acknowledges failures.
    pub(crate) fn on_watched(&mut self, now: Now, key: usize, message: &Message<'_>, alive: bool) {
        let Some(status) = message.status() else { return };
        let Some(watch) = self.watches.get_mut(key) else { return };
        match status {
            // a 100 is no answer, but whoever sends it has the INVITE (RFC 3261 §9.1)
            100..=199 => {
                let told = status == 100 || std::mem::replace(&mut watch.told, true);
                let cancelled = std::mem::replace(&mut watch.cancelled, true);
                if !told {
                    self.late(now, key, status);
                }
                if !cancelled {
                    self.cancel_watched(now, key);
                }
            }
            200..=299 => self.on_late(now, key, status, message),
            _ => {
                if !alive {
                    self.acknowledge(now, key, message, false);
                }
                self.end_watch(key);
            }
        }
    }

    /// A late 2xx: ACK each time, BYE once per dialog. Beyond a bound it is not acknowledged, and
    /// its server ends the dialog itself (RFC 3261 §13.3.1.4).
    fn on_late(&mut self, now: Now, key: usize, status: u16, message: &Message<'_>) {
        let Some(watch) = self.watches.get(key) else { return };
        let tag = tag_hash(message.to().tag().unwrap_or_default());
        if watch.ended.iter().any(|ended| ended.tag == tag) {
            return self.acknowledge(now, key, message, true);
        }
        let (first, full) = (watch.ended.is_empty(), watch.ended.len() >= limits::LATE_DIALOGS);
        if full {
            return self.counters.dropped("late-dialogs");
        }
        if first {
            self.late(now, key, status);
        }
        self.acknowledge(now, key, message, true);
        let bye = self.end_late(now, key, message);
        let Some(watch) = self.watches.get_mut(key) else { return };
        watch.ended.push(Ended { tag, bye });
        self.keep_place(key);
    }

    /// The BYE of a late answer is answered or given up: the place is free with the last of them.
    pub(crate) fn late_ended(&mut self, key: usize, client: ClientId) {
        let Some(watch) = self.watches.get_mut(key) else { return };
        let own = watch.ended.iter_mut().find(|ended| ended.bye == Some(client));
        let Some(own) = own else { return };
        own.bye = None;
        self.keep_place(key);
    }

    /// The watch is over: the place is free.
    pub(crate) fn end_watch(&mut self, key: usize) {
        let Some(watch) = self.watches.try_remove(key) else { return };
        self.timers.take_back(Timer::Watch(key));
        self.buffers.release(watch.sent);
        self.watched.remove(&watch.number);
        self.pool.free(watch.member, Occupant::Watch(watch.number));
        if let Some(client) = watch.client {
            self.clients.remove(&client);
        }
    }

    /// Its client transaction is gone; answers come as strays from now on.
    pub(crate) fn watch_lost_client(&mut self, key: usize) {
        if let Some(watch) = self.watches.get_mut(key) {
            watch.client = None;
        }
    }

    fn late(&mut self, now: Now, key: usize, status: u16) {
        let Some(watch) = self.watches.get_mut(key) else { return };
        let names = Arc::clone(&watch.names);
        count(&mut self.counters.late_answers, &names.group, status);
        let text = format_args!("{}|{status}", names.name);
        let (guid, leg, epoch, number) = watch.whose;
        let whose = (guid, leg, epoch);
        watch.whose.3 += 1;
        self.write_event(now, whose, number, Level::Warning, "late-answer", text);
    }

    fn cancel_watched(&mut self, now: Now, key: usize) {
        let Some(watch) = self.watches.get(key) else { return };
        if let Some(client) = watch.client {
            self.endpoint.cancel(now.mono, client, Some(b"Reason: SIP;cause=487\r\n"));
            return;
        }
        let Ok(invite) = sip::parse::parse(&watch.sent, &self.limits) else { return };
        let flow = watch.flow;
        let bytes = own(&invite, "CANCEL", invite.top_via().text, invite.cseq(), None).bytes_of();
        let client = self.endpoint.request(now.mono, flow, &bytes, ClientOptions::default());
        self.clients.insert(client, ClientUse::Absorb(None));
    }

    fn sent_of(&self, key: usize) -> Option<(Vec<u8>, Flow)> {
        self.watches.get(key).map(|watch| (watch.sent.clone(), watch.flow))
    }

    /// ACK: of a 2xx as a request of its own, of a failure inside the INVITE's transaction.
    fn acknowledge(&mut self, now: Now, key: usize, answer: &Message<'_>, success: bool) {
        let Some((sent, flow)) = self.sent_of(key) else { return };
        let Ok(invite) = sip::parse::parse(&sent, &self.limits) else { return };
        let (way, flow) = if success { self.late_way(now, answer, flow) } else { (None, flow) };
        let via = if success { self.fresh_via(flow, &invite) } else { None };
        let via = via.unwrap_or_else(|| invite.top_via().text.to_owned());
        let mut ack = own(&invite, "ACK", &via, invite.cseq(), Some(answer));
        match way {
            Some(way) => (ack.uri, ack.route) = (way.uri, way.route),
            None if success => {}
            None => ack.uri = invite.request().map_or("", |line| line.uri).to_owned(),
        }
        let bytes = ack.bytes_of();
        self.endpoint.send(flow, &bytes);
    }

    /// BYE to a late 2xx.
    fn end_late(&mut self, now: Now, key: usize, answer: &Message<'_>) -> Option<ClientId> {
        let (sent, flow) = self.sent_of(key)?;
        let invite = sip::parse::parse(&sent, &self.limits).ok()?;
        let (way, flow) = self.late_way(now, answer, flow);
        let via = self.fresh_via(flow, &invite)?;
        let mut bye = own(&invite, "BYE", &via, after(invite.cseq()), Some(answer));
        bye.reason = "SIP;cause=487;text=\"late-answer\"";
        if let Some(way) = way {
            (bye.uri, bye.route) = (way.uri, way.route);
        }
        let bytes = bye.bytes_of();
        let client = self.endpoint.request(now.mono, flow, &bytes, ClientOptions::default());
        self.clients.insert(client, ClientUse::Absorb(Some(key)));
        Some(client)
    }

    /// The way to whoever answered late: its Contact behind the proxies that want to be passed.
    /// Where that says nothing usable, the address of the try.
    fn late_way(&self, now: Now, answer: &Message<'_>, tried: Flow) -> (Option<Way>, Flow) {
        let target = answer.contacts().next().map_or("", |contact| contact.uri);
        let mut route = String::new();
        self.callee_route(answer, &mut route);
        let way = Way::through(target, &route);
        let flow = Uri::parse(&way.hop)
            .ok()
            .and_then(|hop| self.flow_to(now, &hop, is_secure(target)).ok());
        match flow {
            Some(flow) if !target.is_empty() => (Some(way), flow),
            _ => (None, tried),
        }
    }

    /// Value of a Via of a new transaction.
    pub(crate) fn fresh_via(&mut self, flow: Flow, about: &Message<'_>) -> Option<String> {
        self.branches += 1;
        let listener = self.listener(flow.listener)?;
        let hash = branch::loop_hash(&self.settings.keys, about);
        let mut line = String::new();
        self.via(listener, flow.transport, self.branches, hash, &mut line);
        line.strip_prefix("Via: ").map(|value| value.trim_end().to_owned())
    }
}

/// A request about a try, in owned texts.
struct Own<'a> {
    method: &'static str,
    uri: String,
    via: String,
    from: String,
    to: String,
    call_id: &'a str,
    cseq: u32,
    route: String,
    reason: &'static str,
}

fn own<'a>(
    invite: &Message<'a>,
    method: &'static str,
    via: &str,
    cseq: u32,
    answer: Option<&Message<'_>>,
) -> Own<'a> {
    let value = |message: &Message<'_>, name: Name| {
        message.header(name).map(|header| header.text_lossy().into_owned()).unwrap_or_default()
    };
    let contact = answer.and_then(|answer| answer.contacts().next()).map(|one| one.uri.to_owned());
    let sent_to = || invite.request().map_or("", |line| line.uri).to_owned();
    Own {
        method,
        uri: contact.unwrap_or_else(sent_to),
        via: via.to_owned(),
        from: value(invite, Name::From),
        to: answer.map_or_else(|| value(invite, Name::To), |answer| value(answer, Name::To)),
        call_id: invite.call_id(),
        cseq,
        route: String::new(),
        reason: "",
    }
}

impl Own<'_> {
    fn bytes_of(&self) -> Vec<u8> {
        OwnRequest {
            method: self.method,
            uri: &self.uri,
            via: &self.via,
            route: &self.route,
            from: &self.from,
            to: &self.to,
            call_id: self.call_id,
            cseq: self.cseq,
            reason: self.reason,
        }
        .bytes()
    }
}
