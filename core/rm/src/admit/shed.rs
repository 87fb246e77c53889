//! Overload as the engine lives it: signs come in, a share of what is new is refused, the alarm is
//! raised once (rm.md §1.9).
//!
//! What is shed gets its answer before anything but the message was read, and leaves nothing
//! behind. Dialogs, OPTIONS to RM, priority numbers and priority peers pass.

use std::time::Duration;

use model::time::Now;
use sip::message::Message;
use sip::method::Method;
use sip::transport::Flow;

use super::{Request, Way, method};
use crate::alarm::{self, About};
use crate::limits::{OVERLOAD_STEP, PENDING};
use crate::log;
use crate::overload::Sign;
use crate::proxy::Proxy;
use crate::reject::{No, Reason};
use crate::select::number;
use crate::timer::Timer;

impl Proxy {
    /// 0 normal, 1 some of what is new is shed, 2 all of it (ops.md §5.1, `overload_state`).
    #[must_use]
    pub fn overload_state(&self) -> u8 {
        self.overload.state()
    }

    /// A message has waited for the engine.
    pub(crate) fn waited(&mut self, now: Now, flow: Flow, age: Duration) {
        if self.overload.waited(now.mono, flow.listener, age) {
            self.begin_overload(now, Sign::QueueAge, ("age_ms", age.as_millis().to_string()));
        }
    }

    /// The kernel has been asked what it had no room for.
    pub(crate) fn on_kernel_drops(&mut self, now: Now, packets: u64) {
        if self.overload.dropped(packets) {
            self.begin_overload(now, Sign::KernelDrops, ("packets", packets.to_string()));
        }
    }

    /// Answers a new request that an engine which cannot follow must not begin; true when it has.
    pub(crate) fn shed(&mut self, request: &Request<'_, '_>) -> bool {
        let full = self.is_full();
        if !full && !self.overload.is_watching() || !self.may_shed(request) {
            return false;
        }
        let lot = self.mark(request.message);
        if !self.overload.sheds(lot) && !full {
            return false;
        }
        self.endpoint.discard(request.id);
        self.refuse_overload(request.now, request.flow, request.message);
        true
    }

    /// Whether its source's rate and the overload would let it in now; nothing is counted.
    ///
    /// # Errors
    /// `source-rate`, `overload`.
    pub(crate) fn lets_in(&mut self, request: &Request<'_, '_>) -> Result<(), No> {
        if self.would_be_over_rate(request) {
            return Err(Reason::SourceRate.into());
        }
        let busy = self.is_full() || self.overload.hits(self.mark(request.message));
        if busy && self.may_shed(request) { Err(self.shed_for_now()) } else { Ok(()) }
    }

    /// It begins something, and has no priority.
    fn may_shed(&mut self, request: &Request<'_, '_>) -> bool {
        let message = request.message;
        let begins = message.to().tag().is_none() && self.begins_work(request);
        begins && !request.source.priority && !self.is_priority_number(message)
    }

    /// `overload`, without state, to be tried again in two to five seconds.
    pub(crate) fn refuse_overload(&mut self, now: Now, flow: Flow, message: &Message<'_>) {
        if self.is_full() {
            let pending = self.endpoint.pending().to_string();
            self.alarm(now, Sign::Full, ("transactions", pending));
        }
        let no = self.shed_for_now();
        self.refuse_stateless(flow, message, &no);
    }

    fn shed_for_now(&mut self) -> No {
        let seconds = 2 + u32::try_from(self.chance.below(4)).unwrap_or(0);
        self.overloaded().with_retry_after(seconds)
    }

    /// Transactions, sessions or legs are at their limit.
    pub(crate) fn is_full(&self) -> bool {
        self.table.is_full() || self.endpoint.pending() >= PENDING
    }

    /// The number is one of `rm.priority-numbers`, or where emergency calls go (rm.md §6.1).
    pub(crate) fn is_priority_number(&mut self, message: &Message<'_>) -> bool {
        if self.priority.is_empty() && self.options.sos_number.is_none() {
            return false;
        }
        self.scratch.clear();
        number::dialled(message, &self.options, &mut self.scratch);
        self.options.sos_number.as_ref() == Some(&self.scratch)
            || self.priority.find(&self.scratch).is_some()
    }

    /// A call, what is selected like one, or a subscription.
    fn begins_work(&self, request: &Request<'_, '_>) -> bool {
        request.method() == Method::Subscribe
            || matches!(method::way(self, request), Ok(Way::Call | Way::Single))
    }

    /// An overloaded engine looks at its queues, until it is one no more.
    pub(crate) fn on_overload_step(&mut self, now: Now) {
        self.alarms.goes_on(now, alarm::Name::Overload);
        if self.overload.step() {
            self.timers.set(now.mono + OVERLOAD_STEP, Timer::Overload);
        }
    }

    fn begin_overload(&mut self, now: Now, sign: Sign, figure: (&'static str, String)) {
        self.timers.set(now.mono + OVERLOAD_STEP, Timer::Overload);
        self.alarm(now, sign, figure);
    }

    /// Log 20111, once until the alarm has cleared.
    fn alarm(&mut self, now: Now, sign: Sign, figure: (&'static str, String)) {
        let (name, text) =
            (alarm::Name::Overload, format_args!("{}, {} {}", sign.as_str(), figure.0, figure.1));
        if self.alarms.raise(now, (name, About::NODE), log::OVERLOAD, text) {
            let reason = ("reason", sign.as_str().to_owned());
            let alarm = ("alarm", name.as_str().to_owned());
            self.log(log::OVERLOAD, None, vec![reason, figure, alarm]);
        }
    }
}
