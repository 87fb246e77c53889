//! What a figure is about: measure, dimension, object (rs.md §4.2).

use serde::{Deserialize, Serialize};

use super::alias::Aliases;
use crate::share::ObjectKind;

/// What is counted (rs.md §4.3); the numbers are those in tables and of [`model::record::Measure`].
pub use model::record::Measure;

/// Dimension of a figure; the numbers are those in tables.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub enum Dim {
    /// The whole platform.
    #[default]
    All = 0,
    /// A type of component; the id is its number.
    Kind = 1,
    /// A component.
    Component = 2,
    /// A tenant: of all calls whose path it is on.
    Tenant = 3,
    /// A profile.
    Profile = 4,
    /// A dialled number; the id is that of its text.
    Dn = 5,
    /// A media service (`sub`) of a tenant, or with id 0 of the platform.
    Service = 6,
}

/// The object of a figure.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Target {
    /// Its dimension.
    pub dim: Dim,
    /// Its id there; 0 for the whole platform.
    pub id: i64,
    /// The service; 0 elsewhere.
    pub sub: u8,
}

/// Key of a row of `or_bin` within its bin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CountKey {
    /// What is counted.
    pub measure: Measure,
    /// Of what.
    pub target: Target,
    /// Number of the call type.
    pub call_type: u8,
}

/// Key of a row of `conc_bin` within its bin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LevelKey {
    /// What is counted.
    pub measure: Measure,
    /// Of what.
    pub target: Target,
}

impl LevelKey {
    /// The same of the object that has this id now.
    pub(super) fn meant(self, aliases: &Aliases) -> Self {
        let Target { dim, id, .. } = self.target;
        let id = dim.kind().map_or(id, |kind| aliases.meant(kind, id));
        Self { target: Target { id, ..self.target }, ..self }
    }
}

impl Dim {
    /// All dimensions, by number.
    pub const ALL: [Self; 7] = [
        Self::All,
        Self::Kind,
        Self::Component,
        Self::Tenant,
        Self::Profile,
        Self::Dn,
        Self::Service,
    ];

    /// The number in tables.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind of its objects, where these may have several ids.
    #[must_use]
    pub const fn kind(self) -> Option<ObjectKind> {
        match self {
            Self::Component => Some(ObjectKind::Component),
            Self::Tenant | Self::Service => Some(ObjectKind::Tenant),
            Self::Profile => Some(ObjectKind::Profile),
            Self::All | Self::Kind | Self::Dn => None,
        }
    }

    /// The dimension of this number, if it is one.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.number() == number)
    }
}

impl Target {
    /// An object of a dimension other than [`Dim::Service`].
    #[must_use]
    pub const fn new(dim: Dim, id: i64) -> Self {
        Self { dim, id, sub: 0 }
    }

    /// A media service of a tenant, or with id 0 of the platform.
    #[must_use]
    pub const fn service(service: u8, tenant: i64) -> Self {
        Self { dim: Dim::Service, id: tenant, sub: service }
    }
}

/// The id of a text in bins (`text_dim`): every RS computes the same, without a database.
#[must_use]
pub fn text_id(text: &str) -> i64 {
    let hash = blake3::hash(text.as_bytes());
    let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
    // positive, and never 0, which is "no text"
    (i64::from_be_bytes([a, b, c, d, e, f, g, h]) & i64::MAX).max(1)
}
