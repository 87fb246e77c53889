//! RM's further fields of a `cdr` (rm.md §9.2): typed for the writer only.
//!
//! RS has no column for them: the reader keeps them in `Record::extra`, as it does with every
//! field that it does not know.

use serde::Serialize;

use super::word::{SelectedBy, UpdateReason};
use crate::time::Millis;

/// What only RM tells of a leg. Absent flags are false.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RmFields {
    /// First leg of its session.
    #[serde(skip_serializing_if = "is_false")]
    pub primary: bool,
    /// Its session was re-created under a GUID that a peer sent (rm.md §2.4).
    #[serde(skip_serializing_if = "is_false")]
    pub resurrected: bool,
    /// The facts come from a token of the Record-Route.
    #[serde(skip_serializing_if = "is_false")]
    pub rebuilt: bool,
    /// Session with a CTI connector.
    #[serde(skip_serializing_if = "is_false")]
    pub cti: bool,
    /// Priority call (rm.md §6.1).
    #[serde(skip_serializing_if = "is_false")]
    pub priority: bool,
    /// Tag of From.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_tag: Option<String>,
    /// Tag of To.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_tag: Option<String>,
    /// Number of the caller in normal form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ani: Option<String>,
    /// Conference that the leg joined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conference: Option<String>,
    /// Geo location that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geo: Option<String>,
    /// Outbound: the number before translation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialled: Option<String>,
    /// What chose the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selected_by: Option<SelectedBy>,
    /// Why this resource won: a scheme, `pin` or `last-resort`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placed_by: Option<String>,
    /// The peer that sent the INVITE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The first 180.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ringing_at: Option<Millis>,
    /// The tries, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tries: Vec<Try>,
    /// `Reason` as received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason_header: Option<String>,
    /// Why an update was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_reason: Option<UpdateReason>,
}

/// A peer.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Source {
    /// Its name in `sip.peers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Address and port.
    pub address: String,
}

/// One try at a resource.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Try {
    /// The resource's name.
    pub resource: String,
    /// Its final answer; absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sip_status: Option<u16>,
    /// Why it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long it took.
    pub ms: u64,
}

const fn is_false(flag: &bool) -> bool {
    !*flag
}
