//! How an object is found: kind, owner and name (ops.md §1.1).

use std::fmt;

use super::Kind;
use crate::schema::Named;

/// The name of an object in full. Printed `IvrProfile acme/acme-main`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key {
    /// What it is.
    pub kind: Kind,
    /// Whose it is; `Environment` for tenants and applications.
    pub tenant: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// As problems name it.
    #[must_use]
    pub fn named(&self) -> Named {
        let tenant = self.kind.is_owned().then(|| self.tenant.clone());
        Named { kind: self.kind.as_str().to_owned(), tenant, name: self.name.clone() }
    }

    /// What problems name so.
    #[must_use]
    pub fn of(named: &Named) -> Option<Self> {
        let kind = Kind::parse(&named.kind)?;
        let tenant = named.tenant.clone().filter(|_| kind.is_owned());
        let tenant = tenant.unwrap_or_else(|| "Environment".to_owned());
        Some(Self { kind, tenant, name: named.name.clone() })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind.is_owned() {
            true => write!(f, "{} {}/{}", self.kind, self.tenant, self.name),
            false => write!(f, "{} {}", self.kind, self.name),
        }
    }
}
