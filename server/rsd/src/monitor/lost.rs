//! What of the queue could not be read although it had been written (rs.md §1.4.5): shown in
//! integrity until an operator has ended the alarm, also after another start.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use spool::Damage;

/// In the queue's directory.
const FILE: &str = "damage.json";
/// Areas that are kept; of more the first.
const MOST: usize = 10_000;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Area {
    file: String,
    offset: u64,
    bytes: u64,
    /// Sequences of the queue in it, as far as known.
    from: u64,
    to: u64,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Lost {
    path: PathBuf,
    areas: Mutex<Vec<Area>>,
}

impl Area {
    fn of(damage: &Damage) -> Self {
        let (from, to) = damage.lost;
        Self { file: damage.file.clone(), offset: damage.offset, bytes: damage.bytes, from, to }
    }
}

impl Lost {
    /// Those of earlier starts. A file that cannot be read has none.
    pub(super) fn open(dir: PathBuf) -> Self {
        let path = dir.join(FILE);
        let text = fs::read(&path).unwrap_or_default();
        let areas = Mutex::new(serde_json::from_slice(&text).unwrap_or_default());
        Self { path, areas }
    }

    pub(crate) fn all(&self) -> Vec<Area> {
        self.areas().clone()
    }

    /// More were found. Where the disk does not take the note, it lasts as long as the process.
    pub(super) fn add(&self, found: &[Damage]) {
        let mut areas = self.areas();
        for area in found.iter().map(Area::of) {
            if areas.len() < MOST && !areas.contains(&area) {
                areas.push(area);
            }
        }
        let _noted = self.write(&areas);
    }

    /// An operator has seen to them.
    pub(super) fn forget(&self) {
        let mut areas = self.areas();
        areas.clear();
        let _forgotten = fs::remove_file(&self.path);
    }

    fn write(&self, areas: &[Area]) -> io::Result<()> {
        let new = self.path.with_extension("new");
        fs::write(&new, serde_json::to_vec(areas)?)?;
        fs::File::open(&new)?.sync_all()?;
        fs::rename(&new, &self.path)?;
        let dir = self.path.parent().map(fs::File::open).transpose()?;
        dir.map_or(Ok(()), |dir| dir.sync_all())
    }

    fn areas(&self) -> MutexGuard<'_, Vec<Area>> {
        self.areas.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
