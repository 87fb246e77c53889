//! The neutral tree and JSON values, there and back; without positions, for JSON has none here.

use serde_json::{Map, Number, Value as Json};

use super::{Key, Node, Position, Value};

/// A JSON value as a tree. A number beyond 64 bits with sign becomes a float.
#[must_use]
pub fn from_json(json: &Json) -> Node {
    let value = match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Int(whole),
            (None, float) => Value::Float(float.unwrap_or(f64::MAX)),
        },
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => Value::Seq(items.iter().map(from_json).collect()),
        Json::Object(entries) => Value::Map(
            entries.iter().map(|(text, json)| (key(text.clone()), from_json(json))).collect(),
        ),
    };
    Node { value, at: Position::default() }
}

/// A tree as a JSON value: of one key twice the first counts, as for [`Node::get`]; a number that
/// JSON cannot write (`.inf`, `.nan`) becomes text.
#[must_use]
pub fn to_json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(number) => Json::from(*number),
        Value::Float(number) => {
            Number::from_f64(*number).map_or_else(|| Json::String(number.to_string()), Json::Number)
        }
        Value::Text(text) => Json::String(text.clone()),
        Value::Seq(items) => Json::Array(items.iter().map(to_json).collect()),
        Value::Map(entries) => {
            let mut object = Map::new();
            for (key, node) in entries {
                object.entry(key.text.clone()).or_insert_with(|| to_json(node));
            }
            Json::Object(object)
        }
    }
}

impl Node {
    /// Sets a key of a mapping, in its place if it is there, else at the end. What is no mapping
    /// becomes one.
    pub fn put(&mut self, key: &str, value: Value) {
        if !matches!(self.value, Value::Map(_)) {
            self.value = Value::Map(Vec::new());
        }
        let Value::Map(entries) = &mut self.value else { return };
        match entries.iter_mut().find(|(own, _)| own.text == key) {
            Some((_, node)) => node.value = value,
            None => {
                let node = Self { value, at: Position::default() };
                entries.push((self::key(key.to_owned()), node));
            }
        }
    }
}

fn key(text: String) -> Key {
    Key { text, at: Position::default() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Node, Value, from_json, to_json};

    #[test]
    fn there_and_back() {
        for json in [
            json!(null),
            json!({"a": [true, 1, -1.5, "x", {}], "b": {"c": null}}),
            json!(i64::MIN),
            json!([]),
        ] {
            assert_eq!(to_json(&from_json(&json)), json);
        }
        assert_eq!(from_json(&json!(u64::MAX)).value, Value::Float(u64::MAX as f64));
        let infinite = Node { value: Value::Float(f64::INFINITY), ..Node::default() };
        assert_eq!(to_json(&infinite), json!("inf"));
    }

    #[test]
    fn a_key_is_set_in_its_place_or_at_the_end() {
        let mut node = from_json(&json!({"a": 1, "b": 2}));
        node.put("a", Value::Int(3));
        node.put("c", Value::Text("x".to_owned()));
        assert_eq!(to_json(&node), json!({"a": 3, "b": 2, "c": "x"}));
        let mut text = from_json(&json!("text"));
        text.put("a", Value::Null);
        assert_eq!(to_json(&text), json!({"a": null}));
    }
}
