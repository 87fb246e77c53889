//! Documents that speak of tenants by a name that is another one now.

use std::collections::BTreeMap;

use model::tree::{Node, Value};

use super::dbid::field;

/// Puts the new names in the place of the old ones: the owner, the parent, and the children that a
/// policy names.
pub(super) fn tenants(root: &mut Node, names: &BTreeMap<String, String>) {
    if let Some(tenant) = field(root, "tenant") {
        rename(tenant, names);
    }
    let Some(spec) = field(root, "spec") else { return };
    if let Some(parent) = field(spec, "parent") {
        rename(parent, names);
    }
    let children = field(spec, "policy").and_then(|policy| field(policy, "children"));
    if let Some(Value::Map(children)) = children.map(|children| &mut children.value) {
        for (name, _) in children {
            if let Some(new) = names.get(&name.text) {
                name.text.clone_from(new);
            }
        }
    }
}

fn rename(node: &mut Node, names: &BTreeMap<String, String>) {
    if let Some(new) = node.as_text().and_then(|old| names.get(old)) {
        node.value = Value::Text(new.clone());
    }
}
