//! What had been durable and cannot be read: copied to `quarantine/`, counted, and kept until its
//! user has told it (`spec/rs.md` §1.4.5). A start and a reader find it; each area counts once.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::fs::{File, FileSystem, make_dir};
use crate::limits::{DAMAGE_AREAS, QUARANTINE_FILES};
use crate::spool::Damage;

/// An area that cannot be read, as it was found.
pub(crate) struct Unreadable<'a> {
    /// Name and number of its segment; 0: the number is not known.
    pub(crate) name: &'a str,
    pub(crate) number: u64,
    pub(crate) file: &'a dyn File,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    /// First and last sequence, as far as known.
    pub(crate) lost: (u64, u64),
}

/// All damage since the start.
pub(crate) struct Ward {
    fs: Arc<dyn FileSystem>,
    dir: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By file, number of the segment and offset.
    known: BTreeSet<(String, u64, u64)>,
    copies: usize,
    found: usize,
    untold: Vec<Damage>,
}

impl Ward {
    pub(crate) fn new(fs: Arc<dyn FileSystem>, dir: PathBuf) -> Self {
        Self { fs, dir, state: Mutex::default() }
    }

    /// Copies an area and remembers it, unless it is known. True: there is a copy of it. A copy
    /// that fails costs only the copy.
    pub(crate) fn admit(&self, area: &Unreadable<'_>) -> bool {
        let copy = {
            let mut state = self.state();
            let room = state.known.len() < DAMAGE_AREAS;
            if room && !state.known.insert((area.name.to_owned(), area.number, area.offset)) {
                return false;
            }
            state.found += 1;
            let copies = area.bytes > 0 && state.copies < QUARANTINE_FILES;
            state.copies += usize::from(copies);
            copies.then(|| copy_name(area))
        };
        let copy = copy.filter(|copy| quarantine(&*self.fs, &self.dir, copy, area).is_ok());
        let copied = copy.is_some();
        let Unreadable { name, offset, bytes, lost, .. } = *area;
        let damage = Damage { file: name.to_owned(), offset, bytes, lost, copy };
        let mut state = self.state();
        if state.untold.len() < DAMAGE_AREAS {
            state.untold.push(damage);
        }
        copied
    }

    /// How many areas so far.
    pub(crate) fn found(&self) -> usize {
        self.state().found
    }

    /// What was found since the last call.
    pub(crate) fn take(&self) -> Vec<Damage> {
        std::mem::take(&mut self.state().untold)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Files are used again under their names, so the number of the segment is part of it.
fn copy_name(area: &Unreadable<'_>) -> String {
    let stem = area.name.trim_end_matches(".seg");
    format!("{stem}-{:x}-{:08x}.bin", area.number, area.offset)
}

/// Copies what the disk gives; a part of it that cannot be read is zeros in the copy.
fn quarantine(
    fs: &dyn FileSystem,
    dir: &Path,
    copy: &str,
    area: &Unreadable<'_>,
) -> io::Result<()> {
    const PIECE: u64 = 64 << 10;
    let dir = dir.join("quarantine");
    make_dir(fs, &dir)?;
    if fs.list(&dir)?.iter().any(|name| name == copy) {
        return Ok(());
    }
    let to = fs.create(&dir.join(copy))?;
    let mut at = 0;
    while at < area.bytes {
        let mut piece = vec![0; usize::try_from(PIECE.min(area.bytes - at)).unwrap_or(0)];
        let end = at + piece.len() as u64;
        match area.file.read_at(&mut piece, area.offset + at) {
            Ok(0) => break,
            Ok(read) => {
                to.write_all_at(&piece[..read], at)?;
                at += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                to.write_all_at(&vec![0; piece.len()], at)?;
                at = end;
            }
        }
    }
    to.sync_data()?;
    fs.sync_dir(&dir)
}
