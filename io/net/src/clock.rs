//! The only file that reads a clock.
//!
//! Everything else takes [`Now`] as an argument, so that the simulator can be the clock. It must
//! not be read twice for one engine turn: one turn has one time.

use model::time::{Millis, Now};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The process's clock. Copies share one origin, so that times of different threads compare.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock whose monotonic time starts now, at zero.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where clocks are read")]
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Both times of this moment.
    #[must_use]
    pub fn now(&self) -> Now {
        Now { mono: self.mono(), wall: Millis(millis(self.wall())) }
    }

    /// The monotonic time alone: since [`Clock::start`].
    #[must_use]
    pub fn mono(&self) -> Duration {
        self.origin.elapsed()
    }

    /// The wall clock alone, since 1970 UTC; kernel receive timestamps are of this clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where clocks are read")]
    pub fn wall(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// Whole milliseconds; a clock beyond the year 500 million saturates.
fn millis(since_1970: Duration) -> u64 {
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mono_starts_at_zero_and_does_not_step_back() {
        let clock = Clock::start();
        let (first, second) = (clock.mono(), clock.mono());
        assert!(first <= second);
        assert!(first < Duration::from_secs(60));
    }

    #[test]
    fn wall_is_in_milliseconds_since_1970() {
        let wall = Clock::start().now().wall;
        assert!(wall.0 > 1_735_689_600_000, "after 2025-01-01: {}", wall.0);
        assert!(wall.0 < 4_102_444_800_000, "before 2100-01-01: {}", wall.0);
    }
}
