//! What holds the engine longest in one turn when something happens to 100,000 legs at once: as one
//! line for `xtask bench`.
//!
//! A turn is one input or one call of `handle_timeout`, with everything that the engine has to say
//! afterwards. All legs are up on one media server. Each figure is lived once, in memory that the
//! process has had before, but the first, of legs that come to a process that has just begun.

#![expect(clippy::print_stdout, reason = "the line is what this program is for")]
#![expect(clippy::unwrap_used, reason = "it shares helpers with the tests")]

#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../tests/it/line.rs"]
mod line;
#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../tests/it/world.rs"]
mod world;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use model::config::Admin;
use rm::{Input, Will};
use serde_json::{Value, json};
use sip::transport::{Flow, Transport};

use line::{Call, Line};
use world::{CALLER, MCP1, address, objects, snapshot};

/// That of the process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LEGS: usize = 100_000;
/// Calls that ring when their media server is gone.
const RINGING: usize = 2_000;
/// Calls whose BYE waits for the disk.
const HELD: usize = 1_000;
const STEP: Duration = Duration::from_millis(1);
/// Finished transactions, tombstones and the like are gone by then.
const QUIET: Duration = Duration::from_secs(100);

fn main() {
    let mut told = Vec::new();
    let first = full(&mut told);
    for (what, _) in &mut told {
        *what = "fresh";
    }
    // with these there was more than any of the figures will need
    drop((first, full(&mut Vec::new())));
    let mut line = full(&mut told);
    configured(&mut line, &mut told);
    administered(&mut line, &mut told);
    let blocks = line.blocks.take().unwrap_or_default();
    told.push(("bye", death(line, "bye")));
    told.push(("notify", death(back(&blocks, &mut Vec::new()), "notify")));
    busy(back(&blocks, &mut Vec::new()), &mut told);
    silent(back(&blocks, &mut told), &mut told);
    print!("turns legs={LEGS}");
    for (what, time) in told {
        print!(" {what}_us={:.0}", time.as_secs_f64() * 1e6);
    }
    println!();
}

type Told = Vec<(&'static str, Duration)>;

/// All legs up on one server, and nothing else going on; told is the longest turn of a call while
/// their number grows.
fn full(told: &mut Told) -> Line {
    let mut line = Line::of(&platform(&[]), settings);
    line.blocks = Some(Vec::with_capacity(LEGS));
    line.watch = Some((clock, Duration::ZERO));
    for number in 0..LEGS {
        up(&mut line, number);
        line.run(STEP);
    }
    line.run(QUIET);
    assert_eq!(line.proxy.status().legs, LEGS);
    told.push(("grow", longest(&mut line)));
    line
}

/// A call that is answered.
fn up(line: &mut Line, number: usize) -> Call {
    let mut call = rings(line, number);
    line.feed(call.server(), call.answer(200).as_bytes());
    call.answered(line);
    let ack = call.request("ACK");
    line.feed(address(CALLER), ack.as_bytes());
    call
}

/// A call that is placed.
fn rings(line: &mut Line, number: usize) -> Call {
    let mut call = Call::new(&format!("{number:06}"));
    line.feed(address(CALLER), call.invite().as_bytes());
    call.placed(line);
    call
}

/// A configuration that changes nothing, and one with another server.
fn configured(line: &mut Line, told: &mut Told) {
    line.input(Input::Snapshot(snapshot(&platform(&[]))));
    told.push(("same", longest(line)));
    let more = json!({"name": "mcp-2", "address": "sip:10.0.0.12:5070", "capacity": 1_000_000});
    line.input(Input::Snapshot(snapshot(&platform(&[more]))));
    line.run(Duration::from_secs(1));
    told.push(("come", longest(line)));
}

/// The server of all is drained until a time, disabled, enabled.
fn administered(line: &mut Line, told: &mut Told) {
    let until = line.now.plus(Duration::from_secs(2)).wall;
    for (admin, until) in
        [(Admin::Draining, Some(until)), (Admin::Disabled, None), (Admin::Enabled, None)]
    {
        let will = Some(Will { admin, until });
        line.input(Input::Administer { resource: "mcp-1", will });
        line.run(Duration::from_secs(4));
    }
    assert!(line.proxy.status().legs < LEGS);
    told.push(("drain", longest(line)));
}

/// The server dies, and its calls are released.
fn death(mut line: Line, on_dead: &str) -> Duration {
    let mut objects = platform(&[]);
    objects[3]["spec"]["monitor"] =
        json!({"method": "options", "interval": "1s", "timeout": "500ms"});
    objects[3]["spec"]["on_dead"] = on_dead.into();
    line.input(Input::Snapshot(snapshot(&objects)));
    line.run(Duration::from_secs(35));
    longest(&mut line)
}

/// They come back from the spool before their server is known; then it is.
fn back(blocks: &[Vec<u8>], told: &mut Told) -> Line {
    let mut without = platform(&[]);
    without.as_array_mut().unwrap().truncate(3);
    let mut line = Line::of(&without, settings);
    let now = line.now;
    let restored = line.proxy.restore(now, blocks.iter().map(Vec::as_slice));
    assert_eq!(restored.legs, LEGS);
    line.run(QUIET);
    line.watch = Some((clock, Duration::ZERO));
    line.input(Input::Snapshot(snapshot(&platform(&[]))));
    line.run(Duration::from_secs(1));
    assert_eq!(line.proxy.resource("mcp", "mcp-1").map(|one| one.used), Some(LEGS));
    told.push(("back", longest(&mut line)));
    line
}

/// Many BYEs wait for the disk, which is slow; many calls ring at a server that is gone.
fn busy(mut line: Line, told: &mut Told) {
    let calls: Vec<Call> = (0..HELD).map(|number| up(&mut line, LEGS + number)).collect();
    line.run(QUIET);
    line.disk = false;
    for mut call in calls {
        let bye = call.request("BYE");
        line.feed(address(CALLER), bye.as_bytes());
        line.feed(call.server(), call.ok(&line).as_bytes());
    }
    longest(&mut line);
    let no = line.made;
    line.input(Input::Durable { no });
    line.run(Duration::from_secs(1));
    told.push(("durable", longest(&mut line)));
    line.disk = true;
    line.run(QUIET);
    for number in 0..RINGING {
        rings(&mut line, 2 * LEGS + number);
    }
    longest(&mut line);
    let remote = address(MCP1);
    let flow = Flow { transport: Transport::Udp, listener: 0, remote, conn: None };
    line.input(Input::FlowFailed { flow });
    line.run(QUIET);
    told.push(("gone", longest(&mut line)));
}

/// All tell of themselves every quarter of an hour; after an hour nobody has spoken: all end, and
/// are forgotten.
fn silent(mut line: Line, told: &mut Told) {
    line.run(Duration::from_secs(3600 - 110));
    assert_eq!(line.proxy.status().legs, LEGS);
    told.push(("updates", longest(&mut line)));
    line.run(Duration::from_secs(20));
    assert_eq!(line.proxy.status().legs, 0);
    told.push(("silent", longest(&mut line)));
    line.run(QUIET);
    told.push(("forgotten", longest(&mut line)));
}

fn settings(settings: &mut rm::Settings) {
    settings.options.update_interval = Duration::from_secs(900);
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

/// The longest turn since this was asked last.
fn longest(line: &mut Line) -> Duration {
    line.watch.replace((clock, Duration::ZERO)).map(|(_, longest)| longest).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures with the real clock")]
fn clock() -> Duration {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    BEGUN.get_or_init(Instant::now).elapsed()
}
