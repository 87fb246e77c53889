//! The directory of one Reporting Server, ours as long as the process lives.
//!
//! ```text
//! {data_dir}/rs/lock    empty; locked (flock) for the life of the process
//! {data_dir}/rs/rs.db, days/    the database
//! {data_dir}/rs/spool/  the ingest queue, unless `rs.spool.dir` says another place
//! ```

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::StartError;

/// The locked directory; let go when dropped.
#[derive(Debug)]
pub(crate) struct DataDir {
    dir: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes and locks `{data_dir}/rs`.
    pub(crate) fn lock(data_dir: &Path) -> Result<Self, StartError> {
        let dir = data_dir.join("rs");
        fs::create_dir_all(&dir).map_err(|error| StartError::file(&dir, error))?;
        let path = dir.join("lock");
        let file = File::create(&path).map_err(|error| StartError::file(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { dir, _lock: file }),
            Err(TryLockError::WouldBlock) => Err(StartError::Locked(dir)),
            Err(TryLockError::Error(error)) => Err(StartError::file(path, error)),
        }
    }

    /// Where the database lies.
    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }
}
