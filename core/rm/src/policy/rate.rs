//! Rates of new sessions (`rate_limit`): a bucket for each policy that has one, two seconds deep.
//!
//! Every bucket must have one; only then each gives one. What a refused session did not get is not
//! taken, and what a session took it does not give back.

use std::time::Duration;

use model::map::Map;

use super::refuse::{Refused, refuse};
use super::usage::{Object, Usage};
use super::{Asked, Judges};
use crate::limits::RATE_DEPTH;
use crate::record::trace::Trace;
use crate::reject::Reason;

/// A bucket, as the time at which it will be full again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    full: Duration,
}

impl Bucket {
    /// Whether one is in it, at so many a second.
    fn has(self, now: Duration, rate: u32) -> bool {
        interval(rate).is_some_and(|interval| self.after(now, interval) <= now + RATE_DEPTH)
    }

    /// Takes one; an empty bucket has no less than none.
    fn take(&mut self, now: Duration, rate: u32) {
        if let Some(interval) = interval(rate) {
            self.full = self.after(now, interval).min(now + RATE_DEPTH);
        }
    }

    fn after(self, now: Duration, interval: Duration) -> Duration {
        self.full.max(now) + interval
    }

    /// Nothing of it was taken lately.
    pub(crate) fn is_full(self, now: Duration) -> bool {
        self.full <= now
    }
}

/// The buckets of all policies that have a rate: by whose sessions it counts, and whether it is
/// laid over them.
pub(crate) type Rates = Map<(Object, bool), Bucket>;

/// The time for one; at a rate of 0 there is none.
fn interval(rate: u32) -> Option<Duration> {
    (rate > 0).then(|| Duration::from_secs(1) / rate)
}

/// Whether every bucket has one.
///
/// # Errors
/// `rate-limit`, of the first from the root that has none.
pub(super) fn judge(
    now: Duration,
    usage: &Usage,
    judges: &Judges<'_>,
    asked: &Asked<'_>,
    trace: &mut Trace,
) -> Result<(), Box<Refused>> {
    for judge in judges {
        let Some(rate) = judge.policy.rate_limit else { continue };
        let object = judge.object();
        if usage.contains(object, asked.session) {
            continue;
        }
        let bucket = usage.bucket(object, judge.laid_over);
        if !bucket.has(now, rate) {
            let full = Some((u64::from(rate), u64::from(rate)));
            let (reason, field) = (Reason::RateLimit, "rate_limit");
            return Err(refuse(judges, judge, asked, reason, &field, full, trace));
        }
    }
    Ok(())
}

/// A session begins: one out of every bucket.
pub(super) fn take(now: Duration, usage: &mut Usage, judges: &Judges<'_>, asked: &Asked<'_>) {
    for judge in judges {
        if let Some(rate) = judge.policy.rate_limit
            && !usage.contains(judge.object(), asked.session)
        {
            usage.bucket_mut(judge.object(), judge.laid_over).take(now, rate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Bucket;
    use std::time::Duration;

    /// How many of `asked` sessions at this moment there is one for.
    fn taken(bucket: &mut Bucket, now: Duration, rate: u32, asked: usize) -> usize {
        let fits = |_: &usize| {
            let fits = bucket.has(now, rate);
            if fits {
                bucket.take(now, rate);
            }
            fits
        };
        (0..asked).filter(fits).count()
    }

    #[test]
    fn two_seconds_may_be_saved_up_and_no_more() {
        let (mut bucket, at) = (Bucket::default(), Duration::from_millis);
        assert_eq!(taken(&mut bucket, at(1000), 10, 50), 20);
        assert_eq!(taken(&mut bucket, at(1099), 10, 50), 0);
        assert_eq!(taken(&mut bucket, at(1100), 10, 50), 1);
        assert_eq!(taken(&mut bucket, at(2100), 10, 50), 10);
        assert!(!bucket.is_full(at(4099)) && bucket.is_full(at(4100)));
        assert_eq!(taken(&mut bucket, at(100_000), 10, 50), 20);
        assert_eq!(taken(&mut Bucket::default(), at(1000), 0, 5), 0);
        assert_eq!(taken(&mut Bucket::default(), at(1000), 1, 5), 2);
    }

    #[test]
    fn one_taken_beyond_leaves_no_debt() {
        let (mut bucket, at) = (Bucket::default(), Duration::from_secs);
        (0..100).for_each(|_| bucket.take(at(1), 1));
        assert_eq!(taken(&mut bucket, at(2), 1, 5), 1);
    }
}
