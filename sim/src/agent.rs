//! A user agent: a caller, or a media server. It has a transaction engine of its own, many dialogs
//! at once, repeats a 2xx until its ACK comes (RFC 3261 §13.3.1.4), and can vanish.
//!
//! What it does of itself is said beforehand: a [`Call`] says what a caller does with its call, a
//! [`Manner`] how a called party takes one. What it sees becomes [`Note`]s for the reference model.

mod dialog;
mod hear;
mod note;
mod place;
mod plan;
pub mod text;
mod turn;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use model::chance::Chance;
use sip::endpoint::{ClientId, ClientOptions, Endpoint, ServerId, Timers, TransactionEvent};
use sip::limits::Limits;
use sip::transport::{Flow, Transport};

use crate::{life, seed};
pub use dialog::Dialog;
pub use note::{Note, Placed, Seen};
pub use plan::{Call, Manner, Meant};
use text::{SESSION_ID, header, is_first, method, reply, sent_by, tag};
pub use turn::TURNED;

/// 64·T1: so long a 2xx is repeated.
const PATIENCE: Duration = Duration::from_secs(32);
/// So long anybody waits for the answer to an INVITE: longer than Timer C.
const LONGEST: Duration = Duration::from_secs(240);
const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);

/// Something heard, for scenarios.
#[derive(Clone, Debug)]
pub struct Heard {
    /// When.
    pub at: Duration,
    /// `INVITE`, `200 INVITE`.
    pub what: String,
    /// The whole message.
    pub text: String,
}

/// What a party will do later.
#[derive(Clone, Debug)]
enum Later {
    Answer { id: ServerId, code: u16, lines: String },
    Repeat { id: ServerId, key: String, text: String, since: Duration, gap: Duration },
    Say { talk: String, method: &'static str },
    Place { via: SocketAddr, call: Box<Call> },
    Cancel { id: ClientId, call: String },
    Vanish { call: String },
}

/// One party.
pub struct Agent {
    /// Its name.
    pub name: &'static str,
    /// Its address.
    pub address: SocketAddr,
    /// Where its host was, or may move to: what goes there finds it as well.
    pub other: Option<SocketAddr>,
    /// How it sends what is in no dialog, and how it is to be called.
    pub transport: Transport,
    /// Whether it takes connections.
    pub listens_tcp: bool,
    /// The name of its host; some of its contacts tell that instead of the address.
    pub host: Option<&'static str>,
    /// How it takes the next calls, oldest first …
    pub manners: VecDeque<Manner>,
    /// … and how all others. `None`: as is its habit.
    pub manner: Option<Manner>,
    /// How it takes calls by chance.
    pub habit: fn(&mut Chance) -> Manner,
    /// Its answer to OPTIONS, with further lines; `None`: none.
    pub alive: Option<(u16, &'static str)>,
    /// Whether the host has power: without it is silent, and forgets everything.
    power: bool,
    /// Whether whole messages are kept in `heard`.
    pub listens: bool,
    /// What it heard, in order.
    pub heard: Vec<Heard>,
    pub(crate) notes: Vec<Note>,
    endpoint: Endpoint,
    pub(crate) chance: Chance,
    later: BTreeMap<(Duration, u64), Later>,
    number: u64,
    talks: BTreeMap<String, Dialog>,
    /// Requests under way, as they were sent.
    asked: HashMap<ClientId, Asked>,
    /// INVITEs that wait for their final answer.
    taken: HashMap<ServerId, Offer>,
    /// 2xx that wait for their ACK.
    unacknowledged: BTreeMap<String, ServerId>,
    gone: BTreeSet<String>,
    /// It sends calls of [`TURNED`] back.
    pub turns: bool,
    /// Branches of the requests that it has sent back.
    turned: BTreeSet<String>,
    /// What it passes on.
    passed: VecDeque<(Flow, Vec<u8>)>,
}

struct Asked {
    text: String,
    talk: Option<String>,
    /// What to do with the call when it is answered.
    call: Option<Call>,
    given_up: bool,
}

#[derive(Clone)]
struct Offer {
    text: String,
    tag: String,
    manner: Manner,
    /// Host and port of its contact.
    contact: String,
}

impl Agent {
    /// One that is alive, takes every call at once and never hangs up.
    #[must_use]
    pub fn new(name: &'static str, address: SocketAddr, seed: u64) -> Self {
        let chance = seed::chance(seed, 2);
        Self {
            name,
            address,
            other: None,
            transport: Transport::Udp,
            listens_tcp: false,
            host: None,
            manners: VecDeque::new(),
            manner: Some(Manner::answers(200)),
            habit: life::habits::media,
            alive: Some((200, "")),
            power: true,
            listens: true,
            heard: Vec::new(),
            notes: Vec::new(),
            endpoint: Endpoint::new(Limits::DEFAULT, Timers::default(), seed),
            chance,
            later: BTreeMap::new(),
            number: 0,
            talks: BTreeMap::new(),
            asked: HashMap::new(),
            taken: HashMap::new(),
            unacknowledged: BTreeMap::new(),
            gone: BTreeSet::new(),
            turns: false,
            turned: BTreeSet::new(),
            passed: VecDeque::new(),
        }
    }

    /// Whether its host has power.
    #[must_use]
    pub const fn has_power(&self) -> bool {
        self.power
    }

    /// The power goes: all it knew is gone, and it hears nothing.
    pub fn power_off(&mut self, now: Duration) {
        self.power = false;
        let calls: BTreeSet<String> = self.open_calls().map(ToOwned::to_owned).collect();
        calls.iter().for_each(|call| self.note(now, call, Seen::Vanishes));
        let seed = self.chance.next_u64();
        self.endpoint = Endpoint::new(Limits::DEFAULT, Timers::default(), seed);
        self.later.clear();
        self.talks.clear();
        self.asked.clear();
        self.taken.clear();
        self.unacknowledged.clear();
        self.turned.clear();
        self.passed.clear();
    }

    /// The power is back.
    pub fn power_on(&mut self) {
        self.power = true;
    }

    /// It is at the other of its two addresses from now on, if this is that one.
    pub fn move_to(&mut self, address: SocketAddr) {
        if self.other == Some(address) {
            self.other = Some(std::mem::replace(&mut self.address, address));
        }
    }

    /// Addresses of its host, the present one first.
    pub fn ips(&self) -> impl Iterator<Item = IpAddr> + use<> {
        [Some(self.address), self.other].into_iter().flatten().map(|address| address.ip())
    }

    /// Whether what goes to this address finds it.
    #[must_use]
    pub fn is_at(&self, address: SocketAddr) -> bool {
        self.address == address || self.other == Some(address)
    }

    /// Dialogs that are not over.
    #[must_use]
    pub fn talks(&self) -> usize {
        self.talks.values().filter(|talk| !talk.over).count()
    }

    /// Its requests that wait for an answer.
    #[must_use]
    pub fn waits(&self) -> usize {
        self.asked.len()
    }

    fn open_calls(&self) -> impl Iterator<Item = &str> {
        self.talks.values().filter(|talk| !talk.over).map(|talk| talk.call.as_str())
    }

    /// What it heard of this kind, in order: `INVITE`, `487 INVITE`.
    pub fn heard_of(&self, what: &str) -> impl Iterator<Item = &Heard> {
        self.heard.iter().filter(move |heard| heard.what == what)
    }

    /// Says something in each dialog of a call that is not over.
    pub fn say(&mut self, now: Duration, call: &str, method: &'static str) {
        let own = format!("{call} ");
        let from = self.talks.range(own.clone()..);
        let own = from.take_while(|(name, _)| name.starts_with(&own));
        let talks: Vec<String> = own.map(|(name, _)| name.clone()).collect();
        talks.iter().for_each(|talk| self.say_in(now, talk, method));
    }

    /// Hangs up whatever is up.
    pub fn hang_up_all(&mut self, now: Duration) {
        let calls: Vec<String> = self.open_calls().map(ToOwned::to_owned).collect();
        calls.iter().for_each(|call| self.say(now, call, "BYE"));
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

    /// The next message that it sends: where to, and its bytes.
    pub(crate) fn poll(&mut self) -> Option<(Flow, Vec<u8>)> {
        if let Some(passed) = self.passed.pop_front() {
            return Some(passed);
        }
        let mut out = Vec::new();
        let sent = self.endpoint.poll_transmit(&mut out)?;
        Some((sent.flow, out))
    }

    /// Host and port of its contacts, or this host.
    fn own_contact(&self, host: Option<&str>) -> String {
        let own = host.map_or_else(|| self.address.to_string(), ToOwned::to_owned);
        match self.transport {
            Transport::Udp => own,
            stream => format!("{own};transport={}", stream.uri_param()),
        }
    }

    /// A stream is gone.
    pub(crate) fn lost(&mut self, now: Duration, flow: Flow) {
        self.endpoint.handle_flow_failed(now, flow);
    }

    /// What its transaction engine has to say.
    pub(crate) fn events(&mut self, now: Duration) {
        // an answer that does not arrive is sent again by what it answers, or never
        while self.endpoint.poll_lost().is_some() {}
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                TransactionEvent::Timeout { id } | TransactionEvent::TransportFailed { id } => {
                    self.unanswered(now, id);
                }
                TransactionEvent::ServerTimeout { id } => drop(self.taken.remove(&id)),
                TransactionEvent::ClientEnded { .. } | TransactionEvent::ServerEnded { .. } => {}
            }
        }
    }

    pub(crate) fn invariant(&self) -> Result<(), &'static str> {
        self.endpoint.invariant()
    }

    fn later(&mut self, at: Duration, what: Later) {
        self.number += 1;
        self.later.insert((at, self.number), what);
    }

    fn note(&mut self, at: Duration, call: &str, fact: Seen) {
        self.notes.push(Note { at, who: self.name, call: call.to_owned(), fact });
    }

    fn listen(&mut self, at: Duration, what: String, text: &str) {
        if self.listens {
            self.heard.push(Heard { at, what, text: text.to_owned() });
        }
    }

    fn act(&mut self, now: Duration, what: Later) {
        match what {
            Later::Answer { id, code, lines } => self.answer(now, id, code, &lines),
            Later::Repeat { id, key, text, since, gap } => {
                if self.unacknowledged.get(&key) != Some(&id) {
                    return;
                }
                if now - since >= PATIENCE {
                    // no ACK: the session is of no use (RFC 3261 §13.3.1.4)
                    self.unacknowledged.remove(&key);
                    let call = header(&text, "Call-ID").to_owned();
                    return self.say(now, &call, "BYE");
                }
                self.endpoint.respond(now, id, 200, text.as_bytes());
                let gap = (gap * 2).min(T2);
                self.later(now + gap, Later::Repeat { id, key, text, since, gap });
            }
            Later::Say { talk, method } => self.say_in(now, &talk, method),
            Later::Place { via, call } => {
                self.place(now, via, *call);
            }
            Later::Cancel { id, call } => {
                if let Some(asked) = self.asked.get_mut(&id) {
                    asked.given_up = true;
                    self.note(now, &call, Seen::Cancels);
                    self.endpoint.cancel(now, id, None);
                }
            }
            Later::Vanish { call } => {
                self.note(now, &call, Seen::Vanishes);
                self.talks.retain(|_, talk| talk.call != call);
                self.asked.retain(|_, one| header(&one.text, "Call-ID") != call);
                self.gone.insert(call);
            }
        }
    }

    fn say_in(&mut self, now: Duration, name: &str, method: &'static str) {
        let reinvites = || self.asked.values().any(|one| one.talk.as_deref() == Some(name));
        if method == "INVITE" && reinvites() {
            return;
        }
        self.number += 1;
        let branch = format!("{}d{}", self.name, self.number);
        let address = self.address;
        let Some(talk) = self.talks.get_mut(name).filter(|talk| !talk.over) else { return };
        let lines = if method == "REFER" { "Refer-To: <sip:19005@10.0.0.5>\r\n" } else { "" };
        let text = talk.request(method, address, &branch, lines);
        let Some((transport, next)) = talk.next_hop() else { return };
        talk.over |= method == "BYE";
        let call = talk.call.clone();
        if method == "BYE" {
            self.note(now, &call, Seen::HangsUp);
        }
        let id = self.send(now, flow(transport, next), text, Some(name.to_owned()));
        if method == "INVITE" {
            self.later(now + LONGEST, Later::Cancel { id, call });
        }
    }

    fn send(&mut self, now: Duration, to: Flow, text: String, talk: Option<String>) -> ClientId {
        let options = ClientOptions::default();
        let id = self.endpoint.request(now, to, text.as_bytes(), options);
        self.asked.insert(id, Asked { text, talk, call: None, given_up: false });
        id
    }

    /// The final or provisional answer to an INVITE that was offered here.
    fn answer(&mut self, now: Duration, id: ServerId, code: u16, lines: &str) {
        let Some(offer) = self.taken.get(&id).cloned() else { return };
        let contact = format!("Contact: <sip:x@{}>\r\n{lines}", offer.contact);
        let text = reply(&offer.text, code, &offer.tag, &contact);
        self.endpoint.respond(now, id, code, text.as_bytes());
        if code < 200 {
            return;
        }
        self.taken.remove(&id);
        if code >= 300 {
            return self.note(now, header(&offer.text, "Call-ID"), Seen::Refused(code));
        }
        let key = transaction(&offer.text);
        self.unacknowledged.insert(key.clone(), id);
        self.later(now + T1, Later::Repeat { id, key, text, since: now, gap: T1 });
        if !is_first(&offer.text) {
            return;
        }
        let talk = name_of(&offer.text, &offer.tag, tag(&offer.text, "From"));
        self.talks.insert(
            talk.clone(),
            Dialog::of_callee(&offer.text, &offer.tag, offer.contact.clone()),
        );
        self.note(now, header(&offer.text, "Call-ID"), Seen::Taken);
        self.plan(now, &talk, &offer.manner.says, offer.manner.hold);
        // the dialog that it replaces ends (RFC 3891 §3)
        let replaced = header(&offer.text, "Replaces").split(';').next().unwrap_or_default();
        self.say(now, replaced, "BYE");
        self.plan_further(now, offer);
    }

    /// Calls that it is going to place in the session of one that it has taken, by way of the
    /// Resource Manager that brought it.
    fn plan_further(&mut self, now: Duration, offer: Offer) {
        let session = header(&offer.text, SESSION_ID);
        let Some(via) = sent_by(&offer.text).filter(|_| !session.is_empty()) else { return };
        for (after, mut call) in offer.manner.further {
            call.lines += &format!("{SESSION_ID}: {session}\r\n");
            self.later(now + after, Later::Place { via, call: Box::new(call) });
        }
    }

    /// What is said in a dialog that has just begun, and when it ends.
    fn plan(
        &mut self,
        now: Duration,
        talk: &str,
        says: &[(Duration, &'static str)],
        hold: Option<Duration>,
    ) {
        let bye = hold.map(|hold| (hold, "BYE"));
        for (after, method) in says.iter().copied().chain(bye) {
            self.later(now + after, Later::Say { talk: talk.to_owned(), method });
        }
    }

    /// How it takes the next call.
    fn next_manner(&mut self) -> Manner {
        let next = self.manners.pop_front().or_else(|| self.manner.clone());
        next.unwrap_or_else(|| (self.habit)(&mut self.chance))
    }
}

/// The name of a dialog: Call-ID and both tags, the own one first.
fn name_of(message: &str, own: &str, other: &str) -> String {
    format!("{} {own} {other}", header(message, "Call-ID"))
}

/// An ACK has these of its INVITE.
fn transaction(request: &str) -> String {
    let number = text::number(request);
    format!("{} {number} {}", header(request, "Call-ID"), tag(request, "From"))
}

fn flow(transport: Transport, remote: SocketAddr) -> Flow {
    Flow { transport, listener: 0, remote, conn: None }
}

/// As it stands in `Agent::heard`.
fn heard_as(message: &str) -> String {
    match message.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)) {
        Some(code) => format!("{code} {}", method(message)),
        None => method(message).to_owned(),
    }
}
