//! The books of a batch: what the producers' streams brought and announced, and their minutes
//! (rs.md §6). Of streams every arrival counts, also one that was stored before or loses its id; of
//! minutes what is stored.

use std::collections::{BTreeMap, BTreeSet};

use model::record::{Body, Integrity, Record, Stream};

use super::changes::{MinuteKey, MinuteRow, StreamKey, StreamRow};
use super::item::Good;
use super::{Cause, Share, marks};
use crate::integrity::follow;

#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    pub(super) streams: BTreeMap<StreamKey, StreamRow>,
    pub(super) minutes: BTreeMap<MinuteKey, MinuteRow>,
}

impl Books {
    /// An arrival; false: its stream has no sequence.
    pub(super) fn received(&mut self, good: &Good, received_ms: i64) -> bool {
        let told = integrity(&good.record).map(|books| announced(good, books)).unwrap_or_default();
        for (key, seq) in told {
            let row = self.streams.entry(key).or_default();
            row.announced_seq = row.announced_seq.max(seq);
        }
        let Some((key, seq)) = own(good) else { return false };
        let row = self.streams.entry(key).or_default();
        row.duplicates += u64::from(!row.received.insert(seq));
        row.max_seq = row.max_seq.max(seq);
        if row.first_ms == 0 || received_ms < row.first_ms {
            row.first_ms = received_ms;
        }
        row.last_ms = row.last_ms.max(received_ms);
        true
    }

    /// What is missing now, and since when; `at_ms`: when the newest record came.
    pub(super) fn follow_gaps(&mut self, at_ms: i64) {
        for row in self.streams.values_mut() {
            let missing = row.received.gaps(row.max_seq.max(row.announced_seq));
            row.gaps = follow(&row.gaps, &missing, at_ms);
        }
    }

    /// The books of a minute, as they are stored.
    pub(super) fn told(&mut self, good: &Good) {
        let Some(books) = integrity(&good.record) else { return };
        let minute_ms = i64::try_from(books.minute.0).unwrap_or(i64::MAX);
        let key = (good.producer().to_owned(), good.boot(), minute_ms);
        self.minutes.insert(key, MinuteRow::of(books));
    }
}

/// All streams that a record belongs to or tells of.
pub(super) fn streams(good: &Good) -> BTreeSet<StreamKey> {
    let told = integrity(&good.record).map(|books| announced(good, books)).unwrap_or_default();
    own(good).into_iter().chain(told).map(|(key, _)| key).collect()
}

fn own(good: &Good) -> Option<(StreamKey, u64)> {
    let producer = &good.record.producer;
    let stream = producer.stream.unwrap_or_else(|| good.record.kind().stream());
    Some((key(&producer.name, producer.boot?, stream), producer.seq?))
}

fn announced(good: &Good, books: &Integrity) -> Vec<(StreamKey, u64)> {
    let Some(boot) = good.record.producer.boot else { return Vec::new() };
    let last = &books.streams;
    let told = [
        (Stream::Cdr, last.cdr),
        (Stream::Event, last.event),
        (Stream::Or, last.or),
        (Stream::Sq, last.sq),
    ];
    let told = told.into_iter().filter_map(|(stream, seq)| Some((stream, seq?)));
    told.map(|(stream, seq)| (key(good.producer(), boot, stream), seq)).collect()
}

/// A boot beyond 2⁶³ is kept as its bits.
fn key(producer: &str, boot: u64, stream: Stream) -> StreamKey {
    (producer.to_owned(), boot.cast_signed(), stream.number())
}

impl Share<'_> {
    /// Enters an item into the books.
    pub(super) fn enter(&mut self, index: usize) {
        let Some(item) = self.batch.items().get(index) else { return };
        match &item.read {
            Ok(good) => {
                if let Some((guid, days)) = good.apart() {
                    let days = days.into_iter().map(|day| (guid.clone(), day));
                    self.changes.call_days.extend(days);
                    marks::apart(good, &mut self.changes.marks);
                }
                if !self.books.received(good, item.origin.received_ms) {
                    self.figure("unsequenced", good.producer());
                }
            }
            Err(refusal) => self.letters.refuse(item, Cause::of(refusal)),
        }
    }
}

impl MinuteRow {
    pub(super) fn of(books: &Integrity) -> Self {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        Self {
            calls_in: number(books.calls_in),
            records_out: number(books.records_out),
            adopted_in: number(books.adopted_in),
            handed_out: number(books.handed_out),
            rejected: number(books.rejected),
            in_progress: number(books.in_progress),
        }
    }
}

/// The books in a record of a producer's minute.
const fn integrity(record: &Record) -> Option<&Integrity> {
    match &record.body {
        Body::Integrity(books) => Some(books),
        _ => None,
    }
}
