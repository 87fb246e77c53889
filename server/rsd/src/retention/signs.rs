//! When the alarms of the job are up: a day that waits for its figures, and a volume that is nearly
//! full. Times and figures are arguments.

use std::collections::BTreeMap;

use super::purge::{Report, Why};
use crate::store::Day;

/// A day that waits so long raises the alarm, ms.
const BLOCKED_MS: i64 = 86_400_000;
/// Free part of the volume below which the alarm is raised, percent.
const SHORT: u64 = 10;
/// Free part of the volume at which it is over, percent.
pub(super) const ENOUGH: u64 = 12;

/// Days that may not go, since when, and why.
#[derive(Debug, Default)]
pub(super) struct Waiting(BTreeMap<Day, (i64, Why)>);

impl Waiting {
    /// These wait now, and no others.
    pub(super) fn are(&mut self, blocked: &BTreeMap<Day, Why>, now_ms: i64) {
        self.0.retain(|day, _| blocked.contains_key(day));
        for (day, why) in blocked {
            let waiting = self.0.entry(*day).or_insert_with(|| (now_ms, why.clone()));
            waiting.1.clone_from(why);
        }
    }

    /// Why the alarm is up; `None`: it is not.
    pub(super) fn late(&self, now_ms: i64) -> Option<String> {
        let late = self.0.iter().find(|(_, (since, _))| now_ms - since >= BLOCKED_MS);
        late.map(|(day, (_, why))| format!("day {day} {why}"))
    }
}

/// Why the alarm is up when so much of the volume is free; `None`: it is not.
pub(super) fn room(free: u64, was_up: bool) -> Option<String> {
    let least = if was_up { ENOUGH } else { SHORT };
    (free < least).then(|| format!("{free} % of the volume is free"))
}

/// Why a volume stays nearly full after events have gone early; `None`: they still go.
pub(super) fn stuck(report: &Report) -> Option<String> {
    let blocked = report.blocked.first_key_value();
    let blocked = blocked.map(|(day, why)| format!("day {day} {why}"));
    let in_vain = !report.finished && report.rows == 0;
    let late = || "no day was written down within the window".to_owned();
    blocked.or_else(|| in_vain.then(late))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Day = 20_261_122;
    const START: i64 = 1_800_000_000_000;

    #[test]
    fn a_day_that_waits_for_a_day_raises_the_alarm_until_its_figures_are_made() {
        let mut waiting = Waiting::default();
        let figures = |days: &[Day]| days.iter().map(|day| (*day, Why::Figures)).collect();
        waiting.are(&figures(&[DAY, DAY + 1]), START);
        waiting.are(&figures(&[DAY + 1, DAY + 2]), START + 1000);
        assert_eq!(waiting.late(START + BLOCKED_MS - 1), None, "not yet");
        let late = waiting.late(START + BLOCKED_MS).unwrap();
        assert_eq!(late, "day 20261123 waits for its figures", "since it was first seen");
        let full = Why::Export("/e: no room".to_owned());
        waiting.are(&[(DAY + 2, full)].into(), START + 2000);
        assert_eq!(waiting.late(START + BLOCKED_MS), None, "made");
        let late = waiting.late(START + BLOCKED_MS + 1000).unwrap();
        assert_eq!(late, "day 20261124 cannot be written down: /e: no room");
        waiting.are(&BTreeMap::new(), START + 5000);
        assert_eq!(waiting.late(i64::MAX), None);
    }

    #[test]
    fn a_volume_that_stays_full_tells_why() {
        let why = |rows, finished, blocked: &[(Day, Why)]| {
            let blocked = blocked.iter().cloned().collect();
            stuck(&Report { rows, finished, blocked, ..Report::default() })
        };
        let full = [(DAY, Why::Export("/e: no room".to_owned()))];
        let told = "day 20261122 cannot be written down: /e: no room";
        assert_eq!(why(7, false, &full).as_deref(), Some(told));
        assert!(why(0, false, &[]).is_some(), "the window was too short for one day");
        assert_eq!(why(7, false, &[]), None, "they still go");
        assert_eq!(why(0, true, &[]), None, "nothing is left that could go");
    }

    #[test]
    fn the_volume_is_short_below_10_percent_until_12() {
        let up = |free, was_up| room(free, was_up).is_some();
        assert_eq!([9, 10, 11, 12].map(|free| up(free, false)), [true, false, false, false]);
        assert_eq!([9, 10, 11, 12].map(|free| up(free, true)), [true, true, true, false]);
        assert_eq!(room(3, false).unwrap(), "3 % of the volume is free");
    }
}
