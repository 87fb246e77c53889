//! What was said in a call (rs.md §6): where its events may lie, and how many of them are given.
//! A session id may be used again, so the calls are asked for that the events may belong to
//! ([`rs::correlate`]), and then for the times that are the one's own: what others said is not
//! looked at. Legs of RM have their session ids for themselves.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use model::record::{CallGuid, ComponentType};
use rs::correlate::{Candidate, Spans, shown};
use rs::report::Call;
use rs::share::SessionName;
use rs::{Day, Key, key};

use super::Event;

/// Events of a call that are given, the first ones.
const MOST_EVENTS: usize = 1000;
/// Days of a call whose events are looked for, from its first one on.
const MOST_DAYS: usize = 31;
/// Calls of one session that are looked at, those that began nearest to this one.
pub(super) const MOST_CALLS: i64 = rs::limits::CANDIDATES as i64;

/// Events of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// In order of time, then of number.
    pub first: Vec<Event>,
    /// There are more, or may be.
    pub is_cut: bool,
}

/// Which events are asked for next.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Days that they lie on.
    pub(super) days: Vec<Day>,
    /// What they name.
    pub(super) name: SessionName,
    /// When they happened, ms.
    pub(super) times: RangeInclusive<i64>,
}

/// The search for what was said in one call.
#[derive(Clone, Debug)]
pub(super) struct Search {
    at: (Day, Key),
    is_rm: bool,
    days: BTreeSet<Day>,
    said: Events,
}

/// Days where events of a call may lie that lies on this one: those that name a GUID with a time
/// lie where that says, the others where they happened; a minute before a call and what comes
/// after it may be on the days beside. Whether there would be more of them.
fn days(day: Day, call: &Call) -> (BTreeSet<Day>, bool) {
    let last = call.ended.map_or(Day::MAX, |ended| key::after(key::day(ended)));
    let mut days: BTreeSet<Day> =
        std::iter::successors(Some(key::before(day)), |day| Some(key::after(*day)))
            .take(MOST_DAYS + 2)
            .take_while(|day| *day <= last)
            .collect();
    let is_cut = call.ended.is_some() && !days.contains(&last);
    let told = call.guid.as_deref().and_then(|guid| key::guid_day(&CallGuid::new(guid)));
    days.extend(told);
    (days, is_cut)
}

/// The same of a call that is erased.
pub(super) fn days_of_events(day: Day, call: &Call) -> BTreeSet<Day> {
    days(day, call).0
}

impl Search {
    /// Of a call that lies on this day.
    pub(super) fn new(day: Day, call: &Call) -> Self {
        let (days, is_cut) = days(day, call);
        let is_rm = call.component.kind == ComponentType::Rm;
        let said = Events { first: Vec::new(), is_cut };
        Self { at: (day, call.key), is_rm, days, said }
    }

    /// The names that events may mean it with.
    pub(super) fn names(call: &Call) -> impl Iterator<Item = SessionName> + use<> {
        let guid = call.guid.clone().map(SessionName::Guid);
        let id = Some(call.session_id.clone()).filter(|id| !id.is_empty());
        id.map(SessionName::Id).into_iter().chain(guid)
    }

    /// Days of the calls that are asked for; empty: it has its events for itself.
    pub(super) fn candidates(&self) -> BTreeSet<Day> {
        let beside = self.days.iter().flat_map(|day| key::beside(*day));
        if self.is_rm { BTreeSet::new() } else { beside.collect() }
    }

    /// Where its events of this name are, when these are the calls that have it.
    pub(super) fn places(&self, name: &SessionName, calls: &[Candidate]) -> Vec<Place> {
        let mut alike: Vec<(Spans, Vec<Day>)> = Vec::new();
        for day in &self.days {
            let spans = match self.is_rm {
                true => vec![i64::MIN..=i64::MAX],
                false => shown(calls, *day, self.at),
            };
            match alike.iter_mut().find(|(others, _)| *others == spans) {
                Some((_, days)) => days.push(*day),
                None => alike.push((spans, vec![*day])),
            }
        }
        let places = alike.into_iter().flat_map(|(spans, days)| {
            let place = move |times| Place { days: days.clone(), name: name.clone(), times };
            spans.into_iter().map(place)
        });
        places.collect()
    }

    /// What is left to be asked of a place: until when, and how many; `None`: nothing.
    pub(super) fn left(&self, place: &Place) -> Option<(RangeInclusive<i64>, i64)> {
        let last = self.said.first.last().filter(|_| self.said.first.len() >= MOST_EVENTS);
        let until = last.map_or(i64::MAX, |event| event.time_ms);
        let times = *place.times.start()..=until.min(*place.times.end());
        (!times.is_empty()).then_some((times, MOST_EVENTS as i64 + 1))
    }

    /// These are there, too.
    pub(super) fn add(&mut self, events: Vec<Event>) {
        let said = &mut self.said;
        said.first.extend(events);
        said.first.sort_by_key(|event| (event.time_ms, event.seq));
        said.is_cut |= said.first.len() > MOST_EVENTS;
        said.first.truncate(MOST_EVENTS);
    }

    pub(super) fn end(self) -> Events {
        self.said
    }
}
