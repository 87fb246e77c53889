//! What the books cost at the size of ops.md §1.11: as one line for `xtask bench`.
//!
//! 1,000 tenants, 3,000 profiles, 100,000 numbers, 500 resources, in SQLite on the disk of the
//! system's temporary directory. `apply` is all of it in one transaction into an empty store.
//! `change` is one number more or less, from the request to the answer; `told` is until the last
//! of 100 watchers has heard of it; both at their 99th of 100. `open` is until a server that has
//! all of it knows it again.

#![expect(clippy::print_stdout, reason = "the line is what this program is for")]
#![expect(clippy::unwrap_used, reason = "a bench that fails, fails")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use configd::books::{Books, Event, History, Parts};
use configd::store::sqlite::Sqlite;
use configd::transaction::{Operation, Transaction, When};
use configd::{Outcome, Who};
use model::config::Document;
use model::time::{Millis, Now};
use model::tree::from_json;
use serde_json::{Value, json};
use telemetry::log::Log;

const TENANTS: usize = 1_000;
const PROFILES: usize = 3;
const NUMBERS: usize = 100;
const GROUPS: usize = 50;
const RESOURCES: usize = 10;
const CHANGES: usize = 100;
const WATCHERS: usize = 100;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let books = open(dir.path());
    let all = transaction(&platform());
    let start = now();
    let outcome = runtime.block_on(apply(&books, all));
    let whole = start.elapsed();
    let (mut changes, mut told) = (Vec::new(), Vec::new());
    for run in 0..CHANGES {
        let mut group = numbers_of(run / 2);
        if run % 2 == 0 {
            group["spec"]["dids"].as_array_mut().unwrap().push(json!("4999999999"));
        }
        let one = transaction(&[group]);
        let watchers: Vec<_> = (0..WATCHERS)
            .map(|_| {
                let mut watcher = books.watch(None).unwrap();
                runtime.spawn(async move {
                    assert!(matches!(watcher.next().await, Event::Change(_)));
                    now()
                })
            })
            .collect();
        let start = now();
        runtime.block_on(apply(&books, one));
        changes.push(start.elapsed());
        let last = watchers.into_iter().map(|watcher| runtime.block_on(watcher).unwrap()).max();
        told.push(last.unwrap() - start);
    }
    drop(books);
    let start = now();
    let books = open(dir.path());
    let opened = start.elapsed();
    println!(
        "books objects={} apply_ms={:.0} change_ms={:.1} told_ms={:.1} open_ms={:.0}",
        books.now().set.len(),
        millis(whole),
        millis(worst(changes)),
        millis(worst(told)),
        millis(opened),
    );
    assert_eq!(outcome.changed + 1, books.now().set.len());
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures with the real clock")]
fn now() -> Instant {
    Instant::now()
}

/// All but the worst of a hundred.
fn worst(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() * 99 / 100 - 1]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn open(dir: &Path) -> Books {
    Books::open(Parts {
        store: Box::new(Sqlite::open(dir, Millis(0)).unwrap()),
        history: History { revisions: 1_000, age: Duration::from_secs(90 * 86_400) },
        clocks: Arc::new(|| Now { mono: Duration::ZERO, wall: Millis(1_795_339_800_000) }),
        log: Log::silent(|| Millis(0)),
    })
    .unwrap()
}

async fn apply(books: &Books, transaction: Transaction) -> Outcome {
    books.transact(transaction, &Who::server("bench")).await.unwrap()
}

fn transaction(objects: &[Value]) -> Transaction {
    let put = |document| Operation::Put { document, when: When::Always, rename_from: None };
    let operations = documents(objects).into_iter().map(put).collect();
    Transaction { operations, ..Transaction::default() }
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
