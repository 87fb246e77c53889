//! Kind `cdr`: start, update or end of a call (rs.md §2.2).
//!
//! Plain data in the order of the wire. Several records merge into one call in `core/rs`.

use serde::Serialize;
use serde_json::Number;

use super::guid::CallGuid;
use super::sq::Failure;
use super::word::{CallType, EndState, Phase, Scope, Stage, VarResult, Verdict};
use crate::config::Service;
use crate::id::LegId;
use crate::time::Millis;

/// The facts that one record tells of a call. Meanings and lengths: the table of rs.md §2.2.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Cdr {
    /// Part of the life cycle.
    pub phase: Phase,
    /// GUID of the platform call; RM always has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guid: Option<CallGuid>,
    /// RM's leg id; absent in other records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leg: Option<LegId>,
    /// Unique per component; RM: `{guid}.{leg}`.
    pub session_id: String,
    /// The session that created this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// Owner epoch, from 1; 0 = the producer has none.
    #[serde(skip_serializing_if = "is_zero")]
    pub epoch: u64,
    /// All owners in order of time; empty = one owner.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<Owner>,
    /// Start of the call, in every phase.
    pub started_at: Millis,
    /// The final 2xx.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Millis>,
    /// End of the call, never before its start; in every `end`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Millis>,
    /// Direction.
    pub call_type: CallType,
    /// Tenant, with its path from the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Tenant>,
    /// Sessions of each tenant of the path and of the profile when this one began.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub usage: Vec<Usage>,
    /// Profile (application).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Service given to this leg.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// Dialled number in normal form; `OUTBOUND`: after translation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dn: Option<String>,
    /// The platform's side.
    pub local_uri: String,
    /// The other party's.
    pub remote_uri: String,
    /// SIP Call-ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// `X-Genesys-CallUUID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_uuid: Option<String>,
    /// Resource that got the call, else the last one tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    /// How it ended; in every `end`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_state: Option<EndState>,
    /// Final answer to the INVITE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sip_status: Option<u16>,
    /// RM's reason word; of others the text of `Reason`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The limit that refused the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// What the media server did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<Media>,
    /// VAR outcome, if the server computes it itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<VarResult>,
    /// Its reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_reason: Option<String>,
    /// Notes on the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Quality of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sq: Option<Sq>,
    /// `session-start-origin` of a CCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The decisions of RM, for refused, hunted and sampled calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<TraceStep>,
}

impl Cdr {
    /// A record body with the required fields, everything else absent.
    #[must_use]
    pub fn new(phase: Phase, session_id: String, started_at: Millis, call_type: CallType) -> Self {
        Self {
            phase,
            guid: None,
            leg: None,
            session_id,
            parent: None,
            epoch: 0,
            owners: Vec::new(),
            started_at,
            answered_at: None,
            ended_at: None,
            call_type,
            tenant: None,
            usage: Vec::new(),
            profile: None,
            service: None,
            dn: None,
            local_uri: String::new(),
            remote_uri: String::new(),
            call_id: None,
            call_uuid: None,
            resource: None,
            end_state: None,
            sip_status: None,
            reason: None,
            policy: None,
            media: None,
            result: None,
            result_reason: None,
            notes: None,
            sq: None,
            origin: None,
            trace: Vec::new(),
        }
    }
}

/// An object by name, DBID or both.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ObjectRef {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its DBID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dbid: Option<u32>,
}

/// The session that created another.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Parent {
    /// Its component.
    pub component: ObjectRef,
    /// Its session id there.
    pub session_id: String,
}

/// One owner of a call.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Owner {
    /// The component that carried the call …
    pub component: ObjectRef,
    /// … from this time on.
    pub from: Millis,
}

/// A tenant and where it stands.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Tenant {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its DBID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dbid: Option<u32>,
    /// From the root to the tenant itself; empty = not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<ObjectRef>,
}

/// How many sessions an object had when this one began.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Usage {
    /// What the object is.
    pub scope: Scope,
    /// Its DBID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dbid: Option<u32>,
    /// Its name.
    pub name: String,
    /// Sessions, this one included; absent when the call was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<u64>,
    /// 1 at or below the limit, 2 above it, 3 above level 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u8>,
}

/// A profile (application).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Profile {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its DBID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dbid: Option<u32>,
    /// Its service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
}

/// A resource that got a call.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Resource {
    /// Its group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its DBID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dbid: Option<u32>,
    /// Where it was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Count of tries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u64>,
}

/// The limit or rule that refused a call.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Policy {
    /// Policy field, such as `usage_limit`.
    pub rule: String,
    /// What the object is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Its DBID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dbid: Option<u32>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The usage that met it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<u64>,
}

/// What a media server did in a call.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Media {
    /// Recognition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asr: Option<Ports>,
    /// Synthesis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tts: Option<Ports>,
    /// Codecs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codecs: Vec<String>,
    /// Packets lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets_lost: Option<u64>,
    /// Jitter in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter_ms: Option<Number>,
    /// Mean opinion score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mos: Option<Number>,
}

/// Use of speech ports.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Ports {
    /// Whether any was used.
    pub used: bool,
    /// How many sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u64>,
    /// Of which engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// For how long, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

/// Quality of a call, as in `sq.call`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Sq {
    /// Whether it was served badly.
    pub failed: bool,
    /// What went wrong.
    pub failures: Vec<Failure>,
}

/// One step of the decision trace (rm.md §9.5).
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TraceStep {
    /// Where it was taken.
    pub stage: Stage,
    /// What was looked at.
    pub candidate: String,
    /// What came of it.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// State of the resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Its load, or the usage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// Its capacity, or the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Its place among the candidates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank: Option<u64>,
    /// When its quarantine ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
}

const fn is_zero(number: &u64) -> bool {
    *number == 0
}
