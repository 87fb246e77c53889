//! Lists of calls, newest start first.

use std::collections::BTreeMap;

use model::id::LegId;
use model::record::{CallType, ComponentType, EndState};
use model::time::Millis;
use rs::report::{Application, Call, Component, Resource, TenantOf, legs_of_session, service};
use rs::row::flag;
use rs::{Day, Filter, Key};

use super::failure::Failure;
use super::filter::Values;
use super::link::{Cells, Link};
use super::row;
use super::statement::ask as sql;
use crate::store::{Item, Page, Position, Unit};

/// A hit of a list: where it stands, and its day.
type Hit = (Position, Day);

/// A page of a report; pages begin with 1.
pub(super) async fn page(
    link: &mut Link,
    filter: &Filter,
    page: u32,
    page_size: u32,
    now: Millis,
) -> Result<Page, Failure> {
    let skip = i64::from(page.saturating_sub(1)) * i64::from(page_size);
    let values = || Values::of(filter, Unit::Leg, now);
    let hits = hits(link, values(), None, (skip, page_size)).await?;
    let calls = calls(link, hits.iter().map(|(at, day)| (*day, at.call_key))).await?;
    let found = link.ask(sql::COUNT, &values().all(), |cells| cells.some(0, Cells::number)).await?;
    let records = found.first().copied().unwrap_or(0).cast_unsigned();
    Ok(Page { calls, records })
}

/// The items after a position.
pub(super) async fn list(
    link: &mut Link,
    filter: &Filter,
    unit: Unit,
    after: Option<Position>,
    limit: u32,
    now: Millis,
) -> Result<Vec<Item>, Failure> {
    let hits = hits(link, Values::of(filter, unit, now), after, (0, limit)).await?;
    let found = calls(link, hits.iter().map(|(at, day)| (*day, at.call_key))).await?;
    let mut sessions = match unit {
        Unit::Leg => BTreeMap::new(),
        Unit::Guid => sessions(link, &hits, &found, filter.scope.as_deref()).await?,
    };
    let mut found: BTreeMap<Key, Call> = found.into_iter().map(|call| (call.key, call)).collect();
    let mut items = Vec::new();
    for (position, day) in hits {
        let Some(call) = found.remove(&position.call_key) else { continue };
        let session = call.guid.as_ref().and_then(|guid| sessions.remove(&(day, guid.clone())));
        items.push(Item { position, legs: session.unwrap_or_else(|| vec![call]) });
    }
    Ok(items)
}

/// Calls in progress and the ended legs of their sessions, at most so many.
pub(super) async fn in_progress(link: &mut Link, most: usize) -> Result<Vec<(Day, Key)>, Failure> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    link.ask(sql::IN_PROGRESS, &[&most], |cells| Ok((cells.day(0)?, cells.key(1)?))).await
}

/// How many items there are.
pub(super) async fn count(
    link: &mut Link,
    filter: &Filter,
    unit: Unit,
    now: Millis,
) -> Result<u64, Failure> {
    let values = Values::of(filter, unit, now);
    let found = link.ask(sql::COUNT, &values.all(), |cells| cells.some(0, Cells::number)).await?;
    Ok(found.first().copied().unwrap_or(0).cast_unsigned())
}

async fn hits(
    link: &mut Link,
    mut values: Values,
    after: Option<Position>,
    (skip, limit): (i64, u32),
) -> Result<Vec<Hit>, Failure> {
    values.push(after.map(|at| at.started_ms));
    values.push(after.map(|at| at.call_key.to_vec()).unwrap_or_default());
    values.push(skip);
    // a server refuses to fetch nothing
    if limit == 0 {
        return Ok(Vec::new());
    }
    values.push(i64::from(limit));
    let read = |cells: &Cells<'_>| {
        let at = Position { started_ms: cells.some(0, Cells::number)?, call_key: cells.key(1)? };
        Ok((at, cells.day(2)?))
    };
    link.ask(sql::HITS, &values.all(), read).await
}

/// The legs that show each session, first one first.
async fn sessions(
    link: &mut Link,
    hits: &[Hit],
    found: &[Call],
    scope: Option<&[u32]>,
) -> Result<BTreeMap<(Day, String), Vec<Call>>, Failure> {
    let days: BTreeMap<Key, Day> = hits.iter().map(|(at, day)| (at.call_key, *day)).collect();
    let guids =
        found.iter().filter_map(|call| Some((*days.get(&call.key)?, call.guid.as_deref()?)));
    let keys = keys_of_guids(link, guids).await?;
    let at = keys.iter().map(|(day, _, key, _)| (*day, *key));
    let mut legs: BTreeMap<Key, Call> =
        calls(link, at).await?.into_iter().map(|call| (call.key, call)).collect();
    let mut sessions: BTreeMap<(Day, String), Vec<Call>> = BTreeMap::new();
    for (day, guid, key, _) in keys {
        sessions.entry((day, guid)).or_default().extend(legs.remove(&key));
    }
    sessions.values_mut().for_each(|legs| legs_of_session(legs, scope));
    Ok(sessions)
}

/// Keys of GUIDs on their days, in the order of a session.
pub(super) async fn keys_of_guids<'g>(
    link: &mut Link,
    guids: impl IntoIterator<Item = (Day, &'g str)>,
) -> Result<Vec<(Day, String, Key, u8)>, Failure> {
    let guids = row::guids(guids);
    let read = |cells: &Cells<'_>| {
        let guid = cells.some(1, Cells::text)?;
        Ok((cells.day(0)?, guid, cells.key(2)?, cells.some(3, Cells::word)?))
    };
    link.ask(sql::KEYS_OF_GUIDS, &[&guids], read).await
}

/// These calls, in this order, with the names of their objects.
pub(super) async fn calls(
    link: &mut Link,
    at: impl IntoIterator<Item = (Day, Key)>,
) -> Result<Vec<Call>, Failure> {
    let at: Vec<(Day, Key)> = at.into_iter().collect();
    if at.is_empty() {
        return Ok(Vec::new());
    }
    let keys = row::keys(at.iter().map(|(day, key)| (*day, key)));
    let found = link.ask(sql::CALLS, &[&keys], call).await?;
    let mut found: BTreeMap<(Day, Key), Call> = found.into_iter().collect();
    let read = |cells: &Cells<'_>| {
        let id = cells.some(2, Cells::id)?;
        let name = cells.text(3)?.unwrap_or_else(|| id.to_string());
        let usage = cells.number(4)?.map(i64::cast_unsigned);
        let tenant = TenantOf { id, name, usage, burst: cells.word(5)? };
        Ok(((cells.day(0)?, cells.key(1)?), tenant))
    };
    for (at, tenant) in link.ask(sql::TENANTS, &[&keys], read).await? {
        if let Some(call) = found.get_mut(&at) {
            call.tenants.push(tenant);
        }
    }
    Ok(at.iter().filter_map(|at| found.remove(at)).collect())
}

fn call(cells: &Cells<'_>) -> Result<((Day, Key), Call), Failure> {
    let time = |ms: i64| Millis(u64::try_from(ms).unwrap_or(0));
    let number = |at| Ok::<_, Failure>(cells.number(at)?.map(i64::cast_unsigned));
    let component_id = cells.some(6, Cells::id)?;
    let resource = Resource {
        group: cells.text(19)?,
        name: cells.text(20)?,
        address: cells.text(21)?,
        attempts: number(22)?,
    };
    let key = cells.key(1)?;
    let call = Call {
        key,
        session_id: cells.some(7, Cells::text)?,
        guid: cells.text(8)?,
        call_type: CallType::from_number(cells.some(11, Cells::word)?).unwrap_or(CallType::Unknown),
        started: time(cells.some(2, Cells::number)?),
        answered: cells.number(3)?.map(time),
        ended: cells.number(4)?.map(time),
        dn: cells.text(14)?,
        local_uri: cells.some(15, Cells::text)?,
        remote_uri: cells.some(16, Cells::text)?,
        service: cells.word(13)?.and_then(service),
        end_state: cells.word(23)?.and_then(EndState::from_number),
        sip_status: cells.number(24)?.and_then(|status| u16::try_from(status).ok()),
        call_id: cells.text(17)?,
        call_uuid: cells.text(18)?,
        reason: cells.text(25)?,
        leg: cells.id(9)?.map(LegId),
        epoch: cells.some(10, Cells::number)?.cast_unsigned(),
        config_rev: number(28)?,
        component: Component {
            id: component_id,
            name: cells.text(29)?.unwrap_or_else(|| component_id.to_string()),
            kind: ComponentType::from_number(cells.some(5, Cells::word)?)
                .unwrap_or(ComponentType::Other),
        },
        application: application(cells)?,
        tenants: Vec::new(),
        resource: Some(resource).filter(|resource| *resource != Resource::default()),
        led: cells.some(32, Cells::number)? & i64::from(flag::LED) != 0,
    };
    Ok(((cells.day(0)?, key), call))
}

fn application(cells: &Cells<'_>) -> Result<Option<Application>, Failure> {
    let Some(id) = cells.id(12)? else { return Ok(None) };
    Ok(Some(Application {
        id,
        name: cells.text(30)?.unwrap_or_else(|| id.to_string()),
        service: cells.word(31)?.and_then(service),
        usage: cells.number(26)?.map(i64::cast_unsigned),
        burst: cells.word(27)?,
    }))
}
