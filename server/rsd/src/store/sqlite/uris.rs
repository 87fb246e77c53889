//! Indexes of URIs (`rs.database_uri_indexes`, spec rs.md §3.2) in the files of days. A new file is
//! made with them; those that are there get or lose them one after the other, beside running work.
//!
//! Searches compare URIs in lower case, so that is what is indexed.

use rusqlite::Connection;

use super::{Sqlite, lock};
use crate::store::StoreError;
use crate::store::keeping::Indexed;

const NAMES: &str = "SELECT count(*) FROM sqlite_schema
    WHERE type = 'index' AND name IN ('rs_call_remote_uri', 'rs_call_local_uri')";
const MAKE: &str = "BEGIN IMMEDIATE;
    CREATE INDEX IF NOT EXISTS rs_call_remote_uri ON rs_call (lower(remote_uri), started_ms);
    CREATE INDEX IF NOT EXISTS rs_call_local_uri ON rs_call (lower(local_uri), started_ms);
    COMMIT";
const DROP: &str = "BEGIN IMMEDIATE;
    DROP INDEX IF EXISTS rs_call_remote_uri;
    DROP INDEX IF EXISTS rs_call_local_uri;
    COMMIT";

impl Sqlite {
    /// The same, with indexes of URIs or without.
    #[must_use]
    pub fn with_uri_indexes(mut self, wanted: bool) -> Self {
        self.layout.uri_indexes = wanted;
        self
    }

    /// Goes on behind the last day until one was changed. Later days are made as they are wanted.
    pub(super) fn index(&self) -> Result<Indexed, StoreError> {
        self.ready()?;
        let mut behind = lock(&self.indexed);
        let mut days = self.keep(|keeper| keeper.days.whole())?;
        days.retain(|day| *day > *behind);
        for day in days {
            let changed = self.keep_day(day, |keeper| {
                let changed = match keeper.day(day)? {
                    Some(db) => set(db, self.layout.uri_indexes),
                    None => Ok(false),
                };
                // a purge takes only what nobody has open
                keeper.days.close(day);
                changed
            })?;
            *behind = day;
            if changed {
                return Ok(Indexed::More);
            }
        }
        Ok(Indexed::All)
    }
}

/// Makes or drops them in a day's file, both or none; tells whether that was to be done.
pub(super) fn set(db: &Connection, wanted: bool) -> Result<bool, StoreError> {
    let there: i64 = db.query_row(NAMES, [], |row| row.get(0))?;
    if there == if wanted { 2 } else { 0 } {
        return Ok(false);
    }
    // an index over a whole day is sorted on disk: memory has no bound
    db.pragma_update(None, "temp_store", "FILE")?;
    let done = db.execute_batch(if wanted { MAKE } else { DROP });
    if done.is_err() && !db.is_autocommit() {
        db.execute_batch("ROLLBACK")?;
    }
    db.pragma_update(None, "temp_store", "MEMORY")?;
    done?;
    Ok(true)
}
