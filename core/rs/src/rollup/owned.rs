//! What hangs on calls by their sessions, in figures: events of ports and failures. Each is one
//! call's, by the rule that the rows of calls go by ([`crate::correlate`]): a session id may be
//! used again, so all calls that it may mean are asked for, also those of the days beside.

use std::collections::{BTreeMap, BTreeSet};

use model::record::ComponentType;

use super::stored::{CallFacts, Stored};
use super::zone::five_of;
use crate::correlate::{Candidate, owner};
use crate::key::{self, Day};
use crate::share::{DayKey, SessionKey, SessionName};

/// An event of [`PORT_EVENTS`].
///
/// [`PORT_EVENTS`]: super::PORT_EVENTS
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PortFact {
    /// `time_ms`.
    pub time_ms: i64,
    /// `seq`.
    pub seq: i64,
    /// `log_id`.
    pub log_id: String,
}

/// A failure of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FailureFact {
    /// `time_ms` of the row of `sq_call` that has the same record: what one record tells is all of
    /// one call.
    pub told_ms: i64,
    /// Number of `type`.
    pub kind: u8,
}

/// What belongs to one call.
#[derive(Debug, Default)]
pub(super) struct Owned<'s> {
    /// By time and number.
    pub(super) ports: Vec<&'s PortFact>,
    pub(super) failures: BTreeSet<u8>,
}

/// Component and name of a session on any day.
type Name<'s> = (i64, &'s SessionName);

/// The sessions on the days beside, of which calls may be meant by facts of these.
#[must_use]
pub fn beside(sessions: &BTreeSet<SessionKey>) -> BTreeSet<SessionKey> {
    let days = |(day, component, name): &SessionKey| {
        let (component, name) = (*component, name.clone());
        key::beside(*day).into_iter().map(move |day| (day, component, name.clone()))
    };
    sessions.iter().flat_map(days).collect()
}

impl Stored {
    /// Once the calls are there: the sessions of which [`Stored::ports`] are wanted. `all`: as the
    /// question says.
    #[must_use]
    pub fn of_ports(&self, all: bool) -> BTreeSet<SessionKey> {
        self.sessions(|call| all || call.media.is_none())
    }

    /// Likewise those of which [`Stored::failures`] are wanted.
    #[must_use]
    pub fn of_failures(&self) -> BTreeSet<SessionKey> {
        self.sessions(|call| call.sq_failed == Some(true))
    }

    /// Once these are there too: the sessions of which [`Stored::candidates`] are wanted.
    #[must_use]
    pub fn of_candidates(&self) -> BTreeSet<SessionKey> {
        let ports = self.ports.iter().map(|(session, _)| session.clone());
        beside(&ports.chain(self.failures.iter().map(|(session, _)| session.clone())).collect())
    }

    fn sessions(&self, wanted: impl Fn(&CallFacts) -> bool) -> BTreeSet<SessionKey> {
        let calls = self.calls.iter().filter(|call| !call.is_rm() && wanted(call));
        let names = calls.flat_map(|call| {
            call.names().map(|name| (call.day, call.component_id, name)).collect::<Vec<_>>()
        });
        beside(&names.collect())
    }

    /// Whose each event and each failure is.
    pub(super) fn owned(&self) -> BTreeMap<DayKey, Owned<'_>> {
        let mut calls: BTreeMap<Name<'_>, Vec<Candidate>> = BTreeMap::new();
        for ((_, component, name), candidate) in &self.candidates {
            calls.entry((*component, name)).or_default().push(*candidate);
        }
        let of = |(day, component, name): &SessionKey, time_ms: i64| {
            owner(calls.get(&(*component, name))?, *day, time_ms)
        };
        let mut owned: BTreeMap<DayKey, Owned<'_>> = BTreeMap::new();
        for (session, event) in &self.ports {
            if let Some(call) = of(session, event.time_ms) {
                owned.entry(call).or_default().ports.push(event);
            }
        }
        for (session, failure) in &self.failures {
            if let Some(call) = of(session, failure.told_ms) {
                owned.entry(call).or_default().failures.insert(failure.kind);
            }
        }
        owned.values_mut().for_each(|owned| owned.ports.sort_unstable());
        owned
    }

    /// The five-minute bins that the things in this one hang together with, by day: those of
    /// sessions with events of ports, of all calls that these may belong to or have belonged to;
    /// and of legs of one session that are stored under several days.
    #[must_use]
    pub fn spread(&self) -> BTreeSet<(Day, i64)> {
        let mut events: BTreeMap<Name<'_>, Vec<(Day, i64)>> = BTreeMap::new();
        for ((day, component, name), event) in &self.ports {
            events.entry((*component, name)).or_default().push((*day, event.time_ms));
        }
        let mut days: BTreeMap<&str, BTreeSet<Day>> = BTreeMap::new();
        for call in &self.calls {
            if let Some(guid) = &call.guid {
                days.entry(guid).or_default().insert(call.day);
            }
        }
        let mut bins = BTreeSet::new();
        for call in &self.calls {
            let names: Vec<_> = call.names().filter(|_| !call.is_rm()).collect();
            let of_name = names.iter().filter_map(|name| events.get(&(call.component_id, name)));
            let near = of_name.flatten().filter(|(day, _)| key::beside(*day).contains(&call.day));
            let near: Vec<_> = near.map(|(_, time_ms)| *time_ms).collect();
            let days = call.guid.as_ref().and_then(|guid| days.get(guid.as_str()));
            if near.is_empty() && days.is_none_or(|days| days.len() < 2) {
                continue;
            }
            let all = near.into_iter().chain([call.started_ms]).chain(call.ended_ms);
            bins.extend(all.map(|at_ms| (call.day, five_of(at_ms))));
        }
        let of_ports = |(_, component, name): &SessionKey| events.contains_key(&(*component, name));
        for (_, call) in self.candidates.iter().filter(|(session, _)| of_ports(session)) {
            let both = [call.started_ms].into_iter().chain(call.ended_ms);
            bins.extend(both.map(|at_ms| (call.day, five_of(at_ms))));
        }
        bins
    }
}

impl CallFacts {
    pub(super) const fn is_rm(&self) -> bool {
        self.component_type == ComponentType::Rm.number()
    }

    /// The names that facts may mean it with.
    fn names(&self) -> impl Iterator<Item = SessionName> + use<> {
        let guid = self.guid.clone().map(SessionName::Guid);
        guid.into_iter().chain([SessionName::Id(self.session_id.clone())])
    }
}
