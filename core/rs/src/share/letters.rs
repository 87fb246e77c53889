//! Dead letters of a share (rs.md §2.8): what it adds, what is known already, and what came of
//! those that were tried again.
//!
//! A letter has a key, so that it is one however often it comes: the loser of a conflict by the id
//! and its content, any other by the message, which is the same bytes whenever it is sent again.

use std::collections::{BTreeMap, BTreeSet};

use model::record::{ContentHash, NAME_CHARS, Record};

use super::changes::{Cause, DayKey, LetterRow, MinuteKey};
use super::item::{Good, Item, Origin};
use crate::erase::{Erased, body_without, gone};
use crate::key::{self, Key};
use crate::limits::LETTER_BYTES;

/// The property of a message that gives its record an id, and the JMS header that is next in rank.
const RECORD_ID: &str = "recordId";
const CORRELATION_ID: &str = "JMSCorrelationID";

/// What came of the retry of a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// `no`.
    pub no: i64,
    /// `retries`: with this one.
    pub retries: u32,
    /// Why it is refused again; `None`: its record is stored, and `state` is `retried`.
    pub refused: Option<Cause>,
    /// Who has tried it.
    pub by: Retrier,
}

/// Who has tried dead letters again: all letters of one frame together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Retrier {
    /// When, ms.
    pub at_ms: i64,
    /// The frame of the spool.
    pub seq: u64,
    /// The user; `None`: nobody was logged in.
    pub user: Option<String>,
    /// From where.
    pub peer: String,
}

/// The letters of a share.
#[derive(Clone, Debug, Default)]
pub(super) struct Letters {
    rows: Vec<LetterRow>,
    /// Ends that count with a letter, if it is a new one.
    ends: BTreeMap<usize, MinuteKey>,
    /// Those whose body is in a row that was stored before.
    bodies: BTreeMap<DayKey, usize>,
    asked: BTreeSet<Key>,
    known: BTreeSet<Key>,
    /// By letter, try, and frame.
    settled: BTreeMap<(i64, u32, u64), Settled>,
}

/// What is left of a share's letters.
#[derive(Debug)]
pub(super) struct Sorted {
    pub(super) rows: Vec<LetterRow>,
    pub(super) settled: Vec<Settled>,
    /// Letters that were there already, by their producers.
    pub(super) again: Vec<Option<String>>,
    /// Ends of new letters that are to be counted.
    pub(super) ends: Vec<MinuteKey>,
}

impl Letters {
    /// The record of an item is stored, as it came or before.
    pub(super) fn stored(&mut self, item: &Item<'_>) {
        self.settle(&item.origin, None);
    }

    /// An item that is no record, or that the database refuses.
    pub(super) fn refuse(&mut self, item: &Item<'_>, cause: Cause) {
        let key = message_key(&item.origin);
        self.bury(item, cause, key);
    }

    /// An item that loses its id to another content; `end`: counts with it.
    pub(super) fn lose(
        &mut self,
        item: &Item<'_>,
        cause: Cause,
        (id, hash): (&Key, &ContentHash),
        end: Option<MinuteKey>,
    ) {
        let row = self.rows.len();
        self.bury(item, cause, conflict_key(id, hash));
        self.ends.extend(end.filter(|_| self.rows.len() > row).map(|end| (row, end)));
    }

    /// What was stored loses its id to an item; `body`: what is left of it, `None` if that is to
    /// be read.
    pub(super) fn lost(
        &mut self,
        item: &Item<'_>,
        cause: Cause,
        (at, hash): (DayKey, &ContentHash),
        body: Option<Vec<u8>>,
    ) {
        let key = conflict_key(&at.1, hash);
        if body.is_none() {
            self.bodies.insert(at, self.rows.len());
        }
        self.rows.push(row(item, cause, key, Some(body.unwrap_or_default())));
    }

    /// Rows whose bodies are to be read.
    pub(super) fn bodies(&self) -> BTreeSet<DayKey> {
        self.bodies.keys().copied().collect()
    }

    pub(super) fn put_body(&mut self, at: DayKey, body: Vec<u8>) {
        let letter = self.bodies.get(&at).and_then(|letter| self.rows.get_mut(*letter));
        if let Some(letter) = letter {
            letter.body = body;
        }
    }

    /// Keys that were not asked for yet.
    pub(super) fn wants(&mut self) -> BTreeSet<Key> {
        let all: BTreeSet<Key> = self.rows.iter().map(|row| row.letter_key).collect();
        let wanted = &all - &self.asked;
        self.asked.extend(&wanted);
        wanted
    }

    /// Of those that were asked for.
    pub(super) fn found(&mut self, known: Vec<Key>) {
        self.known.extend(known);
    }

    /// Whether an item was refused, or has lost its id, by what was found of its [`keys`].
    pub(super) fn has(&self, item: &Item<'_>, good: &Good) -> bool {
        keys(item, good).iter().any(|key| self.known.contains(key))
    }

    pub(super) fn finish(self) -> Sorted {
        let Self { rows, mut ends, mut known, settled, .. } = self;
        let (mut new, mut again) = (Vec::new(), Vec::new());
        for (at, row) in rows.into_iter().enumerate() {
            if known.insert(row.letter_key) {
                new.push(row);
            } else {
                ends.remove(&at);
                again.push(row.producer);
            }
        }
        let (settled, ends) = (settled.into_values().collect(), ends.into_values().collect());
        Sorted { rows: new, settled, again, ends }
    }

    /// A retry keeps its own letter; any other gets one.
    fn bury(&mut self, item: &Item<'_>, cause: Cause, key: Key) {
        let cause = Cause { field: clean(&cause.field), text: clean(&cause.text), ..cause };
        if item.origin.letter.is_some() {
            self.settle(&item.origin, Some(cause));
        } else {
            self.rows.push(row(item, cause, key, None));
        }
    }

    fn settle(&mut self, origin: &Origin<'_>, refused: Option<Cause>) {
        if let Some(letter) = origin.letter {
            let by = Retrier {
                at_ms: origin.received_ms,
                seq: origin.seq,
                user: origin.user.map(clean),
                peer: origin.peer.to_string(),
            };
            let settled = Settled { no: letter.no, retries: letter.retries, refused, by };
            self.settled.insert((letter.no, letter.retries, origin.seq), settled);
        }
    }
}

/// The letter of a message. `body`: another than its own, of one that had been stored before. Of a
/// call that is erased whole, and of a text that is not stored, the message leaves none, and of its
/// properties the id.
fn row(item: &Item<'_>, cause: Cause, letter_key: Key, body: Option<Vec<u8>>) -> LetterRow {
    let origin = &item.origin;
    let unsaid = item.hushed || item.read.as_ref().is_ok_and(|good| good.unsaid);
    let most = match &item.read {
        _ if unsaid => 0,
        // what was taken as a record may be stored one day
        Ok(_) => usize::MAX,
        Err(_) => LETTER_BYTES,
    };
    let own = || origin.body.iter().take(most).copied().collect();
    let all = serde_json::to_string(&properties(origin)).unwrap_or_default();
    LetterRow {
        letter_key,
        seq: i64::try_from(origin.seq).unwrap_or(i64::MAX),
        received_ms: origin.received_ms,
        queue: clean(origin.queue),
        transport: origin.transport,
        user: origin.user.map(clean),
        peer: origin.peer.to_string(),
        message_id: origin.message_id.map(clean),
        properties: if unsaid { unsaid_properties(&all) } else { all },
        body: body.unwrap_or_else(own),
        code: cause.code,
        field: clean(&cause.field),
        text: clean(&cause.text),
        producer: match &item.read {
            Ok(good) => Some(good.producer().to_owned()),
            Err(_) => named(origin.body),
        },
    }
}

/// The producer that a body which is no record names, if it can be read so far.
fn named(body: &[u8]) -> Option<String> {
    let body = Record::json_of(body)?;
    let name = body.get("producer")?.get("name")?.as_str()?;
    Some(clean(name).chars().take(NAME_CHARS).collect::<String>()).filter(|name| !name.is_empty())
}

impl LetterRow {
    /// Nothing of it tells what is erased: of a call that is erased whole its id is left, of a
    /// number its other digits.
    pub(super) fn wipe(&mut self, erased: &Erased) {
        let (came, producer) = ((&*self.body, &*self.properties), self.producer.as_deref());
        if !self.body.is_empty() && erased.has_letter(came, producer, self.received_ms) {
            self.body = gone(&self.body);
            self.properties = unsaid_properties(&self.properties);
            self.text.clear();
        }
        let numbers = erased.numbers();
        if let Some(body) = body_without(&numbers, &self.body) {
            self.body = body;
        }
        for text in [&mut self.properties, &mut self.text, &mut self.field] {
            numbers.wipe(text);
        }
    }
}

/// Those of the message, and in front the id that its record takes if it has none and no property
/// tells it: a retry finds it there.
fn properties(origin: &Origin<'_>) -> Vec<(String, String)> {
    let own = origin.properties.iter().map(|(key, value)| (clean(key), clean(value)));
    let told = fallback_id(origin.properties);
    let id = origin.fallback_id.filter(|id| told != Some(*id));
    id.map(|id| (CORRELATION_ID.to_owned(), clean(id))).into_iter().chain(own).collect()
}

/// What is left of a letter's properties when its call is erased whole: the id of its record.
#[must_use]
pub fn unsaid_properties(properties: &str) -> String {
    let all: Vec<(String, String)> = serde_json::from_str(properties).unwrap_or_default();
    let id = fallback_id(&all).map(|id| (CORRELATION_ID, id));
    serde_json::to_string(id.as_slice()).unwrap_or_default()
}

/// The id among a letter's properties that a record without one takes.
#[must_use]
pub fn fallback_id(properties: &[(String, String)]) -> Option<&str> {
    let found = properties.iter().find(|(name, _)| name == RECORD_ID || name == CORRELATION_ID);
    found.map(|(_, value)| &**value)
}

/// By the message id and the body, where a client sends the message again with its id; else by the
/// body and the id that is told beside it: so a replay over HTTP is one, too.
fn message_key(origin: &Origin<'_>) -> Key {
    match origin.message_id.filter(|id| !id.is_empty()) {
        Some(id) => key::letter_key(&[b"message", id.as_bytes(), origin.body]),
        None => {
            let id = origin.fallback_id.unwrap_or_default();
            key::letter_key(&[b"body", origin.queue.as_bytes(), id.as_bytes(), origin.body])
        }
    }
}

/// The letters that an item has if it was refused or has lost its id.
pub(super) fn keys(item: &Item<'_>, good: &Good) -> [Key; 2] {
    [message_key(&item.origin), conflict_key(&good.fact.keys.id_key, &good.fact.content_hash)]
}

fn conflict_key(id: &Key, hash: &ContentHash) -> Key {
    key::letter_key(&[b"conflict", id, hash])
}

/// The content of a record is not the one that holds its id.
pub(super) fn conflict(good: &Good) -> Cause {
    let text = format!("{} is stored with another content", good.record.id);
    Cause { code: "id_conflict", field: "id".to_owned(), text }
}

/// The database refuses it.
pub(super) const fn rejected(text: String) -> Cause {
    Cause { code: "db_rejected", field: String::new(), text }
}

/// Without U+0000, which no text column of PostgreSQL takes.
fn clean(text: &str) -> String {
    text.replace('\0', "")
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use model::record::Refusal;

    use super::*;

    fn letter_of(id: Option<&str>, properties: &[(String, String)]) -> LetterRow {
        letter(id, properties, b"{}")
    }

    fn letter(id: Option<&str>, properties: &[(String, String)], body: &[u8]) -> LetterRow {
        let origin = Origin {
            seq: 1,
            letter: None,
            received_ms: 1,
            queue: "ringmaster.cdr",
            transport: "openwire",
            user: None,
            peer: SocketAddr::from(([127, 0, 0, 1], 5000)),
            message_id: None,
            fallback_id: id,
            properties,
            body,
        };
        let refusal = Refusal { code: "not_json", field: String::new(), text: String::new() };
        let item = Item { origin, read: Err(refusal), hushed: false };
        row(&item, rejected(String::new()), [0; 16], None)
    }

    /// So that whoever mends a producer finds all of its letters.
    #[test]
    fn a_letter_names_the_producer_that_a_refused_body_names() {
        let of = |body: &str| letter(None, &[], body.as_bytes()).producer;
        let named =
            |name: &str| format!(r#"{{"kind":"x","producer":{{"name":"{name}","seq":-1}}}}"#);
        assert_eq!(of(&named("mcp-1")).as_deref(), Some("mcp-1"));
        assert_eq!(of(&named(&"ü".repeat(200))), Some("ü".repeat(128)));
        for nobody in [&named(""), r#"{"producer":7}"#, r#"{"producer":{"name":["x"]}}"#, "torn {"]
        {
            assert_eq!(of(nobody), None, "{nobody}");
        }
    }

    /// A retry needs the id that the record had when it came (rs.md §2.1, §2.8).
    #[test]
    fn a_letter_keeps_the_id_that_its_record_takes() {
        let own = [("a".to_owned(), "b".to_owned()), ("recordId".to_owned(), "r-1".to_owned())];
        for (id, own, kept) in [
            (Some("r-1"), &own[..], 2),
            (Some("c-1"), &own[..1], 2),
            (Some("c-1"), &own[..], 3),
            (None, &own[..1], 1),
        ] {
            let letter = letter_of(id, own);
            let told: Vec<(String, String)> = serde_json::from_str(&letter.properties).unwrap();
            assert_eq!((fallback_id(&told), told.len()), (id, kept), "{told:?}");
            let again = letter_of(fallback_id(&told), &told);
            assert_eq!(again.properties, letter.properties, "the same after every retry");
            let left: Vec<(String, String)> =
                serde_json::from_str(&unsaid_properties(&letter.properties)).unwrap();
            assert_eq!((fallback_id(&left), left.len()), (id, usize::from(id.is_some())));
        }
    }
}
