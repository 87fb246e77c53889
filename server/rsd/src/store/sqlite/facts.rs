//! Facts for the rollup job: what touches a bin, out of the days' files and the main one.

use std::collections::{BTreeMap, BTreeSet};

use model::record::ComponentType;
use rs::rollup::{
    ActionFacts, CallFacts, KeptFacts, OWN_BIN_MS, Question, Stored, Which, own_kinds,
};
use rs::{Key, key};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::load::days_of;
use super::read::Reader;
use crate::store::{Day, StoreError};

const CALLS: &str = "SELECT call_key, component_type, component_id, guid, call_type, profile_id,
    service, dn, started_ms, answered_ms, ended_ms, end_state, asr_used, tts_used, media, sq_failed,
    session_id FROM rs_call";

/// A call with the session that its events name.
type Found = BTreeMap<(Day, Key), (CallFacts, String)>;

impl Reader {
    pub(super) fn facts(&mut self, question: &Question) -> Result<Stored, StoreError> {
        let mut found = Found::new();
        for day in &question.days {
            self.in_day(*day, |db| touching(db, *day, &question.which, &mut found))?;
        }
        self.other_legs(&mut found)?;
        let days: BTreeSet<Day> = found.keys().map(|(day, _)| *day).collect();
        for day in days {
            let calls = found.iter_mut().filter(|((of, _), _)| *of == day);
            self.in_day(day, |db| calls.into_iter().try_for_each(|(_, (call, _))| hang(db, call)))?;
        }
        for day in &question.days {
            let calls = found.values_mut().filter(|(call, _)| {
                call.component_type != ComponentType::Rm.number()
                    && (question.all_ports || call.media.is_none())
            });
            self.in_day(*day, |db| {
                calls.into_iter().try_for_each(|(call, session)| ports(db, call, session))
            })?;
        }
        self.failures(&mut found)?;
        let calls = found.into_values().map(|(mut call, _)| {
            call.ports.sort();
            call
        });
        Ok(Stored { calls: calls.collect(), kept: kept(&self.main, &question.which)? })
    }

    /// Failures of the calls that failed: one names the session, or the GUID alone, and may lie on
    /// the day beside. What a damaged one has is not there.
    fn failures(&mut self, found: &mut Found) -> Result<(), StoreError> {
        let sql = "SELECT time_ms, type FROM rs_sq_failure WHERE component_id = ?1
            AND (session_id = ?2 OR session_id = '' AND guid = ?3) ORDER BY time_ms, type";
        for ((day, _), (call, session)) in found.iter_mut() {
            let session = &*session;
            if call.sq_failed != Some(true) {
                continue;
            }
            for at in key::beside(*day) {
                let failures = self.days.ask(at, self.now_ms, |db| {
                    let mut statement = db.prepare_cached(sql)?;
                    let values = params![call.component_id, session, call.guid];
                    let rows = statement.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
                    Ok(rows.collect::<Result<Vec<_>, _>>()?)
                })?;
                call.failures.extend(failures.into_iter().flatten());
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
        for ((day, _), (call, _)) in found.iter().filter(|(_, (call, _))| call.component_type == rm)
        {
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
    let events = "SELECT DISTINCT component_id, session_id, guid FROM rs_call_event
        WHERE log_id = ?3 AND time_ms >= ?1 AND time_ms < ?2";
    for log_id in rs::rollup::PORT_EVENTS {
        let mut statement = db.prepare_cached(events)?;
        let sessions = statement.query_map(params![bin.start_ms, bin.end_ms, log_id], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
        })?;
        for session in sessions {
            let (component, session, guid) = session?;
            let (which, name) = match guid {
                Some(guid) if session.is_empty() => ("guid = ?2", guid),
                _ => ("session_id = ?2", session),
            };
            let sql = format!("{CALLS} WHERE component_id = ?1 AND {which}");
            calls(db, day, &sql, params![component, name], found)?;
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
        let (call, session) = call?;
        found.entry((day, call.call_key)).or_insert((call, session));
    }
    Ok(())
}

fn call(day: Day, row: &Row<'_>) -> rusqlite::Result<(CallFacts, String)> {
    let call = CallFacts {
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
        ..CallFacts::default()
    };
    Ok((call, row.get(16)?))
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

/// Events of a call's ports in one day's file.
fn ports(db: &Connection, call: &mut CallFacts, session: &str) -> Result<(), StoreError> {
    for (which, name) in [
        ("session_id = ?2", Some(session)),
        ("session_id = '' AND guid = ?2", call.guid.as_deref()),
    ] {
        let Some(name) = name else { continue };
        let sql = format!(
            "SELECT time_ms, log_id FROM rs_call_event WHERE component_id = ?1 AND {which}
             AND log_id IN ('asr_open', 'asr_close', 'tts_open', 'tts_close')
             ORDER BY time_ms, seq"
        );
        let mut statement = db.prepare_cached(&sql)?;
        let found = statement
            .query_map(params![call.component_id, name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for event in found {
            call.ports.push(event?);
        }
    }
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
