//! What producers have sent and what RS has acknowledged, and whether the report says the same:
//! every acknowledged record once, every send whole or absent.
//!
//! A send is a set of events that are stored together: one message, a transaction, or an HTTP
//! request. The text of each event is `SEND/NUMBER`; a producer groups its sends into sessions, so
//! that the events of each can be asked for. Where figures are to come of them, each send is a call
//! of its own, from its start to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::time::Millis;

use crate::http;
use crate::platform::{eventually, wall};

/// Sends of one session, and most records of one send: below what the report shows at once.
const SENDS: u32 = 25;
pub(crate) const RECORDS: u32 = 20;

/// A send: its name and its records.
pub(crate) struct Send {
    pub(crate) name: String,
    session: String,
    /// Id and JSON of each.
    pub(crate) records: Vec<(String, String)>,
}

/// How long each whole call takes, ms.
pub(crate) const CALL_MS: u64 = 9_000;

/// What whole calls come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    /// GUIDs.
    pub(crate) sessions: BTreeSet<String>,
    /// Texts of their events.
    pub(crate) texts: BTreeSet<String>,
    /// Those with the outcome of a dialogue.
    pub(crate) outcomes: usize,
    /// Records of all.
    pub(crate) records: usize,
}

#[derive(Default)]
struct Pages {
    /// Events of each send, and whether it was acknowledged.
    sends: BTreeMap<String, (u32, bool)>,
    /// GUIDs of the sessions.
    sessions: BTreeSet<String>,
    acknowledged: u64,
}

/// The book of all producers.
#[derive(Default)]
pub(crate) struct Book(Mutex<Pages>);

impl Book {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A send leaves, for the first time or again.
    fn offered(&self, session: &str, send: &str, events: u32) {
        let mut pages = self.pages();
        pages.sessions.insert(session.to_owned());
        pages.sends.entry(send.to_owned()).or_insert((events, false));
    }

    /// It was acknowledged.
    fn acknowledged(&self, send: &str) {
        let mut pages = self.pages();
        pages.sends.get_mut(send).unwrap().1 = true;
        pages.acknowledged += 1;
    }

    /// Acknowledgements so far.
    pub(crate) fn count(&self) -> u64 {
        self.pages().acknowledged
    }

    /// Those of producers of this kind.
    pub(crate) fn count_of(&self, kind: &str) -> usize {
        let pages = self.pages();
        let own =
            |name: &&String| name.strip_prefix(kind).is_some_and(|rest| rest.starts_with('-'));
        let sends = pages.sends.iter().filter(|(_, (_, acknowledged))| *acknowledged);
        sends.map(|(name, _)| name).filter(own).count()
    }

    /// What was sent, all of it whole calls that were acknowledged.
    pub(crate) fn calls(&self) -> Calls {
        let pages = self.pages();
        let mut calls = Calls { sessions: pages.sessions.clone(), ..Calls::default() };
        for (send, (events, acknowledged)) in &pages.sends {
            assert!(acknowledged, "{send}");
            calls.texts.extend((0..*events).map(|event| format!("{send}/{event}")));
            calls.outcomes += usize::from(*events > 0);
            calls.records += if *events > 0 { usize::try_from(*events).unwrap() + 4 } else { 1 };
        }
        calls
    }

    /// Compares with the report, when everything is applied. Gives how many sends were
    /// acknowledged, and how many were not and are there all the same.
    pub(crate) fn check(&self, rs: SocketAddr) -> (usize, usize) {
        eventually("nothing unapplied", || http::metric(rs, "rsQueueSize"), |size| *size == 0.0);
        let pages = self.pages();
        let mut found: BTreeMap<String, u32> = BTreeMap::new();
        for session in &pages.sessions {
            for text in events(rs, session) {
                *found.entry(text).or_default() += 1;
            }
        }
        let mut wrong = Vec::new();
        let mut unasked = 0;
        for (send, (events, acknowledged)) in &pages.sends {
            let of = |number: u32| found.remove(&format!("{send}/{number}")).unwrap_or(0);
            let counts: Vec<u32> = (0..*events).map(of).collect();
            let whole = counts.iter().all(|count| *count == 1);
            let absent = counts.iter().all(|count| *count == 0);
            unasked += usize::from(whole && !acknowledged);
            if !whole && (*acknowledged || !absent) {
                wrong.push(format!("{send}: acknowledged {acknowledged}, events {counts:?}"));
            }
        }
        assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), pages.sends.len());
        assert!(found.is_empty(), "nobody has sent {found:?}");
        (pages.sends.values().filter(|(_, acknowledged)| *acknowledged).count(), unasked)
    }
}

/// Texts of all events of a session; none when RS knows nothing of it.
fn events(rs: SocketAddr, session: &str) -> Vec<String> {
    let answer = http::get(rs, &format!("/api/v1/calls/{session}?include=events")).unwrap();
    if answer.status == 404 {
        return Vec::new();
    }
    assert_eq!(answer.status, 200, "{session}: {}", answer.body);
    let call: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let legs = call["legs"].as_array().unwrap().iter();
    let events = legs.flat_map(|leg| leg["events"].as_array().unwrap());
    events.map(|event| event["text"].as_str().unwrap().to_owned()).collect()
}

/// Makes the sends of one producer.
pub(crate) struct Pen {
    producer: String,
    number: u32,
    /// Each send is a whole call.
    whole: bool,
    session: String,
    /// Start of its call, until it was acknowledged.
    start: Option<(String, String)>,
    left: u32,
    sends: u32,
}

impl Pen {
    /// `number`: no other producer has it.
    pub(crate) fn new(producer: &str, number: u32, whole: bool) -> Self {
        let producer = producer.to_owned();
        Self { producer, number, whole, session: String::new(), start: None, left: 0, sends: 0 }
    }

    /// The next send, of so many events, written into the book. The first ones of a session have
    /// the start of the call too, until one of them is acknowledged.
    pub(crate) fn send(&mut self, book: &Book, events: u32) -> Send {
        self.sends += 1;
        let name = format!("{}.{}", self.producer, self.sends);
        if self.whole {
            return self.call(book, name, events);
        }
        if self.left == 0 {
            self.left = SENDS;
            let now = wall();
            self.open(now);
            self.start = Some(self.record("cdr.start/0", now, &cdr("start", now)));
        }
        self.left -= 1;
        let mut records = Vec::from_iter(self.start.clone());
        records.extend((0..events).map(|event| self.event(wall(), &name, event)));
        book.offered(&self.session, &name, events);
        Send { name, session: self.session.clone(), records }
    }

    /// A whole call of the last half hour; one event: its end alone, which tells all of it.
    fn call(&mut self, book: &Book, name: String, events: u32) -> Send {
        let began = Millis(wall().0 - 60_000 * u64::from(1 + self.sends % 30));
        let ended = Millis(began.0 + CALL_MS);
        self.open(began);
        let events = if events > 1 { events } else { 0 };
        let mut records = Vec::new();
        if events > 0 {
            records.push(self.record("cdr.start/0", began, &cdr("start", began)));
            records.extend((0..events).map(|event| self.event(began, &name, event)));
            let action = "\"label\":\"com.genesyslab.var.ActionStart\",\"text\":\"menu\"";
            let result = "\"verb\":\"call_result\",\"result\":\"SUCCESS\",\"reason\":\"told\"";
            for (id, fields) in [("var/0.1", action), ("var/0.2", result)] {
                records.push(self.record(id, began, &format!("\"kind\":\"var\",{fields}")));
            }
        }
        let end =
            format!("{},\"ended_at\":\"{ended}\",\"end_state\":\"USER_END\"", cdr("end", began));
        records.push(self.record("cdr.end/0", ended, &end));
        book.offered(&self.session, &name, events);
        Send { name, session: self.session.clone(), records }
    }

    /// A new session, whose GUID tells its time.
    fn open(&mut self, at: Millis) {
        let (ms, Self { number, sends, .. }) = (at.0, &*self);
        let (high, low) = (ms >> 16, ms & 0xffff);
        self.session = format!("{high:08X}-{low:04X}-7000-8000-{number:04X}{sends:08X}");
    }

    fn event(&self, at: Millis, send: &str, event: u32) -> (String, String) {
        let id = format!("ev/0.{}", self.sends * RECORDS + event);
        let text = format!("\"level\":\"INFO\",\"log_id\":\"sent\",\"text\":\"{send}/{event}\"");
        self.record(&id, at, &format!("\"kind\":\"call.event\",{text}"))
    }

    /// A send was acknowledged.
    pub(crate) fn acknowledged(&mut self, book: &Book, send: &Send) {
        book.acknowledged(&send.name);
        if send.session == self.session {
            self.start = None;
        }
    }

    fn record(&self, part: &str, at: Millis, fields: &str) -> (String, String) {
        let Self { producer, session, .. } = self;
        let id = format!("{producer}:{session}/{part}");
        let record = format!(
            "{{\"schema\":1,\"id\":\"{id}\",\"time\":\"{at}\",{fields},\
             \"producer\":{{\"name\":\"{producer}\"}},\
             \"component\":{{\"name\":\"{producer}\",\"type\":\"MCP\"}},\
             \"guid\":\"{session}\",\"session_id\":\"{session}\"}}"
        );
        (id, record)
    }
}

/// What a part of a call has besides the fields of all records.
fn cdr(phase: &str, began: Millis) -> String {
    format!(
        "\"kind\":\"cdr\",\"phase\":\"{phase}\",\"started_at\":\"{began}\",\
         \"call_type\":\"INBOUND\",\"local_uri\":\"sip:a\",\"remote_uri\":\"sip:b\""
    )
}
