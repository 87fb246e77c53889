//! What hangs on calls by their sessions, for the rollup job: events of ports, failures, and the
//! calls that these may belong to. Each question is about one session in the file of its day.

use model::record::ComponentType;
use rs::correlate::Candidate;
use rs::limits::CANDIDATES;
use rs::rollup::{FailureFact, PortFact};
use rs::share::{SessionKey, SessionName};
use rusqlite::{Connection, Row, params};

use crate::store::StoreError;

type Rows<T> = Vec<(SessionKey, T)>;

/// Which calls a session means.
pub(super) fn of_calls(name: &SessionName) -> (&'static str, &str) {
    match name {
        SessionName::Id(id) => ("component_id = ?1 AND session_id = ?2", id),
        SessionName::Guid(guid) => ("component_id = ?1 AND guid = ?2", guid),
    }
}

/// Which facts name it.
pub(super) fn of_facts(name: &SessionName) -> (&'static str, &str) {
    match name {
        SessionName::Id(id) => ("t.component_id = ?1 AND t.session_id = ?2", id),
        SessionName::Guid(guid) => {
            ("t.component_id = ?1 AND t.session_id = '' AND t.guid = ?2", guid)
        }
    }
}

/// Events of ports.
pub(super) fn ports(
    db: &Connection,
    session: &SessionKey,
    found: &mut Rows<PortFact>,
) -> Result<(), StoreError> {
    let (which, name) = of_facts(&session.2);
    let sql = format!(
        "SELECT t.time_ms, t.seq, t.log_id FROM rs_call_event t WHERE {which}
           AND t.log_id IN ('asr_open', 'asr_close', 'tts_open', 'tts_close')"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let read = |row: &Row<'_>| {
        Ok(PortFact { time_ms: row.get(0)?, seq: row.get(1)?, log_id: row.get(2)? })
    };
    for event in statement.query_map(params![session.1, name], read)? {
        found.push((session.clone(), event?));
    }
    Ok(())
}

/// Failures, each with the time of the record that told it.
pub(super) fn failures(
    db: &Connection,
    session: &SessionKey,
    found: &mut Rows<FailureFact>,
) -> Result<(), StoreError> {
    let (which, name) = of_facts(&session.2);
    let sql = format!(
        "SELECT t.time_ms, f.type FROM rs_sq_call t
         JOIN rs_sq_failure f ON f.id_key = t.id_key WHERE {which}"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let read = |row: &Row<'_>| Ok(FailureFact { told_ms: row.get(0)?, kind: row.get(1)? });
    for failure in statement.query_map(params![session.1, name], read)? {
        found.push((session.clone(), failure?));
    }
    Ok(())
}

/// Calls that are not RM's, the first ones.
pub(super) fn candidates(
    db: &Connection,
    session: &SessionKey,
    found: &mut Rows<Candidate>,
) -> Result<(), StoreError> {
    let (which, name) = of_calls(&session.2);
    let sql = format!(
        "SELECT call_key, started_ms, ended_ms FROM rs_call
         WHERE {which} AND component_type <> ?3 ORDER BY started_ms, call_key LIMIT ?4"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let day = session.0;
    let read = |row: &Row<'_>| {
        let (call_key, started_ms, ended_ms) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Candidate { day, call_key, started_ms, ended_ms })
    };
    let most = i64::try_from(CANDIDATES).unwrap_or(i64::MAX);
    let values = params![session.1, name, ComponentType::Rm.number(), most];
    for call in statement.query_map(values, read)? {
        found.push((session.clone(), call?));
    }
    Ok(())
}
