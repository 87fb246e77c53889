//! The five kinds of platform objects (ops.md §1.1).

use std::fmt;

use serde::{Serialize, Serializer};

/// What a platform object is. The order is that in which kinds are listed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Who the platform serves.
    Tenant,
    /// What a call gets.
    IvrProfile,
    /// Numbers that lead to a profile.
    DidGroup,
    /// Media servers that offer the same services.
    ResourceGroup,
    /// A daemon and its options.
    Application,
}

impl Kind {
    /// All kinds in their order.
    pub const ALL: [Self; 5] =
        [Self::Tenant, Self::IvrProfile, Self::DidGroup, Self::ResourceGroup, Self::Application];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "Tenant",
            Self::IvrProfile => "IvrProfile",
            Self::DidGroup => "DidGroup",
            Self::ResourceGroup => "ResourceGroup",
            Self::Application => "Application",
        }
    }

    /// The kind of this name, compared without case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(name))
    }

    /// Whether its objects belong to a tenant that they name; the others are `Environment`'s.
    #[must_use]
    pub const fn is_owned(self) -> bool {
        !matches!(self, Self::Tenant | Self::Application)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn names_are_read_without_case() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
            assert_eq!(Kind::parse(&kind.as_str().to_lowercase()), Some(kind));
        }
        assert_eq!(Kind::parse("Tenants"), None);
    }
}
