//! What a day's file holds, to be written down.

use rs::retention::Due;
use rs::share::EventRow;
use rs::{CallState, Day, Key};
use rusqlite::params;

use super::custody::note;
use super::keeping::check;
use super::purge::REPORT;
use super::write::begin;
use super::{Sqlite, due, load};
use crate::store::StoreError;
use crate::store::custody::Audit;
use crate::store::exporting::{ExportRun, ExportState, Exporting, Stamp, Told, unpacked};
use crate::store::keeping::Lease;

impl Exporting for Sqlite {
    fn begin_export(&self, lease: &Lease, run: &ExportRun) -> Result<(), StoreError> {
        self.keep(|keeper| {
            let transaction = begin(&mut keeper.main)?;
            check(&transaction, lease.name, lease.fence)?;
            let ExportRun { day, kind, by, stamp, started_ms, .. } = run;
            let stopped = "UPDATE rs_export_run SET state = 'stopped', ended_ms = ?3
                WHERE day = ?1 AND kind = ?2 AND state = 'running'";
            transaction.execute(stopped, params![day, kind, started_ms])?;
            let Stamp { calls, versions, events, times } = stamp;
            let begun = "INSERT INTO rs_export_run (day, kind, rs_name, state, calls, versions,
                  events, times, rows, started_ms)
                VALUES (?1, ?2, ?3, 'running', ?4, ?5, ?6, ?7, 0, ?8)";
            let values = params![day, kind, by, calls, versions, events, times, started_ms];
            transaction.execute(begun, values)?;
            Ok(transaction.commit()?)
        })
    }

    fn end_export(
        &self,
        lease: &Lease,
        run: &ExportRun,
        line: Option<&Audit>,
    ) -> Result<(), StoreError> {
        self.keep(|keeper| {
            let transaction = begin(&mut keeper.main)?;
            check(&transaction, lease.name, lease.fence)?;
            let ExportRun { day, kind, blake3, first, last, file, ended_ms, .. } = run;
            let (state, rows) = (run.state.as_str(), run.rows.cast_signed());
            let ended = "UPDATE rs_export_run SET state = ?3, rows = ?4, blake3 = ?5,
                  first_key = ?6, last_key = ?7, file_name = ?8, ended_ms = ?9
                WHERE day = ?1 AND kind = ?2 AND state = 'running'";
            let values = params![day, kind, state, rows, blake3, first, last, file, ended_ms];
            transaction.execute(ended, values)?;
            if let Some(line) = line {
                note(&transaction, line)?;
            }
            Ok(transaction.commit()?)
        })
    }

    fn exports(&self, day: Option<Day>, most: u32) -> Result<Vec<ExportRun>, StoreError> {
        self.read(|reader| {
            let sql = "SELECT day, kind, rs_name, state, calls, versions, events, times, rows,
                  blake3, first_key, last_key, file_name, started_ms, ended_ms
                FROM rs_export_run WHERE ?1 IS NULL OR day = ?1 ORDER BY no DESC LIMIT ?2";
            let mut statement = reader.main.prepare_cached(sql)?;
            let rows = statement.query_map(params![day, most], |row| {
                let [calls, versions, events, times] =
                    [row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?];
                Ok(ExportRun {
                    day: row.get(0)?,
                    kind: row.get(1)?,
                    by: row.get(2)?,
                    state: ExportState::parse(&row.get::<_, String>(3)?),
                    stamp: Stamp { calls, versions, events, times },
                    rows: row.get::<_, i64>(8)?.cast_unsigned(),
                    blake3: row.get(9)?,
                    first: row.get(10)?,
                    last: row.get(11)?,
                    file: row.get(12)?,
                    started_ms: row.get(13)?,
                    ended_ms: row.get(14)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn is_due(&self, day: Day, due: &Due) -> Result<bool, StoreError> {
        self.keep_day(day, |keeper| keeper.day(day)?.map_or(Ok(false), |db| due::is_due(db, due)))
    }

    fn stamp(&self, day: Day) -> Result<Stamp, StoreError> {
        self.keep_day(day, |keeper| {
            let Some(db) = keeper.day(day)? else { return Ok(Stamp::default()) };
            let sql = "SELECT c.n, c.versions, e.n, c.times + e.times FROM
                (SELECT count(*) AS n, coalesce(sum(row_version), 0) AS versions,
                   coalesce(sum(last_fact_ms % 86400000), 0) AS times FROM rs_call) AS c,
                (SELECT count(*) AS n, coalesce(sum(time_ms % 86400000), 0) AS times
                 FROM rs_call_event) AS e";
            let stamp = db.prepare_cached(sql)?.query_row([], |row| {
                let [calls, versions] = [row.get(0)?, row.get(1)?];
                Ok(Stamp { calls, versions, events: row.get(2)?, times: row.get(3)? })
            })?;
            Ok(stamp)
        })
    }

    fn calls_of(&self, day: Day, after: &Key, most: u32) -> Result<Vec<Told>, StoreError> {
        self.keep_day(day, |keeper| {
            let Some(db) = keeper.day(day)? else { return Ok(Vec::new()) };
            let sql = "SELECT s.call_key, s.state, t.steps FROM rs_call_fact_state AS s
                LEFT JOIN rs_call_trace AS t ON t.call_key = s.call_key
                WHERE s.call_key > ?1 ORDER BY s.call_key LIMIT ?2";
            let mut statement = db.prepare_cached(sql)?;
            let mut rows = statement.query(params![after, most])?;
            let mut calls = Vec::new();
            while let Some(row) = rows.next()? {
                let steps: Option<Vec<u8>> = row.get(2)?;
                calls.push(Told {
                    call_key: row.get(0)?,
                    state: CallState::decode(&row.get::<_, Vec<u8>>(1)?)?,
                    trace: unpacked(steps.as_deref()).map_err(StoreError::Files)?,
                });
            }
            Ok(calls)
        })
    }

    fn events_of(
        &self,
        day: Day,
        after: &Key,
        reports: bool,
        most: u32,
    ) -> Result<Vec<(Key, EventRow)>, StoreError> {
        self.keep_day(day, |keeper| {
            let Some(db) = keeper.day(day)? else { return Ok(Vec::new()) };
            let which = if reports { "" } else { "NOT " };
            let sql = format!(
                "SELECT {}, id_key, no FROM rs_call_event
                 WHERE no > ?1 AND {which}coalesce({REPORT}, 0) ORDER BY no LIMIT ?2",
                load::EVENT
            );
            let mut statement = db.prepare_cached(&sql)?;
            let after = i64::from_be_bytes(*after.last_chunk().unwrap_or(&[0; 8]));
            let rows = statement.query_map(params![after, most], |row| {
                let id_key: Key = row.get(11)?;
                let mut place = Key::default();
                if let Some(place) = place.last_chunk_mut() {
                    *place = row.get::<_, i64>(12)?.to_be_bytes();
                }
                Ok((place, load::event_of(day, id_key, row)?))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}
