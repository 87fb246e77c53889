//! Which calls borrow from which legs of RM (rs.md §2.9 rule 7): those of one GUID. Legs of RM lie
//! on the day that their GUID tells, or where they begin if it tells none; calls of other
//! components where they begin. Which days that are is kept in `call_day`.
//!
//! A GUID that tells its day is of one session, whatever day a call of it lies on. One that tells
//! none may be used again: a call borrows from legs of its own day and of those beside it.

use std::collections::{BTreeMap, BTreeSet};

use model::record::CallGuid;

use super::calls::DayGuid;
use crate::correlate::Lender;
use crate::key::{self, Day};

/// What is known of it in a share.
#[derive(Clone, Debug, Default)]
pub(super) struct Lending {
    /// GUIDs whose legs lend something else than before, and the days of these legs.
    changed: BTreeMap<String, BTreeSet<Day>>,
    /// GUIDs whose legs do that another share has written.
    elsewhere: BTreeSet<String>,
    /// Where calls of a GUID lie that its time does not tell; absent: not asked for yet.
    days: BTreeMap<String, BTreeSet<Day>>,
    /// Calls that are to be made again by another share, since nobody knows what they borrowed.
    again: BTreeSet<DayGuid>,
}

/// Legs that lend, the one of each day that goes before its others.
#[derive(Debug, Default)]
pub(super) struct Lenders(BTreeMap<String, BTreeMap<Day, Lender>>);

impl Lending {
    /// A leg of this day and GUID lends something else than before.
    pub(super) fn change(&mut self, (day, guid): DayGuid) {
        self.changed.entry(guid).or_default().insert(day);
    }

    /// A leg in a share of another day does, from which calls of this share's day borrow.
    pub(super) fn change_elsewhere(&mut self, guid: String) {
        self.elsewhere.insert(guid);
    }

    /// What the calls of a day and GUID borrow is to be looked for once more, if a leg may lend it
    /// that lies on a later day: that is written after this one.
    pub(super) fn borrow_again(&mut self, of: DayGuid) {
        if told(&of.1).is_none_or(|told| told > of.0) {
            self.again.insert(of);
        }
    }

    /// Whether the calls of this GUID on this day are to be made again.
    pub(super) fn has_changed(&self, guid: &str, day: Day) -> bool {
        let mut legs = self.changed.get(guid).into_iter().flatten();
        self.is_of_another(guid) || legs.any(|leg| reaches(guid, *leg, day))
    }

    /// Whether they are, and what they borrowed before is not known here.
    pub(super) fn is_of_another(&self, guid: &str) -> bool {
        self.elsewhere.contains(guid)
    }

    /// GUIDs whose days are to be asked for: those that lend something else, and those of these
    /// borrowers that tell no day.
    pub(super) fn unknown<'g>(
        &'g self,
        borrowers: impl Iterator<Item = &'g String>,
    ) -> BTreeSet<String> {
        let timeless = borrowers.filter(|guid| told(guid).is_none());
        let all = self.changed.keys().chain(timeless);
        all.filter(|guid| !self.days.contains_key(*guid)).cloned().collect()
    }

    /// Days that a GUID has calls on; no others are asked for once more.
    pub(super) fn know(&mut self, guid: String, days: impl IntoIterator<Item = Day>) {
        self.days.entry(guid).or_default().extend(days);
    }

    /// The days where legs of RM lie that lend to the calls of a day and GUID.
    pub(super) fn lenders(&self, (day, guid): (Day, &str)) -> BTreeSet<Day> {
        let Some(told) = told(guid) else {
            let days = self.days.get(guid).into_iter().flatten().copied();
            return days.filter(|leg| reaches(guid, *leg, day)).collect();
        };
        BTreeSet::from([told])
    }

    /// Where calls lie that may borrow something else now; `only`: of that day.
    pub(super) fn borrowers(&self, only: Option<Day>) -> impl Iterator<Item = DayGuid> {
        let guids = self.changed.keys().chain(&self.elsewhere);
        let all = guids.flat_map(move |guid| {
            let days = match only {
                Some(only) => BTreeSet::from([only]),
                None => self.days.get(guid).cloned().unwrap_or_default(),
            };
            days.into_iter().map(|day| (day, guid.clone()))
        });
        all.filter(|(day, guid)| self.has_changed(guid, *day))
    }

    /// Those that another share than that of this day has to make again.
    pub(super) fn beside(&self, only: Day) -> BTreeSet<DayGuid> {
        let all = self.changed.keys().flat_map(|guid| {
            let days = self.days.get(guid).into_iter().flatten();
            days.map(|day| (*day, guid.clone()))
        });
        let there = all.filter(|(day, guid)| *day != only && self.has_changed(guid, *day));
        there.chain(self.again.iter().cloned()).collect()
    }
}

impl Lenders {
    /// One more.
    pub(super) fn put(&mut self, guid: &str, lender: Lender) {
        let days = self.0.entry(guid.to_owned()).or_default();
        let other = days.remove(&lender.day);
        if let Some(first) = Lender::pick(other.into_iter().chain([lender])) {
            days.insert(first.day, first);
        }
    }

    /// Who lends to the calls of a day and GUID.
    pub(super) fn of(&self, guid: &str, day: Day) -> Option<&Lender> {
        let days = self.0.get(guid)?.iter();
        Lender::pick(days.filter(|(leg, _)| reaches(guid, **leg, day)).map(|(_, lender)| lender))
    }
}

/// Whether a leg of one day lends to a call of another. A call that begins within a day of the leg
/// always borrows, which is as long as one is believed to last without a word of it (rs.md §3.6).
fn reaches(guid: &str, leg: Day, call: Day) -> bool {
    key::beside(call).contains(&leg) || told(guid).is_some()
}

fn told(guid: &str) -> Option<Day> {
    key::guid_day(&CallGuid::new(guid))
}
