//! Sets of connections for whoever asks: how many there are, so that files of days are open at most
//! 64 at once, all who open them together (spec rs.md §3.3).

use std::sync::{Condvar, Mutex, PoisonError};

use super::read::Reader;
use super::{bins, keeping, lock, write};
use crate::store::StoreError;

/// Sets that are kept: as many as there are questions at once.
pub(super) const KEPT: usize = 8;
/// Day files that each of them holds open.
pub(super) const OPEN_DAYS: usize = 5;
/// Sets beside them, for what asks in the background. They hold one day's file, and are closed
/// behind their question.
pub(super) const GUESTS: usize = 3;

/// Files of days that may be open at once.
const MOST_DAYS: usize = 64;
/// The last one is of the day that is removed, for which nobody has it open, or of the day whose
/// log is moved: these two wait for each other.
const _: () = assert!(
    write::OPEN_DAYS
        + write::BESIDE_DAYS
        + bins::OPEN_DAYS
        + keeping::OPEN_DAYS
        + KEPT * OPEN_DAYS
        + GUESTS
        < MOST_DAYS
);

/// The sets of a store.
#[derive(Default)]
pub(super) struct Readers {
    sets: Mutex<Sets>,
    back: Condvar,
}

#[derive(Default)]
struct Sets {
    idle: Vec<Reader>,
    /// Those that are to be kept, lent or idle.
    kept: usize,
    lent: usize,
    /// How often the files were opened: what was opened before is not used again.
    opened: u64,
}

impl Readers {
    /// One of them; whoever comes when all are lent waits for the next one that comes back. Who has
    /// one waits for nobody.
    pub(super) fn lend(&self) -> Lent<'_> {
        let sets = lock(&self.sets);
        let all_lent = |sets: &mut Sets| sets.lent == KEPT + GUESTS;
        let sets = self.back.wait_while(sets, all_lent);
        let mut sets = sets.unwrap_or_else(PoisonError::into_inner);
        sets.lent += 1;
        let reader = sets.idle.pop();
        let is_kept = reader.is_some() || sets.kept < KEPT;
        sets.kept += usize::from(is_kept && reader.is_none());
        Lent { readers: self, reader, is_kept, is_whole: false, opened: sets.opened }
    }

    /// Closes those that nobody has.
    pub(super) fn clear(&self) {
        let mut sets = lock(&self.sets);
        sets.kept -= sets.idle.len();
        sets.idle.clear();
    }

    /// The same; those that are lent are closed when they come back.
    pub(super) fn forget(&self) {
        self.clear();
        lock(&self.sets).opened += 1;
    }
}

/// A set that is lent. One that met an error is closed, not used again.
pub(super) struct Lent<'r> {
    readers: &'r Readers,
    reader: Option<Reader>,
    is_kept: bool,
    is_whole: bool,
    opened: u64,
}

impl Lent<'_> {
    /// The connections; `open` opens them, for so many days at once.
    pub(super) fn reader(
        &mut self,
        open: impl FnOnce(usize) -> Result<Reader, StoreError>,
    ) -> Result<&mut Reader, StoreError> {
        let days = if self.is_kept { OPEN_DAYS } else { 1 };
        let reader = self.reader.take().map_or_else(|| open(days), Ok)?;
        Ok(self.reader.insert(reader))
    }

    /// They have met no error.
    pub(super) fn give_back(mut self) {
        self.is_whole = self.is_kept;
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let reader = self.reader.take().filter(|_| self.is_whole);
        let mut sets = lock(&self.readers.sets);
        match reader.filter(|_| self.opened == sets.opened) {
            Some(reader) => sets.idle.push(reader),
            None => sets.kept -= usize::from(self.is_kept),
        }
        sets.lent -= 1;
        drop(sets);
        self.readers.back.notify_one();
    }
}
