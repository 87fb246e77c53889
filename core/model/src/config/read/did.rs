//! Number groups.

use super::head::Head;
use crate::config::limits::{MAX_NAME, MAX_TEXT};
use crate::did::{Pattern, PatternError};
use crate::schema::{Field, Object, Place, Placed};
use crate::tree::Position;

/// A number group as it was written.
#[derive(Clone, Debug)]
pub(crate) struct DidGroupDraft {
    pub(crate) head: Head,
    pub(crate) profile: Placed<String>,
    /// Where the list stands.
    pub(crate) place: Place,
    pub(crate) dids: Vec<(Pattern, Position)>,
    /// Patterns that the stage of the numbers reports (E302).
    pub(crate) bad: Vec<BadPattern>,
    pub(crate) description: String,
}

/// A text that is almost a pattern.
#[derive(Clone, Debug)]
pub(crate) struct BadPattern {
    pub(crate) text: Placed<String>,
    pub(crate) error: PatternError,
}

pub(super) fn read(head: Head, spec: &Object<'_>) -> Option<DidGroupDraft> {
    let kind = head.kind.as_str();
    let profile = spec
        .require("profile", kind)
        .and_then(|field| field.text_up_to(MAX_NAME).map(|name| field.placed(name.to_owned())));
    let list = spec.require("dids", kind);
    let items = list.as_ref().and_then(Field::list);
    let description = spec.get("description").and_then(|field| field.text_up_to(MAX_TEXT));
    let mut draft = DidGroupDraft {
        head,
        profile: profile?,
        place: list.as_ref()?.place().clone(),
        dids: Vec::new(),
        bad: Vec::new(),
        description: description.unwrap_or_default().to_owned(),
    };
    let items = items?;
    if items.is_empty() {
        list?.note("E106", "\"dids\" must be between 1 and 100000 patterns");
        return None;
    }
    items.iter().for_each(|item| draft.add(item));
    Some(draft)
}

impl DidGroupDraft {
    fn add(&mut self, item: &Field<'_>) {
        let Some(text) = item.text() else { return };
        match Pattern::parse(text) {
            Ok(pattern) => self.dids.push((pattern, item.place().at)),
            Err(PatternError::Form(reason)) => {
                item.invalid::<()>("DID pattern", reason);
            }
            Err(error) => self.bad.push(BadPattern { text: item.placed(text.to_owned()), error }),
        }
    }
}
