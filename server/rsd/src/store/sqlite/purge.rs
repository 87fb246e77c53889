//! What goes from a file, slice by slice, each in a transaction of its own.

use rs::key;
use rs::rollup::Granularity;
use rusqlite::{Connection, params};

use super::write::begin;
use super::{bin_rows, files};
use crate::store::bins::Table;
use crate::store::keeping::{Aged, FACTS};
use crate::store::{Day, StoreError};

/// Free pages of a file that are worth giving back, of 8 KiB.
const FREE_PAGES: i64 = 128;
/// A level, `b`, that is the one before of none that stays.
const IS_FOLLOWED: &str = " AND (level_start + net = 0 OR EXISTS (
    SELECT 1 FROM rs_conc_bin AS n WHERE n.gran = b.gran AND n.dim = b.dim AND n.dim_id = b.dim_id
      AND n.measure = b.measure AND n.sub = b.sub AND n.bin_ms > b.bin_ms AND n.bin_ms < ?2))";
/// Reports of voice applications are events with such a label.
pub(super) const REPORT: &str = "label GLOB 'com.genesyslab.var.*'";

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

pub(super) fn rows_of(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
