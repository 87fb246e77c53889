//! The GUID of a record: the same for every record of one platform call (rs.md §2.2).
//!
//! RM's is a UUID; other producers may send any text. It is compared without case, so it is
//! kept in upper case from the border on.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::id::Guid;

/// GUID of a platform call.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CallGuid {
    /// A UUID of any version.
    Uuid(Guid),
    /// Any other text, in upper case (ASCII).
    Text(String),
}

impl CallGuid {
    /// Takes the text of a record; case is levelled.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Guid::parse(text).map_or_else(|| Self::Text(text.to_ascii_uppercase()), Self::Uuid)
    }

    /// The UUID, if it is one.
    #[must_use]
    pub const fn uuid(&self) -> Option<Guid> {
        match self {
            Self::Uuid(guid) => Some(*guid),
            Self::Text(_) => None,
        }
    }

    /// The UUID, if it is one of version 7, which carries its time.
    #[must_use]
    pub fn v7(&self) -> Option<Guid> {
        self.uuid().filter(Guid::is_v7)
    }
}

impl From<Guid> for CallGuid {
    fn from(guid: Guid) -> Self {
        Self::Uuid(guid)
    }
}

impl fmt::Display for CallGuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uuid(guid) => guid.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Serialize for CallGuid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
