//! Objects that shall stand, and who may change those that stand already; pure.
//!
//! A label says whose an object is. Where a person took it away, the object is left as it is.

use serde_json::{Value, json};

/// The label that says who made an object.
pub(super) const MANAGED: &str = "ringmaster/managed-by";
/// Who has made what the two programs may change.
pub(super) const OURS: [&str; 2] = ["config-handler", "rs-init"];

/// What stands in the Config Server.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) objects: Vec<Value>,
    pub(super) clients: Vec<Client>,
}

/// A client of the Config Server.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) name: String,
    /// Seconds since it was last heard of.
    pub(super) age_s: u64,
    /// It has been heard of lately.
    pub(super) connected: bool,
}

/// What shall be done, all or nothing.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub(super) operations: Vec<Value>,
    /// Objects that are not ours any more.
    pub(super) left_alone: Vec<String>,
}

/// One object of `Environment` that shall stand.
pub(super) struct Wanted<'w> {
    pub(super) kind: &'static str,
    pub(super) name: &'w str,
    /// Fields of its spec; others stay.
    pub(super) spec: Value,
    pub(super) labels: Vec<(String, String)>,
    /// It is not touched when it stands.
    pub(super) only_if_missing: bool,
}

/// Who makes a plan.
pub(super) struct Maker<'m> {
    pub(super) found: &'m Found,
    /// One of [`OURS`].
    pub(super) by: &'static str,
    pub(super) environment: Option<&'m str>,
    pub(super) plan: Plan,
}

impl Found {
    /// An object of `Environment`.
    pub(super) fn get(&self, kind: &str, name: &str) -> Option<&Value> {
        self.objects.iter().find(|object| {
            let tenant = object["tenant"].as_str().unwrap_or("Environment");
            object["kind"] == kind && object["name"] == name && tenant == "Environment"
        })
    }
}

impl Maker<'_> {
    pub(super) fn put(&mut self, wanted: Wanted<'_>) {
        let Wanted { kind, name, spec, labels, only_if_missing } = wanted;
        let mut object = match self.found.get(kind, name) {
            Some(_) if only_if_missing => return,
            Some(object) => object.clone(),
            None => json!({ "kind": kind, "name": name, "labels": { MANAGED: self.by } }),
        };
        let whose = object["labels"][MANAGED].as_str().unwrap_or_default();
        if !OURS.contains(&whose) {
            self.plan.left_alone.push(format!("{kind} {name}"));
            return;
        }
        if let Some(environment) = self.environment {
            object["labels"]["environment"] = json!(environment);
        }
        for (key, value) in labels {
            object["labels"][key] = json!(value);
        }
        for (key, value) in spec.as_object().into_iter().flatten() {
            object["spec"][key] = value.clone();
        }
        self.plan.operations.push(json!({ "op": "put", "object": object }));
    }
}
