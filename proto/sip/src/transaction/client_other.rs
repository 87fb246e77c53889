//! Our requests but INVITE and ACK: RFC 3261 §17.1.2. The endpoint's own CANCELs are such ones.
//!
//! Each arm of a step names its edge of figure 6 there: the state, what comes, the next state.
//! Keeps the bytes of the request while they may have to be sent again: not on a stream.

use std::time::Duration;

use super::timer::Timer;
use super::{Absorbed, Class, Desk, Phase, Verdict};

/// Where the request is.
#[derive(Debug)]
pub(crate) enum State {
    /// RFC 3261 §17.1.2.2, "Trying": no response yet. E and F run.
    Trying { request: Vec<u8>, repeats: u32 },
    /// RFC 3261 §17.1.2.2, "Proceeding": a provisional came. F runs on, E at T2.
    Proceeding { request: Vec<u8> },
    /// RFC 3261 §17.1.2.2, "Completed": K absorbs repeated answers.
    Completed,
    /// RFC 3261 §17.1.2.2, "Terminated".
    Terminated,
}

impl State {
    /// Sends the request. `timeout` replaces Timer F.
    pub(crate) fn start(request: &[u8], timeout: Option<Duration>, desk: &mut Desk<'_>) -> Self {
        desk.send(request);
        match timeout {
            Some(timeout) => desk.arm_for(Timer::F, timeout),
            None => desk.arm(Timer::F),
        }
        if desk.reliable() {
            return Self::Trying { request: Vec::new(), repeats: 0 };
        }
        desk.arm(Timer::E);
        Self::Trying { request: desk.buffers.keep(request), repeats: 0 }
    }

    pub(crate) fn on_response(self, class: Class, desk: &mut Desk<'_>) -> (Self, Verdict) {
        match (self, class) {
            // Trying or Proceeding, 1xx: Proceeding
            (Self::Trying { request, .. } | Self::Proceeding { request }, Class::Provisional) => {
                (Self::Proceeding { request }, Verdict::Pass)
            }
            // Trying or Proceeding, 200–699: passed up, Completed; on a stream Terminated at once
            (
                Self::Trying { request, .. } | Self::Proceeding { request },
                Class::Success | Class::Failure,
            ) => {
                desk.release(Some(request));
                if desk.reliable() {
                    return (Self::Terminated, Verdict::Pass);
                }
                desk.disarm_all();
                desk.arm(Timer::K);
                (Self::Completed, Verdict::Pass)
            }
            // Completed, 1xx: too late
            (Self::Completed, Class::Provisional) => {
                (Self::Completed, Verdict::Absorb(Absorbed::LateProvisional))
            }
            // Completed, 200–699: the same again, stays
            (Self::Completed, Class::Success | Class::Failure) => {
                (Self::Completed, Verdict::Absorb(Absorbed::Retransmission))
            }
            // Terminated: there is no such transaction
            (Self::Terminated, _) => (Self::Terminated, Verdict::Stray),
        }
    }

    pub(crate) fn on_timer(self, timer: Timer, desk: &mut Desk<'_>) -> (Self, Verdict) {
        match (self, timer) {
            // Trying, Timer E: request sent again, stays
            (Self::Trying { request, repeats }, Timer::E) => {
                let repeats = desk.repeat(Timer::E, &request, repeats);
                (Self::Trying { request, repeats }, Verdict::Quiet)
            }
            // Proceeding, Timer E: request sent again each T2, stays
            (Self::Proceeding { request }, Timer::E) => {
                desk.send_again(&request);
                desk.arm_for(Timer::E, desk.timers.t2);
                (Self::Proceeding { request }, Verdict::Quiet)
            }
            // Trying or Proceeding, Timer F: the user is told, Terminated
            (Self::Trying { request, .. } | Self::Proceeding { request }, Timer::F) => {
                desk.release(Some(request));
                (Self::Terminated, Verdict::Timeout)
            }
            // Completed, Timer K: Terminated
            (Self::Completed, Timer::K) => (Self::Terminated, Verdict::Quiet),
            // any state, a timer of another one: stays
            (state, _) => (state, Verdict::Quiet),
        }
    }

    /// The user waits for the final response after all, whatever it had for patience: somebody is
    /// there.
    pub(crate) fn on_patience(self, desk: &mut Desk<'_>) -> Self {
        match self {
            // Proceeding, the user waits on: F begins anew, stays
            state @ Self::Proceeding { .. } => {
                desk.arm(Timer::F);
                state
            }
            // any other state: nobody has answered, or all is said
            state @ (Self::Trying { .. } | Self::Completed | Self::Terminated) => state,
        }
    }

    /// The transport lost the request (§17.1.4).
    pub(crate) fn on_flow_failed(self) -> (Self, Verdict) {
        match self {
            // Trying or Proceeding, transport error: the user is told, Terminated
            Self::Trying { .. } | Self::Proceeding { .. } => (Self::Terminated, Verdict::Failed),
            // Completed or Terminated: nothing of it is under way
            state @ (Self::Completed | Self::Terminated) => (state, Verdict::Quiet),
        }
    }

    pub(crate) const fn phase(&self) -> Phase {
        match self {
            Self::Trying { .. } | Self::Proceeding { .. } => Phase::Pending,
            Self::Completed => Phase::Finished,
            Self::Terminated => Phase::Over,
        }
    }
}
