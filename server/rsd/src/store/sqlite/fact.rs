//! One day's share of a batch, inside one transaction of that day's file: ledger, facts, merge,
//! rows, conflict losers (stage 13 of the call's way).

use std::collections::{BTreeMap, BTreeSet};

use model::record::ComponentType;
use rs::correlate::Lender;
use rs::fact::{CallFact, EventFact};
use rs::{CallRow, CallState, Key, Told};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::ledger::{self, Verdict};
use super::letter::{self, Cause};
use super::prepare::{Good, Item};
use super::row::{self, IdOf};
use crate::store::{Day, ObjectKind, StoreError};

/// What a day's share did.
#[derive(Default)]
pub(super) struct Outcome {
    /// Rows as they are now.
    pub(super) rows: BTreeMap<Key, CallRow>,
    pub(super) stored: u64,
    pub(super) duplicates: u64,
    pub(super) dead: u64,
}

impl Outcome {
    pub(super) fn add(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.stored += other.stored;
        self.duplicates += other.duplicates;
        self.dead += other.dead;
    }
}

/// A share under way. Rows are made at the end, once per call.
pub(super) struct Share<'d> {
    db: &'d Connection,
    day: Day,
    calls: BTreeMap<Key, Touched>,
    /// GUIDs whose RM calls lend something else than before.
    lending: BTreeSet<String>,
    outcome: Outcome,
}

struct Touched {
    state: CallState,
    last_fact_ms: i64,
}

impl<'d> Share<'d> {
    pub(super) fn new(db: &'d Connection, day: Day) -> Self {
        let (calls, lending) = (BTreeMap::new(), BTreeSet::new());
        Self { db, day, calls, lending, outcome: Outcome::default() }
    }

    /// Takes one record.
    pub(super) fn take(
        &mut self,
        item: &Item<'_>,
        good: &Good,
        id_of: &mut IdOf<'_>,
    ) -> Result<(), StoreError> {
        let keys = &good.fact.keys;
        let hash = &good.fact.content_hash;
        let verdict = ledger::enter(self.db, &keys.id_key, hash, item.received_ms())?;
        match verdict {
            Verdict::Duplicate => {
                self.outcome.duplicates += 1;
                return letter::figure(self.db, "duplicate", good.producer());
            }
            Verdict::Loses => return self.bury(item, good, None),
            Verdict::Replaces => {
                let body = self.stored_body(good)?;
                self.bury(item, good, Some(&body))?;
            }
            Verdict::New => {
                self.outcome.stored += 1;
                letter::figure(self.db, "stored", good.producer())?;
            }
        }
        if good.misrouted && verdict == Verdict::New {
            letter::figure(self.db, "misrouted", good.producer())?;
        }
        match (&good.fact.told, keys.call_key) {
            (Told::Call(call), Some(key)) => self.tell(item, good, call, key, verdict),
            (Told::Event(event), _) => self.event(&keys.id_key, event, id_of),
            (Told::Call(_) | Told::Later, _) => keep(self.db, item, good, id_of),
        }
    }

    /// Makes the rows of all calls that were touched, and writes them.
    pub(super) fn finish(mut self, id_of: &mut IdOf<'_>) -> Result<Outcome, StoreError> {
        for guid in std::mem::take(&mut self.lending) {
            for key in keys_of(self.db, &guid, "<>")? {
                self.load(key)?;
            }
        }
        let alone = self.calls.iter().map(|(key, touched)| (*key, touched.state.row(None)));
        let mut rows: BTreeMap<Key, CallRow> = alone.collect();
        let mut lenders: BTreeMap<String, Vec<Lender>> = BTreeMap::new();
        for (key, row) in &rows {
            let lender = self.calls.get(key).and_then(|touched| touched.state.lender());
            if let (Some(lender), Some(guid)) = (lender, &row.guid) {
                lenders.entry(guid.clone()).or_default().push(lender);
            }
        }
        for (key, touched) in &self.calls {
            let Some(row) = rows.get_mut(key) else { continue };
            if row.component_type != ComponentType::Rm.number()
                && let Some(guid) = &row.guid
            {
                let here = lenders.get(guid).cloned().unwrap_or_default();
                let lender = Lender::pick(here.into_iter().chain(self.stored_lenders(guid)?));
                *row = touched.state.row(lender.as_ref());
            }
            let state = touched.state.encode();
            row::write(self.db, row, &state, touched.last_fact_ms, id_of)?;
        }
        self.outcome.rows = rows;
        Ok(self.outcome)
    }

    fn tell(
        &mut self,
        item: &Item<'_>,
        good: &Good,
        call: &CallFact,
        key: Key,
        verdict: Verdict,
    ) -> Result<(), StoreError> {
        let db = self.db;
        if let Some(minute) = good.end_minute().filter(|_| verdict == Verdict::New) {
            db.prepare_cached(
                "INSERT INTO rs_stored_minute VALUES (?1, ?2, 1)
                 ON CONFLICT (producer, minute_ms) DO UPDATE SET stored = stored + 1",
            )?
            .execute(params![good.producer(), minute])?;
        }
        let touched = self.load(key)?;
        touched.last_fact_ms = touched.last_fact_ms.max(item.received_ms());
        let change = touched.state.apply(call);
        if change.trace
            && let Some(trace) = &call.trace
        {
            let packed = zstd::bulk::compress(trace.as_bytes(), 3).map_err(StoreError::Files)?;
            db.prepare_cached("INSERT OR REPLACE INTO rs_call_trace VALUES (?1, ?2)")?
                .execute(params![key, packed])?;
        }
        if change.lends {
            self.lending.extend(call.values.guid.clone());
        }
        Ok(())
    }

    /// The facts of a call, from this share or from the file.
    fn load(&mut self, key: Key) -> Result<&mut Touched, StoreError> {
        use std::collections::btree_map::Entry;
        match self.calls.entry(key) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(empty) => {
                let touched = match read_state(self.db, &key)? {
                    Some((state, last_fact_ms)) => Touched { state, last_fact_ms },
                    None => Touched { state: CallState::new(key), last_fact_ms: 0 },
                };
                Ok(empty.insert(touched))
            }
        }
    }

    /// What the RM calls of a GUID lend that are not touched by this share.
    fn stored_lenders(&self, guid: &str) -> Result<Vec<Lender>, StoreError> {
        let mut lenders = Vec::new();
        for key in keys_of(self.db, guid, "=")? {
            if !self.calls.contains_key(&key) {
                lenders.extend(read_state(self.db, &key)?.and_then(|(state, _)| state.lender()));
            }
        }
        Ok(lenders)
    }

    fn event(
        &self,
        id_key: &Key,
        event: &EventFact,
        id_of: &mut IdOf<'_>,
    ) -> Result<(), StoreError> {
        let component = &event.component;
        let id = id_of(ObjectKind::Component, component.dbid, component.name.as_deref())?;
        self.db
            .prepare_cached(
                "INSERT OR REPLACE INTO rs_call_event (id_key, call_ref, guid, component_id,
                   session_id, time_ms, seq, level, log_id, label, text)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                id_key,
                event.call_ref,
                event.guid,
                id.unwrap_or(0),
                event.session_id,
                event.time_ms,
                event.seq,
                event.level,
                event.log_id,
                event.label,
                event.text,
            ])?;
        Ok(())
    }

    /// The loser of an id conflict becomes a dead letter of this file.
    fn bury(
        &mut self,
        item: &Item<'_>,
        good: &Good,
        body: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        self.outcome.dead += 1;
        letter::figure(self.db, "id_conflict", good.producer())?;
        let text = format!("{} is stored with another content", good.record.id);
        let cause = Cause { code: "id_conflict", field: "id", text: &text };
        letter::write(self.db, Some(self.day), item, &cause, body)
    }

    /// What is left of the record that a newcomer replaces: its body, or what was stored of it.
    fn stored_body(&mut self, good: &Good) -> Result<Vec<u8>, StoreError> {
        let keys = &good.fact.keys;
        if let (Told::Call(_), Some(key)) = (&good.fact.told, keys.call_key) {
            let row = self.load(key)?.state.row(None);
            return Ok(serde_json::to_vec(&row).unwrap_or_default());
        }
        let event = "SELECT json_object('log_id', log_id, 'time_ms', time_ms, 'level', level,
                       'label', label, 'text', text, 'session_id', session_id)
                     FROM rs_call_event WHERE id_key = ?1";
        let kept = "SELECT body FROM rs_kept_record WHERE id_key = ?1";
        for sql in [event, kept] {
            let body: Option<String> =
                self.db.query_row(sql, [keys.id_key], |row| row.get(0)).optional()?;
            if let Some(body) = body {
                return Ok(body.into_bytes());
            }
        }
        Ok(Vec::new())
    }
}

/// Keeps a record whole whose kind has no table yet.
pub(super) fn keep(
    db: &Connection,
    item: &Item<'_>,
    good: &Good,
    id_of: &mut IdOf<'_>,
) -> Result<(), StoreError> {
    let component = &good.record.component;
    let id = id_of(ObjectKind::Component, component.dbid, Some(&component.name))?;
    db.prepare_cached(
        "INSERT OR REPLACE INTO rs_kept_record
           (id_key, kind, id, component_id, time_ms, received_ms, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        good.fact.keys.id_key,
        good.record.kind().number(),
        good.record.id,
        id,
        i64::try_from(good.record.time.0).unwrap_or(i64::MAX),
        item.received_ms(),
        item.text(),
    ])?;
    Ok(())
}

/// The facts of a call, and when the last of them came.
pub(super) fn read_state(
    db: &Connection,
    key: &Key,
) -> Result<Option<(CallState, i64)>, StoreError> {
    let stored: Option<(Vec<u8>, i64)> = db
        .prepare_cached(
            "SELECT state, last_fact_ms FROM rs_call_fact_state JOIN rs_call USING (call_key)
             WHERE call_key = ?1",
        )?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((bytes, last_fact_ms)) = stored else { return Ok(None) };
    let state = CallState::decode(&bytes).map_err(|error| StoreError::State(error.to_string()))?;
    Ok(Some((state, last_fact_ms)))
}

/// Calls with this GUID: `=` those of RM, `<>` those of other components.
fn keys_of(db: &Connection, guid: &str, rm: &'static str) -> Result<Vec<Key>, StoreError> {
    let sql = format!("SELECT call_key FROM rs_call WHERE guid = ?1 AND component_type {rm} ?2");
    let mut statement = db.prepare_cached(&sql)?;
    let keys = statement.query_map(params![guid, ComponentType::Rm.number()], |row| row.get(0))?;
    Ok(keys.collect::<Result<_, _>>()?)
}
