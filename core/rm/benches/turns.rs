//! What holds the engine longest in one turn when something happens to 100,000 legs at once: as one
//! line for `xtask bench`.
//!
//! All legs are up on one media server. It is told of by each figure: a configuration comes that
//! changes nothing, or brings another server; theirs dies, and its calls are ended or told of;
//! after a restart it comes only when they are back; all end at once because nobody has spoken
//! since. Each is lived once: other work on the machine only ever adds time.

#![expect(clippy::print_stdout, reason = "the line is what this program is for")]
#![expect(clippy::unwrap_used, reason = "it shares helpers with the tests")]

#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../tests/it/line.rs"]
mod line;
#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../tests/it/world.rs"]
mod world;

use std::time::{Duration, Instant};

use rm::Input;
use serde_json::{Value, json};

use line::{Call, Line};
use world::{CALLER, address, objects, snapshot};

const LEGS: usize = 100_000;
const STEP: Duration = Duration::from_millis(1);
/// Finished transactions, tombstones and the like are gone by then.
const QUIET: Duration = Duration::from_secs(100);

fn main() {
    let mut line = full();
    let same = timed(|| line.input(Input::Snapshot(snapshot(&platform(&[])))));
    let more = json!({"name": "mcp-2", "address": "sip:10.0.0.12:5070", "capacity": 1_000_000});
    let more = Input::Snapshot(snapshot(&platform(&[more])));
    let come = timed(|| line.input(more)).max(longest(&mut line, Duration::from_secs(1)));
    let bye = death(line, "bye");
    let mut line = full();
    let blocks = line.blocks.take().unwrap_or_default();
    let told = death(line, "notify");
    let (back, silent) = restart(&blocks);
    println!(
        "turns legs={LEGS} same_us={:.0} come_us={:.0} bye_us={:.0} notify_us={:.0} back_us={:.0} \
         silent_us={:.0}",
        micros(same),
        micros(come),
        micros(bye),
        micros(told),
        micros(back),
        micros(silent),
    );
}

/// The server dies, and its calls are released.
fn death(mut line: Line, on_dead: &str) -> Duration {
    let mut objects = platform(&[]);
    objects[3]["spec"]["monitor"] =
        json!({"method": "options", "interval": "1s", "timeout": "500ms"});
    objects[3]["spec"]["on_dead"] = on_dead.into();
    line.input(Input::Snapshot(snapshot(&objects)));
    longest(&mut line, Duration::from_secs(25))
}

/// They come back from the spool before their server is known; then it is. An hour later nobody has
/// spoken.
fn restart(blocks: &[Vec<u8>]) -> (Duration, Duration) {
    let mut without = platform(&[]);
    without.as_array_mut().unwrap().truncate(3);
    let mut line = Line::of(&without, settings);
    let now = line.now;
    let restored = line.proxy.restore(now, blocks.iter().map(Vec::as_slice));
    assert_eq!(restored.legs, LEGS);
    line.run(QUIET);
    let come = timed(|| line.input(Input::Snapshot(snapshot(&platform(&[])))));
    let come = come.max(longest(&mut line, Duration::from_secs(1)));
    assert_eq!(line.proxy.resource("mcp", "mcp-1").map(|one| one.used), Some(LEGS));
    line.run(Duration::from_secs(3600 - 110));
    assert_eq!(line.proxy.status().legs, LEGS);
    let silent = longest(&mut line, Duration::from_secs(20));
    assert_eq!(line.proxy.status().legs, 0);
    (come, silent)
}

/// All legs up on one server, and nothing else going on.
fn full() -> Line {
    let mut line = Line::of(&platform(&[]), settings);
    line.blocks = Some(Vec::new());
    for number in 0..LEGS {
        let mut call = Call::new(&format!("{number:06}"));
        line.feed(address(CALLER), call.invite().as_bytes());
        call.placed(&line);
        line.feed(call.server(), call.answer(200).as_bytes());
        call.answered(&line);
        let ack = call.request("ACK");
        line.feed(address(CALLER), ack.as_bytes());
        line.run(STEP);
    }
    line.run(QUIET);
    assert_eq!(line.proxy.status().legs, LEGS);
    line
}

fn settings(settings: &mut rm::Settings) {
    settings.options.update_interval = Duration::ZERO;
    for peer in &mut settings.peers {
        peer.notify_failures = true;
    }
}

/// One tenant, one group with one server and these.
fn platform(more: &[Value]) -> Value {
    let mut all = objects();
    all[0]["spec"]["policy"] = json!({"usage_limit": 1_000_000});
    let group = &mut all[3]["spec"];
    group["monitor"] = json!({"method": "none"});
    let first = json!({"name": "mcp-1", "address": "sip:10.0.0.11:5070", "capacity": 1_000_000,
        "dbid": 310});
    group["resources"] = [&[first], more].concat().into();
    all
}

/// The longest turn while time passes.
fn longest(line: &mut Line, time: Duration) -> Duration {
    let steps = time.as_millis() / STEP.as_millis();
    (0..steps).map(|_| timed(|| line.run(STEP))).max().unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures with the real clock")]
fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
