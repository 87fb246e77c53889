//! Marks of bins, and the tables of the latest figures. Marks are locked in the order of their key
//! by whoever writes them, so that applier and job never wait for each other in a ring.

use std::collections::BTreeSet;

use rs::rollup::{DayMark, Job, Mark, MarkRow};
use rs::share::Latest;
use serde_json::{Value, json};
use tiberius::ToSql;

use super::failure::Failure;
use super::link::{Cells, Link};
use super::save::one;
use super::statement::bins as sql;

/// Writes marks: one that is there counts one version more.
pub(super) async fn put(
    link: &mut Link,
    marks: impl IntoIterator<Item = DayMark>,
    now_ms: i64,
) -> Result<(), Failure> {
    let keys = marks.into_iter().map(|(day, mark)| (mark.job.number(), mark.bin_ms, day));
    let keys: BTreeSet<_> = keys.collect();
    if keys.is_empty() {
        return Ok(());
    }
    let keys = keys.iter().map(|(job, bin, day)| json!({"j": job, "b": bin, "d": day, "v": 0}));
    let keys = Value::Array(keys.collect()).to_string();
    // those that are there; the others are new
    link.run(sql::MARKS_UPDATE, &[&keys]).await?;
    link.run(sql::MARKS_INSERT, &[&keys, &now_ms]).await?;
    Ok(())
}

/// Marks of a job of bins that begin then or later, first written then or before.
pub(super) async fn read(
    link: &mut Link,
    job: Job,
    (from_ms, until_ms): (i64, i64),
    most: usize,
) -> Result<Vec<MarkRow>, Failure> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let row = |cells: &Cells<'_>| {
        Ok(MarkRow {
            mark: Mark { job, bin_ms: cells.some(0, Cells::number)? },
            day: cells.day(1)?,
            file: 0,
            since_ms: cells.some(2, Cells::number)?,
            version: cells.some(3, Cells::number)?,
        })
    };
    link.ask(sql::MARKS, &[&job.number(), &from_ms, &until_ms, &most], row).await
}

fn keys(marks: &[MarkRow]) -> String {
    let mut marks: Vec<&MarkRow> = marks.iter().collect();
    marks.sort_by_key(|row| (row.mark, row.day));
    let keys = marks.into_iter().map(|row| {
        json!({"j": row.mark.job.number(), "b": row.mark.bin_ms, "d": row.day, "v": row.version})
    });
    Value::Array(keys.collect()).to_string()
}

/// Keeps marks as they are until the transaction ends.
pub(super) async fn hold(link: &mut Link, marks: &[MarkRow]) -> Result<(), Failure> {
    link.ask(sql::MARKS_HOLD, &[&keys(marks)], |_| Ok(())).await?;
    Ok(())
}

/// Takes marks away that were not written again since they were read; the others count from this
/// turn on: what they had told before is done.
pub(super) async fn clear(link: &mut Link, marks: &[MarkRow], now_ms: i64) -> Result<(), Failure> {
    let keys = keys(marks);
    link.run(sql::MARKS_CLEAR, &[&keys]).await?;
    link.run(sql::MARKS_AGAIN, &[&keys, &now_ms]).await?;
    Ok(())
}

/// Puts the latest figures in place of older ones.
pub(super) async fn latest(link: &mut Link, latest: &Latest) -> Result<(), Failure> {
    for row in &latest.outbound {
        let id_key = &row.id_key[..];
        let values: [&dyn ToSql; 8] = [
            &row.component_id,
            &row.tenant_id,
            &row.profile_id,
            &row.queued,
            &row.successful,
            &row.failed,
            &row.updated_ms,
            &id_key,
        ];
        one(link, [sql::OUTBOUND_UPDATE, sql::OUTBOUND_INSERT], &values).await?;
    }
    for row in &latest.snmp {
        let id_key = &row.id_key[..];
        let values: [&dyn ToSql; 5] =
            [&row.component_id, &row.name, &row.value, &row.updated_ms, &id_key];
        one(link, [sql::SNMP_UPDATE, sql::SNMP_INSERT], &values).await?;
    }
    Ok(())
}
