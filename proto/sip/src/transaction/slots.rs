//! Numbered slots in chunks: a place never moves, so growing costs one allocation and no copy,
//! and a turn of the engine never waits for a million entries to be moved.
//!
//! An id is a place and its generation: the id of something removed finds nothing, even after
//! the place was given away again.

/// No slot.
pub(crate) const NONE: u32 = u32::MAX;

const CHUNK: usize = 1024;

/// One entry of one [`Slots`], for as long as it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SlotId {
    pub(crate) index: u32,
    generation: u32,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    content: Content<T>,
}

#[derive(Debug)]
enum Content<T> {
    Free { next: u32 },
    Used(T),
}

/// Entries by number.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    chunks: Vec<Vec<Slot<T>>>,
    /// First free place, chained through `Content::Free`.
    free: u32,
    /// Places ever made.
    places: u32,
    len: usize,
}

impl<T> Slots<T> {
    /// Bytes that one entry takes.
    #[cfg(test)]
    pub(crate) const PLACE: usize = size_of::<Slot<T>>();

    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new(), free: NONE, places: 0, len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Puts `value` into the place that was freed last, or into a new one.
    pub(crate) fn insert(&mut self, value: T) -> SlotId {
        self.len += 1;
        let index = self.free;
        if let Some(slot) = self.slot_mut(index)
            && let Content::Free { next } = slot.content
        {
            let generation = slot.generation;
            slot.content = Content::Used(value);
            self.free = next;
            return SlotId { index, generation };
        }
        let slot = Slot { generation: 0, content: Content::Used(value) };
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(slot),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(slot);
                self.chunks.push(chunk);
            }
        }
        let index = self.places;
        self.places += 1;
        SlotId { index, generation: 0 }
    }

    pub(crate) fn get(&self, id: SlotId) -> Option<&T> {
        let slot = self.slot(id.index).filter(|slot| slot.generation == id.generation)?;
        slot.value()
    }

    pub(crate) fn at(&self, index: u32) -> Option<&T> {
        self.slot(index)?.value()
    }

    pub(crate) fn at_mut(&mut self, index: u32) -> Option<&mut T> {
        match &mut self.slot_mut(index)?.content {
            Content::Used(value) => Some(value),
            Content::Free { .. } => None,
        }
    }

    /// The id of what lies at `index` now.
    pub(crate) fn id_at(&self, index: u32) -> Option<SlotId> {
        let slot = self.slot(index)?;
        slot.value().map(|_| SlotId { index, generation: slot.generation })
    }

    pub(crate) fn remove(&mut self, index: u32) -> Option<T> {
        let next = self.free;
        let slot = self.slot_mut(index)?;
        if matches!(slot.content, Content::Free { .. }) {
            return None;
        }
        slot.generation = slot.generation.wrapping_add(1);
        let content = std::mem::replace(&mut slot.content, Content::Free { next });
        self.free = index;
        self.len -= 1;
        match content {
            Content::Used(value) => Some(value),
            Content::Free { .. } => None,
        }
    }

    /// All entries in the order of their places, for checks.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let slots = self.chunks.iter().flatten();
        (0..).zip(slots).filter_map(|(index, slot)| Some((index, slot.value()?)))
    }

    fn slot(&self, index: u32) -> Option<&Slot<T>> {
        let index = index as usize;
        self.chunks.get(index / CHUNK)?.get(index % CHUNK)
    }

    fn slot_mut(&mut self, index: u32) -> Option<&mut Slot<T>> {
        let index = index as usize;
        self.chunks.get_mut(index / CHUNK)?.get_mut(index % CHUNK)
    }
}

impl<T> Slot<T> {
    fn value(&self) -> Option<&T> {
        match &self.content {
            Content::Used(value) => Some(value),
            Content::Free { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_dies_with_its_entry() {
        let mut slots = Slots::new();
        let first = slots.insert('a');
        assert_eq!(slots.remove(first.index), Some('a'));
        assert_eq!(slots.remove(first.index), None);
        let second = slots.insert('b');
        assert_eq!(first.index, second.index);
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.get(second), Some(&'b'));
        assert_eq!(slots.id_at(second.index), Some(second));
        assert_eq!(slots.len(), 1);
    }

    #[test]
    fn places_are_reused_before_new_chunks_are_made() {
        let mut slots = Slots::new();
        let ids: Vec<SlotId> = (0..CHUNK * 2).map(|n| slots.insert(n)).collect();
        for id in &ids {
            assert_eq!(slots.get(*id), Some(&(id.index as usize)));
        }
        for id in &ids {
            slots.remove(id.index);
        }
        for n in 0..CHUNK * 2 {
            slots.insert(n);
        }
        assert_eq!(slots.chunks.len(), 2);
        assert_eq!(slots.iter().count(), CHUNK * 2);
    }
}
