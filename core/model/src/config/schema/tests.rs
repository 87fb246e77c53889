//! Schema and reader say the same: what the one describes the other accepts, what the one asks for
//! the other describes, and a default that is written is as good as none.

use serde_json::{Map, Value, json};

use super::{SCHEMAS, filled, resolved};
use crate::config::read::read;
use crate::config::{Document, Kind};
use crate::id::Revision;
use crate::schema::{Problem, Problems, asked};
use crate::snapshot::Snapshot;
use crate::tree::from_json;

/// The key that stands for any in a mapping with free keys.
const KEY: &str = "x1";

fn documents(objects: &[Value]) -> Vec<Document> {
    let document = |object| Document { file: None, number: 1, size: 0, root: from_json(object) };
    objects.iter().map(document).collect()
}

/// What is wrong with the shape of an object.
fn faults(object: &Value) -> Vec<Problem> {
    let (problems, warnings) = (Problems::default(), Problems::default());
    read(&documents(std::slice::from_ref(object)), &problems, &warnings);
    problems.take()
}

/// The least value that fits, or the first example.
fn good(root: &Value, schema: &Value) -> Value {
    candidates(root, schema).into_iter().next().unwrap()
}

/// Values that the schema calls good, of each field at least one.
fn candidates(root: &Value, schema: &Value) -> Vec<Value> {
    let full = resolved(root, schema);
    let mut all: Vec<Value> = Vec::new();
    let either = |rule: &str| schema.get(rule).or(full.get(rule));
    let list = |rule| either(rule).and_then(Value::as_array).into_iter().flatten();
    all.extend(list("examples").chain(list("enum")).cloned());
    all.extend(either("const").cloned());
    all.extend(list("anyOf").flat_map(|one| candidates(root, one)));
    let is = |word| {
        full["type"] == word || full["type"].as_array().is_some_and(|t| t.contains(&json!(word)))
    };
    if is("integer") {
        all.extend(["minimum", "maximum"].iter().filter_map(|bound| full.get(bound).cloned()));
    }
    if is("boolean") {
        all.extend([json!(true), json!(false)]);
    }
    if is("object") {
        all.extend(objects(root, full));
    }
    if let (true, Some(items)) = (is("array"), full.get("items")) {
        all.extend(candidates(root, items).into_iter().map(|item| json!([item])));
    }
    if is("null") {
        all.push(Value::Null);
    }
    all.extend(either("default").cloned());
    all
}

/// What must be there, and with it each of the other fields in turn.
fn objects(root: &Value, schema: &Value) -> Vec<Value> {
    let nothing = Map::new();
    let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&nothing);
    let least: Map<String, Value> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|name| (text(name), good(root, &known[&text(name)])))
        .collect();
    let with = |name: &str, value| {
        let mut object = least.clone();
        object.insert(name.to_owned(), value);
        Value::Object(object)
    };
    let mut all = vec![Value::Object(least.clone())];
    for (name, property) in known {
        all.extend(candidates(root, property).into_iter().map(|value| with(name, value)));
    }
    if let Some(others) = schema.get("additionalProperties").filter(|others| others.is_object()) {
        all.extend(candidates(root, others).into_iter().map(|value| with(KEY, value)));
    }
    all
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[test]
fn the_reader_accepts_what_the_schema_describes() {
    for kind in Kind::ALL {
        let schema = &SCHEMAS[kind as usize];
        assert_eq!(schema["$id"], format!("urn:ringmaster:object:{kind}"));
        let all = candidates(schema, schema);
        assert!(all.len() > 12, "{kind}: {}", all.len());
        for object in all {
            let faults = faults(&object);
            assert!(faults.is_empty(), "{object}: {}", faults[0]);
        }
    }
}

/// Whether the schema knows a path such as `spec.resources[0].name`.
fn knows(root: &Value, schema: &Value, path: &[&str]) -> bool {
    let schema = resolved(root, schema);
    let Some((first, rest)) = path.split_first() else { return true };
    let others = schema.get("additionalProperties").filter(|others| others.is_object());
    let next = match first.strip_suffix(']') {
        Some(_) => schema.get("items"),
        None => schema.get("properties").and_then(|known| known.get(first)).or(others),
    };
    let choices = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    next.is_some_and(|next| knows(root, next, rest))
        || choices.into_iter().any(|choice| knows(root, choice, path))
}

#[test]
fn the_schema_describes_what_the_reader_asks_for() {
    for kind in Kind::ALL {
        let schema = &SCHEMAS[kind as usize];
        asked::take();
        for object in candidates(schema, schema) {
            faults(&object);
        }
        let asked = asked::take();
        assert!(asked.contains("spec") && asked.len() > 10, "{kind}: {asked:?}");
        for path in asked {
            let steps: Vec<&str> = path.split(['.', '[']).collect();
            assert!(knows(schema, schema, &steps), "{kind}: {path} is not described");
        }
    }
}

/// Values that the schema refuses, each with the path where it stands.
fn bad(root: &Value, schema: &Value, path: &str) -> Vec<(String, Value)> {
    let full = resolved(root, schema);
    let mut all = Vec::new();
    if full.get("readOnly").is_some() && !path.ends_with("dbid") {
        return all;
    }
    let is = |word| {
        full["type"] == word || full["type"].as_array().is_some_and(|t| t.contains(&json!(word)))
    };
    let choices = || full.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    if !is("object") && !choices().any(|one| resolved(root, one)["type"] == "object") {
        all.push((path.to_owned(), json!({"x": 1})));
    } else if !is("string") {
        all.push((path.to_owned(), json!("no-such-word")));
    }
    if is("integer") && !is("string") {
        all.extend(
            full.get("minimum").map(|least| (path.to_owned(), json!(least.as_i64().unwrap() - 1))),
        );
        all.extend(
            full.get("maximum").map(|most| (path.to_owned(), json!(most.as_i64().unwrap() + 1))),
        );
    }
    if full.get("enum").is_some() {
        all.push((path.to_owned(), json!("no-such-word")));
    }
    if is("object") {
        all.extend(bad_objects(root, full, path));
    }
    all
}

fn bad_objects(root: &Value, schema: &Value, path: &str) -> Vec<(String, Value)> {
    let below =
        |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let least = objects(root, schema).swap_remove(0);
    let with = |name: &str, value| {
        let mut object = least.clone();
        object[name] = value;
        object
    };
    let mut all = Vec::new();
    for (name, property) in
        schema.get("properties").and_then(Value::as_object).into_iter().flatten()
    {
        let wrong = bad(root, property, &below(name));
        all.extend(wrong.into_iter().map(|(path, value)| (path, with(name, value))));
    }
    match schema.get("additionalProperties") {
        Some(Value::Bool(false)) => {
            all.push((below("no_such_field"), with("no_such_field", json!(1))));
        }
        Some(others) => {
            let wrong = bad(root, others, &below(KEY));
            all.extend(wrong.into_iter().map(|(path, value)| (path, with(KEY, value))));
        }
        None => {}
    }
    all
}

#[test]
fn the_reader_refuses_what_the_schema_does_and_at_the_same_place() {
    for kind in Kind::ALL {
        let schema = &SCHEMAS[kind as usize];
        let all = bad_objects(schema, schema, "");
        assert!(all.len() > 12, "{kind}: {}", all.len());
        for (path, object) in all.into_iter().filter(|(path, _)| path != "kind") {
            // a policy is laid over a child that has to be there
            let child = json!({"kind": "Tenant", "name": KEY, "spec": {"parent": "main-1"}});
            let objects = if kind == Kind::Tenant { vec![object, child] } else { vec![object] };
            let faults = Snapshot::build(&documents(&objects), Revision(1)).unwrap_err();
            assert!(faults.iter().any(|fault| fault.path == path), "{path}: {faults:?}");
        }
    }
}

#[test]
fn a_default_that_is_written_is_as_good_as_none() {
    let plain = [
        json!({"kind": "Tenant", "name": "Environment"}),
        json!({"kind": "Tenant", "name": "acme", "spec": {"policy": {"children": {"deep": {}}}}}),
        json!({"kind": "Tenant", "name": "deep", "spec": {"parent": "acme"}}),
        json!({"kind": "IvrProfile", "name": "main", "spec": {"service": "msml"}}),
        json!({"kind": "DidGroup", "name": "all", "spec": {"profile": "main", "dids": ["*"]}}),
        json!({"kind": "ResourceGroup", "name": "mcp", "spec": {"services": ["msml"],
            "resources": [{"name": "mcp-1", "address": "sip:10.0.0.1"}]}}),
        json!({"kind": "Application", "name": "rm", "spec": {"type": "resource-manager"}}),
    ];
    let whole: Vec<Value> = plain
        .iter()
        .map(|object| {
            let kind = Kind::parse(&text(&object["kind"])).unwrap();
            let whole = filled(kind, object);
            assert_eq!(filled(kind, &whole), whole);
            whole
        })
        .collect();
    assert_eq!(whole[5]["spec"]["monitor"]["interval"], "5s");
    assert_eq!(whole[1]["spec"]["policy"]["children"]["deep"]["outbound_allowed"], true);
    assert_eq!(whole[0]["spec"].get("parent"), None);
    let (before, _) = Snapshot::build(&documents(&plain), Revision(1)).unwrap();
    let (after, warnings) = Snapshot::build(&documents(&whole), Revision(1)).unwrap();
    assert_eq!(format!("{after:?}"), format!("{before:?}"));
    let told: Vec<_> = warnings.iter().map(|warning| warning.code).collect();
    assert!(!told.contains(&"W603"), "{warnings:?}");
}
