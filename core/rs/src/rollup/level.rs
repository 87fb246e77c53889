//! Concurrency in a bin: a level and its changes (rs.md §4.4).
//!
//! A peak is the greatest level at any instant of the bin, each after all changes of that instant:
//! what ends when something else begins was never there together with it. Maxima are never added:
//! sources merge by their changes, bins of time by their peaks.

use std::collections::BTreeMap;

use super::sum::{plus, sum};

/// How many of each call type (by number); none is 0.
pub type Types = BTreeMap<u8, i64>;

/// Changes of the level by (ms since the bin's start, call type); none is 0.
pub type Deltas = BTreeMap<(u32, u8), i64>;

/// The level of one object in one bin.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Level {
    /// The level just before the bin.
    pub start: Types,
    /// Sum of all changes in it.
    pub net: Types,
    /// The greatest level in it.
    pub peak: i64,
    /// The first instant of that.
    pub peak_ms: i64,
    /// The level then, by type; adds up to `peak`.
    pub peak_by_type: Types,
    /// The changes, lossless; of five-minute bins, while they are kept.
    pub deltas: Option<Deltas>,
}

impl Level {
    /// The level of a five-minute bin that begins at `bin_ms` with level `start`.
    #[must_use]
    pub fn of(bin_ms: i64, start: Types, mut deltas: Deltas) -> Self {
        deltas.retain(|_, by| *by != 0);
        let mut level = start.clone();
        let mut net = Types::new();
        let mut peak: Option<(i64, i64, Types)> = None;
        let mut rest = deltas.iter().peekable();
        let mut at = 0;
        loop {
            while let Some(((_, call_type), by)) = rest.next_if(|((ms, _), _)| *ms == at) {
                add(&mut level, *call_type, *by);
                add(&mut net, *call_type, *by);
            }
            let now = total(&level);
            if peak.as_ref().is_none_or(|(most, ..)| now > *most) {
                peak = Some((now, bin_ms + i64::from(at), level.clone()));
            }
            match rest.peek() {
                Some(((next, _), _)) => at = *next,
                None => break,
            }
        }
        let (peak, peak_ms, peak_by_type) = peak.unwrap_or_default();
        Self { start, net, peak, peak_ms, peak_by_type, deltas: Some(deltas) }
    }

    /// The level just after the bin.
    #[must_use]
    pub fn end(&self) -> Types {
        let mut end = self.start.clone();
        for (call_type, by) in &self.net {
            add(&mut end, *call_type, *by);
        }
        end
    }

    /// The same bin with so many more (or less) there from before it until after it.
    pub fn shift(&mut self, by: &Types) {
        for (call_type, by) in by {
            add(&mut self.start, *call_type, *by);
            add(&mut self.peak_by_type, *call_type, *by);
            plus(&mut self.peak, *by);
        }
    }

    /// The level of a larger bin that begins at `bin_ms`, of those of its smaller bins in which
    /// something happened, by their starts. `None` without any.
    #[must_use]
    pub fn join(bin_ms: i64, bins: impl IntoIterator<Item = (i64, Self)>) -> Option<Self> {
        let mut bins = bins.into_iter();
        let (start_ms, first) = bins.next()?;
        let mut joined = first.alone(bin_ms, start_ms);
        bins.for_each(|(_, bin)| joined.extend(&bin));
        Some(joined)
    }

    /// The same of the first one, which begins at `start_ms`.
    #[must_use]
    pub(super) fn alone(mut self, bin_ms: i64, start_ms: i64) -> Self {
        self.deltas = None;
        // nothing happened before it: the level stood
        let stood = total(&self.start);
        if start_ms > bin_ms && stood >= self.peak {
            (self.peak, self.peak_ms) = (stood, bin_ms);
            self.peak_by_type.clone_from(&self.start);
        }
        self
    }

    /// With the next one.
    pub(super) fn extend(&mut self, bin: &Self) {
        for (call_type, by) in &bin.net {
            add(&mut self.net, *call_type, *by);
        }
        if bin.peak > self.peak {
            (self.peak, self.peak_ms) = (bin.peak, bin.peak_ms);
            self.peak_by_type.clone_from(&bin.peak_by_type);
        }
    }

    /// `start` and `net` as one column holds them.
    #[must_use]
    pub fn encode_types(&self) -> Vec<u8> {
        postcard::to_extend(&(&self.start, &self.net), Vec::new()).unwrap_or_default()
    }

    /// The list of changes as one column holds it.
    #[must_use]
    pub fn encode_deltas(&self) -> Option<Vec<u8>> {
        let deltas = self.deltas.as_ref()?;
        let deltas: Vec<_> = deltas.iter().map(|((ms, of), by)| (*ms, *of, *by)).collect();
        postcard::to_extend(&deltas, Vec::new()).ok()
    }

    /// Reads both columns: (`start`, `net`), and the changes. `None`: damaged.
    #[must_use]
    pub fn decode(types: &[u8], deltas: Option<&[u8]>) -> Option<(Types, Types, Option<Deltas>)> {
        let (start, net) = postcard::from_bytes(types).ok()?;
        let Some(deltas) = deltas else { return Some((start, net, None)) };
        let deltas: Vec<(u32, u8, i64)> = postcard::from_bytes(deltas).ok()?;
        let deltas = deltas.into_iter().map(|(ms, of, by)| ((ms, of), by)).collect();
        Some((start, net, Some(deltas)))
    }
}

/// Sum over the types.
pub(super) fn total(types: &Types) -> i64 {
    sum(types.values().copied())
}

/// Adds, and keeps no zero.
pub(super) fn add(types: &mut Types, call_type: u8, by: i64) {
    let count = types.entry(call_type).or_default();
    plus(count, by);
    if *count == 0 {
        types.remove(&call_type);
    }
}

/// `after` − `before`.
#[must_use]
pub(super) fn difference(before: &Types, after: &Types) -> Types {
    let mut difference = after.clone();
    for (call_type, by) in before {
        add(&mut difference, *call_type, by.saturating_neg());
    }
    difference
}
