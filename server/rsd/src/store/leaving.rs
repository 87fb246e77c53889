//! What goes with calls (rs.md §10): of the calls that a slice has looked at those that are due,
//! and the events that are theirs by the rule that their details go by ([`rs::correlate`]), so that
//! nothing of another call goes whose session id is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use model::record::ComponentType;
use rs::correlate::{Candidate, spans};
use rs::retention::{Due, What, Which};
use rs::share::{SessionKey, SessionName};
use rs::{Day, Key, key};

use super::keeping::After;

/// A call that a slice looks at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seen {
    pub(super) started_ms: i64,
    pub(super) call_key: Key,
    pub(super) component_type: u8,
    pub(super) component_id: i64,
    pub(super) session_id: String,
    pub(super) guid: Option<String>,
    pub(super) live: bool,
    pub(super) ended_ms: Option<i64>,
    pub(super) tenant: Option<i64>,
    pub(super) profile: Option<i64>,
}

/// Times of a session at a component that are of calls that are due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaving {
    pub(super) component_id: i64,
    pub(super) name: SessionName,
    pub(super) times: RangeInclusive<i64>,
}

impl Seen {
    /// Whether something of it is due.
    pub(super) fn is_due(&self, due: &Due) -> bool {
        let ours = match due.which {
            Which::All => true,
            Which::Of { tenant, profile } => (self.tenant, self.profile) == (tenant, profile),
            Which::Loose => false,
        };
        ours && (due.what != What::Cdr || self.is_over(due))
    }

    /// Whether it has ended before.
    pub(super) fn is_over(&self, due: &Due) -> bool {
        !self.live && self.ended_ms.is_some_and(|ended_ms| ended_ms < due.before_ms)
    }

    const fn is_rm(&self) -> bool {
        self.component_type == ComponentType::Rm.number()
    }

    /// The names that events may mean it with.
    fn names(&self) -> impl Iterator<Item = SessionName> + use<> {
        let guid = self.guid.clone().filter(|_| !self.is_rm()).map(SessionName::Guid);
        let id = Some(self.session_id.clone()).filter(|id| !id.is_empty());
        id.map(SessionName::Id).into_iter().chain(guid)
    }
}

/// Where the next slice begins behind this page of so many calls at most; `None`: it was the last.
pub(super) fn behind(page: &[Seen], most: u32) -> Option<After> {
    let last = page.last().map(|last| After::Call(last.started_ms, last.call_key));
    last.filter(|_| page.len() as u64 >= u64::from(most))
}

/// The sessions whose calls are asked for: of these calls of a day, and the days beside. A leg of
/// RM has its session id for itself.
pub(super) fn sessions(day: Day, calls: &[Seen]) -> BTreeSet<SessionKey> {
    let calls = calls.iter().filter(|call| !call.is_rm());
    let names = calls.flat_map(|call| call.names().map(move |name| (call.component_id, name)));
    let beside = |(component, name): (i64, SessionName)| {
        key::beside(day).map(move |day| (day, component, name.clone()))
    };
    names.flat_map(beside).collect()
}

/// When something of the day was said in these calls of it, if `found` are all calls of their
/// sessions.
pub(super) fn leaving(day: Day, calls: &[Seen], found: &[(SessionKey, Candidate)]) -> Vec<Leaving> {
    let mut by_name: BTreeMap<(i64, &SessionName), Vec<Candidate>> = BTreeMap::new();
    for ((_, component, name), call) in found {
        by_name.entry((*component, name)).or_default().push(*call);
    }
    let mut leaving = Vec::new();
    for call in calls {
        let component_id = call.component_id;
        for name in call.names() {
            let times = match by_name.get(&(component_id, &name)) {
                _ if call.is_rm() => vec![i64::MIN..=i64::MAX],
                Some(calls) => spans(calls, day, (day, call.call_key)),
                None => Vec::new(),
            };
            let of = |times| Leaving { component_id, name: name.clone(), times };
            leaving.extend(times.into_iter().map(of));
        }
    }
    leaving
}
