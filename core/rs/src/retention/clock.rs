//! Whether the clock may be believed: one that has jumped ahead would make everything old.

/// So long after the last run nobody is told that it is time for the next one, ms.
const AHEAD_MS: i64 = 7 * DAY_MS;
const DAY_MS: i64 = 86_400_000;

/// How many days the clock is ahead of when the purge ran last, or of the newest day that is
/// stored when it never did. `None`: it may be right, and the purge may run by itself.
#[must_use]
pub const fn ahead(now_ms: i64, last_ms: i64) -> Option<i64> {
    let ahead_ms = now_ms.saturating_sub(last_ms);
    if ahead_ms > AHEAD_MS { Some(ahead_ms / DAY_MS) } else { None }
}

#[cfg(test)]
mod tests {
    use super::{AHEAD_MS, ahead};

    #[test]
    fn a_clock_that_jumps_more_than_a_week_is_not_believed() {
        let last = 1_800_000_000_000;
        assert_eq!([ahead(last, last), ahead(last + AHEAD_MS, last)], [None, None]);
        assert_eq!(ahead(last + AHEAD_MS + 1, last), Some(7));
        assert_eq!(ahead(last + 400 * 86_400_000, last), Some(400));
        assert_eq!(
            ahead(last - 400 * 86_400_000, last),
            None,
            "one that went back makes nothing old"
        );
        assert_eq!(ahead(i64::MAX, i64::MIN), Some(i64::MAX / 86_400_000));
    }
}
