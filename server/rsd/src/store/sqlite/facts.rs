//! Facts for the rollup job: what touches a bin, out of the days' files and the main one.

use std::collections::{BTreeMap, BTreeSet};

use model::record::ComponentType;
use rs::Key;
use rs::rollup::{
    ActionFacts, Bin, CallFacts, KeptFacts, OWN_BIN_MS, PORT_EVENTS, Question, Stored, Which,
    beside, own_kinds,
};
use rs::share::{SessionKey, SessionName};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::load::days_of;
use super::owned;
use super::read::Reader;
use crate::store::{Day, StoreError};

const CALLS: &str = "SELECT call_key, component_type, component_id, guid, call_type, profile_id,
    service, dn, started_ms, answered_ms, ended_ms, end_state, asr_used, tts_used, media, sq_failed,
    session_id FROM rs_call";

type Found = BTreeMap<(Day, Key), CallFacts>;

impl Reader {
    pub(super) fn facts(&mut self, question: &Question) -> Result<Stored, StoreError> {
        let mut found = Found::new();
        let mut sessions = BTreeSet::new();
        for day in &question.days {
            self.in_day(*day, |db| {
                touching(db, *day, &question.which, &mut found)?;
                with_ports(db, *day, &question.which, &mut sessions)
            })?;
        }
        let known = &question.days;
        self.of_sessions(known, &beside(&sessions), |db, (day, component, name)| {
            let (which, name) = owned::of_calls(name);
            let sql = format!("{CALLS} WHERE {which}");
            calls(db, *day, &sql, params![component, name], &mut found)
        })?;
        self.other_legs(&mut found)?;
        let days: BTreeSet<Day> = found.keys().map(|(day, _)| *day).collect();
        for day in days {
            let calls = found.iter_mut().filter(|((of, _), _)| *of == day);
            self.in_day(day, |db| calls.into_iter().try_for_each(|(_, call)| hang(db, call)))?;
        }
        let kept = kept(&self.main, &question.which)?;
        let mut stored = Stored { calls: found.into_values().collect(), kept, ..Stored::default() };
        self.of_sessions(known, &stored.of_ports(question.all_ports), |db, of| {
            owned::ports(db, of, &mut stored.ports)
        })?;
        self.of_sessions(known, &stored.of_failures(), |db, of| {
            owned::failures(db, of, &mut stored.failures)
        })?;
        self.of_sessions(known, &stored.of_candidates(), |db, of| {
            owned::candidates(db, of, &mut stored.candidates)
        })?;
        Ok(stored)
    }

    /// Asks the days' files for these sessions. Those of days that are asked for are to be there;
    /// what a damaged one of another day has is not there.
    fn of_sessions(
        &mut self,
        known: &BTreeSet<Day>,
        sessions: &BTreeSet<SessionKey>,
        mut ask: impl FnMut(&Connection, &SessionKey) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut days: BTreeMap<Day, Vec<&SessionKey>> = BTreeMap::new();
        sessions.iter().for_each(|of| days.entry(of.0).or_default().push(of));
        for (day, sessions) in days {
            let mut all = |db: &Connection| sessions.iter().try_for_each(|of| ask(db, of));
            if known.contains(&day) {
                self.in_day(day, all)?;
            } else {
                self.days.ask(day, self.now_ms, |db| all(db))?;
            }
        }
        Ok(())
    }

    /// Asks a day's file, which is locked once for all questions; one that is damaged is set aside.
    fn in_day(
        &mut self,
        day: Day,
        ask: impl FnOnce(&Connection) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let asked = self.find(day).and_then(|db| {
            let Some(db) = db else { return Ok(()) };
            db.execute_batch("BEGIN")?;
            ask(db)?;
            Ok(db.execute_batch("COMMIT")?)
        });
        if let Err(error) = &asked {
            self.days.set_aside(day, error);
        }
        asked
    }

    /// All legs of the sessions that were found: of the same day, and of others where the GUID
    /// does not say its time.
    fn other_legs(&mut self, found: &mut Found) -> Result<(), StoreError> {
        let mut guids: BTreeMap<Day, BTreeSet<String>> = BTreeMap::new();
        let rm = ComponentType::Rm.number();
        for ((day, _), call) in found.iter().filter(|(_, call)| call.component_type == rm) {
            let Some(guid) = &call.guid else { continue };
            guids.entry(*day).or_default().insert(guid.clone());
            for other in days_of(&self.main, guid)? {
                guids.entry(other).or_default().insert(guid.clone());
            }
        }
        for (day, guids) in guids {
            self.in_day(day, |db| {
                let sql = format!("{CALLS} WHERE guid = ?1 AND component_type = ?2");
                guids.iter().try_for_each(|guid| calls(db, day, &sql, params![guid, rm], found))
            })?;
        }
        Ok(())
    }
}

/// The calls of a day that touch a bin, or are there at an instant.
fn touching(db: &Connection, day: Day, which: &Which, found: &mut Found) -> Result<(), StoreError> {
    let bin = match which {
        Which::Touching(bin) => bin,
        Which::Covering(at_ms) => {
            for which in [
                "live = 1 AND started_ms < ?1 AND ?2 > 0",
                "ended_ms IS NOT NULL AND ended_ms >= ?1 AND started_ms < ?1 AND ?2 > 0",
                "component_type = ?2 AND started_ms >= ?1",
            ] {
                let values = params![at_ms, ComponentType::Rm.number()];
                calls(db, day, &format!("{CALLS} WHERE {which}"), values, found)?;
            }
            return Ok(());
        }
    };
    let span = params![bin.start_ms, bin.end_ms];
    for which in [
        "started_ms >= ?1 AND started_ms < ?2",
        "ended_ms IS NOT NULL AND ended_ms >= ?1 AND ended_ms < ?2",
        "call_key IN (SELECT call_key FROM rs_call_owner WHERE from_ms >= ?1 AND from_ms < ?2)",
    ] {
        calls(db, day, &format!("{CALLS} WHERE {which}"), span, found)?;
    }
    Ok(())
}

/// The sessions that have an event of a port in a bin.
fn with_ports(
    db: &Connection,
    day: Day,
    which: &Which,
    sessions: &mut BTreeSet<SessionKey>,
) -> Result<(), StoreError> {
    let Which::Touching(Bin { start_ms, end_ms, .. }) = which else { return Ok(()) };
    let events = "SELECT DISTINCT component_id, session_id, guid FROM rs_call_event
        WHERE log_id = ?3 AND time_ms >= ?1 AND time_ms < ?2";
    for log_id in PORT_EVENTS {
        let mut statement = db.prepare_cached(events)?;
        let found = statement.query_map(params![start_ms, end_ms, log_id], |row| {
            let (session, guid): (String, Option<String>) = (row.get(1)?, row.get(2)?);
            let name = match guid {
                Some(guid) if session.is_empty() => SessionName::Guid(guid),
                _ => SessionName::Id(session),
            };
            Ok((day, row.get(0)?, name))
        })?;
        for session in found {
            sessions.insert(session?);
        }
    }
    Ok(())
}

fn calls(
    db: &Connection,
    day: Day,
    sql: &str,
    values: &[&dyn rusqlite::ToSql],
    found: &mut Found,
) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached(sql)?;
    for call in statement.query_map(values, |row| call(day, row))? {
        let call = call?;
        found.entry((day, call.call_key)).or_insert(call);
    }
    Ok(())
}

fn call(day: Day, row: &Row<'_>) -> rusqlite::Result<CallFacts> {
    Ok(CallFacts {
        day,
        call_key: row.get(0)?,
        component_type: row.get(1)?,
        component_id: row.get(2)?,
        guid: row.get(3)?,
        call_type: row.get(4)?,
        profile_id: row.get(5)?,
        service: row.get(6)?,
        dn: row.get(7)?,
        started_ms: row.get(8)?,
        answered_ms: row.get(9)?,
        ended_ms: row.get(10)?,
        end_state: row.get(11)?,
        asr_used: row.get(12)?,
        tts_used: row.get(13)?,
        media: row.get(14)?,
        sq_failed: row.get(15)?,
        session_id: row.get(16)?,
        ..CallFacts::default()
    })
}

/// What hangs on a call in its own file.
fn hang(db: &Connection, call: &mut CallFacts) -> Result<(), StoreError> {
    let key = call.call_key;
    let tenants = "SELECT tenant_id FROM rs_call_tenant WHERE call_key = ?1 ORDER BY depth";
    let mut statement = db.prepare_cached(tenants)?;
    call.tenants = statement.query_map([key], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let owners = "SELECT component_id, from_ms FROM rs_call_owner WHERE call_key = ?1 ORDER BY n";
    let mut statement = db.prepare_cached(owners)?;
    let owners = statement.query_map([key], |row| Ok((row.get(0)?, row.get(1)?)))?;
    call.owners = owners.collect::<Result<_, _>>()?;
    if call.component_type == ComponentType::Rm.number() {
        return Ok(());
    }
    let told = "SELECT result, reason FROM rs_var_call WHERE call_key = ?1";
    let told = db.prepare_cached(told)?.query_row([key], |row| Ok((row.get(0)?, row.get(1)?)));
    (call.result, call.reason) = told.optional()?.unwrap_or_default();
    let actions = "SELECT action, started_ms, ended_ms, result, is_last FROM rs_var_action
        WHERE call_key = ?1 ORDER BY n";
    let mut statement = db.prepare_cached(actions)?;
    let actions = statement.query_map([key], |row| {
        Ok(ActionFacts {
            action: row.get(0)?,
            started_ms: row.get(1)?,
            ended_ms: row.get(2)?,
            result: row.get(3)?,
            is_last: row.get(4)?,
        })
    })?;
    call.actions = actions.collect::<Result<_, _>>()?;
    Ok(())
}

/// Producers' own figures.
fn kept(main: &Connection, which: &Which) -> Result<Vec<KeptFacts>, StoreError> {
    let (from_ms, to_ms) = match which {
        Which::Touching(bin) => (bin.start_ms - OWN_BIN_MS, bin.end_ms),
        Which::Covering(at_ms) => (at_ms - OWN_BIN_MS, *at_ms),
    };
    let sql = "SELECT component_id, received_ms, id, body, kind FROM rs_kept_record
        WHERE bin_ms >= ?1 AND bin_ms < ?2 ORDER BY no";
    let mut statement = main.prepare_cached(sql)?;
    let rows = statement
        .query_map(params![from_ms, to_ms], |row| Ok((row.get::<_, u8>(4)?, kept_row(row)?)))?;
    let rows: Vec<(u8, KeptFacts)> = rows.collect::<Result<_, _>>()?;
    let own = own_kinds();
    Ok(rows.into_iter().filter(|(kind, _)| own.contains(kind)).map(|(_, kept)| kept).collect())
}

/// Component, time of arrival, id and body.
pub(super) fn kept_row(row: &Row<'_>) -> rusqlite::Result<KeptFacts> {
    Ok(KeptFacts {
        component_id: row.get::<_, Option<i64>>(0)?.unwrap_or(0),
        received_ms: row.get(1)?,
        id: row.get(2)?,
        body: row.get(3)?,
    })
}
