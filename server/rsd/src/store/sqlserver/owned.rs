//! What hangs on calls by their sessions, for the rollup job: events of ports, failures, and the
//! calls that these may belong to. One statement for each way to name sessions.

use std::collections::BTreeSet;

use model::record::ComponentType;
use rs::correlate::Candidate;
use rs::limits::CANDIDATES;
use rs::rollup::{FailureFact, PortFact};
use rs::share::{SessionKey, SessionName};
use tiberius::ToSql;

use super::failure::Failure;
use super::link::{Cells, Link};
use super::row;
use super::statement::{Statement, owned as sql};

type Rows<T> = Vec<(SessionKey, T)>;

/// Events of ports.
pub(super) async fn ports(
    link: &mut Link,
    sessions: &BTreeSet<SessionKey>,
) -> Result<Rows<PortFact>, Failure> {
    let read = |cells: &Cells<'_>| {
        let (time_ms, seq) = (cells.some(3, Cells::number)?, cells.some(4, Cells::number)?);
        Ok(PortFact { time_ms, seq, log_id: cells.some(5, Cells::text)? })
    };
    of_sessions(link, sessions, ([sql::SESSION_PORTS, sql::SESSION_PORTS_BY_GUID], &[]), read).await
}

/// Failures, each with the time of the record that told it.
pub(super) async fn failures(
    link: &mut Link,
    sessions: &BTreeSet<SessionKey>,
) -> Result<Rows<FailureFact>, Failure> {
    let read = |cells: &Cells<'_>| {
        let (told_ms, kind) = (cells.some(3, Cells::number)?, cells.some(4, Cells::word)?);
        Ok(FailureFact { told_ms, kind })
    };
    of_sessions(link, sessions, ([sql::SESSION_FAILURES, sql::SESSION_FAILURES_BY_GUID], &[]), read)
        .await
}

/// Calls that are not RM's, of each session the first ones.
pub(super) async fn candidates(
    link: &mut Link,
    sessions: &BTreeSet<SessionKey>,
) -> Result<Rows<Candidate>, Failure> {
    let rm = ComponentType::Rm.number();
    let most = i64::try_from(CANDIDATES).unwrap_or(i64::MAX);
    let read = |cells: &Cells<'_>| {
        Ok(Candidate {
            day: cells.day(0)?,
            call_key: cells.key(3)?,
            started_ms: cells.some(4, Cells::number)?,
            ended_ms: cells.number(5)?,
        })
    };
    let statements = [sql::CANDIDATES, sql::CANDIDATES_BY_GUID];
    of_sessions(link, sessions, (statements, &[&rm, &most]), read).await
}

/// Rows of sessions: each begins with its session.
async fn of_sessions<T>(
    link: &mut Link,
    sessions: &BTreeSet<SessionKey>,
    ([by_id, by_guid], more): ([Statement; 2], &[&dyn ToSql]),
    read: impl Fn(&Cells<'_>) -> Result<T, Failure>,
) -> Result<Rows<T>, Failure> {
    let guid = |session: &&SessionKey| matches!(session.2, SessionName::Guid(_));
    let (guids, ids): (Vec<_>, Vec<_>) = sessions.iter().partition(guid);
    let named: [fn(String) -> SessionName; 2] = [SessionName::Id, SessionName::Guid];
    let mut found = Vec::new();
    for ((sessions, statement), named) in [(ids, by_id), (guids, by_guid)].into_iter().zip(named) {
        if sessions.is_empty() {
            continue;
        }
        let sessions = row::sessions(sessions.into_iter().map(|(day, component, name)| {
            let (SessionName::Id(name) | SessionName::Guid(name)) = name;
            (*day, *component, name.as_str())
        }));
        let mut values: Vec<&dyn ToSql> = vec![&sessions];
        values.extend_from_slice(more);
        let both = |cells: &Cells<'_>| {
            let name = named(cells.some(2, Cells::text)?);
            Ok(((cells.day(0)?, cells.some(1, Cells::number)?, name), read(cells)?))
        };
        found.extend(link.ask(statement, &values, both).await?);
    }
    Ok(found)
}
