//! Calls per second as `/v1/status` shows them: the mean over the last whole seconds.
//!
//! Fed in every turn with a counter that only rises; it keeps ten samples and reads no clock.

use std::collections::VecDeque;
use std::time::Duration;

/// Seconds over which the mean is taken.
const SAMPLES: usize = 10;

/// The mean growth of a counter.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    samples: VecDeque<(Duration, u64)>,
}

impl Rate {
    /// The counter's value now. Only the first value of each second is kept.
    pub(crate) fn observe(&mut self, now: Duration, value: u64) {
        let next = self.samples.back().map_or(now, |(at, _)| *at + Duration::from_secs(1));
        if now >= next {
            if self.samples.len() > SAMPLES {
                self.samples.pop_front();
            }
            self.samples.push_back((now, value));
        }
    }

    /// Growth per second between the oldest and the newest sample, in tenths.
    pub(crate) fn per_second(&self) -> f64 {
        let (Some((from, low)), Some((to, high))) = (self.samples.front(), self.samples.back())
        else {
            return 0.0;
        };
        let seconds = (*to - *from).as_secs_f64();
        let grown = u32::try_from(high - low).unwrap_or(u32::MAX);
        if seconds > 0.0 { (f64::from(grown) / seconds * 10.0).round() / 10.0 } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_is_seen_and_fades() {
        let mut rate = Rate::default();
        assert!(rate.per_second().abs() < f64::EPSILON);
        for tenth in 0..200_u64 {
            rate.observe(Duration::from_millis(tenth * 100), tenth * 5);
        }
        assert!((rate.per_second() - 50.0).abs() < 0.1, "{}", rate.per_second());
        for second in 20..40 {
            rate.observe(Duration::from_secs(second), 1000);
        }
        assert!(rate.per_second().abs() < f64::EPSILON);
    }
}
