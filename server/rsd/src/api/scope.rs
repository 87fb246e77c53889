//! What one who is bound to tenants may see (rs.md §8): calls whose path has one of them, figures
//! of these tenants, their descendants, and profiles of both.

use std::collections::BTreeSet;
use std::sync::Arc;

use rs::rollup::Dim;
use rs::{Filter, Refused};

use super::access::Asker;
use super::{Shared, answer};
use crate::store::{Object, ObjectKind};

/// The tenants of an asker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    /// Those that are named, by all their ids.
    roots: BTreeSet<u32>,
    /// They and all below them.
    below: BTreeSet<u32>,
}

impl Shared {
    /// Of what an asker may see; `None`: of everything.
    pub(super) async fn scope(self: &Arc<Self>, asker: &Asker) -> Result<Option<Scope>, Refused> {
        if asker.tenants.is_empty() {
            return Ok(None);
        }
        let all = answer::ask(self, |store| store.objects(ObjectKind::Tenant)).await?;
        let now = asker.tenants.iter();
        let now = now.flat_map(|wanted| self.parts.known.ids(ObjectKind::Tenant, wanted));
        Ok(Some(Scope::of(&all, &asker.tenants, now.collect())))
    }
}

impl Scope {
    /// Of these names or DBIDs; `roots`: ids of those that have such a name now.
    fn of(all: &[Object], wanted: &[String], mut roots: BTreeSet<u32>) -> Self {
        let named = |object: &&Object| {
            wanted.iter().any(|of| object.name == *of || of.parse() == Ok(object.id))
        };
        roots.extend(all.iter().filter(named).map(|object| object.id));
        roots.extend(wanted.iter().filter_map(|of| of.parse::<u32>().ok()));
        let aliases = |ids: &BTreeSet<u32>| -> Vec<u32> {
            let alias = |object: &&Object| object.alias_of.is_some_and(|of| ids.contains(&of));
            all.iter().filter(alias).map(|object| object.id).collect()
        };
        roots.extend(aliases(&roots));
        let mut below = roots.clone();
        loop {
            let child = |object: &&Object| object.parent.is_some_and(|of| below.contains(&of));
            let more: Vec<u32> = all.iter().filter(child).map(|object| object.id).collect();
            let before = below.len();
            below.extend(more);
            below.extend(aliases(&below));
            if below.len() == before {
                break;
            }
        }
        Self { roots, below }
    }

    /// Has the database find nothing else.
    pub(super) fn narrow(scope: Option<&Self>, filter: &mut Filter) {
        if let Some(scope) = scope {
            filter.scope = Some(scope.roots.iter().copied().collect());
        }
    }

    /// Those that are named.
    pub(super) const fn roots(&self) -> &BTreeSet<u32> {
        &self.roots
    }

    /// The ids of which figures are shown, of those that are asked for; none is asked for: of all
    /// that there are; of an empty set there is none.
    ///
    /// # Errors
    /// One that is asked for is another's, or the figures are of more than tenants.
    pub(super) fn ids(
        &self,
        dim: Dim,
        asked: &BTreeSet<i64>,
        profiles: &[Object],
    ) -> Result<BTreeSet<i64>, Refused> {
        let mine: BTreeSet<i64> = match dim {
            Dim::Tenant => self.below.iter().map(|id| i64::from(*id)).collect(),
            Dim::Profile => {
                let own =
                    |object: &&Object| object.parent.is_some_and(|of| self.below.contains(&of));
                profiles.iter().filter(own).map(|object| i64::from(object.id)).collect()
            }
            _ => BTreeSet::new(),
        };
        if !matches!(dim, Dim::Tenant | Dim::Profile) || !asked.is_subset(&mine) {
            let text = "figures of your tenants and their profiles are shown to you";
            return Err(Refused::other(403, "scope-too-narrow", text));
        }
        Ok(if asked.is_empty() { mine } else { asked.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(id: u32, name: &str, parent: Option<u32>, alias_of: Option<u32>) -> Object {
        let (name, synthetic) = (name.to_owned(), id > 3_000_000_000);
        Object { id, name, synthetic, alias_of, kind: None, parent, last_ms: 0 }
    }

    #[test]
    fn all_below_belong_to_it_and_nothing_beside() {
        let all = [
            object(1, "Environment", None, None),
            object(102, "acme", Some(1), None),
            object(103, "acme-south", Some(102), None),
            object(104, "acme-south-1", Some(103), None),
            object(200, "beta", Some(1), None),
            object(3_000_000_001, "acme", Some(1), Some(102)),
            object(3_000_000_002, "old", Some(3_000_000_001), None),
        ];
        for wanted in ["acme", "102"] {
            let scope = Scope::of(&all, &[wanted.to_owned()], BTreeSet::new());
            assert_eq!(scope.roots, BTreeSet::from([102, 3_000_000_001]));
            let below = BTreeSet::from([102, 103, 104, 3_000_000_001, 3_000_000_002]);
            assert_eq!(scope.below, below);
        }
        let nobody = Scope::of(&all, &["gone".to_owned()], BTreeSet::new());
        assert_eq!((nobody.roots.len(), nobody.below.len()), (0, 0));
        let mut filter = Filter::default();
        Scope::narrow(None, &mut filter);
        assert_eq!(filter.scope, None);
        Scope::narrow(Some(&nobody), &mut filter);
        assert_eq!(filter.scope, Some(Vec::new()), "nothing, not everything");
    }

    #[test]
    fn figures_of_others_are_refused() {
        let all = [object(102, "acme", None, None), object(200, "beta", None, None)];
        let profiles = [object(189, "main", Some(102), None), object(190, "b", Some(200), None)];
        let scope = Scope::of(&all, &["acme".to_owned()], BTreeSet::new());
        let ids = |dim, asked: &[i64]| {
            scope.ids(dim, &asked.iter().copied().collect(), &profiles).map_err(|why| why.status)
        };
        assert_eq!(ids(Dim::Tenant, &[]), Ok([102].into()));
        assert_eq!(ids(Dim::Tenant, &[102]), Ok([102].into()));
        assert_eq!(ids(Dim::Profile, &[]), Ok([189].into()));
        for (dim, asked) in
            [(Dim::Tenant, 200), (Dim::Profile, 190), (Dim::Dn, 5), (Dim::Component, 101)]
        {
            assert_eq!(ids(dim, &[asked]), Err(403), "{dim:?}");
        }
        assert_eq!(ids(Dim::All, &[]), Err(403));
        let nobody = Scope::of(&all, &["gone".to_owned()], BTreeSet::new());
        let none = BTreeSet::new();
        assert_eq!(nobody.ids(Dim::Tenant, &none, &profiles), Ok(none));
    }
}
