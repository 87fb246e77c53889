//! Nodes that are gone, and which of them have to stay (ops.md §3.2); pure.

use serde_json::{Value, json};

use super::maker::{Client, Found, MANAGED, OURS};
use super::plan::Node;

/// The names of nodes that are gone, never this one and none that the Config Server hears: of this
/// node's own set (`PREFIX-N`) those with a number beyond the replicas; of others, and where the
/// replicas are not known, those that nobody has heard of for long.
pub(super) fn gone(node: &Node<'_>, found: &Found) -> Vec<String> {
    let settings = node.settings;
    let after = settings.prune_after.as_secs();
    let own_set = member(node.name).map(|(set, _)| set).filter(|_| settings.replicas > 0);
    let is_gone = |name: &str| {
        let client = found.clients.iter().find(|client| client.name == name);
        if client.is_some_and(|client| client.connected) {
            return false;
        }
        match member(name).filter(|(set, _)| own_set == Some(set)) {
            Some((_, number)) => number >= settings.replicas,
            None => client.is_some_and(|client: &Client| client.age_s >= after),
        }
    };
    let made = found.objects.iter().filter(|object| {
        object["kind"] == "Application"
            && object["labels"][MANAGED] == OURS[0]
            && object["spec"]["template"] == settings.rm_app.as_str()
    });
    let names = made.filter_map(|object| object["name"].as_str());
    names.filter(|name| *name != node.name && is_gone(name)).map(str::to_owned).collect()
}

/// What takes them away.
pub(super) fn deletes(gone: &[String]) -> Vec<Value> {
    let delete = |name| json!({ "op": "delete", "kind": "Application", "name": name });
    gone.iter().map(delete).collect()
}

/// Those that others still refer to, each with what was said about it; of a problem document.
pub(super) fn referenced(problem: &Value) -> Vec<(String, String)> {
    let errors = problem["errors"].as_array().into_iter().flatten();
    let one = |error: &Value| {
        let name = error["object"]["name"].as_str()?.to_owned();
        Some((name, error["message"].as_str().unwrap_or_default().to_owned()))
    };
    errors.filter_map(one).collect()
}

/// The set and the number of a pod: `rm-2` → `rm`, 2.
fn member(name: &str) -> Option<(&str, u32)> {
    let (set, number) = name.rsplit_once('-')?;
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| number.parse().ok().map(|number| (set, number)))?
}

#[cfg(test)]
mod tests;
