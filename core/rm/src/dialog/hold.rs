//! The final answer to a BYE waits for its record (rm.md §9.6): until it is on disk, at most
//! 250 ms, then it leaves and is counted.

use std::time::Duration;

use model::time::Now;
use sip::endpoint::ServerId;

use crate::limits;
use crate::log;
use crate::proxy::Proxy;
use crate::timer::Timer;

/// An answer that waits.
#[derive(Debug)]
pub(crate) struct Held {
    /// Number of the record it waits for.
    number: u64,
    until: Duration,
    server: ServerId,
    code: u16,
    bytes: Vec<u8>,
}

impl Proxy {
    pub(crate) fn hold(
        &mut self,
        now: Now,
        number: u64,
        server: ServerId,
        code: u16,
        bytes: &[u8],
    ) {
        let until = now.mono + limits::BYE_HOLD;
        if self.held.is_empty() {
            self.timers.set(until, Timer::Held);
        }
        // numbers and deadlines both only rise: the queue is in the order of both
        let bytes = self.buffers.keep(bytes);
        self.held.push_back(Held { number, until, server, code, bytes });
    }

    /// Records up to `number` are on disk.
    pub(crate) fn on_durable(&mut self, now: Now, number: u64) {
        self.release(now, |held| held.number <= number, false);
    }

    /// The first one has waited long enough.
    pub(crate) fn on_held_due(&mut self, now: Now) {
        self.release(now, |held| held.until <= now.mono, true);
    }

    fn release(&mut self, now: Now, ready: impl Fn(&Held) -> bool, late: bool) {
        self.timers.take_back(Timer::Held);
        while let Some(held) = self.held.pop_front_if(|held| ready(held)) {
            self.endpoint.respond(now.mono, held.server, held.code, &held.bytes);
            self.buffers.release(held.bytes);
            if late {
                self.counters.bye_answer_late += 1;
                self.log(log::BYE_ANSWER_LATE, None, vec![("record", held.number.to_string())]);
            }
        }
        if let Some(first) = self.held.front() {
            self.timers.set(first.until, Timer::Held);
        }
    }
}
