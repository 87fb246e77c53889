//! Which calls borrow from which legs of RM (rs.md §2.9 rule 7): those of one GUID, on whatever
//! days they lie. Legs of RM lie on the day that their GUID tells, or where they begin if it tells
//! none; calls of other components where they begin. Which days that are is kept in `call_day`.

use std::collections::{BTreeMap, BTreeSet};

use model::record::CallGuid;

use super::calls::DayGuid;
use crate::key::{Day, guid_day};

/// What is known of it in a share.
#[derive(Clone, Debug, Default)]
pub(super) struct Lending {
    /// GUIDs whose legs lend something else than before.
    changed: BTreeSet<String>,
    /// Those of them that another share has written.
    elsewhere: BTreeSet<String>,
    /// Where calls of a GUID lie that its time does not tell; absent: not asked for yet.
    days: BTreeMap<String, BTreeSet<Day>>,
    /// Calls that are to be made again by another share, since nobody knows what they borrowed.
    again: BTreeSet<DayGuid>,
}

impl Lending {
    /// A leg of this GUID lends something else than before.
    pub(super) fn change(&mut self, guid: String) {
        self.changed.insert(guid);
    }

    /// Likewise, in the share of another day.
    pub(super) fn change_elsewhere(&mut self, guids: BTreeSet<String>) {
        self.changed.extend(guids.iter().cloned());
        self.elsewhere.extend(guids);
    }

    /// What the calls of a day and GUID borrow is to be looked for once more, if a leg may lend it
    /// that lies on a later day: that is written after this one.
    pub(super) fn borrow_again(&mut self, of: DayGuid) {
        if told(&of.1).is_none_or(|told| told > of.0) {
            self.again.insert(of);
        }
    }

    /// Whether the calls of this GUID are to be made again.
    pub(super) fn has_changed(&self, guid: &str) -> bool {
        self.changed.contains(guid)
    }

    /// Whether they are, and what they borrowed before is not known here.
    pub(super) fn is_of_another(&self, guid: &str) -> bool {
        self.elsewhere.contains(guid)
    }

    /// GUIDs whose days are to be asked for: those that lend something else, and those of these
    /// borrowers that tell no day.
    pub(super) fn unknown<'g>(
        &self,
        borrowers: impl Iterator<Item = &'g String>,
    ) -> BTreeSet<String> {
        let timeless = borrowers.filter(|guid| told(guid).is_none()).cloned();
        let changed = self.changed.difference(&self.elsewhere).cloned();
        changed.chain(timeless).filter(|guid| !self.days.contains_key(guid)).collect()
    }

    /// Days that a GUID has calls on; no others are asked for once more.
    pub(super) fn know(&mut self, guid: String, days: impl IntoIterator<Item = Day>) {
        self.days.entry(guid).or_default().extend(days);
    }

    /// The days where legs of RM lie that lend to calls of this GUID.
    pub(super) fn lenders(&self, guid: &str) -> BTreeSet<Day> {
        told(guid).map_or_else(
            || self.days.get(guid).cloned().unwrap_or_default(),
            |day| BTreeSet::from([day]),
        )
    }

    /// Where calls lie that may borrow something else now; `only`: of that day.
    pub(super) fn borrowers(&self, only: Option<Day>) -> impl Iterator<Item = DayGuid> {
        self.changed.iter().flat_map(move |guid| {
            let days = match only {
                Some(only) => BTreeSet::from([only]),
                None => self.days.get(guid).cloned().unwrap_or_default(),
            };
            days.into_iter().map(|day| (day, guid.clone()))
        })
    }

    /// Those that another share than that of this day has to make again.
    pub(super) fn beside(&self, only: Day) -> BTreeSet<DayGuid> {
        let changed = self.changed.difference(&self.elsewhere);
        let all = changed.flat_map(|guid| {
            let days = self.days.get(guid).into_iter().flatten();
            days.map(|day| (*day, guid.clone()))
        });
        all.filter(|(day, _)| *day != only).chain(self.again.iter().cloned()).collect()
    }
}

fn told(guid: &str) -> Option<Day> {
    guid_day(&CallGuid::new(guid))
}
