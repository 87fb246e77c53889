//! Moves a log into its file: most of it beside batches, the rest between two of them, so that the
//! next one begins the log anew. The connection is open only for that.
//!
//! SQLite keeps the order: the log is on disk before pages of the file are written, and the file
//! before the log begins anew. Whoever commits into a log that nobody has moved for far too long
//! moves it himself ([`watch`]).

use std::sync::{Arc, MutexGuard};

use rusqlite::Connection;
use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;

use super::aside::of_main;
use super::logs::{File, Logs, Moved};
use super::{Door, Sqlite, lock};
use crate::store::StoreError;
use crate::store::checkpoints::{Checkpoints, Due};

impl Checkpoints for Sqlite {
    fn checkpoint(&self, due: Due) -> Result<(), StoreError> {
        if !matches!(*lock(&self.door), Door::Open) {
            return Ok(());
        }
        let mut first = Ok(());
        for file in self.layout.logs.due(due) {
            let done = self.shorten(file).inspect_err(|_| self.layout.logs.failed(file));
            first = first.and(match file {
                None => self.told(of_main(done)),
                Some(day) => done.inspect_err(|error| {
                    self.layout.aside.put(day, error);
                }),
            });
        }
        first
    }
}

impl Sqlite {
    /// No log is moved until this is dropped. Taken before the writer, or what it waits for.
    pub(super) fn unmoved(&self) -> MutexGuard<'_, ()> {
        lock(&self.moving)
    }

    fn shorten(&self, file: File) -> Result<(), StoreError> {
        let _moving = self.unmoved();
        let logs = &self.layout.logs;
        let Some(db) = self.layout.open_to_move(file)? else {
            logs.forget(file);
            return Ok(());
        };
        let turn = logs.begin(file);
        let mut moved = pass(&db, logs, file)?;
        if !moved.whole && turn.is_long() {
            turn.alone();
            let _writer = lock(&self.writer);
            moved = pass(&db, logs, file)?;
        }
        logs.moved(file, moved);
        Ok(())
    }
}

/// As far as it goes without waiting for anybody.
fn pass(db: &Connection, logs: &Logs, file: File) -> Result<Moved, StoreError> {
    let commits = logs.commits(file);
    let whole = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        let [busy, pages, moved] = [row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?];
        Ok(busy == 0 && moved >= pages)
    })?;
    Ok(Moved { commits, whole })
}

/// Has each commit of this connection tell how long the log is; SQLite moves nothing by itself.
pub(super) fn watch(db: &mut Connection, logs: Arc<Logs>, file: File) -> Result<(), StoreError> {
    let told = move |wal: &mut Wal, pages: i32| {
        if logs.grew(file, i64::from(pages)) {
            let commits = logs.commits(file);
            // what fails here is met, and told, by the next one who moves
            let done = wal.checkpoint_v2(CheckpointMode::PASSIVE);
            let whole = done.is_ok_and(|(pages, moved)| moved >= pages);
            logs.moved(file, Moved { commits, whole });
        }
        Ok(())
    };
    Ok(db.wal_hook(Some(told))?)
}
