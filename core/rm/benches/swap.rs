//! How long the engine is held when another configuration comes: as one line for `xtask bench`.
//!
//! 1,000 tenants, 3,000 profiles, 100,000 numbers, 500 resources, and a call up for each of 10,000
//! numbers of all tenants. What comes differs by one number, one resource that is drained, one
//! resource more, or nothing; the median and the longest of several. Nobody else holds the former
//! snapshot, so that letting go of it is part of the turn as far as it is the engine's.

#![expect(clippy::print_stdout, reason = "the line is what this program is for")]
#![expect(clippy::unwrap_used, reason = "it shares helpers with the tests")]

#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../tests/it/line.rs"]
mod line;
#[path = "../../model/benches/change/platform.rs"]
mod platform;
#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../tests/it/world.rs"]
mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::config::Set;
use model::id::Revision;
use rm::Input;
use serde_json::{Value, json};

use line::{Call, Line};
use platform::{GROUPS, TENANTS, documents, media, numbers_of, platform};
use world::{CALLER, address};

const CALLS: usize = 10_000;
const RUNS: usize = 21;

fn main() {
    let mut all = platform();
    for group in all.iter_mut().filter(|one| one["kind"] == "ResourceGroup") {
        group["spec"]["monitor"] = json!({"method": "none"});
    }
    let set = Set::default().change(documents(&all), &[], &[]).unwrap().set;
    let mut line = full(&all);
    let mut swap = |change: &dyn Fn(usize) -> Vec<Value>| {
        let mut times = Vec::with_capacity(RUNS);
        for run in 0..RUNS {
            let next = set.change(documents(&change(run)), &[], &[]).unwrap().set;
            times.push(timed(&mut line, &next));
            timed(&mut line, &set);
        }
        times.sort();
        (micros(times[RUNS / 2]), micros(times[RUNS - 1]))
    };
    let did = swap(&|run| {
        let mut group = numbers_of(run);
        group["spec"]["dids"].as_array_mut().unwrap().push(json!("4999999999"));
        vec![group]
    });
    let drained = swap(&|run| {
        let mut group = quiet(run);
        group["spec"]["resources"][0]["state"] = json!("draining");
        vec![group]
    });
    let more = swap(&|run| {
        let mut group = quiet(run);
        let one = json!({"name": "mcp-new", "address": "sip:10.1.0.1:5070", "capacity": 200});
        group["spec"]["resources"].as_array_mut().unwrap().push(one);
        vec![group]
    });
    let same = swap(&|_| Vec::new());
    println!(
        "swap calls={} did_us={:.0} did_most_us={:.0} drained_us={:.0} drained_most_us={:.0} \
         more_us={:.0} more_most_us={:.0} same_us={:.0} same_most_us={:.0}",
        line.proxy.status().legs,
        did.0,
        did.1,
        drained.0,
        drained.1,
        more.0,
        more.1,
        same.0,
        same.1,
    );
}

fn quiet(run: usize) -> Value {
    let mut group = media(run % GROUPS);
    group["spec"]["monitor"] = json!({"method": "none"});
    group
}

/// All calls up.
fn full(all: &[Value]) -> Line {
    let mut line = Line::of(&Value::from(all.to_vec()), |settings| {
        settings.options.update_interval = Duration::ZERO;
    });
    for number in 0..CALLS {
        let mut call = Call::new(&format!("{number:06}"));
        let called = format!("49{:04}{:04}", number % TENANTS, number / TENANTS);
        let invite = call.invite().replace("18005550100", &called);
        line.feed(address(CALLER), invite.as_bytes());
        call.placed(&line);
        line.feed(call.server(), call.answer(200).as_bytes());
        call.answered(&line);
        let ack = call.request("ACK");
        line.feed(address(CALLER), ack.as_bytes());
        line.run(Duration::from_millis(1));
    }
    line.run(Duration::from_secs(100));
    assert_eq!(line.proxy.status().legs, CALLS);
    line
}

/// The turn that takes over this configuration.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures with the real clock")]
fn timed(line: &mut Line, set: &Set) -> Duration {
    let input = Input::Snapshot(Arc::new(set.snapshot(Revision(43))));
    let start = Instant::now();
    line.input(input);
    let time = start.elapsed();
    line.run(Duration::from_secs(1));
    time
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
