//! Where the newest durable open or carried frame of each key lies. Only what is durable counts:
//! until then the older frame is the one that a start would find.

use std::collections::BTreeMap;

use crate::entry::{Key, Kind};

/// A frame on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    /// Not yet a carried one: it shrinks when it is carried.
    pub(crate) fresh: bool,
}

#[derive(Debug, Default)]
pub(crate) struct OpenTable {
    by_key: BTreeMap<Key, Place>,
    by_place: BTreeMap<(u64, u64), Key>,
}

impl OpenTable {
    /// Takes a durable frame in; gives the place that no longer counts.
    pub(crate) fn apply(&mut self, kind: Kind, key: Key, place: Place) -> Option<Place> {
        let old = match kind {
            Kind::Open | Kind::Carried => self.by_key.insert(key, place),
            Kind::Close => self.by_key.remove(&key),
            Kind::Data | Kind::Cursor => return None,
        };
        if let Some(old) = old {
            self.by_place.remove(&(old.segment, old.offset));
        }
        if kind != Kind::Close {
            self.by_place.insert((place.segment, place.offset), key);
        }
        old
    }

    pub(crate) fn place(&self, key: &Key) -> Option<Place> {
        self.by_key.get(key).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Open frames of a segment, in the order in which they lie.
    pub(crate) fn of_segment(&self, segment: u64) -> impl Iterator<Item = (Key, Place)> + '_ {
        let range = (segment, 0)..=(segment, u64::MAX);
        self.by_place.range(range).filter_map(|(_, key)| Some((*key, self.place(key)?)))
    }

    /// All places, for building the figures of the segments.
    pub(crate) fn places(&self) -> impl Iterator<Item = &Place> {
        self.by_key.values()
    }
}
