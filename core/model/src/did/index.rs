//! The look-up from a number to its pattern, compact enough for millions of numbers.
//!
//! A number of digits is its own key (`plain`): nearly all are, and one is found at one place in
//! memory. All other patterns are `others`. A copy is cheap, and a change of it costs the copy of
//! one list, and all others only if one of them is another.

use std::sync::Arc;

use super::others::Others;
use super::pattern::Pattern;
use super::plain::{self, Plain};

/// The index from numbers to patterns and the values given with them.
#[derive(Clone, Default)]
pub struct DidIndex {
    /// Exact numbers of digits; duplicates are not counted among them.
    plain: Plain,
    duplicates: usize,
    others: Arc<Others>,
}

impl DidIndex {
    /// Builds the index. Of two identical patterns the first counts, and of two ranges of equal
    /// width over one number the one that starts lower.
    #[must_use]
    pub fn build<'p>(patterns: impl IntoIterator<Item = (&'p Pattern, u32)>) -> Self {
        let (mut numbers, mut others) = (Vec::new(), Vec::new());
        for (pattern, value) in patterns {
            match pattern.key() {
                Some(key) => numbers.push((key, value)),
                None => others.push((pattern, value)),
            }
        }
        let mut index = Self { plain: Plain::with_room(numbers.len()), ..Self::default() };
        for (key, value) in numbers {
            index.duplicates += usize::from(index.plain.insert(key, value).is_err());
        }
        index.set_others(others);
        index
    }

    /// The pattern of a number in normal form (see [`super::normalise`]), as it is printed, and
    /// its value. An exact number is its own pattern.
    #[must_use]
    pub fn find<'a>(&'a self, number: &'a str) -> Option<(&'a str, u32)> {
        match plain::key(number).and_then(|key| self.plain.get(key)) {
            Some(value) => Some((number, value)),
            None => self.others.find(number),
        }
    }

    /// How many patterns there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.plain.len() + self.duplicates + self.others.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Room for so many numbers at once, if it is empty.
    pub(super) fn reserve(&mut self, numbers: usize) {
        if self.plain.len() == 0 {
            self.plain = Plain::with_room(numbers);
        }
    }

    /// Puts a plain number.
    ///
    /// # Errors
    /// The value that it has already.
    pub(super) fn insert(&mut self, key: u64, value: u32) -> Result<(), u32> {
        self.plain.insert(key, value)
    }

    /// Takes a plain number out.
    pub(super) fn remove(&mut self, key: u64) {
        self.plain.remove(key);
    }

    /// All patterns that are no plain numbers.
    pub(super) fn set_others<'p>(&mut self, all: impl IntoIterator<Item = (&'p Pattern, u32)>) {
        self.others = Arc::new(Others::build(all));
    }

    /// Gives every pattern the value that `to` makes of its value.
    pub(super) fn renumber(&mut self, to: impl Fn(u32) -> u32) {
        self.plain.renumber(&to);
        Arc::make_mut(&mut self.others).renumber(to);
    }

    /// How many plain numbers there are.
    pub(super) fn plain_len(&self) -> usize {
        self.plain.len()
    }

    /// All plain numbers by their keys.
    pub(super) fn plain(&self) -> impl Iterator<Item = (u64, u32)> {
        self.plain.iter()
    }

    /// The values of the narrowest range and of the longest prefix over a number.
    pub(super) fn over(&self, number: &str) -> impl Iterator<Item = u32> {
        self.others.over(number)
    }
}

impl Pattern {
    /// The key of a plain number; `None` for all other patterns.
    pub(crate) fn key(&self) -> Option<u64> {
        match self {
            Self::Exact(number) => plain::key(number),
            Self::Range { .. } | Self::Prefix(_) => None,
        }
    }
}

impl std::fmt::Debug for DidIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DidIndex of {} patterns", self.len())
    }
}
