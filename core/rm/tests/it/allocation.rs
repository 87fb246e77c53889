//! What a call costs in heap memory: allocations per message, and bytes while it is held.

#![expect(
    unsafe_code,
    reason = "a global allocator is an unsafe trait; it only counts and passes on"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use crate::line::{Call, Line};
use crate::world::{CALLER, address};

/// The system's allocator, counting per thread.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

fn live(more: isize) {
    LIVE.with(|live| live.set(live.get() + more));
}

// SAFETY: every call is passed on unchanged; counting touches no memory of the allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        live(layout.size().cast_signed());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        live(-layout.size().cast_signed());
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of each step of a call, in order.
type Steps = Vec<(&'static str, usize)>;

impl Line {
    /// Feeds one message in and counts.
    fn step(
        &mut self,
        steps: &mut Steps,
        what: &'static str,
        from: std::net::SocketAddr,
        text: &str,
    ) {
        let before = COUNT.with(Cell::get);
        self.feed(from, text.as_bytes());
        let count = COUNT.with(Cell::get) - before;
        steps.push((what, count));
    }

    /// A call with everything that happens to one every day, and each request twice.
    fn whole(&mut self, name: &str) -> Steps {
        let (mut steps, mut call) = (Steps::with_capacity(32), Call::new(name));
        let caller = address(CALLER);
        let invite = call.invite();
        self.step(&mut steps, "INVITE", caller, &invite);
        call.placed(self);
        let server = call.server();
        self.step(&mut steps, "INVITE again", caller, &invite);
        self.step(&mut steps, "100", server, &call.answer(100));
        self.step(&mut steps, "180", server, &call.answer(180));
        self.step(&mut steps, "183", server, &call.answer(183));
        self.step(&mut steps, "200", server, &call.answer(200));
        call.answered(self);
        self.step(&mut steps, "200 again", server, &call.answer(200));
        let ack = call.request("ACK");
        self.step(&mut steps, "ACK", caller, &ack);
        self.step(&mut steps, "ACK again", caller, &ack);
        for (method, answer) in [("INFO", "200 to INFO"), ("INVITE", "200 to re-INVITE")] {
            let request = call.request(method);
            self.step(&mut steps, method, caller, &request);
            let ok = call.ok(self);
            self.step(&mut steps, answer, server, &ok);
            self.step(&mut steps, "request again", caller, &request);
        }
        self.step(&mut steps, "ACK to re-INVITE", caller, &call.request("ACK"));
        let bye = call.request("BYE");
        self.step(&mut steps, "BYE", caller, &bye);
        let ok = call.ok(self);
        self.step(&mut steps, "200 to BYE", server, &ok);
        assert!(self.last().1.starts_with("SIP/2.0 200 "));
        self.step(&mut steps, "BYE again", caller, &bye);
        steps
    }
}

#[test]
fn no_message_of_a_call_takes_any() {
    // all tables have held more than they will, and what they gave back is given back
    let mut line = Line::new();
    for (calls, gap) in [(1_600, 125), (200, 500)] {
        for n in 0..calls {
            line.whole(&format!("warm-{n:06}"));
            line.run(Duration::from_millis(gap));
        }
    }
    for n in 0..200 {
        let steps = line.whole(&format!("call-{n:06}"));
        let taken: Vec<_> = steps.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(taken, [], "call {n}");
        let before = COUNT.with(Cell::get);
        line.run(Duration::from_millis(500));
        assert_eq!(COUNT.with(Cell::get) - before, 0, "timers after call {n}");
    }
}

/// Calls held at once; enough that what exists once does not count.
const HELD: usize = 4_000;

#[test]
fn a_held_call_takes_little_memory() {
    let mut line = Line::new();
    line.whole("warm");
    line.run(Duration::from_secs(100));
    let before = LIVE.with(Cell::get);
    let mut calls = 0;
    for n in 0..HELD {
        let (mut steps, mut call) = (Steps::new(), Call::new(&format!("held-{n:06}")));
        let caller = address(CALLER);
        line.step(&mut steps, "INVITE", caller, &call.invite());
        call.placed(&line);
        line.step(&mut steps, "200", call.server(), &call.answer(200));
        call.answered(&line);
        line.step(&mut steps, "ACK", caller, &call.request("ACK"));
        line.run(Duration::from_millis(2));
        calls += 1;
    }
    line.run(Duration::from_secs(40));
    assert_eq!((line.proxy.status().legs, calls), (HELD, HELD));
    let each = (LIVE.with(Cell::get) - before).cast_unsigned() / HELD;
    println!("{each} bytes a held call");
    assert!(each <= 1_536, "{each} bytes a held call");
}
