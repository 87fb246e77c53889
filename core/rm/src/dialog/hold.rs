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
        self.durable = self.durable.max(number);
        self.answer_held(now);
    }

    /// Those leave whose record is on disk, or that have waited long enough: of many the first ones
    /// now, the others a turn later. How many have left.
    pub(crate) fn answer_held(&mut self, now: Now) -> usize {
        self.timers.take_back(Timer::Held);
        let (durable, mut left) = (self.durable, 0);
        while left < limits::DONE_WITH {
            let ready = |held: &mut Held| held.number <= durable || held.until <= now.mono;
            let Some(held) = self.held.pop_front_if(ready) else { break };
            left += 1;
            self.endpoint.respond(now.mono, held.server, held.code, &held.bytes);
            self.buffers.release(held.bytes);
            if held.number > durable {
                self.counters.bye_answer_late += 1;
                self.log(log::BYE_ANSWER_LATE, None, vec![("record", held.number.to_string())]);
            }
        }
        if let Some(first) = self.held.front() {
            let at = if first.number <= durable { now.mono } else { first.until };
            self.timers.set(at, Timer::Held);
        }
        left
    }
}
