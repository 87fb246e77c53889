//! Files of days that are damaged: each is left alone until the next start, so that nothing makes
//! it worse, and the other days go on. What comes for it becomes dead letters; whoever asks for it
//! is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::marks::Marked;
use crate::store::{Day, StoreError};

/// The days whose files are damaged, and what was said of them.
#[derive(Debug, Default)]
pub(super) struct Aside {
    days: Mutex<BTreeMap<Day, String>>,
    /// What was said of the main file, which cannot be left alone: all need it.
    main: Mutex<Option<String>>,
    /// The job does not look for marks in them.
    marked: Arc<Marked>,
}

impl Aside {
    pub(super) fn new(marked: Arc<Marked>) -> Self {
        Self { days: Mutex::default(), main: Mutex::default(), marked }
    }

    /// Leaves a day's file alone from now on, if this says that it is damaged; gives back why.
    pub(super) fn put(&self, day: Day, error: &StoreError) -> Option<String> {
        let StoreError::Damaged(cause) = error else { return None };
        let why = self.days().entry(day).or_insert_with(|| cause.to_string()).clone();
        self.marked.forget(day);
        Some(why)
    }

    /// Refuses a day that is set aside.
    pub(super) fn check(&self, day: Day) -> Result<(), StoreError> {
        match self.days().get(&day) {
            Some(why) => Err(StoreError::Damaged(why.clone().into())),
            None => Ok(()),
        }
    }

    /// Remembers that the main file is damaged, if this says so.
    pub(super) fn put_main(&self, error: &StoreError) {
        if let StoreError::Main(cause) = error {
            self.main_held().get_or_insert_with(|| cause.to_string());
        }
    }

    /// The main file has been read and written: it is another one, or mended.
    pub(super) fn main_is_whole(&self) {
        *self.main_held() = None;
    }

    /// What was said of the main file.
    pub(super) fn main(&self) -> Option<String> {
        self.main_held().clone()
    }

    fn main_held(&self) -> MutexGuard<'_, Option<String>> {
        self.main.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them.
    pub(super) fn all(&self) -> BTreeMap<Day, String> {
        self.days().clone()
    }

    fn days(&self) -> MutexGuard<'_, BTreeMap<Day, String>> {
        self.days.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was done with the main file: its damage is none of a day's.
pub(super) fn of_main<T>(done: Result<T, StoreError>) -> Result<T, StoreError> {
    done.map_err(|error| match error {
        StoreError::Damaged(cause) => StoreError::Main(cause),
        other => other,
    })
}
