//! Limits: is the whole of a size that this version was measured with (E501)?

use super::applications::chain;
use super::{Links, Numbers, Step};
use crate::config::limits::{
    MAX_DEPTH, MAX_GROUP_PATTERNS, MAX_GROUP_RESOURCES, MAX_LABELS, MAX_PATTERNS, MAX_RESOURCES,
    MAX_RULE_TEXTS, MAX_TEMPLATES, MAX_TENANTS,
};
use crate::config::read::RuleBook;
use crate::schema::{Place, Problems};

pub(super) fn check(
    step: &Step<'_>,
    links: &Links,
    rules: &RuleBook,
    numbers: &Numbers,
    problems: &Problems,
) {
    let Step { drafts, deltas, .. } = step;
    let limit = |what: &dyn Fn() -> String, n: usize, most: usize, place: &Place| {
        if n > most {
            let text = format!("{}: {n} exceeds the limit of {most}", what());
            problems.note(place.problem("E501", text));
        }
    };
    let whole = |what: &str, n, most| limit(&|| what.to_owned(), n, most, &Place::default());
    whole("tenants", links.tenant_drafts.len(), MAX_TENANTS);
    whole("different dialling rules", rules.len(), MAX_RULE_TEXTS);
    for group in step.new_did_groups() {
        let what = || format!("patterns of group \"{}\"", group.head.name.value);
        limit(&what, group.dids.len(), MAX_GROUP_PATTERNS, &group.place);
    }
    whole("patterns", numbers.len(), MAX_PATTERNS);
    for group in step.new_groups() {
        let what = || format!("resources of group \"{}\"", group.head.name.value);
        limit(&what, group.resources.len(), MAX_GROUP_RESOURCES, &group.place);
    }
    whole("resources", links.resource_dbids.len(), MAX_RESOURCES);
    let depths = if deltas.tenants.alike { Vec::new() } else { depths(links) };
    for (tenant, depth) in depths.into_iter().enumerate() {
        let draft = links.tenant_drafts.get(tenant).copied().flatten();
        if let Some(draft) = draft.and_then(|at| drafts.tenant(at)) {
            let what = || format!("depth of tenant \"{}\"", draft.head.name.value);
            limit(&what, depth - 1, MAX_DEPTH, &draft.head.name.place);
        }
    }
    for (at, draft) in drafts.applications.iter().enumerate() {
        let what = || format!("templates above application \"{}\"", draft.head.name.value);
        let above = chain(links, at).skip(1).take(MAX_TEMPLATES + 1).count();
        limit(&what, above, MAX_TEMPLATES, &draft.head.name.place);
    }
    for head in step.new_heads() {
        let what = || format!("labels of {} \"{}\"", head.kind.as_str(), head.name.value);
        limit(&what, head.labels.value, MAX_LABELS, &head.labels.place);
    }
}

/// Tenants from each one to the root, both included; parents may stand behind their children.
fn depths(links: &Links) -> Vec<usize> {
    let mut depths = vec![0_usize; links.parents.len()];
    for start in 0..links.parents.len() {
        let mut path = Vec::new();
        let mut at = Some(start);
        while let Some(ix) = at.filter(|ix| depths.get(*ix) == Some(&0)) {
            path.push(ix);
            at = links.parents.get(ix).copied().flatten().map(crate::config::TenantIx::index);
        }
        let mut depth = at.and_then(|ix| depths.get(ix).copied()).unwrap_or(0);
        for ix in path.into_iter().rev() {
            depth += 1;
            if let Some(cell) = depths.get_mut(ix) {
                *cell = depth;
            }
        }
    }
    depths
}
