//! Whether a call in memory meets a filter: the same as what each store says in SQL.

use model::record::CallGuid;
use model::time::Millis;

use super::filter::{Filter, Party, Progress};
use crate::report::Call;

impl Filter {
    /// Whether a call meets all conditions, at this time. Ids are compared as they stand: aliases
    /// are to be in the filter.
    #[must_use]
    pub fn meets(&self, call: &Call, now: Millis) -> bool {
        self.progress.includes(call)
            && self.component_type.is_none_or(|kind| call.component.kind == kind)
            && self.times(call)
            && self.objects(call)
            && is_any(&self.numbers, |number| has(call.dn.as_deref(), |dn| number.matches(dn)))
            && is_any(&self.remote_uris, |uri| uri.matches(&call.remote_uri))
            && is_any(&self.local_uris, |uri| uri.matches(&call.local_uri))
            && self.names(call)
            && self.sip_status.is_none_or(|status| call.sip_status == Some(status))
            && self.party.as_ref().is_none_or(|party| party.is_in(call))
            && is_any(&self.call_types, |kind| call.call_type == *kind)
            && is_any(&self.end_states, |state| call.end_state == Some(*state))
            && is_any(&self.services, |service| call.service == Some(*service))
            && self.duration_min.is_none_or(|least| call.duration_ms(now) >= least)
            && self.duration_max.is_none_or(|most| call.duration_ms(now) <= most)
    }

    /// Whether one who asks may see a call.
    #[must_use]
    pub fn is_in_scope(&self, call: &Call) -> bool {
        self.scope.as_ref().is_none_or(|scope| is_of(call, scope))
    }

    fn times(&self, call: &Call) -> bool {
        let Self { started_after, started_before, ended_after, ended_before, .. } = self;
        started_after.is_none_or(|after| call.started > after)
            && started_before.is_none_or(|before| call.started < before)
            && ended_after.is_none_or(|after| call.ended.is_some_and(|ended| ended > after))
            && ended_before.is_none_or(|before| call.ended.is_some_and(|ended| ended < before))
    }

    fn objects(&self, call: &Call) -> bool {
        let profile = call.application.as_ref().map(|profile| profile.id);
        is_any(&self.profiles, |id| profile == Some(*id))
            && is_any(&self.components, |id| call.component.id == *id)
            && (self.tenants.is_empty() || is_of(call, &self.tenants))
            && self.is_in_scope(call)
    }

    fn names(&self, call: &Call) -> bool {
        let guid = self.guid.as_ref().map(CallGuid::to_string);
        let is = |wanted: &Option<String>, there: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == there
        };
        is(&self.session_id, Some(&call.session_id))
            && is(&guid, call.guid.as_deref())
            && is(&self.call_uuid, call.call_uuid.as_deref())
            && is(&self.call_id, call.call_id.as_deref())
    }
}

impl Progress {
    fn includes(self, call: &Call) -> bool {
        match self {
            Self::All => true,
            Self::Live => call.ended.is_none(),
            Self::Completed => call.ended.is_some(),
        }
    }
}

impl Party {
    fn is_in(&self, call: &Call) -> bool {
        let users = self.users();
        let is_user = |uri: &str| users.iter().any(|user| user.matches(uri));
        has(call.dn.as_deref(), |dn| self.dialled().matches(dn))
            || is_user(&call.local_uri)
            || is_user(&call.remote_uri)
    }
}

/// An empty list is no condition.
fn is_any<T>(wanted: &[T], meets: impl Fn(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(meets)
}

fn has(text: Option<&str>, meets: impl Fn(&str) -> bool) -> bool {
    text.is_some_and(meets)
}

/// The path of the call has one of these.
fn is_of(call: &Call, tenants: &[u32]) -> bool {
    call.tenants.iter().any(|tenant| tenants.contains(&tenant.id))
}
