//! Letters that are tried again now. They are open in the database until the batch that brings
//! them is stored; after a new start they are just open until then.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Letters, each with the sequence of the spool that settles it, where that is known.
#[derive(Debug, Default)]
pub(in crate::api) struct Retrying(Mutex<BTreeMap<i64, Option<u64>>>);

impl Retrying {
    /// Begins; false: it is under way.
    pub(super) fn begin(&self, no: i64) -> bool {
        let mut all = self.lock();
        let new = !all.contains_key(&no);
        if new {
            all.insert(no, None);
        }
        new
    }

    /// It is settled when the database has this sequence.
    pub(super) fn until(&self, no: i64, seq: u64) {
        self.lock().insert(no, Some(seq));
    }

    pub(super) fn end(&self, no: i64) {
        self.lock().remove(&no);
    }

    /// The database has everything up to here.
    pub(super) fn applied(&self, seq: u64) {
        self.lock().retain(|_, until| until.is_none_or(|until| until > seq));
    }

    pub(super) fn is(&self, no: i64) -> bool {
        self.lock().contains_key(&no)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, Option<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
