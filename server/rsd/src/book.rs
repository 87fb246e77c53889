//! A file of what this server has to know as it is now: users, tokens, keys, a password. Read again
//! when it has changed; one that cannot be read leaves what was there before.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use telemetry::Log;

use crate::secret_file;

/// What tells one state of the file from another.
type Stamp = Option<(i64, i64, u64, u64)>;

/// Makes what is asked of it out of the text of a file, or says what is wrong with which line.
type Parse<T> = fn(&str) -> Result<T, String>;

/// What is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Users or tokens.
    Users,
    /// Keys that everybody may read.
    Public,
    /// The password of an account elsewhere.
    Password,
}

impl Kind {
    /// Bytes of the file; a longer one is none.
    pub(crate) const fn most(self) -> u64 {
        match self {
            Self::Users | Self::Public => 4 << 20,
            Self::Password => 4096,
        }
    }

    /// Log ids: it was read again, and it could not be.
    const fn log_ids(self) -> (u16, u16) {
        match self {
            Self::Users | Self::Public => (36003, 36004),
            Self::Password => (33108, 33109),
        }
    }
}

/// The file and what is in it.
pub(crate) struct Book<T> {
    path: PathBuf,
    kind: Kind,
    parse: Parse<T>,
    /// With the stamp of the file when it was last read, well or not.
    state: Mutex<(T, Stamp)>,
}

impl<T> Book<T> {
    /// Reads it.
    ///
    /// # Errors
    /// The file and what is wrong with it.
    pub(crate) fn open(path: &Path, kind: Kind, parse: Parse<T>) -> Result<Self, String> {
        let stamp = stamp(path);
        let (path, state) = (path.to_owned(), Mutex::new((read(path, kind, parse)?, stamp)));
        Ok(Self { path, kind, parse, state })
    }

    /// Looks whether the file has changed; `asked`: reads it anyway. True: there is another table.
    pub(crate) fn look(&self, asked: bool, log: &Log) -> bool {
        let now = stamp(&self.path);
        let mut state = self.lock();
        if !asked && state.1 == now {
            return false;
        }
        state.1 = now;
        let (told, refused) = self.kind.log_ids();
        let file = self.path.display().to_string();
        match read(&self.path, self.kind, self.parse) {
            Ok(table) => {
                state.0 = table;
                if self.kind != Kind::Public && secret_file::is_readable(&self.path) {
                    log.emit(10504, None, &[("file", &file)]);
                }
                log.emit(told, None, &[("file", &file)]);
                true
            }
            Err(error) => {
                log.emit(refused, None, &[("file", &file), ("error", &error)]);
                false
            }
        }
    }

    /// Asks what is in it now.
    pub(crate) fn ask<A>(&self, question: impl FnOnce(&T) -> A) -> A {
        question(&self.lock().0)
    }

    /// Which file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn lock(&self) -> MutexGuard<'_, (T, Stamp)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is in a file.
fn read<T>(path: &Path, kind: Kind, parse: Parse<T>) -> Result<T, String> {
    let text = secret_file::read(path, kind.most())?;
    parse(&text).map_err(|why| format!("{}: {why}", path.display()))
}

fn stamp(path: &Path) -> Stamp {
    let found = fs::metadata(path).ok()?;
    Some((found.mtime(), found.mtime_nsec(), found.size(), found.ino()))
}
