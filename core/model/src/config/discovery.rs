//! Where a group finds more media servers than it lists (ops.md §3.4).
//!
//! Plain data of a snapshot; who asks, and what becomes of the answers, is `core/rm`'s.

use std::time::Duration;

/// One name whose members belong to the group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Discovery {
    /// The name, absolute, in lower case: of SRV records if it begins with `_`, else of a host.
    pub name: String,
    /// The port of a host's addresses; SRV records tell their own.
    pub port: u16,
    /// From one question to the next.
    pub refresh: Duration,
    /// How many calls each member takes; `None` = as the group says.
    pub capacity: Option<u32>,
    /// How long a member that has gone keeps its place while it has calls.
    pub keep_gone: Duration,
}

/// Who says that a resource is there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Source {
    /// The configuration lists it.
    #[default]
    Static,
    /// The name service has told it.
    Dns,
}

impl Source {
    /// All sources.
    pub const ALL: [Self; 2] = [Self::Static, Self::Dns];

    /// Its word in metrics and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Dns => "dns",
        }
    }
}
