//! Files of the store are their owner's alone: they hold hashes of tokens and the audit.
//!
//! SQLite gives `-wal` and `-shm` the rights of the database, so that one is made first. What is
//! there with more rights, from an earlier version or a copy, loses them; where the system does not
//! let us, files are refused, and a directory is if others may put files into it.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// Rights of a file: read and written by its owner.
const FILE: u32 = 0o600;
/// Rights of a directory.
const DIRECTORY: u32 = 0o700;
/// Others may write.
const WRITTEN_BY_ALL: u32 = 0o002;

/// Makes the file of a database where there is none, and takes rights of others from all that
/// belongs to it.
///
/// # Errors
/// A file cannot be made, or keeps rights that it must not have.
pub(super) fn close_to_others(database: &Path) -> Result<(), StoreError> {
    if let Some(dir) = database.parent() {
        tighten(dir, DIRECTORY, WRITTEN_BY_ALL)?;
    }
    let mut new = OpenOptions::new();
    match new.write(true).create_new(true).mode(FILE).open(database) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(StoreError::Unavailable(Box::new(error)));
        }
        _ => {}
    }
    for name in ["", "-wal", "-shm", "-journal"] {
        let mut path = database.as_os_str().to_owned();
        path.push(name);
        tighten(&PathBuf::from(path), FILE, !FILE)?;
    }
    Ok(())
}

/// Takes from a path what goes beyond `most`; of that it must not keep what is in `never`.
fn tighten(path: &Path, most: u32, never: u32) -> Result<(), StoreError> {
    let mode = match fs::metadata(path) {
        Ok(found) => found.mode() & 0o777,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StoreError::Unavailable(Box::new(error))),
    };
    if mode & !most == 0 {
        return Ok(());
    }
    match fs::set_permissions(path, Permissions::from_mode(mode & most)) {
        Err(source) if mode & !most & never != 0 => {
            Err(StoreError::Exposed { path: path.to_owned(), mode, source })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_closed_and_what_is_missing_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("config");
        fs::create_dir(&home).unwrap();
        fs::set_permissions(&home, Permissions::from_mode(0o775)).unwrap();
        let database = home.join("config.db");
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        close_to_others(&database).unwrap();
        assert_eq!((mode(&home), mode(&database)), (0o700, 0o600));
        let log = home.join("config.db-wal");
        fs::write(&log, "").unwrap();
        for path in [&database, &log] {
            fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
        }
        close_to_others(&database).unwrap();
        assert_eq!((mode(&database), mode(&log)), (0o600, 0o600));
        fs::set_permissions(&database, Permissions::from_mode(0o400)).unwrap();
        close_to_others(&database).unwrap();
        assert_eq!(mode(&database), 0o400, "nothing is given");
    }

    #[test]
    fn what_is_not_ours_is_refused_only_where_it_is_open() {
        // nobody, not even root, gives files of a process other rights
        let refused = tighten(Path::new("/proc/self/status"), FILE, !FILE).unwrap_err();
        let text = refused.to_string();
        assert_eq!(
            text,
            "/proc/self/status: others may use it (mode 444), and that cannot be changed"
        );
        tighten(Path::new("/proc/self/task"), DIRECTORY, WRITTEN_BY_ALL).unwrap();
    }
}
