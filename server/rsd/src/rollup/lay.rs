//! The zone of larger bins over time (spec rs.md §4.1): it is laid down by the holder of the lease,
//! and one whose zone is another makes no bins at all, since the marks of larger ones would be of
//! its own zone.

use rs::rollup::{Changes, Granularity, Meta, State, rebuild};

use super::Place;
use crate::error::StartError;
use crate::store::StoreError;
use crate::store::bins::Bins;

/// Larger bins are of the zone of the settings from now on; those of another one are made anew.
/// False: something else was decided meanwhile.
pub(super) fn lay(
    bins: &dyn Bins,
    state: &State,
    place: &Place,
    fence: u64,
    now_ms: i64,
) -> Result<bool, StoreError> {
    if state.zone.as_ref() == Some(&place.name) {
        return Ok(true);
    }
    let (guard, meta) = (state.guard(), state.zoned(&place.name));
    let mut changes = Changes { fence: Some(fence), guard, meta, ..Changes::default() };
    if state.zone.is_some() {
        // what cannot be made again of five minutes stays as it is
        let kept_ms = state.kept_ms(Granularity::FiveMinutes);
        let (first_ms, last_ms) = bins.extent()?.unwrap_or_default();
        changes.marks = rebuild(&place.zone, first_ms.max(kept_ms), last_ms + 1);
        changes.marks.retain(|mark| mark.job.number() > Granularity::FiveMinutes.number());
        changes.remake = Some(kept_ms);
    }
    bins.write(&changes, now_ms)
}

/// Why the zone of the settings cannot be that of the bins: they are of another one, and are not to
/// be made anew.
pub(super) fn refused(state: &State, place: &Place, remake: bool) -> Option<String> {
    let other = state.zone.as_ref().filter(|zone| **zone != place.name && !remake);
    other.map(|zone| {
        format!(
            "rs.time_zone, rs.week_start: the bins are of {zone}, not of {}; \
             rs.time_zone_rebuild: true makes them anew after a start",
            place.name
        )
    })
}

/// Refuses a start whose zone is another than that of the bins. A database that cannot be looked at
/// is asked later.
pub(crate) fn check_zone(meta: &Meta, place: &Place, remake: bool) -> Result<(), StartError> {
    let why = refused(&State::of(meta), place, remake);
    why.map_or(Ok(()), |why| Err(StartError::Settings(why)))
}

#[cfg(test)]
mod tests {
    use model::time::Millis;
    use rs::rollup::{Changes, Granularity, Job, Mark, State, Tables as _, Weekday};

    use super::{Place, lay, refused};
    use crate::store::StoreError;
    use crate::store::bins::{Bins as _, LEASE};
    use crate::store::keeping::Keeping as _;
    use crate::store::sqlite::Sqlite;

    fn place(name: &str) -> Place {
        Place::of(Some(name), Weekday::Monday).unwrap()
    }

    #[test]
    fn a_zone_is_laid_by_the_holder_and_not_made_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = Sqlite::new(dir.path().to_owned(), Millis(1_795_341_600_000));
        let take = |holder: &str, now_ms| {
            store.take_lease(LEASE, holder, now_ms, now_ms + 10).unwrap().unwrap().fence
        };
        let state = || State::of(&store.meta().unwrap());
        let (old, new) = (place("Europe/Berlin"), place("America/New_York"));
        let first = take("one", 0);
        assert!(lay(&store, &state(), &old, first, 0).unwrap());
        assert_eq!(state().zone.as_ref(), Some(&old.name));
        let before = state();
        // another RS takes the lease, and makes bins anew
        let day = Mark { job: Job::Make(Granularity::Day), bin_ms: 0 };
        store.note(&[day].into(), &rs::rollup::Meta::new(), 0).unwrap();
        assert!(refused(&before, &new, false).is_some());
        assert_eq!(refused(&before, &new, true), None);
        let second = take("other", 20);
        assert!(lay(&store, &before, &new, second, 20).unwrap());
        assert_eq!(state().zone.as_ref(), Some(&new.name));
        let marks = |of| store.marks(Job::Make(of), i64::MIN, i64::MAX, 9).unwrap();
        assert!(marks(Granularity::Day).iter().all(|row| row.mark != day), "of the old zone");
        // the first one writes nothing any more: neither a zone, nor what it made
        let fenced = lay(&store, &state(), &old, first, 20).unwrap_err();
        assert!(matches!(fenced, StoreError::Fenced(LEASE)), "{fenced}");
        let made = Changes { guard: before.guard(), ..Changes::default() };
        assert!(!store.write(&made, 20).unwrap(), "made under the old zone");
        assert_eq!(state().zone, Some(new.name));
    }
}
