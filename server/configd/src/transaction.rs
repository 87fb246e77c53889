//! What is asked of the books, and what comes of it (ops.md §1.5).

use std::fmt;

use model::config::diff::{Impact, ObjectDiff};
use model::config::{Document, Kind};
use model::id::{Dbid, Revision};
use model::schema::Warning;

use crate::books::Entry;
use model::config::Key;

/// Operations that become one revision or none at all; their order does not matter.
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    /// Why, for the history.
    pub message: String,
    /// Nothing may have changed since this revision.
    pub base_revision: Option<Revision>,
    /// What to do.
    pub operations: Vec<Operation>,
    /// Deletes every object with this label (key, value) that is not put.
    pub prune: Option<(String, String)>,
    /// Only says what would come of it: no lock, no revision.
    pub dry_run: bool,
}

/// One operation.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Creates or replaces the object of a document.
    Put {
        /// The document.
        document: Document,
        /// What must hold before.
        when: When,
        /// The name that the object had, in the same tenant: it keeps its dbid.
        rename_from: Option<String>,
    },
    /// Deletes an object.
    Delete {
        /// Which.
        target: Target,
        /// What must hold before.
        when: When,
        /// What cannot be without it goes too: of a tenant all that lies below it, of a profile
        /// its numbers.
        cascade: bool,
    },
}

/// What must hold of an object before it is changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum When {
    /// Nothing.
    #[default]
    Always,
    /// It has to be named where the object exists (`config_server.require_if_match`).
    Named,
    /// The object was last changed by this revision (`If-Match: "41"`, `if_match`).
    At(Revision),
    /// There is no such object (`If-None-Match: *`).
    Absent,
}

/// Names an object that exists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Its kind.
    pub kind: Kind,
    /// Its tenant; `None`: the one that has the name, if there is only one. Of no meaning for
    /// tenants and applications.
    pub tenant: Option<String>,
    /// Its name or number.
    pub name: Name,
}

/// A name or a number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Name {
    /// By name.
    Text(String),
    /// By dbid.
    Dbid(Dbid),
}

impl Name {
    /// Reads a name, or `dbid:105`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let number = text.strip_prefix("dbid:").and_then(|number| number.parse().ok());
        number.map_or_else(|| Self::Text(text.to_owned()), |number| Self::Dbid(Dbid(number)))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Name::Text(name) => write!(f, "{} \"{name}\"", self.kind)?,
            Name::Dbid(dbid) => write!(f, "{} with dbid {dbid}", self.kind)?,
        }
        match self.tenant.as_deref().filter(|_| self.kind.is_owned()) {
            Some(tenant) => write!(f, " of tenant \"{tenant}\""),
            None => Ok(()),
        }
    }
}

impl From<&Key> for Target {
    fn from(key: &Key) -> Self {
        let tenant = Some(key.tenant.clone());
        Self { kind: key.kind, tenant, name: Name::Text(key.name.clone()) }
    }
}

/// What came of a transaction, or would come of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The revision that it made, the current one where nothing changed; `None` of a dry run.
    pub revision: Option<Revision>,
    /// Of a dry run: the revision that it would have made.
    pub would_be: Option<Revision>,
    /// Objects that changed.
    pub changed: usize,
    /// What changed of them.
    pub diff: Vec<ObjectDiff>,
    /// What that means for calls.
    pub impact: Impact,
    /// What does not block.
    pub warnings: Vec<Warning>,
    /// The objects that were put, as they are now, in the order of the operations.
    pub puts: Vec<Put>,
}

/// An object that was put.
#[derive(Clone, Debug)]
pub struct Put {
    /// As it is now.
    pub entry: Entry,
    /// Whether it is new.
    pub created: bool,
}
