//! The directory of one daemon below `data_dir`, ours as long as the process lives.
//!
//! ```text
//! {data_dir}/{part}/lock    empty; locked (flock) for the life of the process
//! ```
//! What else lies there is the daemon's.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// A locked directory; let go when dropped.
#[derive(Debug)]
pub struct Home {
    dir: PathBuf,
    _lock: File,
}

/// Why a directory cannot be ours.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Another process works in it.
    #[error("directory locked by another ringmaster: {}", .0.display())]
    Locked(PathBuf),
    /// A file or directory cannot be made.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The kernel's reason.
        source: io::Error,
    },
}

impl Home {
    /// Makes and locks `{data_dir}/{part}`.
    ///
    /// # Errors
    /// Locked by another process, or not to be made.
    pub fn lock(data_dir: &Path, part: &str) -> Result<Self, Refused> {
        let refused = |path: &Path, source| Refused::File { path: path.to_owned(), source };
        let dir = data_dir.join(part);
        make(&dir).map_err(|error| refused(&dir, error))?;
        let path = dir.join("lock");
        let file = File::create(&path).map_err(|error| refused(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { dir, _lock: file }),
            Err(TryLockError::WouldBlock) => Err(Refused::Locked(dir)),
            Err(TryLockError::Error(error)) => Err(refused(&path, error)),
        }
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.dir
    }
}

/// Makes the directory, whose name survives a power cut, and with it what is made safe in it. One
/// that is there may have been made by a process that ended before its name was safe.
fn make(dir: &Path) -> io::Result<()> {
    let is_new = |one: &&Path| !one.as_os_str().is_empty() && !one.exists();
    let new: Vec<&Path> = dir.ancestors().skip(1).take_while(is_new).collect();
    fs::create_dir_all(dir)?;
    new.into_iter().rev().chain([dir]).try_for_each(|one| match one.parent() {
        Some(above) if !above.as_os_str().is_empty() => File::open(above)?.sync_all(),
        Some(_) => File::open(".")?.sync_all(),
        None => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use super::{Home, Refused};

    #[test]
    fn a_directory_has_one_user() {
        let dir = tempfile::tempdir().unwrap();
        let held = Home::lock(dir.path(), "rm").unwrap();
        let other = Home::lock(&dir.path().join("new/data"), "rs").unwrap();
        assert_ne!(held.path(), other.path());
        let refused = Home::lock(dir.path(), "rm").unwrap_err();
        assert!(matches!(refused, Refused::Locked(_)), "{refused}");
        drop(held);
        Home::lock(dir.path(), "rm").unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let refused = Home::lock(&dir.path().join("file"), "rm").unwrap_err();
        assert!(matches!(refused, Refused::File { .. }), "{refused}");
    }
}
