//! What producers have sent and what RS has acknowledged, and whether the database says the same:
//! every acknowledged record once, every send whole or absent, each call once.
//!
//! A send is a set of records that are stored together: one message, a transaction, or an HTTP
//! request. A producer writes whole calls (start, updates, events, outcome, end) and cuts them
//! into sends of any size. Each record has a mark of its own that the tables show: a field of its
//! own name in a `cdr`, the text of an event, label and GUID of an outcome.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::time::Millis;
use serde_json::Value;

use crate::platform::{eventually, wall};
use crate::stored::{Database, Found};
use crate::{http, report};

/// Most records of one call, so of one send.
pub(crate) const RECORDS: u32 = 20;

/// How long each call takes, ms.
pub(crate) const CALL_MS: u64 = 9_000;

/// One record, and where it is sent.
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) queue: &'static str,
    pub(crate) body: String,
    mark: String,
}

/// A send: its name and its records.
pub(crate) struct Send {
    pub(crate) name: String,
    pub(crate) records: Vec<Record>,
}

/// What all calls come to.
pub(crate) struct Calls {
    pub(crate) calls: usize,
    /// Those with the outcome of a dialogue.
    pub(crate) outcomes: usize,
    /// Records of all.
    pub(crate) records: usize,
}

/// Marks of the records of a send, and whether it was acknowledged.
type Entry = (Vec<String>, bool);

#[derive(Default)]
struct Pages {
    sends: BTreeMap<String, Entry>,
    acknowledged: u64,
}

/// The book of all producers.
#[derive(Default)]
pub(crate) struct Book(Mutex<Pages>);

impl Book {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A send leaves.
    fn offered(&self, send: &Send) {
        let marks = send.records.iter().map(|record| record.mark.clone()).collect();
        self.pages().sends.insert(send.name.clone(), (marks, false));
    }

    /// It was acknowledged.
    pub(crate) fn acknowledged(&self, send: &Send) {
        let mut pages = self.pages();
        pages.sends.get_mut(&send.name).unwrap().1 = true;
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
        let mut calls = Calls { calls: 0, outcomes: 0, records: 0 };
        for (send, (marks, acknowledged)) in &pages.sends {
            assert!(acknowledged, "{send}");
            let of = |part: &str| marks.iter().filter(|mark| mark.ends_with(part)).count();
            calls.calls += of(END);
            calls.outcomes += of(OUTCOME);
            calls.records += marks.len();
        }
        calls
    }

    /// Compares with the tables and the lists, when everything is applied. Gives how many records
    /// were acknowledged, and how many were not and are there all the same.
    pub(crate) fn check(&self, rs: SocketAddr, database: &Database) -> (usize, usize) {
        eventually("nothing unapplied", || http::metric(rs, "rsQueueSize"), |size| *size == 0.0);
        let pages = self.pages();
        let found = database.found();
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        found.marks.iter().for_each(|mark| *counts.entry(mark).or_default() += 1);
        let (mut wrong, mut told, mut unasked) = (Vec::new(), 0, 0);
        for (send, (marks, acknowledged)) in &pages.sends {
            let of = |mark: &String| counts.remove(&**mark).unwrap_or(0);
            let counts: Vec<u32> = marks.iter().map(of).collect();
            let whole = counts.iter().all(|count| *count == 1);
            let absent = counts.iter().all(|count| *count == 0);
            *(if *acknowledged { &mut told } else { &mut unasked }) +=
                usize::from(whole) * marks.len();
            if !whole && (*acknowledged || !absent) {
                wrong.push(format!("{send}: acknowledged {acknowledged}, {marks:?} {counts:?}"));
            }
        }
        assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), pages.sends.len());
        assert!(counts.is_empty(), "nobody has sent {counts:?}");
        calls_are_whole(&found);
        listed(rs, &found);
        (told, unasked)
    }
}

/// Each call of which anything was told stands once, with the end, the time and the outcome that
/// its records say, and with none that they do not.
fn calls_are_whole(found: &Found) {
    let guids = |part: &str| -> BTreeSet<&str> {
        found.marks.iter().filter_map(|mark| mark.strip_suffix(part)).collect()
    };
    let ended = guids(END);
    let mut seen = BTreeSet::new();
    for row in &found.calls {
        assert!(seen.insert(&*row.guid), "twice: {row:?}");
        let time = ended.contains(&*row.guid).then_some(CALL_MS);
        assert_eq!(row.duration_ms, time, "{row:?}");
    }
    let cdrs = found.marks.iter().filter_map(|mark| mark.split_once("/cdr.")).map(|(guid, _)| guid);
    assert_eq!(seen, cdrs.collect(), "calls, and those of which a `cdr` is there");
    let told = guids(OUTCOME).into_iter().filter(|guid| seen.contains(guid)).collect();
    let outcomes: BTreeSet<&str> = found.outcomes.iter().map(|guid| &**guid).collect();
    assert_eq!((found.outcomes.len(), &outcomes), (outcomes.len(), &told));
}

/// The lists of calls have the same ones, each once.
fn listed(rs: SocketAddr, found: &Found) {
    let text = |leg: &Value, key: &str| leg[key].as_str().unwrap().to_owned();
    for (state, ends) in [("completed", true), ("live", false)] {
        let rows = found.calls.iter().filter(|row| row.duration_ms.is_some() == ends);
        let own: BTreeSet<String> = rows.map(|row| row.guid.clone()).collect();
        let legs = report::legs(rs, &format!("&state={state}"));
        let legs = legs.iter().filter(|leg| text(leg, "local_uri") == LOCAL);
        let mut shown: Vec<String> = legs.map(|leg| text(leg, "guid")).collect();
        shown.sort_unstable();
        assert!(shown.iter().eq(&own), "{state}: {} listed of {}", shown.len(), own.len());
    }
}

/// The last part of every call; of those that have an outcome, the part that tells it.
const END: &str = "/cdr.end/0";
const OUTCOME: &str = "/var/0.2";

/// Where all of them are taken, and none of RM's.
const LOCAL: &str = "sip:sent";

/// Writes the calls of one producer.
pub(crate) struct Pen {
    producer: String,
    number: u32,
    /// A send may go to both queues.
    mixed: bool,
    calls: u32,
    sends: u32,
    session: String,
    /// What of the call under way was not sent yet.
    rest: VecDeque<Record>,
}

impl Pen {
    /// `number`: no other producer has it.
    pub(crate) fn new(producer: &str, number: u32, mixed: bool) -> Self {
        let (producer, session, rest) = (producer.to_owned(), String::new(), VecDeque::new());
        Self { producer, number, mixed, calls: 0, sends: 0, session, rest }
    }

    /// A call is not told to its end.
    pub(crate) fn within(&self) -> bool {
        !self.rest.is_empty()
    }

    /// The next send, of at most so many records, written into the book.
    pub(crate) fn send(&mut self, book: &Book, most: u32) -> Send {
        if self.rest.is_empty() {
            self.call();
        }
        self.sends += 1;
        let queue = self.rest[0].queue;
        let fits = self.rest.iter().take_while(|record| self.mixed || record.queue == queue);
        let count = fits.take(usize::try_from(most).unwrap()).count();
        let name = format!("{}.{}", self.producer, self.sends);
        let send = Send { name, records: self.rest.drain(..count).collect() };
        book.offered(&send);
        send
    }

    /// A call of the last half hour; each fifth is its end alone, which tells all of it.
    fn call(&mut self) {
        self.calls += 1;
        let began = Millis(wall().0 - 60_000 * u64::from(1 + self.calls % 30));
        let ended = Millis(began.0 + CALL_MS);
        self.open(began);
        if !self.calls.is_multiple_of(5) {
            self.cdr("start", "cdr.start/0", began, began, "");
            for update in 1..=self.calls % 4 {
                self.cdr("update", &format!("cdr.update/0.{update}"), began, began, "");
            }
            for event in 0..=self.calls * 7 % 11 {
                let part = format!("ev/0.{event}");
                let text = format!("{}/{part}", self.session);
                let fields = format!("\"level\":\"INFO\",\"log_id\":\"sent\",\"text\":\"{text}\"");
                self.event("call.event", &part, began, &fields);
            }
            let action = "\"label\":\"com.genesyslab.var.ActionStart\",\"text\":\"menu\"";
            let result = "\"verb\":\"call_result\",\"result\":\"SUCCESS\",\"reason\":\"told\"";
            self.event("var", "var/0.1", began, action);
            self.event("var", "var/0.2", began, result);
        }
        let end = format!(",\"ended_at\":\"{ended}\",\"end_state\":\"USER_END\"");
        self.cdr("end", "cdr.end/0", ended, began, &end);
        assert!(self.rest.len() <= usize::try_from(RECORDS).unwrap());
    }

    /// A new session, whose GUID tells its time.
    fn open(&mut self, at: Millis) {
        let (ms, Self { number, calls, .. }) = (at.0, &*self);
        let (high, low) = (ms >> 16, ms & 0xffff);
        self.session = format!("{high:08X}-{low:04X}-7000-8000-{number:04X}{calls:08X}");
    }

    /// A part of a call, with a field of a name that only this part has.
    fn cdr(&mut self, phase: &str, part: &str, at: Millis, began: Millis, more: &str) {
        let fields = format!(
            "\"phase\":\"{phase}\",\"started_at\":\"{began}\",\"call_type\":\"INBOUND\",\
             \"local_uri\":\"{LOCAL}\",\"remote_uri\":\"sip:b\",\
             \"sent_{part}\":\"{}/{part}\"{more}",
            self.session
        );
        self.record(("cdr", "ringmaster.cdr"), part, at, &fields);
    }

    fn event(&mut self, kind: &'static str, part: &str, at: Millis, fields: &str) {
        self.record((kind, "ringmaster.event"), part, at, fields);
    }

    fn record(
        &mut self,
        (kind, queue): (&'static str, &'static str),
        part: &str,
        at: Millis,
        fields: &str,
    ) {
        let Self { producer, session, .. } = self;
        let (id, mark) = (format!("{producer}:{session}/{part}"), format!("{session}/{part}"));
        let body = format!(
            "{{\"schema\":1,\"kind\":\"{kind}\",\"id\":\"{id}\",\"time\":\"{at}\",{fields},\
             \"producer\":{{\"name\":\"{producer}\"}},\
             \"component\":{{\"name\":\"{producer}\",\"type\":\"MCP\"}},\
             \"guid\":\"{session}\",\"session_id\":\"{session}\"}}"
        );
        self.rest.push_back(Record { id, kind, queue, body, mark });
    }
}
