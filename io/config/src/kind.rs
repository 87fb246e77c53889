//! Is a file settings or objects? `ringmaster check` decides by content.

use model::tree::{Node, Value};

use crate::settings;
use crate::yaml;

/// What a file holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// Boot settings: one mapping with the sections of ops.md §15.
    Settings,
    /// Platform objects: documents with a `kind`.
    Objects,
}

/// What a text holds; `None` if it is neither, or cannot be read at all.
#[must_use]
pub fn kind_of(text: &str) -> Option<FileKind> {
    let documents = yaml::parse(text).ok()?;
    let has = |node: &Node, key: &str| node.get(key).is_some();
    if documents.iter().any(|node| has(node, "kind") || has(node, "spec")) {
        return Some(FileKind::Objects);
    }
    let sections = settings::sections();
    let is_settings = |node: &Node| match &node.value {
        Value::Map(entries) => entries.iter().any(|(key, _)| sections.contains(&&*key.text)),
        _ => false,
    };
    documents.iter().any(is_settings).then_some(FileKind::Settings)
}

#[cfg(test)]
mod tests {
    use super::{FileKind, kind_of};

    #[test]
    fn by_content() {
        let cases = [
            ("kind: Tenant\nname: a\n", Some(FileKind::Objects)),
            ("rm: {}\n---\nkind: Tenant\n", Some(FileKind::Objects)),
            ("data_dir: x\n", Some(FileKind::Settings)),
            ("log: { level: debug }\n", Some(FileKind::Settings)),
            ("log_exporter: {}\n", Some(FileKind::Settings)),
            ("something: else\n", None),
            ("[1, 2]\n", None),
            ("", None),
            ("a: [\n", None),
        ];
        for (text, kind) in cases {
            assert_eq!(kind_of(text), kind, "{text:?}");
        }
    }
}
