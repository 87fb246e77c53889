//! An IVR profile: what a call to a number is to get.
//!
//! Plain data of a snapshot; stage select finds it, stage forward writes its page and parameters
//! into the Request-URI.

use super::{Capabilities, KeptDays, Parameter, Policy, Service, TenantIx};
use crate::id::Dbid;

/// A profile of a snapshot.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name, unique in its tenant.
    pub name: String,
    /// Its number in reports.
    pub dbid: Dbid,
    /// The tenant that owns it.
    pub tenant: TenantIx,
    /// Whether it and its owner (and the owner's ancestors) are enabled.
    pub enabled: bool,
    /// The service, unless the called user part says otherwise.
    pub service: Service,
    /// The first page; there for voicexml and ccxml.
    pub initial_page_url: Option<String>,
    /// The page to use when the first one fails.
    pub alternate_page_url: Option<String>,
    /// The page with default properties.
    pub default_properties_url: Option<String>,
    /// What an announcement plays; there for announcement.
    pub play: Option<String>,
    /// The conference that a number of it leads to; `None` = the number is its id.
    pub conference_id: Option<String>,
    /// Where its recordings are made, for service record.
    pub geo_location: Option<String>,
    /// `gvp-tenant-id` stays in the Request-URI towards a voicexml service.
    pub keep_tenant_id: bool,
    /// Its own parameters; see `Snapshot::parameters` for what a call gets.
    pub parameters: Vec<Parameter>,
    /// What a resource must be able to do to serve it; of a list any one.
    pub requires: Capabilities,
    /// Names of groups that come before all others, in this order.
    pub prefer: Vec<String>,
    /// Free text.
    pub notes: String,
    /// Limits and permissions of this level.
    pub policy: Policy,
    /// How long the Reporting Server keeps what is of it; RM does not look at it.
    pub kept: KeptDays,
}
