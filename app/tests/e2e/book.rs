//! What producers have sent and what RS has acknowledged, and whether the report says the same:
//! every acknowledged record once, every send whole or absent.
//!
//! A send is a set of events that are stored together: one message, a transaction, or an HTTP
//! request. The text of each event is `SEND/NUMBER`; a producer groups its sends into sessions, so
//! that the events of each can be asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    session: String,
    /// Start of its call, until it was acknowledged.
    start: Option<(String, String)>,
    left: u32,
    sends: u32,
}

impl Pen {
    /// `number`: no other producer has it.
    pub(crate) fn new(producer: &str, number: u32) -> Self {
        let producer = producer.to_owned();
        Self { producer, number, session: String::new(), start: None, left: 0, sends: 0 }
    }

    /// The next send, of so many events, written into the book. The first ones of a session have
    /// the start of the call too, until one of them is acknowledged.
    pub(crate) fn send(&mut self, book: &Book, events: u32) -> Send {
        self.sends += 1;
        let name = format!("{}.{}", self.producer, self.sends);
        let mut records = Vec::new();
        if self.left == 0 {
            self.left = SENDS;
            let (ms, Self { number, sends, .. }) = (wall().0, &*self);
            let (high, low) = (ms >> 16, ms & 0xffff);
            self.session = format!("{high:08X}-{low:04X}-7000-8000-{number:04X}{sends:08X}");
            self.start = Some(self.record("cdr.start/0", &Self::start()));
        }
        self.left -= 1;
        records.extend(self.start.clone());
        for event in 0..events {
            let id = format!("ev/0.{}", self.sends * RECORDS + event);
            let text =
                format!("\"level\":\"INFO\",\"log_id\":\"kill\",\"text\":\"{name}/{event}\"");
            records.push(self.record(&id, &format!("\"kind\":\"call.event\",{text}")));
        }
        book.offered(&self.session, &name, events);
        Send { name, session: self.session.clone(), records }
    }

    /// A send was acknowledged.
    pub(crate) fn acknowledged(&mut self, book: &Book, send: &Send) {
        book.acknowledged(&send.name);
        if send.session == self.session {
            self.start = None;
        }
    }

    fn start() -> String {
        let at = wall();
        format!(
            "\"kind\":\"cdr\",\"phase\":\"start\",\"started_at\":\"{at}\",\
             \"call_type\":\"INBOUND\",\"local_uri\":\"sip:a\",\"remote_uri\":\"sip:b\""
        )
    }

    fn record(&self, part: &str, fields: &str) -> (String, String) {
        let Self { producer, session, .. } = self;
        let id = format!("{producer}:{session}/{part}");
        let at = wall();
        let record = format!(
            "{{\"schema\":1,\"id\":\"{id}\",\"time\":\"{at}\",{fields},\
             \"producer\":{{\"name\":\"{producer}\"}},\
             \"component\":{{\"name\":\"{producer}\",\"type\":\"MCP\"}},\
             \"guid\":\"{session}\",\"session_id\":\"{session}\"}}"
        );
        (id, record)
    }
}
