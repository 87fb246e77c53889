//! How long to wait before a broker is tried again: doubled each time, with jitter, so that a
//! fleet does not come back in one moment.

use crate::limits::{BROKER_RETRY_FIRST, BROKER_RETRY_MOST};
use model::chance::Chance;
use std::time::Duration;

/// Waiting times of one connection.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    chance: Chance,
}

impl Backoff {
    pub(super) fn new(chance: Chance) -> Self {
        Self { next: BROKER_RETRY_FIRST, chance }
    }

    /// The wait before the next attempt: between half and whole of the present step.
    pub(super) fn wait(&mut self) -> Duration {
        let half = self.next / 2;
        self.next = (self.next * 2).min(BROKER_RETRY_MOST);
        half + half.mul_f64(f64::from(u32::try_from(self.chance.below(1001)).unwrap_or(0)) / 1000.0)
    }

    /// A connection stood: start from the first step again.
    pub(super) fn reset(&mut self) {
        self.next = BROKER_RETRY_FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_double_up_to_the_most() {
        let mut backoff = Backoff::new(Chance::new([1, 2, 3, 4]));
        let mut step = BROKER_RETRY_FIRST;
        for _ in 0..12 {
            let wait = backoff.wait();
            assert!(wait >= step / 2 && wait <= step, "{wait:?} of {step:?}");
            step = (step * 2).min(BROKER_RETRY_MOST);
        }
        backoff.reset();
        assert!(backoff.wait() <= BROKER_RETRY_FIRST);
    }
}
