//! W407: a try that may take the whole time of a hunt, so that no other resource is ever tried
//! (rm.md §7.8).

use std::time::Duration;

use super::Links;
use crate::config::ApplicationType;
use crate::config::read::Drafts;
use crate::schema::{Place, Warning};
use crate::snapshot::Snapshot;

/// Each try that leaves no time for another: those of groups, which go by their own time with any
/// Resource Manager, and those of Resource Managers, for the groups that say nothing.
pub(super) fn warnings(snapshot: &Snapshot, drafts: &Drafts, links: &Links) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut least: Option<(Duration, &str)> = None;
    for (at, draft) in drafts.applications.iter().enumerate() {
        if draft.kind != ApplicationType::ResourceManager || is_template(links, at) {
            continue;
        }
        let name = draft.head.name.value.as_str();
        let Some(application) = snapshot.application(name) else { continue };
        let (most, one) = (application.options.max_hunt, application.options.try_timeout);
        warnings.extend(too_long(&draft.head.name.place, one, (most, name)));
        least = least.filter(|(other, _)| *other <= most).or(Some((most, name)));
    }
    for group in drafts.groups.iter() {
        if let (Some(one), Some(least)) = (group.try_timeout, least) {
            warnings.extend(too_long(&group.head.name.place, one, least));
        }
    }
    warnings
}

/// Whether others lie over it: then it is no node by itself.
fn is_template(links: &Links, at: usize) -> bool {
    links.templates.contains(&Some(at))
}

fn too_long(place: &Place, one: Duration, (most, name): (Duration, &str)) -> Option<Warning> {
    let text = format!("a try of {one:?} leaves no time for another: rm/max-hunt of \"{name}\"");
    (one >= most).then(|| place.problem("W407", format!("{text} is {most:?}")))
}
