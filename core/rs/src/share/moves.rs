//! What of a session's facts shows otherwise than before: those whose call is another one now, and
//! those whose call tells another GUID, profile or tenant. The rows of all others stay as they are,
//! however many a session has.

use std::collections::BTreeMap;

use super::calls::{Calls, Turn};
use super::changes::DayKey;
use super::sessions::candidate;
use crate::correlate::{Candidate, owner};
use crate::key::Day;
use crate::row::CallRow;

/// How the calls that change were before.
#[derive(Debug, Default)]
pub(super) struct Moves(BTreeMap<DayKey, Before>);

#[derive(Debug)]
struct Before {
    /// When it began and ended; `None`: it was not.
    span: Option<(i64, Option<i64>)>,
    /// What hangs on it shows something else of it now.
    tells_anew: bool,
}

impl Moves {
    /// Of these calls.
    pub(super) fn of(calls: &Calls) -> Self {
        let told = |row: &CallRow| (row.guid.clone(), row.profile.clone(), row.tenant.clone());
        let before = |Turn { at, before, after, borrows_anew }: Turn<'_>| {
            let same = before.is_some_and(|before| told(before) == told(after));
            let span = before.map(|row| (row.started_ms, row.ended_ms));
            (at, Before { span, tells_anew: borrows_anew || !same })
        };
        Self(calls.turns().map(before).collect())
    }

    /// Whether a fact of this day and time is among what changes; `calls`: those of its session,
    /// as they are now; `now`: the one that it belongs to.
    pub(super) fn has(
        &self,
        calls: &[(DayKey, &CallRow)],
        (day, time_ms): (Day, i64),
        now: Option<DayKey>,
    ) -> bool {
        if !calls.iter().any(|(at, _)| self.0.contains_key(at)) {
            return false;
        }
        let before: Vec<_> = calls.iter().filter_map(|call| self.before(call)).collect();
        let own = now.and_then(|at| self.0.get(&at));
        own.is_some_and(|own| own.tells_anew) || owner(&before, day, time_ms) != now
    }

    fn before(&self, call: &(DayKey, &CallRow)) -> Option<Candidate> {
        let now = candidate(call);
        match self.0.get(&call.0) {
            None => Some(now),
            Some(Before { span, .. }) => {
                span.map(|(started_ms, ended_ms)| Candidate { started_ms, ended_ms, ..now })
            }
        }
    }
}
