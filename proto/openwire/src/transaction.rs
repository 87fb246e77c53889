//! Open local transactions of one connection: messages are held back until the commit. `K` is how
//! the protocol names one.
//!
//! What a transaction may hold is told by the content of its messages; what all of a connection
//! take of memory is bounded beside that, by what as many messages and bytes of one take.
//!
//! A transaction that breaks a limit or holds a refused message keeps its place, empty, so that
//! its commit is refused: whole or absent. The loss of the connection drops them all.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::broker::Inbound;
use crate::limits::Limits;

#[derive(Debug)]
pub(crate) struct Transactions<K> {
    open: BTreeMap<K, Open>,
    bytes: usize,
}

#[derive(Debug)]
struct Open {
    begun: Duration,
    /// What it takes of memory.
    bytes: usize,
    /// Bodies, as they came.
    content_bytes: usize,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Messages(Vec<Inbound>),
    Refused(String),
}

/// What a commit finds.
#[derive(Debug)]
pub(crate) enum Committed {
    Messages(Vec<Inbound>, usize),
    Refused(String),
    Unknown,
}

impl Open {
    const fn at(begun: Duration) -> Self {
        Self { begun, bytes: 0, content_bytes: 0, content: Content::Messages(Vec::new()) }
    }
}

impl<K> Default for Transactions<K> {
    fn default() -> Self {
        Self { open: BTreeMap::new(), bytes: 0 }
    }
}

impl<K: Ord> Transactions<K> {
    /// A second begin changes nothing. False when too many are open.
    pub(crate) fn begin(&mut self, id: K, now: Duration, limits: &Limits) -> bool {
        if self.open.contains_key(&id) {
            return true;
        }
        if self.open.len() >= limits.transactions {
            return false;
        }
        self.open.insert(id, Open::at(now));
        true
    }

    pub(crate) fn contains(&self, id: &K) -> bool {
        self.open.contains_key(id)
    }

    /// Adds to an open transaction; breaking a limit refuses it. False when it is refused.
    pub(crate) fn add(&mut self, id: &K, message: Inbound, limits: &Limits) -> bool {
        let bytes = message.weight();
        let Some(open) = self.open.get_mut(id) else { return false };
        let Content::Messages(messages) = &mut open.content else { return false };
        if messages.len() >= limits.transaction_messages {
            self.refuse(id, &format!("more than {} messages", limits.transaction_messages));
            return false;
        }
        let content = open.content_bytes + message.body.len();
        if content > limits.transaction_bytes || self.bytes + bytes > limits.transactions_bytes() {
            self.refuse(id, &format!("more than {} bytes", limits.transaction_bytes));
            return false;
        }
        messages.push(message);
        open.content_bytes = content;
        open.bytes += bytes;
        self.bytes += bytes;
        true
    }

    /// Drops what it holds and has its commit refused.
    pub(crate) fn refuse(&mut self, id: &K, why: &str) {
        if let Some(open) = self.open.get_mut(id)
            && matches!(open.content, Content::Messages(_))
        {
            self.bytes -= open.bytes;
            open.bytes = 0;
            open.content = Content::Refused(why.to_owned());
        }
    }

    /// Refuses all: a message was lost, and it may have been part of any.
    pub(crate) fn refuse_all(&mut self, why: &str) {
        for open in self.open.values_mut() {
            if matches!(open.content, Content::Messages(_)) {
                open.bytes = 0;
                open.content = Content::Refused(why.to_owned());
            }
        }
        self.bytes = 0;
    }

    pub(crate) fn commit(&mut self, id: &K) -> Committed {
        match self.open.remove(id) {
            None => Committed::Unknown,
            Some(Open { bytes, content, .. }) => {
                self.bytes -= bytes;
                match content {
                    Content::Messages(messages) => Committed::Messages(messages, bytes),
                    Content::Refused(why) => Committed::Refused(why),
                }
            }
        }
    }

    /// Rolls back whatever is too old; the numbers of messages that each held.
    pub(crate) fn expire(&mut self, now: Duration, age: Duration) -> Vec<usize> {
        let mut expired = Vec::new();
        let bytes = &mut self.bytes;
        self.open.retain(|_, open| {
            if open.begun + age > now {
                return true;
            }
            *bytes -= open.bytes;
            expired.push(match &open.content {
                Content::Messages(messages) => messages.len(),
                Content::Refused(_) => 0,
            });
            false
        });
        expired
    }

    pub(crate) fn deadline(&self, age: Duration) -> Option<Duration> {
        self.open.values().map(|open| open.begun + age).min()
    }

    pub(crate) fn held(&self) -> usize {
        self.bytes
    }

    pub(crate) fn clear(&mut self) {
        self.open.clear();
        self.bytes = 0;
    }
}
