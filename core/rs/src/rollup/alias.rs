//! Objects that facts know under several ids (rs.md §3.2, Identity): figures are counted under the
//! one that an object has now, as if it had always had it.

use std::collections::{BTreeMap, BTreeSet};

use crate::share::ObjectKind;

/// The longest way from an id to that of its object.
const STEPS: usize = 8;

/// Which ids are those of another object: `alias_of` of the tables of objects.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Aliases(BTreeMap<(ObjectKind, i64), i64>);

impl FromIterator<(ObjectKind, i64, i64)> for Aliases {
    /// Of each kind an id, and the one whose alias it is.
    fn from_iter<I: IntoIterator<Item = (ObjectKind, i64, i64)>>(rows: I) -> Self {
        Self(rows.into_iter().map(|(kind, id, of)| ((kind, id), of)).collect())
    }
}

impl Aliases {
    /// The id of the object that has this one.
    #[must_use]
    pub fn meant(&self, kind: ObjectKind, id: i64) -> i64 {
        let next = |id: &i64| self.0.get(&(kind, *id)).copied();
        std::iter::successors(Some(id), next).take(STEPS).last().unwrap_or(id)
    }

    /// All ids of the object that has this one.
    #[must_use]
    pub fn of(&self, kind: ObjectKind, id: i64) -> BTreeSet<i64> {
        let meant = self.meant(kind, id);
        let ids = self.0.keys().filter(|(of, id)| *of == kind && self.meant(kind, *id) == meant);
        ids.map(|(_, id)| *id).chain([meant]).collect()
    }

    /// Of each kind an id, and the one whose alias it is.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (ObjectKind, i64, i64)> + '_ {
        self.0.iter().map(|((kind, id), of)| (*kind, *id, *of))
    }

    /// The same for the same aliases only.
    pub(super) fn digest(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let mut hash = blake3::Hasher::new();
        for (kind, id, of) in self.rows() {
            hash.update(&[kind as u8]);
            hash.update(&id.to_be_bytes());
            hash.update(&of.to_be_bytes());
        }
        hash.finalize().to_hex().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_to_its_object_and_a_circle_to_somewhere() {
        let (tenant, component) = (ObjectKind::Tenant, ObjectKind::Component);
        let rows =
            [(tenant, 5, 3), (tenant, 3, 2), (component, 5, 9), (tenant, 7, 8), (tenant, 8, 7)];
        let aliases: Aliases = rows.into_iter().collect();
        assert_eq!([5, 3, 2, 1].map(|id| aliases.meant(tenant, id)), [2, 2, 2, 1]);
        assert_eq!(aliases.of(tenant, 3), [2, 3, 5].into());
        assert_eq!(aliases.of(component, 9), [5, 9].into());
        assert!([7, 8].contains(&aliases.meant(tenant, 7)));
    }
}
