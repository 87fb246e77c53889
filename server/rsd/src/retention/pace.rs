//! How large the next slice is, so that none holds a lock for long, and when a run ends.

use std::time::Duration;

use net::Clock;

/// Rows of a slice: at first, at least, at most.
const ROWS: (u32, u32, u32) = (500, 50, 5000);
/// A slice that takes longer is followed by a smaller one; rs.md §10 wants 200 ms.
const LONG: Duration = Duration::from_millis(120);
/// One that takes less, by a larger one.
const SHORT: Duration = Duration::from_millis(40);
/// Longest pause after a slice.
const PAUSE: Duration = Duration::from_millis(200);
/// The lease is renewed so often.
const RENEW: Duration = Duration::from_secs(10);

/// The pace of one run.
pub(super) struct Pace {
    clock: Clock,
    until_ms: i64,
    rows: u32,
    began: Option<Duration>,
    /// Of the last slice, when it has been measured.
    took: Option<Duration>,
    renewed: Duration,
}

impl Pace {
    pub(super) fn new(clock: Clock, until_ms: i64) -> Self {
        let renewed = clock.mono();
        Self { clock, until_ms, rows: ROWS.0, began: None, took: None, renewed }
    }

    /// The slice is over: others have the database for as long as it took.
    pub(super) fn pause(&mut self) -> Duration {
        let now = self.clock.mono();
        self.took = self.began.take().map(|began| now.saturating_sub(began));
        self.took.unwrap_or_default().min(PAUSE)
    }

    /// Rows of the next slice; `None`: the window is over, or the lease is lost.
    pub(super) fn next(&mut self, renew: impl FnOnce(i64) -> bool) -> Option<u32> {
        let now = self.clock.now();
        let now_ms = super::ms(now.wall);
        if now_ms >= self.until_ms {
            return None;
        }
        if now.mono.saturating_sub(self.renewed) >= RENEW {
            if !renew(now_ms) {
                return None;
            }
            self.renewed = now.mono;
        }
        let since = self.began.map(|began| now.mono.saturating_sub(began));
        self.rows = resized(self.rows, self.took.take().or(since));
        self.began = Some(self.clock.mono());
        Some(self.rows)
    }
}

/// After a slice of so many rows that took so long.
fn resized(rows: u32, took: Option<Duration>) -> u32 {
    match took {
        Some(took) if took > LONG => (rows / 2).max(ROWS.1),
        Some(took) if took < SHORT => rows.saturating_mul(2).min(ROWS.2),
        _ => rows,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use config::settings::Retention;

    use super::super::Desk;
    use super::*;
    use crate::jobs::Jobs;

    #[test]
    fn others_have_the_database_as_long_as_a_slice_had_it() {
        let clock = Clock::start();
        let mut pace = Pace::new(clock, i64::MAX);
        assert_eq!(pace.pause(), Duration::ZERO, "before the first");
        assert_eq!(pace.next(|_| true), Some(500));
        let began = clock.mono();
        while clock.mono() - began < Duration::from_millis(5) {}
        let pause = pace.pause();
        assert!((Duration::from_millis(5)..=PAUSE).contains(&pause), "{pause:?}");
        assert_eq!(pace.pause(), Duration::ZERO, "once");
    }

    /// Purge and emergency both ask here.
    #[test]
    fn the_next_slice_comes_after_that_pause() {
        let (zone, hush) = (rs::rollup::Zone::utc(), rs::privacy::Hush::of(Vec::new()));
        let desk = Desk::new(Retention::default(), zone, hush, Arc::<Jobs>::default());
        let clock = Clock::start();
        let mut pace = Pace::new(clock, i64::MAX);
        assert_eq!(desk.next(&mut pace, |_| true), Some(500));
        let began = clock.mono();
        while clock.mono() - began < Duration::from_millis(20) {}
        let over = clock.mono();
        assert!(desk.next(&mut pace, |_| true).is_some());
        assert!(clock.mono() - over >= Duration::from_millis(20), "as long as the slice");
        desk.state().stopping = true;
        assert_eq!(desk.next(&mut pace, |_| true), None);
    }

    #[test]
    fn slices_grow_and_shrink_within_their_bounds() {
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(resized(500, None), 500);
        assert_eq!(resized(500, ms(10)), 1000);
        assert_eq!(resized(4000, ms(10)), 5000);
        assert_eq!(resized(500, ms(80)), 500);
        assert_eq!(resized(500, ms(150)), 250);
        assert_eq!(resized(60, ms(1000)), 50);
    }
}
