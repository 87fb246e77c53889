//! What goes from the tables: whole partitions where that can be, else slices. All in the
//! transaction of the caller.

use rs::Day;
use rs::retention::{Due, What, Which};
use rs::rollup::Granularity;

use super::bin_rows;
use super::link::{Link, Uid};
use super::load::{signed, uid};
use crate::store::StoreError;
use crate::store::bins::Table;
use crate::store::keeping::{Aged, FACTS, no_ports};

/// An event is of a call from so long before its start to so long after its end, ms.
const AROUND_MS: i64 = 60_000;
/// A level, `b`, that is the one before of none that stays.
const IS_FOLLOWED: &str = " AND (b.level_start + b.net = 0 OR EXISTS (
    SELECT FROM rs_conc_bin n WHERE n.gran = b.gran AND n.dim = b.dim AND n.dim_id = b.dim_id
      AND n.measure = b.measure AND n.sub = b.sub AND n.bin_ms > b.bin_ms AND n.bin_ms < $2))";
/// Reports of voice applications are events with such a label.
pub(super) const REPORT: &str = "coalesce(e.label LIKE 'com.genesyslab.var.%', false)";

/// A call of the session of `e`, which may be used again, ...
const OF_CALL: &str = "SELECT 1 FROM rs_call c WHERE c.day = e.day
    AND c.component_id = e.component_id AND c.session_id = e.session_id";
/// ... that `e` may be of: it stays as long as such a call of others does.
const AROUND: &str =
    "e.time_ms BETWEEN c.started_ms - 60000 AND coalesce(c.ended_ms, e.time_ms) + 60000";

/// A slice of what is due.
pub(super) fn due(link: &mut Link, day: Day, due: &Due, most: u32) -> Result<u64, StoreError> {
    let Due { what, which, before_ms } = *due;
    match what {
        What::Cdr => calls(link, day, which, before_ms, most),
        What::Events => events(link, day, (which, before_ms, most), &plain(which)),
        What::Var => {
            let calls = reports(link, day, which, before_ms, most)?;
            let reports = which_events(REPORT, which);
            Ok(calls + events(link, day, (which, before_ms, most), &reports)?)
        }
    }
}

/// The calls of a tenant and profile, `c`; values 4 and 5.
fn of(which: Which) -> (&'static str, [Option<i64>; 2]) {
    match which {
        Which::Of { tenant, profile } => (
            " AND c.tenant_id IS NOT DISTINCT FROM $4 AND c.profile_id IS NOT DISTINCT FROM $5",
            [tenant, profile],
        ),
        Which::All | Which::Loose => {
            (" AND $4::bigint IS NULL AND $5::bigint IS NULL", [None, None])
        }
    }
}

fn calls(
    link: &mut Link,
    day: Day,
    which: Which,
    before_ms: i64,
    most: u32,
) -> Result<u64, StoreError> {
    let (whose, [tenant, profile]) = of(which);
    let sql = format!(
        "SELECT c.call_key, c.component_id, c.session_id, c.started_ms, c.ended_ms FROM rs_call c
         WHERE c.day = $1 AND NOT c.live AND c.ended_ms < $2{whose}
         ORDER BY c.call_key LIMIT $3 FOR UPDATE"
    );
    let day = signed(day);
    let values = (i64::from(most), tenant, profile);
    let rows = link.query(&sql, &[&day, &before_ms, &values.0, &values.1, &values.2])?;
    let keys: Vec<Uid> = rows.iter().map(|row| Uid(uid(row, 0))).collect();
    let components: Vec<i64> = rows.iter().map(|row| row.get(1)).collect();
    let sessions: Vec<String> = rows.iter().map(|row| row.get(2)).collect();
    let first: Vec<i64> = rows.iter().map(|row| row.get::<_, i64>(3) - AROUND_MS).collect();
    let last: Vec<i64> = rows.iter().map(|row| row.get::<_, i64>(4) + AROUND_MS).collect();
    if keys.is_empty() {
        return Ok(0);
    }
    let mut gone = 0;
    for (table, by) in FACTS {
        if by.first() == Some(&"call_key") {
            let sql = format!("DELETE FROM {table} WHERE day = $1 AND call_key = ANY($2)");
            gone += link.execute(&sql, &[&day, &keys])?;
        } else if table != "rs_kept_record" {
            let sql = format!(
                "DELETE FROM {table} e
                 USING unnest($2::bigint[], $3::text[], $4::bigint[], $5::bigint[])
                   AS s (component_id, session_id, first_ms, last_ms)
                 WHERE e.day = $1 AND e.component_id = s.component_id
                   AND e.session_id = s.session_id
                   AND e.time_ms BETWEEN s.first_ms AND s.last_ms
                   AND NOT EXISTS ({OF_CALL} AND {AROUND} AND c.call_key <> ALL($6))"
            );
            gone += link.execute(&sql, &[&day, &components, &sessions, &first, &last, &keys])?;
        }
    }
    Ok(gone)
}

/// Keys of events that are no reports, nor of ports.
fn plain(which: Which) -> String {
    which_events(&format!("NOT {REPORT} AND {}", no_ports("e.log_id")), which)
}

/// Keys of events whose label is as `kind` says.
fn which_events(kind: &str, which: Which) -> String {
    let (whose, _) = of(which);
    let hangs = match which {
        Which::All => format!("true{whose}"),
        Which::Of { .. } => format!(
            "EXISTS ({OF_CALL}{whose})
             AND NOT EXISTS ({OF_CALL} AND {AROUND} AND NOT (true{whose}))"
        ),
        Which::Loose => format!("NOT EXISTS ({OF_CALL}){whose}"),
    };
    format!(
        "SELECT e.id_key FROM rs_call_event e
         WHERE e.day = $1 AND e.time_ms < $2 AND {kind} AND {hangs} LIMIT $3"
    )
}

fn events(
    link: &mut Link,
    day: Day,
    (which, before_ms, most): (Which, i64, u32),
    keys: &str,
) -> Result<u64, StoreError> {
    let (_, [tenant, profile]) = of(which);
    let sql = format!("DELETE FROM rs_call_event WHERE day = $1 AND id_key IN ({keys})");
    link.execute(&sql, &[&signed(day), &before_ms, &i64::from(most), &tenant, &profile])
}

/// Whether a slice of it would delete anything.
pub(super) fn is_due(link: &mut Link, day: Day, due: &Due) -> Result<bool, StoreError> {
    let Due { what, which, before_ms } = *due;
    let (whose, [tenant, profile]) = of(which);
    let mut found = |sql: &str| {
        let rows = link.query(sql, &[&signed(day), &before_ms, &1_i64, &tenant, &profile])?;
        Ok::<_, StoreError>(!rows.is_empty())
    };
    let calls = |of: &str| {
        let over = "c.day = $1 AND NOT c.live AND c.ended_ms < $2";
        format!("SELECT 1 FROM {of} WHERE {over}{whose} LIMIT $3")
    };
    Ok(match what {
        What::Cdr => found(&calls("rs_call c"))?,
        What::Events => found(&plain(which))?,
        What::Var => {
            let of = "rs_var_call v JOIN rs_call c ON c.day = v.day AND c.call_key = v.call_key";
            which != Which::Loose && found(&calls(of))? || found(&which_events(REPORT, which))?
        }
    })
}

/// What voice applications reported of calls that are over.
fn reports(
    link: &mut Link,
    day: Day,
    which: Which,
    before_ms: i64,
    most: u32,
) -> Result<u64, StoreError> {
    if which == Which::Loose {
        return Ok(0);
    }
    let (whose, [tenant, profile]) = of(which);
    let sql = format!(
        "SELECT c.call_key FROM rs_var_call v
         JOIN rs_call c ON c.day = v.day AND c.call_key = v.call_key
         WHERE v.day = $1 AND NOT c.live AND c.ended_ms < $2{whose} LIMIT $3"
    );
    let day = signed(day);
    let rows = link.query(&sql, &[&day, &before_ms, &i64::from(most), &tenant, &profile])?;
    let keys: Vec<Uid> = rows.iter().map(|row| Uid(uid(row, 0))).collect();
    let mut gone = 0;
    for table in ["rs_var_action", "rs_var_custom", "rs_var_call"] {
        let sql = format!("DELETE FROM {table} WHERE day = $1 AND call_key = ANY($2)");
        gone += link.execute(&sql, &[&day, &keys])?;
    }
    Ok(gone)
}

/// The partitions of a day's facts, then what lies among the rest, unless a call has come that
/// keeps them.
pub(super) fn facts(link: &mut Link, day: Day, last_ms: i64, most: u32) -> Result<u64, StoreError> {
    let tables: Vec<&str> = FACTS.iter().map(|(table, _)| *table).collect();
    match drop_day(link, day, &tables, Some(last_ms))? {
        Some(0) => {}
        gone => return Ok(gone.unwrap_or(0)),
    }
    for (table, by) in FACTS {
        let rows = slice(link, table, by, day, most)?;
        if rows > 0 {
            return Ok(rows);
        }
    }
    // what the rollup job keeps of the day
    for (table, by) in [("rs_day_number", &["dim_id"]), ("rs_fact_span", &["day"])] {
        let rows = slice(link, table, by, day, most)?;
        if rows > 0 {
            return Ok(rows);
        }
    }
    link.execute("DELETE FROM rs_call_day WHERE day = $1", &[&signed(day)])
}

/// The ledger of a day without calls.
pub(super) fn ledger(link: &mut Link, day: Day, most: u32) -> Result<u64, StoreError> {
    let sql = "SELECT EXISTS (SELECT FROM rs_call WHERE day = $1)";
    let held = link.query(sql, &[&signed(day)])?;
    if held.first().is_none_or(|row| row.get(0)) {
        return Ok(0);
    }
    let mut tables = vec!["rs_fact_ledger"];
    let sql = "SELECT EXISTS (SELECT FROM rs_sq_failure WHERE day = $1)";
    if link.query(sql, &[&signed(day)])?.first().is_some_and(|row| !row.get::<_, bool>(0)) {
        tables.push("rs_sq_failure");
    }
    match drop_day(link, day, &tables, None)? {
        Some(0) => slice(link, "rs_fact_ledger", &["id_key"], day, most),
        gone => Ok(gone.unwrap_or(0)),
    }
}

/// How many partitions went; `None`: a call of the day is in progress or ended after `last_ms`.
fn drop_day(
    link: &mut Link,
    day: Day,
    tables: &[&str],
    last_ms: Option<i64>,
) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT rs_drop_day($1, $2, $3)";
    let rows = link.query(sql, &[&signed(day), &tables, &last_ms])?;
    Ok(rows.first().and_then(|row| u64::try_from(row.get::<_, i32>(0)).ok()))
}

fn slice(
    link: &mut Link,
    table: &str,
    by: &[&str],
    day: Day,
    most: u32,
) -> Result<u64, StoreError> {
    let by = by.join(", ");
    let sql = format!(
        "DELETE FROM {table} WHERE day = $1
         AND ({by}) IN (SELECT {by} FROM {table} WHERE day = $1 LIMIT $2)"
    );
    link.execute(&sql, &[&signed(day), &i64::from(most)])
}

/// A slice of what is older.
pub(super) fn aged(
    link: &mut Link,
    aged: Aged,
    before_ms: i64,
    most: u32,
) -> Result<u64, StoreError> {
    let tables: &[(&str, &str, &str)] = match aged {
        Aged::Letters => &[("rs_dead_letter", "no", "received_ms")],
        Aged::Audit => {
            // a writer may not delete what operators did
            let gone =
                link.query("SELECT rs_trim_audit($1, $2)", &[&before_ms, &i64::from(most)])?;
            return Ok(gone.first().map_or(0, |row| row.get::<_, i64>(0).cast_unsigned()));
        }
        Aged::Exports => &[("rs_export_run", "no", "started_ms")],
        Aged::Minutes => &[
            ("rs_integrity_minute", "producer, boot, minute_ms", "minute_ms"),
            ("rs_stored_minute", "producer, boot, minute_ms", "minute_ms"),
        ],
        Aged::Streams => {
            let sql = "DELETE FROM rs_producer_stream WHERE (producer, boot, stream) IN (
                SELECT s.producer, s.boot, s.stream FROM rs_producer_stream s
                WHERE s.last_ms < $1 AND s.boot < (SELECT max(n.boot)
                  FROM rs_producer_stream n WHERE n.producer = s.producer) LIMIT $2)";
            return link.execute(sql, &[&before_ms, &i64::from(most)]);
        }
        Aged::Failures => &[("rs_sq_failure", "day, failure_key", "time_ms")],
        // they are in the days
        Aged::Apart => &[],
        Aged::Bins(table, of) => return bins(link, table, of, before_ms, most),
    };
    let mut gone = 0;
    for (table, by, column) in tables {
        let sql = format!(
            "DELETE FROM {table} WHERE ({by}) IN
               (SELECT {by} FROM {table} WHERE {column} < $1 LIMIT $2)"
        );
        gone += link.execute(&sql, &[&before_ms, &i64::from(most)])?;
    }
    Ok(gone)
}

/// A slice of the bins of one length, the oldest first.
fn bins(
    link: &mut Link,
    table: Table,
    of: Granularity,
    before_ms: i64,
    most: u32,
) -> Result<u64, StoreError> {
    let name = bin_rows::shape(table).table;
    let of_level = if table == Table::Levels { IS_FOLLOWED } else { "" };
    let sql = format!(
        "DELETE FROM {name} WHERE ctid = ANY(ARRAY(SELECT b.ctid FROM {name} b
         WHERE b.gran = $1 AND b.bin_ms < $2{of_level} ORDER BY b.bin_ms LIMIT $3))"
    );
    link.execute(&sql, &[&i16::from(of.number()), &before_ms, &i64::from(most)])
}
