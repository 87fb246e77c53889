//! Numbered slots in chunks: a place never moves, so growing costs one allocation and no copy,
//! and a turn of the engine never waits for a million entries to be moved. A chunk that is left
//! empty gives its memory back, unless it is the spare one.
//!
//! An id is a place and its generation: the id of something removed finds nothing, even after
//! the place was given away again.

/// No slot.
pub(crate) const NONE: u32 = u32::MAX;

/// Slots of one chunk.
const CHUNK: u32 = 1024;

/// One entry of one [`Slots`], for as long as it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SlotId {
    /// Its place: unique among those that are there.
    pub index: u32,
    generation: u32,
}

impl SlotId {
    /// Finds nothing.
    pub(crate) const NOWHERE: Self = Self { index: NONE, generation: 0 };
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

#[derive(Debug)]
struct Chunk<T> {
    /// Up to [`CHUNK`]; empty without memory.
    slots: Vec<Slot<T>>,
    /// The place freed last, chained through `Content::Free`.
    free: u32,
    used: u32,
}

/// Entries by number.
#[derive(Debug)]
pub struct Slots<T> {
    chunks: Vec<Chunk<T>>,
    /// Chunks with a free place, those without memory among them.
    open: Vec<u32>,
    /// Entries ever made: the generation of the next one.
    made: u32,
    /// Places with memory.
    room: usize,
    len: usize,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), open: Vec::new(), made: 0, room: 0, len: 0 }
    }
}

impl<T> Slots<T> {
    /// Bytes that one entry takes.
    #[cfg(test)]
    pub(crate) const PLACE: usize = size_of::<Slot<T>>();

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts `value` into a free place.
    pub fn insert(&mut self, value: T) -> SlotId {
        let generation = self.made;
        self.made = self.made.wrapping_add(1);
        self.len += 1;
        let slot = Slot { generation, content: Content::Used(value) };
        let number = self.open.last().copied().unwrap_or_else(|| self.one_more());
        let Some(chunk) = self.chunks.get_mut(number as usize) else {
            return SlotId { index: NONE, generation };
        };
        if chunk.slots.capacity() == 0 {
            chunk.slots.reserve_exact(CHUNK as usize);
            self.room += CHUNK as usize;
        }
        let place = chunk.put(slot);
        if chunk.used == CHUNK {
            self.open.pop();
        }
        SlotId { index: number * CHUNK + place, generation }
    }

    /// The entry of this id, if it is still there.
    pub fn get(&self, id: SlotId) -> Option<&T> {
        let slot = self.slot(id.index).filter(|slot| slot.generation == id.generation)?;
        slot.value()
    }

    /// What lies at `index` now.
    pub fn at(&self, index: u32) -> Option<&T> {
        self.slot(index)?.value()
    }

    /// What lies at `index` now, to change.
    pub fn at_mut(&mut self, index: u32) -> Option<&mut T> {
        let (number, place) = (index / CHUNK, index % CHUNK);
        let slot = self.chunks.get_mut(number as usize)?.slots.get_mut(place as usize)?;
        match &mut slot.content {
            Content::Used(value) => Some(value),
            Content::Free { .. } => None,
        }
    }

    /// A moment: what is made later is not older than it.
    pub(crate) fn moment(&self) -> u32 {
        self.made
    }

    /// Whether what lies at `index` now was made before a moment of late.
    pub(crate) fn is_older(&self, index: u32, moment: u32) -> bool {
        let age = self.slot(index).map(|slot| moment.wrapping_sub(slot.generation));
        age.is_some_and(|age| (1..=u32::MAX / 2).contains(&age))
    }

    /// The id of what lies at `index` now.
    pub fn id_at(&self, index: u32) -> Option<SlotId> {
        let slot = self.slot(index)?;
        slot.value().map(|_| SlotId { index, generation: slot.generation })
    }

    /// Takes out what lies at `index`.
    pub fn remove(&mut self, index: u32) -> Option<T> {
        let (number, place) = (index / CHUNK, index % CHUNK);
        let chunk = self.chunks.get_mut(number as usize)?;
        let value = chunk.take(place)?;
        self.len -= 1;
        if chunk.used == CHUNK - 1 {
            self.open.push(number);
        }
        if chunk.used == 0 && self.room - self.len >= 2 * CHUNK as usize {
            (chunk.slots, chunk.free) = (Vec::new(), NONE);
            self.room -= CHUNK as usize;
            // those with memory come first
            self.open.retain(|one| *one != number);
            self.open.insert(0, number);
        }
        Some(value)
    }

    /// All entries in the order of their places, for checks.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let firsts = (0..).step_by(CHUNK as usize);
        firsts.zip(&self.chunks).flat_map(|(first, chunk)| {
            let numbered = (first..).zip(&chunk.slots);
            numbered.filter_map(|(index, slot)| Some((index, slot.value()?)))
        })
    }

    /// The number of a chunk that is new, and has no memory yet.
    fn one_more(&mut self) -> u32 {
        let number = u32::try_from(self.chunks.len()).unwrap_or(NONE);
        self.chunks.push(Chunk { slots: Vec::new(), free: NONE, used: 0 });
        self.open.push(number);
        number
    }

    fn slot(&self, index: u32) -> Option<&Slot<T>> {
        self.chunks.get((index / CHUNK) as usize)?.slots.get((index % CHUNK) as usize)
    }
}

impl<T> Chunk<T> {
    /// Into the place that was freed last, or into one more.
    fn put(&mut self, slot: Slot<T>) -> u32 {
        self.used += 1;
        let place = self.free;
        if let Some(old) = self.slots.get_mut(place as usize)
            && let Content::Free { next } = old.content
        {
            self.free = next;
            *old = slot;
            return place;
        }
        self.slots.push(slot);
        u32::try_from(self.slots.len() - 1).unwrap_or(NONE)
    }

    fn take(&mut self, place: u32) -> Option<T> {
        let slot = self.slots.get_mut(place as usize)?;
        if matches!(slot.content, Content::Free { .. }) {
            return None;
        }
        let content = std::mem::replace(&mut slot.content, Content::Free { next: self.free });
        self.free = place;
        self.used -= 1;
        match content {
            Content::Used(value) => Some(value),
            Content::Free { .. } => None,
        }
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
        let mut slots = Slots::default();
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
        let mut slots = Slots::default();
        for _ in 0..3 {
            let ids: Vec<SlotId> = (0..CHUNK * 2).map(|n| slots.insert(n)).collect();
            for (id, n) in ids.iter().zip(0..) {
                assert_eq!(slots.get(*id), Some(&n));
            }
            assert_eq!((slots.chunks.len(), slots.room), (2, 2 * CHUNK as usize));
            assert!(slots.iter().map(|(index, _)| index).eq(0..CHUNK * 2));
            for id in &ids {
                assert!(slots.remove(id.index).is_some());
                assert_eq!(slots.get(*id), None);
            }
        }
    }

    #[test]
    fn chunks_that_are_empty_give_their_memory_back_but_one() {
        let mut slots = Slots::default();
        let ids: Vec<SlotId> = (0..CHUNK * 4).map(|n| slots.insert(n)).collect();
        let (some, others) = ids.split_at(CHUNK as usize * 3);
        for id in some {
            slots.remove(id.index);
        }
        assert_eq!((slots.room, slots.len()), (2 * CHUNK as usize, CHUNK as usize));
        assert_eq!(slots.iter().count(), CHUNK as usize);
        for id in others {
            assert!(slots.get(*id).is_some());
            slots.remove(id.index);
        }
        assert_eq!((slots.room, slots.is_empty()), (CHUNK as usize, true));
        let again = slots.insert(7);
        assert!(ids.iter().all(|id| slots.get(*id).is_none()), "no id of before comes back");
        assert_eq!(slots.get(again), Some(&7));
    }
}
