//! Removes a day's file (spec rs.md §10), so that a kill at any moment changes nothing but when:
//!
//! ```text
//! nobody has it open, no log ─► main file: its figures added, day marked gone ─► file removed
//!                                                                        ─► mark taken away
//! ```
//! At a start what is marked is removed first, before any day is read.

use std::sync::PoisonError;

use rusqlite::{Connection, params};

use super::Sqlite;
use super::files::Layout;
use super::purge::held;
use crate::store::{Day, StoreError};

impl Sqlite {
    /// Removes a day that holds nothing but its ledger; false: a question has it open, or a record
    /// has come, and it is tried again another time.
    pub(super) fn remove_day(&self, day: Day) -> Result<bool, StoreError> {
        self.unrolled(day, || self.remove_closed(day))
    }

    fn remove_closed(&self, day: Day) -> Result<bool, StoreError> {
        let mut writer = self.writer();
        writer.days.close(day);
        writer.beside.close(day);
        self.keep(|keeper| {
            keeper.days.close(day);
            Ok(())
        })?;
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let layout = self.layout.clone();
        let removed = layout.alone(day, |db| {
            if held(&db)? {
                return Ok(false);
            }
            let figures = figures(&db)?;
            drop(db);
            mark(&mut writer.main, day, &figures)?;
            writer.survive()?;
            layout.remove(day)?;
            writer.survive()?;
            unmark(&writer.main, day)?;
            // a late record that makes it again adds it again
            self.marked.forget(day);
            Ok(true)
        })?;
        Ok(removed == Some(true))
    }
}

/// What its records counted, by name and producer.
type Figures = Vec<(String, String, i64)>;

fn figures(db: &Connection) -> Result<Figures, StoreError> {
    let mut statement = db.prepare("SELECT name, producer, value FROM rs_figure")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn mark(main: &mut Connection, day: Day, figures: &Figures) -> Result<(), StoreError> {
    let transaction = main.transaction()?;
    let insert = "INSERT OR IGNORE INTO rs_day_gone VALUES (?1, ?2)";
    let rows = i64::try_from(figures.len()).unwrap_or(i64::MAX);
    if transaction.execute(insert, params![day, rows])? == 0 {
        // its figures were added when the disk did not let it go
        return Ok(());
    }
    for (name, producer, value) in figures {
        transaction
            .prepare_cached(
                "INSERT INTO rs_figure VALUES (?1, ?2, ?3)
                 ON CONFLICT (name, producer) DO UPDATE SET value = value + ?3",
            )?
            .execute(params![name, producer, value])?;
    }
    for table in ["rs_day_span", "rs_call_day", "rs_live_key"] {
        transaction.execute(&format!("DELETE FROM {table} WHERE day = ?1"), [day])?;
    }
    Ok(transaction.commit()?)
}

fn unmark(main: &Connection, day: Day) -> Result<(), StoreError> {
    main.execute("DELETE FROM rs_day_gone WHERE day = ?1", [day])?;
    Ok(())
}

/// Ends what a kill has left half done.
pub(super) fn finish(main: &Connection, layout: &Layout) -> Result<(), StoreError> {
    let mut statement = main.prepare("SELECT day FROM rs_day_gone")?;
    let days = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<Day>, _>>()?;
    drop(statement);
    for day in days {
        layout.remove(day)?;
        unmark(main, day)?;
    }
    Ok(())
}
