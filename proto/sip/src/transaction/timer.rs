//! The timers of RFC 3261 §17 and RFC 6026, by letter: what each one is for and how long it is.
//!
//! A deadline is armed with its letter, so whoever waits knows what for. Timer C is no timer of
//! a transaction: the proxy core owns it (RFC 3261 §16.6 step 11).

use std::time::Duration;

/// The three base times of RFC 3261 §17.1.1.1; every other time of a transaction follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// Estimated round-trip time; the first retransmission interval. RFC value 500 ms.
    pub t1: Duration,
    /// Longest retransmission interval of non-INVITE requests and INVITE responses. RFC value 4 s.
    pub t2: Duration,
    /// Longest time a message stays in the network. RFC value 5 s.
    pub t4: Duration,
    /// How long a 100 may wait for a better answer, which then goes alone. Zero: it leaves at once;
    /// more than 200 ms is late (§17.2.1).
    pub trying: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            trying: Duration::ZERO,
        }
    }
}

impl Timers {
    /// 64·T1: Timers B, F, H, J, L, M and both waits without a letter.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// How long `timer` is when it is armed for the first time.
    #[must_use]
    pub fn first(&self, timer: Timer) -> Duration {
        match timer {
            Timer::A | Timer::E | Timer::G => self.t1,
            Timer::B | Timer::F | Timer::H | Timer::J | Timer::L | Timer::M => self.patience(),
            Timer::D => self.patience().max(Duration::from_secs(32)),
            Timer::I | Timer::K => self.t4,
            Timer::Cancelled | Timer::Unanswered => self.patience(),
            Timer::Trying => self.trying,
        }
    }

    /// How long `timer` is after `repeats` repetitions: A doubles without bound, E and G up to T2.
    #[must_use]
    pub fn interval(&self, timer: Timer, repeats: u32) -> Duration {
        let doubled = self.t1.saturating_mul(2_u32.saturating_pow(repeats));
        if timer == Timer::A { doubled } else { doubled.min(self.t2) }
    }
}

/// One timer of one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timer {
    /// INVITE retransmission, UDP only (§17.1.1.2).
    A,
    /// INVITE without any response (§17.1.1.2).
    B,
    /// Absorbs repeated failures of an INVITE that has been acknowledged (§17.1.1.2).
    D,
    /// Non-INVITE retransmission, UDP only (§17.1.2.2).
    E,
    /// Non-INVITE without a final response (§17.1.2.2).
    F,
    /// Failure response to an INVITE again, UDP only (§17.2.1).
    G,
    /// Failure response to an INVITE without an ACK (§17.2.1).
    H,
    /// Absorbs repeated ACKs (§17.2.1).
    I,
    /// Answers repeated non-INVITE requests (§17.2.2).
    J,
    /// Absorbs repeated responses to a non-INVITE (§17.1.2.2).
    K,
    /// Absorbs INVITEs repeated after their 2xx (RFC 6026 §8.7).
    L,
    /// Takes further 2xx to an INVITE (RFC 6026 §8.4).
    M,
    /// No better answer to an INVITE came in time: its 100 leaves (§17.2.1); without a letter.
    Trying,
    /// A CANCEL was sent and no final response came (§9.1); without a letter in the RFC.
    Cancelled,
    /// A non-INVITE that the user of the transaction never answered. Its client gave up at the
    /// same moment (Timer F), so no answer would be heard (RFC 4320 §3); without a letter.
    Unanswered,
}

/// Which of a transaction's two deadlines a timer takes: no two timers of one kind ever run in
/// the same state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Sends something, mostly again.
    Resend,
    /// Ends the state.
    End,
}

impl Timer {
    /// All timers, in the order of the table in LIFECYCLE.md.
    pub const ALL: [Self; 15] = [
        Self::A,
        Self::B,
        Self::D,
        Self::E,
        Self::F,
        Self::G,
        Self::H,
        Self::I,
        Self::J,
        Self::K,
        Self::L,
        Self::M,
        Self::Trying,
        Self::Cancelled,
        Self::Unanswered,
    ];

    /// The reason that travels with the deadline.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::A => "timer A: INVITE again",
            Self::B => "timer B: INVITE without response",
            Self::D => "timer D: repeated failures of an INVITE",
            Self::E => "timer E: request again",
            Self::F => "timer F: request without final response",
            Self::G => "timer G: failure response again",
            Self::H => "timer H: failure response without ACK",
            Self::I => "timer I: repeated ACKs",
            Self::J => "timer J: repeated requests",
            Self::K => "timer K: repeated responses",
            Self::L => "timer L: repeated INVITEs after 2xx",
            Self::M => "timer M: further 2xx",
            Self::Trying => "100 Trying is due",
            Self::Cancelled => "CANCEL without final response",
            Self::Unanswered => "request never answered from above",
        }
    }

    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::A | Self::E | Self::G | Self::Trying => Kind::Resend,
            Self::B
            | Self::D
            | Self::F
            | Self::H
            | Self::I
            | Self::J
            | Self::K
            | Self::L
            | Self::M
            | Self::Cancelled
            | Self::Unanswered => Kind::End,
        }
    }
}
