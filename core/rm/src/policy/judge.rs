//! Who judges a call: every policy from the root down to its profile.

use std::fmt::{self, Display};

use model::config::{Policy, ProfileIx, TenantIx};
use model::record::Scope;
use model::snapshot::{Layer, Level, Snapshot};
use smallvec::SmallVec;

use super::usage::Object;

/// Root → profile; what a parent lays over a tenant stands behind the tenant itself.
pub(crate) type Judges<'s> = SmallVec<[Judge<'s>; 12]>;

/// One policy, of whom, and over whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judge<'s> {
    /// Whose sessions it counts.
    pub(crate) object: Object,
    /// Who says it.
    pub(crate) by: Object,
    /// The name of that.
    pub(crate) name: &'s str,
    /// The child over which it is laid.
    pub(crate) child: Option<&'s str>,
    pub(crate) policy: &'s Policy,
}

/// All policies that judge a call.
pub(crate) fn judges(
    snapshot: &Snapshot,
    tenant: TenantIx,
    profile: Option<ProfileIx>,
) -> Judges<'_> {
    let layers = snapshot.policies(tenant, profile);
    let mut judges: Judges<'_> = layers.map(|layer| judge(snapshot, layer)).collect();
    judges.reverse();
    judges
}

fn judge<'s>(snapshot: &'s Snapshot, layer: Layer<'s>) -> Judge<'s> {
    let policy = layer.policy;
    match layer.level {
        Level::Profile(ix) => {
            let profile = snapshot.profile(ix);
            let object = (Scope::Profile, profile.dbid);
            Judge { object, by: object, name: &profile.name, child: None, policy }
        }
        Level::Tenant(ix) => {
            let tenant = snapshot.tenant(ix);
            let object = (Scope::Tenant, tenant.dbid);
            match tenant.parent.filter(|_| layer.laid_over) {
                Some(parent) => {
                    let parent = snapshot.tenant(parent);
                    let by = (Scope::Tenant, parent.dbid);
                    Judge { object, by, name: &parent.name, child: Some(&tenant.name), policy }
                }
                None => Judge { object, by: object, name: &tenant.name, child: None, policy },
            }
        }
    }
}

impl<'s> Judge<'s> {
    /// A field of its policy, as the configuration spells it.
    pub(crate) fn field<'f>(&self, field: &'f dyn Display) -> Field<'s, 'f> {
        Field { child: self.child, field }
    }
}

impl Display for Judge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.by.0.as_str())?;
        f.write_str(" ")?;
        f.write_str(self.name)
    }
}

/// `usage_limit`, or `children.north.usage_limit`.
#[derive(Clone, Copy)]
pub(crate) struct Field<'s, 'f> {
    child: Option<&'s str>,
    field: &'f dyn Display,
}

impl Display for Field<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(child) = self.child {
            write!(f, "children.{child}.")?;
        }
        self.field.fmt(f)
    }
}
