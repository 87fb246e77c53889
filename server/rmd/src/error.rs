//! Why a Resource Manager cannot start, sorted by blame: the settings or this machine.
//!
//! Each variant has one exit code of the table in ops.md §2. Nothing here happens to a call: once
//! the engine runs, what goes wrong is data and a log line.

use config::home::Refused;
use model::schema::Problem;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

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
        /// `udp`, `tcp`, `tls` or `http`.
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
    /// A file of `data_dir` was written by a later version.
    #[error("{0} was written by a newer version")]
    Newer(String),
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
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) | Self::Newer(_) => 78,
            Self::Objects(_) => 3,
            Self::Listen { .. } | Self::Locked(_) | Self::File { .. } | Self::Exhausted { .. } => 8,
        }
    }

    pub(crate) fn descriptors(source: io::Error) -> Self {
        Self::Exhausted { what: "descriptors", source }
    }

    pub(crate) fn threads(source: io::Error) -> Self {
        Self::Exhausted { what: "threads", source }
    }

    pub(crate) fn file(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::File { path: path.into(), source }
    }
}

/// One problem a line.
fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
