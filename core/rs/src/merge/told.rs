//! The facts of a call as records again (rs.md §10): whoever stores them gets the same state.

use std::collections::BTreeMap;

use model::config::Service;
use model::id::LegId;
use model::record::{CallType, ComponentType, EndState, Phase, Scope, VarResult};
use model::time::Millis;
use serde_json::{Map, Value, json};

use super::order::Verdict;
use super::{CallState, END};
use crate::export::AGAIN;
use crate::fact::{CallFact, Object, ProfileFact, UsageFact, Values};
use crate::row::flag;

impl CallState {
    /// One record for each fact, with its id, in the order of ids; then what is still known of
    /// updates that found no room. `trace`: what `call_trace` has. `by`: whom
    /// they name as producer.
    #[must_use]
    pub fn records(&self, trace: Option<&str>, by: &str) -> Vec<Value> {
        let traced = self.trace.as_ref();
        let mut records: Vec<Value> = self
            .facts
            .iter()
            .map(|fact| {
                let own = traced.is_some_and(|best| *best == super::Rank::of(fact));
                record(fact, trace.filter(|_| own), self.dropped.flags & flag::ERASED, by)
            })
            .collect();
        let erased = self.dropped.flags & flag::ERASED;
        records.extend(self.leftover().iter().map(|fact| record(fact, None, erased, by)));
        records
    }

    /// Updates of which only a part is left.
    fn leftover(&self) -> Vec<CallFact> {
        let dropped = &self.dropped;
        // whatever its rank, the row shows whom it showed
        let order = Verdict::of(&self.facts, &dropped.alive).order(self.facts.iter());
        let Some(any) = order.first().copied() else { return Vec::new() };
        let key: String = self.call_key.iter().map(|byte| format!("{byte:02x}")).collect();
        let bare = |id: String, phase: u8, epoch: u64, number: u64, time_ms: i64| CallFact {
            id,
            phase,
            epoch,
            number,
            time_ms,
            started_ms: dropped.started_ms.unwrap_or(any.started_ms),
            end: None,
            tenant: Vec::new(),
            profile: None,
            usage: Vec::new(),
            flags: dropped.flags,
            values: Values { guid: any.values.guid.clone(), ..Values::default() },
            trace: None,
            ..any.clone()
        };
        // one that found no room keeps its id, and what is known of it besides
        let mut all: BTreeMap<String, CallFact> = BTreeMap::new();
        for mut fact in self.leftovers.iter().cloned() {
            fact.values.guid = fact.values.guid.or_else(|| any.values.guid.clone());
            all.insert(fact.id.clone(), fact);
        }
        for (epoch, time_ms) in &dropped.alive {
            let id = format!("{key}/cdr.covered/{epoch}.0");
            all.insert(id.clone(), bare(id, super::UPDATE, *epoch, 0, *time_ms));
        }
        let mut of = |early: &super::Early, set: &dyn Fn(&mut CallFact)| {
            let (id, phase, epoch, number) = early.parts();
            if phase != END {
                let fact = all
                    .entry(id.to_owned())
                    .or_insert_with(|| bare(id.to_owned(), phase, epoch, number, any.started_ms));
                set(fact);
            }
        };
        if let Some((early, tenant)) = &dropped.tenant {
            of(early, &|fact| fact.tenant.clone_from(tenant));
        }
        if let Some((early, profile)) = &dropped.profile {
            of(early, &|fact| fact.profile = Some(profile.clone()));
        }
        if let Some((early, usage)) = &dropped.usage {
            of(early, &|fact| fact.usage.clone_from(usage));
        }
        all.into_values().collect()
    }
}

/// The record that tells this fact.
fn record(fact: &CallFact, trace: Option<&str>, flags: u32, by: &str) -> Value {
    let phase = Phase::from_number(fact.phase);
    let mut record = json!({
        "schema": 1, "kind": "cdr", "id": fact.id, "time": time(fact.time_ms),
        "producer": {"name": by},
        "component": {
            "name": fact.component.name, "dbid": fact.component.dbid,
            "type": ComponentType::from_number(fact.component_type).map(ComponentType::as_str),
        },
        "phase": phase.map(Phase::as_str),
        "leg": fact.leg.map(|leg| LegId(leg).to_string()),
        "session_id": fact.session_id,
        "epoch": Some(fact.epoch).filter(|epoch| *epoch > 0),
        "started_at": time(fact.started_ms),
        "call_type": CallType::from_number(fact.call_type).map(CallType::as_str),
        "local_uri": fact.local_uri, "remote_uri": fact.remote_uri,
        "tenant": tenant(&fact.tenant),
        "profile": fact.profile.as_ref().map(profile),
        "trace": trace.and_then(parsed),
    });
    let usage: Vec<Value> = fact.usage.iter().map(usage).collect();
    record["usage"] = if usage.is_empty() { Value::Null } else { usage.into() };
    if let Some(end) = &fact.end {
        record["ended_at"] = json!(time(end.ended_ms));
        record["end_state"] = json!(EndState::from_number(end.state).map(EndState::as_str));
        record["reason"] = json!(end.reason);
    }
    let mut whole = record.as_object_mut().map(std::mem::take).unwrap_or_default();
    whole.retain(|_, value| !value.is_null());
    for (key, value) in values(&fact.values) {
        whole.entry(key).or_insert(value);
    }
    without_nulls(&mut whole);
    for (key, text) in &fact.values.extra {
        if let (false, Some(value)) = (whole.contains_key(key), parsed(text)) {
            whole.insert(key.clone(), value);
        }
    }
    whole.insert(AGAIN.to_owned(), (fact.flags | flags).into());
    Value::Object(whole)
}

fn values(values: &Values) -> Map<String, Value> {
    let resource = values.resource.as_ref().map(|resource| {
        json!({
            "group": resource.group, "name": resource.name, "dbid": resource.dbid,
            "address": resource.address, "attempts": resource.attempts,
        })
    });
    let owners = values.owners.as_ref().map(|owners| {
        let owner = owners.iter().map(
            |owner| json!({"component": object(&owner.component), "from": time(owner.from_ms)}),
        );
        owner.collect::<Vec<_>>()
    });
    let told = json!({
        "guid": values.guid, "answered_at": values.answered_ms.map(time),
        "service": values.service.and_then(Service::from_number).map(|service| service.as_str()),
        "dn": values.dn, "call_id": values.call_id, "call_uuid": values.call_uuid,
        "resource": resource, "sip_status": values.sip_status, "reason": values.reason,
        "policy": values.policy.as_deref().and_then(parsed),
        "media": values.media.as_ref().and_then(|media| parsed(&media.json)),
        "result": values.result.and_then(VarResult::from_number).map(VarResult::as_str),
        "result_reason": values.result_reason, "notes": values.notes, "origin": values.origin,
        "parent": values.parent.as_ref().and_then(|parent| parsed(&parent.json)),
        "sq": values.sq_failed.map(|failed| json!({"failed": failed})),
        "config_rev": values.config_rev, "owners": owners,
    });
    let Value::Object(told) = told else { return Map::new() };
    told
}

fn tenant(path: &[Object]) -> Value {
    let Some(leaf) = path.last() else { return Value::Null };
    let all: Vec<Value> = path.iter().map(object).collect();
    json!({"name": leaf.name, "dbid": leaf.dbid, "path": all})
}

fn profile(profile: &ProfileFact) -> Value {
    let service = profile.service.and_then(Service::from_number).map(|service| service.as_str());
    json!({"name": profile.object.name, "dbid": profile.object.dbid, "service": service})
}

fn usage(usage: &UsageFact) -> Value {
    json!({
        "scope": Scope::from_number(usage.scope).map(Scope::as_str), "name": usage.object.name,
        "dbid": usage.object.dbid, "usage": usage.usage, "burst": usage.burst,
    })
}

fn object(object: &Object) -> Value {
    json!({"name": object.name, "dbid": object.dbid})
}

fn parsed(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

fn time(ms: i64) -> String {
    Millis(u64::try_from(ms).unwrap_or_default()).to_string()
}

/// Nulls say nothing; they go, at any depth that we have made.
fn without_nulls(object: &mut Map<String, Value>) {
    for value in object.values_mut() {
        match value {
            Value::Object(inner) => without_nulls(inner),
            Value::Array(items) => {
                for item in items.iter_mut().filter_map(Value::as_object_mut) {
                    without_nulls(item);
                }
            }
            _ => {}
        }
    }
    object.retain(|_, value| !value.is_null());
}
