//! The flood guard: 10 lines a second per id, burst 100 (ops.md §8). CRITICAL is exempt.
//!
//! Pure: the time is an argument. What is held back is counted and told once per second.

const RATE_PER_SECOND: u64 = 10;
const BURST: u64 = 100;

/// The bucket of one id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    tokens_milli: u64,
    at_ms: u64,
    suppressed: u64,
    told_ms: u64,
}

/// What to do with a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Print it; so many of its id were held back before and have not been told yet.
    Print { suppressed: u64 },
    /// Hold it back; tell the count now when a second has passed since it was last told.
    Hold { tell: Option<u64> },
}

impl Bucket {
    pub(super) fn new() -> Self {
        Self { tokens_milli: BURST * 1000, at_ms: 0, suppressed: 0, told_ms: 0 }
    }

    pub(super) fn take(&mut self, now_ms: u64) -> Verdict {
        let passed = now_ms.saturating_sub(self.at_ms);
        self.at_ms = self.at_ms.max(now_ms);
        self.tokens_milli =
            (self.tokens_milli + passed.saturating_mul(RATE_PER_SECOND)).min(BURST * 1000);
        if self.tokens_milli >= 1000 {
            self.tokens_milli -= 1000;
            return Verdict::Print { suppressed: std::mem::take(&mut self.suppressed) };
        }
        self.suppressed += 1;
        if now_ms.saturating_sub(self.told_ms) < 1000 {
            return Verdict::Hold { tell: None };
        }
        self.told_ms = now_ms;
        Verdict::Hold { tell: Some(std::mem::take(&mut self.suppressed)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_shows_its_burst_then_one_count_per_second() {
        let mut bucket = Bucket::new();
        let printed =
            (0..1000).filter(|_| matches!(bucket.take(5_000), Verdict::Print { .. })).count();
        assert_eq!(printed, 100);
        assert!(matches!(bucket.take(5_001), Verdict::Hold { tell: None }));
        assert_eq!(bucket.take(6_100), Verdict::Print { suppressed: 900 });
    }
}
