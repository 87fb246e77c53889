//! Number groups.

use super::head::Head;
use crate::config::limits::{MAX_NAME, MAX_TEXT};
use crate::did::{Pattern, PatternError};
use crate::schema::{Field, Object, Place, Placed};
use crate::tree::{Node, Position};

/// A number group as it was written.
#[derive(Clone, Debug)]
pub(crate) struct DidGroupDraft {
    pub(crate) head: Head,
    pub(crate) profile: Placed<String>,
    /// Where the list stands.
    pub(crate) place: Place,
    pub(crate) dids: Vec<(Pattern, Position)>,
    /// Which of them are no plain numbers.
    pub(crate) others: Vec<usize>,
    /// The first number with several hyphens: it may have been meant as a range.
    pub(crate) doubtful: Option<Placed<String>>,
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
    let description = spec.get("description").and_then(|field| field.text_up_to(MAX_TEXT));
    let list = list?;
    let mut draft = DidGroupDraft {
        head,
        profile: profile?,
        place: list.place().clone(),
        dids: Vec::new(),
        others: Vec::new(),
        doubtful: None,
        bad: Vec::new(),
        description: description.unwrap_or_default().to_owned(),
    };
    draft.add_all(&list);
    Some(draft)
}

impl DidGroupDraft {
    /// There may be a hundred thousand: only what is wrong becomes a field with a path.
    fn add_all(&mut self, list: &Field<'_>) {
        let Some(nodes) = list.nodes() else { return };
        if nodes.is_empty() {
            list.note("E106", "\"dids\" must be between 1 and 100000 patterns");
        }
        self.dids.reserve(nodes.len());
        for (at, node) in nodes.iter().enumerate() {
            match node.as_text().map(Pattern::parse) {
                Some(Ok(pattern)) => {
                    if self.doubtful.is_none() && is_doubtful(&pattern, node) {
                        let item = list.item(at, node);
                        self.doubtful = item.text().map(|text| item.placed(text.to_owned()));
                    }
                    if pattern.key().is_none() {
                        self.others.push(self.dids.len());
                    }
                    self.dids.push((pattern, node.at));
                }
                Some(Err(error)) => self.add_bad(&list.item(at, node), error),
                None => list.item(at, node).wrong_type::<()>("text").unwrap_or_default(),
            }
        }
    }

    fn add_bad(&mut self, item: &Field<'_>, error: PatternError) {
        match (item.text(), error) {
            (None, _) => {}
            (_, PatternError::Form(reason)) => {
                item.invalid::<()>("DID pattern", reason).unwrap_or_default();
            }
            (Some(text), error) => {
                self.bad.push(BadPattern { text: item.placed(text.to_owned()), error });
            }
        }
    }
}

/// One number with more hyphens than a range has.
fn is_doubtful(pattern: &Pattern, node: &Node) -> bool {
    let hyphens = || node.as_text().map_or(0, |text| text.matches('-').count());
    matches!(pattern, Pattern::Exact(_)) && hyphens() > 1
}
