//! Numbers: are the patterns well formed, and does every number have one tenant?

use super::references::Links;
use crate::config::read::Drafts;
use crate::did::{Clash, Entry, PatternError, clashes};
use crate::schema::Problems;

pub(crate) fn check(drafts: &Drafts, links: &Links, problems: &Problems) {
    for bad in drafts.did_groups.iter().flat_map(|group| &group.bad) {
        let text = &bad.text.value;
        let message = match bad.error {
            PatternError::Length => format!("DID range \"{text}\": ends differ in length"),
            PatternError::Order => format!("DID range \"{text}\": start is above end"),
            PatternError::Star => {
                format!("DID pattern \"{text}\": \"*\" is only allowed at the end")
            }
            PatternError::Form(reason) => {
                format!("\"{text}\" is not a valid DID pattern: {reason}")
            }
        };
        problems.note(bad.text.place.problem("E302", message));
    }
    if problems.is_empty() {
        overlaps(drafts, links, problems);
    }
}

/// E301 and E303. Disabled objects count, so that enabling never fails.
fn overlaps(drafts: &Drafts, links: &Links, problems: &Problems) {
    let mut entries = Vec::new();
    let mut owners = Vec::new();
    for (at, (group, owner)) in drafts.did_groups.iter().zip(&links.did_owners).enumerate() {
        for (item, (pattern, _)) in group.dids.iter().enumerate() {
            entries.push(Entry { pattern, tenant: owner.0 });
            owners.push((at, item));
        }
    }
    for clash in clashes(&entries) {
        if let Some(problem) = told(drafts, &entries, &owners, clash) {
            problems.note(problem);
        }
    }
}

fn told(
    drafts: &Drafts,
    entries: &[Entry<'_>],
    owners: &[(usize, usize)],
    clash: Clash,
) -> Option<crate::schema::Problem> {
    let group = |at: usize| owners.get(at).and_then(|(group, _)| drafts.did_groups.get(*group));
    let (later, earlier) = (group(clash.later)?, group(clash.earlier)?);
    let (_, item) = *owners.get(clash.later)?;
    let (_, at) = *later.dids.get(item)?;
    let place = later.place.within(at, format!("spec.dids[{item}]"));
    let pattern = entries.get(clash.later)?.pattern;
    let tenant = &earlier.head.tenant.value;
    if clash.same_tenant {
        let text = format!("DID \"{pattern}\" appears twice in tenant \"{tenant}\"");
        return Some(place.problem("E303", text));
    }
    let other = entries.get(clash.earlier)?.pattern;
    let group = &later.head.name.value;
    let text = format!(
        "DID \"{pattern}\" of group \"{group}\" overlaps \"{other}\" of tenant \"{tenant}\""
    );
    Some(place.problem("E301", text))
}
