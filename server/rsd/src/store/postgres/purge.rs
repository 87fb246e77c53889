//! What goes from the tables: whole partitions where that can be, else slices. All in the
//! transaction of the caller.

use rs::Day;
use rs::rollup::Granularity;

use super::bin_rows;
use super::link::Link;
use super::load::signed;
use crate::store::StoreError;
use crate::store::bins::Table;
use crate::store::keeping::{Aged, FACTS};

/// A level, `b`, that is the one before of none that stays.
const IS_FOLLOWED: &str = " AND (b.level_start + b.net = 0 OR EXISTS (
    SELECT FROM rs_conc_bin n WHERE n.gran = b.gran AND n.dim = b.dim AND n.dim_id = b.dim_id
      AND n.measure = b.measure AND n.sub = b.sub AND n.bin_ms > b.bin_ms AND n.bin_ms < $2))";
/// Reports of voice applications are events with such a label.
pub(super) const REPORT: &str = "coalesce(e.label LIKE 'com.genesyslab.var.%', false)";

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
