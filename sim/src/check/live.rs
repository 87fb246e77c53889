//! What lives on a node, counted anew from its sessions: the reference against which what is
//! admitted and what is refused is held.
//!
//! All sessions are read at every step that changes something, or only those that the step speaks
//! of, which costs the same whatever else lives. What nobody spoke of shows at the next full look.

use std::collections::{BTreeMap, BTreeSet};

use model::id::Guid;
use rm::{CallFilter, CallView, LegView, Proxy};

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

/// A session that is not as it was at the last look.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// Which.
    pub(super) guid: Guid,
    /// As it was; `None`: it is new.
    pub(super) before: Option<Live>,
}

/// All live sessions of a node as they were at the last look.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    sessions: BTreeMap<Guid, Live>,
    /// Of these.
    pub(super) counts: Counts,
}

impl Ledger {
    /// A session, if it lives.
    #[must_use]
    pub(super) fn get(&self, guid: Guid) -> Option<&Live> {
        self.sessions.get(&guid)
    }

    /// All that live.
    pub(super) fn sessions(&self) -> impl Iterator<Item = &Live> {
        self.sessions.values()
    }

    /// Looks at these sessions, or at all; gives back those that have changed.
    pub(super) fn look(
        &mut self,
        proxy: &Proxy,
        rules: &Rules,
        which: Option<&BTreeSet<Guid>>,
        mut is_inbound: impl FnMut(Guid, &[LegView], Option<&Live>) -> Option<bool>,
    ) -> Vec<Change> {
        let live: Vec<CallView> = match which {
            Some(some) => some.iter().filter_map(|guid| Some(proxy.call(*guid)?.call)).collect(),
            None => all(proxy),
        };
        let gone: Vec<Guid> = match which {
            Some(some) => some.iter().copied().collect(),
            None => self.sessions.keys().copied().collect(),
        };
        let mut before: BTreeMap<Guid, Live> = BTreeMap::new();
        for guid in gone {
            let Some(old) = self.sessions.remove(&guid) else { continue };
            self.counts.enter(&old, false);
            before.insert(guid, old);
        }
        let mut changes = Vec::new();
        for call in live {
            let guid = call.session;
            let mut legs = proxy.call(guid).map(|call| call.leg).unwrap_or_default();
            legs.iter_mut().for_each(|leg| leg.trace.clear());
            let old = before.remove(&guid);
            let inbound = is_inbound(guid, &legs, old.as_ref());
            let chain = rules.chain(call.tenant.as_deref(), call.profile.as_deref());
            let new = Live { guid, chain, inbound, legs };
            self.counts.enter(&new, true);
            if old.as_ref().is_none_or(|old| !old.counts_like(&new)) {
                changes.push(Change { guid, before: old });
            }
            self.sessions.insert(guid, new);
        }
        changes.extend(before.into_iter().map(|(guid, old)| Change { guid, before: Some(old) }));
        changes
    }
}

/// All live sessions of a node.
fn all(proxy: &Proxy) -> Vec<CallView> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let slice = proxy.calls(&CallFilter::default(), after, usize::MAX);
        all.extend(slice.calls);
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
    /// A session comes, or goes.
    fn enter(&mut self, session: &Live, comes: bool) {
        for object in &session.chain {
            self.add(object, What::Sessions, comes);
            match session.inbound {
                Some(true) => self.add(object, What::Inbound, comes),
                Some(false) => {}
                None => step(self.unsure.entry(object.clone()).or_default(), comes),
            }
            for leg in &session.legs {
                self.add(object, What::Service(leg.service.to_owned()), comes);
                if leg.service == "gateway" {
                    self.add(object, What::Outbound, comes);
                }
            }
        }
    }

    fn add(&mut self, object: &Object, what: What, comes: bool) {
        step(self.sure.entry((object.clone(), what)).or_default(), comes);
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

fn step(count: &mut usize, up: bool) {
    *count = if up { *count + 1 } else { count.saturating_sub(1) };
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

    /// Whether it had this leg, of this service.
    #[must_use]
    pub(super) fn has(&self, leg: &LegView) -> bool {
        self.legs.iter().any(|own| (own.id, own.service) == (leg.id, leg.service))
    }

    /// Whether both are counted alike.
    fn counts_like(&self, other: &Self) -> bool {
        self.chain == other.chain
            && self.inbound == other.inbound
            && self.legs.len() == other.legs.len()
            && other.legs.iter().all(|leg| self.has(leg))
    }
}
