//! What lives on a node, counted anew from its sessions: the reference against which what is
//! admitted and what is refused is held.

use std::collections::BTreeMap;

use model::id::{Guid, LegId};
use rm::{CallFilter, LegView, Proxy};

use super::rules::{Object, Rules, What};

/// One live session.
#[derive(Clone, Debug)]
pub(super) struct Live {
    /// Its id.
    pub(super) guid: Guid,
    /// Its profile, its tenant, and all above.
    pub(super) chain: Vec<Object>,
    /// Its first leg came in from outside; `None`: nobody knows.
    pub(super) inbound: Option<bool>,
    /// Its legs.
    pub(super) legs: Vec<LegView>,
}

/// All live sessions of a node.
pub(super) fn sessions(
    proxy: &Proxy,
    rules: &Rules,
    mut is_inbound: impl FnMut(Guid, &[LegView]) -> Option<bool>,
) -> Vec<Live> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let slice = proxy.calls(&CallFilter::default(), after, usize::MAX);
        for call in slice.calls {
            let legs = proxy.call(call.session).map(|call| call.leg).unwrap_or_default();
            all.push(Live {
                guid: call.session,
                chain: rules.chain(call.tenant.as_deref(), call.profile.as_deref()),
                inbound: is_inbound(call.session, &legs),
                legs,
            });
        }
        after = slice.next;
        if after.is_none() {
            return all;
        }
    }
}

/// How many there are of everything that is counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    sure: BTreeMap<(Object, What), usize>,
    /// Sessions of which nobody knows whether they came in.
    unsure: BTreeMap<Object, usize>,
}

impl Counts {
    /// Of these sessions.
    #[must_use]
    pub(super) fn of(sessions: &[Live]) -> Self {
        let mut counts = Self::default();
        for session in sessions {
            for object in &session.chain {
                counts.add(object, What::Sessions);
                match session.inbound {
                    Some(true) => counts.add(object, What::Inbound),
                    Some(false) => {}
                    None => *counts.unsure.entry(object.clone()).or_default() += 1,
                }
                for leg in &session.legs {
                    counts.add(object, What::Service(leg.service.to_owned()));
                    if leg.service == "gateway" {
                        counts.add(object, What::Outbound);
                    }
                }
            }
        }
        counts
    }

    fn add(&mut self, object: &Object, what: What) {
        *self.sure.entry((object.clone(), what)).or_default() += 1;
    }

    /// How many of these.
    #[must_use]
    pub(super) fn get(&self, object: &Object, what: &What) -> usize {
        self.sure.get(&(object.clone(), what.clone())).copied().unwrap_or_default()
    }

    /// Sessions that may have come in besides.
    #[must_use]
    pub(super) fn unsure(&self, object: &Object) -> usize {
        self.unsure.get(object).copied().unwrap_or_default()
    }
}

impl Live {
    /// Its tenant.
    #[must_use]
    pub(super) fn tenant(&self) -> Option<&Object> {
        self.chain.iter().find(|object| matches!(object, Object::Tenant(_)))
    }

    /// Its legs of a service.
    #[must_use]
    pub(super) fn of_service(&self, service: &str) -> usize {
        self.legs.iter().filter(|leg| leg.service == service).count()
    }
}

/// What was seen of a session at the last look.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Who counts it.
    pub(super) objects: Vec<Object>,
    /// The services of its legs.
    pub(super) legs: BTreeMap<LegId, &'static str>,
}
