//! Records that a broker has refused: they stay, and are sent again under a new identity.
//!
//! A broker that has stored a later record of a queue takes an earlier one that is sent again for
//! what it has already, and says so without storing it. What was refused must therefore not come
//! again under the old connection id. A transaction that was refused comes apart: one bad record,
//! or one that the broker has already, does not hold the others. Where a user or room is missing
//! that would not help.

use super::group::{self, Group};
use openwire::Class;
use std::collections::VecDeque;

/// What was refused on this connection, and how often that happened.
#[derive(Debug, Default)]
pub(super) struct Refused {
    /// Why, as the log tells it.
    text: Option<String>,
    /// Groups that come apart.
    apart: Vec<u64>,
    /// Connections on which something was refused.
    count: u32,
    /// Nothing was taken since.
    lately: bool,
}

impl Refused {
    /// A group was refused.
    pub(super) fn note(&mut self, tag: u64, class: &str, text: &str) {
        self.lately = true;
        self.text.get_or_insert_with(|| format!("{class}: {text}"));
        match Class::of(class) {
            Some(Class::Security | Class::ResourceAllocation) => {}
            Some(Class::TransactionRolledBack | Class::Jms | Class::InvalidClientId) | None => {
                self.apart.push(tag);
            }
        }
    }

    /// Why the connection is to end.
    pub(super) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// So many identities are used up.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// A record was refused, and none taken since.
    pub(super) fn lately(&self) -> bool {
        self.lately
    }

    /// A record was taken; true if that ends a time of refusals.
    pub(super) fn is_over(&mut self) -> bool {
        std::mem::take(&mut self.lately)
    }

    /// The connection has ended: what comes apart does. True if something was refused on it.
    pub(super) fn forget(&mut self, groups: &mut VecDeque<Group>, next_tag: &mut u64) -> bool {
        for tag in std::mem::take(&mut self.apart) {
            let at = groups.iter().position(|group| group.tag == tag && group.len() > 1);
            if let Some(at) = at {
                group::split_at(groups, at, next_tag);
            }
        }
        let some = self.text.take().is_some();
        self.count += u32::from(some);
        some
    }
}
