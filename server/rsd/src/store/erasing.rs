//! Erasure of a caller's number on request (spec rs.md §8): jobs that survive the process. The
//! number itself is kept nowhere, only its hash under a secret. A part of [`super::Store`].

use std::collections::BTreeSet;

use rs::erase::{CallNames, Erased, Named, Number, NumberHash, Secret};
use rs::report::Call;
use rs::share::unsaid_properties;
use rs::{Day, key};

use super::custody::{Audit, Letter};
use super::said::days_of_events;
use super::{Store, StoreError, days_of_key};

/// Records of calls that began until so long after the request are searched for the number, too:
/// a call may be in progress.
pub const LATE_MS: i64 = 86_400_000;

/// Dead letters that are looked at together, each as long as a record may be.
const LETTERS: usize = 16;
/// The same of a slice.
pub(super) const LETTER_ROWS: i64 = 16;

/// One erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Its number; of a new one 0.
    pub no: i64,
    /// When it was asked for, ms since 1970 UTC.
    pub requested_ms: i64,
    /// When it came to its end.
    pub ended_ms: Option<i64>,
    /// Calls that were erased.
    pub calls: i64,
    /// Rows beside calls of which the number was taken out.
    pub rows: i64,
    /// The day that is searched (`yyyymmdd`); 0: what is not by day.
    pub day: i64,
}

/// How far an erasure has come. A store writes it behind each slice: one that is done twice
/// changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) no: i64,
    pub(super) number: NumberHash,
    /// 0: what is not by day.
    pub(super) day: Day,
    /// Tables of the day that are done; behind them what the store does with calls, traces and
    /// what it has changed.
    pub(super) stage: usize,
    /// The last key that is done.
    pub(super) after: Vec<u8>,
    /// What of this day was changed, in bits that the store gives a meaning; 0: nothing.
    pub(super) changed: i64,
}

impl Place {
    /// This table is done.
    pub(super) fn next(&mut self) {
        self.stage += 1;
        self.after.clear();
    }

    /// This day is done.
    pub(super) fn turn(&mut self, day: Day) {
        *self = Self { day, stage: 0, after: Vec::new(), changed: 0, ..*self };
    }
}

/// Texts of figures without the numbers: their facts may have been read before an erasure began.
pub(super) fn untold(texts: &[(i64, String)], erased: &Erased) -> Vec<(i64, String)> {
    let numbers = erased.numbers();
    let text = |text: &String| numbers.without(text).unwrap_or_else(|| text.clone());
    texts.iter().map(|(key, value)| (*key, text(value))).collect()
}

/// By what calls that are erased whole are known.
pub(super) fn names(legs: &[Call], secret: &Secret) -> BTreeSet<NumberHash> {
    let named = |leg: &Call| {
        let (guid, session_id) = (leg.guid.as_deref(), Some(&*leg.session_id));
        Named { guid, component: &leg.component.name, session_id }.hashes(secret)
    };
    legs.iter().flat_map(named).collect()
}

/// Days where they and what hangs on them may be.
pub(super) fn days(legs: &[Call]) -> BTreeSet<Day> {
    let at = |leg: &Call| days_of_events(key::day(leg.started), leg);
    legs.iter().flat_map(|leg| &days_of_key(&leg.key) | &at(leg)).collect()
}

/// Erases these calls whole, with what was said in them, and dead letters that name them; what
/// comes of them later, too. After an error the same again does what is left.
///
/// # Errors
/// The database does not do it.
pub fn forget(store: &dyn Store, legs: &[Call], line: &Audit) -> Result<(), StoreError> {
    store.erasing().forget(legs, line)?;
    // letters that come from now on are made without
    let (names, custody) = (CallNames::of(legs), store.custody());
    let mut last = 0;
    loop {
        let letters = custody.letters_behind(last, LETTERS)?;
        let Some(newest) = letters.last() else { return Ok(()) };
        last = newest.no;
        let named = |of: &&Letter| names.are_in(&of.body, &of.properties, of.producer.as_deref());
        for letter in letters.iter().filter(named) {
            custody.unsay(letter.no, &unsaid_properties(&letter.properties))?;
        }
    }
}

/// What a database does to erase.
pub trait Erasing {
    /// Begins one, with its line of the audit log, whose object is the number that it gives; what
    /// comes from now on is searched for the number.
    fn begin(&self, number: &Number, line: &Audit) -> Result<i64, StoreError>;

    /// All of them, newest first, at most so many.
    fn erasures(&self, limit: usize) -> Result<Vec<Erasure>, StoreError>;

    /// Erases these calls whole, with what was said in them; what comes of them later, too. The
    /// line of the audit log is there with the first change. See [`forget`] for their dead letters.
    fn forget(&self, legs: &[Call], line: &Audit) -> Result<(), StoreError>;

    /// A slice of the oldest one that is not at its end; false: there is none.
    fn go_on(&self, now_ms: i64) -> Result<bool, StoreError>;
}
