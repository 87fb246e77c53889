//! Which code an input reached, by counters that the compiler puts at every edge.
//!
//! `cargo xtask fuzz` builds with `-Cpasses=sancov-module`, which is stable and calls the one
//! function below at the start. Built without it there are no counters: then all inputs look
//! alike, and the run is as good as its mutator.
#![expect(unsafe_code, reason = "the counters are memory that only the compiler's code names")]

use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

static FIRST: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Called by the code that the compiler adds, before `main`.
///
/// # Safety
/// `first..end` are the counters of this program, alive as long as it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __sanitizer_cov_8bit_counters_init(first: *mut u8, end: *mut u8) {
    FIRST.store(first, Ordering::Relaxed);
    COUNT.store(end.addr() - first.addr(), Ordering::Relaxed);
}

/// What has been reached so far: per edge the ranges of counts that were seen, a bit each.
#[derive(Debug, Default)]
pub struct Seen {
    ranges: Vec<u8>,
    edges: usize,
}

/// Edges that can be reached; 0 in a build without counters.
#[must_use]
pub fn edges() -> usize {
    COUNT.load(Ordering::Relaxed)
}

fn counters<'c>() -> &'c mut [u8] {
    let first = FIRST.load(Ordering::Relaxed);
    if first.is_null() {
        return &mut [];
    }
    // SAFETY: set once, before `main`, by the compiler's own code; the only other writers are
    // the increments at the edges, and one thread runs targets.
    unsafe { std::slice::from_raw_parts_mut(first, edges()) }
}

/// Forgets what was reached, before an input runs.
pub fn reset() {
    counters().fill(0);
}

/// The edges that the last input reached, in order.
#[must_use]
pub fn reached() -> Vec<u32> {
    let chunks = (0_u32..).step_by(16).zip(counters().chunks(16));
    let hit = chunks.filter(|(_, counts)| counts.iter().any(|one| *one > 0));
    let each = hit.flat_map(|(first, counts)| (first..).zip(counts));
    each.filter(|(_, count)| **count > 0).map(|(edge, _)| edge).collect()
}

impl Seen {
    /// Takes over what the last input reached; true when something of it is new.
    pub fn add(&mut self) -> bool {
        let counters = counters();
        self.ranges.resize(counters.len(), 0);
        let mut new = false;
        let chunks = counters.chunks(16).zip(self.ranges.chunks_mut(16));
        for (counts, ranges) in chunks.filter(|(counts, _)| counts.iter().any(|one| *one > 0)) {
            for (count, seen) in counts.iter().zip(ranges) {
                let range = range(*count);
                if range & !*seen != 0 {
                    self.edges += usize::from(*seen == 0);
                    *seen |= range;
                    new = true;
                }
            }
        }
        new
    }

    /// Edges reached by all inputs together.
    #[must_use]
    pub const fn edges(&self) -> usize {
        self.edges
    }
}

/// Once, twice, three times, a few, … : a bit each, none for never.
const fn range(count: u8) -> u8 {
    match count {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 4,
        4..=7 => 8,
        8..=15 => 16,
        16..=31 => 32,
        32..=127 => 64,
        128.. => 128,
    }
}
