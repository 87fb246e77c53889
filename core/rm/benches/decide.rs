//! How long a decision takes on a large platform, as one line for `xtask bench`: select, authorise
//! and place of an INVITE among 1,000 tenants, 10,000 profiles, 1,000,000 numbers, 500 resources
//! and 100,000 live sessions, for each scheme; a look-up of a number; the memory of the snapshot;
//! how long the engine takes to put another one in force, and to give back the former.

#![expect(clippy::print_stdout, reason = "the line is what this program is for")]
#![expect(clippy::unwrap_used, reason = "it shares helpers with the tests")]

#[path = "../../../proto/sip/tests/it/counting.rs"]
mod counting;
#[path = "decide/platform.rs"]
mod platform;
#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../tests/it/world.rs"]
mod world;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use counting::heap;
use model::chance::Chance;
use model::snapshot::Snapshot;
use model::time::{Millis, Now};
use rm::{Input, NodeState, Proxy, Trial};
use sip::limits::Limits;
use sip::transport::{Flow, Transport};
use world::{CALLER, address, invite, settings};

/// Live sessions.
const LIVE: usize = 100_000;
/// Decisions that are taken one after the other: what one receive may bring. Their messages were
/// just read, as they are in the engine.
const BATCH: usize = 10;
/// Batches, of which the median counts.
const BATCHES: usize = 5_000;
/// Look-ups.
const LOOKUPS: usize = 1_000_000;

/// The schemes, by the keys of their figures.
const SCHEMES: [(&str, &str); 5] = [
    ("ns", "round-robin"),
    ("least_used_ns", "least-used"),
    ("least_percent_ns", "least-percent"),
    ("weighted_ns", "weighted"),
    ("hash_ns", "hash"),
];

#[expect(clippy::disallowed_methods, reason = "a benchmark measures with the real clock")]
fn clock() -> Instant {
    Instant::now()
}

fn main() {
    print!("decide");
    for (number, (key, scheme)) in SCHEMES.into_iter().enumerate() {
        let (_, before) = heap();
        let begun = clock();
        let snapshot = platform::snapshot(scheme);
        let built = begun.elapsed().as_millis();
        if number == 0 {
            let mb = (heap().1 - before) / 1_000_000;
            print!(" lookup_ns={} snapshot_mb={mb} built_ms={built}", lookup(&snapshot));
        }
        let (decision, allocations) = Bench::new(snapshot).measured();
        print!(" {key}={decision}");
        if number == 0 {
            let (applied, dropped) = reload(scheme);
            print!(" allocs_per_1000={allocations} applied_us={applied} dropped_us={dropped}");
        }
    }
    println!();
}

/// Nanoseconds that it takes to find a number.
fn lookup(snapshot: &Snapshot) -> u128 {
    let mut chance = Chance::new([9; 4]);
    let numbers: Vec<String> = (0..LOOKUPS).map(|_| platform::number(&mut chance)).collect();
    let begun = clock();
    let found = numbers.iter().filter(|number| black_box(snapshot.did(number)).is_some()).count();
    assert_eq!(found, LOOKUPS);
    begun.elapsed().as_nanos() / LOOKUPS as u128
}

/// Microseconds of the turn in which another configuration comes, and of giving back the memory of
/// the former, which no turn waits for.
fn reload(scheme: &str) -> (u128, u128) {
    let mut bench = Bench::new(platform::snapshot(scheme));
    let live: Vec<Trial> = (0..LIVE / BATCH).flat_map(|_| bench.decide().0).collect();
    let next = platform::snapshot(scheme);
    let former = Arc::clone(bench.proxy.snapshot());
    let begun = clock();
    bench.proxy.handle_input(bench.now, Input::Snapshot(next));
    let applied = begun.elapsed();
    assert_eq!(bench.proxy.status().sessions, live.len());
    // what is told of them reads it
    drop(live);
    assert_eq!(Arc::strong_count(&former), 1);
    let begun = clock();
    drop(former);
    (applied.as_micros(), begun.elapsed().as_micros())
}

/// An engine that decides.
struct Bench {
    proxy: Proxy,
    now: Now,
    chance: Chance,
    calls: usize,
}

impl Bench {
    fn new(snapshot: Arc<Snapshot>) -> Self {
        let now = Now { mono: Duration::from_secs(1000), wall: Millis(1_767_225_600_000) };
        let mut settings = settings();
        settings.options.trace_sample = 100;
        let mut proxy = Proxy::new(settings, snapshot, now);
        proxy.handle_input(now, Input::State(NodeState::Ready));
        Self { proxy, now, chance: Chance::new([7; 4]), calls: 0 }
    }

    /// Nanoseconds of one decision, and allocations of 1,000.
    fn measured(mut self) -> (u128, usize) {
        let live: Vec<Trial> = (0..LIVE / BATCH).flat_map(|_| self.decide().0).collect();
        let mut times = Vec::with_capacity(BATCHES);
        let mut allocations = 0;
        // the first half lets every list grow to what it will need
        for batch in 0..2 * BATCHES {
            let (trials, time, allocated) = self.decide();
            for trial in trials {
                self.proxy.end_trial(trial);
            }
            if batch >= BATCHES {
                times.push(time.as_nanos() / BATCH as u128);
                allocations += allocated;
            }
        }
        assert_eq!(self.proxy.status().sessions, live.len());
        times.sort_unstable();
        (times[BATCHES / 2], allocations * 1000 / (BATCHES * BATCH))
    }

    /// Decides calls to numbers of anybody, none of which is refused; the time and allocations of
    /// the decisions alone.
    fn decide(&mut self) -> (Vec<Trial>, Duration, usize) {
        let Self { proxy, now, chance, calls } = self;
        let texts: Vec<String> = (0..BATCH)
            .map(|_| {
                *calls += 1;
                invite(&platform::number(chance), &format!("c{calls}"))
            })
            .collect();
        let remote = address(CALLER);
        let flow = Flow { transport: Transport::Udp, listener: 0, remote, conn: None };
        let messages: Vec<_> = texts
            .iter()
            .map(|text| sip::parse::parse(text.as_bytes(), &Limits::DEFAULT).unwrap())
            .collect();
        let mut trials: Vec<Trial> = messages
            .iter()
            .map(|message| proxy.begin_trial(*now, flow, message).unwrap())
            .collect();
        let ((before, _), begun) = (heap(), clock());
        for (trial, message) in trials.iter_mut().zip(&messages) {
            let decided = proxy.decide_trial(*now, flow, message, trial);
            assert_eq!(decided, Ok(()));
        }
        let (time, allocations) = (begun.elapsed(), heap().0 - before);
        (trials, time, allocations)
    }
}
