//! How many a second, over the last ten whole ones: a ring of seconds, and nothing that grows.

/// Seconds that a rate looks back on.
const SPAN: u64 = 10;
/// Those, the one that is not over, and room for a power of two.
const SLOTS: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Rate {
    /// Second and what it counted.
    ring: [(u64, u64); SLOTS],
}

impl Rate {
    pub(crate) fn add(&mut self, second: u64, count: u64) {
        let slot = self.slot(second);
        if slot.0 < second {
            *slot = (second, 0);
        }
        // one that comes for a second that is long over counts for the one that has its place
        slot.1 = slot.1.saturating_add(count);
    }

    /// It was not so many after all.
    pub(super) fn take(&mut self, second: u64, count: u64) {
        let slot = self.slot(second);
        if slot.0 == second {
            slot.1 = slot.1.saturating_sub(count);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate is a float")]
    pub(crate) fn per_second(&self, now: u64) -> f64 {
        let over = |(second, _): &&(u64, u64)| *second < now && *second + SPAN >= now;
        let sum: u64 = self.ring.iter().filter(over).map(|(_, count)| count).sum();
        sum as f64 / SPAN as f64
    }

    fn slot(&mut self, second: u64) -> &mut (u64, u64) {
        &mut self.ring[usize::try_from(second % SLOTS as u64).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use super::Rate;

    #[test]
    fn the_last_ten_whole_seconds() {
        let mut rate = Rate::default();
        for second in 100..130 {
            rate.add(second, second);
        }
        rate.add(129, 20);
        rate.take(129, 10);
        let expected: u64 = (119..129).sum();
        assert!((rate.per_second(129) - expected as f64 / 10.0).abs() < 1e-9);
        assert!((rate.per_second(138) - (128 + 139) as f64 / 10.0).abs() < 1e-9);
        assert!(rate.per_second(200).abs() < 1e-9);
    }
}
