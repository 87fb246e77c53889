//! Doubly linked lists through slots: joining and leaving anywhere cost the same few stores and
//! no allocation, and the order is that of joining. Deadlines, the finished transactions by age
//! and the transactions of one remote address are such chains.

use crate::slots::{NONE, Slots};

/// The two neighbours of an entry in one chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    prev: u32,
    pub(crate) next: u32,
}

impl Link {
    pub(crate) const LOOSE: Self = Self { prev: NONE, next: NONE };
}

/// An entry that can be in chain number `WHICH`.
pub(crate) trait Linked<const WHICH: u8> {
    fn link(&mut self) -> &mut Link;
}

/// First and last entry, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chain<const WHICH: u8> {
    pub(crate) head: u32,
    tail: u32,
    pub(crate) len: usize,
}

impl<const WHICH: u8> Chain<WHICH> {
    pub(crate) const EMPTY: Self = Self { head: NONE, tail: NONE, len: 0 };

    /// Joins at the end. The entry must be in no chain of this number.
    pub(crate) fn push<T: Linked<WHICH>>(&mut self, slots: &mut Slots<T>, index: u32) {
        let Some(entry) = slots.at_mut(index) else { return };
        *entry.link() = Link { prev: self.tail, next: NONE };
        match slots.at_mut(self.tail) {
            Some(last) => last.link().next = index,
            None => self.head = index,
        }
        self.tail = index;
        self.len += 1;
    }

    /// Leaves. The entry must be in this chain.
    pub(crate) fn unlink<T: Linked<WHICH>>(&mut self, slots: &mut Slots<T>, index: u32) {
        let Some(entry) = slots.at_mut(index) else { return };
        let Link { prev, next } = std::mem::replace(entry.link(), Link::LOOSE);
        match slots.at_mut(prev) {
            Some(entry) => entry.link().next = next,
            None => self.head = next,
        }
        match slots.at_mut(next) {
            Some(entry) => entry.link().prev = prev,
            None => self.tail = prev,
        }
        self.len -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Entry(Link);
    impl Linked<0> for Entry {
        fn link(&mut self) -> &mut Link {
            &mut self.0
        }
    }

    fn walk(chain: Chain<0>, slots: &mut Slots<Entry>) -> Vec<u32> {
        let (mut at, mut seen) = (chain.head, Vec::new());
        while let Some(entry) = slots.at_mut(at) {
            seen.push(at);
            at = entry.0.next;
        }
        assert_eq!(seen.len(), chain.len);
        assert_eq!(seen.last().copied().unwrap_or(NONE), chain.tail);
        seen
    }

    #[test]
    fn entries_leave_from_anywhere() {
        let mut slots = Slots::default();
        let mut chain = Chain::EMPTY;
        for _ in 0..5 {
            let id = slots.insert(Entry(Link::LOOSE));
            chain.push(&mut slots, id.index);
        }
        for (leaving, left) in
            [(2, vec![0, 1, 3, 4]), (0, vec![1, 3, 4]), (4, vec![1, 3]), (3, vec![1]), (1, vec![])]
        {
            chain.unlink(&mut slots, leaving);
            assert_eq!(walk(chain, &mut slots), left);
        }
        chain.push(&mut slots, 3);
        assert_eq!(walk(chain, &mut slots), [3]);
    }
}
