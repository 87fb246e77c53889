//! A record of kind `var` as label and text of a report: fields of a verb go into the places of
//! the text grammar, so that both spellings are read alike (rs.md §2.5).

use std::borrow::Cow;

use model::record::{Var, Verb};

use super::PREFIX;

/// Label and text of the record; the verb wins over a label. The record's kind says that it is a
/// report, so its label may leave out how those of events begin; one that then is none of the
/// table is told as a report that breaks the rule.
pub(crate) fn spell(var: &Var) -> (String, String) {
    let Some(verb) = var.verb else {
        let label = var.label.as_deref().unwrap_or_default();
        let label = label.strip_prefix(PREFIX).unwrap_or(label);
        return (format!("{PREFIX}{label}"), var.text.clone().unwrap_or_default());
    };
    let (action, text) = (field(var.action.as_deref()), var.text.as_deref().unwrap_or_default());
    let result = var.result.map(|result| result.as_str()).unwrap_or_default();
    let outcome = || match var.reason.as_deref() {
        Some(reason) if !reason.is_empty() => format!("{result}|{reason}"),
        _ => result.to_owned(),
    };
    let (label, text) = match verb {
        Verb::ActionStart => match var.parent.as_deref() {
            Some(parent) if !parent.is_empty() => {
                ("ActionStart", format!("{action}|parentID={parent}"))
            }
            _ => ("ActionStart", action.into_owned()),
        },
        Verb::ActionEnd => ("ActionEnd", format!("{action}|{}", outcome())),
        Verb::CallResult => ("CallResult", outcome()),
        Verb::CallNotes => ("CallNotes", text.to_owned()),
        Verb::ActionNotes => ("ActionNotes", format!("{action}|{text}")),
        Verb::Custom => {
            let (name, value) = (field(var.name.as_deref()), var.value.as_deref());
            ("CustomVar", format!("{name}|{}", value.unwrap_or_default()))
        }
    };
    (format!("{PREFIX}{label}"), text)
}

/// A field that stands before a pipe. One with a pipe in it would become two, so that is spelt
/// with blanks: which no action's id may have, and a variable's name may.
fn field(value: Option<&str>) -> Cow<'_, str> {
    match value {
        Some(value) if value.contains('|') => Cow::Owned(value.replace('|', " / ")),
        other => Cow::Borrowed(other.unwrap_or_default()),
    }
}
