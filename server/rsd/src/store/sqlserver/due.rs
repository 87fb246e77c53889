//! What of a day goes before the rest of it, slice by slice, in the transaction of the caller; each
//! looks at so many calls or events: those of a tenant or profile by its index.

use rs::retention::{Due, What, Which};
use rs::share::SessionName;
use rs::{Day, Key};
use tiberius::ToSql;

use super::failure::Failure;
use super::link::{Cells, Link};
use super::owned::candidates;
use super::row::{int, keys, times};
use super::statement::{Statement, due as sql, keeping};
use crate::store::keeping::{After, EVENTS_OF_A_CALL, Slice};
use crate::store::leaving::{Leaving, Seen, behind, leaving, sessions};

/// A slice of what is due on a day, from here on.
pub(super) async fn slice(
    link: &mut Link,
    day: Day,
    due: &Due,
    after: Option<After>,
    most: u32,
) -> Result<Slice, Failure> {
    match after.or_else(|| After::first(due)) {
        None => Ok(Slice::default()),
        Some(After::Event(_, key)) => events(link, day, due, key, most).await,
        Some(After::Call(started_ms, key)) => {
            of_calls(link, day, due, (started_ms, key), most).await
        }
    }
}

/// Events of all, or of those of no call.
async fn events(
    link: &mut Link,
    day: Day,
    due: &Due,
    after: Key,
    most: u32,
) -> Result<Slice, Failure> {
    let (day, most_rows) = (int(day), i64::from(most));
    let values: [&dyn ToSql; 3] = [&day, &&after[..], &most_rows];
    let looked = link.ask(sql::EVENT_KEYS_BEHIND, &values, |cells| cells.key(0)).await?;
    let Some(last) = looked.last() else {
        return Ok(Slice { rows: 0, next: After::events(due) });
    };
    let statement = match (due.which, due.what) {
        (Which::Loose, What::Var) => sql::LOOSE_REPORT,
        (Which::Loose, What::Cdr | What::Events) => sql::LOOSE_PLAIN,
        (Which::All | Which::Of { .. }, What::Var) => sql::WALK_REPORT,
        (Which::All | Which::Of { .. }, What::Cdr | What::Events) => sql::WALK_PLAIN,
    };
    let values: [&dyn ToSql; 4] = [&day, &&after[..], &&last[..], &due.before_ms];
    let rows = link.run(statement, &values).await?;
    let more = looked.len() as u64 >= u64::from(most);
    let next = if more { Some(After::Event(0, *last)) } else { After::events(due) };
    Ok(Slice { rows, next })
}

/// The calls that are looked at: the next ones of a tenant or profile, or of all.
async fn page(
    link: &mut Link,
    day: Day,
    which: Which,
    (started_ms, key): (i64, Key),
    most: u32,
) -> Result<Vec<Seen>, Failure> {
    let (statement, owner) = match which {
        Which::Of { profile: Some(profile), .. } => (sql::PAGE_PROFILE, Some(profile)),
        Which::Of { tenant: Some(tenant), profile: None } => (sql::PAGE_TENANT, Some(tenant)),
        Which::Of { tenant: None, profile: None } => (sql::PAGE_NEITHER, None),
        Which::All | Which::Loose => (sql::PAGE_ALL, None),
    };
    let (day, most) = (int(day), i64::from(most));
    let bytes = &key[..];
    let mut values: Vec<&dyn ToSql> = vec![&day, &started_ms, &bytes, &most];
    values.extend(owner.as_ref().map(|owner| owner as &dyn ToSql));
    let seen = |cells: &Cells<'_>| {
        Ok(Seen {
            started_ms: cells.some(0, Cells::number)?,
            call_key: cells.key(1)?,
            component_type: cells.some(2, Cells::word)?,
            component_id: cells.some(3, Cells::number)?,
            session_id: cells.some(4, Cells::text)?,
            guid: cells.text(5)?,
            live: cells.some(6, Cells::number)? != 0,
            ended_ms: cells.number(7)?,
            tenant: cells.number(8)?,
            profile: cells.number(9)?,
        })
    };
    link.ask(statement, &values, seen).await
}

/// What hangs on calls.
async fn of_calls(
    link: &mut Link,
    day: Day,
    due: &Due,
    after: (i64, Key),
    most: u32,
) -> Result<Slice, Failure> {
    let all = page(link, day, due.which, after, most).await?;
    let next = behind(&all, most);
    let calls: Vec<Seen> = all.into_iter().filter(|call| call.is_due(due)).collect();
    let found = candidates(link, &sessions(day, &calls)).await?;
    let leaving = leaving(day, &calls, &found);
    let (mut rows, mut left) = (0, i64::from(most) * EVENTS_OF_A_CALL);
    for by_guid in [false, true] {
        let gone = said(link, day, due, (&leaving, by_guid), left).await?;
        rows += gone;
        left -= i64::try_from(gone).unwrap_or(i64::MAX);
        if left <= 0 {
            // these calls once more
            return Ok(Slice { rows, next: Some(After::Call(after.0, after.1)) });
        }
    }
    rows += hanging(link, day, (&calls, &leaving), due).await?;
    Ok(Slice { rows, next })
}

/// Times as the statements take them; `None`: there are none.
fn told(leaving: &[Leaving], guids: bool) -> Option<String> {
    let named = leaving.iter().filter_map(|Leaving { component_id, name, times }| {
        let (by_guid, name) = match name {
            SessionName::Id(id) => (false, id),
            SessionName::Guid(guid) => (true, guid),
        };
        (by_guid == guids).then_some((*component_id, &**name, times))
    });
    let named: Vec<_> = named.collect();
    (!named.is_empty()).then(|| times(named))
}

/// Events of sessions, so many.
async fn said(
    link: &mut Link,
    day: Day,
    due: &Due,
    (leaving, by_guid): (&[Leaving], bool),
    most: i64,
) -> Result<u64, Failure> {
    let Some(told) = told(leaving, by_guid) else { return Ok(0) };
    let statement = match (due.what, by_guid) {
        (What::Cdr, false) => sql::SAID,
        (What::Cdr, true) => sql::SAID_BY_GUID,
        (What::Events, false) => sql::SAID_PLAIN,
        (What::Events, true) => sql::SAID_PLAIN_BY_GUID,
        (What::Var, false) => sql::SAID_REPORT,
        (What::Var, true) => sql::SAID_REPORT_BY_GUID,
    };
    let day = int(day);
    let values: [&dyn ToSql; 4] = [&told, &day, &most, &due.before_ms];
    let values = if due.what == What::Cdr { &values[..3] } else { &values[..] };
    link.run(statement, values).await
}

/// What these calls have beside events, and they themselves.
async fn hanging(
    link: &mut Link,
    day: Day,
    (calls, leaving): (&[Seen], &[Leaving]),
    due: &Due,
) -> Result<u64, Failure> {
    let statements: &[Statement] = match due.what {
        What::Events => return Ok(0),
        What::Var => {
            &[keeping::CALLS_VAR_ACTION, keeping::CALLS_VAR_CUSTOM, keeping::CALLS_VAR_CALL]
        }
        What::Cdr => &keeping::CALLS,
    };
    let mut gone = 0;
    let quality = [(false, sql::SAID_QUALITY), (true, sql::SAID_QUALITY_BY_GUID)];
    for (by_guid, statement) in quality.into_iter().filter(|_| due.what == What::Cdr) {
        if let Some(told) = told(leaving, by_guid) {
            gone += link.run(statement, &[&told, &int(day)]).await?;
        }
    }
    let over = calls.iter().filter(|call| call.is_over(due));
    let over: Vec<(Day, &Key)> = over.map(|call| (day, &call.call_key)).collect();
    if over.is_empty() {
        return Ok(gone);
    }
    let over = keys(over);
    for statement in statements {
        gone += link.run(*statement, &[&over]).await?;
    }
    Ok(gone)
}

/// Whether anything may be due: by more than the slices go by, never by less.
pub(super) async fn is_due(link: &mut Link, day: Day, due: &Due) -> Result<bool, Failure> {
    let (which, [tenant, profile]) = match due.which {
        Which::All => (0, [None, None]),
        Which::Of { tenant, profile } => (1, [tenant, profile]),
        Which::Loose => (2, [None, None]),
    };
    let statements: &[Statement] = match (due.what, due.which) {
        (What::Cdr, Which::Loose) => &[],
        (What::Cdr, _) => &[keeping::OVER],
        (What::Events, _) => &[keeping::DUE_EVENTS],
        (What::Var, Which::Loose) => &[keeping::DUE_REPORTS],
        (What::Var, _) => &[keeping::OVER_REPORTED, keeping::DUE_REPORTS],
    };
    let (day, one, which): (i32, i64, i32) = (int(day), 1, which);
    let values: [&dyn ToSql; 6] = [&day, &due.before_ms, &one, &which, &tenant, &profile];
    for statement in statements {
        if !link.ask(*statement, &values, |_| Ok(())).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
