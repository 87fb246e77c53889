//! The main file's share of a batch, its last transaction: records that hang on no call, dead
//! letters, the producers' streams and books, what the day files changed (spec rs.md §3.3).

use std::collections::BTreeMap;

use model::record::{Body, Integrity, Stream};
use rs::{Key, Told};
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::fact::{Outcome, keep};
use super::ledger::{self, Verdict};
use super::letter::{self, Cause};
use super::prepare::{Good, Item, Prepared};
use super::row::IdOf;
use crate::store::{Day, Intervals, StoreError};

/// What day files have committed and the main file does not know yet.
#[derive(Default)]
pub(super) struct News {
    /// Calls that changed: their day, and whether they are live.
    pub(super) calls: BTreeMap<Key, (Day, bool)>,
    /// Start of the first and the last call of a day, among those that changed.
    pub(super) spans: BTreeMap<Day, (i64, i64)>,
}

impl News {
    pub(super) fn add(&mut self, day: Day, outcome: &Outcome) {
        for (key, row) in &outcome.rows {
            self.calls.insert(*key, (day, row.is_live()));
            let span = self.spans.entry(day).or_insert((row.started_ms, row.started_ms));
            *span = (span.0.min(row.started_ms), span.1.max(row.started_ms));
        }
    }

    /// Writes the list of live keys and the days' spans.
    pub(super) fn write(&self, db: &Transaction<'_>) -> Result<(), StoreError> {
        for (key, (day, live)) in &self.calls {
            if *live {
                let insert = "INSERT OR REPLACE INTO rs_live_key VALUES (?1, ?2)";
                db.prepare_cached(insert)?.execute(params![key, day])?;
            } else {
                db.prepare_cached("DELETE FROM rs_live_key WHERE call_key = ?1")?.execute([key])?;
            }
        }
        for (day, (first, last)) in &self.spans {
            db.prepare_cached(
                "INSERT INTO rs_day_span VALUES (?1, ?2, ?3) ON CONFLICT (day) DO UPDATE SET
                   first_ms = min(first_ms, ?2), last_ms = max(last_ms, ?3)",
            )?
            .execute(params![day, first, last])?;
        }
        Ok(())
    }
}

/// Books every item above the main file's number, and stores those that belong here.
pub(super) fn share(
    db: &Transaction<'_>,
    prepared: &Prepared<'_>,
    applied: u64,
    days: &BTreeMap<usize, Day>,
    id_of: &mut IdOf<'_>,
) -> Result<Outcome, StoreError> {
    let mut outcome = Outcome::default();
    let mut streams = Streams::default();
    for (index, item) in prepared.items.iter().enumerate() {
        if item.seq <= applied {
            continue;
        }
        match &item.read {
            Ok(good) => {
                streams.received(db, item, good)?;
                if let (Some(guid), Some(day)) = (good.timeless_guid(), days.get(&index)) {
                    db.prepare_cached("INSERT OR IGNORE INTO rs_call_day VALUES (?1, ?2)")?
                        .execute(params![guid, day])?;
                }
            }
            Err(refusal) => {
                outcome.dead += 1;
                let (code, field, text) = (refusal.code, &*refusal.field, &*refusal.text);
                letter::write(db, None, item, &Cause { code, field, text }, None)?;
            }
        }
    }
    for index in &prepared.main {
        let item = &prepared.items[*index];
        if let Ok(good) = item.read.as_ref()
            && item.seq > applied
        {
            store(db, item, good, &mut streams, &mut outcome, id_of)?;
        }
    }
    streams.write(db)?;
    Ok(outcome)
}

/// A record that hangs on no call.
fn store(
    db: &Transaction<'_>,
    item: &Item<'_>,
    good: &Good,
    streams: &mut Streams,
    outcome: &mut Outcome,
    id_of: &mut IdOf<'_>,
) -> Result<(), StoreError> {
    let (keys, producer) = (&good.fact.keys, good.producer());
    let hash = &good.fact.content_hash;
    match ledger::enter(db, &keys.id_key, hash, item.received_ms())? {
        Verdict::Duplicate => {
            outcome.duplicates += 1;
            return letter::figure(db, "duplicate", producer);
        }
        Verdict::New => {
            outcome.stored += 1;
            letter::figure(db, "stored", producer)?;
            if good.misrouted {
                letter::figure(db, "misrouted", producer)?;
            }
        }
        verdict @ (Verdict::Loses | Verdict::Replaces) => {
            outcome.dead += 1;
            letter::figure(db, "id_conflict", producer)?;
            let text = format!("{} is stored with another content", good.record.id);
            let cause = Cause { code: "id_conflict", field: "id", text: &text };
            let kept = "SELECT body FROM rs_kept_record WHERE id_key = ?1";
            let body: Option<String> =
                db.query_row(kept, [keys.id_key], |row| row.get(0)).optional()?;
            let body = body.filter(|_| verdict == Verdict::Replaces);
            letter::write(db, None, item, &cause, body.as_deref().map(str::as_bytes))?;
            if verdict == Verdict::Loses {
                return Ok(());
            }
        }
    }
    if let Body::Integrity(books) = &good.record.body {
        streams.announced(db, good, books)?;
        minute(db, producer, books)?;
    }
    debug_assert!(matches!(good.fact.told, Told::Later), "calls and events are stored by day");
    keep(db, item, good, id_of)
}

fn minute(db: &Transaction<'_>, producer: &str, books: &Integrity) -> Result<(), StoreError> {
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    db.prepare_cached(
        "INSERT OR REPLACE INTO rs_integrity_minute VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        producer,
        number(books.minute.0),
        number(books.calls_in),
        number(books.records_out),
        number(books.adopted_in),
        number(books.handed_out),
        number(books.rejected),
        number(books.in_progress),
    ])?;
    Ok(())
}

type StreamKey = (String, i64, u8);

/// The streams that a batch touches, read once and written once.
#[derive(Default)]
struct Streams {
    all: BTreeMap<StreamKey, Books>,
}

#[derive(Default)]
struct Books {
    received: Intervals,
    max_seq: u64,
    announced_seq: u64,
    duplicates: u64,
    first_ms: i64,
    last_ms: i64,
}

impl Streams {
    fn received(
        &mut self,
        db: &Transaction<'_>,
        item: &Item<'_>,
        good: &Good,
    ) -> Result<(), StoreError> {
        let producer = &good.record.producer;
        let (Some(boot), Some(seq)) = (producer.boot, producer.seq) else {
            return letter::figure(db, "unsequenced", &producer.name);
        };
        let stream = producer.stream.unwrap_or_else(|| good.record.kind().stream());
        let received_ms = item.received_ms();
        let books = self.load(db, &producer.name, boot, stream)?;
        books.duplicates += u64::from(!books.received.insert(seq));
        books.max_seq = books.max_seq.max(seq);
        if books.first_ms == 0 {
            books.first_ms = received_ms;
        }
        books.last_ms = books.last_ms.max(received_ms);
        Ok(())
    }

    fn announced(
        &mut self,
        db: &Transaction<'_>,
        good: &Good,
        books: &Integrity,
    ) -> Result<(), StoreError> {
        let Some(boot) = good.record.producer.boot else { return Ok(()) };
        let last = &books.streams;
        let told = [
            (Stream::Cdr, last.cdr),
            (Stream::Event, last.event),
            (Stream::Or, last.or),
            (Stream::Sq, last.sq),
        ];
        for (stream, seq) in told {
            if let Some(seq) = seq {
                let books = self.load(db, good.producer(), boot, stream)?;
                books.announced_seq = books.announced_seq.max(seq);
            }
        }
        Ok(())
    }

    fn load(
        &mut self,
        db: &Transaction<'_>,
        producer: &str,
        boot: u64,
        stream: Stream,
    ) -> Result<&mut Books, StoreError> {
        use std::collections::btree_map::Entry;
        // a boot beyond 2⁶³ is kept as its bits
        let boot = boot.cast_signed();
        match self.all.entry((producer.to_owned(), boot, stream.number())) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(empty) => {
                let read = "SELECT received, max_seq, announced_seq, duplicates, first_ms, last_ms
                    FROM rs_producer_stream WHERE producer = ?1 AND boot = ?2 AND stream = ?3";
                let books = db
                    .prepare_cached(read)?
                    .query_row(params![producer, boot, stream.number()], |row| {
                        Ok(Books {
                            received: Intervals::decode(&row.get::<_, Vec<u8>>(0)?),
                            max_seq: row.get::<_, i64>(1)?.cast_unsigned(),
                            announced_seq: row.get::<_, i64>(2)?.cast_unsigned(),
                            duplicates: row.get::<_, i64>(3)?.cast_unsigned(),
                            first_ms: row.get(4)?,
                            last_ms: row.get(5)?,
                        })
                    })
                    .optional()?;
                Ok(empty.insert(books.unwrap_or_default()))
            }
        }
    }

    fn write(&self, db: &Transaction<'_>) -> Result<(), StoreError> {
        for ((producer, boot, stream), books) in &self.all {
            db.prepare_cached(
                "INSERT OR REPLACE INTO rs_producer_stream
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                producer,
                boot,
                stream,
                books.received.encode(),
                books.max_seq.cast_signed(),
                books.announced_seq.cast_signed(),
                books.duplicates.cast_signed(),
                books.first_ms,
                books.last_ms,
            ])?;
        }
        Ok(())
    }
}
