//! A peer's requests but INVITE and ACK, and our answers: RFC 3261 §17.2.2, RFC 4320 §4.
//!
//! Each arm of a step names its edge of figure 8 there: the state, what comes, the next state.
//! Answers repeated requests with the last response. Keeps two promises for its user: no
//! provisional but 100 leaves, and no 408 (RFC 4320 §4.1 and §4.2).

use super::timer::Timer;
use super::{Class, Desk, Phase, Verdict};

/// Where the request is.
#[derive(Debug)]
pub(crate) enum State {
    /// RFC 3261 §17.2.2, "Trying": handed up, no answer yet.
    Trying,
    /// RFC 3261 §17.2.2, "Proceeding": a 100 left.
    Proceeding { last: Vec<u8> },
    /// RFC 3261 §17.2.2, "Completed": the final response, repeated on demand. J runs.
    Completed { response: Vec<u8> },
    /// RFC 4320 §4.2: the final answer was 408 and did not leave; copies of the request are
    /// absorbed in silence. J runs.
    Silent,
    /// RFC 3261 §17.2.2, "Terminated".
    Terminated,
}

impl State {
    pub(crate) fn start(desk: &mut Desk<'_>) -> Self {
        desk.arm(Timer::Unanswered);
        Self::Trying
    }

    /// A request that is answered the moment it comes, as a CANCEL is.
    pub(crate) fn answered(response: &[u8], desk: &mut Desk<'_>) -> Self {
        Self::Trying.on_respond(200, response, desk)
    }

    /// The request came again.
    pub(crate) fn on_repeated(&self, desk: &mut Desk<'_>) {
        match self {
            // Proceeding or Completed, the request: the last response sent again
            Self::Proceeding { last: response } | Self::Completed { response } => {
                desk.send_again(response);
            }
            // Trying, Silent or Terminated, the request: absorbed
            Self::Trying | Self::Silent | Self::Terminated => {}
        }
    }

    /// The user answers. After the final response nothing leaves but repetitions of it.
    pub(crate) fn on_respond(self, code: u16, bytes: &[u8], desk: &mut Desk<'_>) -> Self {
        match (self, Class::of(code)) {
            // Trying or Proceeding, 100 from the user: sent, Proceeding; no other (RFC 4320 §4.1)
            (state @ (Self::Trying | Self::Proceeding { .. }), Class::Provisional)
                if code == 100 =>
            {
                desk.send(bytes);
                desk.release(state.into_kept());
                Self::Proceeding { last: desk.buffers.keep(bytes) }
            }
            // Trying or Proceeding, 200–699 from the user: sent, Completed; 408: Silent (RFC 4320
            // §4.2); on a stream Terminated at once
            (state @ (Self::Trying | Self::Proceeding { .. }), Class::Success | Class::Failure) => {
                desk.release(state.into_kept());
                let heard = code != 408;
                if heard {
                    desk.send(bytes);
                }
                if desk.reliable() {
                    return Self::Terminated;
                }
                desk.arm(Timer::J);
                if heard {
                    Self::Completed { response: desk.buffers.keep(bytes) }
                } else {
                    Self::Silent
                }
            }
            // any state, any other response: it has its final one, or may not say it
            (state, _) => state,
        }
    }

    pub(crate) fn on_timer(self, timer: Timer, desk: &mut Desk<'_>) -> (Self, Verdict) {
        match (self, timer) {
            // Trying or Proceeding, never answered, or Completed or Silent, Timer J: Terminated
            (state @ (Self::Trying | Self::Proceeding { .. }), Timer::Unanswered)
            | (state @ (Self::Completed { .. } | Self::Silent), Timer::J) => {
                desk.release(state.into_kept());
                (Self::Terminated, Verdict::Quiet)
            }
            // any state, a timer of another one: stays
            (state, _) => (state, Verdict::Quiet),
        }
    }

    /// The response it kept.
    fn into_kept(self) -> Option<Vec<u8>> {
        match self {
            Self::Proceeding { last: response } | Self::Completed { response } => Some(response),
            Self::Trying | Self::Silent | Self::Terminated => None,
        }
    }

    pub(crate) fn is_ongoing(&self) -> bool {
        match self {
            Self::Trying | Self::Proceeding { .. } => true,
            Self::Completed { response } => response.starts_with(b"SIP/2.0 2"),
            Self::Silent | Self::Terminated => false,
        }
    }

    pub(crate) const fn phase(&self) -> Phase {
        match self {
            Self::Trying | Self::Proceeding { .. } => Phase::Pending,
            Self::Completed { .. } | Self::Silent => Phase::Finished,
            Self::Terminated => Phase::Over,
        }
    }
}
