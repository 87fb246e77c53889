//! The files of an SQLite store: one main file, one per UTC day, opened on demand, the least used
//! closed. Only opening; what is in them is the matter of the neighbours.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

use super::aside::{Aside, of_main};
use super::cache::Caches;
use super::checkpoint::watch;
use super::logs::{File, Lengths, Logs};
use super::migrate::{DAY, MAIN, migrate};
use super::uris;
use crate::store::{Day, StoreError, secret};

/// How the name of a day's file ends that is to be removed.
const GONE: &str = ".gone";

/// Where the files are: `{data_dir}/rs`.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    dir: PathBuf,
    /// Held by whoever opens a day's file, and alone by who makes or removes one.
    opening: Arc<RwLock<()>>,
    /// Days that are left alone.
    pub(super) aside: Arc<Aside>,
    /// Whether a new day has indexes of URIs.
    pub(super) uri_indexes: bool,
    /// What of the files is kept in memory.
    pub(super) caches: Caches,
    /// How long the logs are.
    pub(super) logs: Arc<Logs>,
}

impl Layout {
    pub(super) fn new(dir: PathBuf, aside: Aside) -> Self {
        let (aside, caches) = (Arc::new(aside), Caches::default());
        let logs = Arc::new(Logs::new(Lengths::default()));
        Self { dir, opening: Arc::default(), aside, uri_indexes: false, caches, logs }
    }

    /// Makes the directories.
    pub(super) fn make(&self) -> Result<(), StoreError> {
        fs::create_dir_all(self.days_dir())
            .and_then(|()| fs::File::open(&self.dir)?.sync_all())
            .map_err(StoreError::Files)
    }

    /// The names of all days' objects are in the main file: a new one beside old days would show
    /// their calls under the names of others.
    pub(super) fn check_whole(&self) -> Result<(), StoreError> {
        if self.has_main() || self.days()?.is_empty() {
            return Ok(());
        }
        let text = "rs.db is missing beside the files of days/: restore it, or move days/ away";
        Err(StoreError::Unavailable(text.into()))
    }

    pub(super) fn open_main(&self, now_ms: i64) -> Result<Connection, StoreError> {
        let open = || {
            let mut db = self.open(None)?;
            migrate(&mut db, MAIN, "rs.db", now_ms)?;
            Ok(db)
        };
        of_main(open())
    }

    pub(super) fn open_day(&self, day: Day, now_ms: i64) -> Result<Connection, StoreError> {
        let path = self.day_path(day);
        // a file that is being made is not open to others: SQLite refuses them instead of waiting
        let alone = || self.opening.write().unwrap_or_else(PoisonError::into_inner);
        let alone = (!path.exists()).then(alone);
        let beside = || self.opening.read().unwrap_or_else(PoisonError::into_inner);
        let _beside = alone.is_none().then(beside);
        let new = !path.exists();
        let mut db = self.open(Some(day))?;
        migrate(&mut db, DAY, &format!("{day}.db"), now_ms)?;
        if new {
            uris::set(&db, self.uri_indexes)?;
        }
        if new && let Some(dir) = path.parent() {
            fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(StoreError::Files)?;
        }
        Ok(db)
    }

    /// A connection that moves a log, if the file is there and whole.
    pub(super) fn open_to_move(&self, file: File) -> Result<Option<Connection>, StoreError> {
        let _beside = self.opening.read().unwrap_or_else(PoisonError::into_inner);
        let is_left_alone = file.is_some_and(|day| self.aside.check(day).is_err());
        if is_left_alone || !self.path(file).exists() {
            return Ok(None);
        }
        self.open(file).map(Some)
    }

    pub(super) fn has_main(&self) -> bool {
        self.main_path().exists()
    }

    pub(super) fn has_day(&self, day: Day) -> bool {
        self.day_path(day).exists()
    }

    /// All days that have a file, oldest first.
    pub(super) fn days(&self) -> Result<Vec<Day>, StoreError> {
        self.ending(".db")
    }

    /// Days whose file is to be removed.
    pub(super) fn days_taken_away(&self) -> Result<Vec<Day>, StoreError> {
        self.ending(GONE)
    }

    fn ending(&self, ending: &str) -> Result<Vec<Day>, StoreError> {
        let mut days = Vec::new();
        for entry in fs::read_dir(self.days_dir()).map_err(StoreError::Files)? {
            let name = entry.map_err(StoreError::Files)?.file_name();
            let day = name.to_str().and_then(|name| name.strip_suffix(ending));
            days.extend(day.and_then(|day| day.parse::<Day>().ok()));
        }
        days.sort_unstable();
        Ok(days)
    }

    /// Runs `work` while nobody opens a day's file, with a connection to one that nobody else has
    /// open and that has no log; `None`: somebody has it open.
    pub(super) fn alone<T>(
        &self,
        day: Day,
        work: impl FnOnce(Connection) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let _alone = self.opening.write().unwrap_or_else(PoisonError::into_inner);
        let db = Connection::open(self.day_path(day))?;
        db.busy_timeout(Duration::ZERO)?;
        let mode = db
            .pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0));
        match mode {
            Ok(mode) if mode == "delete" => work(db).map(Some),
            Ok(_) => Ok(None),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Renames the file of a day that nobody has open and that has no log: a late record makes a
    /// new one.
    pub(super) fn take_away(&self, day: Day) -> Result<(), StoreError> {
        fs::rename(self.day_path(day), self.gone_path(day)).map_err(StoreError::Files)?;
        self.sync_days()
    }

    pub(super) fn is_taken_away(&self, day: Day) -> bool {
        self.gone_path(day).exists()
    }

    /// A connection to a file that was renamed.
    pub(super) fn taken_away(&self, day: Day) -> Result<Connection, StoreError> {
        Ok(Connection::open(self.gone_path(day))?)
    }

    /// Removes a file that was renamed, for good.
    pub(super) fn remove(&self, day: Day) -> Result<(), StoreError> {
        match fs::remove_file(self.gone_path(day)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::Files(error))
            }
            _ => self.sync_days(),
        }
    }

    fn sync_days(&self) -> Result<(), StoreError> {
        let dir = fs::File::open(self.days_dir());
        dir.and_then(|dir| dir.sync_all()).map_err(StoreError::Files)
    }

    /// Bytes of the main file and of all days, with their logs.
    pub(super) fn sizes(&self) -> Result<BTreeMap<&'static str, u64>, StoreError> {
        let sum = |dir: &Path| -> std::io::Result<u64> {
            let mut bytes = 0;
            for entry in fs::read_dir(dir)? {
                bytes += match entry?.metadata() {
                    Ok(meta) if meta.is_file() => meta.len(),
                    Ok(_) => 0,
                    // whoever closes a file takes its log away
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
                    Err(error) => return Err(error),
                };
            }
            Ok(bytes)
        };
        let read = || -> std::io::Result<_> {
            let days = sum(&self.days_dir())?;
            Ok(BTreeMap::from([("days", days), ("main", sum(&self.dir)?)]))
        };
        read().map_err(StoreError::Files)
    }

    pub(super) fn secret_path(&self) -> PathBuf {
        self.dir.join(secret::FILE)
    }

    fn gone_path(&self, day: Day) -> PathBuf {
        self.days_dir().join(format!("{day:08}{GONE}"))
    }

    pub(super) fn days_dir(&self) -> PathBuf {
        self.dir.join("days")
    }

    pub(super) fn main_path(&self) -> PathBuf {
        self.dir.join("rs.db")
    }

    pub(super) fn day_path(&self, day: Day) -> PathBuf {
        self.days_dir().join(format!("{day:08}.db"))
    }

    fn path(&self, file: File) -> PathBuf {
        file.map_or_else(|| self.main_path(), |day| self.day_path(day))
    }

    fn open(&self, file: File) -> Result<Connection, StoreError> {
        let mut db = Connection::open(self.path(file))?;
        db.busy_timeout(BUSY)?;
        // One plan for a statement, whatever its parameters are: else those that meet a partial
        // index are planned anew at each use.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        db.pragma_update(None, "page_size", 8192)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.pragma_update(None, "mmap_size", 0)?;
        db.pragma_update(None, "cache_size", -self.caches.each)?;
        // what a savepoint may have to take back, which is little
        db.pragma_update(None, "temp_store", "MEMORY")?;
        watch(&mut db, Arc::clone(&self.logs), file)?;
        db.set_prepared_statement_cache_capacity(64);
        Ok(db)
    }
}

/// Writes a file without its free pages. The copy is made in a file: in memory it is as large as
/// the database.
pub(super) fn write_anew(db: &Connection) -> Result<(), StoreError> {
    db.pragma_update(None, "temp_store", "FILE")?;
    let done = db.execute_batch("VACUUM");
    db.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(done?)
}

/// So long a connection waits for another.
pub(super) const BUSY: Duration = Duration::from_secs(10);

/// Connections to day files, at most so many.
pub(super) struct Days {
    layout: Layout,
    most: usize,
    writes: bool,
    open: BTreeMap<Day, (Connection, u64)>,
    uses: u64,
}

impl Days {
    /// For questions.
    pub(super) fn new(layout: Layout, most: usize) -> Self {
        Self { layout, most, writes: false, open: BTreeMap::new(), uses: 0 }
    }

    /// For the writer.
    pub(super) fn to_write(layout: Layout, most: usize) -> Self {
        Self { writes: true, ..Self::new(layout, most) }
    }

    /// The day's file; made if it is missing.
    pub(super) fn get(&mut self, day: Day, now_ms: i64) -> Result<&mut Connection, StoreError> {
        self.layout.aside.check(day)?;
        self.uses += 1;
        if !self.open.contains_key(&day) {
            while self.open.len() >= self.most {
                let least = self.open.iter().min_by_key(|(_, (_, used))| *used);
                let Some(least) = least.map(|(day, _)| *day) else { break };
                let closed = self.open.remove(&least);
                // else SQLite would move the log here and now: who moves logs knows of it
                if let Some((db, _)) = closed.filter(|_| self.layout.logs.has(Some(least))) {
                    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
                }
            }
            let db = self.layout.open_day(day, now_ms)?;
            if self.writes {
                let Caches { hot, each } = self.layout.caches;
                for (other, _) in self.open.values() {
                    other.pragma_update(None, "cache_size", -each)?;
                }
                db.pragma_update(None, "cache_size", -hot)?;
            }
            self.open.insert(day, (db, 0));
        }
        let uses = self.uses;
        match self.open.get_mut(&day) {
            Some((db, used)) => {
                *used = uses;
                Ok(db)
            }
            None => Err(StoreError::Files(std::io::ErrorKind::NotFound.into())),
        }
    }

    /// Closes a day's file.
    pub(super) fn close(&mut self, day: Day) {
        self.open.remove(&day);
    }

    /// All days that have a file, oldest first.
    pub(super) fn all(&self) -> Result<Vec<Day>, StoreError> {
        self.layout.days()
    }

    /// Days that have a file which is not known to be damaged, oldest first.
    pub(super) fn whole(&self) -> Result<Vec<Day>, StoreError> {
        let aside = self.layout.aside.all();
        let mut days = self.all()?;
        days.retain(|day| !aside.contains_key(day));
        Ok(days)
    }

    /// Those that are set aside, as a list of SQL.
    pub(super) fn aside(&self) -> String {
        let days = self.layout.aside.all();
        days.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    /// Asks a day's file; `None`: there is none, or it is damaged, and set aside.
    pub(super) fn ask<T>(
        &mut self,
        day: Day,
        now_ms: i64,
        ask: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let answer = match self.find(day, now_ms) {
            Ok(Some(db)) => ask(db).map(Some),
            other => other.map(|_| None),
        };
        match answer {
            Err(error) if self.set_aside(day, &error).is_some() => Ok(None),
            answer => answer,
        }
    }

    /// Closes a day's file and leaves it alone, if this says that it is damaged; gives back why.
    pub(super) fn set_aside(&mut self, day: Day, error: &StoreError) -> Option<String> {
        let why = self.layout.aside.put(day, error)?;
        self.close(day);
        Some(why)
    }

    /// Those that are open now.
    #[cfg(test)]
    pub(super) fn open(&self) -> impl Iterator<Item = &Connection> {
        self.open.values().map(|(db, _)| db)
    }

    /// The day's file, if there is one.
    pub(super) fn find(
        &mut self,
        day: Day,
        now_ms: i64,
    ) -> Result<Option<&mut Connection>, StoreError> {
        if !self.open.contains_key(&day) && !self.layout.has_day(day) {
            return Ok(None);
        }
        self.get(day, now_ms).map(Some)
    }
}
