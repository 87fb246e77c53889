//! From settings to what the daemon stands on: what is read, locked, bound and opened before
//! anything runs. Cheapest first.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use config::settings::ConfigServer as Given;
use config::{Home, Settings, objects};
use model::config::Document;
use model::id::Revision;
use net::Clock;
use telemetry::Log;

use crate::books::{self, AdminError, Books, FirstAdmin, History, OpenError};
use crate::error::StartError;
use crate::http;
use crate::refusal::Refusal;
use crate::store::sqlite::Sqlite;
use config::certificates::Certificates;

/// What a Config Server is made of.
pub struct Parts {
    /// Of them `data_dir` and `config_server` are used. The port may be 0: a free one, which
    /// [`crate::ConfigServer::address`] tells.
    pub settings: Settings,
    /// Objects that an empty store begins with, where the settings name no file of them.
    pub seed: Option<Vec<Document>>,
    /// The process's log.
    pub log: Log,
    /// The process's clock.
    pub clock: Clock,
}

/// What a server stands on.
pub(crate) struct Base {
    pub(crate) dir: Home,
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
    pub(crate) certificates: Option<Arc<Mutex<Certificates>>>,
    pub(crate) books: Books,
}

impl Base {
    /// Locks the directory, binds the port, reads certificates, opens the books.
    pub(crate) fn lay(settings: &Settings, log: &Log, clock: Clock) -> Result<Self, StartError> {
        let given = &settings.config_server;
        let dir = Home::lock(&settings.data_dir, "config")?;
        let (listener, address) = http::bind(given.listen)?;
        let open = |block| Certificates::open("config", block, clock.now().wall, log);
        let certificates = given.tls.as_ref().map(open).transpose();
        let certificates = certificates
            .map_err(|fault| StartError::Settings(format!("config_server.tls: {fault}")))?;
        let certificates = certificates.map(|own| Arc::new(Mutex::new(own)));
        let books = open_books(given, dir.path(), log, clock)?;
        Ok(Self { dir, listener, address, certificates, books })
    }
}

/// Opens the books of a directory that is ours.
pub(crate) fn open_books(
    given: &Given,
    dir: &Path,
    log: &Log,
    clock: Clock,
) -> Result<Books, StartError> {
    let failed = |error: OpenError| StartError::Store { path: dir.to_owned(), source: error };
    let store = Sqlite::open(dir, clock.now().wall).map_err(|error| failed(error.into()))?;
    let history = History { revisions: given.keep_revisions, age: given.keep };
    let clocks = Arc::new(move || clock.now());
    let parts = books::Parts { store: Box::new(store), history, clocks, log: log.clone() };
    Books::open(parts).map_err(failed)
}

/// Puts the first objects into an empty store.
pub(crate) async fn seed(
    books: &Books,
    file: Option<&Path>,
    embedded: Option<Vec<Document>>,
    log: &Log,
) -> Result<(), StartError> {
    let empty = books.now().revision == Revision(0);
    let documents = match (file, embedded) {
        (Some(file), _) => match objects::load_standing(file) {
            Ok(documents) => documents,
            Err(problems) if empty => return Err(StartError::Seed(problems)),
            Err(_) => {
                log.emit(40003, None, &[("file", &file.display().to_string())]);
                return Ok(());
            }
        },
        (None, Some(documents)) if empty => documents,
        (None, _) => return Ok(()),
    };
    match books.seed(documents).await {
        Ok(_) => Ok(()),
        Err(Refusal::Invalid(problems)) => Err(StartError::Seed(problems)),
        Err(refusal) => Err(StartError::Settings(format!("config_server.seed: {refusal}"))),
    }
}

/// Sees to it that there is an admin (ops.md §1.12); the file of a token that was made for that.
pub(crate) async fn first_admin(
    books: &Books,
    home: &Path,
    handed: Option<&Path>,
    log: &Log,
) -> Result<Option<PathBuf>, StartError> {
    if let Some(file) = handed {
        is_private(file, log)?;
    }
    match books.first_admin(home, handed).await.map_err(|error| no_admin(error, home))? {
        FirstAdmin::Made(file) => {
            log.emit(40004, None, &[("file", &file.display().to_string())]);
            Ok(Some(file))
        }
        FirstAdmin::Known | FirstAdmin::Installed => Ok(None),
    }
}

/// Makes another admin's token; its file.
pub(crate) async fn new_admin(
    books: &Books,
    home: &Path,
    log: &Log,
) -> Result<PathBuf, StartError> {
    match books.new_admin(home).await.map_err(|error| no_admin(error, home))? {
        FirstAdmin::Made(file) => {
            log.emit(40004, None, &[("file", &file.display().to_string())]);
            Ok(file)
        }
        FirstAdmin::Known | FirstAdmin::Installed => Ok(home.to_owned()),
    }
}

fn no_admin(error: AdminError, home: &Path) -> StartError {
    match error {
        AdminError::File { path, source } => StartError::File { path, source },
        AdminError::Refused(Refusal::Malformed(text)) => {
            StartError::Settings(format!("config_server.auth.bootstrap_token_file: {text}"))
        }
        AdminError::Refused(refusal) => {
            StartError::File { path: home.to_owned(), source: std::io::Error::other(refusal) }
        }
    }
}

/// Others may not write a secret; that they may read it is told.
fn is_private(file: &Path, log: &Log) -> Result<(), StartError> {
    let failed = |source| StartError::File { path: file.to_owned(), source };
    let mode = std::fs::metadata(file).map_err(failed)?.mode();
    if mode & 0o022 != 0 {
        let text = format!("others than its owner may write it (mode {:03o})", mode & 0o777);
        return Err(StartError::Settings(format!("{}: {text}", file.display())));
    }
    if mode & 0o004 != 0 {
        log.emit(10504, None, &[("file", &file.display().to_string())]);
    }
    Ok(())
}
