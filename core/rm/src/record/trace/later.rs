//! Texts of trace steps that nearly every call has, as numbers of the snapshot.
//!
//! Put into words when the trace is read; must not be read with another snapshot.

use std::fmt;

use model::config::{ResourceIx, TenantIx};
use model::snapshot::{Level, Snapshot};

use crate::policy::{Field, Rule};

/// A text that is put into words when somebody reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Later {
    /// This very word.
    Word(&'static str),
    /// `tenant NAME` or `profile NAME`
    Level(Level),
    /// `NAME`
    Resource(ResourceIx),
    /// A limit, of what is laid over a child where there is one.
    Rule { child: Option<TenantIx>, rule: Rule },
    /// `default of TENANT`
    Default(TenantIx),
}

impl Later {
    /// Its words in the snapshot that it is of.
    pub(super) const fn of(self, snapshot: &Snapshot) -> Words<'_> {
        Words { later: self, snapshot }
    }
}

/// A text and the snapshot that it is of.
pub(super) struct Words<'s> {
    later: Later,
    snapshot: &'s Snapshot,
}

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { later, snapshot } = *self;
        match later {
            Later::Word(word) => f.write_str(word),
            Later::Level(Level::Tenant(ix)) => write!(f, "tenant {}", snapshot.tenant(ix).name),
            Later::Level(Level::Profile(ix)) => write!(f, "profile {}", snapshot.profile(ix).name),
            Later::Resource(ix) => f.write_str(&snapshot.resource(ix).name),
            Later::Rule { child, rule } => {
                let child = child.map(|child| snapshot.tenant(child).name.as_str());
                Field { child, field: &rule }.fmt(f)
            }
            Later::Default(ix) => write!(f, "default of {}", snapshot.tenant(ix).name),
        }
    }
}
