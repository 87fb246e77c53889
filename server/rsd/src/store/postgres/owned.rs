//! What hangs on calls by their sessions, for the rollup job: events of ports, failures, and the
//! calls that these may belong to. One statement for each day and way to name sessions.

use std::collections::BTreeSet;

use model::record::ComponentType;
use rs::Day;
use rs::correlate::Candidate;
use rs::limits::CANDIDATES;
use rs::rollup::{FailureFact, PortFact};
use rs::share::SessionKey;
use tokio_postgres::Row;

use super::bin_rows::small;
use super::hanging::{Group, groups, named};
use super::link::{Link, Values};
use super::load::{signed, uid};
use crate::store::StoreError;

type Rows<T> = Vec<(SessionKey, T)>;

/// Which facts name a session.
const fn of_facts(by_guid: bool) -> &'static str {
    match by_guid {
        false => "t.day = $1 AND t.component_id = w.component AND t.session_id = w.name",
        true => {
            "t.day = $1 AND t.component_id = w.component AND t.session_id = '' AND t.guid = w.name"
        }
    }
}

/// Which calls it means.
const fn of_calls(by_guid: bool) -> &'static str {
    match by_guid {
        false => "t.day = $1 AND t.component_id = w.component AND t.session_id = w.name",
        true => "t.day = $1 AND t.component_id = w.component AND t.guid = w.name",
    }
}

/// Events of ports.
pub(super) fn ports(
    link: &mut Link,
    sessions: &BTreeSet<SessionKey>,
) -> Result<Rows<PortFact>, StoreError> {
    let sql = |by_guid| {
        let which = of_facts(by_guid);
        format!(
            "SELECT t.time_ms, t.seq, t.log_id FROM rs_call_event t WHERE {which}
               AND t.log_id IN ('asr_open', 'asr_close', 'tts_open', 'tts_close')"
        )
    };
    let read = |row: &Row, _| PortFact { time_ms: row.get(2), seq: row.get(3), log_id: row.get(4) };
    of_sessions(link, sessions, (sql, &[]), read)
}

/// Failures, each with the time of the record that told it.
pub(super) fn failures(
    link: &mut Link,
    sessions: &BTreeSet<SessionKey>,
) -> Result<Rows<FailureFact>, StoreError> {
    let sql = |by_guid| {
        let which = of_facts(by_guid);
        format!(
            "SELECT t.time_ms, f.type FROM rs_sq_call t
             JOIN rs_sq_failure f ON f.day = $1 AND f.id_key = t.id_key WHERE {which}"
        )
    };
    let read = |row: &Row, _| FailureFact { told_ms: row.get(2), kind: small(row, 3) };
    of_sessions(link, sessions, (sql, &[]), read)
}

/// Calls that are not RM's, of each session the first ones.
pub(super) fn candidates(
    link: &mut Link,
    sessions: &BTreeSet<SessionKey>,
) -> Result<Rows<Candidate>, StoreError> {
    let sql = |by_guid| {
        let which = of_calls(by_guid);
        format!(
            "SELECT t.call_key, t.started_ms, t.ended_ms FROM rs_call t
             WHERE {which} AND t.component_type <> $4
             ORDER BY t.started_ms, t.call_key LIMIT $5"
        )
    };
    let rm = i16::from(ComponentType::Rm.number());
    let most = i64::try_from(CANDIDATES).unwrap_or(i64::MAX);
    let read = |row: &Row, day| {
        let (call_key, started_ms, ended_ms) = (uid(row, 2), row.get(3), row.get(4));
        Candidate { day, call_key, started_ms, ended_ms }
    };
    of_sessions(link, sessions, (sql, &[&rm, &most]), read)
}

/// Rows of sessions: each begins with the session's component and name.
fn of_sessions<T>(
    link: &mut Link,
    sessions: &BTreeSet<SessionKey>,
    (sql, more): (impl Fn(bool) -> String, Values<'_>),
    read: impl Fn(&Row, Day) -> T,
) -> Result<Rows<T>, StoreError> {
    let mut found = Vec::new();
    for ((day, by_guid), Group { components, names }) in groups(sessions) {
        let each = sql(by_guid);
        // `OFFSET 0` is not flattened: each session is sought
        let sql = format!(
            "SELECT w.component, w.name, o.*
             FROM unnest($2::bigint[], $3::text[] COLLATE \"C\") AS w (component, name)
             CROSS JOIN LATERAL ({each} OFFSET 0) o"
        );
        let day_value = signed(day);
        let mut values: Vec<_> = vec![&day_value as _, &components as _, &names as _];
        values.extend_from_slice(more);
        link.each(&sql, &values, |row| {
            let session = (day, row.get(0), named(row.get(1), by_guid));
            found.push((session, read(row, day)));
        })?;
    }
    Ok(found)
}
