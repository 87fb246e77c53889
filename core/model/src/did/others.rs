//! Patterns that are no plain numbers: ranges, prefixes, and names.
//!
//! Their texts lie in one arena; exact ones and prefixes are found through a table of indices by a
//! hash that grows with each character, so that every prefix of a number is probed in one walk.
//! Ranges are cut beforehand into disjoint segments, each owned by the narrowest range over it.

use std::collections::BTreeSet;

use hashbrown::HashTable;

use super::pattern::Pattern;
use crate::config::limits::MAX_NUMBER;

/// See the module.
#[derive(Clone, Default)]
pub(super) struct Others {
    arena: String,
    entries: Vec<Text>,
    exact: HashTable<u32>,
    prefixes: HashTable<u32>,
    /// Bit n: some prefix has n characters.
    lengths: u128,
    ranges: Vec<Segments>,
}

/// One pattern: where its text (as printed) lies in the arena, and its value.
#[derive(Clone, Copy)]
struct Text {
    start: u32,
    /// Length of the text; of a prefix without its star.
    len: u8,
    value: u32,
}

/// The ranges of one length: ascending, disjoint.
#[derive(Clone, Default)]
struct Segments {
    digits: u8,
    cells: Vec<Segment>,
}

#[derive(Clone, Copy)]
struct Segment {
    low: u64,
    high: u64,
    entry: u32,
}

impl Others {
    /// Of two identical patterns the first counts, and of two ranges of equal width over one number
    /// the one that starts lower.
    pub(super) fn build<'p>(patterns: impl IntoIterator<Item = (&'p Pattern, u32)>) -> Self {
        let mut others = Self::default();
        let mut ranges = Vec::new();
        for (pattern, value) in patterns {
            let Some(entry) = others.add_text(pattern, value) else { break };
            match pattern {
                Pattern::Exact(number) => others.add_exact(number, entry),
                Pattern::Prefix(prefix) => others.add_prefix(prefix, entry),
                Pattern::Range { digits, low, high } => {
                    ranges.push((*digits, Segment { low: *low, high: *high, entry }));
                }
            }
        }
        ranges.sort_by_key(|(digits, _)| *digits);
        for group in ranges.chunk_by(|(a, _), (b, _)| a == b) {
            let digits = group.first().map_or(0, |(digits, _)| *digits);
            let cells = cut(group.iter().map(|(_, segment)| *segment));
            others.ranges.push(Segments { digits, cells });
        }
        others
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The pattern over a number as it is printed, and its value.
    pub(super) fn find(&self, number: &str) -> Option<(&str, u32)> {
        let entry = self
            .find_exact(number)
            .or_else(|| self.find_range(number))
            .or_else(|| self.find_prefix(number))?;
        let text = self.entries.get(entry as usize)?;
        Some((self.printed(entry, text)?, text.value))
    }

    /// The values of the narrowest range and of the longest prefix over a number.
    pub(super) fn over(&self, number: &str) -> impl Iterator<Item = u32> {
        let found = [self.find_range(number), self.find_prefix(number)];
        found
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(self.entries.get(entry as usize)?.value))
    }

    /// Gives every pattern the value that `to` makes of its value.
    pub(super) fn renumber(&mut self, to: impl Fn(u32) -> u32) {
        self.entries.iter_mut().for_each(|text| text.value = to(text.value));
    }

    /// `None` when the arena is full (4 GiB), which the limits of a configuration rule out.
    fn add_text(&mut self, pattern: &Pattern, value: u32) -> Option<u32> {
        let start = u32::try_from(self.arena.len()).ok()?;
        let entry = u32::try_from(self.entries.len()).ok()?;
        let printed = pattern.to_string();
        let star = usize::from(matches!(pattern, Pattern::Prefix(_)));
        let len = u8::try_from(printed.len() - star).ok()?;
        self.arena.push_str(&printed);
        self.entries.push(Text { start, len, value });
        Some(entry)
    }

    fn add_exact(&mut self, number: &str, entry: u32) {
        let (hash, arena, entries) = (hash(number), &self.arena, &self.entries);
        if self.exact.find(hash, |other| text(arena, entries, *other) == number).is_none() {
            self.exact.insert_unique(hash, entry, |other| self::hash(text(arena, entries, *other)));
        }
    }

    fn add_prefix(&mut self, prefix: &str, entry: u32) {
        let (hash, arena, entries) = (hash(prefix), &self.arena, &self.entries);
        if self.prefixes.find(hash, |other| text(arena, entries, *other) == prefix).is_none() {
            let rehash = |other: &u32| self::hash(text(arena, entries, *other));
            self.prefixes.insert_unique(hash, entry, rehash);
        }
        self.lengths |= 1 << prefix.len().min(MAX_NUMBER);
    }

    fn find_exact(&self, number: &str) -> Option<u32> {
        let same = |entry: &u32| text(&self.arena, &self.entries, *entry) == number;
        self.exact.find(hash(number), same).copied()
    }

    fn find_range(&self, number: &str) -> Option<u32> {
        if !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let of_length = |segments: &&Segments| usize::from(segments.digits) == number.len();
        let cells = &self.ranges.iter().find(of_length)?.cells;
        let value = number.parse::<u64>().ok()?;
        let at = cells.partition_point(|segment| segment.high < value);
        cells.get(at).filter(|segment| segment.low <= value).map(|segment| segment.entry)
    }

    fn find_prefix(&self, number: &str) -> Option<u32> {
        let mut best = None;
        let mut rolling = Rolling::default();
        for len in 0..=number.len().min(MAX_NUMBER) {
            if self.lengths & 1 << len != 0 {
                let prefix = number.get(..len);
                let same = |entry: &u32| {
                    prefix.is_some_and(|prefix| text(&self.arena, &self.entries, *entry) == prefix)
                };
                best = self.prefixes.find(rolling.value(), same).copied().or(best);
            }
            if let Some(byte) = number.as_bytes().get(len) {
                rolling.push(*byte);
            }
        }
        best
    }

    fn printed(&self, entry: u32, text: &Text) -> Option<&str> {
        let next = self.entries.get(entry as usize + 1);
        let end = next.map_or(self.arena.len(), |next| next.start as usize);
        self.arena.get(text.start as usize..end)
    }
}

fn text<'a>(arena: &'a str, entries: &[Text], entry: u32) -> &'a str {
    let Some(at) = entries.get(entry as usize) else { return "" };
    let start = at.start as usize;
    arena.get(start..start + usize::from(at.len)).unwrap_or_default()
}

/// FNV-1a-64 with a final mix; grows byte by byte. The keys come from the configuration, so that
/// nobody who calls can aim at a bucket.
struct Rolling(u64);

impl Default for Rolling {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Rolling {
    fn push(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    }

    fn value(&self) -> u64 {
        let mixed = (self.0 ^ self.0 >> 33).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        mixed ^ mixed >> 33
    }
}

fn hash(text: &str) -> u64 {
    let mut rolling = Rolling::default();
    text.bytes().for_each(|byte| rolling.push(byte));
    rolling.value()
}

/// Cuts overlapping ranges into disjoint segments, each with the narrowest range over it.
fn cut(ranges: impl Iterator<Item = Segment>) -> Vec<Segment> {
    let mut starts: Vec<Segment> = ranges.collect();
    starts.sort_by_key(|range| range.low);
    let mut bounds: Vec<u64> = starts.iter().flat_map(|r| [r.low, r.high + 1]).collect();
    bounds.sort_unstable();
    bounds.dedup();
    let mut cells: Vec<Segment> = Vec::new();
    let mut open = BTreeSet::new();
    let mut coming = starts.iter().peekable();
    for pair in bounds.windows(2) {
        let &[low, next] = pair else { continue };
        while let Some(range) = coming.next_if(|range| range.low == low) {
            open.insert((range.high - range.low, range.low, range.entry));
        }
        while let Some(first) = open.first().copied() {
            if first.0 + first.1 >= low {
                break;
            }
            open.remove(&first);
        }
        let Some((_, _, entry)) = open.first().copied() else { continue };
        match cells.last_mut() {
            Some(last) if last.entry == entry && last.high + 1 == low => last.high = next - 1,
            _ => cells.push(Segment { low, high: next - 1, entry }),
        }
    }
    cells
}
