//! The environment over the file: `RINGMASTER_RM__SIP__DSCP=46`.
//!
//! A variable counts when it names a key inside a section (two underscores) or `data_dir`;
//! anything else with our prefix belongs to somebody else (`RINGMASTER_TOKEN_FILE` to the client
//! commands, `RINGMASTER_PORT` to Kubernetes).

use std::sync::Arc;

use model::schema::{Problem, nearest};
use model::tree::{Key, Node, Position, Value};

use super::SECTIONS;
use super::given::is_at_or_below;
use crate::yaml;

const PREFIX: &str = "RINGMASTER_";

/// One key that a variable has set.
pub(super) struct Overridden {
    pub(super) path: String,
    variable: String,
}

/// Lays the variables over the tree, in their order.
pub(super) fn overlay(
    root: &mut Node,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Vec<Overridden> {
    let mut overridden = Vec::new();
    for (variable, value) in environment {
        let Some(path) = path_of(&variable) else { continue };
        if set(root, &path, node_of(&value)) {
            overridden.push(Overridden { path: path.join("."), variable });
        }
    }
    overridden
}

/// Names the variable in the problems of what it has set.
pub(super) fn attributed(problems: Vec<Problem>, overridden: &[Overridden]) -> Vec<Problem> {
    let attribute = |mut problem: Problem| {
        // what has no place was made by a variable on its way to its key
        let made = problem.at == Position::default();
        let of = |o: &&Overridden| {
            is_at_or_below(&problem.path, &o.path) || made && is_at_or_below(&o.path, &problem.path)
        };
        if let Some(found) = overridden.iter().rev().find(of) {
            problem.file = Some(Arc::from(found.variable.as_str()));
            problem.at = Position::default();
        }
        problem
    };
    problems.into_iter().map(attribute).collect()
}

fn path_of(variable: &str) -> Option<Vec<String>> {
    let rest = variable.strip_prefix(PREFIX)?;
    let path: Vec<String> = rest.split("__").map(str::to_ascii_lowercase).collect();
    let first = path.first()?;
    let ours = SECTIONS.contains(&first.as_str()) || nearest(first, SECTIONS).is_some();
    let inside = path.len() > 1 || first == "data_dir";
    (ours && inside && path.iter().all(|part| !part.is_empty())).then_some(path)
}

/// The value as YAML reads it; what is no YAML is text.
fn node_of(value: &str) -> Node {
    let parsed = yaml::parse(value).unwrap_or_default();
    let text = || Value::Text(value.to_owned());
    let value = match <[Node; 1]>::try_from(parsed) {
        Ok([node]) => placeless(node),
        Err(_) if matches!(value.trim(), "null" | "~") => Value::Null,
        Err(_) => text(),
    };
    Node { value, at: Position::default() }
}

/// Lines and columns inside a variable help nobody.
fn placeless(node: Node) -> Value {
    let bare = |node: Node| Node { value: placeless(node), at: Position::default() };
    match node.value {
        Value::Seq(items) => Value::Seq(items.into_iter().map(bare).collect()),
        Value::Map(entries) => {
            let entry =
                |(key, node): (Key, Node)| (Key { at: Position::default(), ..key }, bare(node));
            Value::Map(entries.into_iter().map(entry).collect())
        }
        other => other,
    }
}

/// Whether the value could be set: what is in its way is a fault that the reader will tell.
fn set(node: &mut Node, path: &[String], value: Node) -> bool {
    let Some((first, rest)) = path.split_first() else {
        *node = value;
        return true;
    };
    if node.is_null() {
        node.value = Value::Map(Vec::new());
    }
    let Value::Map(entries) = &mut node.value else { return false };
    let at = entries.iter().position(|(key, _)| key.text == *first).unwrap_or_else(|| {
        let key = Key { text: first.clone(), at: Position::default() };
        entries.push((key, Node::default()));
        entries.len() - 1
    });
    entries.get_mut(at).is_some_and(|(_, below)| set(below, rest, value))
}
