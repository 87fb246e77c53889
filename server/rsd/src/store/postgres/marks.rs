//! Marks of bins, and the tables of the latest figures. Marks are locked in the order of their key
//! by whoever writes them, so that applier and job never wait for each other in a ring.

use std::collections::BTreeSet;

use rs::rollup::{DayMark, Job, Mark, MarkRow};
use rs::share::Latest;
use tokio_postgres::Row;

use super::link::{Link, Uid};
use super::load::{signed, unsigned};
use super::save::column;
use crate::store::StoreError;

/// Writes marks: one that is there counts one version more.
pub(super) fn put(
    link: &mut Link,
    marks: impl IntoIterator<Item = DayMark>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let keys = marks.into_iter().map(|(day, mark)| (mark.job.number(), mark.bin_ms, day));
    let keys: BTreeSet<_> = keys.collect();
    if keys.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO rs_dirty_bin
          SELECT job, bin_ms, day, $4, 1
          FROM unnest($1::smallint[], $2::bigint[], $3::integer[]) n (job, bin_ms, day)
        ON CONFLICT (job, bin_ms, day) DO UPDATE SET version = rs_dirty_bin.version + 1";
    link.execute(
        sql,
        &[
            &column(&keys, |key| i16::from(key.0)),
            &column(&keys, |key| key.1),
            &column(&keys, |key| signed(key.2)),
            &now_ms,
        ],
    )?;
    Ok(())
}

/// Marks of a job of bins that begin then or later, first written then or before.
pub(super) fn read(
    link: &mut Link,
    job: Job,
    (from_ms, until_ms): (i64, i64),
    most: usize,
) -> Result<Vec<MarkRow>, StoreError> {
    let sql = "SELECT bin_ms, day, since_ms, version FROM rs_dirty_bin
        WHERE job = $1 AND bin_ms >= $2 AND since_ms <= $3 ORDER BY bin_ms, day LIMIT $4";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = link.query(sql, &[&i16::from(job.number()), &from_ms, &until_ms, &most])?;
    let row = |row: &Row| MarkRow {
        mark: Mark { job, bin_ms: row.get(0) },
        day: unsigned(row.get(1)),
        file: 0,
        since_ms: row.get(2),
        version: row.get(3),
    };
    Ok(rows.iter().map(row).collect())
}

/// Keeps marks as they are until the transaction ends, in the order of their key.
pub(super) fn hold(link: &mut Link, marks: &[MarkRow]) -> Result<(), StoreError> {
    let sql = "SELECT FROM unnest($1::smallint[], $2::bigint[], $3::integer[]) n (job, bin_ms, day)
        JOIN rs_dirty_bin d USING (job, bin_ms, day) ORDER BY job, bin_ms, day FOR UPDATE OF d";
    link.query(
        sql,
        &[
            &column(marks, |row| i16::from(row.mark.job.number())),
            &column(marks, |row| row.mark.bin_ms),
            &column(marks, |row| signed(row.day)),
        ],
    )?;
    Ok(())
}

/// Takes marks away that were not written again since they were read; the others count from this
/// turn on: what they had told before is done.
pub(super) fn clear(link: &mut Link, marks: &[MarkRow], now_ms: i64) -> Result<(), StoreError> {
    let (jobs, bins, days) = (
        column(marks, |row| i16::from(row.mark.job.number())),
        column(marks, |row| row.mark.bin_ms),
        column(marks, |row| signed(row.day)),
    );
    let done = "DELETE FROM rs_dirty_bin d
        USING unnest($1::smallint[], $2::bigint[], $3::integer[], $4::bigint[])
          n (job, bin_ms, day, version)
        WHERE d.job = n.job AND d.bin_ms = n.bin_ms AND d.day = n.day AND d.version = n.version";
    link.execute(done, &[&jobs, &bins, &days, &column(marks, |row| row.version)])?;
    let again = "UPDATE rs_dirty_bin d SET since_ms = $4
        FROM unnest($1::smallint[], $2::bigint[], $3::integer[]) n (job, bin_ms, day)
        WHERE d.job = n.job AND d.bin_ms = n.bin_ms AND d.day = n.day";
    link.execute(again, &[&jobs, &bins, &days, &now_ms])?;
    Ok(())
}

/// Puts the latest figures in place of older ones, one after another: a batch may tell of one
/// object twice.
pub(super) fn latest(link: &mut Link, latest: &Latest) -> Result<(), StoreError> {
    let mut outbound: Vec<_> = latest.outbound.iter().collect();
    outbound.sort_by_key(|row| (row.component_id, row.tenant_id, row.profile_id));
    for row in outbound {
        link.execute(
            "INSERT INTO rs_outbound_total AS t VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (component_id, tenant_id, profile_id) DO UPDATE SET
               queued = excluded.queued, successful = excluded.successful,
               failed = excluded.failed, updated_ms = excluded.updated_ms,
               id_key = excluded.id_key
             WHERE (t.updated_ms, t.id_key) < (excluded.updated_ms, excluded.id_key)
               OR t.id_key = excluded.id_key",
            &[
                &row.component_id,
                &row.tenant_id,
                &row.profile_id,
                &row.queued,
                &row.successful,
                &row.failed,
                &row.updated_ms,
                &Uid(row.id_key),
            ],
        )?;
    }
    let mut snmp: Vec<_> = latest.snmp.iter().collect();
    snmp.sort_by_key(|row| (row.component_id, &row.name));
    for row in snmp {
        let [name, value] = [&row.name, &row.value].map(|text| text.replace('\0', ""));
        link.execute(
            "INSERT INTO rs_snmp_value AS t VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (component_id, name) DO UPDATE SET value = excluded.value,
               updated_ms = excluded.updated_ms, id_key = excluded.id_key
             WHERE (t.updated_ms, t.id_key) < (excluded.updated_ms, excluded.id_key)
               OR t.id_key = excluded.id_key",
            &[&row.component_id, &name, &value, &row.updated_ms, &Uid(row.id_key)],
        )?;
    }
    Ok(())
}
