//! A volume that is nearly full: the alarm, and events that go early to relieve it.

use super::export::{Kept, Leaving};
use super::purge::{Keep, Report, emergency};
use super::{LEASE_MS, Pace, Parts, ROUND_MS, Work, signs, tell};
use crate::alarms::Name;
use crate::machine;
use crate::store::StoreError;

impl Work {
    /// The room of the volume.
    pub(super) fn space(&mut self, now_ms: i64) {
        let Parts { desk, monitor, volume: Some(dir), log, .. } = &self.parts else { return };
        let free = || machine::free_percent(dir).unwrap_or(100);
        let short = signs::room(free(), monitor.alarms.is_up(Name::DbSpace));
        let is_short = short.is_some();
        self.alarm(Name::DbSpace, short);
        if !is_short || !desk.settings().emergency {
            self.stuck = None;
            return;
        }
        match self.relieve(&free, now_ms) {
            // another RS is at it
            Ok(None) => {}
            Ok(Some(report)) => {
                if report.rows > 0 {
                    log.emit(35002, None, &[("events", &report.rows.to_string())]);
                }
                let stopped = desk.is_stopping() || free() >= signs::ENOUGH;
                self.stuck = if stopped { None } else { signs::stuck(&report) };
            }
            Err(error) => tell(log, "emergency", &error),
        }
    }

    /// Whether the files would go onto the volume of the database.
    fn is_same_volume(&self) -> bool {
        let Parts { desk, volume, .. } = &self.parts;
        let dir = desk.settings().export.map(|export| export.dir);
        volume.as_ref().zip(dir).is_some_and(|(one, other)| machine::is_same_volume(one, &other))
    }

    /// Events of days that are over go until enough of the volume is free; `None`: another RS has
    /// the lease.
    fn relieve(&self, free: &dyn Fn() -> u64, now_ms: i64) -> Result<Option<Report>, StoreError> {
        let Parts { store, desk, holder, clock, .. } = &self.parts;
        let keeping = store.keeping();
        let take = |now_ms| keeping.take_lease("retention", holder, now_ms, now_ms + LEASE_MS);
        let Some(lease) = take(now_ms)? else { return Ok(None) };
        let same = |now_ms| take(now_ms).is_ok_and(|ours| ours.as_ref() == Some(&lease));
        // a day is written down whole, or all of it was in vain
        let window = i64::try_from(desk.settings().window.as_millis()).unwrap_or(i64::MAX);
        let window = if self.export.is_some() { window.max(ROUND_MS) } else { ROUND_MS };
        let mut pace = Pace::new(*clock, now_ms.saturating_add(window));
        let mut next = || desk.next(&mut pace, same).filter(|_| free() < signs::ENOUGH);
        let today_ms = desk.zone.day_start(now_ms, 0);
        let keeper = self.keeper(&lease);
        let never = |_: &Leaving<'_>, _: &mut dyn FnMut() -> Option<u32>| {
            Ok(Kept::Not("its files would fill the same volume".to_owned()))
        };
        let written: Keep<'_> = if self.is_same_volume() { &never } else { &keeper };
        let report = emergency(keeping, &lease, today_ms, written, &mut next)?;
        keeping.end_lease(&lease)?;
        Ok(Some(report))
    }
}
