//! What belongs to which call (rs.md §2.9).
//!
//! Events, reports and quality carry no start of their call: of all calls of their component and
//! session the one whose time they fit belongs to them ([`owner`]), and no other. What a call's row
//! shows and what its figures count go by this one rule. Who asks for what belongs to one call does
//! so by the times at which that is its own ([`spans`], [`shown`]).
//!
//! Rule 7: a media server's call takes tenant and profile from RM's record.
//! What a call borrows is never stored in its state: it is looked up when its row is made, so that
//! it makes no difference which of the two came first. The store asks after every change of an RM
//! call that lends something else ([`crate::Change::lends`]): the rows of the other calls of that
//! GUID are made again; and of every other call with a GUID: which RM calls there are.

mod span;

use std::cmp::Reverse;

use crate::fact::{Object, ProfileFact};
use crate::key::{self, Day, Key};
use crate::limits::AROUND_A_CALL_MS;
use crate::row::{Named, ProfileName};

pub use span::{Spans, shown, spans};

/// One of the calls that an event may belong to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// The day that the call lies on.
    pub day: Day,
    /// The call.
    pub call_key: Key,
    /// When it began.
    pub started_ms: i64,
    /// When it ended; `None` = in progress.
    pub ended_ms: Option<i64>,
}

impl Candidate {
    /// How far a time is from the call; 0 inside of it.
    fn distance(&self, time_ms: i64) -> i64 {
        let before = self.started_ms.saturating_sub(time_ms);
        before.max(time_ms.saturating_sub(self.last_ms())).max(0)
    }

    /// Its last moment: of a call in progress there is none.
    fn last_ms(&self) -> i64 {
        self.ended_ms.map_or(i64::MAX, |ended_ms| ended_ms.max(self.started_ms))
    }
}

/// Which of two calls is the later one.
const fn order(call: &Candidate) -> (i64, Key) {
    (call.started_ms, call.call_key)
}

/// The call of one component and session that something of this day and time belongs to: of those
/// that lie on its day or beside it one whose interval, a minute longer at both ends, holds it, the
/// nearest and of equals the latest; else the latest one that began before it.
#[must_use]
pub fn owner(calls: &[Candidate], day: Day, time_ms: i64) -> Option<(Day, Key)> {
    let days = key::beside(day);
    let calls = || calls.iter().filter(|call| days.contains(&call.day));
    let near = calls().filter(|call| call.distance(time_ms) <= AROUND_A_CALL_MS);
    let near = near.min_by_key(|call| (call.distance(time_ms), Reverse(order(call))));
    let before =
        || calls().filter(|call| call.started_ms <= time_ms).max_by_key(|call| order(call));
    near.or_else(before).map(|call| (call.day, call.call_key))
}

/// What an RM call lends to the other calls of its GUID.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lender {
    /// Where it lies.
    pub day: Day,
    /// Start of the leg: the earliest one lends …
    pub started_ms: i64,
    /// … of equals that of the lowest leg id.
    pub leg: u32,
    /// Its tenant path; empty = none was selected.
    pub tenant: Vec<Object>,
    /// Its profile.
    pub profile: Option<ProfileFact>,
}

impl Lender {
    /// The one that lends, of all RM calls of a GUID.
    pub fn pick<L: std::borrow::Borrow<Self>>(lenders: impl IntoIterator<Item = L>) -> Option<L> {
        lenders.into_iter().min_by_key(|lender| (lender.borrow().started_ms, lender.borrow().leg))
    }
}

/// The path a call has: its own, else the lender's. A name without path is completed from a
/// lender whose tenant has that name.
pub(crate) fn tenant<'f>(own: &'f [Object], lender: Option<&'f Lender>) -> &'f [Object] {
    let lent = lender.map_or(&[][..], |lender| &lender.tenant);
    match (own, lent.last()) {
        ([], _) => lent,
        ([only], Some(leaf)) if only.dbid.is_none() && only.name == leaf.name => lent,
        _ => own,
    }
}

/// The profile a call has, likewise.
pub(crate) fn profile<'f>(
    own: Option<&'f ProfileFact>,
    lender: Option<&'f Lender>,
) -> Option<&'f ProfileFact> {
    let lent = lender.and_then(|lender| lender.profile.as_ref());
    match (own, lent) {
        (None, lent) => lent,
        (Some(own), Some(lent))
            if own.object.dbid.is_none() && own.object.name == lent.object.name =>
        {
            Some(lent)
        }
        (own, _) => own,
    }
}

impl From<&Object> for Named {
    fn from(object: &Object) -> Self {
        Self { dbid: object.dbid, name: object.name.clone() }
    }
}

impl From<&ProfileFact> for ProfileName {
    fn from(profile: &ProfileFact) -> Self {
        let Object { dbid, name } = profile.object.clone();
        Self { dbid, name, service: profile.service }
    }
}

#[cfg(test)]
mod tests {
    use super::{Candidate, owner};

    #[test]
    fn a_session_id_that_is_used_again() {
        const DAY: u32 = 20_261_122;
        let call = |name: u8, started_ms, ended_ms| Candidate {
            day: DAY,
            call_key: [name; 16],
            started_ms,
            ended_ms,
        };
        let calls = [
            call(1, 1_000_000, Some(1_200_000)),
            call(2, 1_230_000, Some(1_300_000)),
            call(3, 5_000_000, None),
        ];
        let cases = [
            (900_000, None),
            (940_000, Some(1)),
            (1_100_000, Some(1)),
            (1_210_000, Some(1)),
            (1_215_000, Some(2)),
            (1_229_000, Some(2)),
            (1_250_000, Some(2)),
            (2_000_000, Some(2)),
            (4_950_000, Some(3)),
            (9_000_000, Some(3)),
        ];
        for (time_ms, expected) in cases {
            let found = owner(&calls, DAY, time_ms);
            assert_eq!(found, expected.map(|name| (DAY, [name; 16])), "{time_ms}");
            let mut turned = calls;
            turned.reverse();
            assert_eq!(owner(&turned, DAY, time_ms), found, "{time_ms}, calls in another order");
        }
        let both = [call(1, 0, None), call(2, 500, None)];
        let later = Some((DAY, [2; 16]));
        assert_eq!(owner(&both, DAY, 600), later, "of two in progress the later one");
        assert_eq!(owner(&both, DAY + 1, 600), later, "on the day beside");
        assert_eq!(owner(&both, DAY + 2, 600), None, "not on the next one");
        assert_eq!(owner(&[], DAY, 0), None);
    }
}
