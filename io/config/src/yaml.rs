//! YAML and JSON into the neutral tree, with line and column of every value and key.
//!
//! The only place that knows the YAML library. JSON is read by the same reader, being YAML but for
//! trifles. Input is hostile until it is checked: nesting, nodes and aliases are bounded, and no
//! text makes it panic.

mod print;

use std::fmt;
use std::sync::Arc;

use model::config::limits::MAX_NESTING;
use model::schema::Problem;
use model::tree::{Key, Node, Position, Value};
pub use print::print;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach as Breach;
use serde_saphyr::{Location, Options, Spanned};

/// Bytes of one file: the limit of a transaction (ops.md §1.11).
pub const MAX_FILE: usize = 32 << 20;
/// Nodes of one file: two million numbers and what is around them.
const MAX_NODES: usize = 4_000_000;
/// Documents of one file.
const MAX_DOCUMENTS: usize = 100_000;
/// Aliases for each anchor, on average.
const MAX_ALIASES: usize = 10;
/// Nodes that aliases may expand to.
const MAX_EXPANDED: usize = 10_000;

/// All documents of a text, empty ones left out.
///
/// # Errors
/// E001 with line and column, and why it is neither YAML nor JSON.
pub fn parse(text: &str) -> Result<Vec<Node>, Problem> {
    if text.len() > MAX_FILE {
        return Err(refused("it is larger than 32MiB", Position::default()));
    }
    // some editors begin a file with a byte order mark
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let roots: Vec<Spanned<Raw>> = serde_saphyr::from_multiple_with_options(text, options())
        .map_err(|error| refused_by(&error))?;
    Ok(roots.into_iter().map(node).collect())
}

/// The same, with the file's name in the problem.
///
/// # Errors
/// As [`parse`].
pub fn parse_file(text: &str, file: &Arc<str>) -> Result<Vec<Node>, Problem> {
    parse(text).map_err(|problem| Problem { file: Some(Arc::clone(file)), ..problem })
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 3 * MAX_NODES,
            max_nodes: MAX_NODES,
            max_depth: MAX_NESTING,
            flow_nesting_limit: MAX_NESTING,
            max_documents: MAX_DOCUMENTS,
            alias_anchor_ratio_multiplier: MAX_ALIASES,
            max_total_scalar_bytes: MAX_FILE,
            max_total_comment_bytes: MAX_FILE,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_EXPANDED,
        },
        strict_booleans: true,
        with_snippet: false,
    }
}

/// A value as the library hands it over, before it becomes a `Node`.
enum Raw {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Seq(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<Word>, Spanned<Self>)>),
}

/// A key: text, or a plain scalar as it is printed.
struct Word(String);

fn node(raw: Spanned<Raw>) -> Node {
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(value) => Value::Bool(value),
        Raw::Int(number) => Value::Int(number),
        Raw::Float(number) => Value::Float(number),
        Raw::Text(text) => Value::Text(text),
        Raw::Seq(items) => Value::Seq(items.into_iter().map(node).collect()),
        Raw::Map(entries) => {
            let entry = |(key, raw): (Spanned<Word>, Spanned<Raw>)| {
                (Key { text: key.value.0, at: position(key.referenced) }, node(raw))
            };
            Value::Map(entries.into_iter().map(entry).collect())
        }
    };
    Node { value, at: position(raw.referenced) }
}

fn position(location: Location) -> Position {
    let small = |number| u32::try_from(number).unwrap_or(u32::MAX);
    Position { line: small(location.line()), column: small(location.column()) }
}

fn refused_by(error: &serde_saphyr::Error) -> Problem {
    let error = error.without_snippet();
    let at = error.location().map_or_else(Position::default, position);
    if let Some(reason) = beyond(error) {
        return refused(&reason, at);
    }
    let text = error.to_string();
    // the library's text may go on with the place and a picture of it: we say it our way
    let line = text.lines().next().unwrap_or_default();
    let line = line.split(" at line ").next().unwrap_or(line);
    let reason = match line.split_once(": ") {
        Some((head, rest)) if head.starts_with("line ") || head == "error" => rest,
        _ => line,
    };
    // hints at the library's own switches help nobody here
    let hint = [", set DuplicateKeyPolicy", " rejected by the configured policy"];
    let end = hint.iter().filter_map(|hint| reason.find(hint)).min().unwrap_or(reason.len());
    refused(reason.get(..end).unwrap_or(reason), at)
}

/// Which limit a text is beyond, if it is that.
fn beyond(error: &serde_saphyr::Error) -> Option<String> {
    use serde_saphyr::Error as E;
    Some(match error {
        E::Budget { breach, .. } => match breach {
            Breach::Depth { .. } => format!("nested deeper than {MAX_NESTING} levels"),
            Breach::Nodes { .. } | Breach::Events { .. } => format!("more than {MAX_NODES} nodes"),
            Breach::Documents { .. } => format!("more than {MAX_DOCUMENTS} documents"),
            Breach::ScalarBytes { .. } => format!("more than {MAX_FILE} bytes of text"),
            Breach::AliasAnchorRatio { .. } => {
                format!("more than {MAX_ALIASES} aliases for each anchor")
            }
            Breach::Aliases { .. } | Breach::Anchors { .. } | Breach::MergeKeys { .. } => {
                "too many anchors and aliases".to_owned()
            }
            _ => "larger or more complex than allowed".to_owned(),
        },
        E::AliasReplayLimitExceeded { .. } => {
            format!("its aliases stand for more than {MAX_EXPANDED} nodes")
        }
        _ => return None,
    })
}

fn refused(reason: &str, at: Position) -> Problem {
    let message = format!("not valid YAML or JSON: {reason}");
    Problem { code: "E001", at, path: String::new(), message, file: None, object: None }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Raw::deserialize(deserializer)? {
            Raw::Text(text) => Ok(Self(text)),
            Raw::Int(number) => Ok(Self(number.to_string())),
            Raw::Float(number) => Ok(Self(number.to_string())),
            Raw::Bool(value) => Ok(Self(value.to_string())),
            Raw::Null | Raw::Seq(_) | Raw::Map(_) => Err(D::Error::custom("a key must be text")),
        }
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Raw, E> {
        #[expect(clippy::cast_precision_loss, reason = "beyond 63 bits only its size matters")]
        Ok(i64::try_from(number).map_or(Raw::Float(number as f64), Raw::Int))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Raw, E> {
        Ok(Raw::Float(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut seq = Vec::new();
        while let Some(item) = items.next_element()? {
            seq.push(item);
        }
        Ok(Raw::Seq(seq))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

#[cfg(test)]
mod tests;
