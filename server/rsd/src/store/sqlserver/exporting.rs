//! What a day holds, to be written down.

use rs::retention::Due;
use rs::share::EventRow;
use rs::{CallState, Day, Key};
use tiberius::ToSql;

use super::custody::note;
use super::failure::Failure;
use super::link::Cells;
use super::row::{int, key};
use super::statement::{exporting, keeping as sql};
use super::{SqlServer, due, load};
use crate::store::StoreError;
use crate::store::custody::Audit;
use crate::store::exporting::{ExportRun, ExportState, Exporting, Stamp, Told, unpacked};
use crate::store::keeping::Lease;

impl Exporting for SqlServer {
    fn begin_export(&self, lease: &Lease, run: &ExportRun) -> Result<(), StoreError> {
        let ExportRun { kind, by, started_ms, .. } = run;
        let Stamp { calls, versions, events, times } = &run.stamp;
        let day = int(run.day);
        let stopped: [&dyn ToSql; 3] = [&day, kind, started_ms];
        let values: [&dyn ToSql; 8] = [&day, kind, by, calls, versions, events, times, started_ms];
        let begun = self.change(lease, async |link| {
            link.run(exporting::EXPORT_STOP, &stopped).await?;
            link.run(exporting::EXPORT_BEGIN, &values).await
        });
        begun.map(|_| ())
    }

    fn end_export(
        &self,
        lease: &Lease,
        run: &ExportRun,
        line: Option<&Audit>,
    ) -> Result<(), StoreError> {
        let ExportRun { kind, blake3, first, last, file, ended_ms, .. } = run;
        let (day, rows, state) = (int(run.day), run.rows.cast_signed(), run.state.as_str());
        let values: [&dyn ToSql; 9] =
            [&day, kind, &state, &rows, blake3, first, last, file, ended_ms];
        let ended = self.change(lease, async |link| {
            if let Some(line) = line {
                note(link, line).await?;
            }
            link.run(exporting::EXPORT_END, &values).await
        });
        ended.map(|_| ())
    }

    fn exports(&self, day: Option<Day>, most: u32) -> Result<Vec<ExportRun>, StoreError> {
        let (day, most) = (day.map(int), i64::from(most));
        let values: [&dyn ToSql; 2] = [&day, &most];
        Ok(self.read(async |link| link.ask(exporting::EXPORTS, &values, export_run).await)?)
    }

    fn is_due(&self, day: Day, due: &Due) -> Result<bool, StoreError> {
        // outside a transaction the locks of the questions are gone with them
        Ok(self.read(async |link| due::is_due(link, day, due).await)?)
    }

    fn stamp(&self, day: Day) -> Result<Stamp, StoreError> {
        let day = int(day);
        let values: [&dyn ToSql; 1] = [&day];
        let read = |cells: &Cells<'_>| {
            let number = |at| cells.some(at, Cells::number);
            let [calls, versions] = [number(0)?, number(1)?];
            Ok(Stamp { calls, versions, events: number(2)?, times: number(3)? })
        };
        let found = self.read(async |link| link.ask(sql::TOLD_STAMP, &values, read).await)?;
        Ok(found.first().copied().unwrap_or_default())
    }

    fn calls_of(&self, day: Day, after: &Key, most: u32) -> Result<Vec<Told>, StoreError> {
        let (day, after, most) = (int(day), key(Some(after)), i64::from(most));
        let values: [&dyn ToSql; 3] = [&day, &after, &most];
        let read =
            |cells: &Cells<'_>| Ok((cells.key(0)?, cells.some(1, Cells::bytes)?, cells.bytes(2)?));
        let found = self.read(async |link| link.ask(sql::TOLD_CALLS, &values, read).await)?;
        let told = found.into_iter().map(|(call_key, state, steps)| {
            let trace = unpacked(steps.as_deref()).map_err(StoreError::Files)?;
            Ok(Told { call_key, state: CallState::decode(&state)?, trace })
        });
        told.collect()
    }

    fn events_of(
        &self,
        day: Day,
        after: &Key,
        reports: bool,
        most: u32,
    ) -> Result<Vec<(Key, EventRow)>, StoreError> {
        let statement = if reports { sql::TOLD_REPORTS } else { sql::TOLD_EVENTS };
        let (day, after, most) = (int(day), key(Some(after)), i64::from(most));
        let values: [&dyn ToSql; 3] = [&day, &after, &most];
        let found = self.read(async |link| link.ask(statement, &values, load::event).await)?;
        Ok(found.into_iter().map(|event| (event.id_key, event)).collect())
    }
}

fn export_run(cells: &Cells<'_>) -> Result<ExportRun, Failure> {
    let number = |at| cells.some(at, Cells::number);
    let text = |at| cells.some(at, Cells::text);
    let stamp =
        Stamp { calls: number(4)?, versions: number(5)?, events: number(6)?, times: number(7)? };
    Ok(ExportRun {
        day: cells.day(0)?,
        kind: text(1)?,
        by: text(2)?,
        state: ExportState::parse(&text(3)?),
        stamp,
        rows: number(8)?.cast_unsigned(),
        blake3: cells.text(9)?,
        first: cells.text(10)?,
        last: cells.text(11)?,
        file: cells.text(12)?,
        started_ms: number(13)?,
        ended_ms: cells.number(14)?,
    })
}
