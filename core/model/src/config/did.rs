//! A number group: the numbers that lead to one profile.
//!
//! Plain data of a snapshot; the numbers themselves lie in the index (`crate::did`).

use super::{ProfileIx, TenantIx};
use crate::id::Dbid;

/// A number group of a snapshot.
#[derive(Clone, Debug)]
pub struct DidGroup {
    /// Its name, unique in its tenant.
    pub name: String,
    /// Its number in reports.
    pub dbid: Dbid,
    /// The tenant that owns it; its calls count there.
    pub tenant: TenantIx,
    /// Whether it and its owner (and the owner's ancestors) are enabled.
    pub enabled: bool,
    /// The profile of its calls: of its tenant or an ancestor.
    pub profile: ProfileIx,
    /// Free text.
    pub description: String,
}
