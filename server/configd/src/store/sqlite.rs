//! The store on SQLite: `{data_dir}/config/config.db` (ops.md §1.9).
//!
//! One connection writes, in WAL mode and with `synchronous = FULL`: what has been committed is on
//! disk. Reads have connections of their own and see one revision, whatever is written beside.

mod migrate;
mod private;
mod rows;
mod write;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::id::Revision;
use model::time::Millis;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    AuditQuery, AuditRow, BOOKS, ChangeRow, Commit, Keep, Loaded, Notes, Record, Replaced,
    RevisionQuery, RevisionRow, Store, StoreError, TokenRow,
};
use crate::limits::MAX_AUDIT_PAGE;

/// Connections kept for reads.
const READERS: usize = 4;
/// How long a statement waits for another one's lock; only a checkpoint may hold one.
const WAIT: Duration = Duration::from_secs(5);

/// The store.
pub struct Sqlite {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl Sqlite {
    /// Opens or makes `config.db` in a directory, which nobody else may use, and checks it. The
    /// directory and its files lose what rights others have.
    ///
    /// # Errors
    /// Not to be opened, open to others, damaged, or of a later version.
    pub fn open(dir: &Path, now: Millis) -> Result<Self, StoreError> {
        let path = dir.join("config.db");
        private::close_to_others(&path)?;
        let mut writer = connect(&path)?;
        check(&writer)?;
        migrate::migrate(&mut writer, migrate::STEPS, now)?;
        Ok(Self { path, writer: Mutex::new(writer), readers: Mutex::new(Vec::new()) })
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write<T>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writer = self.writer();
        let transaction = writer.transaction()?;
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// Lends a connection in a transaction of its own; one that met an error is not used again.
    fn read<T>(
        &self,
        ask: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => connect(&self.path)?,
        };
        let transaction = reader.transaction()?;
        let answer = ask(&transaction)?;
        drop(transaction);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS {
            readers.push(reader);
        }
        Ok(answer)
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let db = Connection::open(path)?;
    db.busy_timeout(WAIT)?;
    db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

fn check(db: &Connection) -> Result<(), StoreError> {
    let found: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(StoreError::Damaged(found)) }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        match &error {
            rusqlite::Error::SqliteFailure(failure, _)
                if matches!(failure.code, Code::NotADatabase | Code::DatabaseCorrupt) =>
            {
                Self::Damaged(error.to_string())
            }
            _ => Self::Unavailable(Box::new(error)),
        }
    }
}

impl Store for Sqlite {
    fn load(&self) -> Result<Loaded, StoreError> {
        self.read(|db| {
            let head = "SELECT revision, digest FROM head";
            let head = db.query_row(head, [], |row| Ok((rows::revision(row, 0)?, row.get(1)?)));
            let books = "SELECT value FROM meta WHERE key = ?1";
            let books = db.query_row(books, [BOOKS], |row| row.get(0)).optional()?;
            let oldest = "SELECT min(revision) FROM revision";
            let oldest = db.query_row(oldest, [], |row| row.get::<_, Option<i64>>(0))?;
            Ok(Loaded {
                head: head.optional()?,
                books,
                oldest: oldest.map(|oldest| Revision(oldest.cast_unsigned())),
                objects: rows::all(db, rows::OBJECTS, rows::object)?,
                counters: rows::all(db, rows::COUNTERS, rows::numbered)?,
                gone: rows::all(db, rows::GONE, rows::numbered)?,
                tokens: rows::all(db, rows::TOKENS, rows::token)?,
                clients: rows::all(db, rows::CLIENTS, rows::client)?,
            })
        })
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        self.write(|db| write::commit(db, commit))
    }

    fn revisions(&self, query: &RevisionQuery) -> Result<Vec<RevisionRow>, StoreError> {
        let (kind, dbid) = query.object.clone().unzip();
        let sql = concat!(
            "SELECT revision, time_ms, actor, token_id, source, user_agent, message, changes, ",
            "digest FROM revision AS r WHERE revision < ?1 AND (?2 IS NULL OR actor = ?2) AND ",
            "(?3 IS NULL OR EXISTS (SELECT 1 FROM change AS c WHERE c.revision = r.revision ",
            "AND c.kind = ?3 AND c.dbid = ?4)) ORDER BY revision DESC LIMIT ?5"
        );
        let before = query.before.map_or(i64::MAX, |before| whole(before.0));
        let limit = whole(query.limit as u64);
        self.read(|db| {
            let mut ask = db.prepare_cached(sql)?;
            let found =
                ask.query_map(params![before, query.actor, kind, dbid, limit], rows::revision_row)?;
            found.map(|row| row.map_err(StoreError::from)).collect()
        })
    }

    fn changes(&self, from: Revision, to: Revision) -> Result<Vec<ChangeRow>, StoreError> {
        let sql = concat!(
            "SELECT revision, seq, op, kind, dbid, before, after, was, \"is\" FROM change ",
            "WHERE revision BETWEEN ?1 AND ?2 ORDER BY revision, seq"
        );
        self.read(|db| {
            let mut ask = db.prepare_cached(sql)?;
            let found = ask.query_map([whole(from.0), whole(to.0)], rows::change)?;
            found.map(|row| row.map_err(StoreError::from)).collect()
        })
    }

    fn last_dbid(&self, kind: &str, tenant: &str, name: &str) -> Result<Option<u32>, StoreError> {
        let sql = concat!(
            "SELECT dbid FROM change WHERE kind = ?1 AND ?3 IN (before ->> 'name', ",
            "after ->> 'name') AND ?2 IN (coalesce(before ->> 'tenant', 'Environment'), ",
            "coalesce(after ->> 'tenant', 'Environment')) ORDER BY revision DESC LIMIT 1"
        );
        self.read(|db| Ok(db.query_row(sql, [kind, tenant, name], |row| row.get(0)).optional()?))
    }

    fn compact(&self, keep: &Keep) -> Result<Option<Revision>, StoreError> {
        self.write(|db| write::compact(db, keep))
    }

    fn token(&self, id: &str) -> Result<Option<TokenRow>, StoreError> {
        let sql = "SELECT id, name, hash, role, tenants, created_ms, expires_ms, last_used_ms \
            FROM token WHERE id = ?1";
        self.read(|db| Ok(db.query_row(sql, [id], rows::token).optional()?))
    }

    fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        self.read(|db| rows::all(db, rows::TOKENS, rows::token))
    }

    fn put_token(&self, token: &TokenRow, audit: &AuditRow) -> Result<(), StoreError> {
        self.write(|db| {
            write::token(db, token)?;
            write::audit(db, audit)
        })
    }

    fn delete_token(&self, id: &str, audit: &AuditRow) -> Result<(), StoreError> {
        self.write(|db| {
            db.execute("DELETE FROM token WHERE id = ?1", [id])?;
            write::audit(db, audit)
        })
    }

    fn note(&self, notes: &Notes) -> Result<(), StoreError> {
        self.write(|db| write::notes(db, notes))
    }

    fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditRow>, StoreError> {
        let sql = concat!(
            "SELECT seq, time_ms, actor, token_id, role, source, action, objects, outcome, ",
            "problem, revision, request_id FROM audit WHERE seq < ?1 AND time_ms >= ?2 AND ",
            "time_ms < ?3 AND (?4 IS NULL OR actor = ?4) AND (?5 IS NULL OR action = ?5) ",
            "ORDER BY seq DESC LIMIT ?6"
        );
        let before = query.before.map_or(i64::MAX, whole);
        let from = query.from.map_or(0, |from| whole(from.0));
        let to = query.to.map_or(i64::MAX, |to| whole(to.0));
        let limit = whole(query.limit as u64);
        self.read(|db| {
            let mut ask = db.prepare_cached(sql)?;
            let found = ask.query_map(
                params![before, from, to, query.actor, query.action, limit],
                rows::audit,
            )?;
            let (mut lines, mut bytes) = (Vec::new(), 0);
            for line in found {
                let line = line?;
                bytes += line.size();
                lines.push(line);
                if bytes >= MAX_AUDIT_PAGE {
                    break;
                }
            }
            Ok(lines)
        })
    }

    fn dump(
        &self,
        each: &mut dyn FnMut(Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.read(|db| rows::dump(db, each))
    }

    fn replace(
        &self,
        what: Replaced,
        records: &mut dyn Iterator<Item = Result<Record, StoreError>>,
    ) -> Result<(), StoreError> {
        self.write(|db| write::replace(db, what, records))
    }
}

/// A number as SQLite has it.
fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
