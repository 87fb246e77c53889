//! What of a day goes before the rest of it, slice by slice, in the transaction of the caller; each
//! looks at so many calls or events: those of a tenant or profile by its index.

use rs::Day;
use rs::retention::{Due, What, Which};
use rs::share::SessionName;
use tokio_postgres::Row;

use super::link::{Link, Uid};
use super::load::{signed, uid};
use super::owned::candidates;
use super::purge::REPORT;
use crate::store::StoreError;
use crate::store::keeping::{self, After, EVENTS_OF_A_CALL, Slice, no_ports};
use crate::store::leaving::{Leaving, Seen, behind, leaving, sessions};

/// A call of the session of `e`, which may name its GUID alone.
const OF_CALL: &str = "(EXISTS (SELECT FROM rs_call c WHERE c.day = $1
      AND c.component_id = e.component_id AND c.session_id = e.session_id{whose})
    OR e.session_id = '' AND EXISTS (SELECT FROM rs_call c WHERE c.day = $1
      AND c.component_id = e.component_id AND c.guid = e.guid AND c.component_type <> 1{whose}))";

/// A slice of what is due on a day, from here on.
pub(super) fn slice(
    link: &mut Link,
    day: Day,
    due: &Due,
    after: Option<After>,
    most: u32,
) -> Result<Slice, StoreError> {
    match after.or_else(|| After::first(due)) {
        None => Ok(Slice::default()),
        Some(After::Event(_, key)) => events(link, day, due, Uid(key), most),
        Some(After::Call(started_ms, key)) => of_calls(link, day, due, (started_ms, key), most),
    }
}

/// Events that go, `e`.
fn kind(what: What) -> String {
    match what {
        What::Cdr => "true".to_owned(),
        What::Events => format!("NOT {REPORT} AND {}", no_ports("e.log_id")),
        What::Var => REPORT.to_owned(),
    }
}

/// Of all, or of those of no call.
fn events(
    link: &mut Link,
    day: Day,
    due: &Due,
    after: Uid,
    most: u32,
) -> Result<Slice, StoreError> {
    let day = signed(day);
    // the last one that is looked at
    let looked = "SELECT id_key FROM rs_call_event WHERE day = $1 AND id_key > $2
        ORDER BY id_key LIMIT 1 OFFSET $3";
    let last = link.query(looked, &[&day, &after, &i64::from(most.saturating_sub(1))])?;
    let last = last.first().map(|row| uid(row, 0));
    let loose = match due.which {
        Which::Loose => format!(" AND NOT {}", OF_CALL.replace("{whose}", "")),
        Which::All | Which::Of { .. } => String::new(),
    };
    let sql = format!(
        "DELETE FROM rs_call_event e
         WHERE e.day = $1 AND e.id_key > $2 AND e.id_key <= $3 AND e.time_ms < $4 AND {}{loose}",
        kind(due.what)
    );
    let until = Uid(last.unwrap_or([0xFF; 16]));
    let rows = link.execute(&sql, &[&day, &after, &until, &due.before_ms])?;
    let next = last.map_or_else(|| After::events(due), |last| Some(After::Event(0, last)));
    Ok(Slice { rows, next })
}

/// The calls that are looked at: the next ones of a tenant or profile, or of all.
fn page(
    link: &mut Link,
    day: Day,
    which: Which,
    (started_ms, key): (i64, rs::Key),
    most: u32,
) -> Result<Vec<Seen>, StoreError> {
    let (by, of, owner) = match which {
        Which::Of { profile: Some(profile), .. } => {
            ("c", "rs_call c WHERE c.day = $1 AND c.profile_id = $5", Some(profile))
        }
        Which::Of { tenant: Some(tenant), profile: None } => (
            "t",
            "rs_call_tenant t JOIN rs_call c ON c.day = t.day AND c.call_key = t.call_key
             WHERE t.day = $1 AND t.tenant_id = $5 AND c.day = $1",
            Some(tenant),
        ),
        Which::Of { tenant: None, profile: None } => (
            "c",
            "rs_call c WHERE c.day = $1 AND c.profile_id IS NULL AND $5::bigint IS NULL",
            None,
        ),
        Which::All | Which::Loose => {
            ("c", "rs_call c WHERE c.day = $1 AND $5::bigint IS NULL", None)
        }
    };
    let sql = format!(
        "SELECT c.started_ms, c.call_key, c.component_type, c.component_id, c.session_id, c.guid,
           c.live, c.ended_ms, c.tenant_id, c.profile_id
         FROM {of} AND ({by}.started_ms, {by}.call_key) > ($2, $3)
         ORDER BY {by}.started_ms, {by}.call_key LIMIT $4 FOR UPDATE OF c"
    );
    let most = i64::from(most);
    let values: super::link::Values<'_> = &[&signed(day), &started_ms, &Uid(key), &most, &owner];
    Ok(link.query(&sql, values)?.iter().map(seen).collect())
}

fn seen(row: &Row) -> Seen {
    Seen {
        started_ms: row.get(0),
        call_key: uid(row, 1),
        component_type: u8::try_from(row.get::<_, i16>(2)).unwrap_or_default(),
        component_id: row.get(3),
        session_id: row.get(4),
        guid: row.get(5),
        live: row.get(6),
        ended_ms: row.get(7),
        tenant: row.get(8),
        profile: row.get(9),
    }
}

/// What hangs on calls.
fn of_calls(
    link: &mut Link,
    day: Day,
    due: &Due,
    after: (i64, rs::Key),
    most: u32,
) -> Result<Slice, StoreError> {
    let all = page(link, day, due.which, after, most)?;
    let next = behind(&all, most);
    let calls: Vec<Seen> = all.into_iter().filter(|call| call.is_due(due)).collect();
    let found = candidates(link, &sessions(day, &calls))?;
    let leaving = leaving(day, &calls, &found);
    let (mut rows, mut left) = (0, i64::from(most) * EVENTS_OF_A_CALL);
    for by_guid in [false, true] {
        let gone = said(link, day, due, (&leaving, by_guid), left)?;
        rows += gone;
        left -= i64::try_from(gone).unwrap_or(i64::MAX);
        if left <= 0 {
            // these calls once more
            return Ok(Slice { rows, next: Some(After::Call(after.0, after.1)) });
        }
    }
    rows += hanging(link, day, (&calls, &leaving), due)?;
    Ok(Slice { rows, next })
}

/// Times of sessions as the statements take them.
struct Times<'l> {
    components: Vec<i64>,
    names: Vec<&'l str>,
    from_ms: Vec<i64>,
    to_ms: Vec<i64>,
}

impl<'l> Times<'l> {
    fn of(leaving: &'l [Leaving], guids: bool) -> Self {
        let (mut components, mut names) = (Vec::new(), Vec::new());
        let (mut from_ms, mut to_ms) = (Vec::new(), Vec::new());
        for Leaving { component_id, name, times } in leaving {
            let (by_guid, name) = match name {
                SessionName::Id(id) => (false, id),
                SessionName::Guid(guid) => (true, guid),
            };
            if by_guid == guids {
                components.push(*component_id);
                names.push(&**name);
                from_ms.push(*times.start());
                to_ms.push(*times.end());
            }
        }
        Self { components, names, from_ms, to_ms }
    }
}

/// Keys of rows `e` of a table that were told in these times; each session is sought. Values 1 to
/// 5, `more` has its own.
fn told(table: &str, by_guid: bool, more: &str) -> String {
    let which = match by_guid {
        false => "e.session_id = s.name",
        true => "e.session_id = '' AND e.guid = s.name",
    };
    format!(
        "SELECT o.id_key FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::bigint[])
           AS s (component_id, name, from_ms, to_ms)
         CROSS JOIN LATERAL (SELECT e.id_key FROM {table} e
           WHERE e.day = $1 AND e.component_id = s.component_id AND {which}
             AND e.time_ms BETWEEN s.from_ms AND s.to_ms{more} OFFSET 0) o"
    )
}

/// Events of sessions, so many.
fn said(
    link: &mut Link,
    day: Day,
    due: &Due,
    (leaving, by_guid): (&[Leaving], bool),
    most: i64,
) -> Result<u64, StoreError> {
    let Times { components, names, from_ms, to_ms } = Times::of(leaving, by_guid);
    if names.is_empty() {
        return Ok(0);
    }
    let more = format!(" AND (e.time_ms < $6 OR $7) AND {}", kind(due.what));
    let sql = format!(
        "DELETE FROM rs_call_event WHERE day = $1 AND id_key IN ({} LIMIT $8)",
        told("rs_call_event", by_guid, &more)
    );
    let whole = due.what == What::Cdr;
    let values: super::link::Values<'_> =
        &[&signed(day), &components, &names, &from_ms, &to_ms, &due.before_ms, &whole, &most];
    link.execute(&sql, values)
}

/// What these calls have beside events, and they themselves.
fn hanging(
    link: &mut Link,
    day: Day,
    (calls, leaving): (&[Seen], &[Leaving]),
    due: &Due,
) -> Result<u64, StoreError> {
    let tables = keeping::of_calls(due.what);
    let (day, mut gone) = (signed(day), 0);
    for by_guid in [false, true].into_iter().filter(|_| due.what == What::Cdr) {
        let Times { components, names, from_ms, to_ms } = Times::of(leaving, by_guid);
        let sql = format!(
            "DELETE FROM rs_sq_call WHERE day = $1 AND id_key IN ({})",
            told("rs_sq_call", by_guid, "")
        );
        gone += link.execute(&sql, &[&day, &components, &names, &from_ms, &to_ms])?;
    }
    let over = calls.iter().filter(|call| call.is_over(due));
    let keys: Vec<Uid> = over.map(|call| Uid(call.call_key)).collect();
    for table in tables.iter().filter(|_| !keys.is_empty()) {
        let sql = format!("DELETE FROM {table} WHERE day = $1 AND call_key = ANY($2)");
        gone += link.execute(&sql, &[&day, &keys])?;
    }
    Ok(gone)
}

/// Whether anything may be due: by more than the slices go by, never by less.
pub(super) fn is_due(link: &mut Link, day: Day, due: &Due) -> Result<bool, StoreError> {
    let (whose, [tenant, profile]) = match due.which {
        Which::Of { tenant, profile } => (
            " AND c.tenant_id IS NOT DISTINCT FROM $3 AND c.profile_id IS NOT DISTINCT FROM $4",
            [tenant, profile],
        ),
        Which::All | Which::Loose => ("", [None, None]),
    };
    let mut found = |sql: &str| {
        // values that a question has no use for
        let sql = format!(
            "{sql} AND $3::bigint IS NOT DISTINCT FROM $3
            AND $4::bigint IS NOT DISTINCT FROM $4 LIMIT 1"
        );
        let rows = link.query(&sql, &[&signed(day), &due.before_ms, &tenant, &profile])?;
        Ok::<_, StoreError>(!rows.is_empty())
    };
    let over = |of: &str| {
        format!("SELECT 1 FROM {of} WHERE c.day = $1 AND NOT c.live AND c.ended_ms < $2{whose}")
    };
    let of_call = OF_CALL.replace("{whose}", whose);
    let hangs = match due.which {
        Which::All => "true".to_owned(),
        Which::Of { .. } => of_call,
        Which::Loose => format!("NOT {of_call}"),
    };
    let events = format!(
        "SELECT 1 FROM rs_call_event e WHERE e.day = $1 AND e.time_ms < $2 AND {} AND {hangs}",
        kind(due.what)
    );
    let reported = "rs_var_call v JOIN rs_call c ON c.day = v.day AND c.call_key = v.call_key";
    Ok(match due.what {
        What::Cdr => due.which != Which::Loose && found(&over("rs_call c"))?,
        What::Events => found(&events)?,
        What::Var => due.which != Which::Loose && found(&over(reported))? || found(&events)?,
    })
}
