//! What a document need not say: whose it is, and the numbers that its object and resources have.

use super::Set;
use crate::config::object::key_of;
use crate::config::{Key, Kind};
use crate::id::{Dbid, dbid_of, dbid_of_resource};
use crate::tree::{Node, Value};

impl Set {
    /// Fills in the tenant and the DBIDs. What is not even that much of a document stays as it is:
    /// its reader says what is wrong.
    pub(super) fn complete(&self, root: &mut Node) {
        let Some(key) = key_of(root) else { return };
        if key.kind.is_owned() {
            put_new(root, "tenant", || Value::Text(key.tenant.clone()));
        }
        put_new(root, "dbid", || {
            let known = self.get(&key).map(|object| object.dbid);
            number(known.unwrap_or_else(|| match (key.kind, key.name.as_str()) {
                (Kind::Tenant, "Environment") => Dbid(1),
                (kind, name) => dbid_of(kind.as_str(), &key.tenant, name),
            }))
        });
        if key.kind == Kind::ResourceGroup {
            self.complete_resources(&key, root);
        }
    }

    fn complete_resources(&self, group: &Key, root: &mut Node) {
        let Some(spec) = root.get_mut("spec") else { return };
        let Some(Node { value: Value::Seq(items), .. }) = spec.get_mut("resources") else { return };
        for item in items {
            let Some(name) = item.get("name").and_then(Node::as_text).map(str::to_owned) else {
                continue;
            };
            put_new(item, "dbid", || {
                let computed = || dbid_of_resource(&group.tenant, &group.name, &name);
                number(self.resource_dbid(&name).unwrap_or_else(computed))
            });
        }
    }
}

fn number(dbid: Dbid) -> Value {
    Value::Int(i64::from(dbid.0))
}

/// Sets a field that is not there, or null.
fn put_new(node: &mut Node, key: &str, value: impl FnOnce() -> Value) {
    if node.get(key).is_none_or(Node::is_null) {
        node.put(key, value());
    }
}
