//! A file of users or tokens, as it is now: read again when it has changed. One that cannot be
//! read leaves what was there before.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use telemetry::Log;

use crate::secret_file;

/// Bytes of the file.
const FILE: u64 = 4 << 20;

/// What tells one state of the file from another.
type Stamp = Option<(i64, i64, u64, u64)>;

/// Makes what is asked of it out of the text of a file, or says what is wrong with which line.
type Parse<T> = fn(&str) -> Result<T, String>;

/// The file and what is in it.
pub(super) struct Book<T> {
    path: PathBuf,
    parse: Parse<T>,
    /// What is in it is nobody else's business.
    secret: bool,
    /// With the stamp of the file when it was last read, well or not.
    state: Mutex<(T, Stamp)>,
}

impl<T> Book<T> {
    /// Reads it.
    ///
    /// # Errors
    /// The file and what is wrong with it.
    pub(super) fn open(path: &Path, parse: Parse<T>) -> Result<Self, String> {
        let stamp = stamp(path);
        let (path, state) = (path.to_owned(), Mutex::new((read(path, parse)?, stamp)));
        Ok(Self { path, parse, secret: true, state })
    }

    /// The same of what everybody may read.
    ///
    /// # Errors
    /// The file and what is wrong with it.
    pub(super) fn open_public(path: &Path, parse: Parse<T>) -> Result<Self, String> {
        Self::open(path, parse).map(|own| Self { secret: false, ..own })
    }

    /// Looks whether the file has changed; `asked`: reads it anyway. True: there is another table.
    pub(super) fn look(&self, asked: bool, log: &Log) -> bool {
        let now = stamp(&self.path);
        let mut state = self.lock();
        if !asked && state.1 == now {
            return false;
        }
        state.1 = now;
        let file = self.path.display().to_string();
        match read(&self.path, self.parse) {
            Ok(table) => {
                state.0 = table;
                if self.secret && secret_file::is_readable(&self.path) {
                    log.emit(10504, None, &[("file", &file)]);
                }
                log.emit(36003, None, &[("file", &file)]);
                true
            }
            Err(error) => {
                log.emit(36004, None, &[("file", &file), ("error", &error)]);
                false
            }
        }
    }

    /// Asks what is in it now.
    pub(super) fn ask<A>(&self, question: impl FnOnce(&T) -> A) -> A {
        question(&self.lock().0)
    }

    /// Which file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn lock(&self) -> MutexGuard<'_, (T, Stamp)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is in a file.
fn read<T>(path: &Path, parse: Parse<T>) -> Result<T, String> {
    let text = secret_file::read(path, FILE)?;
    parse(&text).map_err(|why| format!("{}: {why}", path.display()))
}

fn stamp(path: &Path) -> Stamp {
    let found = fs::metadata(path).ok()?;
    Some((found.mtime(), found.mtime_nsec(), found.size(), found.ino()))
}
