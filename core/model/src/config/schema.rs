//! The JSON Schema (2020-12) of each kind, as it is checked in, and the defaults read from it.
//!
//! A person's editor and the Config Server's API show it; the reader of `config::read` says the
//! same in code, which a test holds against it. Nothing here is on a call's way.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::Kind;

/// The schema of a kind: docs/reference/objects/.
#[must_use]
pub fn json(kind: Kind) -> &'static str {
    match kind {
        Kind::Tenant => include_str!("../../../../docs/reference/objects/Tenant.json"),
        Kind::IvrProfile => include_str!("../../../../docs/reference/objects/IvrProfile.json"),
        Kind::DidGroup => include_str!("../../../../docs/reference/objects/DidGroup.json"),
        Kind::ResourceGroup => {
            include_str!("../../../../docs/reference/objects/ResourceGroup.json")
        }
        Kind::Application => include_str!("../../../../docs/reference/objects/Application.json"),
    }
}

/// The same, read.
static SCHEMAS: LazyLock<[Value; 5]> =
    LazyLock::new(|| Kind::ALL.map(|kind| serde_json::from_str(json(kind)).unwrap_or_default()));

/// The object with every default filled in, and without the nulls that mean the same as nothing.
/// Where a default depends on something else the field stays away.
#[must_use]
pub fn filled(kind: Kind, object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(schema) = SCHEMAS.get(kind as usize) {
        fill(schema, schema, &mut object);
    }
    let is_root = kind == Kind::Tenant && object.get("name").is_some_and(|n| n == "Environment");
    if let (true, Some(Value::Object(spec))) = (is_root, object.get_mut("spec")) {
        // the tenant above all others has none above it
        spec.remove("parent");
    }
    object
}

fn fill(root: &Value, schema: &Value, value: &mut Value) {
    let schema = resolved(root, schema);
    match value {
        Value::Object(entries) => {
            entries.retain(|_, value| !value.is_null());
            let nothing = Map::new();
            let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&nothing);
            for (name, property) in known {
                let default = property.get("default").filter(|default| !default.is_null());
                if let (Some(default), false) = (default, entries.contains_key(name)) {
                    entries.insert(name.clone(), default.clone());
                }
            }
            let others = schema.get("additionalProperties");
            for (name, value) in entries {
                if let Some(property) = known.get(name).or(others) {
                    fill(root, property, value);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                items.iter_mut().for_each(|item| fill(root, schema, item));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What a `$ref` within the schema means.
fn resolved<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let pointer = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#'));
    pointer.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

#[cfg(test)]
mod tests;
