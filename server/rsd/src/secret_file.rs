//! A file of which others than its owner must have no part: passwords, tokens, keys (ops.md §13).
//! No error has anything of what is in it.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What is in it, of at most so many bytes.
///
/// # Errors
/// The file, and why it cannot be read; that others than its owner may write it.
pub(crate) fn read(path: &Path, most: u64) -> Result<String, String> {
    let told = |error: io::Error| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(told)?;
    let mode = file.metadata().map_err(told)?.mode();
    if mode & 0o022 != 0 {
        let why = format!("others than its owner may write it (mode {:03o})", mode & 0o777);
        return Err(format!("{}: {why}", path.display()));
    }
    let mut text = String::new();
    file.take(most + 1).read_to_string(&mut text).map_err(told)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > most {
        return Err(told(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(text)
}

/// Whether everybody on this machine may read it.
pub(crate) fn is_readable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.mode() & 0o004 != 0)
}
