//! The values of retention in force, and what the job of retention and the API tell each other.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use config::settings::Retention;
use rs::privacy::Hush;
use rs::rollup::Zone;

use super::pace::Pace;
use super::purge::Report;
use super::terms::Annexes;
use crate::jobs::Jobs;

/// What the job and the API share.
pub(crate) struct Desk {
    /// `rs.retention`, with what options of the Application object lay over it.
    settings: RwLock<Retention>,
    /// Zone of the days.
    pub(crate) zone: Zone,
    /// `rs.privacy.drop_events`
    pub(super) hush: Hush,
    /// Where runs are asked for.
    pub(super) jobs: Arc<Jobs>,
    /// What the Annexes of tenants and profiles say; `None`: no configuration is known yet.
    annexes: RwLock<Option<Arc<Annexes>>>,
    state: Mutex<State>,
    pub(super) wake: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) stopping: bool,
    /// The overrides have changed.
    pub(super) stale: bool,
    pub(super) last: Option<(i64, Report)>,
}

impl Desk {
    pub(crate) fn new(settings: Retention, zone: Zone, hush: Hush, jobs: Arc<Jobs>) -> Self {
        Self {
            settings: RwLock::new(settings),
            zone,
            hush,
            jobs,
            annexes: RwLock::default(),
            state: Mutex::default(),
            wake: Condvar::new(),
        }
    }

    /// The settings in force.
    pub(crate) fn settings(&self) -> Retention {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Others are in force from now on.
    pub(crate) fn set(&self, settings: Retention) {
        let mut own = self.settings.write().unwrap_or_else(PoisonError::into_inner);
        if *own != settings {
            *own = settings;
            drop(own);
            self.changed();
        }
    }

    /// What the Annexes say in the configuration in force; `None`: none is known yet.
    pub(crate) fn annexes(&self) -> Option<Arc<Annexes>> {
        self.annexes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Others are in force from now on.
    pub(crate) fn annex(&self, said: Annexes) {
        let mut own = self.annexes.write().unwrap_or_else(PoisonError::into_inner);
        if own.as_deref() != Some(&said) {
            *own = Some(Arc::new(said));
            drop(own);
            self.changed();
        }
    }

    /// The values have changed: what comes is judged by the new ones.
    pub(crate) fn changed(&self) {
        self.state().stale = true;
        self.wake.notify_all();
    }

    /// When the last run of this process began, and what it did.
    pub(crate) fn last(&self) -> Option<(i64, Report)> {
        self.state().last.clone()
    }

    /// The next moment at which the purge begins.
    pub(crate) fn next_ms(&self, now_ms: i64) -> i64 {
        let today = self.begins_ms(now_ms);
        if now_ms < today {
            return today;
        }
        let day = Duration::from_secs(26 * 3600).as_millis();
        let tomorrow = self.zone.day_start(now_ms, 0) + i64::try_from(day).unwrap_or_default();
        self.begins_ms(tomorrow)
    }

    /// When it begins on the day of an instant.
    pub(super) fn begins_ms(&self, at_ms: i64) -> i64 {
        self.zone.day_start(at_ms, 0) + i64::from(self.settings().at) * 60_000
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves the database to others for a while.
    pub(super) fn rest(&self, pause: Duration) {
        let calm = |state: &mut State| !state.stopping;
        drop(self.wake.wait_timeout_while(self.state(), pause, calm));
    }

    /// Rows of the next slice, when others have had the database for as long as the last one took;
    /// `None`: the run ends, also because other values are in force than it goes by.
    pub(super) fn next(&self, pace: &mut Pace, renew: impl FnOnce(i64) -> bool) -> Option<u32> {
        self.rest(pace.pause());
        let ends = {
            let state = self.state();
            state.stopping || state.stale
        };
        pace.next(renew).filter(|_| !ends)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.state().stopping
    }
}

#[cfg(test)]
mod tests {
    use net::Clock;
    use rs::rollup::Weekday;

    use super::*;

    /// Whoever was told that a value is in force loses nothing to the one before.
    #[test]
    fn a_run_ends_when_other_values_are_in_force() {
        let (zone, jobs) = (Zone::new(0, [], Weekday::Monday), Arc::<Jobs>::default());
        let desk = Desk::new(Retention::default(), zone, Hush::default(), jobs);
        let mut pace = Pace::new(Clock::start(), i64::MAX);
        assert!(desk.next(&mut pace, |_| true).is_some());
        desk.set(Retention { cdr: 400, ..Retention::default() });
        assert_eq!(desk.next(&mut pace, |_| true), None);
        assert!(std::mem::take(&mut desk.state().stale), "the job reads them");
        assert!(desk.next(&mut pace, |_| true).is_some());
    }
}
