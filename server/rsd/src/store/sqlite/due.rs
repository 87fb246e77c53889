//! What of a day goes before the rest of it, slice by slice, each in a transaction of its own that
//! looks at so many calls or events: those of a tenant or profile by its index.

use std::collections::BTreeSet;

use rs::key;
use rs::retention::{Due, What, Which};
use rusqlite::{Connection, Row, params};

use super::files::Days;
use super::owned::{candidates, of_facts};
use super::purge::{REPORT, rows_of};
use super::write::begin;
use crate::store::keeping::{self, After, EVENTS_OF_A_CALL, Slice, no_ports};
use crate::store::leaving::{Leaving, Seen, behind, leaving, sessions};
use crate::store::{Day, StoreError};

/// A call of the session of `e`, which may name its GUID alone.
const OF_CALL: &str = "(EXISTS (SELECT 1 FROM rs_call AS c
      WHERE c.component_id = e.component_id AND c.session_id = e.session_id{whose})
    OR e.session_id = '' AND EXISTS (SELECT 1 FROM rs_call AS c
      WHERE c.component_id = e.component_id AND c.guid = e.guid AND c.component_type <> 1{whose}))";

/// A slice of what is due on a day, from here on.
pub(super) fn slice(
    (days, now_ms): (&mut Days, i64),
    day: Day,
    due: &Due,
    after: Option<After>,
    most: u32,
) -> Result<Slice, StoreError> {
    match after.or_else(|| After::first(due)) {
        None => Ok(Slice::default()),
        Some(After::Event(no, _)) => days
            .find(day, now_ms)?
            .map_or_else(|| Ok(Slice::default()), |db| events(db, due, no, most)),
        Some(after @ After::Call(..)) => of_calls((days, now_ms), day, due, after, most),
    }
}

/// Events that go.
fn kind(what: What) -> String {
    match what {
        What::Cdr => "1".to_owned(),
        What::Events => format!("(label IS NULL OR NOT {REPORT}) AND {}", no_ports("log_id")),
        What::Var => REPORT.to_owned(),
    }
}

/// Of all, or of those of no call.
fn events(db: &mut Connection, due: &Due, after: i64, most: u32) -> Result<Slice, StoreError> {
    let transaction = begin(db)?;
    let looked = "SELECT count(*), max(no) FROM
        (SELECT no FROM rs_call_event WHERE no > ?1 ORDER BY no LIMIT ?2)";
    let looked = transaction.prepare_cached(looked)?.query_row(params![after, most], |row| {
        Ok((row.get::<_, u32>(0)?, row.get::<_, Option<i64>>(1)?))
    });
    let (looked, last) = looked?;
    let Some(last) = last else { return Ok(Slice { rows: 0, next: After::events(due) }) };
    let loose = match due.which {
        Which::Loose => format!(" AND NOT {}", OF_CALL.replace("{whose}", "")),
        Which::All | Which::Of { .. } => String::new(),
    };
    let sql = format!(
        "DELETE FROM rs_call_event AS e
         WHERE no > ?1 AND no <= ?2 AND time_ms < ?3 AND {}{loose}",
        kind(due.what)
    );
    let gone = transaction.prepare_cached(&sql)?.execute(params![after, last, due.before_ms])?;
    transaction.commit()?;
    let more = looked >= most;
    let next = if more { Some(After::Event(last, [0; 16])) } else { After::events(due) };
    Ok(Slice { rows: rows_of(gone), next })
}

/// The calls that are looked at: the next ones of a tenant or profile, or of all.
pub(super) fn page_sql(which: Which) -> String {
    let of = match which {
        Which::Of { profile: Some(_), .. } => {
            "rs_call AS c INDEXED BY rs_call_profile
             WHERE c.profile_id = ?4 AND ?3 IS ?3 AND (c.started_ms, c.call_key) > (?1, ?2)
             ORDER BY c.started_ms, c.call_key"
        }
        Which::Of { tenant: Some(_), profile: None } => {
            "rs_call_tenant AS t INDEXED BY rs_call_tenant_started
             CROSS JOIN rs_call AS c ON c.call_key = t.call_key
             WHERE t.tenant_id = ?3 AND ?4 IS ?4 AND (t.started_ms, t.call_key) > (?1, ?2)
             ORDER BY t.started_ms, t.call_key"
        }
        Which::Of { tenant: None, profile: None } => {
            "rs_call AS c INDEXED BY rs_call_profile
             WHERE c.profile_id IS NULL AND ?3 IS ?4 AND (c.started_ms, c.call_key) > (?1, ?2)
             ORDER BY c.started_ms, c.call_key"
        }
        Which::All | Which::Loose => {
            "rs_call AS c INDEXED BY rs_call_started
             WHERE ?3 IS ?4 AND (c.started_ms, c.call_key) > (?1, ?2)
             ORDER BY c.started_ms, c.call_key"
        }
    };
    format!(
        "SELECT c.started_ms, c.call_key, c.component_type, c.component_id, c.session_id, c.guid,
           c.live, c.ended_ms, c.tenant_id, c.profile_id
         FROM {of} LIMIT ?5"
    )
}

fn page(db: &Connection, which: Which, after: After, most: u32) -> Result<Vec<Seen>, StoreError> {
    let (After::Call(started_ms, key) | After::Event(started_ms, key)) = after;
    let [tenant, profile] = match which {
        Which::Of { tenant, profile } => [tenant, profile],
        Which::All | Which::Loose => [None, None],
    };
    let mut page = db.prepare_cached(&page_sql(which))?;
    let page = page.query_map(params![started_ms, key, tenant, profile, most], seen)?;
    Ok(page.collect::<Result<_, _>>()?)
}

fn seen(row: &Row<'_>) -> rusqlite::Result<Seen> {
    Ok(Seen {
        started_ms: row.get(0)?,
        call_key: row.get(1)?,
        component_type: row.get(2)?,
        component_id: row.get(3)?,
        session_id: row.get(4)?,
        guid: row.get(5)?,
        live: row.get(6)?,
        ended_ms: row.get(7)?,
        tenant: row.get(8)?,
        profile: row.get(9)?,
    })
}

/// What hangs on calls. Those that a record changes meanwhile are left for the next run.
fn of_calls(
    (days, now_ms): (&mut Days, i64),
    day: Day,
    due: &Due,
    after: After,
    most: u32,
) -> Result<Slice, StoreError> {
    let Some(db) = days.find(day, now_ms)? else { return Ok(Slice::default()) };
    let all = page(db, due.which, after, most)?;
    let next = behind(&all, most);
    let mut calls: Vec<Seen> = all.into_iter().filter(|call| call.is_due(due)).collect();
    let asked = sessions(day, &calls);
    let mut found = Vec::new();
    for of in key::beside(day).into_iter().filter(|of| *of != day && !asked.is_empty()) {
        days.ask(of, now_ms, |db| {
            let mut here = asked.iter().filter(|(day, ..)| *day == of);
            here.try_for_each(|session| candidates(db, session, &mut found))
        })?;
    }
    let Some(db) = days.find(day, now_ms)? else { return Ok(Slice::default()) };
    let transaction = begin(db)?;
    let still: BTreeSet<Seen> = page(&transaction, due.which, after, most)?.into_iter().collect();
    calls.retain(|call| still.contains(call));
    for session in asked.iter().filter(|(of, ..)| *of == day) {
        candidates(&transaction, session, &mut found)?;
    }
    let leaving = leaving(day, &calls, &found);
    let (mut rows, mut left) = (0, i64::from(most) * EVENTS_OF_A_CALL);
    for of in &leaving {
        let gone = said(&transaction, of, due, left)?;
        rows += rows_of(gone);
        left -= i64::try_from(gone).unwrap_or(i64::MAX);
        if left <= 0 {
            // these calls once more
            transaction.commit()?;
            return Ok(Slice { rows, next: Some(after) });
        }
    }
    rows += hanging(&transaction, &calls, &leaving, due)?;
    transaction.commit()?;
    Ok(Slice { rows, next })
}

/// Events of a session, so many.
fn said(db: &Connection, of: &Leaving, due: &Due, most: i64) -> Result<usize, StoreError> {
    let (which, name) = of_facts(&of.name);
    let sql = format!(
        "DELETE FROM rs_call_event WHERE no IN (SELECT t.no FROM rs_call_event AS t
         WHERE {which} AND t.time_ms BETWEEN ?3 AND ?4 AND (t.time_ms < ?5 OR ?6) AND {}
         LIMIT ?7)",
        kind(due.what)
    );
    let (from_ms, to_ms, whole) = (of.times.start(), of.times.end(), due.what == What::Cdr);
    let values = params![of.component_id, name, from_ms, to_ms, due.before_ms, whole, most];
    Ok(db.prepare_cached(&sql)?.execute(values)?)
}

/// What these calls have beside events, and they themselves.
fn hanging(
    db: &Connection,
    calls: &[Seen],
    leaving: &[Leaving],
    due: &Due,
) -> Result<u64, StoreError> {
    let tables = keeping::of_calls(due.what);
    let mut gone = 0;
    for of in leaving.iter().filter(|_| due.what == What::Cdr) {
        let (which, name) = of_facts(&of.name);
        let sql =
            format!("DELETE FROM rs_sq_call AS t WHERE {which} AND t.time_ms BETWEEN ?3 AND ?4");
        let values = params![of.component_id, name, of.times.start(), of.times.end()];
        gone += db.prepare_cached(&sql)?.execute(values)?;
    }
    for call in calls.iter().filter(|call| call.is_over(due)) {
        for table in &tables {
            let sql = format!("DELETE FROM {table} WHERE call_key = ?1");
            gone += db.prepare_cached(&sql)?.execute([call.call_key])?;
        }
    }
    Ok(rows_of(gone))
}

/// Whether anything may be due: by more than the slices go by, never by less.
pub(super) fn is_due(db: &Connection, due: &Due) -> Result<bool, StoreError> {
    let (whose, [tenant, profile]) = match due.which {
        Which::Of { tenant, profile } => {
            (" AND c.tenant_id IS ?2 AND c.profile_id IS ?3", [tenant, profile])
        }
        Which::All | Which::Loose => (" AND ?2 IS ?3", [None, None]),
    };
    let found = |sql: &str| {
        Ok::<_, StoreError>(db.prepare_cached(sql)?.exists(params![
            due.before_ms,
            tenant,
            profile
        ])?)
    };
    let over = |of: &str| {
        format!("SELECT 1 FROM {of} WHERE c.live = 0 AND c.ended_ms < ?1{whose} LIMIT 1")
    };
    let of_call = OF_CALL.replace("{whose}", whose);
    let hangs = match due.which {
        Which::All => "?2 IS ?3".to_owned(),
        Which::Of { .. } => of_call,
        Which::Loose => format!("NOT {of_call}"),
    };
    let events = format!(
        "SELECT 1 FROM rs_call_event AS e WHERE e.time_ms < ?1 AND {} AND {hangs} LIMIT 1",
        kind(due.what)
    );
    let reported = "rs_var_call AS v JOIN rs_call AS c ON c.call_key = v.call_key";
    Ok(match due.what {
        What::Cdr => due.which != Which::Loose && found(&over("rs_call AS c"))?,
        What::Events => found(&events)?,
        What::Var => due.which != Which::Loose && found(&over(reported))? || found(&events)?,
    })
}
