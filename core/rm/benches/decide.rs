//! How long a decision takes on a large platform, as one line for `xtask bench`: select, authorise
//! and place of an INVITE among 1,000 tenants, 10,000 profiles, 1,000,000 numbers, 500 resources
//! and 100,000 live sessions; a look-up of a number; the memory of the snapshot.

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
use std::time::{Duration, Instant};

use counting::heap;
use model::chance::Chance;
use model::time::{Millis, Now};
use rm::{Input, NodeState, Proxy};
use sip::limits::Limits;
use sip::transport::{Flow, Transport};
use world::{CALLER, address, invite, settings};

/// Live sessions.
const LIVE: usize = 100_000;
/// Decisions that are taken one after the other, all of them live at the end.
const BATCH: usize = 1_000;
/// Batches, of which the median counts.
const BATCHES: usize = 101;
/// Look-ups.
const LOOKUPS: usize = 1_000_000;

#[expect(clippy::disallowed_methods, reason = "a benchmark measures with the real clock")]
fn clock() -> Instant {
    Instant::now()
}

fn main() {
    let (_, before) = heap();
    let begun = clock();
    let snapshot = platform::snapshot();
    let built = begun.elapsed();
    let bytes = heap().1 - before;
    let mut chance = Chance::new([7; 4]);
    let lookup = {
        let numbers: Vec<String> = (0..LOOKUPS).map(|_| platform::number(&mut chance)).collect();
        let begun = clock();
        let found =
            numbers.iter().filter(|number| black_box(snapshot.did(number)).is_some()).count();
        assert_eq!(found, LOOKUPS);
        begun.elapsed().as_nanos() / LOOKUPS as u128
    };
    let now = Now { mono: Duration::from_secs(1000), wall: Millis(1_767_225_600_000) };
    let mut settings = settings();
    settings.options.trace_sample = 100;
    let mut proxy = Proxy::new(settings, snapshot, now);
    proxy.handle_input(now, Input::State(NodeState::Ready));
    let mut live = Vec::new();
    let mut calls = 0;
    let mut decide = |proxy: &mut Proxy, count: usize| {
        let texts: Vec<String> = (0..count)
            .map(|_| {
                calls += 1;
                invite(&platform::number(&mut chance), &format!("c{calls}"))
            })
            .collect();
        decisions(proxy, now, &texts)
    };
    while live.len() < LIVE {
        live.extend(decide(&mut proxy, BATCH).0);
    }
    let mut times = Vec::with_capacity(BATCHES);
    let mut allocations = 0;
    for _ in 0..BATCHES {
        let (trials, time, allocated) = decide(&mut proxy, BATCH);
        times.push(time.as_nanos() / BATCH as u128);
        allocations += allocated;
        for trial in trials {
            proxy.end_trial(trial);
        }
    }
    assert_eq!(proxy.status().sessions, LIVE);
    times.sort_unstable();
    let (decision, allocs) = (times[BATCHES / 2], allocations * 1000 / (BATCHES * BATCH));
    let (mb, built) = (bytes / 1_000_000, built.as_millis());
    println!(
        "decide ns={decision} allocs_per_1000={allocs} lookup_ns={lookup} snapshot_mb={mb} \
         built_ms={built}"
    );
}

/// Decides these calls, none of which is refused; the time and allocations of the decisions alone.
fn decisions(proxy: &mut Proxy, now: Now, texts: &[String]) -> (Vec<rm::Trial>, Duration, usize) {
    let remote = address(CALLER);
    let flow = Flow { transport: Transport::Udp, listener: 0, remote, conn: None };
    let messages: Vec<_> = texts
        .iter()
        .map(|text| sip::parse::parse(text.as_bytes(), &Limits::DEFAULT).unwrap())
        .collect();
    let mut trials: Vec<rm::Trial> =
        messages.iter().map(|message| proxy.begin_trial(now, flow, message).unwrap()).collect();
    let ((before, _), begun) = (heap(), clock());
    for (trial, message) in trials.iter_mut().zip(&messages) {
        let decided = proxy.decide_trial(now, flow, message, trial);
        assert_eq!(decided, Ok(()));
    }
    let (time, allocations) = (begun.elapsed(), heap().0 - before);
    (trials, time, allocations)
}
