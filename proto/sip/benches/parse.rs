//! Time and heap allocations of one parse of a 1 KiB INVITE, as one line for `xtask bench`.

#![expect(
    unsafe_code,
    reason = "a global allocator is an unsafe trait; it only counts and passes on"
)]
#![expect(clippy::print_stdout, reason = "the line is what this program is for")]

use sip::limits::Limits;
use sip::parse::parse;
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// The system's allocator, counting.
struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on unchanged; counting touches no memory of the allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BYTES: &[u8; 1024] = include_bytes!("../tests/it/testdata/invite_1k.sip");
/// Rounds, of which the fastest counts: other work on the machine only ever adds time.
const ROUNDS: u32 = 50;
const PARSES: u32 = 10_000;

fn main() {
    let before = COUNT.load(Ordering::Relaxed);
    let best = (0..ROUNDS).map(|_| round()).min().unwrap_or(0);
    let allocations = COUNT.load(Ordering::Relaxed) - before;
    println!("parse_invite_1k ns={best} allocs={}", allocations / (ROUNDS * PARSES) as usize);
}

/// Nanoseconds per parse.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures with the real clock")]
fn round() -> u128 {
    let start = Instant::now();
    for _ in 0..PARSES {
        let message = parse(black_box(BYTES), &Limits::DEFAULT);
        assert!(black_box(message).is_ok());
    }
    start.elapsed().as_nanos() / u128::from(PARSES)
}
