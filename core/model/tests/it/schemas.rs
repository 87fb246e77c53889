//! The schemas in `docs/reference/records` say what the reader says: the golden file satisfies
//! them, and a field is required there if and only if the reader refuses a record without it.

use model::record::{Arrived, Kind, Record, Refusal};
use model::time::Millis;
use serde_json::{Map, Value, json};

use crate::records::golden;

fn schema(kind: Kind) -> Value {
    let path = format!("{}/../../docs/reference/records/{kind}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// The part of JSON Schema that our files use; `pattern` and `format` are the reader's matter.
fn check(schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{path}: {what}: {value} against {schema}"));
    for (rule, want) in schema.as_object().unwrap() {
        let holds = match (rule.as_str(), value) {
            ("type", value) => match want {
                Value::Array(types) => types.iter().any(|name| is_a(name, value)),
                name => is_a(name, value),
            },
            ("const", value) => want == value,
            ("enum", value) => want.as_array().unwrap().contains(value),
            ("minimum", Value::Number(n)) => n.as_f64() >= want.as_f64(),
            ("maximum", Value::Number(n)) => n.as_f64() <= want.as_f64(),
            ("minLength", Value::String(text)) => text.chars().count() as u64 >= int(want),
            ("maxLength", Value::String(text)) => text.chars().count() as u64 <= int(want),
            ("minItems", Value::Array(items)) => items.len() as u64 >= int(want),
            ("maxItems", Value::Array(items)) => items.len() as u64 <= int(want),
            ("items", Value::Array(items)) => {
                for (at, item) in items.iter().enumerate() {
                    check(want, item, &format!("{path}.{at}"))?;
                }
                true
            }
            ("properties", Value::Object(object)) => {
                for (name, property) in want.as_object().unwrap() {
                    if let Some(value) = object.get(name) {
                        check(property, value, &format!("{path}.{name}"))?;
                    }
                }
                true
            }
            ("additionalProperties", Value::Object(object)) => {
                object.values().all(|value| check(want, value, path).is_ok())
            }
            ("required", Value::Object(object)) => {
                want.as_array().unwrap().iter().all(|name| object.contains_key(text(name)))
            }
            ("anyOf", value) => {
                want.as_array().unwrap().iter().any(|one| check(one, value, path).is_ok())
            }
            ("allOf", value) => {
                want.as_array().unwrap().iter().all(|one| check(one, value, path).is_ok())
            }
            ("if", value) => match check(want, value, path) {
                Ok(()) => check(&schema["then"], value, path).is_ok(),
                Err(_) => true,
            },
            ("then" | "$schema" | "$id" | "title" | "description" | "pattern" | "format", _)
            | ("minimum" | "maximum" | "minLength" | "maxLength" | "minItems" | "maxItems", _)
            | ("items" | "properties" | "additionalProperties" | "required", _) => true,
            _ => return Err(format!("{path}: a rule that this check does not know: {rule}")),
        };
        if !holds {
            return wrong(rule);
        }
    }
    Ok(())
}

fn is_a(name: &Value, value: &Value) -> bool {
    match text(name) {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("no type {other}"),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn int(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn read(value: &Value) -> Result<(), Refusal> {
    let arrived = Arrived { at: Millis::parse("2026-11-22T12:00:00Z").unwrap(), message_id: None };
    Record::read(value.to_string().as_bytes(), &arrived).map(|_| ())
}

#[test]
fn the_golden_file_satisfies_the_schemas() {
    for (value, record) in golden() {
        let schema = schema(record.kind());
        check(&schema, &value, "").unwrap();
        let known = schema["properties"].as_object().unwrap();
        for name in value.as_object().unwrap().keys() {
            assert!(known.contains_key(name), "{}: {name} is not described", record.kind());
        }
    }
}

#[test]
fn required_means_refused_without() {
    for (value, record) in golden() {
        let schema = schema(record.kind());
        for name in value.as_object().unwrap().keys() {
            let mut less = value.clone();
            less.as_object_mut().unwrap().remove(name);
            let (by_schema, by_reader) = (check(&schema, &less, ""), read(&less));
            assert_eq!(by_schema.is_ok(), by_reader.is_ok(), "{} without {name}", record.id);
            if let Err(refusal) = by_reader {
                assert_eq!(refusal.code, "missing_field", "{} without {name}", record.id);
            }
        }
    }
}

#[test]
fn wrong_types_of_required_fields_are_wrong_for_both() {
    for (value, record) in golden() {
        let schema = schema(record.kind());
        for name in schema["required"].as_array().unwrap() {
            let mut wrong = value.clone();
            wrong[text(name)] = json!([true]);
            assert!(check(&schema, &wrong, "").is_err(), "{name}");
            assert!(read(&wrong).is_err(), "{name}");
        }
    }
}

#[test]
fn nested_required_fields_are_those_of_the_reader() {
    for (kind, field, without) in [
        (Kind::Arrivals, "values", "count"),
        (Kind::Peaks, "values", "level_start"),
        (Kind::Outbound, "values", "failed"),
        (Kind::Snmp, "values", "value"),
    ] {
        let (mut value, _) =
            golden().into_iter().find(|(_, record)| record.kind() == kind).unwrap();
        let first: &mut Map<String, Value> = value[field][0].as_object_mut().unwrap();
        first.remove(without).unwrap();
        assert!(check(&schema(kind), &value, "").is_err(), "{kind}");
        let refusal = read(&value).unwrap_err();
        assert_eq!(refusal.field, format!("{field}.0.{without}"));
    }
}
