//! One party of a call: a user agent over a transaction engine of its own. It knows its dialogs,
//! repeats a 2xx until the ACK comes (RFC 3261 §13.3.1.4), and hangs up when none does.

#![expect(clippy::panic, reason = "a test helper fails its test")]

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use sip::endpoint::{
    ClientId, ClientOptions, Endpoint, Received, ServerId, Timers, TransactionEvent,
};
use sip::limits::Limits;
use sip::transport::{Flow, Transport};

use crate::world::{Dialog, header, reply};

/// 64·T1: so long a 2xx is repeated.
const PATIENCE: Duration = Duration::from_secs(32);
const T1: Duration = Duration::from_millis(500);

/// How a called party takes a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Provisional answer, at once.
    pub(crate) rings: Option<u16>,
    /// Final answer and when; none: it says nothing more.
    pub(crate) answers: Option<(u64, u16)>,
}

/// What a party will do later.
#[derive(Clone, Debug)]
enum Later {
    Answer { id: ServerId, request: String, code: u16 },
    Repeat { id: ServerId, request: String, since: Duration, gap: Duration },
}

/// A dialog and whether it is over.
pub(crate) struct Talk {
    pub(crate) dialog: Dialog,
    pub(crate) over: bool,
}

pub(crate) struct Party {
    pub(crate) address: SocketAddr,
    pub(crate) endpoint: Endpoint,
    manner: Manner,
    later: BTreeMap<(Duration, u64), Later>,
    number: u64,
    /// By the tags of both sides, its own first.
    pub(crate) talks: BTreeMap<String, Talk>,
    /// Requests under way, as they were sent.
    asked: HashMap<ClientId, String>,
    /// INVITEs that wait for their final answer.
    taken: HashMap<ServerId, String>,
    /// 2xx that wait for their ACK, by Call-ID and CSeq number.
    unacknowledged: BTreeMap<String, ServerId>,
    given_up: bool,
    /// What it heard, in order: `INVITE`, `200 INVITE`.
    pub(crate) heard: Vec<String>,
}

impl Party {
    pub(crate) fn new(address: &str, manner: Manner, seed: u64) -> Self {
        Self {
            address: address.parse().unwrap(),
            endpoint: Endpoint::new(Limits::DEFAULT, Timers::default(), seed),
            manner,
            later: BTreeMap::new(),
            number: 0,
            talks: BTreeMap::new(),
            asked: HashMap::new(),
            taken: HashMap::new(),
            unacknowledged: BTreeMap::new(),
            given_up: false,
            heard: Vec::new(),
        }
    }

    fn later(&mut self, at: Duration, what: Later) {
        self.number += 1;
        self.later.insert((at, self.number), what);
    }

    pub(crate) fn next_time(&self) -> Option<Duration> {
        let own = self.later.first_key_value().map(|((at, _), _)| *at);
        own.into_iter().chain(self.endpoint.poll_timeout().map(|(at, _)| at)).min()
    }

    pub(crate) fn time(&mut self, now: Duration) {
        while let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= now) {
            let what = entry.remove();
            self.act(now, what);
        }
        self.endpoint.handle_timeout(now);
    }

    fn act(&mut self, now: Duration, what: Later) {
        match what {
            Later::Answer { id, request, code } => {
                if self.taken.contains_key(&id) {
                    self.answer(now, id, &request, code);
                }
            }
            Later::Repeat { id, request, since, gap } => {
                let key = transaction(&request);
                if self.unacknowledged.get(&key) != Some(&id) {
                    return;
                }
                if now - since >= PATIENCE {
                    self.unacknowledged.remove(&key);
                    return self.hang_up(now, &request);
                }
                let text = self.text_of(&request, 200);
                self.endpoint.respond(now, id, 200, text.as_bytes());
                let gap = (gap * 2).min(Duration::from_secs(4));
                self.later(now + gap, Later::Repeat { id, request, since, gap });
            }
        }
    }

    /// The tag that this party gives; one is enough, calls differ by their Call-ID.
    fn own_tag(&self) -> String {
        self.address.ip().to_string()
    }

    fn text_of(&self, request: &str, code: u16) -> String {
        let contact = format!("Contact: <sip:x@{}>\r\n", self.address);
        let reliable = if code == 183 { "Require: 100rel\r\nRSeq: 1\r\n" } else { "" };
        reply(request, code, &self.own_tag(), &format!("{contact}{reliable}"))
    }

    fn answer(&mut self, now: Duration, id: ServerId, request: &str, code: u16) {
        let text = self.text_of(request, code);
        self.endpoint.respond(now, id, code, text.as_bytes());
        if code < 200 {
            return;
        }
        self.taken.remove(&id);
        if request.starts_with("INVITE ") && code < 300 {
            if is_first(request) {
                let contact = format!("<sip:x@{}>", self.address);
                let dialog = Dialog::of_callee(request, &self.own_tag(), &contact);
                self.talks.insert(self.asked_in(request), Talk { dialog, over: false });
            }
            self.unacknowledged.insert(transaction(request), id);
            let request = request.to_owned();
            self.later(now + T1, Later::Repeat { id, request, since: now, gap: T1 });
        }
    }

    /// BYE in the dialog that this INVITE made here.
    fn hang_up(&mut self, now: Duration, request: &str) {
        let talk = self.asked_in(request);
        self.say(now, &talk, "BYE", "");
    }

    /// The talk in which a request has come.
    fn asked_in(&self, request: &str) -> String {
        let own = header(request, "To").split(";tag=").nth(1).map(str::to_owned);
        format!("{} {}", own.unwrap_or_else(|| self.own_tag()), tag_of(request, "From"))
    }

    /// INVITEs that it will never answer.
    pub(crate) fn silence(&self) -> usize {
        self.taken.len()
    }

    /// The talk that is not over, if there is one.
    pub(crate) fn live(&self) -> Option<String> {
        self.talks.iter().find(|(_, talk)| !talk.over).map(|(name, _)| name.clone())
    }

    /// Sends a request in a dialog; in none, it says nothing.
    pub(crate) fn say(&mut self, now: Duration, talk: &str, method: &str, extra: &str) {
        let host = self.address.to_string();
        self.number += 1;
        let branch = format!("p{}{}", self.address.port(), self.number);
        let Some(talk) = self.talks.get_mut(talk).filter(|talk| !talk.over) else { return };
        let text = talk.dialog.request(method, &host, &branch);
        let text = text.replacen("Max-Forwards", &format!("{extra}Max-Forwards"), 1);
        talk.over |= method == "BYE";
        self.ask(now, text);
    }

    pub(crate) fn ask(&mut self, now: Duration, text: String) {
        let flow = flow_to(5060);
        if text.starts_with("ACK ") {
            return self.endpoint.send(flow, text.as_bytes());
        }
        let id = self.endpoint.request(now, flow, text.as_bytes(), ClientOptions::default());
        self.asked.insert(id, text);
    }

    /// Gives up the call that is not answered yet.
    pub(crate) fn cancel(&mut self, now: Duration) {
        self.given_up = true;
        let invite = self.asked.iter().find(|(_, text)| is_first(text)).map(|(id, _)| *id);
        if let Some(id) = invite {
            self.endpoint.cancel(now, id, None);
        }
    }

    /// A packet has come from this port of the Resource Manager.
    pub(crate) fn hear(&mut self, now: Duration, port: u16, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes).into_owned();
        match self.endpoint.handle_input(now, flow_to(port), bytes) {
            Received::Request { id, .. } => self.request(now, id, text),
            Received::Ack { .. } => {
                self.heard.push("ACK".to_owned());
                self.unacknowledged.remove(&transaction(&text));
            }
            Received::Cancel { invite, .. } => {
                self.heard.push("CANCEL".to_owned());
                if let Some(request) = self.taken.get(&invite).cloned() {
                    self.answer(now, invite, &request, 487);
                }
            }
            Received::Response { id, message } => {
                let code = message.status().unwrap();
                self.response(now, id, code, &text);
            }
            Received::Stray { .. } | Received::Absorbed(_) => {}
            other => panic!("{other:?}"),
        }
    }

    fn request(&mut self, now: Duration, id: ServerId, text: String) {
        let method = text.split(' ').next().unwrap().to_owned();
        let inside = header(&text, "To").contains(";tag=");
        if method == "OPTIONS" && !inside {
            return self.answer(now, id, &text, 200);
        }
        self.heard.push(method.clone());
        let name = self.asked_in(&text);
        let known = self.talks.get(&name).is_some_and(|talk| !talk.over);
        match method.as_str() {
            "INVITE" if !inside => {
                self.taken.insert(id, text.clone());
                if let Some(code) = self.manner.rings {
                    self.answer(now, id, &text, code);
                }
                if let Some((after, code)) = self.manner.answers {
                    let at = now + Duration::from_millis(after);
                    self.later(at, Later::Answer { id, request: text, code });
                }
            }
            "PRACK" => self.answer(now, id, &text, 200),
            _ if inside && !known => self.answer(now, id, &text, 481),
            // both at once: each refuses the other's (RFC 3261 §14.2)
            "INVITE" if self.asked.values().any(|text| text.starts_with("INVITE ")) => {
                self.answer(now, id, &text, 491);
            }
            "BYE" => {
                if let Some(talk) = self.talks.get_mut(&name) {
                    talk.over = true;
                }
                self.answer(now, id, &text, 200);
            }
            _ => self.answer(now, id, &text, 200),
        }
    }

    fn response(&mut self, now: Duration, id: ClientId, code: u16, text: &str) {
        let cseq = header(text, "CSeq").to_owned();
        let method = cseq.split(' ').nth(1).unwrap_or_default();
        if code > 100 {
            self.heard.push(format!("{code} {method}"));
        }
        let asked = self.asked.get(&id).cloned();
        let first = asked.as_deref().is_some_and(is_first);
        if code == 183 && first && header(text, "Require") == "100rel" {
            self.acknowledge_provisional(now, text);
        }
        if code < 200 {
            return;
        }
        if method == "INVITE" && code < 300 {
            self.accepted(now, text);
        }
        self.asked.remove(&id);
    }

    fn acknowledge_provisional(&mut self, now: Duration, text: &str) {
        let mut dialog = Dialog::of_caller(text);
        self.number += 1;
        let host = self.address.to_string();
        let prack = dialog.request("PRACK", &host, &format!("prack{}", self.number));
        let rack = format!("RAck: 1 {}\r\nMax-Forwards", header(text, "CSeq"));
        self.ask(now, prack.replacen("Max-Forwards", &rack, 1));
    }

    /// A 2xx to an INVITE of ours, for the first time or again: ACK, and the dialog if it is new.
    fn accepted(&mut self, now: Duration, text: &str) {
        let name = format!("{} {}", tag_of(text, "From"), tag_of(text, "To"));
        let new = !self.talks.contains_key(&name);
        let talk = self
            .talks
            .entry(name.clone())
            .or_insert_with(|| Talk { dialog: Dialog::of_caller(text), over: false });
        let number = header(text, "CSeq").split(' ').next().unwrap().parse().unwrap();
        let latest = std::mem::replace(&mut talk.dialog.cseq, number);
        self.number += 1;
        let host = self.address.to_string();
        let ack = talk.dialog.request("ACK", &host, &format!("ack{}{}", host.len(), self.number));
        talk.dialog.cseq = latest.max(number);
        self.ask(now, ack);
        if new && self.given_up {
            self.say(now, &name, "BYE", "");
        }
    }

    pub(crate) fn events(&mut self) {
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                TransactionEvent::Timeout { id } => {
                    self.heard.push("timeout".to_owned());
                    self.asked.remove(&id);
                }
                TransactionEvent::ServerTimeout { id } => drop(self.taken.remove(&id)),
                TransactionEvent::ClientEnded { .. } | TransactionEvent::ServerEnded { .. } => {}
                TransactionEvent::TransportFailed { .. } => panic!("{event:?}"),
            }
        }
        assert_eq!(self.endpoint.invariant(), Ok(()));
    }
}

fn is_first(request: &str) -> bool {
    request.starts_with("INVITE ") && !header(request, "To").contains(";tag=")
}

fn tag_of<'m>(message: &'m str, name: &str) -> &'m str {
    header(message, name).split(";tag=").nth(1).unwrap_or_default()
}

/// Call-ID and number of the CSeq: an ACK has those of its INVITE.
fn transaction(request: &str) -> String {
    let cseq = header(request, "CSeq").split(' ').next().unwrap();
    format!("{} {cseq} {}", header(request, "Call-ID"), header(request, "From"))
}

fn flow_to(port: u16) -> Flow {
    let remote = SocketAddr::from(([10, 0, 0, 5], port));
    Flow { transport: Transport::Udp, listener: 0, remote, conn: None }
}
