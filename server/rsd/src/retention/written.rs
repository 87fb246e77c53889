//! Files of the purge read back (rs.md §10): whole, as their manifests say, and record by record.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use model::record::BODY_BYTES;
use model::time::Millis;
use serde::Deserialize;
use serde_json::Value;

use super::file::{MANIFEST, MANIFEST_BYTES, beside};

/// Bytes of a line at most: somewhat more than any record may have.
const LINE: u64 = (BODY_BYTES + (1 << 20)) as u64;
/// How a packed file begins.
const ZSTD: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// A file that is whole, and has nothing but records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    path: PathBuf,
    /// Its records.
    pub rows: u64,
    /// The oldest of the times (`ended_at`, else `time`) that decide whether a record is stored.
    pub oldest: Option<Millis>,
    /// `rs.name` of the server that wrote it, whom all its records name as their producer.
    pub producer: String,
}

/// Why it is not read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// The file, or its manifest, is missing or cannot be read.
    #[error("{}: {cause}", path.display())]
    Disk {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// It is not what its manifest says, or none that can be read back. `line` counts from 1; 0: it
    /// is about the whole file.
    #[error("{}{}: {why}", path.display(), shown(*line))]
    Unfit {
        /// Which file.
        path: PathBuf,
        /// Where in it.
        line: u64,
        /// What is wrong.
        why: String,
    },
}

fn shown(line: u64) -> String {
    if line == 0 { String::new() } else { format!(":{line}") }
}

/// What a manifest says of its file.
#[derive(Deserialize)]
struct Manifest {
    kind: String,
    rows: u64,
    blake3: String,
}

impl Written {
    /// Reads the file through.
    ///
    /// # Errors
    /// What cannot be read; a file without its manifest, or not the one that the manifest is of;
    /// what has other things than records (CSV, dead letters).
    pub fn check(path: &Path) -> Result<Self, Unread> {
        let unfit = |line, why| Unread::Unfit { path: path.to_owned(), line, why };
        let hash = hash(path).map_err(|cause| disk(path, cause))?;
        let manifest = manifest(path)?;
        if !manifest.blake3.eq_ignore_ascii_case(hash.to_hex().as_str()) {
            let why = format!("its BLAKE3 is {hash}, and its manifest says {}", manifest.blake3);
            return Err(unfit(0, why));
        }
        if manifest.kind == "dead_letters" {
            let why = "dead letters are no records: try them again with /api/v1/dead-letters";
            return Err(unfit(0, why.to_owned()));
        }
        let mut rows = 0;
        let (mut oldest, mut producer): (Option<Millis>, Option<String>) = (None, None);
        lines(path, &mut |line| {
            rows += 1;
            let (time, by) = read(line).map_err(|why| unfit(rows, why))?;
            oldest = oldest.into_iter().chain(time).min();
            match &producer {
                Some(known) if *known != by => {
                    let why = format!("it is of producer {by}, and others of {known}");
                    Err(unfit(rows, why))
                }
                Some(_) => Ok(()),
                None => {
                    producer = Some(by);
                    Ok(())
                }
            }
        })?;
        if rows != manifest.rows {
            let why = format!("{rows} records, and its manifest says {}", manifest.rows);
            return Err(unfit(0, why));
        }
        let path = path.to_owned();
        Ok(Self { path, rows, oldest, producer: producer.unwrap_or_default() })
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Each record, a line without its end.
    ///
    /// # Errors
    /// What cannot be read, and what `take` says.
    pub fn records<E: From<Unread>>(
        &self,
        take: &mut dyn FnMut(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        lines(&self.path, take)
    }
}

/// The time that decides whether it is stored, and its producer.
fn read(line: &str) -> Result<(Option<Millis>, String), String> {
    let record: Value = serde_json::from_str(line)
        .map_err(|error| format!("only NDJSON can be read back: {error}"))?;
    if !record["kind"].is_string() {
        return Err("no record".to_owned());
    }
    let time = record["ended_at"].as_str().or_else(|| record["time"].as_str());
    let by = record["producer"]["name"].as_str();
    let by = by.ok_or_else(|| "a record without a producer".to_owned())?;
    Ok((time.and_then(Millis::parse), by.to_owned()))
}

fn lines<E: From<Unread>>(
    path: &Path,
    take: &mut dyn FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    let mut reader = open(path).map_err(|cause| disk(path, cause))?;
    for number in 1_u64.. {
        let unfit = |why: &str| {
            let why = why.to_owned();
            Unread::Unfit { path: path.to_owned(), line: number, why }
        };
        let mut line = Vec::new();
        let read = reader.by_ref().take(LINE).read_until(b'\n', &mut line);
        if read.map_err(|cause| disk(path, cause))? == 0 {
            break;
        }
        let text = std::str::from_utf8(&line).map_err(|_| unfit("no UTF-8"))?;
        let Some(text) = text.strip_suffix('\n') else {
            return Err(unfit("the line does not end, or has more than 5 MiB").into());
        };
        take(text)?;
    }
    Ok(())
}

/// The file, unpacked if it is packed.
fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let mut file = BufReader::new(fs::File::open(path)?);
    if file.fill_buf()?.starts_with(&ZSTD) {
        let unpacked = zstd::stream::read::Decoder::with_buffer(file)?;
        return Ok(Box::new(BufReader::new(unpacked)));
    }
    Ok(Box::new(file))
}

fn hash(path: &Path) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    let mut reader = BufReader::new(fs::File::open(path)?);
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(hasher.finalize());
        }
        hasher.update(bytes);
        let read = bytes.len();
        reader.consume(read);
    }
}

fn manifest(path: &Path) -> Result<Manifest, Unread> {
    let path = beside(path, MANIFEST);
    let mut text = Vec::new();
    let file = fs::File::open(&path).map_err(|cause| disk(&path, cause))?;
    let read = file.take(MANIFEST_BYTES).read_to_end(&mut text);
    read.map_err(|cause| disk(&path, cause))?;
    serde_json::from_slice(&text).map_err(|error| {
        let why = format!("no manifest: {error}");
        Unread::Unfit { path, line: 0, why }
    })
}

fn disk(path: &Path, cause: io::Error) -> Unread {
    Unread::Disk { path: path.to_owned(), cause }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    const EVENT: &str =
        r#"{"kind":"call.event","time":"2026-11-22T10:00:00Z","producer":{"name":"rs-1"}}"#;

    /// A file of these bytes, beside a manifest of those.
    fn lay(bytes: &[u8], of: &[u8], rows: u64, kind: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, bytes).unwrap();
        let blake3 = blake3::hash(of).to_hex().to_string();
        let manifest = json!({"kind": kind, "rows": rows, "blake3": blake3});
        fs::write(beside(&path, MANIFEST), manifest.to_string()).unwrap();
        (dir, path)
    }

    /// What is told of it.
    fn told(bytes: &[u8], of: &[u8], rows: u64, kind: &str) -> Result<Written, String> {
        let (_dir, path) = lay(bytes, of, rows, kind);
        let shown = path.display().to_string();
        Written::check(&path).map_err(|unread| unread.to_string().replacen(&shown, "", 1))
    }

    #[test]
    fn whole_files_are_read_packed_or_not() {
        let end =
            EVENT.replace("\"producer\"", "\"ended_at\":\"2026-11-21T00:00:00Z\",\"producer\"");
        let text = format!("{EVENT}\n{end}\n");
        let packed = zstd::encode_all(text.as_bytes(), 3).unwrap();
        for bytes in [text.as_bytes(), &packed] {
            let found = told(bytes, bytes, 2, "events").unwrap();
            assert_eq!((found.rows, &*found.producer), (2, "rs-1"));
            assert_eq!(found.oldest, Millis::parse("2026-11-21T00:00:00Z"));
        }
        assert_eq!(told(b"", b"", 0, "cdr").unwrap().oldest, None);
    }

    #[test]
    fn what_is_not_what_its_manifest_says_is_refused() {
        let text = format!("{EVENT}\n{EVENT}\n");
        let (whole, cut) = (text.as_bytes(), &text.as_bytes()[..text.len() - 1]);
        let packed = zstd::encode_all(whole, 3).unwrap();
        let half = &packed[..packed.len() / 2];
        let other = text.replacen("rs-1", "rs-2", 1);
        let nobody = EVENT.replace("producer", "by") + "\n";
        let long = "x".repeat(6 << 20) + "\n";
        for (bytes, of, rows, kind, expected) in [
            (cut, whole, 2, "events", ": its BLAKE3 is "),
            (whole, whole, 3, "events", ": 2 records, and its manifest says 3"),
            (whole, whole, 2, "dead_letters", ": dead letters are no records"),
            (cut, cut, 2, "events", ":2: the line does not end, or has more than 5 MiB"),
            (long.as_bytes(), long.as_bytes(), 1, "cdr", ":1: the line does not end, or has more"),
            (half, half, 2, "events", ": "),
            (b"id,time\r\n", b"id,time\r\n", 1, "cdr", ":1: only NDJSON can be read back: "),
            (b"\xff\n", b"\xff\n", 1, "cdr", ":1: no UTF-8"),
            (b"7\n", b"7\n", 1, "cdr", ":1: no record"),
            (nobody.as_bytes(), nobody.as_bytes(), 1, "cdr", ":1: a record without a producer"),
            (other.as_bytes(), other.as_bytes(), 2, "cdr", ":2: it is of producer rs-1, and "),
        ] {
            let told = told(bytes, of, rows, kind).unwrap_err();
            assert!(told.starts_with(expected), "{told} is not {expected}");
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let told = || Written::check(&path).unwrap_err().to_string();
        assert!(told().contains("file: No such file"), "{}", told());
        fs::write(&path, &text).unwrap();
        assert!(told().contains("file.manifest.json: No such file"), "{}", told());
        fs::write(beside(&path, MANIFEST), "{\"rows\":2").unwrap();
        assert!(told().contains("file.manifest.json: no manifest: "), "{}", told());
    }
}
