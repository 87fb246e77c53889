//! What of a list of drafts is another one than before. Drafts are never changed, so that two are
//! the same only if they are one.

use std::sync::Arc;

use super::Step;
use crate::config::read::{
    ApplicationDraft, DidGroupDraft, Drafts, GroupDraft, Head, ProfileDraft, TenantDraft,
};

/// The place of what has gone.
const GONE: u32 = u32::MAX;

/// From one list to the next. Both stand by DBID; where they do not, more counts as changed.
#[derive(Debug, Default)]
pub(crate) struct Delta {
    /// Old and new place of each that differs: of both lists if it has the same DBID.
    pub(crate) changes: Vec<(Option<usize>, Option<usize>)>,
    /// Where each old one stands now, if any that stays stands elsewhere.
    places: Option<Vec<u32>>,
    /// Whether nothing moved and what others know of each by name and number is what it was.
    pub(crate) alike: bool,
}

/// All kinds.
#[derive(Debug)]
pub(crate) struct Deltas {
    pub(crate) tenants: Delta,
    pub(crate) profiles: Delta,
    pub(crate) did_groups: Delta,
    pub(crate) groups: Delta,
    pub(crate) applications: Delta,
}

/// What a delta needs to know of a draft.
pub(crate) trait Drafted {
    fn head(&self) -> &Head;

    /// Whether both name the same objects, besides the head.
    fn same_references(&self, other: &Self) -> bool;
}

impl Delta {
    pub(crate) fn of<T: Drafted>(old: &[Arc<T>], new: &[Arc<T>]) -> Self {
        let mut delta = Self { alike: old.len() == new.len(), ..Self::default() };
        if std::ptr::eq(old, new) {
            return delta;
        }
        let mut places = Vec::with_capacity(old.len());
        let (mut before, mut after) = (0, 0);
        loop {
            match (old.get(before), new.get(after)) {
                (None, None) => break,
                (Some(a), Some(b)) if Arc::ptr_eq(a, b) => {
                    places.push(after);
                    (before, after) = (before + 1, after + 1);
                }
                (Some(a), Some(b)) if a.head().number() == b.head().number() => {
                    delta.alike &= a.head().alike(b.head()) && a.same_references(b);
                    delta.changes.push((Some(before), Some(after)));
                    places.push(after);
                    (before, after) = (before + 1, after + 1);
                }
                (Some(a), b) if b.is_none_or(|b| a.head().number() < b.head().number()) => {
                    delta.alike = false;
                    delta.changes.push((Some(before), None));
                    places.push(GONE as usize);
                    before += 1;
                }
                (_, _) => {
                    delta.alike = false;
                    delta.changes.push((None, Some(after)));
                    after += 1;
                }
            }
        }
        if places.iter().enumerate().any(|(at, place)| at != *place && *place != GONE as usize) {
            let narrow = |place: usize| u32::try_from(place).unwrap_or(GONE);
            delta.places = Some(places.into_iter().map(narrow).collect());
        }
        delta
    }

    /// Whether both lists hold the very same drafts in the same order.
    pub(crate) fn is_same(&self) -> bool {
        self.alike && self.changes.is_empty()
    }

    /// The new place of each old one, if any has moved.
    pub(crate) fn moved(&self) -> Option<&[u32]> {
        self.places.as_deref()
    }

    /// The places of what is new.
    pub(crate) fn new_places(&self) -> impl Iterator<Item = usize> {
        self.changes.iter().filter_map(|(_, new)| *new)
    }

    /// For each place of the new list that of the very same draft in the old one.
    pub(crate) fn origins(&self, old: usize, new: usize) -> Vec<Option<usize>> {
        let mut origins = vec![None; new];
        let place = |at: usize| match &self.places {
            Some(places) => places.get(at).map_or(usize::MAX, |place| *place as usize),
            None => at,
        };
        for at in 0..old {
            if let Some(cell) = origins.get_mut(place(at)) {
                *cell = Some(at);
            }
        }
        for at in self.new_places() {
            if let Some(cell) = origins.get_mut(at) {
                *cell = None;
            }
        }
        origins
    }
}

/// What stands at some places of a list.
fn at<'s, T: Drafted>(list: &'s [Arc<T>], delta: &'s Delta) -> impl Iterator<Item = &'s T> {
    delta.new_places().filter_map(|at| list.get(at)).map(AsRef::as_ref)
}

impl<'s> Step<'s> {
    pub(super) fn new_tenants(&self) -> impl Iterator<Item = &'s TenantDraft> {
        at(&self.drafts.tenants, &self.deltas.tenants)
    }

    pub(super) fn new_profiles(&self) -> impl Iterator<Item = &'s ProfileDraft> {
        at(&self.drafts.profiles, &self.deltas.profiles)
    }

    pub(super) fn new_did_groups(&self) -> impl Iterator<Item = &'s DidGroupDraft> {
        at(&self.drafts.did_groups, &self.deltas.did_groups)
    }

    pub(super) fn new_groups(&self) -> impl Iterator<Item = &'s GroupDraft> {
        at(&self.drafts.groups, &self.deltas.groups)
    }

    pub(super) fn new_heads(&self) -> impl Iterator<Item = &'s Head> {
        let applications = at(&self.drafts.applications, &self.deltas.applications);
        let tenants = self.new_tenants().map(Drafted::head);
        let profiles = self.new_profiles().map(Drafted::head);
        let did_groups = self.new_did_groups().map(Drafted::head);
        let groups = self.new_groups().map(Drafted::head);
        let all = tenants.chain(profiles).chain(did_groups).chain(groups);
        all.chain(applications.map(Drafted::head))
    }
}

impl Deltas {
    pub(crate) fn of(old: &Drafts, new: &Drafts) -> Self {
        Self {
            tenants: Delta::of(&old.tenants, &new.tenants),
            profiles: Delta::of(&old.profiles, &new.profiles),
            did_groups: Delta::of(&old.did_groups, &new.did_groups),
            groups: Delta::of(&old.groups, &new.groups),
            applications: Delta::of(&old.applications, &new.applications),
        }
    }

    /// For what has nothing before it, not even what follows from no drafts at all.
    pub(crate) fn nothing_is_alike(&mut self) {
        let Self { tenants, profiles, did_groups, groups, applications } = self;
        for delta in [tenants, profiles, did_groups, groups, applications] {
            delta.alike = false;
        }
    }

    /// Whether limits, services, times and who uses which profile are what they were.
    pub(crate) fn go_together(&self) -> bool {
        let Self { tenants, profiles, did_groups, groups, applications } = self;
        let all = [tenants, profiles, groups, applications];
        did_groups.alike && all.iter().all(|delta| delta.is_same())
    }

    /// Whether every name still means the same.
    pub(crate) fn alike(&self) -> bool {
        let Self { tenants, profiles, did_groups, groups, applications } = self;
        [tenants, profiles, did_groups, groups, applications].iter().all(|delta| delta.alike)
    }
}

impl Head {
    fn number(&self) -> Option<crate::id::Dbid> {
        self.dbid.as_ref().map(|dbid| dbid.value)
    }

    fn alike(&self, other: &Self) -> bool {
        self.number() == other.number()
            && self.name.value == other.name.value
            && self.tenant.value == other.tenant.value
    }
}

impl Drafted for TenantDraft {
    fn head(&self) -> &Head {
        &self.head
    }

    fn same_references(&self, other: &Self) -> bool {
        let value = |name: &Option<crate::schema::Placed<String>>| {
            name.as_ref().map(|name| name.value.clone())
        };
        let names = |draft: &Self| {
            let aliases = draft.aliases.iter().map(|alias| alias.value.clone());
            let children = draft.policy.children.iter().map(|(child, _)| child.value.clone());
            (aliases.collect::<Vec<_>>(), children.collect::<Vec<_>>())
        };
        value(&self.parent) == value(&other.parent)
            && value(&self.default_profile) == value(&other.default_profile)
            && names(self) == names(other)
    }
}

impl Drafted for ProfileDraft {
    fn head(&self) -> &Head {
        &self.head
    }

    fn same_references(&self, other: &Self) -> bool {
        let names =
            |draft: &Self| draft.prefer.iter().map(|group| group.value.clone()).collect::<Vec<_>>();
        names(self) == names(other)
    }
}

impl Drafted for DidGroupDraft {
    fn head(&self) -> &Head {
        &self.head
    }

    fn same_references(&self, other: &Self) -> bool {
        self.profile.value == other.profile.value
    }
}

impl Drafted for GroupDraft {
    fn head(&self) -> &Head {
        &self.head
    }

    fn same_references(&self, other: &Self) -> bool {
        let known = |draft: &Self| {
            let known = draft.resources.iter().map(|resource| {
                (resource.name.value.clone(), resource.dbid.as_ref().map(|dbid| dbid.value))
            });
            known.collect::<Vec<_>>()
        };
        known(self) == known(other)
    }
}

impl Drafted for ApplicationDraft {
    fn head(&self) -> &Head {
        &self.head
    }

    fn same_references(&self, other: &Self) -> bool {
        let names = |draft: &Self| {
            let names = draft.template.iter().chain(&draft.connections);
            names.map(|name| name.value.clone()).collect::<Vec<_>>()
        };
        let templates = self.template.is_some() == other.template.is_some();
        self.kind == other.kind && templates && names(self) == names(other)
    }
}
