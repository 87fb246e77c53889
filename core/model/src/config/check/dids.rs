//! Numbers: are the patterns well formed, and does every number have one tenant?
//!
//! The numbers of a change are held against all others by looking them up, so that it costs what it
//! changes; only when something is wrong all are gone through, to tell what.

use std::sync::Arc;

use super::{Delta, Links, Step};
use crate::config::read::{DidGroupDraft, Drafts};
use crate::did::{Clash, DidIndex, Edit, Entry, Pattern, PatternError, clashes};
use crate::schema::Problems;

/// All numbers of a configuration without a fault, by the places of their groups.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    /// Also those of disabled groups, so that enabling never fails.
    all: DidIndex,
    /// What calls are looked up in.
    pub(crate) live: DidIndex,
    disabled: usize,
}

impl Numbers {
    /// How many patterns there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The numbers of the new drafts; these are those of the old ones.
    pub(super) fn next(&self, step: &Step<'_>, links: &Links, problems: &Problems) -> Self {
        let (old, new) = (&step.old.did_groups, &step.drafts.did_groups);
        let delta = &step.deltas.did_groups;
        step.new_did_groups().for_each(|group| malformed(group, problems));
        let mut next = self.clone();
        if !problems.is_empty() || delta.changes.is_empty() {
            return next;
        }
        let edit = edit(old, new, delta, |_| true);
        let alone = next.all.edit(&edit, delta.moved(), || others(new, |_| true));
        if !(alone && is_clean(&next.all, &edit, new, links)) {
            overlaps(step.drafts, links, problems);
        }
        let disabled = |group: Option<&Arc<DidGroupDraft>>| {
            usize::from(group.is_some_and(|group| !group.head.enabled))
        };
        for (before, after) in &delta.changes {
            next.disabled += disabled(after.and_then(|at| new.get(at)));
            next.disabled -= disabled(before.and_then(|at| old.get(at)));
        }
        if next.disabled == 0 {
            next.live = next.all.clone();
        } else {
            let enabled = |group: &DidGroupDraft| group.head.enabled;
            let edit = self::edit(old, new, delta, enabled);
            next.live.edit(&edit, delta.moved(), || others(new, enabled));
        }
        next
    }
}

/// What comes and goes, of the groups that count.
fn edit<'d>(
    old: &'d [Arc<DidGroupDraft>],
    new: &'d [Arc<DidGroupDraft>],
    delta: &Delta,
    counts: impl Fn(&DidGroupDraft) -> bool,
) -> Edit<'d> {
    let mut edit = Edit::default();
    for (before, after) in &delta.changes {
        let place = after.and_then(|at| u32::try_from(at).ok()).unwrap_or(u32::MAX);
        let before = before.and_then(|at| old.get(at)).filter(|group| counts(group));
        let after = after.and_then(|at| new.get(at)).filter(|group| counts(group));
        let mut gone = patterns(before);
        let mut come = patterns(after);
        let owner = |group: Option<&'d Arc<DidGroupDraft>>| Some(&group?.head.tenant.value);
        if owner(before) == owner(after) {
            without_common(&mut gone, &mut come);
        }
        edit.gone.extend(gone);
        edit.new.extend(come.into_iter().map(|pattern| (pattern, place)));
    }
    edit
}

fn patterns(group: Option<&Arc<DidGroupDraft>>) -> Vec<&Pattern> {
    let group = group.into_iter();
    group.flat_map(|group| &group.dids).map(|(pattern, _)| pattern).collect()
}

/// Takes out what both have; of two equal ones in one list each needs its own in the other.
fn without_common<'d>(a: &mut Vec<&'d Pattern>, b: &mut Vec<&'d Pattern>) {
    a.sort_unstable();
    b.sort_unstable();
    let mut left = std::mem::take(a).into_iter().peekable();
    let mut right = std::mem::take(b).into_iter().peekable();
    loop {
        match (left.peek(), right.peek()) {
            (None, None) => break,
            (Some(one), Some(other)) if one == other => {
                left.next();
                right.next();
            }
            (Some(one), other) if other.is_none_or(|other| one < other) => a.extend(left.next()),
            (_, _) => b.extend(right.next()),
        }
    }
}

/// All patterns that are no plain numbers, with the places of their groups.
fn others(
    groups: &[Arc<DidGroupDraft>],
    counts: impl Fn(&DidGroupDraft) -> bool,
) -> impl Iterator<Item = (&Pattern, u32)> {
    let counted = (0..).zip(groups).filter(move |(_, group)| counts(group));
    counted.flat_map(|(at, group)| {
        let patterns = group.others.iter().filter_map(|other| group.dids.get(*other));
        patterns.map(move |(pattern, _)| (pattern, at))
    })
}

/// Whether nothing of an edit stands against what is in the index, which holds it already.
fn is_clean(
    index: &DidIndex,
    edit: &Edit<'_>,
    groups: &[Arc<DidGroupDraft>],
    links: &Links,
) -> bool {
    let owner = |group: u32| links.did_owners.get(group as usize).copied();
    let among = !edit.has_new_others() || {
        let all = others(groups, |_| true);
        let entry = |(pattern, at)| Entry { pattern, tenant: owner(at).map_or(0, |ix| ix.0) };
        clashes(&all.map(entry).collect::<Vec<_>>()).is_empty()
    };
    among && index.stands(edit, |a, b| owner(a) == owner(b))
}

/// E302.
fn malformed(group: &DidGroupDraft, problems: &Problems) {
    for bad in &group.bad {
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
