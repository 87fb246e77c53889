//! What a disk holds: names and bytes that are safe, and those that were written since and are
//! not. A file's bytes are safe when a sync of it that began after they were written has come
//! back; names (new, other, gone) when one of their directory has. As POSIX has it, and no more.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model::chance::Chance;

/// Of what is not safe in a file a disk writes parts of this size, whole or not at all.
const SECTOR: usize = 512;

/// Files by what they are called here: names come and go, and the system gives its numbers again.
type Id = usize;

#[derive(Default)]
pub(super) struct Disk {
    names: BTreeMap<PathBuf, Entry>,
    files: Vec<File>,
    /// Changes of names that are not safe, in their order.
    renamed: Vec<(u64, Change)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Entry {
    Dir,
    File(Id),
}

#[derive(Clone)]
enum Change {
    New(PathBuf, Entry),
    Other(PathBuf, PathBuf),
    Gone(PathBuf),
}

#[derive(Default)]
struct File {
    bytes: Vec<u8>,
    /// What is not safe, and when it was done.
    written: Vec<(u64, Write)>,
}

enum Write {
    At(usize, Vec<u8>),
    Cut(usize),
}

impl Disk {
    /// What a process did below the directory.
    pub(super) fn follow(&mut self, journal: &[u8], dir: &Path) {
        // as the process sees them
        let mut seen = self.names.clone();
        let mut open: BTreeMap<u64, (PathBuf, Option<Id>)> = BTreeMap::new();
        let mut syncs: BTreeMap<u64, u64> = BTreeMap::new();
        for (at, entry) in (1..).zip(Entries(journal)) {
            let name = |bytes: &[u8]| {
                let text = std::str::from_utf8(bytes).unwrap();
                Path::new(text).strip_prefix(dir).unwrap().to_owned()
            };
            let path = name_of(entry.path, &name);
            match entry.kind {
                b'C' | b'O' => {
                    let known = seen.get(&path).copied();
                    let id = match known {
                        _ if path == Path::new("") => None,
                        Some(Entry::Dir) => None,
                        Some(Entry::File(id)) => Some(id),
                        None => {
                            self.files.push(File::default());
                            let made = Entry::File(self.files.len() - 1);
                            seen.insert(path.clone(), made);
                            self.renamed.push((at, Change::New(path.clone(), made)));
                            Some(self.files.len() - 1)
                        }
                    };
                    open.insert(entry.file, (path, id));
                }
                b'D' => {
                    seen.insert(path.clone(), Entry::Dir);
                    self.renamed.push((at, Change::New(path, Entry::Dir)));
                }
                b'R' => {
                    let to = name(entry.data);
                    let moved = seen.remove(&path).unwrap();
                    seen.insert(to.clone(), moved);
                    self.renamed.push((at, Change::Other(path, to)));
                }
                b'U' => {
                    seen.remove(&path);
                    self.renamed.push((at, Change::Gone(path)));
                }
                b'W' | b'T' => {
                    let id = open[&entry.file].1.unwrap();
                    let place = usize::try_from(entry.at).unwrap();
                    let write = match entry.kind {
                        b'W' => Write::At(place, entry.data.to_vec()),
                        _ => Write::Cut(place),
                    };
                    self.files[id].written.push((at, write));
                }
                b'B' => {
                    syncs.insert(entry.at, at);
                }
                b'E' => {
                    let began = syncs[&entry.at];
                    match &open[&entry.file] {
                        (_, Some(id)) => self.files[*id].synced(began),
                        (dir, None) => self.dir_synced(dir, began),
                    }
                }
                other => panic!("an entry of kind {other}"),
            }
        }
    }

    /// Names of a directory that were changed before this.
    fn dir_synced(&mut self, dir: &Path, before: u64) {
        let (safe, left) = std::mem::take(&mut self.renamed)
            .into_iter()
            .partition(|(at, change)| *at < before && change.path().parent() == Some(dir));
        self.renamed = left;
        let safe: Vec<_> = safe;
        safe.into_iter().for_each(|(_, change)| self.apply(change));
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::New(path, entry) => {
                self.names.insert(path, entry);
            }
            Change::Gone(path) => {
                self.names.remove(&path);
            }
            Change::Other(from, to) => {
                if let Some(entry) = self.names.remove(&from) {
                    self.names.insert(to, entry);
                }
            }
        }
    }

    /// The power goes: of what is not safe some is there, and is safe from now on. Names in their
    /// order, as the journal of a file system writes them; sectors in any.
    pub(super) fn cut(&mut self, chance: &mut Chance) {
        let renamed = std::mem::take(&mut self.renamed);
        let kept = usize::try_from(chance.below(renamed.len() as u64 + 1)).unwrap();
        renamed.into_iter().take(kept).for_each(|(_, change)| self.apply(change));
        self.files.iter_mut().for_each(|file| file.cut(chance));
        // a name in a directory that is not there is not there
        let names = self.names.clone();
        self.names.retain(|path, _| {
            let above = path.parent().unwrap();
            above == Path::new("") || names.contains_key(above)
        });
        for (id, file) in self.files.iter_mut().enumerate() {
            if !self.names.values().any(|entry| *entry == Entry::File(id)) {
                *file = File::default();
            }
        }
    }

    pub(super) fn write(&self, dir: &Path) {
        std::fs::create_dir(dir).unwrap();
        for (path, entry) in &self.names {
            match entry {
                Entry::Dir => std::fs::create_dir(dir.join(path)).unwrap(),
                Entry::File(id) => {
                    std::fs::write(dir.join(path), &self.files[*id].bytes).unwrap();
                }
            }
        }
    }
}

impl Change {
    fn path(&self) -> &Path {
        match self {
            Self::New(path, _) | Self::Gone(path) | Self::Other(_, path) => path,
        }
    }
}

impl File {
    fn synced(&mut self, before: u64) {
        let safe = self.written.iter().take_while(|(at, _)| *at < before).count();
        for (_, write) in self.written.drain(..safe) {
            apply(&mut self.bytes, &write);
        }
    }

    fn cut(&mut self, chance: &mut Chance) {
        for (_, write) in std::mem::take(&mut self.written) {
            match write {
                Write::At(at, data) if chance.below(2) == 0 => {
                    for (n, sector) in data.chunks(SECTOR).enumerate() {
                        if chance.below(4) > 0 {
                            let write = Write::At(at + n * SECTOR, sector.to_vec());
                            apply(&mut self.bytes, &write);
                        }
                    }
                }
                Write::Cut(_) if chance.below(2) == 0 => apply(&mut self.bytes, &write),
                Write::At(..) | Write::Cut(_) => {}
            }
        }
    }
}

fn apply(bytes: &mut Vec<u8>, write: &Write) {
    match write {
        Write::At(at, data) => {
            let end = at + data.len();
            bytes.resize(bytes.len().max(end), 0);
            bytes[*at..end].copy_from_slice(data);
        }
        Write::Cut(len) => bytes.resize(*len, 0),
    }
}

fn name_of(bytes: &[u8], name: &impl Fn(&[u8]) -> PathBuf) -> PathBuf {
    if bytes.is_empty() { PathBuf::new() } else { name(bytes) }
}

/// One entry of the journal, as `journal.c` writes it.
struct Told<'j> {
    kind: u8,
    file: u64,
    at: u64,
    path: &'j [u8],
    data: &'j [u8],
}

/// Entries up to the end, or up to one that the kill has torn.
struct Entries<'j>(&'j [u8]);

impl<'j> Iterator for Entries<'j> {
    type Item = Told<'j>;

    fn next(&mut self) -> Option<Told<'j>> {
        const HEAD: usize = 32;
        let (head, rest) = self.0.split_at_checked(HEAD)?;
        let number = |from: usize, len: usize| {
            let mut bytes = [0; 8];
            bytes[..len].copy_from_slice(&head[from..from + len]);
            u64::from_le_bytes(bytes)
        };
        let long = |from, len| usize::try_from(number(from, len)).ok();
        let (path, rest) = rest.split_at_checked(long(4, 4)?)?;
        let (data, rest) = rest.split_at_checked(long(24, 8)?)?;
        self.0 = rest;
        Some(Told { kind: head[0], file: number(8, 8), at: number(16, 8), path, data })
    }
}
