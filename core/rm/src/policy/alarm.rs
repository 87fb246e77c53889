//! Alarms of policies (rm.md §6.1, §12.1): RMPolicyViolation, at most once a minute for each object
//! and kind of refusal.

use std::collections::BTreeMap;
use std::time::Duration;

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

/// What stands of each object and kind.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    all: BTreeMap<(Object, Kind), Told>,
}

/// One of them: when its next log line may be made, and until when it stands.
#[derive(Clone, Copy, Debug)]
struct Told {
    again: Duration,
    until: Duration,
}

impl Alarms {
    /// A refusal that wants an alarm; true when its log line is to say so: the first of a minute.
    pub(crate) fn raise(&mut self, now: Duration, object: Object, kind: Kind) -> bool {
        // objects come from the configuration, and what is over is forgotten
        self.all.retain(|_, told| told.until > now);
        let until = now + POLICY_ALARM;
        let told = self.all.entry((object, kind)).or_insert(Told { again: now, until });
        told.until = until;
        let says = told.again <= now;
        if says {
            told.again = until;
        }
        says
    }

    /// Whether there was one within the last minute.
    pub(crate) fn is_raised(&self, now: Duration) -> bool {
        self.all.values().any(|told| told.until > now)
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
        assert!(!alarms.raise(at(50), acme, Kind::UsageLimit));
        assert!(alarms.raise(at(2), acme, Kind::RateLimit));
        assert!(alarms.raise(at(2), (Scope::Profile, Dbid(7)), Kind::UsageLimit));
        assert!(alarms.is_raised(at(60)));
        assert!(alarms.raise(at(61), acme, Kind::UsageLimit));
        assert!(!alarms.raise(at(110), acme, Kind::UsageLimit));
        // it does not go out between two refusals of which only the first was told
        assert!(alarms.is_raised(at(169)) && !alarms.is_raised(at(170)));
    }
}
