//! Stage 13: a share of a batch becomes the rows that change, whatever database holds them.
//!
//! A share is what one transaction stores: with files by day the records of one day, or those that
//! hang on no call; on a server all of them. It is a machine that asks: [`Share::wants`] names the
//! rows to be read, [`Share::found`] gives them, until nothing is wanted; [`Share::finish`] gives
//! the rows to be written. Who reads and writes them decides nothing, so that the same records give
//! the same tables in any database, in any order and however they are split into batches.
//!
//! ```text
//! wants: ledger, calls, streams ─► found ─► wants: GUIDs and sessions of what is new ─► found
//!                               verdicts                                       limits, merge │
//!                               finish ◄─ wants: names ◄─ found ◄─ wants: GUIDs, sessions, ◄─┘
//!                                                                  replaced rows, again and again
//! ```
//! What of one session there may be, `room` says; what is read at once, `rest`.

mod again;
mod batch;
mod bisect;
mod books;
mod calls;
mod changes;
mod conflict;
mod first;
mod gates;
mod held;
mod item;
mod latest;
mod ledger;
mod lending;
mod letters;
mod marks;
mod moves;
mod objects;
mod reading;
mod rest;
mod room;
mod sessions;
mod take;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use self::books::Books;
use self::calls::{Calls, DayGuid};
use self::held::Held;
use self::ledger::Ledger;
use self::letters::{Letters, Sorted};
use self::moves::Moves;
use self::room::Room;
use self::sessions::Sessions;
use crate::erase::Numbers;
use crate::fact::{EventFact, Told};
use crate::key::Day;
use crate::limits::SHARE_BYTES;
use crate::merge::DecodeError;
use crate::rollup::{own_bin_ms, own_bins_of};
use crate::row::Named;
use crate::var::Rule;

pub use batch::Batch;
pub use bisect::{Attempt, bisect};
pub use changes::{
    CallLine, Cause, Changes, DayKey, EventRow, FailureLine, KeptRow, LedgerRow, LetterRow,
    MinuteKey, MinuteRow, QualityRow, SessionKey, SessionName, StreamKey, StreamRow, TenantLine,
};
pub use item::{Good, Item, LetterNo, Origin};
pub use latest::{Latest, OutboundRow, SnmpRow};
pub use letters::{Retrier, Settled, fallback_id, unsaid_properties};
pub use objects::{Learning, Mention, ObjectKind, ObjectRow, Objects, SYNTHETIC, news, platform};
pub use reading::{Found, StoredCall, Wants};
pub use tally::{Counts, Tally, flaws};

/// A share under way.
#[derive(Clone, Debug)]
pub struct Share<'b> {
    batch: &'b Batch<'b>,
    /// The one day that it writes; `None`: all.
    only: Option<Day>,
    /// Bytes that it may read, and what it has read.
    limit: usize,
    weight: usize,
    held: Held,
    /// Bytes of what it has and will find once more.
    again: usize,
    tasks: Vec<Task>,
    /// What the next share is told.
    rest: Vec<Task>,
    /// It may read all that it wants: it is told of what is done together, and nothing else.
    whole: bool,
    stage: Stage,
    ledger: Ledger,
    calls: Calls,
    room: Room,
    sessions: Sessions,
    asked: Asked,
    books: Books,
    events: BTreeMap<DayKey, usize>,
    kept: BTreeMap<DayKey, usize>,
    letters: Letters,
    changes: Changes,
}

/// What has been asked for, once.
#[derive(Clone, Debug, Default)]
struct Asked {
    guids: BTreeSet<DayGuid>,
    sessions: BTreeSet<SessionKey>,
    bodies: BTreeSet<DayKey>,
    gone: BTreeSet<DayKey>,
}

#[derive(Clone, Debug)]
enum Task {
    Store(usize),
    Book(usize),
    Reject(usize, String),
    Touch(usize),
    Erase(DayKey, Option<Numbers>),
    Lend(String),
    Revisit(SessionKey),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Begin,
    Count,
    Gather,
    Name,
}

impl<'b> Share<'b> {
    /// A share of this batch, empty. `only`: of the facts that lie by day it writes those of this
    /// day; what it wants of others is read all the same.
    #[must_use]
    pub fn new(batch: &'b Batch<'b>, only: Option<Day>) -> Self {
        Self::within(SHARE_BYTES, batch, only)
    }

    fn within(limit: usize, batch: &'b Batch<'b>, only: Option<Day>) -> Self {
        Self {
            batch,
            only,
            limit,
            weight: 0,
            held: Held::default(),
            again: 0,
            tasks: Vec::new(),
            rest: Vec::new(),
            whole: false,
            stage: Stage::Begin,
            ledger: Ledger::default(),
            calls: Calls::default(),
            room: Room::default(),
            sessions: Sessions::default(),
            asked: Asked::default(),
            books: Books::default(),
            events: BTreeMap::new(),
            kept: BTreeMap::new(),
            letters: Letters::default(),
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

    /// The file is past it: if its record was stored or refused, only what hangs on it is made
    /// again, else it comes with [`Changes::unseen`].
    pub fn touch(&mut self, item: usize) {
        self.tasks.push(Task::Touch(item));
    }

    /// To erase a call if it tells one of these numbers; without them whatever it tells.
    pub fn erase(&mut self, at: DayKey, numbers: Option<&Numbers>) {
        self.tasks.push(Task::Erase(at, numbers.cloned()));
    }

    /// What is to be read now; `None`: [`Share::finish`] has all it needs.
    pub fn wants(&mut self, objects: &Objects) -> Option<Wants> {
        let mut wants = self.next_wants(objects)?;
        wants.session_calls = self.with_calls(&wants.sessions);
        self.again = self.held.again(&wants, self.calls.known(), objects);
        let left = self.limit.saturating_sub(self.weight).saturating_add(self.again);
        wants.most = if self.whole { usize::MAX } else { left };
        Some(wants)
    }

    fn next_wants(&mut self, objects: &Objects) -> Option<Wants> {
        match self.stage {
            Stage::Begin => Some(self.first_wants()),
            Stage::Count => {
                let wants = self.room_wants(objects);
                if !wants.mentions.is_empty() {
                    return Some(Wants { mentions: wants.mentions, ..Wants::default() });
                }
                self.asked.guids.extend(wants.guids.iter().cloned());
                self.asked.sessions.extend(wants.sessions.iter().cloned());
                Some(wants)
            }
            Stage::Gather => self.gather(objects).or_else(|| {
                let changed = self.sessions.changed(self.calls.sessions(), objects);
                self.calls.lend(&changed, objects);
                self.stage = Stage::Name;
                self.next_wants(objects)
            }),
            Stage::Name => {
                let components = self.components();
                let unknown =
                    components.filter_map(|named| named.unknown(ObjectKind::Component, objects));
                let hanging = self.sessions.unknown(objects);
                let calls = self.calls.unknown(objects);
                let goods = self.kept.values().filter_map(|index| self.good(*index));
                let latest = goods.flat_map(|good| latest::unknown(good, objects));
                let all = unknown.chain(calls).chain(hanging).chain(latest);
                let mentions: BTreeSet<_> = all.collect();
                (!mentions.is_empty()).then(|| Wants { mentions, ..Wants::default() })
            }
        }
    }

    /// Sessions whose calls are to be read by their names: not those of a GUID that is asked for.
    fn with_calls(&self, sessions: &BTreeSet<SessionKey>) -> BTreeSet<SessionKey> {
        let by_guid = |(day, _, name): &&SessionKey| match name {
            SessionName::Guid(guid) => self.asked.guids.contains(&(*day, guid.clone())),
            SessionName::Id(_) => false,
        };
        sessions.iter().filter(|session| !by_guid(session)).cloned().collect()
    }

    /// What was found of what was wanted.
    ///
    /// # Errors
    /// A stored state that cannot be read; nothing is to be stored then.
    pub fn found(&mut self, mut found: Found, objects: &Objects) -> Result<(), DecodeError> {
        if found.is_cut() {
            self.halve();
            return Ok(());
        }
        self.weight = self.weight.saturating_add(found.weight.saturating_sub(self.again));
        self.held.put(&found.calls);
        match self.stage {
            Stage::Begin => {
                self.ledger.found(found.ledger);
                self.books.streams = found.streams.into_iter().collect();
                self.calls.found(found.calls);
                self.letters.found(found.letters);
                self.stage = Stage::Count;
            }
            Stage::Count => {
                self.found_room(found, objects);
                self.work(objects)?;
            }
            Stage::Gather => {
                for row in std::mem::take(&mut found.events) {
                    self.calls.lose_ports(self.sessions.lost_event(&row));
                    marks::event(row.day, &row.log_id, row.time_ms, &mut self.changes.marks);
                    self.letters.put_body((row.day, row.id_key), row.body());
                }
                for (at, row) in std::mem::take(&mut found.kept) {
                    marks::kept(at.0, own_bins_of(&row), &mut self.changes.marks);
                    self.letters.put_body(at, row.body.into_bytes());
                }
                for row in &found.quality {
                    self.lose_quality(row);
                }
                self.letters.found(std::mem::take(&mut found.letters));
                self.sessions.found(&mut found);
                for (guid, day) in std::mem::take(&mut found.call_days) {
                    self.calls.lending.know(guid, [day]);
                }
                self.calls.have_ports(found.ports);
                self.calls.found_more(found.calls);
            }
            Stage::Name => {}
        }
        Ok(())
    }

    /// Does what is to be done.
    fn work(&mut self, objects: &Objects) -> Result<(), DecodeError> {
        let tasks = std::mem::take(&mut self.tasks);
        for task in &tasks {
            match task {
                Task::Store(index) => self.take(*index, objects)?,
                Task::Book(index) => self.enter(*index),
                Task::Reject(index, text) => self.bury_rejected(*index, text.clone()),
                Task::Touch(index) => self.touched(*index),
                Task::Erase(at, numbers) => {
                    if let Some(row) = self.calls.erase(*at, numbers.as_ref()) {
                        self.sessions.erased(at.0, &row);
                    }
                }
                Task::Lend(guid) => self.calls.lending.change_elsewhere(guid.clone()),
                Task::Revisit(session) => {
                    self.calls.lose_ports([session.clone()]);
                    self.sessions.revisit(session.clone());
                }
            }
        }
        // told again if it reads too much
        self.tasks = tasks;
        self.stage = Stage::Gather;
        Ok(())
    }

    /// What hangs together with the calls that change, and was not asked for yet. Each answer may
    /// make more calls change; since nothing is asked for twice, it comes to an end.
    fn gather(&mut self, objects: &Objects) -> Option<Wants> {
        self.calls.make_rows();
        self.sessions.touch(self.calls.told());
        let mut mentions = self.sessions.components(self.calls.sessions(), objects);
        mentions.extend(self.calls.strangers(objects));
        if !mentions.is_empty() {
            return Some(Wants { mentions, ..Wants::default() });
        }
        self.calls.wake(&self.sessions.changing(objects), self.only, objects);
        let changed = self.sessions.changed(self.calls.sessions(), objects);
        let guids = self.calls.guids(&changed, self.only, objects);
        let apart = self.calls.apart(&changed, objects);
        let sessions = sessions::around(changed);
        let bodies = &self.letters.bodies() - &self.asked.bodies;
        let quality = &self.changes.gone - &self.asked.gone;
        let wants = Wants {
            guids: &guids - &self.asked.guids,
            call_days: apart.clone(),
            sessions: &sessions - &self.asked.sessions,
            events: bodies.clone(),
            kept: bodies,
            quality,
            letters: self.letters.wants(),
            ..Wants::default()
        };
        for guid in apart {
            let days = self.batch.apart(&guid);
            self.calls.lending.know(guid, days);
        }
        self.asked.guids.extend(wants.guids.iter().cloned());
        self.asked.sessions.extend(wants.sessions.iter().cloned());
        self.asked.bodies.extend(&wants.kept);
        self.asked.gone.extend(&wants.quality);
        (wants != Wants::default()).then_some(wants)
    }

    /// The rows to be written, and the share to be made after them, if this one could not read all
    /// that it was told of.
    #[must_use]
    pub fn finish(mut self, objects: &Objects) -> (Changes, Option<Self>) {
        let next = self.next();
        (self.changes(objects), next)
    }

    fn changes(self, objects: &Objects) -> Changes {
        let Self { batch, ledger, mut calls, sessions, mut books, events, kept, letters, .. } =
            self;
        let mut changes = self.changes;
        (changes.ledger, changes.replaced) = ledger.finish();
        let changed = sessions.changed(calls.sessions(), objects);
        changes.lent = self.only.map(|only| calls.lending.beside(only)).unwrap_or_default();
        let moves =
            if sessions.has_stored_quality() { Moves::of(&calls) } else { Moves::default() };
        let (rows, idle) = calls.rows();
        if let Some(only) = self.only {
            changes.beside = sessions.beside((&changed, only), &idle, objects);
        }
        let hanging = sessions.finish(rows, &idle, &moves, (&changed, self.only), objects);
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
        marks::calls(&calls, objects, &mut changes.marks);
        calls.count_doubled(&mut changes.figures);
        changes.ended = calls.ended_beside();
        changes.calls = calls.lines(hanging.var, objects);
        changes.events = events
            .into_iter()
            .filter_map(|(at, index)| {
                let event = event(good(index)?)?;
                Some(EventRow::of(at, event, id(&event.component)))
            })
            .collect();
        for good in kept.values().filter_map(|index| good(*index)) {
            changes.latest.take(good, id(&component(good)), objects);
        }
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
                    bin_ms: own_bin_ms(&good.record),
                    body: item.text().into_owned(),
                })
            })
            .collect();
        let newest = batch.items().iter().map(|item| item.origin.received_ms).max();
        books.follow_gaps(newest.unwrap_or_default());
        changes.streams = books.streams;
        changes.minutes = books.minutes;
        let Sorted { rows, settled, again, ends } = letters.finish();
        ends.into_iter().for_each(|end| changes.count_end(Some(end)));
        changes.counts.dead = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        changes.counts.duplicates += u64::try_from(again.len()).unwrap_or(u64::MAX);
        again.into_iter().for_each(|producer| changes.tally.duplicate(producer));
        for row in &rows {
            *changes.tally.dead.entry(row.code).or_default() += 1;
        }
        (changes.letters, changes.settled) = (rows, settled);
        changes.wipe(batch.erased());
        changes
    }

    /// The components of rows that are no calls.
    fn components(&self) -> impl Iterator<Item = Named> {
        let indexes = self.events.values().chain(self.kept.values());
        indexes.filter_map(|index| self.good(*index)).map(component)
    }

    fn good(&self, index: usize) -> Option<&'b Good> {
        self.batch.items().get(index)?.read.as_ref().ok()
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
