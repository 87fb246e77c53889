//! A file of what goes: written beside its name, and renamed when it is on disk.

use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use config::settings::{ExportFormat as Format, ExportKind as Kind};
use serde_json::{Value, json};

use crate::store::Day;

/// Files of one kind and day at most: each run that meets more of it writes another.
const MOST: u32 = 10_000;
/// Level of zstd: fast, as records repeat their words.
const LEVEL: i32 = 3;

/// A file on its way.
pub(super) struct File {
    dir: PathBuf,
    /// Its name in the end.
    path: PathBuf,
    part: PathBuf,
    of: (Kind, Day),
    format: Format,
    out: Out,
    rows: u64,
    first: Value,
    last: Value,
}

enum Out {
    Plain(Hashed),
    Packed(zstd::Encoder<'static, Hashed>),
}

/// Bytes on their way to the disk, and their hash.
struct Hashed {
    file: BufWriter<fs::File>,
    hash: blake3::Hasher,
    bytes: u64,
}

impl io::Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.file.write(bytes)?;
        self.hash.update(bytes.get(..taken).unwrap_or_default());
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Out {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.write_all(bytes),
            Self::Packed(out) => out.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<Hashed> {
        match self {
            Self::Plain(out) => Ok(out),
            Self::Packed(out) => out.finish(),
        }
    }
}

impl File {
    /// The next file of this kind and day.
    pub(super) fn create(
        dir: &Path,
        of: (Kind, Day),
        format: Format,
        packed: bool,
    ) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let (kind, day) = of;
        let ending = if packed { ".zst" } else { "" };
        let name = |n: u32| {
            let n = if n == 1 { String::new() } else { format!(".{n}") };
            let name = format!("{}-{day:08}{n}.{}{ending}", kind.as_str(), format.as_str());
            dir.join(name)
        };
        let free = (1..=MOST).map(name).find(|path| !path.exists());
        let full = || io::Error::other(format!("{MOST} files of one kind and day"));
        let path = free.ok_or_else(full)?;
        let part = beside(&path, ".part");
        let mut options = fs::OpenOptions::new();
        // what people have said and dialled is in it
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        let hashed = Hashed { file: BufWriter::new(file), hash: blake3::Hasher::new(), bytes: 0 };
        let out = if packed {
            Out::Packed(zstd::Encoder::new(hashed, LEVEL)?)
        } else {
            Out::Plain(hashed)
        };
        let dir = dir.to_owned();
        let (first, last) = (Value::Null, Value::Null);
        Ok(Self { dir, path, part, of, format, out, rows: 0, first, last })
    }

    pub(super) const fn path(&self) -> &PathBuf {
        &self.path
    }

    /// One line.
    pub(super) fn write(&mut self, line: &Value) -> io::Result<()> {
        let text = match self.format {
            Format::Ndjson => line.to_string(),
            Format::Csv => {
                let columns = columns(self.of.0);
                if self.rows == 0 {
                    self.out.write_all(columns.join(",").as_bytes())?;
                    self.out.write_all(b"\r\n")?;
                }
                columns.iter().map(|column| cell(line, column)).collect::<Vec<_>>().join(",")
            }
        };
        self.out.write_all(text.as_bytes())?;
        self.out.write_all(if self.format == Format::Csv { b"\r\n" } else { b"\n" })?;
        self.rows += 1;
        self.last = line["id"].clone();
        if self.rows == 1 {
            self.first = self.last.clone();
        }
        Ok(())
    }

    /// On disk, with its manifest; one without lines is none.
    pub(super) fn close(self) -> io::Result<()> {
        let Self { dir, path, part, of: (kind, day), out, rows, first, last, .. } = self;
        let hashed = out.finish()?;
        if rows == 0 {
            return fs::remove_file(&part);
        }
        let file = hashed.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&part, &path)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let manifest = json!({
            "file": name, "kind": kind.as_str(), "day": day, "rows": rows,
            "bytes": hashed.bytes, "blake3": hashed.hash.finalize().to_hex().as_str(),
            "first": first, "last": last,
        });
        let (manifest_path, part) =
            (beside(&path, ".manifest.json"), beside(&path, ".manifest.part"));
        let mut file = fs::File::create(&part)?;
        file.write_all(format!("{manifest}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&part, manifest_path)?;
        fs::File::open(dir)?.sync_all()
    }
}

/// Columns of a table: members of a line.
const fn columns(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Cdr => &[
            "id",
            "phase",
            "time",
            "component.name",
            "component.type",
            "session_id",
            "guid",
            "leg",
            "epoch",
            "call_type",
            "started_at",
            "answered_at",
            "ended_at",
            "end_state",
            "sip_status",
            "reason",
            "tenant.name",
            "tenant.dbid",
            "profile.name",
            "profile.dbid",
            "service",
            "dn",
            "local_uri",
            "remote_uri",
            "call_id",
            "call_uuid",
            "resource.name",
            "result",
            "result_reason",
            "notes",
        ],
        Kind::Events | Kind::Var => &[
            "id",
            "time",
            "component.name",
            "component.type",
            "session_id",
            "guid",
            "level",
            "log_id",
            "label",
            "text",
        ],
        Kind::DeadLetters => &[
            "id",
            "received_at",
            "queue",
            "transport",
            "user",
            "peer",
            "message_id",
            "bytes",
            "code",
            "field",
            "text",
            "producer",
            "retries",
            "state",
            "body",
        ],
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// A value in CSV: `a.b` is the member `b` of `a`. What a spreadsheet would take for a formula
/// begins with an apostrophe.
fn cell(line: &Value, column: &str) -> String {
    let value = column.split('.').fold(line, |value, name| &value[name]);
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text };
    if text.contains([',', '"', '\r', '\n']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_break_no_line_and_start_no_formula() {
        let line = json!({"a": {"b": "x,\"y\"\n"}, "c": 5, "d": "=1+1", "e": null, "f": "sip:1"});
        let cells = ["a.b", "c", "d", "e", "f", "g.h"].map(|column| cell(&line, column));
        assert_eq!(cells, ["\"x,\"\"y\"\"\n\"", "5", "'=1+1", "", "sip:1", ""]);
    }

    #[test]
    fn a_file_is_there_with_its_manifest_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let of = (Kind::Events, 20_261_122);
        let open = |packed| File::create(dir.path(), of, Format::Ndjson, packed).unwrap();
        open(false).close().unwrap();
        let names = || {
            let mut names: Vec<_> = fs::read_dir(dir.path())
                .unwrap()
                .map(|file| file.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        assert_eq!(names(), Vec::<String>::new(), "nothing was written");
        let mut cut = open(true);
        cut.write(&json!({"id": "lost"})).unwrap();
        drop(cut);
        let mut first = open(true);
        for id in ["a", "b", "c"] {
            first.write(&json!({"id": id})).unwrap();
        }
        first.close().unwrap();
        let mut second = open(true);
        second.write(&json!({"id": "d"})).unwrap();
        second.close().unwrap();
        let base = "events-20261122.ndjson.zst";
        let other = "events-20261122.2.ndjson.zst";
        let all = [other, "events-20261122.2.ndjson.zst.manifest.json", base];
        assert_eq!(names(), [&all[..], &[&*format!("{base}.manifest.json")]].concat());
        let bytes = fs::read(dir.path().join(base)).unwrap();
        let text = zstd::stream::decode_all(&*bytes).unwrap();
        assert_eq!(text, b"{\"id\":\"a\"}\n{\"id\":\"b\"}\n{\"id\":\"c\"}\n");
        let manifest = fs::read(dir.path().join(format!("{base}.manifest.json"))).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest["blake3"], blake3::hash(&bytes).to_hex().as_str());
        assert_eq!((&manifest["rows"], &manifest["bytes"]), (&json!(3), &json!(bytes.len())));
        assert_eq!((&manifest["first"], &manifest["last"]), (&json!("a"), &json!("c")));
    }
}
