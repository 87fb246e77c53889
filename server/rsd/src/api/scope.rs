//! What one who is bound to tenants may see (rs.md §8): calls whose path has one of them, figures
//! of these tenants, their descendants, and profiles of both.

use std::collections::BTreeSet;
use std::sync::Arc;

use rs::rollup::Dim;
use rs::{Filter, Refused};

use super::access::Asker;
use super::source::is_away;
use super::{Shared, answer, limits};
use crate::crew::Worker;
use crate::store::{Object, ObjectKind};
use crate::users::Users;

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
        let Some(users) = self.parts.settings.users.as_ref().filter(|_| !asker.tenants.is_empty())
        else {
            return Ok(None);
        };
        if asker.tenants.iter().any(|named| users.tenant(named).is_none()) {
            match self.bind(users).await {
                // a name that is not bound yet stays nobody's
                Err(refused) if is_away(&refused) => {}
                bound => bound?,
            }
        }
        let all = self.objects(ObjectKind::Tenant).await?;
        let roots = asker.tenants.iter().filter_map(|named| users.tenant(named));
        Ok(Some(Scope::of(&all, roots.collect())))
    }

    /// Gives the names of tenants in the files the numbers of those who have them now.
    async fn bind(self: &Arc<Self>, users: &Users) -> Result<(), Refused> {
        let names = users.open_names();
        if names.is_empty() {
            return Ok(());
        }
        // whoever has been named this moment counts
        let all = answer::ask(self, |store| store.objects(ObjectKind::Tenant)).await?;
        for name in names {
            let now = self.parts.known.ids(ObjectKind::Tenant, &name).first().copied();
            users.bind(&name, now.or_else(|| last_of_name(&all, &name)));
        }
        Ok(())
    }
}

/// The tenant whom records have named so last; one with a DBID goes before a mere name.
fn last_of_name(all: &[Object], name: &str) -> Option<u32> {
    let named = all.iter().filter(|object| object.name == name);
    let last = named.max_by_key(|object| (!object.synthetic, object.last_ms))?;
    Some(last.alias_of.unwrap_or(last.id))
}

/// Binds names of tenants as soon as the files were read, and those that nobody has as soon as
/// somebody has them.
pub(super) fn keep_bound(shared: Arc<Shared>) {
    let Some(users) = shared.parts.settings.users.clone() else { return };
    let (crew, closed) = (Arc::clone(&shared.parts.ingest.crew), shared.parts.closed.clone());
    let bind = move || bind_always(Arc::clone(&shared), Arc::clone(&users));
    tokio::spawn(crew.keep(Worker::Names, closed, bind));
}

async fn bind_always(shared: Arc<Shared>, users: Arc<Users>) {
    let mut closed = shared.parts.closed.clone();
    loop {
        let bound = shared.bind(&users).await;
        let pause = if bound.is_ok() { limits::BIND } else { limits::BIND_AWAY };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // one that cannot be followed any more has ended too
            _ = closed.wait_for(|closed| *closed) => return,
        }
    }
}

impl Scope {
    /// Of the tenants with these ids.
    fn of(all: &[Object], mut roots: BTreeSet<u32>) -> Self {
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

    /// Refuses calls of a tenant who is somebody else's, whether there is one or not.
    ///
    /// # Errors
    /// `outside-scope`.
    pub(super) fn covers(scope: Option<&Self>, tenants: &[u32]) -> Result<(), Refused> {
        let is_mine = |scope: &Self| tenants.iter().all(|id| scope.below.contains(id));
        if scope.is_none_or(is_mine) {
            return Ok(());
        }
        let text = "calls of your tenants and of those below them are shown to you";
        Err(Refused::other(403, "outside-scope", text))
    }

    /// Leaves of these tenants those that an asker may name; false: there were some, and none is
    /// left.
    pub(super) fn leaves(scope: Option<&Self>, tenants: &mut Vec<u32>) -> bool {
        let (Some(scope), false) = (scope, tenants.is_empty()) else { return true };
        tenants.retain(|id| scope.below.contains(id));
        !tenants.is_empty()
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
        let text = "figures of your tenants and their profiles are shown to you";
        if !matches!(dim, Dim::Tenant | Dim::Profile) {
            return Err(Refused::other(403, "scope-too-narrow", text));
        }
        if !asked.is_subset(&mine) {
            return Err(Refused::other(403, "outside-scope", text));
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
        let scope = Scope::of(&all, BTreeSet::from([102]));
        assert_eq!(scope.roots, BTreeSet::from([102, 3_000_000_001]));
        let below = BTreeSet::from([102, 103, 104, 3_000_000_001, 3_000_000_002]);
        assert_eq!(scope.below, below);
        let nobody = Scope::of(&all, BTreeSet::new());
        assert_eq!((nobody.roots.len(), nobody.below.len()), (0, 0));
        let mut filter = Filter::default();
        Scope::narrow(None, &mut filter);
        assert_eq!(filter.scope, None);
        Scope::narrow(Some(&nobody), &mut filter);
        assert_eq!(filter.scope, Some(Vec::new()), "nothing, not everything");
    }

    #[test]
    fn a_name_is_that_of_the_last_who_has_it_with_a_number_if_there_is_one() {
        let at = |object: Object, last_ms| Object { last_ms, ..object };
        let all = [
            at(object(102, "acme", None, None), 5),
            at(object(300, "acme", None, None), 7),
            at(object(3_000_000_001, "acme", None, None), 9),
            at(object(3_000_000_002, "beta", None, Some(200)), 9),
            at(object(3_000_000_003, "gamma", None, None), 9),
        ];
        let found = ["acme", "beta", "gamma", "gone"].map(|name| last_of_name(&all, name));
        assert_eq!(found, [Some(300), Some(200), Some(3_000_000_003), None]);
    }

    #[test]
    fn calls_of_others_are_not_asked_for() {
        let all = [object(1, "Environment", None, None), object(102, "acme", Some(1), None)];
        let scope = Scope::of(&all, BTreeSet::from([102]));
        for (asked, covered, left) in [
            (vec![], true, Some(vec![])),
            (vec![102], true, Some(vec![102])),
            (vec![102, 1], false, Some(vec![102])),
            (vec![1], false, None),
            (vec![999], false, None),
        ] {
            let refused = Scope::covers(Some(&scope), &asked).map_err(|why| why.status);
            assert_eq!(refused, if covered { Ok(()) } else { Err(403) }, "{asked:?}");
            assert_eq!(Scope::covers(None, &asked), Ok(()));
            let mut narrowed = asked.clone();
            let any = Scope::leaves(Some(&scope), &mut narrowed);
            assert_eq!(any.then_some(narrowed), left, "{asked:?}");
            let mut all = asked.clone();
            assert!(Scope::leaves(None, &mut all) && all == asked);
        }
    }

    #[test]
    fn figures_of_others_are_refused() {
        let all = [object(102, "acme", None, None), object(200, "beta", None, None)];
        let profiles = [object(189, "main", Some(102), None), object(190, "b", Some(200), None)];
        let scope = Scope::of(&all, BTreeSet::from([102]));
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
        let nobody = Scope::of(&all, BTreeSet::new());
        let none = BTreeSet::new();
        assert_eq!(nobody.ids(Dim::Tenant, &none, &profiles), Ok(none));
    }
}
