//! A call as reports show it: its row with the names of its objects.

use model::config::Service;
use model::id::LegId;
use model::record::{CallType, ComponentType, EndState};
use model::time::Millis;

use crate::key::Key;

/// One call of a list: a leg of RM or a session of another component.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// `call_key`.
    pub key: Key,
    /// Session at its component.
    pub session_id: String,
    /// GUID of the platform call, in upper case.
    pub guid: Option<String>,
    /// Direction.
    pub call_type: CallType,
    /// Start.
    pub started: Millis,
    /// Final 2xx.
    pub answered: Option<Millis>,
    /// End; `None` = in progress.
    pub ended: Option<Millis>,
    /// Dialled number.
    pub dn: Option<String>,
    /// Platform's side.
    pub local_uri: String,
    /// Other party.
    pub remote_uri: String,
    /// Service of the leg.
    pub service: Option<Service>,
    /// How it ended.
    pub end_state: Option<EndState>,
    /// Final answer.
    pub sip_status: Option<u16>,
    /// SIP Call-ID.
    pub call_id: Option<String>,
    /// SIP Server's id.
    pub call_uuid: Option<String>,
    /// Reason word.
    pub reason: Option<String>,
    /// RM's leg.
    pub leg: Option<LegId>,
    /// Owner epoch.
    pub epoch: u64,
    /// Configuration revision.
    pub config_rev: Option<u64>,
    /// Its component; the last owner.
    pub component: Component,
    /// Its profile.
    pub application: Option<Application>,
    /// Tenants of its path, root first.
    pub tenants: Vec<TenantOf>,
    /// Its resource.
    pub resource: Option<Resource>,
    /// Lists show its session by a leg of another day ([`LED`]).
    ///
    /// [`LED`]: crate::row::flag::LED
    pub led: bool,
}

/// The component of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Component {
    /// DBID or synthetic id.
    pub id: u32,
    /// Name.
    pub name: String,
    /// Type.
    pub kind: ComponentType,
}

/// The profile of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Application {
    /// DBID or synthetic id.
    pub id: u32,
    /// Name.
    pub name: String,
    /// Service of the profile.
    pub service: Option<Service>,
    /// Sessions when the call began.
    pub usage: Option<u64>,
    /// Burst level.
    pub burst: Option<u8>,
}

/// One tenant of a call's path.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TenantOf {
    /// DBID or synthetic id.
    pub id: u32,
    /// Name.
    pub name: String,
    /// Sessions when the call began.
    pub usage: Option<u64>,
    /// Burst level.
    pub burst: Option<u8>,
}

/// The resource of a call.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Resource {
    /// Group.
    pub group: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Address.
    pub address: Option<String>,
    /// Tries.
    pub attempts: Option<u64>,
}

/// The service of a number in a row; `None`: one that a later version has written.
#[must_use]
pub fn service(number: u8) -> Option<Service> {
    Service::ALL.into_iter().find(|service| *service as u8 == number)
}

impl Call {
    /// Its duration in ms, of a call in progress up to now.
    #[must_use]
    pub fn duration_ms(&self, now: Millis) -> u64 {
        self.ended.unwrap_or(now).0.saturating_sub(self.started.0)
    }
}
