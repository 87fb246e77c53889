//! Who judges a call: every policy from the root down to its profile.

use std::borrow::Cow;
use std::fmt::{self, Display};

use model::config::{Policy, ProfileIx, Service, TenantIx};
use model::record::Scope;
use model::snapshot::{Layer, Level, Snapshot};
use smallvec::SmallVec;

use super::usage::Object;
use crate::record::trace::Later;

/// Root → profile; what a parent lays over a tenant stands behind the tenant itself.
pub(crate) type Judges<'s> = SmallVec<[Judge<'s>; 12]>;

/// One policy, of whom, and over whom. Who that is by name is looked up when it is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judge<'s> {
    snapshot: &'s Snapshot,
    /// Whose sessions it counts.
    pub(crate) level: Level,
    /// Its parent lays it over that tenant.
    pub(crate) laid_over: bool,
    pub(crate) policy: &'s Policy,
}

/// All policies that judge a call.
pub(crate) fn judges(
    snapshot: &Snapshot,
    tenant: TenantIx,
    profile: Option<ProfileIx>,
) -> Judges<'_> {
    let layers = snapshot.policies(tenant, profile);
    let judge = |Layer { level, laid_over, policy }| Judge { snapshot, level, laid_over, policy };
    let mut judges: Judges<'_> = layers.map(judge).collect();
    judges.reverse();
    judges
}

impl<'s> Judge<'s> {
    /// Whose sessions it counts, as the sets and rates are kept.
    pub(crate) fn object(&self) -> Object {
        object(self.snapshot, self.level)
    }

    /// Who says it.
    pub(crate) fn by(&self) -> Object {
        object(self.snapshot, self.speaker().0)
    }

    /// The name of that.
    pub(crate) fn name(&self) -> &'s str {
        name(self.snapshot, self.speaker().0)
    }

    /// The same so that no other object has it: `acme`, `acme/main`.
    pub(crate) fn full_name(&self) -> Cow<'s, str> {
        match self.speaker().0 {
            Level::Tenant(ix) => self.snapshot.tenant(ix).name.as_str().into(),
            Level::Profile(ix) => {
                let profile = self.snapshot.profile(ix);
                let tenant = self.snapshot.tenant(profile.tenant);
                format!("{}/{}", tenant.name, profile.name).into()
            }
        }
    }

    /// A field of its policy, as the configuration spells it.
    pub(crate) fn field<'f>(&self, field: &'f dyn Display) -> Field<'s, 'f> {
        let child = self.speaker().1;
        Field { child: child.map(|child| self.snapshot.tenant(child).name.as_str()), field }
    }

    /// The same for a trace.
    pub(crate) fn rule(&self, rule: Rule) -> Later {
        Later::Rule { child: self.speaker().1, rule }
    }

    /// Itself for a trace.
    pub(crate) fn told(&self) -> Later {
        Later::Level(self.speaker().0)
    }

    /// Who says it, and of which child.
    fn speaker(&self) -> (Level, Option<TenantIx>) {
        match self.level {
            Level::Tenant(ix) if self.laid_over => match self.snapshot.tenant(ix).parent {
                Some(parent) => (Level::Tenant(parent), Some(ix)),
                None => (self.level, None),
            },
            level => (level, None),
        }
    }
}

fn object(snapshot: &Snapshot, level: Level) -> Object {
    match level {
        Level::Profile(ix) => (Scope::Profile, snapshot.profile(ix).dbid),
        Level::Tenant(ix) => (Scope::Tenant, snapshot.tenant(ix).dbid),
    }
}

fn name(snapshot: &Snapshot, level: Level) -> &str {
    match level {
        Level::Profile(ix) => &snapshot.profile(ix).name,
        Level::Tenant(ix) => &snapshot.tenant(ix).name,
    }
}

impl Display for Judge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.by().0.as_str())?;
        f.write_str(" ")?;
        f.write_str(self.name())
    }
}

/// A limit of a policy; it is shown as its field is spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    Sessions,
    Inbound,
    Outbound,
    /// Legs of a service.
    Service(Service),
}

impl Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sessions => f.write_str("usage_limit"),
            Self::Inbound => f.write_str("inbound_usage_limit"),
            Self::Outbound => f.write_str("outbound_usage_limit"),
            Self::Service(service) => write!(f, "services.{service}.usage_limit"),
        }
    }
}

/// `usage_limit`, or `children.north.usage_limit`.
#[derive(Clone, Copy)]
pub(crate) struct Field<'s, 'f> {
    pub(crate) child: Option<&'s str>,
    pub(crate) field: &'f dyn Display,
}

impl Display for Field<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(child) = self.child {
            write!(f, "children.{child}.")?;
        }
        self.field.fmt(f)
    }
}
