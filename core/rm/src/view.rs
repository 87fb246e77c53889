//! What the HTTP API shows of the engine, in the JSON shape of rm.md §10. Reads only.

use model::id::{Guid, LegId};
use model::record::TraceStep;
use model::time::Millis;
use serde::Serialize;

/// `GET /v1/status`, the part that the engine knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// `rm.name`.
    pub name: String,
    /// Node id.
    pub node_id: u16,
    /// Boot epoch.
    pub boot: u32,
    /// `starting`, `ready` or `draining`.
    pub state: &'static str,
    /// Configuration revision in force.
    pub config_rev: u64,
    /// Live sessions.
    pub sessions: usize,
    /// Legs not ended.
    pub legs: usize,
    /// Transactions without final answer.
    pub transactions_pending: usize,
    /// Finished transactions that still absorb retransmissions.
    pub transactions_finished: usize,
}

/// Which calls are wanted; a field that is `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Name of the tenant.
    pub tenant: Option<String>,
    /// Name of the profile.
    pub profile: Option<String>,
    /// Name of a resource that serves a leg.
    pub resource: Option<String>,
    /// State of a leg: `trying`, `early`, `up`, `ending`.
    pub state: Option<String>,
    /// Sessions begun before this time.
    pub before: Option<Millis>,
    /// Call-ID of a leg.
    pub call_id: Option<String>,
}

/// A slice of a list of sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallSlice {
    /// Those that are wanted.
    pub calls: Vec<CallView>,
    /// Behind which session to go on; `None`: there are no more.
    pub next: Option<Guid>,
}

/// One session in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallView {
    /// Session GUID.
    pub session: Guid,
    /// Tenant's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Profile's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Legs not ended.
    pub legs: usize,
    /// Start of its first leg.
    pub started: Millis,
}

/// One session with all legs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallDetail {
    /// As in the list.
    #[serde(flatten)]
    pub call: CallView,
    /// Configuration revision at the session's creation.
    pub config_rev: u64,
    /// Its legs in the order of their ids.
    pub leg: Vec<LegView>,
}

/// One leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LegView {
    /// Leg id.
    pub id: LegId,
    /// Owner epoch.
    pub epoch: u16,
    /// `trying`, `early`, `up` or `ending`.
    pub state: &'static str,
    /// Service given to it.
    pub service: &'static str,
    /// Group and name of the resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Why this tenant and profile (`did`, `default` …).
    pub selected_by: String,
    /// Why this resource (a scheme, `last-resort`).
    pub placed_by: String,
    /// SIP Call-ID.
    pub call_id: String,
    /// Start.
    pub started: Millis,
    /// Final 2xx.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered: Option<Millis>,
    /// Facts come from a token.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rebuilt: bool,
    /// Every step of its decision, of a call that was hunted, or is in the sample of
    /// `records/trace-sample`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<TraceStep>,
}

/// One resource (`GET /v1/resources`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResourceView {
    /// Name of its group.
    pub group: String,
    /// Its name.
    pub name: String,
    /// Its dbid.
    pub dbid: u32,
    /// `static` as the configuration lists it, `dns` as the name service tells it.
    pub source: &'static str,
    /// Where it is.
    pub address: String,
    /// Shown state (rm.md §7.1).
    pub state: &'static str,
    /// `enabled`, `draining` or `disabled`.
    pub admin: &'static str,
    /// The same as the configuration has it.
    pub configured: &'static str,
    /// When the calls that it still has are ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Millis>,
    /// Size of its set of legs and watched tries.
    pub used: usize,
    /// Start of the call that it has had for longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Millis>,
    /// Places; null = unlimited.
    pub capacity: Option<u32>,
    /// Calls placed since the start.
    pub total: u64,
    /// Round trip of its probes, smoothed.
    pub rtt_ms: Option<f64>,
    /// Why it is not healthy, or was last not.
    pub last_error: Option<String>,
}

mod build;
pub mod limits;
