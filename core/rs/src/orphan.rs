//! Calls that nobody will end (rs.md §4.9): whether one is an orphan, and the end that it gets.
//!
//! The end is a record like any other, made of nothing but the stored facts: the same call gets the
//! same record however often it is asked for, so a kill at any moment and a second RS change
//! nothing. It ranks below every true end (§2.9 rule 4), which takes its place whenever it comes.

use model::id::LegId;
use model::record::{CallType, ComponentType, EndState};
use model::time::Millis;
use serde_json::json;

use crate::merge::CallState;
use crate::retention::TIMED_OUT;

/// How long a component that has started anew may take to say which calls it still has.
const AFTER_BOOT_MS: i64 = 600_000;

/// A call in progress, and what is known of its component. All times are those of RS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Number of the component's type.
    pub component_type: u8,
    /// The latest record of this call came.
    pub last_fact_ms: i64,
    /// The newest start of its component that told of this call, as the bits of an `i64`; `None`:
    /// no record of it says so.
    pub boot: Option<i64>,
    /// The latest record of its component came, whatever it told.
    pub last_sent_ms: i64,
    /// The component's newest start.
    pub newest: Option<Boot>,
}

/// A start of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boot {
    /// `producer.boot`, as the bits of an `i64`.
    pub number: i64,
    /// Its first record came.
    pub first_ms: i64,
}

impl From<(i64, i64)> for Boot {
    fn from((number, first_ms): (i64, i64)) -> Self {
        Self { number, first_ms }
    }
}

/// Since when RS can say that somebody is silent, and how long that may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// RS takes records without a break since then, and has stored all of them.
    pub since_ms: i64,
    /// `rs.cdr.timeout`, ms.
    pub timeout_ms: i64,
}

impl Waiting {
    /// Whether its call is to be closed now.
    #[must_use]
    pub fn is_orphan(&self, patience: Patience, now_ms: i64) -> bool {
        let Patience { since_ms, timeout_ms } = patience;
        let heard = self.last_sent_ms.max(self.last_fact_ms).max(since_ms);
        let silent = now_ms.saturating_sub(heard) >= timeout_ms;
        let of_rm = self.component_type == ComponentType::Rm.number();
        let forgotten = self.newest.filter(|_| !of_rm).is_some_and(|newest| {
            // one that has just come from a former start may have its update or its end behind it
            let heard = newest.first_ms.max(self.last_fact_ms).max(since_ms);
            !self.is_of(newest) && now_ms.saturating_sub(heard) >= AFTER_BOOT_MS
        });
        silent || forgotten
    }

    /// Whether that start told of the call. What came after its first record may have waited on
    /// another connection since a former one: it counts only where nothing says of which it is.
    fn is_of(&self, newest: Boot) -> bool {
        self.boot.map_or(self.last_fact_ms >= newest.first_ms, |boot| boot >= newest.number)
    }
}

/// The end of an orphan: a `cdr` as its component would send it, at the last instant at which the
/// call is known to have been. `last_event_ms`: when the last event of it happened. `by`: the name
/// of this RS. `None`: the call is over.
#[must_use]
pub fn end(state: &CallState, last_event_ms: Option<i64>, by: &str) -> Option<String> {
    let row = state.row(None);
    if row.ended_ms.is_some() {
        return None;
    }
    let (epoch, told_ms) = state.last_known();
    let last_ms = last_event_ms.map_or(told_ms, |event_ms| event_ms.max(told_ms));
    let time = |ms: i64| Millis(u64::try_from(ms).unwrap_or_default()).to_string();
    let key: String = row.call_key.iter().map(|byte| format!("{byte:02x}")).collect();
    let record = json!({
        "schema": 1, "kind": "cdr", "phase": "end",
        "id": format!("{key}{TIMED_OUT}{epoch}.{last_ms}"),
        "time": time(last_ms),
        "producer": {"name": by},
        "component": {
            "name": row.component.name, "dbid": row.component.dbid,
            "type": ComponentType::from_number(row.component_type).map(ComponentType::as_str),
        },
        "guid": row.guid, "leg": row.leg.map(|leg| LegId(leg).to_string()),
        "session_id": row.session_id, "epoch": epoch,
        "started_at": time(row.started_ms), "ended_at": time(last_ms),
        "call_type": CallType::from_number(row.call_type).map(CallType::as_str),
        "local_uri": row.local_uri, "remote_uri": row.remote_uri,
        "end_state": EndState::Timeout.as_str(),
    });
    Some(record.to_string())
}

#[cfg(test)]
mod tests;
