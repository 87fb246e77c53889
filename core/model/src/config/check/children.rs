//! References: what a tenant lays over its children names children that are there (E201).

use std::collections::BTreeSet;

use super::references::{ENVIRONMENT, Links};
use crate::config::read::Drafts;
use crate::schema::Problems;

pub(crate) fn check(drafts: &Drafts, links: &Links, problems: &Problems) {
    if drafts.tenants.iter().all(|tenant| tenant.policy.children.is_empty()) {
        return;
    }
    let name = |at: usize| {
        let draft = links.tenant_drafts.get(at).copied().flatten();
        let draft = draft.and_then(|at| drafts.tenant(at));
        draft.map_or(ENVIRONMENT, |tenant| tenant.head.name.value.as_str())
    };
    let parents = links.parents.iter().enumerate();
    let there: BTreeSet<(&str, &str)> = parents
        .filter_map(|(at, parent)| Some((name(parent.as_ref()?.index()), name(at))))
        .collect();
    for tenant in drafts.tenants.iter() {
        let parent = tenant.head.name.value.as_str();
        for (child, _) in &tenant.policy.children {
            if !there.contains(&(parent, child.value.as_str())) {
                let name: String =
                    child.value.chars().take(64).flat_map(char::escape_debug).collect();
                let text = format!("Tenant \"{name}\" of tenant \"{parent}\" does not exist");
                problems.note(child.place.problem("E201", text));
            }
        }
    }
}
