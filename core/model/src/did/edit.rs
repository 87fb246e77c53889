//! A change of an index: what goes, what comes, and whether that may stand beside the rest.

use std::ops::RangeInclusive;

use super::index::DidIndex;
use super::pattern::Pattern;
use super::plain::{keys, number};

/// What changes.
#[derive(Debug, Default)]
pub(crate) struct Edit<'p> {
    /// Patterns that go.
    pub(crate) gone: Vec<&'p Pattern>,
    /// Patterns that come, with their values.
    pub(crate) new: Vec<(&'p Pattern, u32)>,
}

impl Edit<'_> {
    /// Whether a range, a prefix or a name comes.
    pub(crate) fn has_new_others(&self) -> bool {
        self.new.iter().any(|(pattern, _)| pattern.key().is_none())
    }

    fn has_others(&self) -> bool {
        self.has_new_others() || self.gone.iter().any(|pattern| pattern.key().is_none())
    }
}

impl DidIndex {
    /// Makes the change. A value that was n becomes the n-th of `moved`; `others` are all patterns
    /// after the change that are no plain numbers. Gives false if a number came that was there.
    pub(crate) fn edit<'p, O: Iterator<Item = (&'p Pattern, u32)>>(
        &mut self,
        edit: &Edit<'_>,
        moved: Option<&[u32]>,
        others: impl FnOnce() -> O,
    ) -> bool {
        edit.gone.iter().filter_map(|pattern| pattern.key()).for_each(|key| self.remove(key));
        if let Some(moved) = moved {
            self.renumber(|value| moved.get(value as usize).copied().unwrap_or(value));
        }
        if edit.has_others() {
            self.set_others(others());
        }
        self.reserve(edit.new.len());
        let plain = edit.new.iter().filter_map(|(pattern, value)| Some((pattern.key()?, *value)));
        plain.fold(true, |alone, (key, value)| self.insert(key, value).is_ok() && alone)
    }

    /// Whether each plain number of the edit, and each that its other patterns match, has one owner
    /// with the ranges and prefixes over it. These must not clash with each other: then all that
    /// are over a number have one owner, and one of each form tells.
    pub(crate) fn stands(&self, edit: &Edit<'_>, same_owner: impl Fn(u32, u32) -> bool) -> bool {
        let alone = |number: &str, value| self.over(number).all(|over| same_owner(over, value));
        let mut numbers = 0;
        let mut wide: Vec<RangeInclusive<u64>> = Vec::new();
        for (pattern, value) in &edit.new {
            match pattern {
                Pattern::Exact(number) if pattern.key().is_some() => {
                    numbers += 1;
                    if !alone(number, *value) {
                        return false;
                    }
                }
                Pattern::Exact(_) => {}
                Pattern::Range { .. } | Pattern::Prefix(_) => wide.extend(keys(pattern)),
            }
        }
        if wide.is_empty() || numbers == self.plain_len() {
            return true;
        }
        let wide = joined(wide);
        let under = |key: u64| {
            let at = wide.partition_point(|keys| *keys.end() < key);
            wide.get(at).is_some_and(|keys| keys.contains(&key))
        };
        let mut met = self.plain().filter(|(key, _)| under(*key));
        met.all(|(key, value)| alone(&number(key), value))
    }
}

/// The same keys as intervals that do not meet, in ascending order.
fn joined(mut all: Vec<RangeInclusive<u64>>) -> Vec<RangeInclusive<u64>> {
    all.sort_by_key(|keys| *keys.start());
    let mut joined: Vec<RangeInclusive<u64>> = Vec::with_capacity(all.len());
    for keys in all {
        match joined.last_mut() {
            Some(last) if keys.start() <= last.end() => {
                *last = *last.start()..=*last.end().max(keys.end());
            }
            _ => joined.push(keys),
        }
    }
    joined
}
