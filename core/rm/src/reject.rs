//! Every "no" of the Resource Manager, in one table (rm.md §1.10): status, reason word, log id,
//! whether it counts as a refused attempt, whether it has a record, and Retry-After.
//!
//! The level of a log line and its name stand with its id in `io/telemetry`. Must not decide
//! anything: the stages say which "no", this table says what follows from it.

use model::snapshot::Snapshot;

use crate::alarm::{self, About};
use crate::log;
use crate::select::Choice;

/// One reason to say no. `Reason::entry` is the only way to its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    Malformed,
    ConferenceId,
    Scheme,
    UntrustedSource,
    RelayRefused,
    PreloadedRoute,
    NextHop,
    Hops,
    Loop,
    Merged,
    TooLarge,
    Breadth,
    BadExtension,
    MinSe,
    Method,
    NoProfile,
    Disabled,
    TenantMismatch,
    ServiceForbidden,
    OutboundForbidden,
    TransferForbidden,
    DialingRule,
    UsageLimit,
    ServiceLimit,
    SessionLimit,
    RateLimit,
    NoMatch,
    NoLocation,
    ResourceFull,
    ResourceDraining,
    ResourceDead,
    ResourceDisabled,
    HuntFailed,
    ConferenceDead,
    CtiUnavailable,
    Cancelled,
    NoAnswer,
    Operator,
    NoDialog,
    BadToken,
    Overload,
    SourceRate,
    NodeDraining,
    NodeNotReady,
    Internal,
}

/// What follows from a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Default status; options and policies may name another.
    pub(crate) status: u16,
    /// Reason word: Warning, record, metric label.
    pub(crate) word: &'static str,
    /// Log line, if there is one.
    pub(crate) log: Option<u16>,
    /// Counted in `rejected_total` of the tenant.
    pub(crate) rejected: bool,
    /// The attempt has an end record.
    pub(crate) record: bool,
    /// Seconds of Retry-After.
    pub(crate) retry_after: Option<u32>,
}

const fn plain(status: u16, word: &'static str, log: Option<u16>) -> Entry {
    Entry { status, word, log, rejected: false, record: false, retry_after: None }
}

const fn attempt(status: u16, word: &'static str, log: Option<u16>) -> Entry {
    Entry { status, word, log, rejected: true, record: true, retry_after: None }
}

const fn later(entry: Entry, seconds: u32) -> Entry {
    Entry { retry_after: Some(seconds), ..entry }
}

impl Reason {
    /// The row of the table.
    pub(crate) const fn entry(self) -> Entry {
        match self {
            Self::Malformed => plain(400, "malformed", None),
            // of a conference that a call was placed for, or of its number (rm.md §3.6)
            Self::ConferenceId => attempt(400, "malformed", None),
            Self::Scheme => plain(416, "malformed", None),
            Self::UntrustedSource => plain(403, "untrusted-source", Some(log::UNTRUSTED_SOURCE)),
            Self::RelayRefused => plain(403, "relay-refused", Some(log::RELAY_REFUSED)),
            Self::PreloadedRoute => plain(403, "preloaded-route", Some(log::RELAY_REFUSED)),
            // the next hop of a dialog or of a sender's Route has no address, or cannot be reached
            Self::NextHop => plain(502, "next-hop", None),
            Self::Hops => plain(483, "hops", None),
            Self::Loop => plain(482, "loop", Some(log::LOOP)),
            // a copy of a request that is being served, come by another way (RFC 3261 §8.2.2.2)
            Self::Merged => plain(482, "merged", None),
            // no transport that its next hop takes can carry it (RFC 3261 §21.5.7)
            Self::TooLarge => plain(513, "too-large", None),
            Self::Breadth => plain(440, "breadth", None),
            Self::BadExtension => plain(420, "bad-extension", None),
            Self::MinSe => plain(422, "min-se", None),
            Self::Method => plain(405, "method", None),
            Self::NoProfile => attempt(404, "no-profile", Some(log::NO_PROFILE)),
            Self::Disabled => attempt(403, "disabled", None),
            Self::TenantMismatch => attempt(403, "tenant-mismatch", Some(log::TENANT_MISMATCH)),
            Self::ServiceForbidden => {
                attempt(403, "service-forbidden", Some(log::SERVICE_FORBIDDEN))
            }
            Self::OutboundForbidden => {
                attempt(403, "outbound-forbidden", Some(log::OUTBOUND_FORBIDDEN))
            }
            Self::TransferForbidden => {
                attempt(403, "transfer-forbidden", Some(log::OUTBOUND_FORBIDDEN))
            }
            Self::DialingRule => attempt(403, "dialing-rule", Some(log::DIALING_RULE)),
            Self::UsageLimit => later(attempt(480, "usage-limit", Some(log::USAGE_LIMIT)), 5),
            Self::ServiceLimit => later(attempt(480, "service-limit", Some(log::SERVICE_LIMIT)), 5),
            Self::SessionLimit => later(attempt(480, "session-limit", Some(log::SERVICE_LIMIT)), 5),
            Self::RateLimit => later(attempt(480, "rate-limit", Some(log::RATE_LIMIT)), 1),
            Self::NoMatch => attempt(480, "no-match", Some(log::NO_RESOURCE)),
            Self::NoLocation => attempt(480, "no-location", Some(log::NO_RESOURCE)),
            Self::ResourceFull => later(attempt(480, "resource-full", Some(log::NO_RESOURCE)), 2),
            Self::ResourceDraining => {
                later(attempt(480, "resource-draining", Some(log::NO_RESOURCE)), 2)
            }
            Self::ResourceDead => attempt(480, "resource-dead", Some(log::NO_RESOURCE)),
            Self::ResourceDisabled => attempt(480, "resource-disabled", Some(log::NO_RESOURCE)),
            Self::HuntFailed => attempt(480, "hunt-failed", Some(log::NO_RESOURCE)),
            Self::ConferenceDead => attempt(503, "conference-dead", Some(log::NO_RESOURCE)),
            Self::CtiUnavailable => attempt(480, "cti-unavailable", Some(log::NO_RESOURCE)),
            Self::Cancelled => attempt(487, "cancelled", None),
            Self::NoAnswer => attempt(408, "no-answer", None),
            // an operator has ended it before it was answered
            Self::Operator => attempt(480, "operator", None),
            Self::NoDialog => plain(481, "no-dialog", None),
            Self::BadToken => plain(481, "bad-token", Some(log::BAD_TOKEN)),
            // its log line is the alarm's, once for all of them
            Self::Overload => later(plain(503, "overload", None), 2),
            // what a source sends beyond its rate; not the policies' rate-limit, which is 480
            Self::SourceRate => later(plain(503, "source-rate", None), 1),
            Self::NodeDraining => later(plain(503, "node-draining", None), 10),
            Self::NodeNotReady => later(plain(503, "node-not-ready", None), 2),
            Self::Internal => attempt(500, "internal", Some(log::INTERNAL)),
        }
    }

    /// Name of the log field that says what the "no" was about.
    pub(crate) const fn subject(self) -> &'static str {
        match self {
            Self::UntrustedSource => "listener",
            Self::RelayRefused | Self::NextHop | Self::Scheme => "target",
            Self::PreloadedRoute => "route",
            Self::Loop | Self::NoDialog | Self::BadToken => "call_id",
            Self::BadExtension => "extension",
            Self::Method => "method",
            Self::NoProfile => "number",
            Self::TenantMismatch => "tenant",
            Self::ServiceForbidden
            | Self::OutboundForbidden
            | Self::TransferForbidden
            | Self::DialingRule => "rule",
            Self::UsageLimit | Self::ServiceLimit | Self::SessionLimit | Self::RateLimit => "limit",
            Self::NoMatch | Self::NoLocation => "service",
            Self::ResourceFull
            | Self::ResourceDraining
            | Self::ResourceDead
            | Self::ResourceDisabled
            | Self::HuntFailed
            | Self::ConferenceDead
            | Self::CtiUnavailable => "group",
            Self::Malformed
            | Self::ConferenceId
            | Self::Hops
            | Self::Merged
            | Self::TooLarge
            | Self::MinSe
            | Self::Breadth
            | Self::Disabled
            | Self::Cancelled
            | Self::NoAnswer
            | Self::Operator
            | Self::Overload
            | Self::SourceRate
            | Self::NodeDraining
            | Self::NodeNotReady
            | Self::Internal => "error",
        }
    }

    /// The reason word.
    pub(crate) const fn word(self) -> &'static str {
        self.entry().word
    }
}

/// A "no" on its way to the answer: the reason, the status if it is not the default, and what it
/// was about: the value of the log field that [`Reason::subject`] names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct No {
    pub(crate) reason: Reason,
    pub(crate) status: Option<u16>,
    /// Instead of that of the table, seconds.
    pub(crate) retry_after: Option<u32>,
    /// Empty: there is nothing to say.
    pub(crate) subject: String,
    /// The alarm that it raises, besides those of its reason.
    pub(crate) alarm: Option<(alarm::Name, About)>,
    /// Tenant and profile of what has no session that could tell them.
    pub(crate) whose: Option<Box<(String, Option<String>)>>,
}

impl No {
    pub(crate) fn new(reason: Reason, subject: impl Into<String>) -> Self {
        let subject = subject.into();
        Self { reason, status: None, retry_after: None, subject, alarm: None, whose: None }
    }

    /// The "no" to what has no session, but was chosen to belong to them.
    pub(crate) fn of(self, snapshot: &Snapshot, choice: &Choice) -> Self {
        let tenant = snapshot.tenant(choice.tenant).name.clone();
        let profile = choice.profile.map(|profile| snapshot.profile(profile).name.clone());
        Self { whose: Some(Box::new((tenant, profile))), ..self }
    }

    pub(crate) fn with_status(self, status: Option<u16>) -> Self {
        Self { status: status.or(self.status), ..self }
    }

    /// The "no" of a policy that wants an alarm about this.
    pub(crate) fn alarming(self, about: Option<About>) -> Self {
        Self { alarm: about.map(|about| (alarm::Name::PolicyViolation, about)), ..self }
    }

    pub(crate) fn with_retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// Seconds of Retry-After.
    pub(crate) fn retry_after(&self) -> Option<u32> {
        self.retry_after.or(self.reason.entry().retry_after)
    }

    pub(crate) fn status(&self) -> u16 {
        self.status.unwrap_or(self.reason.entry().status)
    }
}

impl From<Reason> for No {
    fn from(reason: Reason) -> Self {
        Self::new(reason, "")
    }
}
