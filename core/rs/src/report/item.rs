//! The list item of `GET /api/v1/calls` (rs.md §6): one per session or one per leg.

use model::record::{CallType, ComponentType, EndState};
use model::time::Millis;
use serde::Serialize;

use super::call::Call;

/// One item. Every member is always there, null where nothing is known.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Item<'c> {
    /// GUID of the platform call.
    pub guid: Option<&'c str>,
    /// Key of the (first) leg in hex.
    pub key: String,
    /// `live` or `completed`.
    pub state: &'static str,
    /// Start of the (first) leg.
    pub started_at: Millis,
    /// Its final 2xx.
    pub answered_at: Option<Millis>,
    /// End of the leg, of a session that of the last leg to end.
    pub ended_at: Option<Millis>,
    /// From start to end; in progress: up to now.
    pub duration_ms: u64,
    /// Direction of the (first) leg, and so on.
    pub call_type: CallType,
    /// Its leaf tenant.
    pub tenant: Option<ItemName<'c>>,
    /// Its profile.
    pub profile: Option<ItemName<'c>>,
    /// Dialled number.
    pub dn: Option<&'c str>,
    /// Platform's side.
    pub local_uri: &'c str,
    /// Other party.
    pub remote_uri: &'c str,
    /// Session at its component.
    pub session_id: &'c str,
    /// Service.
    pub service: Option<&'static str>,
    /// How it ended; absent in progress.
    pub end_state: Option<EndState>,
    /// Final answer.
    pub sip_status: Option<u16>,
    /// Reason word.
    pub reason: Option<&'c str>,
    /// Name of the resource.
    pub resource: Option<&'c str>,
    /// Legs of the session; of a leg: 1.
    pub legs_count: usize,
}

/// An object in an item.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct ItemName<'c> {
    /// DBID or synthetic id.
    pub id: u32,
    /// Name.
    pub name: &'c str,
}

impl<'c> Item<'c> {
    /// The item of one leg.
    #[must_use]
    pub fn of_leg(call: &'c Call, now: Millis) -> Self {
        Self {
            guid: call.guid.as_deref(),
            key: call.key.iter().map(|byte| format!("{byte:02x}")).collect(),
            state: if call.ended.is_some() { "completed" } else { "live" },
            started_at: call.started,
            answered_at: call.answered,
            ended_at: call.ended,
            duration_ms: call.duration_ms(now),
            call_type: call.call_type,
            tenant: call.tenants.last().map(|of| ItemName { id: of.id, name: &of.name }),
            profile: call.application.as_ref().map(|of| ItemName { id: of.id, name: &of.name }),
            dn: call.dn.as_deref(),
            local_uri: &call.local_uri,
            remote_uri: &call.remote_uri,
            session_id: &call.session_id,
            service: call.service.map(|service| service.as_str()),
            end_state: call.ended.and(call.end_state),
            sip_status: call.sip_status,
            reason: call.reason.as_deref(),
            resource: call.resource.as_ref().and_then(|resource| resource.name.as_deref()),
            legs_count: 1,
        }
    }
}

/// The legs by which a list shows a session, of all its records: those of RM, or all of them where
/// RM has sent none. For one who may see some tenants only (`scope`): of the records whose path has
/// one of these.
pub fn legs_of_session(legs: &mut Vec<Call>, scope: Option<&[u32]>) {
    if let Some(scope) = scope {
        legs.retain(|leg| leg.tenants.iter().any(|tenant| scope.contains(&tenant.id)));
    }
    let is_rm = |leg: &Call| leg.component.kind == ComponentType::Rm;
    if legs.iter().any(is_rm) {
        legs.retain(is_rm);
    }
}

/// The item of a session: values of the first leg (earliest start, then lowest leg id); its end
/// (time, state, reason) is that of the last leg to end. `None` without legs.
#[must_use]
pub fn of_session<'c>(legs: &'c [Call], now: Millis) -> Option<Item<'c>> {
    let first = legs.iter().min_by_key(|call| (call.started, call.leg))?;
    let live = legs.iter().any(|call| call.ended.is_none());
    let last = legs.iter().filter(|_| !live).max_by_key(|call| (call.ended, call.leg));
    let ended_at = last.and_then(|call| call.ended);
    Some(Item {
        state: if live { "live" } else { "completed" },
        ended_at,
        duration_ms: ended_at.unwrap_or(now).0.saturating_sub(first.started.0),
        end_state: last.and_then(|call| call.end_state),
        reason: last.unwrap_or(first).reason.as_deref(),
        legs_count: legs.len(),
        ..Item::of_leg(first, now)
    })
}
