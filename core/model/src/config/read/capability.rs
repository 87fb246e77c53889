//! Capabilities of groups and resources, and what a profile requires: a mapping from a name to a
//! value or to a list of them.

use super::policy::scalar;
use crate::config::Capabilities;
use crate::config::limits::{MAX_CAPABILITIES, MAX_NAME};
use crate::schema::{Field, Object};
use crate::tree::Value;

/// The mapping under `key`; nothing, if there is none.
pub(super) fn capabilities(object: &Object<'_>, key: &'static str) -> Capabilities {
    let Some(names) = object.get(key).and_then(|field| field.object()) else {
        return Capabilities::default();
    };
    if names.entries().count() > MAX_CAPABILITIES {
        names.note("E106", format!("\"{key}\" must be between 0 and {MAX_CAPABILITIES} names"));
        return Capabilities::default();
    }
    let named = names.entries().filter_map(|(name, field)| {
        let good = |text: &str| {
            let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            (1..=MAX_NAME).contains(&text.len()) && text.chars().all(letter)
        };
        if !good(&name.text) {
            let why = "expected 1 to 64 letters, digits, dots, underscores and hyphens";
            let shown: String = name.text.chars().take(64).flat_map(char::escape_debug).collect();
            field.note("E105", format!("\"{shown}\" is not a valid capability: {why}"));
            return None;
        }
        Some((name.text.clone(), values(&field)?))
    });
    Capabilities::of(named.collect::<Vec<_>>())
}

fn values(field: &Field<'_>) -> Option<Vec<String>> {
    one_or_more(field)?.iter().map(value).collect()
}

fn value(field: &Field<'_>) -> Option<String> {
    let text = scalar(field)?;
    let sound = (1..=MAX_NAME).contains(&text.len())
        && !text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, ',' | '='));
    if sound {
        return Some(text);
    }
    field.invalid("value of a capability", "expected 1 to 64 characters, no blank, comma or =")
}

/// Labels of places, in lower case: text or a list of it.
pub(super) fn locations(object: &Object<'_>, key: &'static str) -> Vec<String> {
    let items = object.get(key).and_then(|field| one_or_more(&field)).unwrap_or_default();
    let label = |item: &Field<'_>| {
        let text = item.text_up_to(MAX_NAME)?.trim();
        if text.is_empty() {
            item.invalid("location", "it is empty")
        } else {
            Some(text.to_lowercase())
        }
    };
    items.iter().filter_map(label).collect()
}

/// The items of a list, or the one value that stands in its place.
fn one_or_more<'n>(field: &Field<'n>) -> Option<Vec<Field<'n>>> {
    match field.node().value {
        Value::Seq(_) => field.list(),
        _ => Some(vec![field.clone()]),
    }
}
