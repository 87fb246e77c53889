//! Removes a day's file (spec rs.md §10), so that a kill at any moment changes nothing but when:
//!
//! ```text
//! nobody has it open, no log ─► file renamed ─► main file: its figures added, day marked gone
//!                                            ─► file removed ─► mark taken away
//! ```
//! What is left half done is ended at the next start, before any day is read, and before the day
//! goes again. A record that comes meanwhile makes a new file, which is another one.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::Sqlite;
use super::aside::of_main;
use super::files::Layout;
use super::purge::held;
use super::write::Writer;
use crate::store::{Day, StoreError};

impl Sqlite {
    /// Removes a day that holds nothing but its ledger; false: a question has it open, or a record
    /// has come, and it is tried again another time.
    pub(super) fn remove_day(&self, day: Day) -> Result<bool, StoreError> {
        self.unrolled(day, || {
            let _unmoved = self.unmoved();
            self.remove_closed(day)
        })
    }

    fn remove_closed(&self, day: Day) -> Result<bool, StoreError> {
        self.write(|writer| self.remove_unwritten(writer, day))
    }

    fn remove_unwritten(&self, writer: &mut Writer, day: Day) -> Result<bool, StoreError> {
        writer.days.close(day);
        writer.beside.close(day);
        self.keep(|keeper| {
            keeper.days.close(day);
            Ok(())
        })?;
        self.readers.clear();
        let layout = self.layout.clone();
        end(&mut writer.main, &layout, day)?;
        let removed = layout.alone(day, |db| {
            if held(&db)? {
                return Ok(false);
            }
            drop(db);
            layout.take_away(day)?;
            self.go(writer, day)?;
            Ok(true)
        })?;
        Ok(removed == Some(true))
    }

    /// What is to be done of [`end`], with the places at which a test lets the power go.
    fn go(&self, writer: &mut Writer, day: Day) -> Result<(), StoreError> {
        writer.survive()?;
        mark(&mut writer.main, &self.layout, day)?;
        writer.survive()?;
        self.layout.remove(day)?;
        writer.survive()?;
        unmark(&writer.main, day)?;
        // a late record that makes it again adds it again
        self.marked.forget(day);
        Ok(())
    }
}

/// What its records counted, by name and producer.
type Figures = Vec<(String, String, i64)>;

fn figures(db: &Connection) -> Result<Figures, StoreError> {
    let mut statement = db.prepare("SELECT name, producer, value FROM rs_figure")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Adds the figures of a file that was renamed, once.
fn mark(main: &mut Connection, layout: &Layout, day: Day) -> Result<(), StoreError> {
    let figures = figures(&layout.taken_away(day)?)?;
    of_main(add(main, layout, (day, figures)))
}

/// The main file's part of [`mark`].
fn add(
    main: &mut Connection,
    layout: &Layout,
    (day, figures): (Day, Figures),
) -> Result<(), StoreError> {
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
    // those of a new file stay
    if !layout.has_day(day) {
        for table in ["rs_day_span", "rs_call_day", "rs_live_key"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE day = ?1"), [day])?;
        }
    }
    Ok(transaction.commit()?)
}

fn unmark(main: &Connection, day: Day) -> Result<(), StoreError> {
    let gone = main.execute("DELETE FROM rs_day_gone WHERE day = ?1", [day]);
    of_main(gone.map(drop).map_err(StoreError::from))
}

/// Ends what was left half done of a day.
fn end(main: &mut Connection, layout: &Layout, day: Day) -> Result<(), StoreError> {
    if layout.is_taken_away(day) {
        mark(main, layout, day)?;
        layout.remove(day)?;
    }
    unmark(main, day)
}

/// Ends what a kill has left half done.
pub(super) fn finish(main: &mut Connection, layout: &Layout) -> Result<(), StoreError> {
    let mut statement = main.prepare("SELECT day FROM rs_day_gone")?;
    let marked = statement.query_map([], |row| row.get(0))?;
    let mut days = marked.collect::<Result<BTreeSet<Day>, _>>()?;
    drop(statement);
    days.extend(layout.days_taken_away()?);
    days.into_iter().try_for_each(|day| end(main, layout, day))
}
