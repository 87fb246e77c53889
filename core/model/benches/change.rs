//! What a change of the platform objects costs: as one line for `xtask bench`.
//!
//! 1,000 tenants, 3,000 profiles, 100,000 numbers, 500 resources. `build` is from documents to a
//! snapshot. The others are one transaction each, and the snapshot of what results: a number more,
//! another limit of a profile, a resource that is drained, a number group that comes and goes; the
//! median of many.

#![expect(clippy::print_stdout, reason = "the line is what this program is for")]
#![expect(clippy::unwrap_used, reason = "a bench that fails, fails")]

#[path = "change/platform.rs"]
mod platform;

use std::hint::black_box;
use std::time::{Duration, Instant};

use model::config::{Key, Kind, Set};
use model::id::Revision;
use model::snapshot::Snapshot;
use serde_json::{Value, json};

use platform::{GROUPS, documents, media, numbers_of, platform, profile, tenant};

const RUNS: usize = 51;

fn main() {
    let all = documents(&platform());
    let build = median(5, |_| Snapshot::build(&all, Revision(1)).unwrap());
    let apply = median(5, |_| Set::default().change(all.clone(), &[], &[]).unwrap());
    let set = Set::default().change(all, &[], &[]).unwrap().set;
    let numbers = set.dids();
    let did = median(RUNS, |run| {
        let mut group = numbers_of(run);
        group["spec"]["dids"].as_array_mut().unwrap().push(json!("4999999999"));
        next(&set, &[group], &[])
    });
    let profile = median(RUNS, |run| next(&set, &[profile(run, 0, 77)], &[]));
    let resource = median(RUNS, |run| {
        let mut group = media(run % GROUPS);
        group["spec"]["resources"][0]["state"] = json!("draining");
        next(&set, &[group], &[])
    });
    let mut new = numbers_of(0);
    new["name"] = json!("more");
    new["spec"]["dids"] = json!(["4999999999"]);
    let more = set.change(documents(std::slice::from_ref(&new)), &[], &[]).unwrap().set;
    let come = median(RUNS, |_| next(&set, std::slice::from_ref(&new), &[]));
    let key = Key { kind: Kind::DidGroup, tenant: tenant(0), name: "more".to_owned() };
    let go = median(RUNS, |_| next(&more, &[], std::slice::from_ref(&key)));
    let digest = median(RUNS, |_| set.digest());
    println!(
        "change objects={} numbers={numbers} build_ms={:.0} apply_ms={:.0} did_us={:.0} \
         profile_us={:.0} resource_us={:.0} come_us={:.0} go_us={:.0} digest_us={:.0}",
        set.len(),
        build * 1e3,
        apply * 1e3,
        did * 1e6,
        profile * 1e6,
        resource * 1e6,
        come * 1e6,
        go * 1e6,
        digest * 1e6,
    );
}

/// The change, and the snapshot that RM would run on.
fn next(set: &Set, puts: &[Value], deletes: &[Key]) -> (Set, Snapshot) {
    let changed = set.change(documents(puts), deletes, &[]).unwrap();
    let snapshot = changed.set.snapshot(Revision(2));
    (changed.set, snapshot)
}

/// Seconds of the median run; what it gives is dropped outside of it.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures with the real clock")]
fn median<T>(runs: usize, mut run: impl FnMut(usize) -> T) -> f64 {
    let mut times: Vec<Duration> = (0..runs)
        .map(|number| {
            let start = Instant::now();
            let made = black_box(run(number));
            let time = start.elapsed();
            drop(made);
            time
        })
        .collect();
    times.sort();
    times[runs / 2].as_secs_f64()
}
