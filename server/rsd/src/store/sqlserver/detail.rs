//! One call with all that hangs on it.

use std::collections::BTreeSet;

use model::record::CallGuid;
use rs::correlate::Candidate;
use rs::report::Call;
use rs::share::SessionName;
use rs::var::{VarActionRow, VarCallRow, VarCustomRow, VarRows};
use rs::{CallState, Day, Key};
use serde_json::json;
use tiberius::ToSql;

use super::failure::Failure;
use super::link::{Cells, Link};
use super::read::{calls, keys_of_guids};
use super::row::int;
use super::statement::ask as sql;
use crate::store::said::{MOST_CALLS, Place, Search};
use crate::store::{CallName, Event, Events, Leg, days_of_guid, days_of_key};

/// The legs of a call, RM's first, earliest first.
pub(super) async fn call(
    link: &mut Link,
    name: &CallName,
    events: bool,
) -> Result<Vec<Leg>, Failure> {
    let at: Vec<(Day, Key)> = match name {
        CallName::Guid(guid) => {
            let (days, text) = (all_days(link, guid).await?, guid.to_string());
            let guids = days.into_iter().map(|day| (day, text.as_str()));
            let keys = keys_of_guids(link, guids).await?;
            keys.into_iter().map(|(day, _, key, _)| (day, key)).collect()
        }
        CallName::Key(key) => days_of_key(key).into_iter().map(|day| (day, *key)).collect(),
    };
    let mut legs = Vec::new();
    for (day, key) in at {
        if let Some(call) = calls(link, [(day, key)]).await?.pop() {
            legs.push(leg(link, day, call, events).await?);
        }
    }
    Ok(legs)
}

/// The days where the records of a GUID may be.
async fn all_days(link: &mut Link, guid: &CallGuid) -> Result<BTreeSet<Day>, Failure> {
    let apart = link.ask(sql::DAYS_OF_GUID, &[&guid.to_string()], |cells| cells.day(0)).await?;
    Ok(days_of_guid(guid).into_iter().chain(apart).collect())
}

async fn leg(link: &mut Link, day: Day, call: Call, events: bool) -> Result<Leg, Failure> {
    let values: [&dyn ToSql; 2] = [&int(day), &&call.key[..]];
    let read = |cells: &Cells<'_>| {
        let parent = cells.bytes(0)?.map(|_| cells.key(0)).transpose()?;
        Ok((parent, cells.text(1)?, cells.bytes(2)?, cells.bytes(3)?))
    };
    let rest = link.ask(sql::REST, &values, read).await?.pop();
    let (parent, extra, state, steps) = rest.unwrap_or_default();
    let state = state.map(|state| CallState::decode(&state)).transpose().map_err(Failure::State)?;
    let missing = state.map_or_else(Vec::new, |state| state.missing());
    let trace = match steps {
        Some(packed) => {
            let bytes = zstd::stream::decode_all(&*packed);
            let bytes = bytes.map_err(|error| Failure::Unexpected(format!("a trace: {error}")))?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        }
        None => None,
    };
    let var = var(link, &values).await?;
    let events = if events { said(link, day, &call).await? } else { Events::default() };
    Ok(Leg { call, parent, extra, missing, trace, events, var })
}

/// What a voice application reported of the call of this day and key.
async fn var(link: &mut Link, at: &[&dyn ToSql]) -> Result<VarRows, Failure> {
    let count = |cells: &Cells<'_>, index| {
        Ok::<_, Failure>(u32::try_from(cells.some(index, Cells::number)?).unwrap_or(u32::MAX))
    };
    let call = |cells: &Cells<'_>| {
        Ok(VarCallRow {
            result: cells.word(0)?,
            reason: cells.text(1)?,
            notes: cells.text(2)?,
            actions: count(cells, 3)?,
            ignored: count(cells, 4)?,
        })
    };
    let action = |cells: &Cells<'_>| {
        let parent_n = cells.number(2)?.map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        Ok(VarActionRow {
            n: count(cells, 0)?,
            action: cells.some(1, Cells::text)?,
            parent_n,
            started_ms: cells.some(3, Cells::number)?,
            ended_ms: cells.number(4)?,
            result: cells.word(5)?,
            reason: cells.text(6)?,
            notes: cells.text(7)?,
            is_last: cells.some(8, Cells::number)? != 0,
        })
    };
    let custom = |cells: &Cells<'_>| {
        Ok(VarCustomRow { name: cells.some(0, Cells::text)?, value: cells.some(1, Cells::text)? })
    };
    Ok(VarRows {
        call: link.ask(sql::VAR_CALL, at, call).await?.pop(),
        actions: link.ask(sql::VAR_ACTIONS, at, action).await?,
        custom: link.ask(sql::VAR_CUSTOM, at, custom).await?,
    })
}

/// What was said in a call that lies on this day.
async fn said(link: &mut Link, day: Day, call: &Call) -> Result<Events, Failure> {
    let mut search = Search::new(day, call);
    for name in Search::names(call) {
        let calls = calls_of(link, &search, call, &name).await?;
        for place in search.places(&name, &calls) {
            if let Some((times, most)) = search.left(&place) {
                let asked = (*times.start(), *times.end(), most);
                search.add(events_of(link, call, &place, asked).await?);
            }
        }
    }
    Ok(search.end())
}

/// The calls of a session among which a call looks for what is its own.
async fn calls_of(
    link: &mut Link,
    search: &Search,
    call: &Call,
    name: &SessionName,
) -> Result<Vec<Candidate>, Failure> {
    let days = search.candidates();
    if days.is_empty() {
        return Ok(Vec::new());
    }
    let (statement, name) = match name {
        SessionName::Id(id) => (sql::CALLS_OF_SESSION, id),
        SessionName::Guid(guid) => (sql::CALLS_OF_GUID, guid),
    };
    let days = json!(days).to_string();
    let component = i64::from(call.component.id);
    let near_ms = i64::try_from(call.started.0).unwrap_or(i64::MAX);
    let values: [&dyn ToSql; 5] = [&days, &component, name, &near_ms, &MOST_CALLS];
    let read = |cells: &Cells<'_>| {
        let (day, call_key) = (cells.day(0)?, cells.key(1)?);
        let (started_ms, ended_ms) = (cells.some(2, Cells::number)?, cells.number(3)?);
        Ok(Candidate { day, call_key, started_ms, ended_ms })
    };
    link.ask(statement, &values, read).await
}

/// Events of a session in these times: so many, the first ones.
async fn events_of(
    link: &mut Link,
    call: &Call,
    place: &Place,
    (from_ms, to_ms, most): (i64, i64, i64),
) -> Result<Vec<Event>, Failure> {
    let component = i64::from(call.component.id);
    let (statement, name) = match &place.name {
        SessionName::Id(id) => (sql::EVENTS, id),
        SessionName::Guid(guid) => (sql::EVENTS_BY_GUID, guid),
    };
    let days = json!(place.days).to_string();
    let values: [&dyn ToSql; 6] = [&days, &component, name, &from_ms, &to_ms, &most];
    let read = |cells: &Cells<'_>| {
        Ok(Event {
            time_ms: cells.some(0, Cells::number)?,
            seq: cells.some(1, Cells::number)?,
            level: cells.some(2, Cells::word)?,
            log_id: cells.some(3, Cells::text)?,
            label: cells.text(4)?,
            text: cells.text(5)?,
            component_id: cells.some(6, Cells::id)?,
            component: cells.text(7)?,
            session_id: cells.text(8)?,
            extra: cells.text(9)?,
        })
    };
    link.ask(statement, &values, read).await
}
