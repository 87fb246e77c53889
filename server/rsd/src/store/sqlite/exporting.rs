//! What a day's file holds, to be written down.

use rs::retention::Due;
use rs::share::EventRow;
use rs::{CallState, Day, Key};
use rusqlite::params;

use super::purge::{self, REPORT};
use super::{Sqlite, load};
use crate::store::StoreError;
use crate::store::exporting::{Exporting, Stamp, Told, unpacked};

impl Exporting for Sqlite {
    fn is_due(&self, day: Day, due: &Due) -> Result<bool, StoreError> {
        self.keep_day(day, |keeper| keeper.day(day)?.map_or(Ok(false), |db| purge::is_due(db, due)))
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
