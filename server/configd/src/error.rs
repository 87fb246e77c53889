//! Why a Config Server cannot start, sorted by blame: the settings, the objects or this machine.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use config::home::Refused;
use model::schema::Problem;

use crate::books::OpenError;

/// A start that was refused; nothing is left behind but the files of `data_dir`.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting that cannot work.
    #[error("{0}")]
    Settings(String),
    /// The objects of `config_server.seed` are not valid.
    #[error("config_server.seed: {} errors", .0.len())]
    Seed(Vec<Problem>),
    /// The address could not be bound.
    #[error("cannot listen on config_server {address}")]
    Listen {
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
    /// The store cannot be opened or read.
    #[error("cannot use the store in {}", path.display())]
    Store {
        /// Its directory.
        path: PathBuf,
        /// What it says.
        source: OpenError,
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
            Self::Settings(_) => 78,
            Self::Seed(_) => 3,
            Self::Store { source, .. } => source.exit_code(),
            Self::Listen { .. } | Self::Locked(_) | Self::File { .. } | Self::Exhausted { .. } => 8,
        }
    }
}
