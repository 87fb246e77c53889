//! How long a question of the HTTP API holds the engine, with 100,000 legs up, 1,000 tenants,
//! 10,000 profiles and 500 resources: as one line for `xtask bench`.
//!
//! Each question is asked several times in the same state, of which the shortest counts: other work
//! on the machine only ever adds time. Of all questions of a kind the longest is told.

#![expect(clippy::print_stdout, reason = "the line is what this program is for")]
#![expect(clippy::unwrap_used, reason = "it shares helpers with the tests")]

#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../tests/it/line.rs"]
mod line;
#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../tests/it/world.rs"]
mod world;

use std::hint::black_box;
use std::time::{Duration, Instant};

use model::id::Guid;
use rm::view::limits::{Set, of_profile, of_tenant};
use rm::{CallFilter, Question};
use serde_json::{Value, json};

use line::{Call, Line};
use world::{CALLER, address, objects, snapshot};

const LEGS: usize = 100_000;
const TENANTS: usize = 1_000;
const PROFILES: usize = 10;
const RESOURCES: usize = 500;
/// How often each question is asked.
const TIMES: usize = 7;

fn main() {
    let objects = platform();
    let mut line = Line::of(&objects, |_| {}).remembering();
    for number in 0..LEGS {
        up(&mut line, number);
    }
    assert_eq!(line.proxy.status().legs, LEGS);
    let list = longest(slices(&line, &CallFilter::default()));
    let none = CallFilter { tenant: Some("nobody".to_owned()), ..CallFilter::default() };
    let filtered = longest(slices(&line, &none));
    let limits = longest(limits(&line, &objects));
    let guid = line.proxy.calls(&CallFilter::default(), None, 1).calls[0].session;
    let call = shortest(|| drop(black_box(line.proxy.call(guid))));
    let resources = shortest(|| drop(black_box(line.proxy.resources())));
    let figures = shortest(|| drop(black_box(line.proxy.counters().clone())));
    let explain = explain(&mut line);
    let heads = heads(&line);
    println!(
        "api legs={LEGS} list_us={list:.1} filtered_us={filtered:.1} limits_us={limits:.1} \
         call_us={:.1} resources_us={:.1} figures_us={:.1} explain_us={:.1} \
         heads_us={:.1}",
        micros(call),
        micros(resources),
        micros(figures),
        micros(explain),
        micros(heads),
    );
}

/// A segment of the messages of late, into a buffer that has room.
fn heads(line: &Line) -> Duration {
    let mut bytes = Vec::with_capacity(rm::limits::HEADS_SEGMENT);
    let oldest = line.proxy.heads(0, &mut bytes).oldest;
    assert!(oldest > 0 && bytes.is_empty(), "the ring has gone round");
    shortest(|| {
        bytes.clear();
        black_box(line.proxy.heads(oldest, &mut bytes));
    })
}

/// All slices of the list of calls, one after the other.
fn slices(line: &Line, filter: &CallFilter) -> Vec<Duration> {
    let (mut after, mut all): (Option<Guid>, Vec<Duration>) = (None, Vec::new());
    loop {
        all.push(shortest(|| drop(black_box(line.proxy.calls(filter, after, 1000)))));
        after = line.proxy.calls(filter, after, 1000).next;
        if after.is_none() {
            return all;
        }
    }
}

/// All figures of usage, as many at once as may be asked for.
fn limits(line: &Line, objects: &Value) -> Vec<Duration> {
    let snapshot = snapshot(objects);
    let tenants = snapshot.tenants().flat_map(|(ix, _)| of_tenant(&snapshot, ix));
    let profiles = snapshot.profiles().flat_map(|(ix, _)| of_profile(&snapshot, ix));
    let sets: Vec<Set> = tenants.chain(profiles).map(|limit| limit.set).collect();
    let asked = sets.chunks(rm::limits::USED_ASKED);
    asked.map(|sets| shortest(|| drop(black_box(line.proxy.used(sets))))).collect()
}

fn explain(line: &mut Line) -> Duration {
    let question = Question {
        message: Some(Call::new("explained").invite()),
        source: Some(CALLER.to_owned()),
        ..Question::default()
    };
    let now = line.now;
    assert_eq!(line.proxy.explain(now, &question).unwrap().outcome, "forward");
    shortest(|| drop(black_box(line.proxy.explain(now, &question))))
}

/// One call from its INVITE to its ACK.
fn up(line: &mut Line, number: usize) {
    let mut call = Call::new(&format!("{number:06}"));
    let dialled = format!("17{:07}", 1 + number % (TENANTS - 1));
    line.feed(address(CALLER), call.invite().replace("18005550100", &dialled).as_bytes());
    call.placed(line);
    line.feed(call.server(), call.answer(200).as_bytes());
    call.answered(line);
    let ack = call.request("ACK");
    line.feed(address(CALLER), ack.as_bytes());
    line.run(Duration::from_millis(1));
}

/// The platform of the specification's figures.
fn platform() -> Value {
    let mut all = objects();
    all[0]["spec"]["policy"] = json!({"usage_limit": 1_000_000});
    all[3]["spec"]["monitor"] = json!({"method": "none"});
    let resource = |number: usize| {
        let address = format!("sip:10.1.{}.{}:5070", number / 250, number % 250 + 1);
        json!({"name": format!("mcp-{number}"), "address": address, "capacity": 1000})
    };
    all[3]["spec"]["resources"] = (0..RESOURCES).map(resource).collect();
    let list = all.as_array_mut().unwrap();
    for tenant in 1..TENANTS {
        let name = format!("tenant-{tenant}");
        list.push(json!({"kind": "Tenant", "name": name,
            "spec": {"policy": {"usage_limit": 1000}}}));
        list.push(json!({"kind": "DidGroup", "name": format!("{name}-numbers"), "tenant": name,
            "spec": {"profile": "main-0", "dids": [format!("17{tenant:07}")]}}));
        for profile in 0..PROFILES {
            list.push(json!({"kind": "IvrProfile", "name": format!("main-{profile}"),
                "tenant": name, "spec": {"service": "voicexml",
                "initial_page_url": "http://a.example/x.vxml", "policy": {"usage_limit": 1000}}}));
        }
    }
    all
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures with the real clock")]
fn shortest(mut work: impl FnMut()) -> Duration {
    let one = |_| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    (0..TIMES).map(one).min().unwrap_or_default()
}

fn longest(all: Vec<Duration>) -> f64 {
    micros(all.into_iter().max().unwrap_or_default())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
