//! What a day's partitions hold, to be written down.

use rs::retention::Due;
use rs::share::EventRow;
use rs::{CallState, Day, Key};

use super::Postgres;
use super::link::{Uid, Values};
use super::load::{self, signed, uid};
use super::purge::{self, REPORT};
use crate::store::StoreError;
use crate::store::exporting::{Exporting, Stamp, Told, unpacked};

impl Exporting for Postgres {
    fn is_due(&self, day: Day, due: &Due) -> Result<bool, StoreError> {
        self.job(|link| purge::is_due(link, day, due))
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
