//! Every way to say no to a request: exception class and text in one table.
//!
//! The client instantiates the class by name, so the name space has to be the one it has:
//! `javax.jms` up to ActiveMQ 5, `jakarta.jms` from 6 on. The connection stays after a refusal.

use std::fmt;

use crate::id::Destination;
use crate::wire::Malformed;

/// The exception that the peer's application sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// `JMSException`: not offered here.
    Jms,
    /// `java.lang.SecurityException`: becomes a JMSSecurityException at the client.
    Security,
    /// `InvalidClientIDException`: another connection has that client id.
    InvalidClientId,
    /// `ResourceAllocationException`: a limit of the connection.
    ResourceAllocation,
    /// `TransactionRolledBackException`: nothing of the transaction was stored.
    TransactionRolledBack,
}

impl Class {
    /// The Java name, in the peer's name space.
    #[must_use]
    pub const fn java_name(self, jakarta: bool) -> &'static str {
        match (self, jakarta) {
            (Self::Security, _) => "java.lang.SecurityException",
            (Self::Jms, false) => "javax.jms.JMSException",
            (Self::Jms, true) => "jakarta.jms.JMSException",
            (Self::InvalidClientId, false) => "javax.jms.InvalidClientIDException",
            (Self::InvalidClientId, true) => "jakarta.jms.InvalidClientIDException",
            (Self::ResourceAllocation, false) => "javax.jms.ResourceAllocationException",
            (Self::ResourceAllocation, true) => "jakarta.jms.ResourceAllocationException",
            (Self::TransactionRolledBack, false) => "javax.jms.TransactionRolledBackException",
            (Self::TransactionRolledBack, true) => "jakarta.jms.TransactionRolledBackException",
        }
    }
}

impl Class {
    /// What a broker's exception is, by its Java name; `None`: something else.
    #[must_use]
    pub fn of(java_name: &str) -> Option<Self> {
        Some(match java_name.rsplit('.').next()? {
            "SecurityException" | "JMSSecurityException" => Self::Security,
            "InvalidClientIDException" => Self::InvalidClientId,
            "ResourceAllocationException" => Self::ResourceAllocation,
            "TransactionRolledBackException" => Self::TransactionRolledBack,
            "JMSException" => Self::Jms,
            _ => return None,
        })
    }
}

/// What there is, at the end of every refusal (`spec/rs.md` §1.5).
pub const OFFER: &str =
    "ringmaster takes records on ringmaster.cdr, .event, .or, .sq; consuming is not offered";

/// Why the receiving end refuses a request. Displayed as the exception's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A consumer or browser on anything but an advisory topic.
    Consumer(Option<Destination>),
    /// A send to, or a producer or declaration of, anything but the ingest queues.
    Destination(Option<Destination>),
    /// A durable subscription is to be removed.
    Subscription,
    /// A distributed transaction, or a step that only such a one has.
    Xa,
    /// A commit of a transaction that was never begun here, or was rolled back by age.
    UnknownTransaction,
    /// The transaction grew beyond its limits, or held a refused message.
    TransactionRefused(String),
    /// Sessions, producers, advisory subscriptions or transactions at once.
    TooMany(&'static str, usize),
    /// A second login with another connection id.
    SecondLogin,
    /// A STOMP frame of the consumer's side.
    Frame(&'static str),
    /// A command that this end does not know.
    UnknownCommand(u8),
    /// A command that does not hold what its type says, or is too large.
    Unreadable(Malformed),
}

impl Refusal {
    /// The exception's class.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Consumer(_)
            | Self::Destination(_)
            | Self::Subscription
            | Self::Xa
            | Self::SecondLogin
            | Self::Frame(_)
            | Self::UnknownCommand(_)
            | Self::Unreadable(_) => Class::Jms,
            Self::UnknownTransaction | Self::TransactionRefused(_) => Class::TransactionRolledBack,
            Self::TooMany(..) => Class::ResourceAllocation,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Consumer(Some(destination)) => write!(f, "consumer on {destination}: {OFFER}"),
            Self::Consumer(None) => write!(f, "consumer: {OFFER}"),
            Self::Destination(Some(destination)) => write!(f, "{destination}: {OFFER}"),
            Self::Destination(None) => write!(f, "no destination: {OFFER}"),
            Self::Subscription => write!(f, "subscription: {OFFER}"),
            Self::Xa => f.write_str("distributed transactions are not offered, local ones are"),
            Self::UnknownTransaction => {
                f.write_str("the transaction is not open here; nothing of it was stored")
            }
            Self::TransactionRefused(why) => {
                write!(f, "the transaction was rolled back, nothing of it was stored: {why}")
            }
            Self::TooMany(what, limit) => write!(f, "more than {limit} {what} on one connection"),
            Self::SecondLogin => f.write_str("the connection is already logged in"),
            Self::Frame(command) => write!(f, "{command}: {OFFER}"),
            Self::UnknownCommand(kind) => write!(f, "command type {kind} is not known; {OFFER}"),
            Self::Unreadable(why) => write!(f, "the command cannot be read: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Class;

    #[test]
    fn exceptions_are_known_by_either_name_space() {
        for class in [
            Class::Jms,
            Class::Security,
            Class::InvalidClientId,
            Class::ResourceAllocation,
            Class::TransactionRolledBack,
        ] {
            for jakarta in [false, true] {
                assert_eq!(Class::of(class.java_name(jakarta)), Some(class));
            }
        }
        assert_eq!(Class::of("java.io.IOException"), None);
    }
}
