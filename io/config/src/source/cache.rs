//! The last known good configuration on disk (ops.md §1.10.1): what a start without a server uses.
//!
//! ```text
//! {data_dir}/{rm|rs}/snapshot/current    ringmaster-cache/1 sha256:<of the rest>\n, then a
//!                                        snapshot as the server sends it
//! {data_dir}/{rm|rs}/snapshot/previous   the one before
//! {data_dir}/{rm|rs}/snapshot/aside      what was in force before an older revision was taken;
//!                                        for people, who may copy it over `current`
//! ```
//! Written beside and renamed, synced before and after: a crash leaves the old or the new one.
//! What is damaged is passed over, never an error of the start.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use model::config::Set;
use model::id::Revision;
use sha2::{Digest, Sha256};

use super::limits::{LINE, SNAPSHOT};
use super::wire::{FORMAT, Lines, Whole};

const MAGIC: &str = "ringmaster-cache/1";

/// What is known of a snapshot beside its objects.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    /// Its number.
    pub(super) revision: Revision,
    /// Which books it is from, where the server told.
    pub(super) books: Option<&'a str>,
}

/// The directory of one client.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    dir: PathBuf,
}

impl Cache {
    pub(super) fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// What was kept, newest first, or why it cannot be read; what is not there is left out.
    pub(super) fn load(&self) -> impl Iterator<Item = (PathBuf, io::Result<Whole>)> {
        let kept = ["current", "previous"].into_iter().map(|name| self.dir.join(name));
        kept.map(|path| (path.clone(), read(&path))).filter(
            |(_, whole)| !matches!(whole, Err(error) if error.kind() == io::ErrorKind::NotFound),
        )
    }

    /// Keeps a snapshot; returns when it is on disk.
    pub(super) fn keep(&self, head: Head<'_>, set: &Set) -> io::Result<()> {
        let fresh = self.fresh(head, set)?;
        let current = self.dir.join("current");
        match fs::rename(&current, self.dir.join("previous")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::rename(&fresh, &current)?;
        File::open(&self.dir)?.sync_all()
    }

    /// Keeps a snapshot that is to be in force no more, beside those that follow each other.
    pub(super) fn put_aside(&self, head: Head<'_>, set: &Set) -> io::Result<()> {
        fs::rename(self.fresh(head, set)?, self.dir.join("aside"))?;
        File::open(&self.dir)?.sync_all()
    }

    /// Writes a snapshot to a file of its own, which the caller gives its name.
    fn fresh(&self, head: Head<'_>, set: &Set) -> io::Result<PathBuf> {
        fs::create_dir_all(&self.dir)?;
        let Head { revision, books } = head;
        let objects = set.len();
        let first = serde_json::json!({
            "format": FORMAT, "revision": revision, "objects": objects, "books": books,
        });
        let mut body = format!("{first}\n");
        for object in set.objects() {
            body.push_str(&object.json.to_string());
            body.push('\n');
        }
        let end = serde_json::json!({ "end": true, "digest": set.digest() });
        body.push_str(&end.to_string());
        body.push('\n');
        let fresh = self.dir.join("new");
        let mut file = File::create(&fresh)?;
        file.write_all(format!("{MAGIC} {}\n", sum(body.as_bytes())).as_bytes())?;
        file.write_all(body.as_bytes())?;
        file.sync_all()?;
        Ok(fresh)
    }
}

fn sum(bytes: &[u8]) -> String {
    let digits = Sha256::digest(bytes);
    digits.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

fn read(path: &Path) -> io::Result<Whole> {
    let damaged = || io::Error::from(io::ErrorKind::InvalidData);
    let mut bytes = Vec::new();
    File::open(path)?.take(SNAPSHOT as u64).read_to_end(&mut bytes)?;
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(damaged)?;
    let (first, rest) = bytes.split_at(end);
    let body = rest.get(1..).unwrap_or_default();
    if first != format!("{MAGIC} {}", sum(body)).as_bytes() {
        return Err(damaged());
    }
    let mut lines = Lines::default();
    lines.feed(body, LINE).map_err(|_| damaged())?;
    lines.finish().map_err(|_| damaged())
}

#[cfg(test)]
mod tests {
    use super::{Cache, Head};
    use crate::objects::from_text;
    use model::config::Set;
    use model::id::Revision;
    use std::fs;

    #[test]
    fn the_newest_that_is_whole_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path().join("rm/snapshot"));
        let whole = || cache.load().filter_map(|(_, whole)| whole.ok());
        let found = || whole().map(|whole| whole.revision.0).collect::<Vec<_>>();
        assert!(found().is_empty());
        let text = "kind: Tenant\nname: acme\nlabels: { place: \"é\\n\" }\n";
        let set = Set::default().change(from_text(text, None).unwrap(), &[], &[]).unwrap().set;
        let keep = |revision, books| {
            cache.keep(Head { revision: Revision(revision), books }, &set).unwrap();
        };
        for revision in 1..4 {
            keep(revision, Some("a"));
        }
        assert_eq!(found(), [3, 2]);
        let whole = whole().next().unwrap();
        let read = Set::default().change(whole.objects, &[], &[]).unwrap().set;
        assert!(read == set && whole.digest == set.digest());
        assert_eq!(whole.books.as_deref(), Some("a"));
        let current = dir.path().join("rm/snapshot/current");
        let good = fs::read(&current).unwrap();
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            fs::write(&current, &bytes).unwrap();
            assert_eq!(found(), [2], "byte {at}");
            fs::write(&current, &good[..at]).unwrap();
            assert_eq!(found(), [2], "cut at {at}");
        }
        // a crash between the two renames
        fs::remove_file(&current).unwrap();
        assert_eq!(found(), [2]);
        keep(5, None);
        assert_eq!(found(), [5, 2]);
        fs::write(&current, "").unwrap();
        fs::write(dir.path().join("rm/snapshot/previous"), "x").unwrap();
        assert!(found().is_empty());
    }
}
