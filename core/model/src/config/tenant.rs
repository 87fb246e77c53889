//! A tenant: the owner of profiles, numbers and groups, and the node of the limit tree.
//!
//! Plain data of a snapshot; stage select finds it, stage authorise walks from it to the root.

use super::{KeptDays, Parameter, Policy, ProfileIx, TenantIx};
use crate::id::Dbid;

/// A tenant of a snapshot.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its name, unique in the platform.
    pub name: String,
    /// Its number in reports.
    pub dbid: Dbid,
    /// Its parent; `None` only for `Environment`.
    pub parent: Option<TenantIx>,
    /// Whether it and all its ancestors are enabled.
    pub enabled: bool,
    /// Further names, e.g. the contact-centre id sent in `gvp-tenant-id`.
    pub aliases: Vec<String>,
    /// The profile of calls that name none.
    pub default_profile: Option<ProfileIx>,
    /// Limits and permissions of this level.
    pub policy: Policy,
    /// What its parent lays over that (`policy.children.<name>` of the parent).
    pub laid_over: Option<Box<Policy>>,
    /// Parameters that its profiles inherit.
    pub parameters: Vec<Parameter>,
    /// How long the Reporting Server keeps what is of it; RM does not look at it.
    pub kept: KeptDays,
}
