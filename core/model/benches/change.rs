//! What a change of the platform objects costs: as one line for `xtask bench`.
//!
//! 1,000 tenants, 3,000 profiles, 100,000 numbers, 500 resources. `build` is from documents to a
//! snapshot. The others are one transaction each, and the snapshot of what results: a number more,
//! another limit of a profile, a resource that is drained, a number group that comes and goes; the
//! median of many.

#![expect(clippy::print_stdout, reason = "the line is what this program is for")]
#![expect(clippy::unwrap_used, reason = "a bench that fails, fails")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use model::config::{Document, Key, Kind, Set};
use model::id::Revision;
use model::snapshot::Snapshot;
use model::tree::from_json;
use serde_json::{Value, json};

const TENANTS: usize = 1_000;
const PROFILES: usize = 3;
const NUMBERS: usize = 100;
const GROUPS: usize = 50;
const RESOURCES: usize = 10;
const RUNS: usize = 51;

fn main() {
    let documents = documents(&platform());
    let build = median(5, |_| Snapshot::build(&documents, Revision(1)).unwrap());
    let apply = median(5, |_| Set::default().change(documents.clone(), &[], &[]).unwrap());
    let set = Set::default().change(documents, &[], &[]).unwrap().set;
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
    let more = set.change(self::documents(std::slice::from_ref(&new)), &[], &[]).unwrap().set;
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

fn documents(objects: &[Value]) -> Vec<Document> {
    let document = |object| Document { file: None, number: 1, size: 0, root: from_json(object) };
    objects.iter().map(document).collect()
}

fn platform() -> Vec<Value> {
    let tenants = (0..TENANTS).map(|number| {
        let parent = if number % 25 == 0 { "Environment".to_owned() } else { tenant(number / 25) };
        json!({"kind": "Tenant", "name": tenant(number), "spec": {"parent": parent,
            "policy": {"usage_limit": 100, "services": {"ccxml": {"allowed": false}}}}})
    });
    let profiles = (0..TENANTS * PROFILES).map(|n| profile(n / PROFILES, n % PROFILES, 50));
    let numbers = (0..TENANTS).map(numbers_of);
    let groups = (0..GROUPS).map(media);
    tenants.chain(profiles).chain(numbers).chain(groups).collect()
}

fn tenant(number: usize) -> String {
    format!("customer-{number}")
}

fn profile(owner: usize, number: usize, limit: u32) -> Value {
    json!({"kind": "IvrProfile", "name": format!("app-{number}"), "tenant": tenant(owner), "spec": {
        "service": "voicexml", "initial_page_url": "http://apps.example/start.vxml",
        "policy": {"usage_limit": limit, "dialing_rules": ["reject ^\\+?1?900"]}}})
}

/// Exact numbers, one range, one prefix.
fn numbers_of(owner: usize) -> Value {
    let exact = (0..NUMBERS - 2).map(|last| format!("49{owner:04}{last:04}"));
    let range = format!("49{owner:04}1000-49{owner:04}1999");
    let dids: Vec<String> = exact.chain([range, format!("49{owner:04}2*")]).collect();
    json!({"kind": "DidGroup", "name": "numbers", "tenant": tenant(owner),
        "spec": {"profile": "app-0", "dids": dids}})
}

fn media(number: usize) -> Value {
    let resource = |of: usize| {
        let address = format!("sip:10.0.{number}.{of}:5070");
        json!({"name": format!("mcp-{number}-{of}"), "address": address, "capacity": 200})
    };
    let resources: Vec<Value> = (0..RESOURCES).map(resource).collect();
    json!({"kind": "ResourceGroup", "name": format!("media-{number}"), "spec": {
        "services": ["voicexml", "ccxml"], "resources": resources}})
}
