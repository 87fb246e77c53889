//! The cluster key ring: read from `rm.cluster.key_file`, or made once in `data_dir` (rm.md §1.4).
//!
//! Keys are secrets: no error text may carry a line of the file. `key_watch` reads it again.
//!
//! ```text
//! # comment
//! 1 000102…1f      key id 1–255, blank, 64 hex digits; the first line signs, all lines verify
//! ```

use crate::error::StartError;
use crate::limits::KEY_FILE;
use rm::Keys;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// One key and its id.
type Key = (u8, [u8; 32]);

/// Keys that a ring may hold: ids are one byte, 0 is not one.
const KEYS: usize = 255;

/// Reads the ring of a file.
fn read(path: &Path) -> Result<Vec<Key>, StartError> {
    ring(path, &text(path)?)
}

/// The whole text of a configured file.
pub(crate) fn text(path: &Path) -> Result<String, StartError> {
    let failed = |error| StartError::file(path, error);
    if fs::metadata(path).map_err(failed)?.len() > KEY_FILE {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    fs::read_to_string(path).map_err(failed)
}

/// The keys of that text.
pub(crate) fn keys(path: &Path, text: &str) -> Result<Keys, StartError> {
    usable(&ring(path, text)?)
}

/// The keys of a configured file, and its text.
pub(crate) fn given(path: &Path) -> Result<(Keys, String), StartError> {
    let text = text(path)?;
    Ok((keys(path, &text)?, text))
}

/// The keys of `{data_dir}/cluster.key`, which is made when it is missing.
pub(crate) fn own_keys(data_dir: &Path) -> Result<Keys, StartError> {
    usable(&read_or_make(data_dir)?)
}

fn usable(ring: &[Key]) -> Result<Keys, StartError> {
    let refused = || StartError::Settings("rm.cluster.key_file: no usable key".to_owned());
    Keys::new(ring).ok_or_else(refused)
}

fn ring(path: &Path, text: &str) -> Result<Vec<Key>, StartError> {
    parse(text)
        .map_err(|(line, what)| StartError::Settings(format!("{}:{line}: {what}", path.display())))
}

/// Reads `{data_dir}/cluster.key`, or makes it with a random key, readable by its owner only.
fn read_or_make(data_dir: &Path) -> Result<Vec<Key>, StartError> {
    let path = data_dir.join("cluster.key");
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
        Ok(mut file) => {
            let mut key = [0; 32];
            getrandom::fill(&mut key).map_err(|error| StartError::Exhausted {
                what: "randomness",
                source: io::Error::other(error),
            })?;
            let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
            file.write_all(format!("1 {hex}\n").as_bytes())
                .and_then(|()| file.sync_all())
                .map_err(|error| StartError::file(&path, error))?;
            Ok(vec![(1, key)])
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(&path),
        Err(error) => Err(StartError::file(path, error)),
    }
}

/// The keys in order, or the line (from 1) and what is wrong with it.
fn parse(text: &str) -> Result<Vec<Key>, (usize, &'static str)> {
    let mut keys: Vec<Key> = Vec::new();
    let mut last = 1;
    for (index, line) in text.lines().enumerate() {
        last = index + 1;
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let key = key(line).map_err(|what| (last, what))?;
        if keys.iter().any(|(id, _)| *id == key.0) {
            return Err((last, "this key id stands above already"));
        }
        keys.push(key);
    }
    match keys.len() {
        0 => Err((last, "the file holds no key")),
        1..=KEYS => Ok(keys),
        _ => Err((last, "more than 255 keys")),
    }
}

fn key(line: &str) -> Result<Key, &'static str> {
    const SHAPE: &str = "expected a key id 1-255, a blank and 64 hex digits";
    let (id, hex) = line.split_once(char::is_whitespace).ok_or(SHAPE)?;
    let id = id.parse().ok().filter(|id| *id > 0).ok_or(SHAPE)?;
    let hex = hex.trim().as_bytes();
    if hex.len() != 64 || !hex.iter().all(u8::is_ascii_hexdigit) {
        return Err(SHAPE);
    }
    let mut key = [0; 32];
    for (byte, pair) in key.iter_mut().zip(hex.chunks_exact(2)) {
        let digits = str::from_utf8(pair).map_err(|_| SHAPE)?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| SHAPE)?;
    }
    Ok((id, key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_made_key_is_random_private_and_stays() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let made = read_or_make(one.path()).unwrap();
        assert_eq!(made[0].0, 1);
        assert_eq!(read_or_make(one.path()).unwrap(), made);
        assert_ne!(read_or_make(two.path()).unwrap(), made);
        let mode = fs::metadata(one.path().join("cluster.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn rings_and_what_is_wrong_with_them() {
        let (a, b) = ("ab".repeat(32), "CD".repeat(32));
        let ring = parse(&format!("# first signs\n7 {a}\n\n255\t{b}  # old\n")).unwrap();
        assert_eq!(ring, [(7, [0xab; 32]), (255, [0xcd; 32])]);
        for (text, line) in [
            (String::new(), 1),
            (format!("1 {a}\n1 {b}"), 2),
            (format!("0 {a}"), 1),
            (format!("256 {a}"), 1),
            (format!("1 {a}0"), 1),
            (format!("1 +{}", &a[1..]), 1),
            (a.clone(), 1),
        ] {
            assert_eq!(parse(&text).unwrap_err().0, line, "{text:?}");
        }
    }

    #[test]
    fn an_error_names_the_line_and_never_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        fs::write(&path, "1 00112233\n").unwrap();
        let error = read(&path).unwrap_err();
        assert_eq!(error.exit_code(), 78);
        assert!(error.to_string().contains("keys:1: ") && !error.to_string().contains("0011"));
    }
}
