//! Alarms of the engine (rm.md §12.1): which are raised, for `/metrics` and for the log line that
//! raises them.
//!
//! Some stand for a while behind their last cause; the others are read from what is, so that they
//! cannot outlive it. Must not decide anything.

use std::time::Duration;

use model::time::Now;

use crate::limits::{NO_PROFILE_ALARM, NO_RESOURCE_ALARM};
use crate::log;
use crate::policy;
use crate::proxy::Proxy;

pub(crate) const GROUP_FULL: &str = "MCPPortsExceeded";
const NO_PROFILE: &str = "RMMatchingIVRTenantNotFound";
const OVERLOAD: &str = "RMOverload";
const POLICY: &str = policy::alarm::NAME;
const NO_RESOURCE: &str = "RMResourceAllocationFailed";
const RESOURCE_DOWN: &str = "RMResourceDown";

/// One that stands until nothing has caused it for a while.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    until: Option<Duration>,
}

impl Standing {
    /// There is a cause; true when it did not stand.
    pub(crate) fn raise(&mut self, now: Duration, lasts: Duration) -> bool {
        let stood = self.stands(now);
        self.until = Some(now + lasts);
        !stood
    }

    pub(crate) fn stands(&self, now: Duration) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

/// Those that log lines raise.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    pub(crate) policies: policy::Alarms,
    no_profile: Standing,
    no_resource: Standing,
}

impl Alarms {
    /// The alarm that the line of this id raises; none where it stands already.
    pub(crate) fn raised_by(&mut self, now: Duration, id: u16) -> Option<&'static str> {
        let (alarm, name, lasts) = match id {
            log::NO_PROFILE => (&mut self.no_profile, NO_PROFILE, NO_PROFILE_ALARM),
            log::NO_RESOURCE => (&mut self.no_resource, NO_RESOURCE, NO_RESOURCE_ALARM),
            _ => return None,
        };
        alarm.raise(now, lasts).then_some(name)
    }
}

impl Proxy {
    /// Alarms by name, and whether each is raised.
    #[must_use]
    pub fn alarms(&self, now: Now) -> Vec<(&'static str, bool)> {
        let now = now.mono;
        vec![
            (GROUP_FULL, self.pool.has_full_group(now)),
            (NO_PROFILE, self.alarms.no_profile.stands(now)),
            (OVERLOAD, self.overload.is_alarming(now)),
            (POLICY, self.alarms.policies.is_raised(now)),
            (NO_RESOURCE, self.alarms.no_resource.stands(now)),
            (RESOURCE_DOWN, self.pool.has_dead_member(now)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::{Alarms, Standing};
    use crate::log;
    use std::time::Duration;

    #[test]
    fn each_cause_makes_it_stand_longer_and_only_the_first_raises_it() {
        let (mut alarm, at) = (Standing::default(), Duration::from_secs);
        assert!(!alarm.stands(at(0)));
        assert!(alarm.raise(at(1), at(60)));
        assert!(!alarm.raise(at(60), at(60)));
        assert!(alarm.stands(at(119)) && !alarm.stands(at(120)));
        assert!(alarm.raise(at(120), at(60)));
    }

    #[test]
    fn a_line_without_an_alarm_raises_none() {
        let mut alarms = Alarms::default();
        assert_eq!(alarms.raised_by(Duration::ZERO, log::LOOP), None);
        let raised = alarms.raised_by(Duration::ZERO, log::NO_RESOURCE);
        assert_eq!(raised, Some("RMResourceAllocationFailed"));
        assert_eq!(alarms.raised_by(Duration::ZERO, log::NO_RESOURCE), None);
    }
}
