//! Our INVITE and its answers: RFC 3261 §17.1.1 as amended by RFC 6026 §7.2, with CANCEL (§9.1).
//!
//! Each arm of a step names its edge of figure 5 there: the state, what comes, the next state.
//! Keeps the bytes of the INVITE until a final response, because the ACK to a failure and a
//! CANCEL are made from them. Must not send the ACK to a 2xx: that is the caller's, end to end.

use std::time::Duration;

use super::hop;
use super::timer::Timer;
use super::{Absorbed, Class, Desk, Phase, Verdict};

/// Header lines for a CANCEL, each with its CRLF; empty: the usual Reason.
pub(crate) type Reason = Box<[u8]>;

/// Where the INVITE is.
#[derive(Debug)]
pub(crate) enum State {
    /// RFC 3261 §17.1.1.2, "Calling": no response yet. A and B run.
    Calling { request: Vec<u8>, repeats: u32, cancel: Option<Reason> },
    /// RFC 3261 §17.1.1.2, "Proceeding": a provisional came; the user above watches the time.
    Proceeding { request: Vec<u8> },
    /// RFC 3261 §9.1: CANCEL was sent; a final response is due within 64·T1.
    Cancelling { request: Vec<u8> },
    /// RFC 3261 §17.1.1.2, "Completed": a failure came and was acknowledged. D runs.
    Completed { ack: Vec<u8> },
    /// RFC 6026 §7.2, "Accepted": a 2xx came; more may come, from other branches. M runs.
    Accepted,
    /// RFC 3261 §17.1.1.2, "Terminated".
    Terminated,
}

/// A step that may also ask for a CANCEL transaction with these bytes.
pub(crate) struct Step {
    pub(crate) state: State,
    pub(crate) verdict: Verdict,
    pub(crate) cancel: Option<Vec<u8>>,
}

impl Step {
    const fn to(state: State, verdict: Verdict) -> Self {
        Self { state, verdict, cancel: None }
    }
}

impl State {
    /// Sends the INVITE. `timeout` replaces Timer B.
    pub(crate) fn start(request: &[u8], timeout: Option<Duration>, desk: &mut Desk<'_>) -> Self {
        desk.send(request);
        if !desk.reliable() {
            desk.arm(Timer::A);
        }
        match timeout {
            Some(timeout) => desk.arm_for(Timer::B, timeout),
            None => desk.arm(Timer::B),
        }
        Self::Calling { request: desk.buffers.keep(request), repeats: 0, cancel: None }
    }

    /// A response came; `to` is its To line, which the ACK to a failure repeats.
    pub(crate) fn on_response(self, class: Class, to: &[u8], desk: &mut Desk<'_>) -> Step {
        match (self, class) {
            // Calling, 1xx: Proceeding; with a CANCEL that waited for it: Cancelling (§9.1)
            (Self::Calling { request, cancel, .. }, Class::Provisional) => {
                desk.disarm_all();
                match cancel {
                    None => Step::to(Self::Proceeding { request }, Verdict::Pass),
                    Some(reason) => Self::send_cancel(request, &reason, desk, Verdict::Pass),
                }
            }
            // Proceeding or Cancelling, 1xx: stays
            (state @ (Self::Proceeding { .. } | Self::Cancelling { .. }), Class::Provisional) => {
                Step::to(state, Verdict::Pass)
            }
            // Calling, Proceeding or Cancelling, 2xx: Accepted (RFC 6026 §7.2)
            (
                Self::Calling { request, .. }
                | Self::Proceeding { request }
                | Self::Cancelling { request },
                Class::Success,
            ) => {
                desk.release(Some(request));
                desk.disarm_all();
                desk.arm(Timer::M);
                Step::to(Self::Accepted, Verdict::Pass)
            }
            // Calling, Proceeding or Cancelling, 300–699: ACK sent, Completed
            (
                Self::Calling { request, .. }
                | Self::Proceeding { request }
                | Self::Cancelling { request },
                Class::Failure,
            ) => Step::to(Self::acknowledge(request, to, desk), Verdict::Pass),
            // Accepted, 2xx: passed up, stays (RFC 6026 §7.2)
            (state @ Self::Accepted, Class::Success) => Step::to(state, Verdict::Pass),
            // Accepted, 300–699: nothing of it is wanted any more
            (state @ Self::Accepted, Class::Failure) => {
                Step::to(state, Verdict::Absorb(Absorbed::LateFinal))
            }
            // Completed, 300–699: ACK sent again, stays
            (Self::Completed { ack }, Class::Failure) => {
                desk.send_again(&ack);
                let verdict = Verdict::Absorb(Absorbed::Retransmission);
                Step::to(Self::Completed { ack }, verdict)
            }
            // Completed, 2xx: of another branch behind a forking proxy that has said no already;
            // the user may end it. Without an ACK its server does (RFC 3261 §13.3.1.4)
            (state @ Self::Completed { .. }, Class::Success) => Step::to(state, Verdict::Stray),
            // Accepted or Completed, 1xx: too late
            (state @ (Self::Accepted | Self::Completed { .. }), Class::Provisional) => {
                Step::to(state, Verdict::Absorb(Absorbed::LateProvisional))
            }
            // Terminated: there is no such transaction
            (Self::Terminated, _) => Step::to(Self::Terminated, Verdict::Stray),
        }
    }

    /// The user gives up: CANCEL at once, or when the first provisional comes (§9.1).
    pub(crate) fn on_cancel(self, reason: Option<&[u8]>, desk: &mut Desk<'_>) -> Step {
        let reason = reason.unwrap_or_default();
        match self {
            // Calling, the user cancels: the CANCEL waits for a 1xx (§9.1)
            Self::Calling { request, repeats, cancel } => {
                let cancel = cancel.or_else(|| Some(reason.into()));
                Step::to(Self::Calling { request, repeats, cancel }, Verdict::Quiet)
            }
            // Proceeding, the user cancels: CANCEL sent, Cancelling (§9.1)
            Self::Proceeding { request } => {
                Self::send_cancel(request, reason, desk, Verdict::Quiet)
            }
            // any other state: nothing is left to cancel
            state @ (Self::Cancelling { .. }
            | Self::Completed { .. }
            | Self::Accepted
            | Self::Terminated) => Step::to(state, Verdict::Quiet),
        }
    }

    pub(crate) fn on_timer(self, timer: Timer, desk: &mut Desk<'_>) -> (Self, Verdict) {
        match (self, timer) {
            // Calling, Timer A: INVITE sent again, stays
            (Self::Calling { request, repeats, cancel }, Timer::A) => {
                let repeats = desk.repeat(Timer::A, &request, repeats);
                (Self::Calling { request, repeats, cancel }, Verdict::Quiet)
            }
            // Calling, Timer B, or Cancelling, 64·T1 (§9.1): the user is told, Terminated
            (Self::Calling { request, .. }, Timer::B)
            | (Self::Cancelling { request }, Timer::Cancelled) => {
                desk.release(Some(request));
                (Self::Terminated, Verdict::Timeout)
            }
            // Completed, Timer D: Terminated
            (Self::Completed { ack }, Timer::D) => {
                desk.release(Some(ack));
                (Self::Terminated, Verdict::Quiet)
            }
            // Accepted, Timer M: Terminated (RFC 6026 §7.2)
            (Self::Accepted, Timer::M) => (Self::Terminated, Verdict::Quiet),
            // any state, a timer of another one: stays
            (state, _) => (state, Verdict::Quiet),
        }
    }

    /// The transport lost what was sent, or with a stream the way of what is to come (§17.1.4).
    pub(crate) fn on_flow_failed(self, desk: &Desk<'_>) -> (Self, Verdict) {
        match self {
            // Calling, transport error: the user is told, Terminated
            Self::Calling { .. } => (Self::Terminated, Verdict::Failed),
            // Proceeding or Cancelling, the stream is gone: the user is told, Terminated. An ICMP
            // error says that a datagram was lost; here none is under way.
            Self::Proceeding { .. } | Self::Cancelling { .. } if desk.reliable() => {
                (Self::Terminated, Verdict::Failed)
            }
            // any other state: nothing of it is under way
            state => (state, Verdict::Quiet),
        }
    }

    pub(crate) const fn phase(&self) -> Phase {
        match self {
            Self::Calling { .. } | Self::Proceeding { .. } | Self::Cancelling { .. } => {
                Phase::Pending
            }
            Self::Completed { .. } | Self::Accepted => Phase::Finished,
            Self::Terminated => Phase::Over,
        }
    }

    fn send_cancel(request: Vec<u8>, reason: &[u8], desk: &mut Desk<'_>, verdict: Verdict) -> Step {
        desk.arm(Timer::Cancelled);
        let cancel = Some(hop::cancel(&request, reason, desk.buffers));
        Step { state: Self::Cancelling { request }, verdict, cancel }
    }

    fn acknowledge(request: Vec<u8>, to: &[u8], desk: &mut Desk<'_>) -> Self {
        let ack = hop::ack(&request, to, desk.buffers);
        desk.send(&ack);
        desk.release(Some(request));
        if desk.reliable() {
            desk.release(Some(ack));
            return Self::Terminated;
        }
        desk.disarm_all();
        desk.arm(Timer::D);
        Self::Completed { ack }
    }
}
