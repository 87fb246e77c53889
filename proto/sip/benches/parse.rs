//! Time and heap allocations of one parse of a 1 KiB INVITE, as one line for `xtask bench`.

#![expect(clippy::print_stdout, reason = "the line is what this program is for")]

#[path = "../tests/it/counting.rs"]
mod counting;

use counting::heap;
use sip::limits::Limits;
use sip::parse::parse;
use std::hint::black_box;
use std::time::Instant;

const BYTES: &[u8; 1024] = include_bytes!("../tests/it/testdata/invite_1k.sip");
/// Rounds, of which the fastest counts: other work on the machine only ever adds time.
const ROUNDS: u32 = 50;
const PARSES: u32 = 10_000;

fn main() {
    let (before, _) = heap();
    let best = (0..ROUNDS).map(|_| round()).min().unwrap_or(0);
    let allocations = heap().0 - before;
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
