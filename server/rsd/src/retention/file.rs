//! A file of what goes: written as a part, which gets its name when it is on disk. A part goes when
//! it is let go of; what a killed process has left goes before the next one of its kind and day.

use std::fs;
use std::io::{self, BufWriter, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process;

use config::settings::{ExportFormat as Format, ExportKind as Kind};
use serde_json::{Value, json};

use crate::store::Day;
use crate::store::exporting::Stamp;

/// Files of one kind and day at most: each run that meets more of it writes another.
const MOST: u32 = 10_000;
/// Level of zstd: fast, as records repeat their words.
const LEVEL: i32 = 3;
/// Characters of a holder in the name of a part, at most.
const HOLDER: usize = 64;
/// What the name of a part ends with.
const PART: &str = ".part";
/// What follows the name of a file in that of its manifest.
pub(super) const MANIFEST: &str = ".manifest.json";
/// Bytes of a manifest at most.
pub(super) const MANIFEST_BYTES: u64 = 64 << 10;

/// A file on its way.
pub(super) struct File {
    dir: PathBuf,
    part: Part,
    /// What its name ends with.
    ending: String,
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

/// A name that is there only while it is written under.
struct Part(PathBuf);

impl Part {
    /// Nothing that lies there, not even a link, is written into.
    fn create(path: PathBuf) -> io::Result<(Self, fs::File)> {
        let mut options = fs::OpenOptions::new();
        // what people have said and dialled is in it
        let file = options.write(true).create_new(true).mode(0o600).open(&path)?;
        Ok((Self(path), file))
    }

    /// Gives what is written its name; false: that is taken.
    fn is_named(&self, path: &Path) -> io::Result<bool> {
        match fs::hard_link(&self.0, path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // where it cannot go it is no file either, and the next one sweeps it
        let _gone = fs::remove_file(&self.0);
    }
}

/// What is known of a file that is whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) file: Option<String>,
    pub(super) rows: u64,
    pub(super) blake3: Option<String>,
    pub(super) first: Option<String>,
    pub(super) last: Option<String>,
}

impl Whole {
    /// As a manifest tells it.
    fn told(manifest: &Value) -> Self {
        let text = |name: &str| match &manifest[name] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let rows = manifest["rows"].as_u64().unwrap_or_default();
        let (file, blake3) = (text("file"), text("blake3"));
        Self { file, rows, blake3, first: text("first"), last: text("last") }
    }
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
    /// The next file of this kind and day, written by this holder.
    pub(super) fn create(
        dir: &Path,
        of: (Kind, Day),
        format: Format,
        packed: bool,
        holder: &str,
    ) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let base = base(of);
        sweep(dir, &base)?;
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        // its end is what tells processes apart
        let from = holder.chars().count().saturating_sub(HOLDER);
        let holder: String = holder.chars().skip(from).map(plain).collect();
        let part = dir.join(format!("{base}.{holder}-{}{PART}", process::id()));
        let (part, file) = Part::create(part)?;
        let ending = format!(".{}{}", format.as_str(), if packed { ".zst" } else { "" });
        let hashed = Hashed { file: BufWriter::new(file), hash: blake3::Hasher::new(), bytes: 0 };
        let out = if packed {
            Out::Packed(zstd::Encoder::new(hashed, LEVEL)?)
        } else {
            Out::Plain(hashed)
        };
        let dir = dir.to_owned();
        let (first, last) = (Value::Null, Value::Null);
        Ok(Self { dir, part, ending, of, format, out, rows: 0, first, last })
    }

    /// Where it is written.
    pub(super) const fn path(&self) -> &PathBuf {
        &self.part.0
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

    /// On disk under the next free name, with its manifest, which has what the day held; one
    /// without lines is none.
    pub(super) fn close(self, held: &Stamp) -> io::Result<Whole> {
        let Self { dir, part, ending, of, out, rows, first, last, .. } = self;
        let hashed = out.finish()?;
        if rows == 0 {
            return Ok(Whole::default());
        }
        let file = hashed.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        let path = named(&part, &dir, of, &ending)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let manifest = json!({
            "file": name, "kind": of.0.as_str(), "day": of.1, "rows": rows,
            "bytes": hashed.bytes, "blake3": hashed.hash.finalize().to_hex().as_str(),
            "first": first, "last": last, "held": numbers(held),
        });
        let told = tell(&path, &beside(&part.0, ".manifest.part"), &manifest);
        if told.is_err() {
            // without its manifest it is nothing; it is written again
            drop(Part(path));
        }
        told?;
        fs::File::open(dir)?.sync_all()?;
        Ok(Whole::told(&manifest))
    }

    /// A file of this kind and day that was written when the day held the same: by a run that was
    /// ended before it could tell so.
    pub(super) fn find(dir: &Path, of: (Kind, Day), held: &Stamp) -> io::Result<Option<Whole>> {
        let base = base(of);
        let files = match fs::read_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            files => files?,
        };
        for file in files {
            let path = file?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some(file) = name.strip_suffix(MANIFEST) else { continue };
            if !name.starts_with(&format!("{base}.")) || !dir.join(file).exists() {
                continue;
            }
            let manifest = manifest(&path)?;
            if manifest["held"] == numbers(held) {
                return Ok(Some(Whole { file: Some(file.to_owned()), ..Whole::told(&manifest) }));
            }
        }
        Ok(None)
    }

    /// Whether a file of this name is there, whose manifest tells this hash of it.
    pub(super) fn is_there(dir: &Path, name: &str, blake3: &str) -> bool {
        let path = dir.join(name);
        // what cannot be read is not there: it is written again, or that fails and is told
        path.exists()
            && manifest(&beside(&path, MANIFEST)).is_ok_and(|told| told["blake3"] == blake3)
    }
}

/// What a manifest tells; one that cannot be understood is of no file that is known to be whole.
fn manifest(path: &Path) -> io::Result<Value> {
    let mut text = Vec::new();
    fs::File::open(path)?.take(MANIFEST_BYTES).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text).unwrap_or_default())
}

fn numbers(held: &Stamp) -> Value {
    json!([held.calls, held.versions, held.events, held.times])
}

/// What all names of a kind and day begin with.
fn base((kind, day): (Kind, Day)) -> String {
    format!("{}-{day:08}", kind.as_str())
}

/// Takes away what former runs have left. One that still writes has lost its lease, and finds
/// nothing to name.
fn sweep(dir: &Path, base: &str) -> io::Result<()> {
    for file in fs::read_dir(dir)? {
        let path = file?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(&format!("{base}.")) && name.ends_with(PART) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Gives a part the next free name; none is replaced.
fn named(part: &Part, dir: &Path, of: (Kind, Day), ending: &str) -> io::Result<PathBuf> {
    for n in 1..=MOST {
        let n = if n == 1 { String::new() } else { format!(".{n}") };
        let path = dir.join(format!("{}{n}{ending}", base(of)));
        if !beside(&path, MANIFEST).exists() && part.is_named(&path)? {
            return Ok(path);
        }
    }
    Err(io::Error::other(format!("{MOST} files of one kind and day")))
}

/// The manifest of a file.
fn tell(path: &Path, part: &Path, manifest: &Value) -> io::Result<()> {
    let (part, mut file) = Part::create(part.to_owned())?;
    file.write_all(format!("{manifest}\n").as_bytes())?;
    file.sync_all()?;
    if part.is_named(&beside(path, MANIFEST))? {
        return Ok(());
    }
    Err(io::ErrorKind::AlreadyExists.into())
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

pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
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
        let open = |packed| File::create(dir.path(), of, Format::Ndjson, packed, "rs/1").unwrap();
        let held = Stamp { calls: 3, versions: 4, events: 5, times: 6 };
        assert_eq!(open(false).close(&held).unwrap(), Whole::default());
        assert_eq!(File::find(dir.path(), of, &held).unwrap(), None);
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
        assert_eq!(names(), Vec::<String>::new(), "nothing of one that was cut off");
        // what a killed process has left, in place of which somebody has put a link
        let other = dir.path().join("other");
        fs::write(&other, "kept").unwrap();
        let left = dir.path().join(format!("events-20261122.rs_1-{}.part", process::id()));
        std::os::unix::fs::symlink(&other, left).unwrap();
        let mut first = open(true);
        for id in ["a", "b", "c"] {
            first.write(&json!({"id": id})).unwrap();
        }
        let first = first.close(&held).unwrap();
        assert_eq!(File::find(dir.path(), of, &held).unwrap(), Some(first.clone()));
        assert_eq!(File::find(dir.path(), of, &Stamp { calls: 4, ..held }).unwrap(), None);
        assert_eq!((first.rows, first.last.as_deref()), (3, Some("c")));
        let mut second = open(true);
        second.write(&json!({"id": "d"})).unwrap();
        second.close(&Stamp::default()).unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"kept");
        fs::remove_file(other).unwrap();
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
