//! What a transaction means for calls, in a few numbers (ops.md §1.5).

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::config::Kind;
use crate::did::Pattern;

/// What a transaction means for calls.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Impact {
    /// Patterns of numbers that nobody had.
    pub dids_added: usize,
    /// Patterns that nobody will have.
    pub dids_removed: usize,
    /// Patterns that go from one number group to another.
    pub dids_moved: usize,
    /// Media servers that will not be there, in the order of their names.
    pub resources_removed: Vec<String>,
    /// Tenants that are disabled, and so all below them, in the order of their names.
    pub tenants_disabled: Vec<String>,
}

/// Of all objects of a transaction, each as it was and as it will be.
#[must_use]
pub fn impact<'v>(
    changes: impl IntoIterator<Item = (Option<&'v Value>, Option<&'v Value>)>,
) -> Impact {
    let (mut left, mut came) = (BTreeSet::new(), BTreeSet::new());
    let (mut lost, mut kept) = (BTreeSet::new(), BTreeSet::new());
    let mut tenants_disabled = BTreeSet::new();
    for (old, new) in changes {
        match new.or(old).and_then(kind) {
            Some(Kind::DidGroup) => {
                let (before, after) = (dids(old), dids(new));
                let stays = tenant(old) == tenant(new);
                left.extend(before.iter().filter(|d| !(stays && after.contains(*d))).cloned());
                came.extend(after.into_iter().filter(|did| !(stays && before.contains(did))));
            }
            Some(Kind::ResourceGroup) => {
                lost.extend(resources(old));
                kept.extend(resources(new));
            }
            Some(Kind::Tenant) if old.is_some_and(is_enabled) && !new.is_none_or(is_enabled) => {
                tenants_disabled.extend(new.and_then(|new| text(new, "name")));
            }
            Some(Kind::Tenant | Kind::IvrProfile | Kind::Application) | None => {}
        }
    }
    let dids_moved = left.intersection(&came).count();
    Impact {
        dids_added: came.len() - dids_moved,
        dids_removed: left.len() - dids_moved,
        dids_moved,
        resources_removed: lost.difference(&kept).map(|name| (*name).to_owned()).collect(),
        tenants_disabled: tenants_disabled.into_iter().map(str::to_owned).collect(),
    }
}

fn text<'v>(object: &'v Value, field: &str) -> Option<&'v str> {
    object.get(field)?.as_str()
}

fn kind(object: &Value) -> Option<Kind> {
    text(object, "kind").and_then(Kind::parse)
}

fn tenant(object: Option<&Value>) -> Option<&str> {
    Some(text(object?, "tenant").unwrap_or("Environment"))
}

fn is_enabled(object: &Value) -> bool {
    object.get("enabled") != Some(&Value::Bool(false))
}

fn items<'v>(object: Option<&'v Value>, list: &str) -> impl Iterator<Item = &'v Value> {
    let list = object.and_then(|object| object.get("spec")?.get(list)?.as_array());
    list.into_iter().flatten()
}

/// Patterns in normal form: `+1-800-555-0100` is `18005550100`.
fn dids(group: Option<&Value>) -> BTreeSet<String> {
    let normal =
        |text: &str| Pattern::parse(text).map_or_else(|_| text.to_owned(), |p| p.to_string());
    items(group, "dids").filter_map(Value::as_str).map(normal).collect()
}

fn resources(group: Option<&Value>) -> impl Iterator<Item = &str> {
    items(group, "resources").filter_map(|item| text(item, "name"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Impact, impact};

    fn numbers(tenant: &str, name: &str, dids: &[&str]) -> Value {
        let spec = json!({"profile": "p", "dids": dids});
        json!({"kind": "DidGroup", "tenant": tenant, "name": name, "spec": spec})
    }

    #[test]
    fn numbers_come_go_and_move() {
        let a = numbers("acme", "a", &["18005550100", "1900*", "18005550200-18005550299"]);
        let b = numbers("acme", "b", &["+1-900*"]);
        let c = numbers("acme", "a", &["18005550100", "1800666*"]);
        let told = impact([(Some(&a), Some(&c)), (None, Some(&b))]);
        let expected =
            Impact { dids_added: 1, dids_removed: 1, dids_moved: 1, ..Impact::default() };
        assert_eq!(told, expected);
        // another name is no other group, another tenant is
        let renamed = numbers("acme", "z", &["18005550100", "1800666*"]);
        assert_eq!(impact([(Some(&c), Some(&renamed))]), Impact::default());
        let given = numbers("bravo", "a", &["18005550100", "1800666*"]);
        assert_eq!(impact([(Some(&c), None), (None, Some(&given))]).dids_moved, 2);
        assert_eq!(impact([(Some(&c), Some(&given))]).dids_moved, 2);
    }

    #[test]
    fn media_servers_that_go_and_tenants_that_stop() {
        let group = |name: &str, members: &[&str]| {
            let members: Vec<_> = members.iter().map(|name| json!({"name": name})).collect();
            json!({"kind": "ResourceGroup", "name": name, "spec": {"resources": members}})
        };
        let tenant = |enabled: bool| json!({"kind": "Tenant", "name": "acme", "enabled": enabled});
        let told = impact([
            (Some(&group("a", &["mcp-1", "mcp-2", "mcp-3"])), Some(&group("a", &["mcp-1"]))),
            (Some(&group("b", &["mcp-9"])), None),
            (None, Some(&group("c", &["mcp-3"]))),
            (Some(&json!({"kind": "Tenant", "name": "acme"})), Some(&tenant(false))),
            (Some(&tenant(false)), Some(&tenant(true))),
            (None, Some(&tenant(false))),
        ]);
        assert_eq!(told.resources_removed, ["mcp-2", "mcp-9"]);
        assert_eq!(told.tenants_disabled, ["acme"]);
    }
}
