//! A peer's INVITE and our answers: RFC 3261 §17.2.1 as amended by RFC 6026 §7.1.
//!
//! Each arm of a step names its edge of figure 7 there: the state, what comes, the next state.
//! Repeats failures until their ACK comes; leaves 2xx to the end that made them, and remembers
//! after one the key only, so that a late copy of the INVITE is no new call. Makes no 100 Trying,
//! but keeps the user's back for [`Timers::trying`](super::timer::Timers): a better answer that
//! comes meanwhile spares it.

use super::timer::Timer;
use super::{Absorbed, Class, Desk, Phase, Verdict};

/// Where the INVITE is.
#[derive(Debug)]
pub(crate) enum State {
    /// RFC 3261 §17.2.1, "Proceeding": no final response yet; the last provisional, if any.
    Proceeding { last: Option<Vec<u8>> },
    /// RFC 3261 §17.2.1, "Completed": a failure waits for its ACK. G and H run.
    Completed { response: Vec<u8>, repeats: u32 },
    /// RFC 3261 §17.2.1, "Confirmed": the ACK came; I absorbs further ones.
    Confirmed,
    /// RFC 6026 §7.1, "Accepted": a 2xx left. L absorbs late copies of the INVITE.
    Accepted,
    /// RFC 3261 §17.2.1, "Terminated".
    Terminated,
}

impl State {
    pub(crate) const fn start() -> Self {
        Self::Proceeding { last: None }
    }

    /// The INVITE came again: the last response goes out again, if there is one to repeat.
    pub(crate) fn on_repeated(&self, desk: &mut Desk<'_>) {
        match self {
            // Proceeding, INVITE: the last response sent again; a 100 that waited leaves with it
            Self::Proceeding { last: Some(response) } => {
                desk.disarm_resend();
                desk.send_again(response);
            }
            // Completed, INVITE: the response sent again
            Self::Completed { response, .. } => desk.send_again(response),
            // Proceeding without response, Confirmed, Accepted (RFC 6026 §7.1), INVITE: absorbed
            Self::Proceeding { last: None }
            | Self::Confirmed
            | Self::Accepted
            | Self::Terminated => {}
        }
    }

    /// An ACK under the INVITE's key came.
    pub(crate) fn on_ack(self, desk: &mut Desk<'_>) -> (Self, Verdict) {
        let absorbed = Verdict::Absorb(Absorbed::AckToFailure);
        match self {
            // Completed, ACK: Confirmed; on a stream Terminated at once
            Self::Completed { response, .. } => {
                desk.release(Some(response));
                if desk.reliable() {
                    return (Self::Terminated, absorbed);
                }
                desk.disarm_all();
                desk.arm(Timer::I);
                (Self::Confirmed, absorbed)
            }
            // Accepted, ACK: passed up, it is for the 2xx (RFC 6026 §7.1)
            Self::Accepted => (Self::Accepted, Verdict::Pass),
            // Proceeding, Confirmed or Terminated, ACK: absorbed
            state @ (Self::Proceeding { .. } | Self::Confirmed | Self::Terminated) => {
                (state, absorbed)
            }
        }
    }

    /// The user says 100. It is worth nothing once something better was said.
    pub(crate) fn on_trying(self, bytes: &[u8], desk: &mut Desk<'_>) -> Self {
        match self {
            // Proceeding without response, 100 from the user: kept, and sent now or when it is due
            Self::Proceeding { last: None } => {
                if desk.timers.trying.is_zero() {
                    desk.send(bytes);
                } else {
                    desk.arm(Timer::Trying);
                }
                Self::Proceeding { last: Some(desk.buffers.keep(bytes)) }
            }
            // Proceeding with a response, and all states behind it: the 100 is worth nothing
            state => state,
        }
    }

    /// The user answers otherwise. After a final response only a 2xx after a 2xx still leaves.
    pub(crate) fn on_respond(self, class: Class, bytes: &[u8], desk: &mut Desk<'_>) -> Self {
        match (self, class) {
            // Proceeding, 1xx from the user: sent, stays
            (Self::Proceeding { last }, Class::Provisional) => {
                desk.disarm_resend();
                desk.send(bytes);
                desk.release(last);
                Self::Proceeding { last: Some(desk.buffers.keep(bytes)) }
            }
            // Proceeding, 2xx from the user: sent, Accepted (RFC 6026 §7.1)
            (Self::Proceeding { last }, Class::Success) => {
                desk.disarm_resend();
                desk.send(bytes);
                desk.release(last);
                desk.arm(Timer::L);
                Self::Accepted
            }
            // Proceeding, 300–699 from the user: sent, Completed
            (Self::Proceeding { last }, Class::Failure) => {
                desk.disarm_resend();
                desk.send(bytes);
                desk.release(last);
                if !desk.reliable() {
                    desk.arm(Timer::G);
                }
                desk.arm(Timer::H);
                Self::Completed { response: desk.buffers.keep(bytes), repeats: 0 }
            }
            // Accepted, 2xx from the user: sent, stays (RFC 6026 §7.1)
            (Self::Accepted, Class::Success) => {
                desk.send(bytes);
                Self::Accepted
            }
            // any state, any other response: it has its final one
            (state, _) => state,
        }
    }

    pub(crate) fn on_timer(self, timer: Timer, desk: &mut Desk<'_>) -> (Self, Verdict) {
        match (self, timer) {
            // Proceeding, the 100 is due: sent, stays
            (Self::Proceeding { last: Some(trying) }, Timer::Trying) => {
                desk.send(&trying);
                (Self::Proceeding { last: Some(trying) }, Verdict::Quiet)
            }
            // Completed, Timer G: response sent again, stays
            (Self::Completed { response, repeats }, Timer::G) => {
                let repeats = desk.repeat(Timer::G, &response, repeats);
                (Self::Completed { response, repeats }, Verdict::Quiet)
            }
            // Completed, Timer H: the user is told, Terminated
            (Self::Completed { response, .. }, Timer::H) => {
                desk.release(Some(response));
                (Self::Terminated, Verdict::Timeout)
            }
            // Confirmed, Timer I, or Accepted, Timer L (RFC 6026 §7.1): Terminated
            (Self::Confirmed, Timer::I) | (Self::Accepted, Timer::L) => {
                (Self::Terminated, Verdict::Quiet)
            }
            // any state, a timer of another one: stays
            (state, _) => (state, Verdict::Quiet),
        }
    }

    pub(crate) const fn is_ongoing(&self) -> bool {
        matches!(self, Self::Proceeding { .. } | Self::Accepted)
    }

    pub(crate) const fn phase(&self) -> Phase {
        match self {
            Self::Proceeding { .. } => Phase::Pending,
            Self::Completed { .. } | Self::Confirmed | Self::Accepted => Phase::Finished,
            Self::Terminated => Phase::Over,
        }
    }
}
