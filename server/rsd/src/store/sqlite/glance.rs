//! A look into files that are not open for work: at a start, before anything waits for them. It
//! takes no step of the schema, makes no file, and does not wait for whoever has one locked.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::bins::meta;
use super::files::Layout;
use super::migrate::{DAY, MAIN, Migration, check};
use super::write::applied_seq;
use crate::store::{Seen, StoreError};

/// So long it waits for a file that another has locked.
const BUSY: Duration = Duration::from_millis(500);

/// What the files say.
///
/// # Errors
/// A later version has written one, or what is there cannot be read now.
pub(super) fn seen(layout: &Layout) -> Result<Seen, StoreError> {
    if !layout.has_main() && !layout.days_dir().exists() {
        return Ok(Seen::default());
    }
    let days = layout.days()?;
    if !layout.has_main() && days.is_empty() {
        return Ok(Seen::default());
    }
    layout.check_whole()?;
    let main = open(&layout.main_path())?;
    check(&main, MAIN, "rs.db")?;
    let applied = applied_seq(&main)?;
    // a former schema has no tables for these
    let meta = meta(&main).unwrap_or_default();
    let newest = "SELECT max(last_ms) FROM rs_fact_span";
    let newest_ms = main.query_row(newest, [], |row| row.get(0)).unwrap_or_default();
    let mut highest = applied;
    for day in days {
        let seq = of_file(&layout.day_path(day), DAY, &format!("{day}.db"));
        match seq {
            Ok(seq) => highest = highest.max(seq),
            // it will be set aside
            Err(StoreError::Damaged(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Seen { applied, highest, meta, newest_ms })
}

fn of_file(path: &Path, steps: &[Migration], name: &str) -> Result<u64, StoreError> {
    let db = open(path)?;
    check(&db, steps, name)?;
    applied_seq(&db)
}

fn open(path: &Path) -> Result<Connection, StoreError> {
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.busy_timeout(BUSY)?;
    // what a crash has left in a log is moved by whoever works with the file
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(db)
}
