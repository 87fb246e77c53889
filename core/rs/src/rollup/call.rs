//! A call as figures see it.

use model::record::{ComponentType, EndState, VarResult};

use super::key::text_id;
use crate::key::Key;
use crate::row::{CallRow, Named};

/// One call: a leg of RM, or a session of another component. Objects are their ids.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Call {
    /// Its key.
    pub call_key: Key,
    /// The session that it belongs to.
    pub guid: Option<String>,
    /// Number of the component's type.
    pub kind: u8,
    /// Owners with the time from which each had it; one if it was never adopted.
    pub owners: Vec<(i64, i64)>,
    /// Number of the call type.
    pub call_type: u8,
    /// Tenants of its path.
    pub tenants: Vec<i64>,
    /// Profile.
    pub profile: Option<i64>,
    /// Number of the service given to it.
    pub service: Option<u8>,
    /// Dialled number.
    pub dn: Option<String>,
    /// Start.
    pub started_ms: i64,
    /// Answer.
    pub answered_ms: Option<i64>,
    /// End; `None` = in progress.
    pub ended_ms: Option<i64>,
    /// Number of the end state.
    pub end_state: Option<u8>,
    /// Recognition ports.
    pub asr: Ports,
    /// Synthesis ports.
    pub tts: Ports,
    /// Result of the voice application.
    pub result: Option<u8>,
    /// Its reason.
    pub reason: Option<String>,
    /// Actions of the voice application.
    pub runs: Vec<Run>,
    /// Quality was found bad.
    pub sq_failed: bool,
    /// Numbers of the failure types that were told.
    pub failures: Vec<u8>,
}

/// Ports of one kind that a call used.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Ports {
    /// Any at all.
    pub used: bool,
    /// When each was open; empty: not known, then as long as the call.
    pub spans: Vec<(i64, Option<i64>)>,
    /// Time of all ports together, as the media server told it.
    pub total_ms: Option<i64>,
}

/// One run of an action.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Run {
    /// Name of the action.
    pub action: String,
    /// Number of its result.
    pub result: u8,
    /// Its length.
    pub duration_ms: i64,
    /// It was the last one of the call to start.
    pub is_last: bool,
}

impl Call {
    /// A call from its row. Ids are made of what the row says of an object, so they are the same
    /// for the same words only: good for telling what changed, not for a table.
    #[must_use]
    pub fn sketched(row: &CallRow) -> Self {
        let object = |object: &Named| match (object.dbid, &object.name) {
            (Some(dbid), _) => i64::from(dbid),
            (None, Some(name)) => text_id(name),
            (None, None) => 0,
        };
        let mut owners: Vec<_> =
            row.owners.iter().map(|owner| (object(&owner.component), owner.from_ms)).collect();
        if owners.is_empty() {
            owners.push((object(&row.component), row.started_ms));
        }
        let profile = row.profile.as_ref();
        let profile =
            profile.map(|profile| Named { dbid: profile.dbid, name: profile.name.clone() });
        let outcome = row.outcome.as_ref();
        Self {
            call_key: row.call_key,
            guid: row.guid.clone(),
            kind: row.component_type,
            owners,
            call_type: row.call_type,
            tenants: row.tenants.iter().map(|tenant| object(&tenant.tenant)).collect(),
            profile: profile.as_ref().map(object),
            service: row.service,
            dn: row.dn.clone(),
            started_ms: row.started_ms,
            answered_ms: row.answered_ms,
            ended_ms: row.ended_ms,
            end_state: row.end_state,
            asr: Ports::told(row.asr_used, row.media.as_deref(), "asr"),
            tts: Ports::told(row.tts_used, row.media.as_deref(), "tts"),
            result: outcome.and_then(|outcome| outcome.result),
            reason: outcome.and_then(|outcome| outcome.reason.clone()),
            runs: Vec::new(),
            sq_failed: row.sq_failed == Some(true),
            failures: Vec::new(),
        }
    }

    /// Whether it is a leg of RM: what tenants, profiles, numbers and the platform count.
    #[must_use]
    pub const fn is_rm(&self) -> bool {
        self.kind == ComponentType::Rm.number()
    }

    /// Whether it is a media server's.
    pub(super) const fn is_mcp(&self) -> bool {
        self.kind == ComponentType::Mcp.number()
    }

    /// Whether it was refused.
    pub(super) fn is_rejected(&self) -> bool {
        self.end_state == Some(EndState::Rejected.number())
    }

    /// Whether it counts as concurrent: not refused, and of some length.
    pub(super) fn counts(&self) -> bool {
        !self.is_rejected() && self.ended_ms.is_none_or(|ended| ended > self.started_ms)
    }

    /// Number of its result; `None` while it is in progress (rs.md §4.6).
    pub(super) fn outcome(&self) -> Option<u8> {
        self.ended_ms?;
        let told = self.result.unwrap_or(VarResult::Unknown.number());
        Some(if self.is_rejected() { VarResult::Rejected.number() } else { told })
    }

    /// Answered time, once it is over.
    pub(super) fn answered_for(&self) -> Option<i64> {
        Some((self.ended_ms? - self.answered_ms?).max(0))
    }
}

impl Ports {
    /// What the columns of a call say of its ports of one kind.
    #[must_use]
    pub fn told(used: Option<bool>, media: Option<&str>, kind: &str) -> Self {
        let used = used == Some(true);
        let media = media.filter(|_| used);
        let media = media.and_then(|json| serde_json::from_str::<serde_json::Value>(json).ok());
        let total_ms = media.and_then(|media| media.get(kind)?.get("duration_ms")?.as_i64());
        let total_ms = total_ms.filter(|total_ms| *total_ms >= 0);
        Self { used, spans: Vec::new(), total_ms }
    }
}
