//! Stage 13: a share of a batch becomes the rows that change, whatever database holds them.
//!
//! A share is what one transaction stores: with files by day the records of one day, or those that
//! hang on no call; on a server all of them. It is a machine that asks: [`Share::wants`] names the
//! rows to be read, [`Share::found`] gives them, until nothing is wanted; [`Share::finish`] gives
//! the rows to be written. Who reads and writes them decides nothing, so that the same records give
//! the same tables in any database, in any order and however they are split into batches.
//!
//! ```text
//! wants: ledger, calls, streams ─► found ─► wants: GUIDs, sessions, ─► found ─► wants: names
//!                               verdicts, merge   replaced rows, again and again    └► finish
//! ```

mod batch;
mod bisect;
mod books;
mod calls;
mod changes;
mod gates;
mod item;
mod objects;
mod sessions;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use model::record::ContentHash;

use self::books::Books;
use self::calls::{Calls, DayGuid};
use self::changes::Cause;
use self::sessions::Sessions;
use crate::fact::{EventFact, Told};
use crate::merge::DecodeError;
use crate::quality::QualityFact;
use crate::row::Named;
use crate::var::Rule;

pub use batch::Batch;
pub use bisect::{Attempt, bisect};
pub use changes::{
    CallLine, Changes, Counts, DayKey, EventRow, FailureLine, Found, KeptRow, LedgerRow, LetterRow,
    MinuteKey, MinuteRow, QualityRow, SessionKey, SessionName, StoredCall, StreamKey, StreamRow,
    TenantLine, Wants,
};
pub use item::{Good, Item, Origin};
pub use objects::{Learning, Mention, ObjectKind, ObjectRow, Objects, SYNTHETIC};

/// A share under way.
#[derive(Clone, Debug)]
pub struct Share<'b> {
    batch: &'b Batch<'b>,
    tasks: Vec<Task>,
    stage: Stage,
    /// Content hashes as they were stored before.
    ledger: BTreeMap<DayKey, ContentHash>,
    /// The items of this share that hold their id.
    holders: BTreeMap<DayKey, usize>,
    calls: Calls,
    sessions: Sessions,
    asked: Asked,
    books: Books,
    events: BTreeMap<DayKey, usize>,
    kept: BTreeMap<DayKey, usize>,
    /// Letters whose body is in a row that was stored before.
    bodies: BTreeMap<DayKey, usize>,
    changes: Changes,
}

/// What has been asked for, once.
#[derive(Clone, Debug, Default)]
struct Asked {
    guids: BTreeSet<DayGuid>,
    sessions: BTreeSet<SessionKey>,
    bodies: BTreeSet<DayKey>,
}

#[derive(Clone, Debug)]
enum Task {
    Store(usize),
    Book(usize),
    Reject(usize, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Begin,
    Gather,
    Name,
}

/// What the ledger says to a record (rs.md §2.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Never seen.
    New,
    /// Stored, the same content.
    Duplicate,
    /// Stored with another content of greater hash: the newcomer takes its place.
    Replaces,
    /// Stored with another content of smaller hash: the newcomer loses.
    Loses,
}

impl<'b> Share<'b> {
    /// A share of this batch, empty.
    #[must_use]
    pub fn new(batch: &'b Batch<'b>) -> Self {
        Self {
            batch,
            tasks: Vec::new(),
            stage: Stage::Begin,
            ledger: BTreeMap::new(),
            holders: BTreeMap::new(),
            calls: Calls::default(),
            sessions: Sessions::default(),
            asked: Asked::default(),
            books: Books::default(),
            events: BTreeMap::new(),
            kept: BTreeMap::new(),
            bodies: BTreeMap::new(),
            changes: Changes::default(),
        }
    }

    /// To store the record of an item. Items are taken in the batch's order.
    pub fn store(&mut self, item: usize) {
        self.tasks.push(Task::Store(item));
    }

    /// To enter an item into the books of its producer, or into the dead letters if it is none.
    pub fn book(&mut self, item: usize) {
        self.tasks.push(Task::Book(item));
    }

    /// Instead of storing it: the database has refused it, and said why.
    pub fn reject(&mut self, item: usize, text: String) {
        self.tasks.push(Task::Reject(item, text));
    }

    /// What is to be read now; `None`: [`Share::finish`] has all it needs.
    pub fn wants(&mut self, objects: &Objects) -> Option<Wants> {
        match self.stage {
            Stage::Begin => Some(self.first_wants()),
            Stage::Gather => self.gather(objects).or_else(|| {
                self.calls.lend();
                self.stage = Stage::Name;
                self.wants(objects)
            }),
            Stage::Name => {
                let components = self.components();
                let unknown =
                    components.filter_map(|named| named.unknown(ObjectKind::Component, objects));
                let hanging = self.sessions.unknown(objects);
                let calls = self.calls.unknown(objects);
                let mentions: BTreeSet<_> = unknown.chain(calls).chain(hanging).collect();
                (!mentions.is_empty()).then(|| Wants { mentions, ..Wants::default() })
            }
        }
    }

    /// What was found of what was wanted.
    ///
    /// # Errors
    /// A stored state that cannot be read; nothing is to be stored then.
    pub fn found(&mut self, mut found: Found, objects: &Objects) -> Result<(), DecodeError> {
        match self.stage {
            Stage::Begin => {
                self.ledger = found.ledger.into_iter().collect();
                self.books.streams = found.streams.into_iter().collect();
                self.calls.found(found.calls);
                for task in std::mem::take(&mut self.tasks) {
                    match task {
                        Task::Store(index) => self.take(index)?,
                        Task::Book(index) => self.enter(index),
                        Task::Reject(index, text) => self.bury_rejected(index, text),
                    }
                }
                self.stage = Stage::Gather;
            }
            Stage::Gather => {
                for row in std::mem::take(&mut found.events) {
                    self.put_body((row.day, row.id_key), row.body());
                }
                for (at, body) in std::mem::take(&mut found.kept) {
                    self.put_body(at, body.into_bytes());
                }
                for row in &found.quality {
                    let fact = QualityFact::decode(&row.fact);
                    let body = fact.and_then(|fact| serde_json::to_vec(&fact).ok());
                    self.put_body((row.day, row.id_key), body.unwrap_or_default());
                }
                self.sessions.found(&mut found);
                self.calls.found_more(found.calls, &self.asked.sessions, objects)?;
            }
            Stage::Name => {}
        }
        Ok(())
    }

    /// What hangs together with the calls that change, and was not asked for yet. Each answer may
    /// make more calls change; since nothing is asked for twice, it comes to an end.
    fn gather(&mut self, objects: &Objects) -> Option<Wants> {
        let guids = self.calls.guids();
        let mentions = self.sessions.components(self.calls.sessions(), objects);
        if !mentions.is_empty() {
            return Some(Wants { mentions, ..Wants::default() });
        }
        let sessions = self.sessions.wants(self.calls.sessions(), objects);
        let bodies: BTreeSet<DayKey> = self.bodies.keys().copied().collect();
        let bodies = &bodies - &self.asked.bodies;
        let wants = Wants {
            guids: &guids - &self.asked.guids,
            sessions: &sessions - &self.asked.sessions,
            events: bodies.clone(),
            kept: bodies,
            ..Wants::default()
        };
        self.asked.guids.extend(wants.guids.iter().cloned());
        self.asked.sessions.extend(wants.sessions.iter().cloned());
        self.asked.bodies.extend(&wants.kept);
        (wants != Wants::default()).then_some(wants)
    }

    /// The rows to be written.
    #[must_use]
    pub fn finish(self, objects: &Objects) -> Changes {
        let Self { batch, mut calls, sessions, mut books, events, kept, mut changes, .. } = self;
        let touched = sessions.wants(calls.sessions(), objects);
        let hanging = sessions.finish(&touched, calls.rows(), objects);
        for (count, rule) in changes.counts.ignored.iter_mut().zip(Rule::ALL) {
            *count = hanging.ignored.get(&rule).copied().unwrap_or_default();
        }
        changes.failures = hanging.failures;
        changes.quality = sessions.rows(objects);
        let good = |index: usize| batch.items().get(index).and_then(|item| item.read.as_ref().ok());
        let id = |named: &Named| {
            let id = objects.id(ObjectKind::Component, named.dbid, named.name.as_deref());
            id.unwrap_or(0)
        };
        changes.calls = calls.lines(hanging.var, objects);
        changes.events = events
            .into_iter()
            .filter_map(|(at, index)| {
                let event = event(good(index)?)?;
                Some(EventRow::of(at, event, id(&event.component)))
            })
            .collect();
        changes.kept = kept
            .into_iter()
            .filter_map(|((day, id_key), index)| {
                let (item, good) = (batch.items().get(index)?, good(index)?);
                Some(KeptRow {
                    day,
                    id_key,
                    kind: good.record.kind().number(),
                    id: good.record.id.clone(),
                    component_id: id(&component(good)),
                    time_ms: i64::try_from(good.record.time.0).unwrap_or(i64::MAX),
                    received_ms: item.origin.received_ms,
                    body: item.text().to_owned(),
                })
            })
            .collect();
        let newest = batch.items().iter().map(|item| item.origin.received_ms).max();
        books.follow_gaps(newest.unwrap_or_default());
        changes.streams = books.streams;
        changes.minutes = books.minutes;
        changes
    }

    fn first_wants(&self) -> Wants {
        let mut wants = Wants::default();
        for task in &self.tasks {
            let (Task::Store(index) | Task::Book(index) | Task::Reject(index, _)) = task;
            let Some((item, day)) = self.batch.items().get(*index).zip(self.batch.day(*index))
            else {
                continue;
            };
            let Ok(good) = &item.read else { continue };
            match task {
                // what is refused has no rows
                Task::Store(_) if good.refused.is_some() => {}
                Task::Store(_) => {
                    let keys = &good.fact.keys;
                    wants.ledger.insert((day, keys.id_key));
                    wants.calls.extend(keys.call_key.map(|key| (day, key)));
                    if !good.is_of_a_call() {
                        wants.streams.extend(books::streams(good));
                    }
                }
                Task::Book(_) => wants.streams.extend(books::streams(good)),
                Task::Reject(..) => {}
            }
        }
        wants
    }

    /// Stores one record.
    fn take(&mut self, index: usize) -> Result<(), DecodeError> {
        let Some((item, day)) = self.batch.items().get(index).zip(self.batch.day(index)) else {
            return Ok(());
        };
        let Ok(good) = &item.read else { return Ok(()) };
        if let Some(refusal) = &good.refused {
            self.figure(refusal.code, good.producer());
            self.bury(index, Cause::of(refusal), None);
            return Ok(());
        }
        let at = (day, good.fact.keys.id_key);
        let call = good.fact.keys.call_key.map(|key| (day, key));
        let verdict = self.judge(at, &good.fact.content_hash);
        match verdict {
            Verdict::New => {
                self.changes.counts.stored += 1;
                self.figure("stored", good.producer());
                if good.misrouted {
                    self.figure("misrouted", good.producer());
                }
                if let Some(minute) = good.end_minute() {
                    let minute = (good.producer().to_owned(), good.boot(), minute);
                    *self.changes.stored_minutes.entry(minute).or_default() += 1;
                }
            }
            Verdict::Duplicate => {
                self.changes.counts.duplicates += 1;
                self.figure("duplicate", good.producer());
                return Ok(());
            }
            Verdict::Loses => {
                self.lose(index, good, None);
                return Ok(());
            }
            Verdict::Replaces => self.replace(at, call, index, good)?,
        }
        self.hold(at, index, good, item.origin.received_ms);
        match (&good.fact.told, call) {
            (Told::Call(fact), Some(call)) => {
                self.calls.tell(call, fact, item.origin.received_ms)?;
                self.sessions.told_quality(at, &good.record);
            }
            (Told::Event(event), _) => {
                self.sessions.told_event(at, event);
                self.events.insert(at, index);
            }
            (Told::Quality, _) => self.sessions.told_quality(at, &good.record),
            (Told::Call(_) | Told::Later, _) => {
                self.books.told(good);
                self.kept.insert(at, index);
            }
        }
        Ok(())
    }

    fn judge(&self, at: DayKey, hash: &ContentHash) -> Verdict {
        let here = self.holders.get(&at).and_then(|index| self.batch.items().get(*index));
        let here = here.and_then(|item| item.read.as_ref().ok());
        match here.map(|good| &good.fact.content_hash).or_else(|| self.ledger.get(&at)) {
            None => Verdict::New,
            Some(stored) if stored == hash => Verdict::Duplicate,
            Some(stored) if stored < hash => Verdict::Loses,
            Some(_) => Verdict::Replaces,
        }
    }

    /// The newcomer holds the id now.
    fn hold(&mut self, at: DayKey, index: usize, good: &Good, received_ms: i64) {
        let (day, id_key) = at;
        let row = LedgerRow { day, id_key, content_hash: good.fact.content_hash, received_ms };
        let before = self.holders.insert(at, index);
        let rows = match self.ledger.contains_key(&at) {
            true => &mut self.changes.replaced,
            false => &mut self.changes.ledger,
        };
        if before.is_some() {
            rows.retain(|row| (row.day, row.id_key) != at);
        }
        rows.push(row);
    }

    /// What was stored under the id goes to the dead letters, and nothing of it stays.
    fn replace(
        &mut self,
        at: DayKey,
        call: Option<DayKey>,
        index: usize,
        good: &Good,
    ) -> Result<(), DecodeError> {
        self.sessions.forget(at);
        if let Some(loser) = self.holders.get(&at).copied() {
            self.events.remove(&at);
            self.kept.remove(&at);
            self.lose(loser, good, None);
            return Ok(());
        }
        let body = match (&good.fact.told, call) {
            (Told::Call(_), Some(call)) => {
                self.changes.gone.insert(at);
                self.calls.body(call, &good.record.id)?
            }
            _ => {
                self.changes.gone.insert(at);
                self.bodies.insert(at, self.changes.letters.len());
                Vec::new()
            }
        };
        self.lose(index, good, Some(body));
        Ok(())
    }

    /// The loser of an id conflict becomes a dead letter.
    fn lose(&mut self, index: usize, good: &Good, body: Option<Vec<u8>>) {
        self.figure("id_conflict", good.producer());
        let text = format!("{} is stored with another content", good.record.id);
        self.bury(index, Cause { code: "id_conflict", field: "id".to_owned(), text }, body);
    }

    fn bury_rejected(&mut self, index: usize, text: String) {
        let good = self.batch.items().get(index).and_then(|item| item.read.as_ref().ok());
        if let Some(good) = good {
            self.figure("db_rejected", good.producer());
        }
        self.bury(index, Cause { code: "db_rejected", field: String::new(), text }, None);
    }

    fn bury(&mut self, index: usize, cause: Cause, body: Option<Vec<u8>>) {
        if let Some(item) = self.batch.items().get(index) {
            self.changes.counts.dead += 1;
            self.changes.letters.push(LetterRow::of(item, cause, body));
        }
    }

    fn put_body(&mut self, at: DayKey, body: Vec<u8>) {
        let letter = self.bodies.get(&at).and_then(|letter| self.changes.letters.get_mut(*letter));
        if let Some(letter) = letter {
            letter.body = body;
        }
    }

    /// Enters an item into the books.
    fn enter(&mut self, index: usize) {
        let Some(item) = self.batch.items().get(index) else { return };
        match &item.read {
            Ok(good) => {
                let guid = good.timeless_guid();
                self.changes.call_days.extend(guid.zip(self.batch.day(index)));
                if !self.books.received(good, item.origin.received_ms) {
                    self.figure("unsequenced", good.producer());
                }
            }
            Err(refusal) => self.bury(index, Cause::of(refusal), None),
        }
    }

    fn figure(&mut self, name: &'static str, producer: &str) {
        *self.changes.figures.entry((name, producer.to_owned())).or_default() += 1;
    }

    /// The components of rows that are no calls.
    fn components(&self) -> impl Iterator<Item = Named> {
        let indexes = self.events.values().chain(self.kept.values());
        let goods = indexes.filter_map(|index| self.batch.items().get(*index)?.read.as_ref().ok());
        goods.map(component)
    }
}

fn event(good: &Good) -> Option<&EventFact> {
    match &good.fact.told {
        Told::Event(event) => Some(event),
        Told::Call(_) | Told::Quality | Told::Later => None,
    }
}

fn component(good: &Good) -> Named {
    let component = &good.record.component;
    Named { dbid: component.dbid, name: Some(component.name.clone()) }
}
