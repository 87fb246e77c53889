//! What a day holds, to be written down.

use rs::retention::Due;
use rs::share::EventRow;
use rs::{CallState, Day, Key};
use tiberius::ToSql;

use super::link::Cells;
use super::row::{int, key};
use super::statement::keeping as sql;
use super::{SqlServer, load, purge};
use crate::store::StoreError;
use crate::store::exporting::{Exporting, Stamp, Told, unpacked};

impl Exporting for SqlServer {
    fn is_due(&self, day: Day, due: &Due) -> Result<bool, StoreError> {
        // outside a transaction the locks of the questions are gone with them
        Ok(self.read(async |link| purge::is_due(link, day, due).await)?)
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
