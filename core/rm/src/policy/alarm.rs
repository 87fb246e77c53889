//! What a policy may want an alarm for (rm.md §6.1): RMPolicyViolation, at most once a minute for
//! each object and kind of refusal. Must not keep what is raised: `crate::alarm` does.

use crate::reject::Reason;

/// What a policy may raise an alarm for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    UsageLimit,
    RateLimit,
    ServiceForbidden,
    OutboundForbidden,
    TransferForbidden,
    DialingRule,
}

impl Kind {
    /// The kind of a refusal; limits of a service and of a session are usage limits too.
    pub(crate) fn of(reason: Reason) -> Option<Self> {
        match reason {
            Reason::UsageLimit | Reason::ServiceLimit | Reason::SessionLimit => {
                Some(Self::UsageLimit)
            }
            Reason::RateLimit => Some(Self::RateLimit),
            Reason::ServiceForbidden => Some(Self::ServiceForbidden),
            Reason::OutboundForbidden => Some(Self::OutboundForbidden),
            Reason::TransferForbidden => Some(Self::TransferForbidden),
            Reason::DialingRule => Some(Self::DialingRule),
            _ => None,
        }
    }

    /// The field of `policy.alarms`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::UsageLimit => "usage_limit",
            Self::RateLimit => "rate_limit",
            Self::ServiceForbidden => "service_forbidden",
            Self::OutboundForbidden => "outbound_forbidden",
            Self::TransferForbidden => "transfer_forbidden",
            Self::DialingRule => "dialing_rule_forbidden",
        }
    }
}
