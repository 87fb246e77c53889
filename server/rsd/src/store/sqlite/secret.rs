//! The secret that hashes of erased numbers are made with: `{data_dir}/rs/erasure.key`, made once,
//! for its owner alone. Who has the database without it cannot try all numbers.

use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use rs::erase::Secret;
use rusqlite::Connection;

use super::files::Layout;
use crate::store::StoreError;

/// 64 hexadecimal digits and the end of the line.
const BYTES: u64 = 65;

/// Reads it, or makes it. A new one beside erasures would find none of their numbers.
pub(super) fn read_or_make(layout: &Layout, main: &Connection) -> Result<Secret, StoreError> {
    let path = layout.secret_path();
    let read = File::open(&path).and_then(|file| {
        let mut text = String::new();
        file.take(BYTES + 1).read_to_string(&mut text)?;
        // no part of a secret in an error
        parse(&text).ok_or_else(|| Error::new(ErrorKind::InvalidData, "erasure.key: 64 hex digits"))
    });
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        read => return read.map_err(StoreError::Files),
    }
    let sql = "SELECT EXISTS (SELECT 1 FROM rs_erasure)";
    if main.query_row(sql, [], |row| row.get(0))? {
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
        fs::rename(&new, &path)?;
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

    use model::time::Millis;

    use super::super::Sqlite;

    #[test]
    fn it_is_made_once_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Sqlite::open(dir.path().to_owned(), Millis(1_795_344_000_000));
        let path = dir.path().join("erasure.key");
        let first = open().unwrap().writer().secret;
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(open().unwrap().writer().secret, first);
        assert!(first.iter().any(|byte| *byte != 0));
        // without erasures another will do
        std::fs::remove_file(&path).unwrap();
        let store = open().unwrap();
        assert_ne!(store.writer().secret, first);
        let insert = "INSERT INTO rs_erasure (digits, hash, requested_ms) VALUES (5, x'00', 0)";
        store.writer().main.execute(insert, []).unwrap();
        drop(store);
        for text in [None, Some("00"), Some("")] {
            let _ = std::fs::remove_file(&path);
            if let Some(text) = text {
                std::fs::write(&path, text).unwrap();
            }
            let error = open().err().map(|error| format!("{error:?}")).unwrap();
            assert!(error.contains("erasure.key"), "{error}");
        }
    }
}
