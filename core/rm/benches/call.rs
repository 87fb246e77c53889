//! Time and heap allocations of a whole call through the pure core, as one line for `xtask bench`:
//! INVITE, 180, 200, ACK, BYE, 200 with both records, at 1,000 calls a second of virtual time; the
//! time of a call that is shed; and how much of a call's time it is that its heads are kept.

#![expect(clippy::print_stdout, reason = "the line is what this program is for")]
#![expect(clippy::unwrap_used, reason = "it shares helpers with the tests")]

#[path = "../../../proto/sip/tests/it/counting.rs"]
mod counting;
#[path = "../tests/it/line.rs"]
mod line;
#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../tests/it/world.rs"]
mod world;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use counting::heap;
use line::{Call, Line};
use world::{CALLER, address, header};

/// Calls that go side by side.
const BATCH: usize = 100;
/// Batches before it counts: until nothing is left of the first one.
const WARM: usize = 1_000;
/// Batches, of which the fastest counts: other work on the machine only ever adds time.
const BATCHES: usize = 400;
/// Batches of the line that keeps heads, then as many of the one that does not.
const TURN: usize = 25;

/// What was spent inside the engine.
#[derive(Default)]
struct Spent {
    time: Duration,
    allocations: usize,
}

impl Spent {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures with the real clock")]
    fn on(&mut self, work: impl FnOnce()) {
        let (start, (before, _)) = (Instant::now(), heap());
        work();
        self.allocations += heap().0 - before;
        self.time += start.elapsed();
    }
}

fn main() {
    let mut lines = [Line::new().remembering(), Line::new()];
    for (number, line) in (0..WARM).flat_map(|n| [(n, 0), (n, 1)]) {
        batch(&mut lines[line], number);
    }
    let mut spent = [Vec::new(), Vec::new()];
    for number in 0..BATCHES * 2 {
        // by turns, so that what the machine does besides hits both
        let turn = number / TURN % 2;
        spent[turn].push(batch(&mut lines[turn], WARM + number));
    }
    let [best, bare] =
        [0, 1].map(|line| spent[line].iter().map(|one: &Spent| one.time).min().unwrap_or_default());
    let each = best.as_nanos() / BATCH as u128;
    let heads = best.saturating_sub(bare).as_nanos() / BATCH as u128;
    let allocations: usize = spent[0].iter().map(|one| one.allocations).sum();
    let shed = (0..BATCHES).map(|n| shed(n).time).min().unwrap_or_default();
    let shed = shed.as_nanos() / BATCH as u128;
    let allocations = allocations * 1000 / (BATCHES * BATCH);
    println!("call ns={each} allocs_per_1000={allocations} shed_ns={shed} heads_ns={heads}");
}

/// A batch of calls that an overloaded engine sheds: INVITE, 503, ACK.
fn shed(number: usize) -> Spent {
    let (mut spent, caller) = (Spent::default(), address(CALLER));
    let mut line = Line::with(|settings| settings.seed[0] = number as u64);
    line.kernel_drops(1_000_000);
    for n in 0..BATCH {
        let invite = Call::new(&format!("{number:06}-{n:03}")).invite();
        spent.on(|| line.feed(caller, invite.as_bytes()));
        let to = format!("To: {}\r\n", header(&line.last().1, "To"));
        let ack =
            invite.replace("INVITE", "ACK").replace("To: <sip:18005550100@10.0.0.5>\r\n", &to);
        spent.on(|| line.feed(caller, ack.as_bytes()));
    }
    spent
}

/// A batch of calls from beginning to end, and 100 ms of virtual time.
fn batch(line: &mut Line, number: usize) -> Spent {
    let mut spent = Spent::default();
    let mut calls: Vec<Call> =
        (0..BATCH).map(|n| Call::new(&format!("{number:06}-{n:03}"))).collect();
    let caller = address(CALLER);
    let mut feed = |line: &mut Line, from: SocketAddr, text: &str| {
        spent.on(|| line.feed(from, text.as_bytes()));
    };
    for call in &mut calls {
        feed(line, caller, &call.invite());
        call.placed(line);
    }
    for call in &calls {
        feed(line, call.server(), &call.answer(180));
    }
    for call in &mut calls {
        feed(line, call.server(), &call.answer(200));
        call.answered(line);
    }
    for call in &mut calls {
        feed(line, caller, &call.request("ACK"));
    }
    for call in &mut calls {
        feed(line, caller, &call.request("BYE"));
        let ok = call.ok(line);
        feed(line, call.server(), &ok);
    }
    spent.on(|| line.run(Duration::from_millis(100)));
    spent
}
