//! Every "no" of the Config Server, in one table (ops.md §1.4): name, status, title, outcome.
//!
//! The API makes a problem document of it; the audit and the metrics count it by its outcome. It
//! decides nothing: the books say which "no", this table says what follows from it. No text of a
//! refusal names a file, a statement of the store or what the asking token may not see.

use std::fmt;

use model::id::Revision;
use model::schema::Problem;

use model::config::Key;

/// Why something was not done.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// The request cannot be read, or says a thing twice.
    Malformed(String),
    /// No token, or none that is known.
    Unauthenticated,
    /// The token does not allow it; what would.
    Forbidden(String),
    /// No such object, revision or route.
    NotFound(String),
    /// A route that has not this method.
    MethodNotAllowed,
    /// Made by somebody else meanwhile, or the last admin token.
    Conflict(String),
    /// What is to be deleted is still referenced: E203.
    InUse(Vec<Problem>),
    /// A name that exists in several tenants: those objects.
    AmbiguousName(Vec<Key>),
    /// A revision that the history no longer has.
    RevisionGone {
        /// The oldest that it has.
        oldest: Revision,
    },
    /// The object or the configuration is not at the revision that was named.
    PreconditionFailed {
        /// Where it is; 0 for an object that does not exist.
        current: Revision,
    },
    /// More than a limit.
    TooLarge(String),
    /// A body of no type that is known.
    UnsupportedMediaType(String),
    /// Too many in too short a time.
    TooManyRequests {
        /// When to come again, seconds.
        retry_after: u32,
    },
    /// The objects are not valid: problems of the first stage that has any.
    Invalid(Vec<Problem>),
    /// A change of an existing object has to say of which revision.
    PreconditionRequired,
    /// The store does not answer; reads go on.
    StoreUnavailable,
    /// The queue of writes is full.
    Busy,
    /// Too many of something else at once; of what.
    Full(&'static str),
}

/// What follows from a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `NAME` of `urn:ringmaster:problem:NAME`; also the outcome in audit and metrics.
    pub name: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Title of the problem document.
    pub title: &'static str,
    /// `Retry-After` in seconds, if it has one of its own.
    pub retry_after: Option<u32>,
}

const fn entry(name: &'static str, status: u16, title: &'static str) -> Entry {
    Entry { name, status, title, retry_after: None }
}

impl Refusal {
    /// Its row of the table.
    #[must_use]
    pub fn entry(&self) -> Entry {
        match self {
            Self::Malformed(_) => entry("malformed", 400, "the request cannot be read"),
            Self::Unauthenticated => entry("unauthenticated", 401, "a valid token is needed"),
            Self::Forbidden(_) => entry("forbidden", 403, "the token does not allow it"),
            Self::NotFound(_) => entry("not-found", 404, "there is no such thing"),
            Self::MethodNotAllowed => {
                entry("method-not-allowed", 405, "the route has not this method")
            }
            Self::Conflict(_) => entry("conflict", 409, "it is at odds with what is there"),
            Self::InUse(_) => entry("in-use", 409, "it is still referenced"),
            Self::AmbiguousName(_) => {
                entry("ambiguous-name", 409, "the name exists in several tenants")
            }
            Self::RevisionGone { .. } => {
                entry("revision-gone", 410, "the history does not reach back so far")
            }
            Self::PreconditionFailed { .. } => {
                entry("precondition-failed", 412, "it has changed meanwhile")
            }
            Self::TooLarge(_) => entry("too-large", 413, "it is larger than allowed"),
            Self::UnsupportedMediaType(_) => {
                entry("unsupported-media-type", 415, "the type of the body is not known")
            }
            Self::TooManyRequests { retry_after } => Entry {
                retry_after: Some(*retry_after),
                ..entry("too-many-requests", 429, "too many requests")
            },
            Self::Invalid(_) => entry("invalid", 422, "the objects are not valid"),
            Self::PreconditionRequired => {
                entry("precondition-required", 428, "the revision to change has to be named")
            }
            Self::StoreUnavailable => Entry {
                retry_after: Some(1),
                ..entry("store-unavailable", 503, "the store does not answer")
            },
            Self::Full(title) => Entry { retry_after: Some(1), ..entry("busy", 503, title) },
            Self::Busy => {
                Entry { retry_after: Some(1), ..entry("busy", 503, "too many changes are waiting") }
            }
        }
    }

    /// The problems of the objects, where it has any.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Invalid(problems) | Self::InUse(problems) => problems,
            _ => &[],
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(text)
            | Self::Forbidden(text)
            | Self::NotFound(text)
            | Self::Conflict(text)
            | Self::TooLarge(text)
            | Self::UnsupportedMediaType(text) => f.write_str(text),
            Self::InUse(problems) | Self::Invalid(problems) => match problems.as_slice() {
                [only] => only.fmt(f),
                [first, ..] => write!(f, "{} errors, the first: {first}", problems.len()),
                [] => f.write_str(self.entry().title),
            },
            Self::AmbiguousName(keys) => {
                f.write_str("name the tenant, there are: ")?;
                for (at, key) in keys.iter().enumerate() {
                    write!(f, "{}{key}", if at > 0 { ", " } else { "" })?;
                }
                Ok(())
            }
            Self::RevisionGone { oldest } => write!(f, "the oldest revision is {oldest}"),
            Self::PreconditionFailed { current } => write!(f, "it is at revision {current}"),
            Self::PreconditionRequired => f.write_str("send If-Match or If-None-Match: *"),
            Self::TooManyRequests { retry_after } => write!(f, "try again in {retry_after} s"),
            Self::Unauthenticated
            | Self::MethodNotAllowed
            | Self::StoreUnavailable
            | Self::Busy
            | Self::Full(_) => f.write_str(self.entry().title),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_statuses_are_those_of_the_table() {
        let revision = Revision(7);
        let table = [
            (Refusal::Malformed("m".to_owned()), "malformed", 400),
            (Refusal::Unauthenticated, "unauthenticated", 401),
            (Refusal::Forbidden("f".to_owned()), "forbidden", 403),
            (Refusal::NotFound("n".to_owned()), "not-found", 404),
            (Refusal::MethodNotAllowed, "method-not-allowed", 405),
            (Refusal::Conflict("c".to_owned()), "conflict", 409),
            (Refusal::InUse(Vec::new()), "in-use", 409),
            (Refusal::AmbiguousName(Vec::new()), "ambiguous-name", 409),
            (Refusal::RevisionGone { oldest: revision }, "revision-gone", 410),
            (Refusal::PreconditionFailed { current: revision }, "precondition-failed", 412),
            (Refusal::TooLarge("t".to_owned()), "too-large", 413),
            (Refusal::UnsupportedMediaType("u".to_owned()), "unsupported-media-type", 415),
            (Refusal::TooManyRequests { retry_after: 60 }, "too-many-requests", 429),
            (Refusal::Invalid(Vec::new()), "invalid", 422),
            (Refusal::PreconditionRequired, "precondition-required", 428),
            (Refusal::StoreUnavailable, "store-unavailable", 503),
            (Refusal::Busy, "busy", 503),
            (Refusal::Full("too many"), "busy", 503),
        ];
        for (refusal, name, status) in table {
            let entry = refusal.entry();
            assert_eq!((entry.name, entry.status), (name, status));
            assert_eq!(entry.retry_after.is_some(), matches!(status, 429 | 503), "{name}");
            assert!(!refusal.to_string().is_empty(), "{name} says why");
        }
    }
}
