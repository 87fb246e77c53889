//! What a change of the configuration changes, for people and programs (ops.md §1.5).
//!
//! Objects are compared with their defaults filled in, so that writing a default changes nothing.
//! Lists whose items have names are compared by name, sets by member, everything else by value.

mod impact;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

pub use impact::{Impact, impact};

use super::canonical::SERVER_FIELDS;
use super::{Kind, schema};

/// Lists in which neither order nor number of an item counts.
const SETS: [&str; 3] = ["connections", "dids", "services"];

/// What happens to one object.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ObjectDiff {
    /// What, in one word.
    pub op: ObjectOp,
    /// Its kind.
    pub kind: Kind,
    /// Its tenant, of kinds that belong to one.
    pub tenant: Option<String>,
    /// Its name; the new one when it is renamed.
    pub name: String,
    /// Its number, as far as it has one.
    pub dbid: Option<u64>,
    /// Its changes by path; none when it is created or deleted.
    pub changes: Vec<Change>,
}

/// What happens to an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectOp {
    /// It was not there.
    Create,
    /// Some of its fields change.
    Update,
    /// It will not be there.
    Delete,
    /// It has another name, and perhaps other changes.
    Rename,
}

/// One change inside an object.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Change {
    /// JSON pointer (RFC 6901); in a list with names the name stands in place of the index.
    pub path: String,
    /// What, in one word.
    pub op: ChangeOp,
    /// What was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// What will be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
}

/// What happens to a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeOp {
    /// It was not there.
    Add,
    /// It will not be there.
    Remove,
    /// It is another one.
    Replace,
}

/// What becomes of an object when `old` is replaced by `new`; `None`: nothing that counts. Two
/// names are a renaming. What is no platform object changes nothing.
#[must_use]
pub fn diff(old: Option<&Value>, new: Option<&Value>) -> Option<ObjectDiff> {
    let object = new.or(old)?;
    let text = |object: &Value, field: &str| Some(object.get(field)?.as_str()?.to_owned());
    let kind = Kind::parse(object.get("kind")?.as_str()?)?;
    let name = text(object, "name")?;
    let mut changes = Vec::new();
    let op = match (old, new) {
        (Some(old), Some(new)) => {
            compare("", &shown(kind, old), &shown(kind, new), &mut changes);
            let renamed = text(old, "name").as_ref() != Some(&name);
            if renamed { ObjectOp::Rename } else { ObjectOp::Update }
        }
        (None, _) => ObjectOp::Create,
        (Some(_), None) => ObjectOp::Delete,
    };
    if op == ObjectOp::Update && changes.is_empty() {
        return None;
    }
    let environment = || "Environment".to_owned();
    let tenant = kind.is_owned().then(|| text(object, "tenant").unwrap_or_else(environment));
    let dbid = [new, old].into_iter().flatten().find_map(|object| object.get("dbid")?.as_u64());
    Some(ObjectDiff { op, kind, tenant, name, dbid, changes })
}

/// What is compared of an object: all that a client writes, with its defaults.
fn shown(kind: Kind, object: &Value) -> Value {
    let mut object = schema::filled(kind, object);
    if let Value::Object(fields) = &mut object {
        fields.retain(|field, _| {
            field != "kind" && field != "dbid" && !SERVER_FIELDS.contains(&field.as_str())
        });
    }
    object
}

fn compare(path: &str, old: &Value, new: &Value, changes: &mut Vec<Change>) {
    if old == new {
        return;
    }
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => objects(path, old, new, changes),
        (Value::Array(old), Value::Array(new)) => lists(path, old, new, changes),
        _ => note(path, Some(old), Some(new), changes),
    }
}

fn objects(path: &str, old: &Map<String, Value>, new: &Map<String, Value>, all: &mut Vec<Change>) {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        pair(path, key, old.get(key), new.get(key), all);
    }
}

fn lists(path: &str, old: &[Value], new: &[Value], changes: &mut Vec<Change>) {
    let last = path.rsplit('/').next().unwrap_or_default();
    if SETS.contains(&last) {
        members(path, old, new, changes);
    } else if let (Some(old), Some(new)) = (by_name(old), by_name(new)) {
        named(path, &old, &new, changes);
    } else {
        let list = |items: &[Value]| Value::Array(items.to_vec());
        note(path, Some(&list(old)), Some(&list(new)), changes);
    }
}

/// What joined the set, then what left it.
fn members(path: &str, old: &[Value], new: &[Value], changes: &mut Vec<Change>) {
    let texts = |items: &[Value]| items.iter().map(Value::to_string).collect::<BTreeSet<_>>();
    let (mut before, mut after) = (texts(old), texts(new));
    for item in new.iter().filter(|item| before.insert(item.to_string())) {
        note(path, None, Some(item), changes);
    }
    for item in old.iter().filter(|item| after.insert(item.to_string())) {
        note(path, Some(item), None, changes);
    }
}

/// The items with their names, if each has one of its own.
fn by_name(items: &[Value]) -> Option<Vec<(&str, &Value)>> {
    let named = |item| Some((Value::get(item, "name")?.as_str()?, item));
    let items: Vec<_> = items.iter().map(named).collect::<Option<_>>()?;
    let names: BTreeSet<&str> = items.iter().map(|(name, _)| *name).collect();
    (names.len() == items.len()).then_some(items)
}

fn named(path: &str, old: &[(&str, &Value)], new: &[(&str, &Value)], changes: &mut Vec<Change>) {
    let before: BTreeMap<&str, &Value> = old.iter().copied().collect();
    let after: BTreeMap<&str, &Value> = new.iter().copied().collect();
    for (name, item) in new {
        pair(path, name, before.get(name).copied(), Some(*item), changes);
    }
    for (name, item) in old.iter().filter(|(name, _)| !after.contains_key(name)) {
        pair(path, name, Some(*item), None, changes);
    }
    // the order counts where resources take turns
    let stay = |all: &[(&str, &Value)], other: &BTreeMap<&str, &Value>| -> Vec<Value> {
        let stay = all.iter().filter(|(name, _)| other.contains_key(name));
        stay.map(|(name, _)| Value::from(*name)).collect()
    };
    let (was, is) = (stay(old, &after), stay(new, &before));
    if was != is {
        note(path, Some(&Value::Array(was)), Some(&Value::Array(is)), changes);
    }
}

fn pair(path: &str, key: &str, old: Option<&Value>, new: Option<&Value>, all: &mut Vec<Change>) {
    let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
    match (old, new) {
        (Some(old), Some(new)) => compare(&path, old, new, all),
        (old, new) => note(&path, old, new, all),
    }
}

fn note(path: &str, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<Change>) {
    let op = match (old, new) {
        (None, _) => ChangeOp::Add,
        (Some(_), None) => ChangeOp::Remove,
        (Some(_), Some(_)) => ChangeOp::Replace,
    };
    changes.push(Change { path: path.to_owned(), op, old: old.cloned(), new: new.cloned() });
}

#[cfg(test)]
mod tests;
