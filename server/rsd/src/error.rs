//! Why a Reporting Server cannot start, sorted by blame: the settings or this machine.
//!
//! Each variant has one exit code of the table in ops.md §2. Nothing here happens to a record: once
//! ingest runs, what goes wrong is back-pressure, a dead letter or a log line.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use config::home::Refused;
use model::schema::Problem;
use spool::OpenError;

use crate::store::StoreError;

/// A start that was refused; nothing is left behind but the files of `data_dir`.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting that cannot work, or a part that this version does not have.
    #[error("{0}")]
    Settings(String),
    /// Platform objects that are not valid.
    #[error("{}", lines(.0))]
    Objects(Vec<Problem>),
    /// An address could not be bound.
    #[error("cannot listen on {what} {address}")]
    Listen {
        /// `broker` or `http`.
        what: &'static str,
        /// As configured.
        address: SocketAddr,
        /// The kernel's reason.
        source: io::Error,
    },
    /// Another process works in this directory.
    #[error("directory locked by another ringmaster: {}", .0.display())]
    Locked(PathBuf),
    /// A file or directory cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The kernel's reason.
        source: io::Error,
    },
    /// A file of `data_dir` was written by a later version, or by another line of versions.
    #[error("{0}")]
    Newer(String),
    /// The database cannot be opened.
    #[error("cannot use the database in {}", path.display())]
    Database {
        /// Its directory.
        path: PathBuf,
        /// What it says.
        source: StoreError,
    },
    /// The machine has no thread, descriptor or random number left.
    #[error("no {what} left")]
    Exhausted {
        /// What there is none of.
        what: &'static str,
        /// The kernel's reason.
        source: io::Error,
    },
}

impl From<Refused> for StartError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Locked(dir) => Self::Locked(dir),
            Refused::File { path, source } => Self::File { path, source },
        }
    }
}

impl StartError {
    /// The exit code of ops.md §2: 78 settings, 3 objects, 8 local resource.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) | Self::Newer(_) => 78,
            Self::Objects(_) => 3,
            Self::Listen { .. }
            | Self::Locked(_)
            | Self::File { .. }
            | Self::Database { .. }
            | Self::Exhausted { .. } => 8,
        }
    }

    pub(crate) fn threads(source: io::Error) -> Self {
        Self::Exhausted { what: "threads", source }
    }

    pub(crate) fn spool(path: PathBuf, error: OpenError) -> Self {
        match error {
            OpenError::Locked(_) => Self::Locked(path),
            OpenError::Io(source) => Self::File { path, source },
            OpenError::Newer(_) => Self::Newer(error.to_string()),
            OpenError::Settings(_) => Self::Settings(error.to_string()),
        }
    }

    pub(crate) fn broker(address: SocketAddr, source: io::Error) -> Self {
        Self::Listen { what: "broker", address, source }
    }

    pub(crate) fn database(path: PathBuf, error: StoreError) -> Self {
        match error {
            StoreError::Newer { .. } | StoreError::Changed { .. } => Self::Newer(error.to_string()),
            StoreError::Files(source) => Self::File { path, source },
            StoreError::Unavailable(_)
            | StoreError::Busy(_)
            | StoreError::Taken(_)
            | StoreError::Damaged(_)
            | StoreError::Main(_)
            | StoreError::Rejected(_)
            | StoreError::State(_)
            | StoreError::Secret(_)
            | StoreError::Fenced(_) => Self::Database { path, source: error },
        }
    }
}

/// One problem a line.
fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
