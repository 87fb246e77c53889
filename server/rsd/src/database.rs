//! From settings to the store: files of our own, or a server (spec rs.md §3.3).
//!
//! A server may be away when RS starts, and files may be locked or damaged. The place of a server
//! in the spool is kept there, under the name of this RS and an id of the spool's directory, so
//! that a spool made anew begins anew; files know one spool, whose sequences only grow. A spool may
//! have lost its last segments, or be an older copy: until the database says what it has, sequences
//! go on above all that it may have.

mod init;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use config::Settings;
use config::settings::Database;
use model::time::Millis;
use net::Clock;
use telemetry::Log;

use crate::book::{Book, Kind};
use crate::error::StartError;
use crate::secret_file;
use crate::settings::count;
use crate::store::postgres::{Beside, Parts, Postgres, Target};
use crate::store::sqlite::Sqlite;
use crate::store::sqlserver::{self, SqlServer};
use crate::store::{Password, Seen, Store, StoreError, secret};

pub use init::init_database;

/// The setting of the account's password.
const PASSWORD_KEY: &str = "rs.database_password_file";
/// Connections to SQL Server for batches.
const SQL_SERVER_WRITERS: usize = 2;
/// Sequences for each millisecond since 1970, where a database does not say which ones it has: more
/// than ever come, so that what comes now is above all of them, whatever has become of the queue.
const UNSEEN: u64 = 1000;
/// A server that is there says so within this.
const SOON: Duration = Duration::from_secs(5);
/// File in the spool's directory.
const SPOOL_ID: &str = "id";
/// What becomes of it when the spool is to begin anew.
const FORMER_ID: &str = "id.former";

/// A database at the start.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    /// What it says, if it can be looked at.
    pub(crate) seen: Option<Seen>,
    /// Sequences of the spool go on above this.
    pub(crate) floor: u64,
}

/// A database server, and how it is reached.
pub(crate) enum Server {
    Postgres(Target),
    SqlServer(sqlserver::Target),
}

impl Server {
    /// As the settings have it; `None`: files of our own.
    ///
    /// # Errors
    /// They name no database; a file of theirs cannot be read.
    pub(crate) fn of(given: &Database) -> Result<Option<Self>, StartError> {
        let Some(url) = given.url.as_deref() else { return Ok(None) };
        let server = match url.starts_with("sqlserver://") {
            true => Self::SqlServer(sql_server(given, url)?),
            false => Self::Postgres(postgres(given, url)?),
        };
        Ok(Some(server))
    }
}

/// The store, which may be away: records are taken all the same. Of files in `dir` so many bytes
/// are kept in memory.
pub(crate) fn open(
    (settings, wanted): (&Settings, Option<Server>),
    (dir, cache): (&Path, u64),
    seed: [u64; 4],
    (log, now): (&Log, Millis),
) -> Result<Opened, StartError> {
    let (store, seen): (Arc<dyn Store>, _) = match wanted {
        Some(wanted) => {
            let store = server((settings, wanted), dir, seed, (log, now))?;
            let seen = seen_soon(&store);
            (store, seen)
        }
        None => {
            let indexed = settings.rs.database.uri_indexes.unwrap_or(false);
            let files = Sqlite::new(dir.to_owned(), now).with_uri_indexes(indexed);
            let files = files.with_cache(cache);
            let seen = files.seen();
            (Arc::new(files), seen)
        }
    };
    let seen = seen.map_err(|error| StartError::database(dir.to_owned(), error))?;
    let unseen = || now.0.saturating_mul(UNSEEN);
    let floor = seen.as_ref().map_or_else(unseen, |seen| seen.highest);
    Ok(Opened { store, seen, floor })
}

/// What a server says within the time that records may be kept waiting: it may hang, or be at work
/// on its schema. The applier meets what comes of that.
fn seen_soon(store: &Arc<dyn Store>) -> Result<Option<Seen>, StoreError> {
    let (tell, told) = mpsc::sync_channel(1);
    let asked = Arc::clone(store);
    // nobody listens any more when it comes late
    let look = move || drop(tell.send(asked.seen()));
    let looking = thread::Builder::new().name("database".to_owned()).spawn(look);
    looking.map_err(StoreError::Files)?;
    told.recv_timeout(SOON).unwrap_or(Ok(None))
}

fn server(
    (settings, wanted): (&Settings, Server),
    dir: &Path,
    seed: [u64; 4],
    (log, now): (&Log, Millis),
) -> Result<Arc<dyn Store>, StartError> {
    let failed = |error| StartError::database(dir.to_owned(), error);
    let given = &settings.rs.database;
    let (name, readers) = (settings.rs.name.clone(), count(given.readers));
    let spool = spool_id(&settings.rs_spool_dir(), seed)?;
    let unread = |source| StartError::File { path: dir.to_owned(), source };
    fs::create_dir_all(dir).map_err(unread)?;
    let secret = secret::read_or_make(&dir.join(secret::FILE), false).map_err(failed)?;
    let password = given.password_file.as_deref().map(|file| asked(file, log)).transpose()?;
    Ok(match wanted {
        Server::SqlServer(target) => {
            let (times, clock) = (sqlserver::Times::default(), Clock::start());
            let writers = SQL_SERVER_WRITERS;
            let parts =
                sqlserver::Parts { target, times, writers, readers, name, spool, clock, secret };
            Arc::new(SqlServer::new(parts).map_err(unread)?.with_password(password))
        }
        Server::Postgres(target) => {
            let parts = Parts { target, rs_name: name, spool_id: spool, readers, secret };
            let store = Postgres::new(parts, now).map_err(unread)?;
            Arc::new(store.with_password(password).with_uri_indexes(has_uri_indexes(given)))
        }
    })
}

/// Whether calls have indexes of their URIs at PostgreSQL.
fn has_uri_indexes(given: &Database) -> bool {
    given.uri_indexes.unwrap_or(true)
}

/// How PostgreSQL is reached.
fn postgres(given: &Database, url: &str) -> Result<Target, StartError> {
    let password = password(given)?;
    let beside = Beside { user: given.user.clone(), password, schema: given.schema.clone() };
    Target::read(url, beside).map_err(|bad| StartError::Settings(bad.to_string()))
}

/// How SQL Server is reached.
fn sql_server(given: &Database, url: &str) -> Result<sqlserver::Target, StartError> {
    let refused = |text: String| StartError::Settings(format!("rs.database: {text}"));
    if given.schema.as_ref().is_some_and(|schema| schema != "dbo") {
        let text = "SQL Server takes the default schema of the login";
        return Err(StartError::Settings(format!("rs.database_schema: {text}")));
    }
    if given.uri_indexes == Some(true) {
        let text = "not at SQL Server, whose keys of an index are shorter than a URI may be";
        return Err(StartError::Settings(format!("rs.database_uri_indexes: {text}")));
    }
    let password = password(given)?;
    let target = sqlserver::Target::read(url, given.user.as_deref(), password.unwrap_or_default());
    let target = target.map_err(|bad| refused(bad.to_string()))?;
    if let Some(file) = &target.ca_file {
        let readable = fs::File::open(file).map(drop);
        readable.map_err(|why| refused(format!("caFile: {}: {why}", file.display())))?;
    }
    Ok(target)
}

/// The account's password.
fn password(given: &Database) -> Result<Option<String>, StartError> {
    secret_of(PASSWORD_KEY, given.password_file.as_deref())
}

/// The password of a file, read again where that has changed by the time it is asked for.
fn asked(file: &Path, log: &Log) -> Result<Password, StartError> {
    let book = Book::open(file, Kind::Password, |text| Ok(line(text)));
    let book = book.map_err(|why| StartError::Settings(format!("{PASSWORD_KEY}: {why}")))?;
    let log = log.clone();
    Ok(Arc::new(move || {
        book.look(false, &log);
        book.ask(String::clone)
    }))
}

/// What a password file holds.
fn secret_of(key: &str, file: Option<&Path>) -> Result<Option<String>, StartError> {
    let read = file.map(|file| secret_file::read(file, Kind::Password.most())).transpose();
    let text = read.map_err(|why| StartError::Settings(format!("{key}: {why}")))?;
    Ok(text.as_deref().map(line))
}

/// The password in the text of its file.
fn line(text: &str) -> String {
    text.trim_end_matches(['\r', '\n']).to_owned()
}

/// Takes the id from the spool's directory: at the next start it is a spool made anew, all that is
/// in it is stored, and what the database has of it already is known by its id. False: it has none,
/// since the database is files.
pub(crate) fn disown(spool: &Path) -> io::Result<bool> {
    let former = spool.join(FORMER_ID);
    match fs::rename(spool.join(SPOOL_ID), &former) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::File::open(spool)?.sync_all()?,
    }
    former.try_exists()
}

/// The id of the spool's directory; made, and on disk, if it has none.
fn spool_id(dir: &Path, seed: [u64; 4]) -> Result<String, StartError> {
    let path = dir.join(SPOOL_ID);
    let failed = |source| StartError::File { path: path.clone(), source };
    match fs::read_to_string(&path) {
        Ok(id) => return Ok(id.trim_end().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let [_, first, second, _] = seed;
    let id = format!("{first:016x}{second:016x}");
    let make = || -> io::Result<()> {
        fs::create_dir_all(dir)?;
        let new = dir.join("id.new");
        fs::write(&new, &id)?;
        fs::File::open(&new)?.sync_all()?;
        fs::rename(&new, &path)?;
        fs::File::open(dir)?.sync_all()
    };
    make().map_err(failed)?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_spool_keeps_its_id_and_a_new_one_has_another() {
        let dir = tempfile::tempdir().unwrap();
        let spool = dir.path().join("spool");
        let id = spool_id(&spool, [0, 1, 2, 3]).unwrap();
        assert_eq!(spool_id(&spool, [0, 5, 6, 7]).unwrap(), id);
        assert!(disown(&spool).unwrap() && disown(&spool).unwrap(), "also when it is gone already");
        let other = spool_id(&spool, [0, 5, 6, 7]).unwrap();
        assert_ne!(other, id);
        let files = dir.path().join("files");
        fs::create_dir(&files).unwrap();
        assert!(!disown(&files).unwrap());
        fs::remove_dir_all(&spool).unwrap();
        assert_ne!(spool_id(&spool, [0, 8, 9, 1]).unwrap(), other);
    }

    #[test]
    fn a_password_ends_at_its_line_and_a_missing_file_stops_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        fs::write(&path, "s3cret\n").unwrap();
        let read = || secret_of("rs.key", Some(&path));
        assert_eq!(read().unwrap().unwrap(), "s3cret");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
        let refused = read().unwrap_err();
        assert_eq!(refused.exit_code(), 78);
        let why = "others than its owner may write it (mode 620)";
        assert_eq!(refused.to_string(), format!("rs.key: {}: {why}", path.display()));
        fs::remove_file(&path).unwrap();
        assert_eq!(read().unwrap_err().exit_code(), 78);
    }

    #[test]
    fn a_password_is_read_again_and_the_last_good_one_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        fs::write(&path, "first\n").unwrap();
        mode(0o640);
        let (log, lines) = Log::capture(|| Millis(0));
        let password = asked(&path, &log).unwrap();
        assert_eq!(password(), "first");
        log.flush();
        assert!(lines.lines().is_empty());
        fs::write(&path, "the second\n").unwrap();
        mode(0o644);
        assert_eq!(password(), "the second");
        fs::remove_file(&path).unwrap();
        assert_eq!([password(), password()], ["the second", "the second"]);
        log.flush();
        let told = |id: &str| lines.lines().iter().filter(|line| line.contains(id)).count();
        assert_eq!([told(" 10504 "), told(" 33108 "), told(" 33109 ")], [1, 1, 1]);
        fs::write(&path, "third").unwrap();
        mode(0o620);
        assert_eq!(password(), "the second");
        mode(0o600);
        let refused = asked(&path, &log).map(|password| password());
        assert_eq!(refused.unwrap(), "third");
        mode(0o666);
        let refused = asked(&path, &log).map(|password| password()).unwrap_err();
        let said = format!(
            "rs.database_password_file: {}: others than its owner may write it (mode 666)",
            path.display()
        );
        assert_eq!((refused.to_string(), refused.exit_code()), (said, 78));
    }
}
