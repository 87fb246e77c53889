//! `/api/v1/calls/{name}`: one call with its legs, by GUID or by the key of a leg (rs.md §6).

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use model::record::{CallGuid, VarResult};
use model::time::Millis;
use rs::report::{Call, Item, of_session};
use rs::var::VarActionRow;
use rs::{Key, Refused};
use serde_json::{Value, json};

use super::Shared;
use super::access::Asker;
use super::answer::{self, respond};
use super::audit::line;
use super::native::pairs;
use crate::store::custody::Audit;
use crate::store::erasing::forget;
use crate::store::{CallName, Event, Leg, Store, StoreError};
use crate::view::View;

/// One call with its legs.
pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    asker: Asker,
    name: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Response {
    let Ok(Path(name)) = name else { return respond(Err(unknown())) };
    respond(call(&shared, &asker, &name, query.as_deref().unwrap_or_default()).await)
}

/// Erases what the call tells of a person; figures stay. Once more is as good.
pub(super) async fn erase(
    State(shared): State<Arc<Shared>>,
    asker: Asker,
    name: Result<Path<String>, PathRejection>,
) -> Response {
    let erased = async {
        let Path(name) = name.map_err(|_| unknown())?;
        let wanted = named(&name);
        let line = line(&shared, &asker, "call-erasure", &name, &json!({}));
        let view = Arc::clone(&shared.parts.view);
        let erased = move |store: &dyn Store| erased_whole((store, &*view), &wanted, line);
        let legs = answer::ask(&shared, erased).await?;
        if legs == 0 {
            return Err(unknown());
        }
        answer::written(&json!({ "legs": legs }))
    };
    respond(erased.await)
}

/// Erases a call and writes it down, also when nobody waits for the answer any more. Gives how many
/// legs it has.
fn erased_whole(
    (store, view): (&dyn Store, &View),
    wanted: &CallName,
    line: Audit,
) -> Result<usize, StoreError> {
    let legs: Vec<Call> = store.call(wanted, false)?.into_iter().map(|leg| leg.call).collect();
    if !legs.is_empty() {
        let keys: Vec<Key> = legs.iter().map(|leg| leg.key).collect();
        view.leave(&keys);
        let detail = json!({ "legs": legs.len() }).to_string();
        let forgotten = forget(store, &legs, &Audit { detail, ..line });
        // also what it got done before an error
        view.again(&keys);
        forgotten?;
    }
    Ok(legs.len())
}

fn named(name: &str) -> CallName {
    match key(name) {
        Some(key) => CallName::Key(key),
        None => CallName::Guid(CallGuid::new(name)),
    }
}

fn unknown() -> Refused {
    Refused::other(404, "no-such-call", "no call of this name is known")
}

async fn call(
    shared: &Arc<Shared>,
    asker: &Asker,
    name: &str,
    query: &str,
) -> Result<String, Refused> {
    let include = Include::read(query)?;
    let wanted = named(name);
    let mut legs = answer::ask(shared, move |store| store.call(&wanted, include.events)).await?;
    if let Some(scope) = shared.scope(asker).await? {
        legs.retain_mut(|leg| leg.call.narrow(scope.roots()));
        // it tells of the tenants above, and of candidates of others
        legs.iter_mut().for_each(|leg| leg.trace = None);
    }
    shared.show_legs(asker, &mut legs);
    let now = shared.now();
    let calls: Vec<Call> = legs.iter().map(|leg| leg.call.clone()).collect();
    let session = of_session(&calls, now).ok_or_else(unknown)?;
    let tenant = calls.iter().find(|call| call.tenants.last().is_some()).map(tenant);
    let missing: BTreeSet<&str> =
        legs.iter().flat_map(|leg| &leg.missing).map(|phase| phase.as_str()).collect();
    let legs: Vec<Value> = legs.iter().map(|leg| with_details(leg, include, now)).collect();
    answer::written(&json!({
        "guid": session.guid, "started_at": session.started_at, "ended_at": session.ended_at,
        "state": session.state, "tenant": tenant, "profile": session.profile,
        "remote_uri": session.remote_uri, "dn": session.dn, "legs": legs,
        "integrity": { "complete": missing.is_empty(), "missing": missing },
    }))
}

fn tenant(call: &Call) -> Value {
    let path: Vec<&str> = call.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
    json!({ "id": call.tenants.last().map(|tenant| tenant.id), "name": path.last(), "path": path })
}

/// A leg as the list has it, and what component it is of.
pub(super) fn leg(call: &Call, now: Millis) -> Value {
    let mut value = json!(Item::of_leg(call, now));
    let of = &call.component;
    value["component"] = json!({ "id": of.id, "name": of.name, "type": of.kind });
    value["leg"] = json!(call.leg);
    value["epoch"] = json!(call.epoch);
    value
}

fn with_details(leg_of: &Leg, include: Include, now: Millis) -> Value {
    let mut value = leg(&leg_of.call, now);
    value["parent"] = json!(leg_of.parent.map(hex));
    value["missing"] = leg_of.missing.iter().map(|phase| phase.as_str()).collect();
    value["extra"] = parsed(leg_of.extra.as_deref());
    if include.trace {
        value["trace"] = parsed(leg_of.trace.as_deref());
    }
    if include.var {
        let var = &leg_of.var;
        let word = |number: Option<u8>| number.and_then(VarResult::from_number);
        if let Some(call) = &var.call {
            value["result"] = json!(word(call.result));
            value["result_reason"] = json!(call.reason);
            value["notes"] = json!(call.notes);
            value["ignored"] = json!(call.ignored);
        }
        value["actions"] = var.actions.iter().map(action).collect();
        let custom = var.custom.iter().map(|row| (row.name.clone(), json!(row.value)));
        value["custom"] = Value::Object(custom.collect());
    }
    if include.events {
        value["events"] = leg_of.events.first.iter().map(event).collect();
        value["events_cut"] = json!(leg_of.events.is_cut);
    }
    value
}

/// An action of a voice application, as far as something was said of it.
fn action(row: &VarActionRow) -> Value {
    let time = |ms: i64| Millis(u64::try_from(ms).unwrap_or_default());
    let mut value = json!({
        "n": row.n, "action": row.action, "started_at": time(row.started_ms),
        "ended_at": row.ended_ms.map(time),
        "duration_ms": row.ended_ms.map(|ended| ended - row.started_ms),
        "result": row.result.and_then(VarResult::from_number),
    });
    let rest = [
        ("parent", row.parent_n.map(|n| json!(n))),
        ("reason", row.reason.as_ref().map(|text| json!(text))),
        ("notes", row.notes.as_ref().map(|text| json!(text))),
    ];
    for (name, told) in rest {
        if let Some(told) = told {
            value[name] = told;
        }
    }
    value
}

fn event(event: &Event) -> Value {
    let mut told = json!({
        "time": Millis(u64::try_from(event.time_ms).unwrap_or_default()),
        "log_id": event.log_id, "label": event.label, "text": event.text,
        "component": event.component, "session_id": event.session_id,
    });
    if event.extra.is_some() {
        told["extra"] = parsed(event.extra.as_deref());
    }
    told
}

/// JSON that the store keeps as text.
fn parsed(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null)
}

/// What is shown of a call beside its facts.
#[derive(Clone, Copy, Debug, Default)]
struct Include {
    events: bool,
    trace: bool,
    var: bool,
}

impl Include {
    fn read(query: &str) -> Result<Self, Refused> {
        let mut include = Self::default();
        for (name, value) in pairs(query)? {
            if name != "include" {
                let message = format!("{name} is no parameter of a call");
                return Err(Refused::parameter("unknown-parameter", message, &[&name]));
            }
            for part in value.split(',') {
                match part {
                    "events" => include.events = true,
                    "trace" => include.trace = true,
                    "var" => include.var = true,
                    _ => {
                        let message = "include takes events, trace and var in this version";
                        return Err(Refused::parameter("bad-enum", message, &["include"]));
                    }
                }
            }
        }
        Ok(include)
    }
}

/// 32 hex digits without hyphens name a leg; a GUID has hyphens.
fn key(name: &str) -> Option<Key> {
    let digits = name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = digits.then(|| u128::from_str_radix(name, 16).ok()).flatten()?;
    Some(number.to_be_bytes())
}

fn hex(key: Key) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}
