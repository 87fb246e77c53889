//! What the day files have committed and the main file is to know: live keys and the days' spans
//! (spec rs.md §3.3).

use std::collections::{BTreeMap, BTreeSet};

use rs::Key;
use rs::share::Changes;
use rusqlite::{Transaction, params};

use crate::store::{Day, StoreError, Turned};

/// What day files have committed and the main file does not know yet.
#[derive(Default)]
pub(super) struct News {
    /// Calls that changed: their day, and whether they are live.
    pub(super) calls: BTreeMap<Key, (Day, bool)>,
    /// The same for who watches.
    pub(super) turned: BTreeMap<Key, Turned>,
    /// Ended legs of their sessions.
    pub(super) ended: BTreeSet<(Day, Key)>,
    /// Start of the first and the last call of a day, among those that changed.
    pub(super) spans: BTreeMap<Day, (i64, i64)>,
}

impl News {
    pub(super) fn add(&mut self, day: Day, changes: &Changes) {
        self.ended.extend(&changes.ended);
        for line in &changes.calls {
            let row = &line.row;
            self.calls.insert(row.call_key, (day, row.is_live()));
            self.turned.insert(row.call_key, Turned::of(line));
            let span = self.spans.entry(day).or_insert((row.started_ms, row.started_ms));
            *span = (span.0.min(row.started_ms), span.1.max(row.started_ms));
        }
    }

    /// What another transaction has committed after this.
    pub(super) fn join(&mut self, later: Self) {
        self.calls.extend(later.calls);
        self.turned.extend(later.turned);
        self.ended.extend(later.ended);
        for (day, (first, last)) in later.spans {
            let span = self.spans.entry(day).or_insert((first, last));
            *span = (span.0.min(first), span.1.max(last));
        }
    }

    /// Writes the list of live keys and the days' spans.
    pub(super) fn write(&self, db: &Transaction<'_>) -> Result<(), StoreError> {
        for (key, (day, live)) in &self.calls {
            if *live {
                let insert = "INSERT OR REPLACE INTO rs_live_key VALUES (?1, ?2)";
                db.prepare_cached(insert)?.execute(params![key, day])?;
            } else {
                db.prepare_cached("DELETE FROM rs_live_key WHERE call_key = ?1")?.execute([key])?;
            }
        }
        for (day, (first, last)) in &self.spans {
            db.prepare_cached(
                "INSERT INTO rs_day_span VALUES (?1, ?2, ?3) ON CONFLICT (day) DO UPDATE SET
                   first_ms = min(first_ms, ?2), last_ms = max(last_ms, ?3)",
            )?
            .execute(params![day, first, last])?;
        }
        Ok(())
    }
}
