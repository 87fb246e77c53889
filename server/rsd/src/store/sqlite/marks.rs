//! Marks of bins in the files: those of facts in the day's file, the others in the main one, and
//! the tables of the latest figures.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rs::rollup::{DayMark, Job, Mark, MarkRow};
use rs::share::Latest;
use rusqlite::{Connection, Row, params};

use crate::store::{Day, StoreError};

/// The days whose files may have marks: at the start all of them, so that it need not be stored.
#[derive(Debug, Default)]
pub(super) struct Marked(Mutex<BTreeSet<Day>>);

impl Marked {
    /// The file may have marks.
    pub(super) fn add(&self, day: Day) {
        self.days().insert(day);
    }

    /// The file has none, as far as is known.
    pub(super) fn forget(&self, day: Day) {
        self.days().remove(&day);
    }

    /// The days that may have marks.
    pub(super) fn seen(&self) -> BTreeSet<Day> {
        self.days().clone()
    }

    fn days(&self) -> MutexGuard<'_, BTreeSet<Day>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes marks of facts into the file of their day, or into the main one.
pub(super) fn of_facts(
    db: &Connection,
    file: Option<Day>,
    marks: &BTreeSet<DayMark>,
    now_ms: i64,
) -> Result<(), StoreError> {
    for (day, mark) in marks {
        match file {
            Some(_) => {
                let sql = "INSERT INTO rs_dirty_bin VALUES (?1, ?2, ?3, 1)
                    ON CONFLICT (job, bin_ms) DO UPDATE SET version = version + 1";
                let values = params![mark.job.number(), mark.bin_ms, now_ms];
                db.prepare_cached(sql)?.execute(values)?;
            }
            None => {
                let sql = "INSERT INTO rs_dirty_bin VALUES (?1, ?2, ?3, ?4, 1)
                    ON CONFLICT (job, bin_ms, day) DO UPDATE SET version = version + 1";
                let values = params![mark.job.number(), mark.bin_ms, day, now_ms];
                db.prepare_cached(sql)?.execute(values)?;
            }
        }
    }
    Ok(())
}

/// Reads marks of a job out of a day's file, or out of the main one.
pub(super) fn read(
    db: &Connection,
    file: Option<Day>,
    job: Job,
    (from_ms, until_ms, most): (i64, i64, usize),
) -> Result<Vec<MarkRow>, StoreError> {
    let day = if file.is_some() { "0" } else { "day" };
    let sql = format!(
        "SELECT bin_ms, {day}, since_ms, version FROM rs_dirty_bin
         WHERE job = ?1 AND bin_ms >= ?2 AND since_ms <= ?3 ORDER BY bin_ms LIMIT ?4"
    );
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut statement = db.prepare_cached(&sql)?;
    let row = |row: &Row<'_>| {
        Ok(MarkRow {
            mark: Mark { job, bin_ms: row.get(0)? },
            day: file.map_or_else(|| row.get(1), Ok)?,
            file: file.unwrap_or(0),
            since_ms: row.get(2)?,
            version: row.get(3)?,
        })
    };
    let rows = statement.query_map(params![job.number(), from_ms, until_ms, most], row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Takes marks away that were not written again since they were read; the others count from this
/// turn on: what they had told before is done.
pub(super) fn clear(
    db: &Connection,
    file: Option<Day>,
    marks: &[MarkRow],
    now_ms: i64,
) -> Result<(), StoreError> {
    let of_day = if file.is_some() { "?3 > 0" } else { "day = ?3" };
    let which = format!("job = ?1 AND bin_ms = ?2 AND {of_day}");
    let done = format!("DELETE FROM rs_dirty_bin WHERE {which} AND version = ?4");
    let again = format!("UPDATE rs_dirty_bin SET since_ms = ?4 WHERE {which}");
    for row in marks {
        let Mark { job, bin_ms } = row.mark;
        let cleared = params![job.number(), bin_ms, row.day, row.version];
        if db.prepare_cached(&done)?.execute(cleared)? == 0 {
            let kept = params![job.number(), bin_ms, row.day, now_ms];
            db.prepare_cached(&again)?.execute(kept)?;
        }
    }
    Ok(())
}

/// Puts the latest figures in place of older ones.
pub(super) fn latest(db: &Connection, latest: &Latest) -> Result<(), StoreError> {
    for row in &latest.outbound {
        db.prepare_cached(
            "INSERT INTO rs_outbound_total VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (component_id, tenant_id, profile_id) DO UPDATE SET queued = ?4,
               successful = ?5, failed = ?6, updated_ms = ?7, id_key = ?8
             WHERE (updated_ms, id_key) < (?7, ?8) OR id_key = ?8",
        )?
        .execute(params![
            row.component_id,
            row.tenant_id,
            row.profile_id,
            row.queued,
            row.successful,
            row.failed,
            row.updated_ms,
            row.id_key,
        ])?;
    }
    for row in &latest.snmp {
        db.prepare_cached(
            "INSERT INTO rs_snmp_value VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (component_id, name) DO UPDATE SET value = ?3, updated_ms = ?4,
               id_key = ?5
             WHERE (updated_ms, id_key) < (?4, ?5) OR id_key = ?5",
        )?
        .execute(params![
            row.component_id,
            row.name,
            row.value,
            row.updated_ms,
            row.id_key
        ])?;
    }
    Ok(())
}
