//! The secret that hashes of erased numbers are made with: `{data_dir}/rs/erasure.key`, made once,
//! for its owner alone. Who has the database without it cannot try all numbers. All Reporting
//! Servers of one database need the same; the database knows it by its seal (`rs::erase`).

use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rs::erase::Secret;

use super::StoreError;

/// 64 hexadecimal digits and the end of the line.
const BYTES: u64 = 65;

/// Its file, beside the spool or the files of the database.
pub(crate) const FILE: &str = "erasure.key";

/// Reads it, or makes it. `sealed`: the database has erasures of which another secret would find
/// no number, so that a new one is of no use.
pub(crate) fn read_or_make(path: &Path, sealed: bool) -> Result<Secret, StoreError> {
    let read = File::open(path).and_then(|file| {
        let mut text = String::new();
        file.take(BYTES + 1).read_to_string(&mut text)?;
        // no part of a secret in an error
        parse(&text).ok_or_else(|| Error::new(ErrorKind::InvalidData, "erasure.key: 64 hex digits"))
    });
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        read => return read.map_err(StoreError::Files),
    }
    if sealed {
        let text = "erasure.key is missing beside rs.db, which has erasures: restore it";
        return Err(StoreError::Files(Error::new(ErrorKind::NotFound, text)));
    }
    let mut secret = Secret::default();
    getrandom::fill(&mut secret).map_err(|error| StoreError::Files(Error::other(error)))?;
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let new = path.with_extension("key.new");
    let write = || {
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(format!("{hex}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    };
    write().map_err(StoreError::Files)?;
    Ok(secret)
}

fn parse(text: &str) -> Option<Secret> {
    let hex = text.trim_end().as_bytes();
    let mut secret = Secret::default();
    if hex.len() != 2 * secret.len() {
        return None;
    }
    for (byte, pair) in secret.iter_mut().zip(hex.chunks_exact(2)) {
        let digit = |at: usize| pair.get(at).and_then(|of| char::from(*of).to_digit(16));
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(secret)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn it_is_made_once_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        assert!(read_or_make(&path, true).is_err() && !path.exists());
        let first = read_or_make(&path, false).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(first.iter().any(|byte| *byte != 0));
        assert_eq!(read_or_make(&path, true).unwrap(), first);
        fs::remove_file(&path).unwrap();
        assert_ne!(read_or_make(&path, false).unwrap(), first);
        for text in ["00", ""] {
            fs::write(&path, text).unwrap();
            let error = read_or_make(&path, false).unwrap_err();
            assert!(error.reason().contains("erasure.key"), "{error:?}");
        }
    }
}
