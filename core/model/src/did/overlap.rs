//! Which patterns may not stand together: identical ones within a tenant, and any two of different
//! tenants that share a number.
//!
//! Every pattern is reported at most once, against an earlier pattern that it clashes with; the
//! cost is O(n log n). Runs when a configuration is checked, never on a call's way.

use std::collections::BTreeMap;

use super::pattern::Pattern;
use crate::config::limits::MAX_NUMBER;
use crate::map::Map;

/// One pattern with its owner.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'p> {
    /// The pattern.
    pub pattern: &'p Pattern,
    /// The tenant, by any numbering.
    pub tenant: u32,
}

/// Two patterns that may not stand together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Clash {
    /// The later one, an index into the entries.
    pub later: usize,
    /// The earlier one.
    pub earlier: usize,
    /// Whether both are of one tenant (then they are identical).
    pub same_tenant: bool,
}

/// A clash for every pattern that has one with an earlier pattern, in the order of the entries.
#[must_use]
pub fn clashes(entries: &[Entry<'_>]) -> Vec<Clash> {
    let mut found = Found::default();
    identical(entries, &mut found);
    under_prefixes(entries, &mut found);
    over_ranges(entries, &mut found);
    let clash = |(later, (earlier, same_tenant))| Clash { later, earlier, same_tenant };
    found.0.into_iter().map(clash).collect()
}

#[derive(Default)]
struct Found(BTreeMap<usize, (usize, bool)>);

impl Found {
    fn note(&mut self, a: usize, b: usize, same_tenant: bool) {
        self.0.entry(a.max(b)).or_insert((a.min(b), same_tenant));
    }
}

fn identical(entries: &[Entry<'_>], found: &mut Found) {
    let mut first: Map<&Pattern, usize> = Map::with_capacity(0, entries.len());
    for (at, entry) in entries.iter().enumerate() {
        let earlier = *first.get_or_insert_with(entry.pattern, || at);
        if let Some(other) = entries.get(earlier).filter(|_| earlier != at) {
            found.note(at, earlier, other.tenant == entry.tenant);
        }
    }
}

/// Exact numbers and prefixes against the prefixes that they begin with.
fn under_prefixes(entries: &[Entry<'_>], found: &mut Found) {
    let mut prefixes: Map<&str, usize> = Map::new(0);
    let mut lengths: u128 = 0;
    for (at, entry) in entries.iter().enumerate() {
        if let Pattern::Prefix(prefix) = entry.pattern {
            prefixes.get_or_insert_with(prefix, || at);
            lengths |= 1 << prefix.len().min(MAX_NUMBER);
        }
    }
    for (at, entry) in entries.iter().enumerate() {
        let (number, own) = match entry.pattern {
            Pattern::Exact(number) => (number, number.len()),
            Pattern::Prefix(prefix) => (prefix, prefix.len().saturating_sub(1)),
            Pattern::Range { .. } => continue,
        };
        for len in (0..=own).filter(|len| lengths & 1 << len != 0) {
            let other = number.get(..len).and_then(|prefix| prefixes.get(prefix)).copied();
            let foreign = |other: &usize| {
                *other != at && entries.get(*other).is_some_and(|o| o.tenant != entry.tenant)
            };
            if let Some(other) = other.filter(foreign) {
                found.note(at, other, false);
            }
        }
    }
}

/// The numbers of one length that a pattern matches, as an interval.
#[derive(Clone, Copy)]
struct Interval {
    low: u64,
    high: u64,
    tenant: u32,
    at: usize,
    is_range: bool,
}

/// Ranges against everything, length by length.
fn over_ranges(entries: &[Entry<'_>], found: &mut Found) {
    let mut by_length: BTreeMap<u8, Vec<Interval>> = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        if let Pattern::Range { digits, low, high } = *entry.pattern {
            let tenant = entry.tenant;
            let interval = Interval { low, high, tenant, at, is_range: true };
            by_length.entry(digits).or_default().push(interval);
        }
    }
    for (digits, intervals) in &mut by_length {
        let others = entries.iter().enumerate();
        intervals.extend(others.filter_map(|(at, entry)| projected(*digits, at, entry)));
        intervals.sort_by_key(|i| (i.low, !i.is_range, i.at));
        sweep(intervals, found);
    }
}

/// What an exact number or a prefix matches among the numbers of `digits` digits.
fn projected(digits: u8, at: usize, entry: &Entry<'_>) -> Option<Interval> {
    let (text, free) = match entry.pattern {
        Pattern::Exact(number) if number.len() == usize::from(digits) => (number, 0),
        Pattern::Prefix(prefix) => (prefix, usize::from(digits).checked_sub(prefix.len())?),
        Pattern::Exact(_) | Pattern::Range { .. } => return None,
    };
    let numeric = text.bytes().all(|b| b.is_ascii_digit());
    let value = if text.is_empty() { 0 } else { numeric.then(|| text.parse::<u64>().ok())?? };
    let width = 10_u64.checked_pow(u32::try_from(free).ok()?)?;
    let low = value.checked_mul(width)?;
    Some(Interval { low, high: low + (width - 1), tenant: entry.tenant, at, is_range: false })
}

/// Two intervals meet if the one that starts later starts before the other ends; so each is held
/// against the farthest end among those of other tenants that started before it.
fn sweep(intervals: &[Interval], found: &mut Found) {
    let (mut ranges, mut others) = (Farthest::default(), Farthest::default());
    for interval in intervals {
        let mut seen = vec![ranges.of_others(interval.tenant)];
        if interval.is_range {
            seen.push(others.of_others(interval.tenant));
        }
        for other in seen.into_iter().flatten().filter(|other| other.high >= interval.low) {
            found.note(interval.at, other.at, false);
        }
        let of_kind = if interval.is_range { &mut ranges } else { &mut others };
        of_kind.take(*interval);
    }
}

/// The interval that ends last, and the one that ends last among the other tenants'.
#[derive(Default)]
struct Farthest {
    first: Option<Interval>,
    second: Option<Interval>,
}

impl Farthest {
    fn of_others(&self, tenant: u32) -> Option<Interval> {
        self.first.filter(|first| first.tenant != tenant).or(self.second)
    }

    fn take(&mut self, new: Interval) {
        let beats = |old: Option<Interval>| old.is_none_or(|old| new.high > old.high);
        let own = self.first.is_some_and(|first| first.tenant == new.tenant);
        if beats(self.first) {
            self.second = if own { self.second } else { self.first };
            self.first = Some(new);
        } else if !own && beats(self.second) {
            self.second = Some(new);
        }
    }
}
