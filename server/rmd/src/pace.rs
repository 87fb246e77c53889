//! When much arrives, a turn takes it in larger portions: the next one begins a moment later.
//!
//! A turn costs the same few system calls and one wake-up, whether it takes one message or thirty.
//! So the engine rests between two turns while messages come quickly, and not at all otherwise: the
//! price is a delay of at most [`TURN_REST`], paid only under load. It reads no clock.

use crate::limits::{BUSY_ARRIVALS, BUSY_WINDOW, TURN_REST};
use std::time::Duration;

/// How fast messages come.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Begin of the last turn.
    turned: Duration,
    /// Begin of the present window, and what has arrived in it.
    window: Duration,
    arrived: u64,
    /// The window before was busy.
    busy: bool,
}

impl Pace {
    /// A turn that began at `now` took so many messages.
    pub(crate) fn turned(&mut self, now: Duration, messages: u64) {
        self.turned = now;
        self.arrived += messages;
        if now >= self.window + BUSY_WINDOW {
            // Turns end no window at its second: what counts is the rate.
            let lasted = now.saturating_sub(self.window).as_micros();
            self.busy = u128::from(self.arrived) * BUSY_WINDOW.as_micros()
                >= u128::from(BUSY_ARRIVALS) * lasted;
            self.window = now;
            self.arrived = 0;
        }
    }

    /// How long the next turn should still wait.
    pub(crate) fn rest(&self, now: Duration) -> Duration {
        let until = self.turned + TURN_REST;
        if self.busy { until.saturating_sub(now) } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn it_rests_while_messages_come_quickly_and_never_when_they_do_not() {
        let mut pace = Pace::default();
        let window = u64::try_from(BUSY_WINDOW.as_millis()).unwrap();
        for turn in 0..=window {
            assert_eq!(pace.rest(ms(turn)), Duration::ZERO, "nothing is known yet");
            pace.turned(ms(turn), BUSY_ARRIVALS / window + 1);
        }
        assert_eq!(pace.rest(ms(window)), TURN_REST);
        assert_eq!(pace.rest(ms(window) + TURN_REST / 4), TURN_REST - TURN_REST / 4);
        assert_eq!(pace.rest(ms(window) + TURN_REST * 2), Duration::ZERO, "it has rested");
        // One long window with as many messages as a short one is not busy.
        pace.turned(ms(window * 4), BUSY_ARRIVALS * 2);
        assert_eq!(pace.rest(ms(window * 4)), Duration::ZERO);
    }
}
