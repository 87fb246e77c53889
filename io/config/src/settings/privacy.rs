//! `rs.privacy`: what is not shown, and not kept, of who called whom (rs.md §8).

use model::schema::{Field, Object};

/// Patterns of `drop_events`, at most.
const PATTERNS: usize = 64;
/// Bytes of one.
const BYTES: usize = 128;

/// `rs.privacy`
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Privacy {
    /// `mask`
    pub mask: Mask,
    /// `drop_events`: names or labels of events whose texts are not stored; a `*` at the end
    /// stands for any rest.
    pub drop_events: Vec<String>,
}

/// For whom numbers are shown without their middle digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mask {
    /// For nobody.
    #[default]
    None,
    /// For whoever is no admin.
    Reporter,
    /// For everybody.
    All,
}

pub(super) fn read(rs: &Object<'_>) -> Privacy {
    let mut privacy = Privacy::default();
    let Some(object) = rs.get("privacy").and_then(|field| field.object()) else { return privacy };
    let choices = [("none", Mask::None), ("reporter", Mask::Reporter), ("all", Mask::All)];
    let asked = object.get("mask").and_then(|field| field.choice(&choices));
    privacy.mask = asked.unwrap_or_default();
    if let Some(field) = object.get("drop_events") {
        let items = field.list().unwrap_or_default();
        if items.len() > PATTERNS {
            let text = format!("\"rs.privacy.drop_events\" must be at most {PATTERNS} names");
            field.note("E106", text);
        }
        privacy.drop_events = items.iter().filter_map(pattern).collect();
    }
    object.finish();
    privacy
}

fn pattern(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    let body = text.strip_suffix('*').unwrap_or(text);
    let fits = !text.is_empty() && text.len() <= BYTES && !body.contains('*');
    if !fits {
        return field.invalid("name of events", "1 to 128 bytes, with a * at its end at most");
    }
    Some(text.to_owned())
}
