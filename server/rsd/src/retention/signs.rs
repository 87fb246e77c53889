//! When the alarms of the job are up: a day that waits for its figures, and a volume that is nearly
//! full. Times and figures are arguments.

use std::collections::BTreeMap;

use crate::store::Day;

/// A day that waits so long for its figures raises the alarm, ms.
const BLOCKED_MS: i64 = 86_400_000;
/// Free part of the volume below which the alarm is raised, percent.
const SHORT: u64 = 10;
/// Free part of the volume at which it is over, percent.
pub(super) const ENOUGH: u64 = 12;

/// Days that may go but wait for their figures, and since when.
#[derive(Debug, Default)]
pub(super) struct Waiting(BTreeMap<Day, i64>);

impl Waiting {
    /// These wait now, and no others.
    pub(super) fn are(&mut self, blocked: &[Day], now_ms: i64) {
        self.0.retain(|day, _| blocked.contains(day));
        for day in blocked {
            self.0.entry(*day).or_insert(now_ms);
        }
    }

    /// Why the alarm is up; `None`: it is not.
    pub(super) fn late(&self, now_ms: i64) -> Option<String> {
        let late = self.0.iter().find(|(_, since)| now_ms - **since >= BLOCKED_MS);
        late.map(|(day, _)| format!("day {day} waits for its figures"))
    }
}

/// Why the alarm is up when so much of the volume is free; `None`: it is not.
pub(super) fn room(free: u64, was_up: bool) -> Option<String> {
    let least = if was_up { ENOUGH } else { SHORT };
    (free < least).then(|| format!("{free} % of the volume is free"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Day = 20_261_122;
    const START: i64 = 1_800_000_000_000;

    #[test]
    fn a_day_that_waits_for_a_day_raises_the_alarm_until_its_figures_are_made() {
        let mut waiting = Waiting::default();
        waiting.are(&[DAY, DAY + 1], START);
        waiting.are(&[DAY + 1, DAY + 2], START + 1000);
        assert_eq!(waiting.late(START + BLOCKED_MS - 1), None, "not yet");
        let late = waiting.late(START + BLOCKED_MS).unwrap();
        assert_eq!(late, "day 20261123 waits for its figures", "since it was first seen");
        waiting.are(&[DAY + 2], START + 2000);
        assert_eq!(waiting.late(START + BLOCKED_MS), None, "made");
        assert!(waiting.late(START + BLOCKED_MS + 1000).is_some());
        waiting.are(&[], START + 5000);
        assert_eq!(waiting.late(i64::MAX), None);
    }

    #[test]
    fn the_volume_is_short_below_10_percent_until_12() {
        let up = |free, was_up| room(free, was_up).is_some();
        assert_eq!([9, 10, 11, 12].map(|free| up(free, false)), [true, false, false, false]);
        assert_eq!([9, 10, 11, 12].map(|free| up(free, true)), [true, true, true, false]);
        assert_eq!(room(3, false).unwrap(), "3 % of the volume is free");
    }
}
