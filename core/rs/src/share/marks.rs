//! Which bins are to be made again for what a share stores (rs.md §4.5).
//!
//! A mark too many costs time, one too few a wrong figure for ever: so where it would take more
//! rows to know for certain, the bin is marked.

use std::collections::BTreeSet;

use model::record::{Body, ComponentType};

use super::calls::{Calls, Turn};
use super::item::Good;
use super::objects::Objects;
use crate::key::Day;
use crate::rollup::{Call, DayMark, Mark, PORT_EVENTS, five_of, touched, touched_session};

/// Of the calls that change, by themselves and as sessions.
pub(super) fn calls(calls: &Calls, objects: &Objects, marks: &mut BTreeSet<DayMark>) {
    for turn in calls.turns() {
        let (day, row) = (turn.at.0, turn.after);
        marks.extend(of_turn(&turn).into_iter().map(|bin_ms| (day, Mark::five(bin_ms))));
        // the events that are left lead to the other bins
        let lost = calls.lost_ports(turn.at, row, objects);
        if lost {
            let both = [row.started_ms].into_iter().chain(row.ended_ms);
            marks.extend(both.map(|at_ms| (day, Mark::five(five_of(at_ms)))));
        }
        if lost || is_other(&turn) && calls.has_ports(turn.at, row, objects) {
            marks.insert((day, Mark::spread(five_of(row.started_ms))));
        }
    }
    for ((day, _), (old, new)) in calls.legs() {
        let sketched = |rows: Vec<_>| rows.into_iter().map(Call::sketched).collect::<Vec<_>>();
        let (old, new) = (sketched(old), sketched(new));
        let (old, new): (Vec<_>, Vec<_>) = (old.iter().collect(), new.iter().collect());
        let bins = touched_session(&old, &new).into_iter();
        marks.extend(bins.map(|bin_ms| (day, Mark::five(bin_ms))));
    }
}

/// Whether a call lies otherwise in the figures than before, or may have other events.
fn is_other(turn: &Turn<'_>) -> bool {
    let of = |row| (Call::sketched(row), row.media.is_some(), row.session_id.as_str());
    turn.borrows_anew || turn.before.map(of) != Some(of(turn.after))
}

fn of_turn(turn: &Turn<'_>) -> BTreeSet<i64> {
    let (old, new) = (turn.before.map(Call::sketched), Call::sketched(turn.after));
    let mut bins = touched(old.as_ref(), Some(&new));
    if turn.borrows_anew {
        bins.extend(touched(None, Some(&new)));
        bins.extend(touched(old.as_ref(), None));
    }
    // what hangs on it, which is not in its row, counts when it is over
    if turn.after.component_type != ComponentType::Rm.number() {
        bins.extend(turn.after.ended_ms.map(five_of));
    }
    bins
}

/// Of an event that tells of a port: the call is not looked for here.
pub(super) fn event(day: Day, log_id: &str, time_ms: i64, marks: &mut BTreeSet<DayMark>) {
    if PORT_EVENTS.contains(&log_id) {
        let bin_ms = five_of(time_ms);
        marks.extend([(day, Mark::spread(bin_ms)), (day, Mark::five(bin_ms))]);
    }
}

/// Of figures that a producer counted itself: their day touches these bins, also without calls.
pub(super) fn kept(day: Day, bins: BTreeSet<i64>, marks: &mut BTreeSet<DayMark>) {
    marks.extend(bins.into_iter().map(|bin_ms| (day, Mark::five(bin_ms))));
}

/// Of a leg whose session may have others on other days, which are not known here.
pub(super) fn apart(good: &Good, marks: &mut BTreeSet<DayMark>) {
    if let Body::Cdr(cdr) = &good.record.body {
        let started_ms = i64::try_from(cdr.started_at.0).unwrap_or(i64::MAX);
        marks.insert((good.fact.keys.day, Mark::spread(five_of(started_ms))));
    }
}
