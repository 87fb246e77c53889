//! A value as YAML that a person can edit, and that reads back as the same value.

use serde_json::Value;

/// One document, with its line feed; `---` between several is the caller's.
#[must_use]
pub fn print(value: &Value) -> String {
    // a value has neither keys that are no text nor numbers that YAML cannot write
    let mut text = serde_saphyr::to_string(value).unwrap_or_default();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::print;
    use crate::yaml::parse;
    use model::tree::{Node, Value as Tree};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// What was read, without the places.
    fn plain(node: &Node) -> Value {
        match &node.value {
            Tree::Null => Value::Null,
            Tree::Bool(value) => json!(value),
            Tree::Int(number) => json!(number),
            Tree::Float(number) => json!(number),
            Tree::Text(text) => json!(text),
            Tree::Seq(items) => items.iter().map(plain).collect(),
            Tree::Map(entries) => {
                let pairs = entries.iter().map(|(key, node)| (key.text.clone(), plain(node)));
                Value::Object(pairs.collect())
            }
        }
    }

    fn same(value: &Value) -> Result<(), TestCaseError> {
        let text = print(value);
        let read =
            parse(&text).map_err(|problem| TestCaseError::fail(format!("{problem}\n{text}")))?;
        let read = read.first().map_or(Value::Null, plain);
        prop_assert_eq!(&read, value, "{}", text);
        Ok(())
    }

    #[test]
    fn what_looks_like_something_else_stays_text() {
        for text in [
            "007",
            "1900*",
            "true",
            "null",
            "~",
            "no",
            "1e3",
            "0x10",
            "",
            " a",
            "a: b",
            "- a",
            "#",
            "12:30:45",
            "2026-01-01",
            "a\nb\n",
            "\u{1}",
            "é",
            "&a",
            "*a",
            "!t",
            "%",
            "@",
            "`",
            "'",
            "\"",
        ] {
            same(&json!({ "text": [text, { "key": text }] })).unwrap();
        }
    }

    #[test]
    fn an_object_is_for_people() {
        let spec = json!({ "aliases": ["a", "7"], "policy": { "usage_limit": 5 } });
        let text = "kind: Tenant\nspec:\n  aliases:\n  - a\n  - \"7\"\n  policy:\n    \
                    usage_limit: 5\n";
        let object = json!({ "kind": "Tenant", "spec": spec });
        assert_eq!(print(&object), text);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(|value| json!(value)),
            any::<i64>().prop_map(|number| json!(number)),
            "\\PC{0,12}".prop_map(|text| json!(text)),
            "[-a-z0-9:#*& \n'\"]{0,8}".prop_map(|text| json!(text)),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                prop::collection::btree_map("[-a-z.0-9 ]{1,8}", inner, 0..5)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_reads_back(value in values()) {
            same(&value)?;
        }
    }
}
