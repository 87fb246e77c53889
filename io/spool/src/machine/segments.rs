//! The figures of the segments: which holds what, which may go, which is worth cleaning.
//! Segments go strictly oldest first, so that no `close` leaves the disk before its `open`.

use std::collections::VecDeque;

use super::open::Place;
use crate::format::FRAMES_AT;

#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) seed: u64,
    pub(crate) first_seq: u64,
    /// Highest durable sequence in it; below `first_seq` while there is none.
    pub(crate) last_seq: u64,
    /// End of its frames.
    pub(crate) used: u64,
    pub(crate) bytes: u64,
    pub(crate) open_bytes: u64,
    /// Open bytes that were never carried.
    pub(crate) fresh_bytes: u64,
    /// Its header goes with the first group, and no sync has confirmed that yet. Of one that was
    /// abandoned before it never will.
    pub(crate) unwritten: bool,
}

impl Segment {
    fn is_needed(&self, released: u64) -> bool {
        self.last_seq > released || self.open_bytes > 0
    }
}

#[derive(Debug, Default)]
pub(crate) struct Segments {
    all: VecDeque<Segment>,
    /// No more is written to the newest: its sync failed.
    abandoned: bool,
    /// A header of this start is on disk.
    stands: bool,
}

impl Segments {
    pub(crate) fn push(&mut self, segment: Segment) {
        self.all.push_back(segment);
        self.abandoned = false;
    }

    pub(crate) fn abandon(&mut self) {
        self.abandoned = true;
    }

    /// The one that is written, if writing can go on there.
    pub(crate) fn current(&mut self) -> Option<&mut Segment> {
        if self.abandoned { None } else { self.all.back_mut() }
    }

    /// The header of the one that is written is on disk.
    pub(crate) fn stand(&mut self) {
        if let Some(current) = self.current() {
            current.unwritten = false;
            self.stands = true;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Bytes on disk, the unused rest of the newest left out. All of that is, once it is released:
    /// it goes as soon as the next one stands, which must not wait for it.
    pub(crate) fn bytes(&self, released: u64) -> u64 {
        let rest = self.all.back().map_or(0, |newest| {
            newest.bytes - if newest.is_needed(released) { newest.used } else { 0 }
        });
        self.all.iter().map(|segment| segment.bytes).sum::<u64>() - rest
    }

    /// What `bytes` leaves out of the newest and will count once the next one is begun.
    pub(crate) fn rest(&self, released: u64) -> u64 {
        let newest = self.all.back().filter(|newest| newest.is_needed(released));
        newest.map_or(0, |newest| newest.bytes - newest.used)
    }

    pub(crate) fn opened(&mut self, place: &Place) {
        if let Some(segment) = self.find(place.segment) {
            segment.open_bytes += place.bytes;
            segment.fresh_bytes += if place.fresh { place.bytes } else { 0 };
        }
    }

    pub(crate) fn closed(&mut self, place: &Place) {
        if let Some(segment) = self.find(place.segment) {
            segment.open_bytes -= place.bytes;
            segment.fresh_bytes -= if place.fresh { place.bytes } else { 0 };
        }
    }

    /// Takes out the oldest segment if nothing in it is needed any more. Its header is needed until
    /// a later one is on disk: the last sequence and the cursors may be nowhere else.
    pub(crate) fn retire(&mut self, released: u64) -> Option<u64> {
        let oldest = self.all.front()?;
        let stands = self.all.iter().skip(1).any(|later| !later.unwritten);
        let goes = stands && !oldest.is_needed(released);
        if goes { self.all.pop_front().map(|segment| segment.number) } else { None }
    }

    /// Takes out the newest if it was abandoned before its header was on disk: nothing in it
    /// counts, and the next one may need its room. At a start its file may be one that tells where
    /// older ones end, so it stays until a header of this start does.
    pub(crate) fn discard(&mut self) -> Option<u64> {
        let goes = |newest: &mut Segment| self.stands && self.abandoned && newest.unwritten;
        self.all.pop_back_if(goes).map(|segment| segment.number)
    }

    /// The oldest segment if it is worth carrying its open frames forward: less than half of it is
    /// open, or the spool is over half of its limit and carrying gains something.
    pub(crate) fn worth_cleaning(&self, released: u64, limit: u64) -> Option<u64> {
        let oldest = self.all.front()?;
        if self.all.len() < 2 || oldest.open_bytes == 0 || oldest.last_seq > released {
            return None;
        }
        let mostly_closed = oldest.open_bytes * 2 < oldest.used - FRAMES_AT;
        let pressed = self.bytes(0) > limit / 2 && self.carrying_gains(released);
        (mostly_closed || pressed).then_some(oldest.number)
    }

    /// Records that were never carried shrink; else at least a quarter of the released segments
    /// must be free, or carrying would only turn the disk over.
    fn carrying_gains(&self, released: u64) -> bool {
        let sealed = self.all.len() - 1;
        let prefix = self.all.iter().take(sealed).take_while(|old| old.last_seq <= released);
        let (bytes, open, fresh) = prefix.fold((0, 0, 0), |(bytes, open, fresh), old| {
            (bytes + old.bytes - FRAMES_AT, open + old.open_bytes, fresh + old.fresh_bytes)
        });
        let front_fresh = self.all.front().is_some_and(|oldest| oldest.fresh_bytes > 0);
        front_fresh || fresh > 0 && fresh * 2 >= open || (bytes - open) * 4 >= bytes
    }

    fn find(&mut self, number: u64) -> Option<&mut Segment> {
        let at = self.all.partition_point(|segment| segment.number < number);
        self.all.get_mut(at).filter(|segment| segment.number == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(number: u64, last_seq: u64, open: u64, fresh: u64) -> Segment {
        Segment {
            number,
            seed: 0,
            first_seq: 1,
            last_seq,
            used: FRAMES_AT + 10_000,
            bytes: FRAMES_AT + 12_000,
            open_bytes: open,
            fresh_bytes: fresh,
            unwritten: false,
        }
    }

    #[test]
    fn segments_go_oldest_first_and_never_the_newest() {
        let mut segments = Segments::default();
        segments.push(segment(1, 10, 64, 64));
        segments.push(segment(2, 20, 0, 0));
        segments.push(segment(3, 30, 0, 0));
        assert_eq!(segments.retire(30), None, "a frame of the oldest is open");
        let place = Place { segment: 1, offset: FRAMES_AT, bytes: 64, fresh: true };
        segments.closed(&place);
        assert_eq!(segments.retire(9), None, "not released");
        assert_eq!([segments.retire(20), segments.retire(20)], [Some(1), Some(2)]);
        assert_eq!(segments.retire(u64::MAX), None);
    }

    #[test]
    fn the_oldest_goes_when_the_header_of_a_later_one_is_on_disk() {
        let unwritten = |number| Segment { unwritten: true, ..segment(number, 10, 0, 0) };
        let mut segments = Segments::default();
        segments.push(segment(1, 10, 0, 0));
        segments.push(unwritten(2));
        assert_eq!((segments.retire(10), segments.discard()), (None, None), "it is being written");
        segments.abandon();
        assert_eq!(segments.discard(), None, "no header of this start: it may be a file of before");
        segments.push(unwritten(3));
        assert_eq!(segments.retire(10), None);
        segments.stand();
        assert_eq!([(); 3].map(|()| segments.retire(10)), [Some(1), Some(2), None]);
        segments.push(unwritten(4));
        segments.abandon();
        assert_eq!(
            [segments.retire(10), segments.discard(), segments.discard()],
            [None, Some(4), None]
        );
        assert!(segments.current().is_none(), "what is left is not written again");
        segments.push(unwritten(5));
        segments.stand();
        segments.abandon();
        assert_eq!((segments.discard(), segments.retire(10)), (None, Some(3)), "it has its header");
    }

    #[test]
    fn when_cleaning_is_worth_it() {
        // open and fresh bytes of the two sealed segments, limit, expected
        let cases = [
            (4_999, 4_999, 0, 1 << 30, true),
            (5_000, 5_000, 0, 1 << 30, false),
            (9_000, 9_000, 0, 100_000, true),
            (9_984, 0, 9_984, 100_000, false),
            (9_984, 0, 0, 100_000, true),
            (0, 0, 0, 100_000, false),
        ];
        for (open, fresh, second, limit, expected) in cases {
            let mut segments = Segments::default();
            let mut oldest = segment(1, 10, open, fresh);
            oldest.bytes = FRAMES_AT + 10_000;
            segments.push(oldest);
            segments.push(segment(2, 20, second, 0));
            segments.push(segment(3, 20, 0, 0));
            let found = segments.worth_cleaning(20, limit);
            assert_eq!(found.is_some(), expected, "{open} {fresh} {second} {limit}");
        }
    }
}
