//! Rule 1 of rs.md §2.9: each value comes from the first fact that has it; absent erases nothing.

use std::collections::BTreeMap;

use crate::fact::{CallFact, MediaFact, Object, OwnerFact, ParentFact, ResourceFact, Values};
use crate::limits::EXTRA_BYTES;

/// The values that a row shows, taken from facts in their order.
#[derive(Default)]
pub(super) struct Shown<'f> {
    pub(super) guid: Option<&'f str>,
    pub(super) answered_ms: Option<i64>,
    pub(super) service: Option<u8>,
    pub(super) dn: Option<&'f String>,
    pub(super) call_id: Option<&'f String>,
    pub(super) call_uuid: Option<&'f String>,
    pub(super) resource: Option<&'f ResourceFact>,
    pub(super) sip_status: Option<u16>,
    pub(super) reason: Option<&'f String>,
    pub(super) policy: Option<&'f String>,
    pub(super) media: Option<&'f MediaFact>,
    pub(super) result: Option<u8>,
    pub(super) result_reason: Option<&'f String>,
    pub(super) notes: Option<&'f String>,
    pub(super) origin: Option<&'f String>,
    pub(super) parent: Option<&'f ParentFact>,
    pub(super) sq_failed: Option<bool>,
    pub(super) config_rev: Option<u64>,
    pub(super) owners: Option<&'f Vec<OwnerFact>>,
    extra: BTreeMap<&'f str, &'f str>,
}

/// The values that every fact has: those of the first one.
pub(super) struct Identity<'f> {
    pub(super) component_type: u8,
    pub(super) component: &'f Object,
    pub(super) session_id: &'f str,
    pub(super) leg: Option<u32>,
    pub(super) epoch: u64,
    pub(super) call_type: u8,
    pub(super) local_uri: &'f str,
    pub(super) remote_uri: &'f str,
}

impl<'f> Shown<'f> {
    pub(super) fn of(order: &[&'f CallFact]) -> Self {
        let mut shown = Self::default();
        for fact in order {
            shown.fill(&fact.values);
        }
        shown
    }

    pub(super) fn identity(order: &[&'f CallFact]) -> Identity<'f> {
        static NOBODY: Object = Object { dbid: None, name: None };
        match order.first() {
            Some(fact) => Identity {
                component_type: fact.component_type,
                component: &fact.component,
                session_id: &fact.session_id,
                leg: fact.leg,
                epoch: fact.epoch,
                call_type: fact.call_type,
                local_uri: &fact.local_uri,
                remote_uri: &fact.remote_uri,
            },
            None => Identity {
                component_type: 0,
                component: &NOBODY,
                session_id: "",
                leg: None,
                epoch: 0,
                call_type: 0,
                local_uri: "",
                remote_uri: "",
            },
        }
    }

    /// The unknown fields and the parent as one JSON object, as far as they fit.
    pub(super) fn extra(&self) -> Option<String> {
        let mut members = self.extra.clone();
        if let Some(parent) = self.parent {
            members.insert("parent", &parent.json);
        }
        let mut text = String::new();
        for (key, value) in members {
            let key = serde_json::Value::from(key).to_string();
            if text.len() + key.len() + value.len() + 4 <= EXTRA_BYTES {
                text.push(if text.is_empty() { '{' } else { ',' });
                text.push_str(&key);
                text.push(':');
                text.push_str(value);
            }
        }
        (!text.is_empty()).then(|| text + "}")
    }

    fn fill(&mut self, values: &'f Values) {
        let Values {
            guid,
            answered_ms,
            service,
            dn,
            call_id,
            call_uuid,
            resource,
            sip_status,
            reason,
            policy,
            media,
            result,
            result_reason,
            notes,
            origin,
            parent,
            sq_failed,
            config_rev,
            owners,
            extra,
        } = values;
        self.guid = self.guid.or(guid.as_deref());
        self.answered_ms = self.answered_ms.or(*answered_ms);
        self.service = self.service.or(*service);
        self.dn = self.dn.or(dn.as_ref());
        self.call_id = self.call_id.or(call_id.as_ref());
        self.call_uuid = self.call_uuid.or(call_uuid.as_ref());
        self.resource = self.resource.or(resource.as_ref());
        self.sip_status = self.sip_status.or(*sip_status);
        self.reason = self.reason.or(reason.as_ref());
        self.policy = self.policy.or(policy.as_ref());
        self.media = self.media.or(media.as_ref());
        self.result = self.result.or(*result);
        self.result_reason = self.result_reason.or(result_reason.as_ref());
        self.notes = self.notes.or(notes.as_ref());
        self.origin = self.origin.or(origin.as_ref());
        self.parent = self.parent.or(parent.as_ref());
        self.sq_failed = self.sq_failed.or(*sq_failed);
        self.config_rev = self.config_rev.or(*config_rev);
        self.owners = self.owners.or(owners.as_ref());
        for (key, value) in extra {
            self.extra.entry(key).or_insert(value);
        }
    }
}

impl Values {
    /// Forgets every value that `other`, ranking higher, has.
    pub(super) fn strip(&mut self, other: &Self) {
        fn let_go<T>(own: &mut Option<T>, is_there: bool) {
            if is_there {
                *own = None;
            }
        }
        let_go(&mut self.guid, other.guid.is_some());
        let_go(&mut self.answered_ms, other.answered_ms.is_some());
        let_go(&mut self.service, other.service.is_some());
        let_go(&mut self.dn, other.dn.is_some());
        let_go(&mut self.call_id, other.call_id.is_some());
        let_go(&mut self.call_uuid, other.call_uuid.is_some());
        let_go(&mut self.resource, other.resource.is_some());
        let_go(&mut self.sip_status, other.sip_status.is_some());
        let_go(&mut self.reason, other.reason.is_some());
        let_go(&mut self.policy, other.policy.is_some());
        let_go(&mut self.media, other.media.is_some());
        let_go(&mut self.result, other.result.is_some());
        let_go(&mut self.result_reason, other.result_reason.is_some());
        let_go(&mut self.notes, other.notes.is_some());
        let_go(&mut self.origin, other.origin.is_some());
        let_go(&mut self.parent, other.parent.is_some());
        let_go(&mut self.sq_failed, other.sq_failed.is_some());
        let_go(&mut self.config_rev, other.config_rev.is_some());
        let_go(&mut self.owners, other.owners.is_some());
        self.extra.retain(|key, _| !other.extra.contains_key(key));
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
