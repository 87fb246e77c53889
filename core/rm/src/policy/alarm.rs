//! Alarms of policies (rm.md §6.1, §12.1): RMPolicyViolation, at most once a minute for each object
//! and kind of refusal.

use std::collections::BTreeMap;
use std::time::Duration;

use model::time::Now;

use super::usage::Object;
use crate::limits::POLICY_ALARM;
use crate::reject::Reason;

/// Its name.
pub(crate) const NAME: &str = "RMPolicyViolation";

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
}

impl crate::proxy::Proxy {
    /// Alarms by name, and whether each is raised.
    #[must_use]
    pub fn alarms(&self, now: Now) -> [(&'static str, bool); 1] {
        [(NAME, self.policy_alarms.is_raised(now.mono))]
    }
}

/// When each alarm may be raised again.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    until: BTreeMap<(Object, Kind), Duration>,
}

impl Alarms {
    /// Whether this refusal raises its alarm: the first one of a minute does.
    pub(crate) fn raise(&mut self, now: Duration, object: Object, kind: Kind) -> bool {
        // objects come from the configuration, and what is over is forgotten
        self.until.retain(|_, until| *until > now);
        let raised = !self.until.contains_key(&(object, kind));
        if raised {
            self.until.insert((object, kind), now + POLICY_ALARM);
        }
        raised
    }

    /// Whether one was raised within the last minute.
    pub(crate) fn is_raised(&self, now: Duration) -> bool {
        self.until.values().any(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::{Alarms, Kind};
    use model::id::Dbid;
    use model::record::Scope;
    use std::time::Duration;

    #[test]
    fn once_a_minute_for_each_object_and_kind() {
        let (mut alarms, acme) = (Alarms::default(), (Scope::Tenant, Dbid(7)));
        let at = Duration::from_secs;
        assert!(alarms.raise(at(1), acme, Kind::UsageLimit));
        assert!(!alarms.raise(at(60), acme, Kind::UsageLimit));
        assert!(alarms.raise(at(2), acme, Kind::RateLimit));
        assert!(alarms.raise(at(2), (Scope::Profile, Dbid(7)), Kind::UsageLimit));
        assert!(alarms.is_raised(at(60)));
        assert!(alarms.raise(at(61), acme, Kind::UsageLimit));
        assert!(!alarms.is_raised(at(121)));
    }
}
