//! What a share of a batch asks of a file: rows by key, nothing is decided here.

use std::collections::BTreeSet;

use model::record::{ComponentType, ContentHash};
use rs::integrity::Gap;
use rs::share::{
    EventRow, Found, Mention, Objects, QualityRow, SessionKey, SessionName, Share, StoredCall,
    StreamRow, Wants,
};
use rs::var::{self, Report};
use rs::{CallState, Intervals, Key};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::aside::of_main;
use super::facts::kept_row;
use super::files::Days;
use crate::store::{Day, StoreError};

/// What a share may read: its own file, and the files of other days.
pub(super) struct Files<'f> {
    pub(super) db: &'f Connection,
    /// The main file, where another one is written.
    pub(super) main: Option<&'f Connection>,
    /// `None`: the main file, which has the rows of all days that it has.
    pub(super) day: Option<Day>,
    pub(super) beside: &'f mut Days,
    pub(super) now_ms: i64,
}

impl Files<'_> {
    /// Asks the file with the rows of a day; `None`: there is none, or it is damaged, and the rest
    /// is decided without it.
    fn of<T>(
        &mut self,
        day: Day,
        ask: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match self.day {
            Some(own) if own != day => self.beside.ask(day, self.now_ms, |db| ask(db)),
            _ => ask(self.db).map(Some),
        }
    }
}

/// Reads until the share wants nothing more; else the objects that it wants to be learned first.
pub(super) fn ask(
    files: &mut Files<'_>,
    share: &mut Share<'_>,
    objects: &Objects,
) -> Result<BTreeSet<Mention>, StoreError> {
    while let Some(wants) = share.wants(objects) {
        if !wants.mentions.is_empty() {
            return Ok(wants.mentions);
        }
        share.found(load(files, &wants)?, objects)?;
    }
    Ok(BTreeSet::new())
}

/// The hash of the content that holds an id in this file.
pub(super) fn content(db: &Connection, id: &Key) -> Result<Option<ContentHash>, StoreError> {
    let hash = "SELECT content_hash FROM rs_fact_ledger WHERE id_key = ?1";
    Ok(db.prepare_cached(hash)?.query_row([id], |row| row.get(0)).optional()?)
}

fn load(files: &mut Files<'_>, wants: &Wants) -> Result<Found, StoreError> {
    let mut found = Found::of(wants);
    for at in &wants.ledger {
        let hash = files.of(at.0, |db| content(db, &at.1))?;
        found.ledger.extend(hash.flatten().map(|hash| (*at, hash)));
    }
    hanging(files, wants, &mut found)?;
    if found.is_cut() {
        return Ok(found);
    }
    let db = files.db;
    for key in &wants.letters {
        let known = "SELECT letter_key FROM rs_dead_letter WHERE letter_key = ?1";
        found.letters.extend(
            db.prepare_cached(known)?.query_row([key], |row| row.get::<_, Key>(0)).optional()?,
        );
    }
    // the main file has no events
    for at in &wants.events {
        if db.table_exists(None, "rs_call_event")? {
            found.events.extend(event(db, at.0, &at.1)?);
        }
    }
    for at in &wants.quality {
        if db.table_exists(None, "rs_sq_call")? {
            let sql = format!("SELECT {QUALITY} FROM rs_sq_call WHERE id_key = ?1");
            let row = db.prepare_cached(&sql)?.query_row([at.1], |row| quality(at.0, row));
            row.optional()?.into_iter().for_each(|row| found.put_quality(row));
        }
        if found.is_cut() {
            return Ok(found);
        }
    }
    for at in &wants.kept {
        let kept = "SELECT component_id, received_ms, id, body FROM rs_kept_record
            WHERE id_key = ?1";
        let row = db.prepare_cached(kept)?.query_row([at.1], kept_row).optional()?;
        row.into_iter().for_each(|row| found.put_kept(*at, row));
        if found.is_cut() {
            return Ok(found);
        }
    }
    for key in &wants.streams {
        let read = "SELECT received, max_seq, announced_seq, duplicates, first_ms, last_ms,
              gaps
            FROM rs_producer_stream WHERE producer = ?1 AND boot = ?2 AND stream = ?3";
        let (producer, boot, stream) = key;
        let row = db.prepare_cached(read)?.query_row(params![producer, boot, stream], |row| {
            Ok(StreamRow {
                received: Intervals::decode(&row.get::<_, Vec<u8>>(0)?),
                max_seq: row.get::<_, i64>(1)?.cast_unsigned(),
                announced_seq: row.get::<_, i64>(2)?.cast_unsigned(),
                duplicates: row.get::<_, i64>(3)?.cast_unsigned(),
                first_ms: row.get(4)?,
                last_ms: row.get(5)?,
                gaps: Gap::decode(&row.get::<_, Vec<u8>>(6)?),
            })
        });
        found.streams.extend(row.optional()?.map(|row| (key.clone(), row)));
    }
    Ok(found)
}

/// Calls, and what hangs together with them; no more once it is cut.
fn hanging(files: &mut Files<'_>, wants: &Wants, found: &mut Found) -> Result<(), StoreError> {
    for (day, key) in &wants.calls {
        calls(files.db, *day, "call_key = ?1", &[key], found)?;
        if found.is_cut() {
            return Ok(());
        }
    }
    for (day, guid) in &wants.guids {
        files.of(*day, |db| calls(db, *day, "guid = ?1", &[guid], found))?;
        if found.is_cut() {
            return Ok(());
        }
    }
    for guid in &wants.call_days {
        let days = of_main(days_of(files.main.unwrap_or(files.db), guid))?;
        found.call_days.extend(days.into_iter().map(|day| (guid.clone(), day)));
    }
    for session in &wants.sessions {
        files.of(session.0, |db| {
            if wants.session_calls.contains(session) {
                calls_of_session(db, session, found)?;
            }
            if !found.is_cut() {
                of_session(db, session, found)?;
            }
            if !found.is_cut() && has_ports(db, session)? {
                found.ports.push(session.clone());
            }
            Ok(())
        })?;
        if found.is_cut() {
            return Ok(());
        }
    }
    Ok(())
}

/// The days of a GUID whose calls lie on others than it tells.
pub(super) fn days_of(main: &Connection, guid: &str) -> Result<Vec<Day>, StoreError> {
    let days = "SELECT day FROM rs_call_day WHERE guid = ?1 ORDER BY day";
    let mut statement = main.prepare_cached(days)?;
    let days = statement.query_map([guid], |row| row.get(0))?;
    Ok(days.collect::<Result<_, _>>()?)
}

fn calls(
    db: &Connection,
    day: Day,
    which: &'static str,
    values: &[&dyn rusqlite::ToSql],
    found: &mut Found,
) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT call_key, guid, state, last_fact_ms, row_version, boot
         FROM rs_call JOIN rs_call_fact_state USING (call_key) WHERE {which}"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(values, |row| {
        Ok(StoredCall {
            day,
            call_key: row.get(0)?,
            guid: row.get(1)?,
            state: row.get(2)?,
            last_fact_ms: row.get(3)?,
            row_version: row.get(4)?,
            boot: row.get(5)?,
        })
    })?;
    for row in rows {
        found.put_call(row?);
        if found.is_cut() {
            break;
        }
    }
    Ok(())
}

/// Calls of one session. No fact names one of RM's.
fn calls_of_session(
    db: &Connection,
    session: &SessionKey,
    found: &mut Found,
) -> Result<(), StoreError> {
    let (day, component_id, name) = session;
    let (which, value) = match name {
        SessionName::Id(id) => {
            ("component_id = ?1 AND session_id = ?2 AND component_type <> ?3", id)
        }
        SessionName::Guid(guid) => {
            ("component_id = ?1 AND guid = ?2 AND component_type <> ?3", guid)
        }
    };
    let rm = ComponentType::Rm.number();
    calls(db, *day, which, params![component_id, value, rm], found)
}

/// Reports and quality of one session.
fn of_session(db: &Connection, session: &SessionKey, found: &mut Found) -> Result<(), StoreError> {
    let (day, component_id, name) = session;
    let (which, value) = match name {
        SessionName::Id(id) => ("session_id = ?2", id),
        SessionName::Guid(guid) => ("session_id = '' AND guid = ?2", guid),
    };
    let reports = format!(
        "SELECT id_key, time_ms, seq, label, text FROM rs_call_event
         WHERE component_id = ?1 AND {which} AND label GLOB 'com.genesyslab.var.*'"
    );
    let mut statement = db.prepare_cached(&reports)?;
    let rows = statement.query_map(params![component_id, value], |row| {
        Ok(Report {
            id_key: row.get(0)?,
            time_ms: row.get(1)?,
            number: row.get(2)?,
            label: row.get::<_, String>(3)?.chars().skip(var::PREFIX.len()).collect(),
            text: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
        })
    })?;
    for report in rows {
        found.put_report(session.clone(), report?);
        if found.is_cut() {
            return Ok(());
        }
    }
    let of_quality =
        format!("SELECT {QUALITY} FROM rs_sq_call WHERE component_id = ?1 AND {which}");
    let mut statement = db.prepare_cached(&of_quality)?;
    let rows = statement.query_map(params![component_id, value], |row| quality(*day, row))?;
    for row in rows {
        found.put_quality(row?);
        if found.is_cut() {
            break;
        }
    }
    Ok(())
}

const QUALITY: &str = "id_key, session_id, guid, time_ms, failed, fact, component_id";

fn quality(day: Day, row: &Row<'_>) -> rusqlite::Result<QualityRow> {
    Ok(QualityRow {
        day,
        id_key: row.get(0)?,
        component_id: row.get(6)?,
        session_id: row.get(1)?,
        guid: row.get(2)?,
        time_ms: row.get(3)?,
        failed: row.get(4)?,
        fact: row.get(5)?,
    })
}

/// Whether events tell of ports of a session.
fn has_ports(db: &Connection, session: &SessionKey) -> Result<bool, StoreError> {
    let (_, component_id, name) = session;
    let (which, value) = match name {
        SessionName::Id(id) => ("session_id = ?2", id),
        SessionName::Guid(guid) => ("session_id = '' AND guid = ?2", guid),
    };
    let sql = format!(
        "SELECT 1 FROM rs_call_event WHERE component_id = ?1 AND {which}
           AND log_id IN ('asr_open', 'asr_close', 'tts_open', 'tts_close') LIMIT 1"
    );
    let found = db.prepare_cached(&sql)?.query_row(params![component_id, value], |_| Ok(()));
    Ok(found.optional()?.is_some())
}

/// Columns of an event.
pub(super) const EVENT: &str =
    "call_ref, guid, component_id, session_id, time_ms, seq, level, log_id, label, text, extra";

pub(super) fn event_of(day: Day, id_key: Key, row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        day,
        id_key,
        call_ref: row.get(0)?,
        guid: row.get(1)?,
        component_id: row.get(2)?,
        session_id: row.get(3)?,
        time_ms: row.get(4)?,
        seq: row.get(5)?,
        level: row.get(6)?,
        log_id: row.get(7)?,
        label: row.get(8)?,
        text: row.get(9)?,
        extra: row.get(10)?,
    })
}

fn event(db: &Connection, day: Day, id_key: &Key) -> Result<Option<EventRow>, StoreError> {
    let sql = format!(
        "SELECT {EVENT} FROM rs_call_event WHERE id_key = ?1
         AND no = (SELECT event_no FROM rs_fact_ledger WHERE id_key = ?1)"
    );
    let event = db.prepare_cached(&sql)?.query_row([id_key], |row| event_of(day, *id_key, row));
    Ok(event.optional()?)
}

/// The facts of a call.
pub(super) fn state(db: &Connection, key: &Key) -> Result<Option<CallState>, StoreError> {
    let state = "SELECT state FROM rs_call_fact_state WHERE call_key = ?1";
    let state = db.prepare_cached(state)?.query_row([key], |row| row.get::<_, Vec<u8>>(0));
    let Some(bytes) = state.optional()? else { return Ok(None) };
    Ok(Some(CallState::decode(&bytes)?))
}
