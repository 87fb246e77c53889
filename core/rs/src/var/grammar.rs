//! The text of a report, read by its label (rs.md §2.5).

use model::record::{REASON_CHARS, VALUE_CHARS, VarResult, WORD_CHARS};

use super::{Report, Rule};

const PARENT: &str = "parentID=";

/// What a report says.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Said<'r> {
    /// An action begins.
    ActionStart { action: &'r str, parent: Option<&'r str> },
    /// An action ends.
    ActionEnd { action: &'r str, outcome: Outcome<'r> },
    /// How the call went.
    CallResult(Outcome<'r>),
    /// Notes on the call.
    CallNotes(&'r str),
    /// Notes on an action.
    ActionNotes { action: &'r str, text: &'r str },
    /// A custom variable.
    Custom { name: &'r str, value: &'r str },
}

/// A result with its reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Outcome<'r> {
    pub(super) result: VarResult,
    pub(super) reason: Option<&'r str>,
}

/// Reads one report.
pub(super) fn read(report: &Report) -> Result<Said<'_>, Rule> {
    let text = &*report.text;
    match &*report.label {
        "ActionStart" => action_start(text),
        "ActionEnd" => {
            let (id, rest) = text.split_once('|').unwrap_or((text, ""));
            Ok(Said::ActionEnd { action: action(id)?, outcome: outcome(rest)? })
        }
        "CallResult" => outcome(text).map(Said::CallResult),
        "CallNotes" => Ok(Said::CallNotes(text)),
        "ActionNotes" => {
            let (id, text) = text.split_once('|').unwrap_or((text, ""));
            Ok(Said::ActionNotes { action: action(id)?, text })
        }
        "CustomVar" => {
            let (name, value) = text.split_once('|').unwrap_or((text, ""));
            let right = !name.is_empty() && cut(name, WORD_CHARS) == name;
            let custom = Said::Custom { name, value: cut(value, VALUE_CHARS) };
            right.then_some(custom).ok_or(Rule::Name)
        }
        _ => Err(Rule::Label),
    }
}

fn action_start(text: &str) -> Result<Said<'_>, Rule> {
    let (id, rest) = text.split_once('|').unwrap_or((text, ""));
    let parent = match rest.strip_prefix(PARENT) {
        // an empty one names none
        Some("") => None,
        Some(parent) => Some(action(parent)?),
        None if rest.is_empty() => None,
        None => return Err(Rule::ActionId),
    };
    Ok(Said::ActionStart { action: action(id)?, parent })
}

fn action(id: &str) -> Result<&str, Rule> {
    let blank = |c: char| c.is_whitespace() || c == '|';
    let right = !id.is_empty() && cut(id, WORD_CHARS) == id && !id.contains(blank);
    right.then_some(id).ok_or(Rule::ActionId)
}

fn outcome(text: &str) -> Result<Outcome<'_>, Rule> {
    let (result, reason) = text.split_once('|').unwrap_or((text, ""));
    // REJECTED is not an application's to say
    let result = VarResult::parse(result).filter(|result| *result != VarResult::Rejected);
    let reason = Some(cut(reason, REASON_CHARS)).filter(|reason| !reason.is_empty());
    Ok(Outcome { result: result.ok_or(Rule::Result)?, reason })
}

/// The first characters of a text.
fn cut(text: &str, chars: usize) -> &str {
    let end = text.char_indices().nth(chars).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or(text)
}
