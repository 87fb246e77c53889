//! What goes from a file, slice by slice, each in a transaction of its own.

use rs::key;
use rs::retention::{Due, What, Which};
use rs::rollup::Granularity;
use rusqlite::{Connection, ToSql, params};

use super::write::begin;
use super::{bin_rows, files};
use crate::store::bins::Table;
use crate::store::keeping::{Aged, FACTS, no_ports};
use crate::store::{Day, StoreError};

/// An event is of a call from so long before its start to so long after its end, ms.
const AROUND_MS: i64 = 60_000;
/// A call of the session of `e`, which may be used again, ...
const OF_CALL: &str = "SELECT 1 FROM rs_call AS c
    WHERE c.component_id = e.component_id AND c.session_id = e.session_id";
/// ... that `e` may be of: it stays as long as such a call of others does.
const AROUND: &str =
    "e.time_ms BETWEEN c.started_ms - 60000 AND ifnull(c.ended_ms, e.time_ms) + 60000";
/// Free pages of a file that are worth giving back, of 8 KiB.
const FREE_PAGES: i64 = 128;
/// A level, `b`, that is the one before of none that stays.
const IS_FOLLOWED: &str = " AND (level_start + net = 0 OR EXISTS (
    SELECT 1 FROM rs_conc_bin AS n WHERE n.gran = b.gran AND n.dim = b.dim AND n.dim_id = b.dim_id
      AND n.measure = b.measure AND n.sub = b.sub AND n.bin_ms > b.bin_ms AND n.bin_ms < ?2))";
/// Reports of voice applications are events with such a label.
pub(super) const REPORT: &str = "label GLOB 'com.genesyslab.var.*'";

/// A slice of what is due.
pub(super) fn due(db: &mut Connection, due: &Due, most: u32) -> Result<u64, StoreError> {
    let Due { what, which, before_ms } = *due;
    match what {
        What::Cdr => calls(db, which, before_ms, most),
        What::Events => events(db, &plain(which), which, before_ms, most),
        What::Var => {
            let calls = reports(db, which, before_ms, most)?;
            Ok(calls + events(db, &which_events(REPORT, which), which, before_ms, most)?)
        }
    }
}

/// The calls of a tenant and profile, `c`; values 3 and 4.
fn of(which: Which) -> (&'static str, [Option<i64>; 2]) {
    match which {
        Which::Of { tenant, profile } => {
            (" AND c.tenant_id IS ?3 AND c.profile_id IS ?4", [tenant, profile])
        }
        Which::All | Which::Loose => (" AND ?3 IS NULL AND ?4 IS NULL", [None, None]),
    }
}

/// Whether a slice of it would delete anything.
pub(super) fn is_due(db: &Connection, due: &Due) -> Result<bool, StoreError> {
    let Due { what, which, before_ms } = *due;
    let (whose, [tenant, profile]) = of(which);
    let values = params![before_ms, 1, tenant, profile];
    let found = |sql: &str| Ok::<_, StoreError>(db.prepare_cached(sql)?.exists(values)?);
    let calls = |of: &str| {
        format!("SELECT 1 FROM {of} WHERE c.live = 0 AND c.ended_ms < ?1{whose} LIMIT ?2")
    };
    Ok(match what {
        What::Cdr => found(&calls("rs_call AS c"))?,
        What::Events => found(&plain(which))?,
        What::Var => {
            let of = "rs_var_call AS v JOIN rs_call AS c ON c.call_key = v.call_key";
            which != Which::Loose && found(&calls(of))? || found(&which_events(REPORT, which))?
        }
    })
}

fn calls(db: &mut Connection, which: Which, before_ms: i64, most: u32) -> Result<u64, StoreError> {
    let transaction = db.transaction()?;
    let (whose, [tenant, profile]) = of(which);
    let sql = format!(
        "SELECT c.call_key, c.component_id, c.session_id, c.started_ms, c.ended_ms
         FROM rs_call AS c
         WHERE c.live = 0 AND c.ended_ms < ?1{whose} LIMIT ?2"
    );
    let mut statement = transaction.prepare_cached(&sql)?;
    let rows = statement.query_map(params![before_ms, most, tenant, profile], |row| {
        Ok((row.get::<_, rs::Key>(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
    })?;
    let found: Vec<(rs::Key, i64, String, i64, i64)> = rows.collect::<Result<_, _>>()?;
    drop(statement);
    let mut gone = 0;
    for (key, component, session, started_ms, ended_ms) in found {
        let (first, last) = (started_ms - AROUND_MS, ended_ms + AROUND_MS);
        for (table, by) in FACTS {
            let values: &[&dyn ToSql] = match *by.first().unwrap_or(&"") {
                "call_key" => &[&key],
                _ if table == "rs_kept_record" => continue,
                _ => &[&component, &session, &first, &last, &key],
            };
            let by_key = values.len() == 1;
            let sql = match by_key {
                true => format!("DELETE FROM {table} WHERE call_key = ?1"),
                false => format!(
                    "DELETE FROM {table} AS e WHERE component_id = ?1 AND session_id = ?2
                       AND time_ms BETWEEN ?3 AND ?4
                       AND NOT EXISTS ({OF_CALL} AND {AROUND} AND c.call_key <> ?5)"
                ),
            };
            gone += transaction.prepare_cached(&sql)?.execute(values)?;
        }
    }
    transaction.commit()?;
    Ok(rows_of(gone))
}

/// The numbers of events that are no reports, nor of ports.
fn plain(which: Which) -> String {
    which_events(&format!("(label IS NULL OR NOT {REPORT}) AND {}", no_ports("log_id")), which)
}

/// The numbers of events; `kind` says which labels.
fn which_events(kind: &str, which: Which) -> String {
    let (whose, _) = of(which);
    let hangs = match which {
        Which::All => format!("1{whose}"),
        Which::Of { .. } => format!(
            "EXISTS ({OF_CALL}{whose})
             AND NOT EXISTS ({OF_CALL} AND {AROUND} AND NOT (1{whose}))"
        ),
        Which::Loose => format!("NOT EXISTS ({OF_CALL}){whose}"),
    };
    format!(
        "SELECT e.no FROM rs_call_event AS e WHERE e.time_ms < ?1 AND {kind} AND {hangs} LIMIT ?2"
    )
}

fn events(
    db: &Connection,
    numbers: &str,
    which: Which,
    before_ms: i64,
    most: u32,
) -> Result<u64, StoreError> {
    let (_, [tenant, profile]) = of(which);
    let sql = format!("DELETE FROM rs_call_event WHERE no IN ({numbers})");
    let values = params![before_ms, most, tenant, profile];
    Ok(rows_of(db.prepare_cached(&sql)?.execute(values)?))
}

/// What voice applications reported of calls that are over.
fn reports(
    db: &mut Connection,
    which: Which,
    before_ms: i64,
    most: u32,
) -> Result<u64, StoreError> {
    if which == Which::Loose {
        return Ok(0);
    }
    let transaction = db.transaction()?;
    let (whose, [tenant, profile]) = of(which);
    let sql = format!(
        "SELECT c.call_key FROM rs_var_call AS v JOIN rs_call AS c ON c.call_key = v.call_key
         WHERE c.live = 0 AND c.ended_ms < ?1{whose} LIMIT ?2"
    );
    let mut statement = transaction.prepare_cached(&sql)?;
    let rows = statement
        .query_map(params![before_ms, most, tenant, profile], |row| row.get::<_, rs::Key>(0))?;
    let keys: Vec<rs::Key> = rows.collect::<Result<_, _>>()?;
    drop(statement);
    let mut gone = 0;
    for key in keys {
        for table in ["rs_var_action", "rs_var_custom", "rs_var_call"] {
            let sql = format!("DELETE FROM {table} WHERE call_key = ?1");
            gone += transaction.prepare_cached(&sql)?.execute([key])?;
        }
    }
    transaction.commit()?;
    Ok(rows_of(gone))
}

/// Has no call of the day shown from now on, whatever the power does; false: one has come that
/// keeps them. A question finds no day that is half there.
pub(super) fn hide(db: &mut Connection, last_ms: i64) -> Result<bool, StoreError> {
    let transaction = begin(db)?;
    if came_late(&transaction, last_ms)? {
        return Ok(false);
    }
    let going = "INSERT OR IGNORE INTO rs_day_going SELECT 1 WHERE EXISTS (SELECT 1 FROM rs_call)";
    transaction.execute(going, [])?;
    transaction.commit()?;
    Ok(true)
}

/// A call that comes is shown, and with it what is left of its day.
pub(super) fn show(db: &Connection) -> Result<(), StoreError> {
    db.prepare_cached("DELETE FROM rs_day_going")?.execute([])?;
    Ok(())
}

/// Whether no call of the day is shown.
pub(super) fn is_hidden(db: &Connection) -> Result<bool, StoreError> {
    Ok(db.prepare_cached("SELECT 1 FROM rs_day_going")?.exists([])?)
}

/// Whether there are calls of the day.
pub(super) fn has_calls(db: &Connection) -> Result<bool, StoreError> {
    Ok(db.prepare_cached("SELECT 1 FROM rs_call LIMIT 1")?.exists([])?)
}

/// A slice of all facts, unless a call has come that keeps them.
pub(super) fn facts(db: &mut Connection, last_ms: i64, most: u32) -> Result<u64, StoreError> {
    let transaction = begin(db)?;
    if came_late(&transaction, last_ms)? {
        return Ok(0);
    }
    for (table, by) in FACTS {
        // events have no index of their ids
        let by = if table == "rs_call_event" { &["no"] } else { by };
        let rows = slice(&transaction, table, by, "1", most)?;
        if rows > 0 {
            transaction.commit()?;
            return Ok(rows);
        }
    }
    show(&transaction)?;
    transaction.commit()?;
    Ok(0)
}

/// Whether a call is in progress, or ended after this.
pub(super) fn came_late(db: &Connection, last_ms: i64) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM rs_call WHERE live = 1)
        OR EXISTS (SELECT 1 FROM rs_call WHERE ended_ms > ?1)";
    Ok(db.query_row(sql, [last_ms], |row| row.get(0))?)
}

/// Gives the free pages of a file back.
pub(super) fn give_back(db: &Connection) -> Result<(), StoreError> {
    let free: i64 = db.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
    if free > FREE_PAGES {
        files::write_anew(db)?;
        db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    }
    Ok(())
}

/// Something in the file is kept longer than the ledger.
pub(super) fn held(db: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM rs_call) OR EXISTS (SELECT 1 FROM rs_sq_failure)
        OR EXISTS (SELECT 1 FROM rs_dead_letter)";
    Ok(db.query_row(sql, [], |row| row.get(0))?)
}

/// A slice of the ledger, unless there are calls.
pub(super) fn ledger(db: &Connection, most: u32) -> Result<u64, StoreError> {
    slice(db, "rs_fact_ledger", &["id_key"], "NOT EXISTS (SELECT 1 FROM rs_call)", most)
}

/// A slice of what is older in the main file.
pub(super) fn aged_of_main(
    db: &Connection,
    aged: Aged,
    before_ms: i64,
    most: u32,
) -> Result<u64, StoreError> {
    let older = |table, by: &[&str], column: &str| {
        slice(db, table, by, &format!("{column} < {before_ms}"), most)
    };
    match aged {
        // the last one stays, so that no number is given twice
        Aged::Letters => {
            let last = "no < (SELECT max(no) FROM rs_dead_letter) AND received_ms";
            older("rs_dead_letter", &["no"], last)
        }
        Aged::Audit => older("rs_audit_log", &["no"], "time_ms"),
        Aged::Exports => older("rs_export_run", &["no"], "started_ms"),
        Aged::Minutes => {
            older("rs_integrity_minute", &["producer", "boot", "minute_ms"], "minute_ms")
        }
        Aged::Streams => {
            let last = "boot < (SELECT max(n.boot) FROM rs_producer_stream AS n
                WHERE n.producer = rs_producer_stream.producer) AND last_ms";
            older("rs_producer_stream", &["producer", "boot", "stream"], last)
        }
        Aged::Failures => Ok(0),
        Aged::Bins(table, of) => bins(db, table, of, before_ms, most),
        Aged::Apart => {
            let seconds = u32::try_from(before_ms / 1000).unwrap_or(0);
            let which = format!("id_key < x'{seconds:08x}'");
            let kept = slice(db, "rs_kept_record", &["id_key"], &which, most)?;
            Ok(kept + slice(db, "rs_fact_ledger", &["id_key"], &which, most)?)
        }
    }
}

/// A slice of what is older in a day's file.
pub(super) fn aged_of_day(
    db: &Connection,
    aged: Aged,
    before_ms: i64,
    most: u32,
) -> Result<u64, StoreError> {
    let (table, by, column) = match aged {
        Aged::Letters => ("rs_dead_letter", ["no"], "received_ms"),
        Aged::Failures => ("rs_sq_failure", ["failure_key"], "time_ms"),
        Aged::Audit
        | Aged::Exports
        | Aged::Minutes
        | Aged::Streams
        | Aged::Apart
        | Aged::Bins(..) => return Ok(0),
    };
    slice(db, table, &by, &format!("{column} < {before_ms}"), most)
}

/// A slice of the bins of one length, the oldest first.
fn bins(
    db: &Connection,
    table: Table,
    of: Granularity,
    before_ms: i64,
    most: u32,
) -> Result<u64, StoreError> {
    let name = bin_rows::name(table);
    let key = match table {
        Table::Counts => "gran, dim, dim_id, bin_ms, measure, sub, call_type",
        Table::Levels => "gran, dim, dim_id, measure, sub, bin_ms",
        Table::Outcomes => "gran, dim, dim_id, bin_ms, result, reason_key",
        Table::Actions => "gran, dim, dim_id, bin_ms, action_key, result",
        Table::Quality => "gran, dim, dim_id, bin_ms",
        Table::Latencies => "gran, component_id, bin_ms, type",
    };
    let of_level = if table == Table::Levels { IS_FOLLOWED } else { "" };
    let sql = format!(
        "DELETE FROM {name} WHERE ({key}) IN (SELECT {key} FROM {name} AS b
         WHERE gran = ?1 AND bin_ms < ?2{of_level} ORDER BY bin_ms LIMIT ?3)"
    );
    let values = params![of.number(), before_ms, most];
    Ok(rows_of(db.prepare_cached(&sql)?.execute(values)?))
}

/// A slice of what the rollup job keeps of a day.
pub(super) fn of_job(db: &Connection, day: Day, most: u32) -> Result<u64, StoreError> {
    for (table, by) in [("rs_day_number", &["day", "dim_id"][..]), ("rs_fact_span", &["day"])] {
        let rows = slice(db, table, by, &format!("day = {day}"), most)?;
        if rows > 0 {
            return Ok(rows);
        }
    }
    Ok(0)
}

/// A slice of what the rollup job keeps of days that have had no file, or have none any more.
pub(super) fn of_apart(
    db: &Connection,
    files: &[Day],
    before_ms: i64,
    most: u32,
) -> Result<u64, StoreError> {
    let mut days = db.prepare_cached("SELECT DISTINCT day FROM rs_fact_span ORDER BY day")?;
    let days = days.query_map([], |row| row.get::<_, Day>(0))?;
    let is_over = |day: &Day| key::start_ms(key::after(*day)) <= before_ms;
    for day in days.collect::<Result<Vec<_>, _>>()?.into_iter().filter(is_over) {
        if !files.contains(&day) {
            let rows = of_job(db, day, most)?;
            if rows > 0 {
                return Ok(rows);
            }
        }
    }
    Ok(0)
}

/// `which` is made of constants and numbers of the program.
fn slice(
    db: &Connection,
    table: &str,
    by: &[&str],
    which: &str,
    most: u32,
) -> Result<u64, StoreError> {
    let by = by.join(", ");
    let sql = format!(
        "DELETE FROM {table} WHERE ({by}) IN (SELECT {by} FROM {table} WHERE {which} LIMIT {most})"
    );
    Ok(rows_of(db.execute(&sql, [])?))
}

fn rows_of(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
