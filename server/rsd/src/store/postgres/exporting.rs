//! What a day's partitions hold, to be written down.

use rs::retention::Due;
use rs::share::EventRow;
use rs::{CallState, Day, Key};
use tokio_postgres::Row;

use super::Postgres;
use super::custody::note;
use super::due;
use super::link::{Uid, Values};
use super::load::{self, signed, uid, unsigned};
use super::purge::REPORT;
use crate::store::StoreError;
use crate::store::custody::Audit;
use crate::store::exporting::{ExportRun, ExportState, Exporting, Stamp, Told, unpacked};
use crate::store::keeping::Lease;

impl Exporting for Postgres {
    fn begin_export(&self, lease: &Lease, run: &ExportRun) -> Result<(), StoreError> {
        let begun = self.change(lease, |link| {
            let ExportRun { kind, by, started_ms, .. } = run;
            let Stamp { calls, versions, events, times } = run.stamp;
            let day = signed(run.day);
            let stopped = "UPDATE rs_export_run SET state = 'stopped', ended_ms = $3
                WHERE day = $1 AND kind = $2 AND state = 'running'";
            link.execute(stopped, &[&day, kind, started_ms])?;
            let begun = "INSERT INTO rs_export_run (day, kind, rs_name, state, calls, versions,
                  events, times, rows, started_ms)
                VALUES ($1, $2, $3, 'running', $4, $5, $6, $7, 0, $8)";
            let values: Values<'_> =
                &[&day, kind, by, &calls, &versions, &events, &times, started_ms];
            link.execute(begun, values)
        });
        begun.map(|_| ())
    }

    fn end_export(
        &self,
        lease: &Lease,
        run: &ExportRun,
        line: Option<&Audit>,
    ) -> Result<(), StoreError> {
        let ended = self.change(lease, |link| {
            let ExportRun { kind, blake3, first, last, file, ended_ms, .. } = run;
            let (day, rows, state) = (signed(run.day), run.rows.cast_signed(), run.state.as_str());
            let sql = "UPDATE rs_export_run SET state = $3, rows = $4, blake3 = $5,
                  first_key = $6, last_key = $7, file_name = $8, ended_ms = $9
                WHERE day = $1 AND kind = $2 AND state = 'running'";
            let values: Values<'_> =
                &[&day, kind, &state, &rows, blake3, first, last, file, ended_ms];
            let rows = link.execute(sql, values)?;
            line.map_or(Ok(rows), |line| note(link, line).map(|()| rows))
        });
        ended.map(|_| ())
    }

    fn exports(&self, day: Option<Day>, most: u32) -> Result<Vec<ExportRun>, StoreError> {
        let sql = "SELECT day, kind, rs_name, state, calls, versions, events, times, rows,
              blake3, first_key, last_key, file_name, started_ms, ended_ms
            FROM rs_export_run WHERE $1::integer IS NULL OR day = $1
            ORDER BY no DESC LIMIT $2";
        let values: Values<'_> = &[&day.map(signed), &i64::from(most)];
        let rows = self.read(|reader| reader.link.query(sql, values))?;
        Ok(rows.iter().map(export_run).collect())
    }

    fn is_due(&self, day: Day, due: &Due) -> Result<bool, StoreError> {
        self.job(|link| due::is_due(link, day, due))
    }

    fn stamp(&self, day: Day) -> Result<Stamp, StoreError> {
        self.job(|link| {
            let sql = "SELECT c.n, c.versions, e.n, c.times + e.times FROM
                  (SELECT count(*) AS n, coalesce(sum(row_version), 0)::bigint AS versions,
                     coalesce(sum(last_fact_ms % 86400000), 0)::bigint AS times
                   FROM rs_call WHERE day = $1) AS c,
                  (SELECT count(*) AS n, coalesce(sum(time_ms % 86400000), 0)::bigint AS times
                   FROM rs_call_event WHERE day = $1) AS e";
            let rows = link.query(sql, &[&signed(day)])?;
            let stamp = rows.first().map(|row| Stamp {
                calls: row.get(0),
                versions: row.get(1),
                events: row.get(2),
                times: row.get(3),
            });
            Ok(stamp.unwrap_or_default())
        })
    }

    fn calls_of(&self, day: Day, after: &Key, most: u32) -> Result<Vec<Told>, StoreError> {
        self.job(|link| {
            let sql = "SELECT s.call_key, s.state, (SELECT t.steps FROM rs_call_trace t
                  WHERE t.day = $1 AND t.call_key = s.call_key)
                FROM rs_call_fact_state s WHERE s.day = $1 AND s.call_key > $2
                ORDER BY s.call_key LIMIT $3";
            let values: Values<'_> = &[&signed(day), &Uid(*after), &i64::from(most)];
            let rows = link.query(sql, values)?;
            let told = rows.iter().map(|row| {
                let steps: Option<&[u8]> = row.get(2);
                Ok(Told {
                    call_key: uid(row, 0),
                    state: CallState::decode(row.get(1))?,
                    trace: unpacked(steps).map_err(StoreError::Files)?,
                })
            });
            told.collect()
        })
    }

    fn events_of(
        &self,
        day: Day,
        after: &Key,
        reports: bool,
        most: u32,
    ) -> Result<Vec<(Key, EventRow)>, StoreError> {
        self.job(|link| {
            let which = if reports { "" } else { "NOT " };
            let sql = format!(
                "SELECT e.id_key, e.call_ref, e.guid, e.component_id, e.session_id, e.time_ms,
                   e.seq, e.level, e.log_id, e.label, e.text, e.extra FROM rs_call_event e
                 WHERE e.day = $1 AND e.id_key > $2 AND {which}{REPORT}
                 ORDER BY e.id_key LIMIT $3"
            );
            let values: Values<'_> = &[&signed(day), &Uid(*after), &i64::from(most)];
            let rows = link.query(&sql, values)?;
            let event = |row| {
                let event = load::event(day, row);
                (event.id_key, event)
            };
            Ok(rows.iter().map(event).collect())
        })
    }
}

fn export_run(row: &Row) -> ExportRun {
    let [calls, versions, events, times] = [row.get(4), row.get(5), row.get(6), row.get(7)];
    ExportRun {
        day: unsigned(row.get(0)),
        kind: row.get(1),
        by: row.get(2),
        state: ExportState::parse(row.get(3)),
        stamp: Stamp { calls, versions, events, times },
        rows: row.get::<_, i64>(8).cast_unsigned(),
        blake3: row.get(9),
        first: row.get(10),
        last: row.get(11),
        file: row.get(12),
        started_ms: row.get(13),
        ended_ms: row.get(14),
    }
}
