//! What a share of a batch asks of the tables, read under locks in the order of keys; nothing is
//! decided here.

use std::collections::BTreeSet;

use rs::Intervals;
use rs::integrity::Gap;
use rs::share::{
    EventRow, Found, QualityRow, SessionKey, SessionName, StoredCall, StreamKey, StreamRow, Wants,
};
use rs::var::{self, Report};
use tiberius::ToSql;

use super::facts::kept_row;
use super::failure::Failure;
use super::link::{Cells, Link};
use super::row;
use super::statement::{Statement, load as sql};

/// Reads what is wanted, but for objects.
pub(super) async fn load(link: &mut Link, wants: &Wants) -> Result<Found, Failure> {
    let mut found = Found::of(wants);
    if !wants.ledger.is_empty() {
        let keys = row::keys(wants.ledger.iter().map(|(day, key)| (*day, key)));
        let read = |cells: &Cells<'_>| Ok(((cells.day(0)?, cells.key(1)?), cells.key(2)?));
        found.ledger = link.ask(sql::LEDGER, &[&keys], read).await?;
    }
    if !wants.calls.is_empty() {
        let keys = row::keys(wants.calls.iter().map(|(day, key)| (*day, key)));
        calls(link, sql::CALLS_BY_KEY, &keys, &mut found).await?;
    }
    if !wants.guids.is_empty() {
        let guids = row::guids(wants.guids.iter().map(|(day, guid)| (*day, guid.as_str())));
        calls(link, sql::CALLS_BY_GUID, &guids, &mut found).await?;
    }
    if found.is_cut() {
        return Ok(found);
    }
    if !wants.call_days.is_empty() {
        let guids = row::guids(wants.call_days.iter().map(|guid| (0, guid.as_str())));
        let read = |cells: &Cells<'_>| Ok((cells.some(0, Cells::text)?, cells.day(1)?));
        found.call_days = link.ask(sql::DAYS_OF_GUIDS, &[&guids], read).await?;
    }
    of_sessions(link, wants, &mut found).await?;
    if found.is_cut() {
        return Ok(found);
    }
    if !wants.letters.is_empty() {
        let keys = row::keys(wants.letters.iter().map(|key| (0, key)));
        found.letters = link.ask(sql::LETTERS_KNOWN, &[&keys], |cells| cells.key(0)).await?;
    }
    if !wants.events.is_empty() {
        let keys = row::keys(wants.events.iter().map(|(day, key)| (*day, key)));
        found.events = link.ask(sql::EVENTS_BY_KEY, &[&keys], event).await?;
    }
    if !wants.quality.is_empty() {
        let keys = row::keys(wants.quality.iter().map(|(day, key)| (*day, key)));
        let put = |found: &mut Found, cells: &Cells<'_>| {
            found.put_quality(of_quality(cells)?);
            Ok(())
        };
        fill(link, (sql::QUALITY_BY_KEY, &[&keys]), &mut found, put).await?;
        if found.is_cut() {
            return Ok(found);
        }
    }
    if !wants.kept.is_empty() {
        let keys = row::keys(wants.kept.iter().map(|(day, key)| (*day, key)));
        let put = |found: &mut Found, cells: &Cells<'_>| {
            found.put_kept((cells.day(4)?, cells.key(5)?), kept_row(cells)?);
            Ok(())
        };
        fill(link, (sql::KEPT_BY_KEY, &[&keys]), &mut found, put).await?;
    }
    for key in &wants.streams {
        found.streams.extend(stream(link, key).await?.map(|row| (key.clone(), row)));
    }
    Ok(found)
}

/// How far a spool has been applied.
pub(super) async fn cursor(
    link: &mut Link,
    statement: Statement,
    name: &str,
    spool: &str,
) -> Result<u64, Failure> {
    let values: [&dyn ToSql; 2] = [&name, &spool];
    let seq = link.ask(statement, &values, |cells| cells.some(0, Cells::number)).await?;
    Ok(seq.first().copied().unwrap_or(0).cast_unsigned())
}

/// A way to name sessions, and what is asked of those.
struct Way {
    by_guid: bool,
    calls: Statement,
    reports: Statement,
    quality: Statement,
    ports: Statement,
}

const WAYS: [Way; 2] = [
    Way {
        by_guid: false,
        calls: sql::CALLS_BY_SESSION,
        reports: sql::REPORTS,
        quality: sql::QUALITY,
        ports: sql::PORTS,
    },
    Way {
        by_guid: true,
        calls: sql::CALLS_BY_SESSION_GUID,
        reports: sql::REPORTS_BY_GUID,
        quality: sql::QUALITY_BY_GUID,
        ports: sql::PORTS_BY_GUID,
    },
];

impl Way {
    /// Those of the sessions that are named so; `None`: there are none.
    fn of(&self, sessions: &BTreeSet<SessionKey>) -> Option<String> {
        let is_own = |of: &&SessionKey| matches!(of.2, SessionName::Guid(_)) == self.by_guid;
        let mut own = sessions.iter().filter(is_own).peekable();
        own.peek()?;
        Some(row::sessions(own.map(|(day, component, name)| {
            let (SessionName::Id(name) | SessionName::Guid(name)) = name;
            (*day, *component, name.as_str())
        })))
    }

    /// The session that the first cells of a row name.
    fn key(&self, cells: &Cells<'_>) -> Result<SessionKey, Failure> {
        let name = cells.some(2, Cells::text)?;
        let name = if self.by_guid { SessionName::Guid(name) } else { SessionName::Id(name) };
        Ok((cells.day(0)?, cells.some(1, Cells::number)?, name))
    }
}

/// Calls, reports, quality and ports of sessions.
async fn of_sessions(link: &mut Link, wants: &Wants, found: &mut Found) -> Result<(), Failure> {
    for way in &WAYS {
        if let Some(sessions) = way.of(&wants.session_calls) {
            calls(link, way.calls, &sessions, found).await?;
        }
        if found.is_cut() {
            return Ok(());
        }
        if let Some(sessions) = way.of(&wants.sessions) {
            hanging(link, way, &sessions, found).await?;
        }
        if found.is_cut() {
            return Ok(());
        }
    }
    Ok(())
}

/// Reports, quality and ports of sessions that are named in one way.
async fn hanging(
    link: &mut Link,
    way: &Way,
    sessions: &str,
    found: &mut Found,
) -> Result<(), Failure> {
    let rows = i64::try_from(found.rows_left()).unwrap_or(i64::MAX);
    let put = |found: &mut Found, cells: &Cells<'_>| {
        found.put_report(way.key(cells)?, report(cells)?);
        Ok(())
    };
    fill(link, (way.reports, &[&sessions, &rows]), found, put).await?;
    if found.is_cut() {
        return Ok(());
    }
    let rows = i64::try_from(found.rows_left()).unwrap_or(i64::MAX);
    let put = |found: &mut Found, cells: &Cells<'_>| {
        found.put_quality(of_quality(cells)?);
        Ok(())
    };
    fill(link, (way.quality, &[&sessions, &rows]), found, put).await?;
    if found.is_cut() {
        return Ok(());
    }
    found.ports.extend(link.ask(way.ports, &[&sessions], |cells| way.key(cells)).await?);
    Ok(())
}

fn report(cells: &Cells<'_>) -> Result<Report, Failure> {
    let label: String = cells.some(6, Cells::text)?;
    Ok(Report {
        id_key: cells.key(3)?,
        time_ms: cells.some(4, Cells::number)?,
        number: cells.some(5, Cells::number)?,
        label: label.strip_prefix(var::PREFIX).unwrap_or_default().to_owned(),
        text: cells.text(7)?.unwrap_or_default(),
    })
}

fn of_quality(cells: &Cells<'_>) -> Result<QualityRow, Failure> {
    Ok(QualityRow {
        day: cells.day(0)?,
        id_key: cells.key(1)?,
        component_id: cells.some(2, Cells::number)?,
        session_id: cells.some(3, Cells::text)?,
        guid: cells.text(4)?,
        time_ms: cells.some(5, Cells::number)?,
        failed: cells.some(6, Cells::number)? != 0,
        fact: cells.some(7, Cells::bytes)?,
    })
}

fn stored_call(cells: &Cells<'_>) -> Result<StoredCall, Failure> {
    Ok(StoredCall {
        day: cells.day(0)?,
        call_key: cells.key(1)?,
        guid: cells.text(2)?,
        state: cells.some(3, Cells::bytes)?,
        last_fact_ms: cells.some(4, Cells::number)?,
        row_version: cells.some(5, Cells::number)?,
        boot: cells.number(6)?,
    })
}

async fn calls(
    link: &mut Link,
    statement: Statement,
    which: &str,
    found: &mut Found,
) -> Result<(), Failure> {
    if found.is_cut() {
        return Ok(());
    }
    let most = i64::try_from(found.calls_left()).unwrap_or(i64::MAX);
    let put = |found: &mut Found, cells: &Cells<'_>| {
        found.put_call(stored_call(cells)?);
        Ok(())
    };
    fill(link, (statement, &[&which, &most]), found, put).await
}

/// Adds rows to what was found, until that is cut. Those behind are read and thrown away: to stop
/// the server would undo the transaction.
async fn fill(
    link: &mut Link,
    (statement, values): (Statement, &[&dyn ToSql]),
    found: &mut Found,
    put: impl Fn(&mut Found, &Cells<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let read = |cells: &Cells<'_>| if found.is_cut() { Ok(()) } else { put(found, cells) };
    link.ask(statement, values, read).await?;
    Ok(())
}

pub(super) fn event(cells: &Cells<'_>) -> Result<EventRow, Failure> {
    Ok(EventRow {
        day: cells.day(0)?,
        id_key: cells.key(1)?,
        call_ref: cells.key(2)?,
        guid: cells.text(3)?,
        component_id: cells.some(4, Cells::number)?,
        session_id: cells.some(5, Cells::text)?,
        time_ms: cells.some(6, Cells::number)?,
        seq: cells.some(7, Cells::number)?,
        level: cells.some(8, Cells::word)?,
        log_id: cells.some(9, Cells::text)?,
        label: cells.text(10)?,
        text: cells.text(11)?,
        extra: cells.text(12)?,
    })
}

async fn stream(link: &mut Link, key: &StreamKey) -> Result<Option<StreamRow>, Failure> {
    let (producer, boot, stream) = key;
    let values: [&dyn ToSql; 3] = [producer, boot, stream];
    let read = |cells: &Cells<'_>| {
        let number = |at| cells.some(at, Cells::number);
        Ok(StreamRow {
            received: Intervals::decode(&cells.some(0, Cells::bytes)?),
            max_seq: number(1)?.cast_unsigned(),
            announced_seq: number(2)?.cast_unsigned(),
            duplicates: number(3)?.cast_unsigned(),
            first_ms: number(4)?,
            last_ms: number(5)?,
            gaps: Gap::decode(&cells.bytes(6)?.unwrap_or_default()),
        })
    };
    Ok(link.ask(sql::STREAM, &values, read).await?.pop())
}
