//! The spool as a pure machine: no file, no thread, no clock (`spec/rs.md` §1.4, rules 2 and 5).
//!
//! Five verbs: `handle_input` takes batches, `poll_write` makes the next write, `handle_synced`
//! takes its outcome, `poll_durable` tells what is safe, `poll_timeout` when to come back. One
//! write is under way at a time. `poll_discard`, `poll_retire` and `poll_clean` say which segments
//! to give up. After each call that changes something, drain `poll_durable` and the first two.
//!
//! A failed sync is never tried again on the same segment: the group goes back to the head of the
//! queue and into a new segment; a second failure in a row breaks the machine for good.

pub(crate) mod open;
pub(crate) mod segments;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::BTreeSet;
use std::time::Duration;

use self::open::{OpenTable, Place};
use self::segments::{Segment, Segments};
use self::waiting::{Pace, Waiting};
use crate::catalog::End;
use crate::entry::{Key, Kind};
use crate::format::{self, Cursors, FRAMES_AT, Header, RawFrame, frame_bytes};
use crate::intake::Batch;
use crate::limits::{CARRY_BYTES, CARRY_FRAMES, MARK_AFTER};

/// What the driver is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing until input comes or `poll_timeout` is reached.
    Idle,
    /// Write the bytes that were put into the buffer and sync, then `handle_synced`.
    Write { segment: u64, offset: u64 },
    /// Make a segment of at least so many bytes, then `handle_segment` or `handle_no_segment`.
    Segment { at_least: u64 },
}

/// Open frames of one segment that are to be carried forward.
#[derive(Debug)]
pub(crate) struct Clean {
    pub(crate) frames: Vec<(Key, Place)>,
}

/// What the machine starts from; `recovery` makes it.
#[derive(Debug, Default)]
pub(crate) struct Start {
    pub(crate) segments: Segments,
    pub(crate) open: OpenTable,
    /// Highest number of a segment ever seen.
    pub(crate) last_number: u64,
    /// Highest sequence found.
    pub(crate) found_seq: u64,
    /// Highest sequence in use: that, or the user's floor.
    pub(crate) last_seq: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    pub(crate) limit_bytes: u64,
    pub(crate) lazy: Duration,
    pub(crate) seed: u64,
}

#[derive(Debug)]
struct Group {
    batches: Vec<Batch>,
    bytes: u64,
    written_at: Duration,
    keyed: Vec<(Kind, Key, Place)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Condition {
    Good,
    /// One sync failed; the next one decides.
    Shaken,
    Broken,
}

#[derive(Debug)]
pub(crate) struct Machine {
    config: Config,
    waiting: Waiting,
    group: Option<Group>,
    pace: Pace,
    segments: Segments,
    open: OpenTable,
    cursors: Cursors,
    released: u64,
    durable: u64,
    /// Of that the last frame which is no cursor.
    kept: u64,
    /// What the mark on disk says.
    marked: u64,
    /// What `poll_durable` told last.
    told: u64,
    /// Last sequence before the next segment; see the header's format.
    previous: u64,
    last_number: u64,
    condition: Condition,
    /// No room for a segment: not asked again before this instant.
    no_room_until: Option<Duration>,
    /// A carried frame with this sequence is on its way.
    carrying: u64,
    settled: (usize, usize),
}

/// Wait before a segment is asked for again after the disk was full.
const ROOM_RETRY: Duration = Duration::from_millis(500);

impl Machine {
    pub(crate) fn new(config: Config, start: Start) -> Self {
        Self {
            config,
            waiting: Waiting::default(),
            group: None,
            pace: Pace::default(),
            segments: start.segments,
            open: start.open,
            cursors: Cursors::default(),
            released: 0,
            durable: start.last_seq,
            kept: 0,
            marked: start.last_seq,
            told: start.last_seq,
            previous: start.found_seq,
            last_number: start.last_number,
            condition: Condition::Good,
            no_room_until: None,
            carrying: 0,
            settled: (0, 0),
        }
    }

    /// Takes a batch; its sequences follow those of the one before.
    pub(crate) fn handle_input(&mut self, now: Duration, batch: Batch) {
        if batch.entries.iter().any(|entry| entry.kind == Kind::Carried) {
            self.carrying = batch.last_seq();
        }
        self.waiting.push(now, batch);
    }

    /// What may be cleaned, and the cursors that the next segment's header shall hold.
    pub(crate) fn handle_release(&mut self, released: u64, cursors: Cursors) {
        self.released = self.released.max(released);
        self.cursors = cursors;
    }

    /// What the disk may hold, which says when cleaning is worth it.
    pub(crate) fn set_limit(&mut self, bytes: u64) {
        self.config.limit_bytes = bytes;
    }

    /// The next write, appended to `out`. `flush`: no waiting for more.
    pub(crate) fn poll_write(&mut self, now: Duration, flush: bool, out: &mut Vec<u8>) -> Step {
        let due = self.waiting.due(&self.pace, self.config.lazy).or(self.no_room_until);
        let held = self.group.is_some() || self.condition == Condition::Broken;
        if held || due.is_none_or(|due| due > now && !flush) {
            return Step::Idle;
        }
        // a start without room waits for its segment though nothing is queued
        let needed = self.waiting.front().map_or(0, |front| front.bytes as u64);
        let room = self.segments.current().map_or(0, |current| current.bytes - current.used);
        if room < needed || self.segments.current().is_none() {
            if self.no_room_until.is_some_and(|until| now < until) {
                return Step::Idle;
            }
            return Step::Segment { at_least: FRAMES_AT + needed };
        }
        self.write_group(now, room, out)
    }

    /// The segment that was asked for; its header leaves with its first group.
    pub(crate) fn handle_segment(&mut self, bytes: u64) -> Segment {
        self.no_room_until = None;
        self.last_number += 1;
        let segment = Segment {
            number: self.last_number,
            seed: mix(self.config.seed, self.last_number),
            first_seq: self.durable + 1,
            last_seq: self.durable,
            used: FRAMES_AT,
            bytes,
            open_bytes: 0,
            fresh_bytes: 0,
            unwritten: true,
        };
        self.segments.push(segment.clone());
        segment
    }

    /// The first 8192 bytes of the newest segment, for a start that writes them at once: they pin
    /// down where the older segments end.
    pub(crate) fn write_header(&mut self, out: &mut Vec<u8>) {
        let (previous, cursors) = (self.previous, self.cursors);
        if let Some(current) = self.segments.current() {
            header_of(current, previous, cursors).write(out);
            self.segments.stand();
            self.previous = self.durable;
        }
    }

    /// There was no room; the queue waits.
    pub(crate) fn handle_no_segment(&mut self, now: Duration) {
        self.no_room_until = Some(now + ROOM_RETRY);
    }

    /// How long a write has been under way, and how many frames it holds.
    pub(crate) fn under_way(&self, now: Duration) -> Option<(Duration, usize)> {
        let group = self.group.as_ref()?;
        let frames = group.batches.iter().map(|batch| batch.entries.len()).sum();
        Some((now.saturating_sub(group.written_at), frames))
    }

    /// Since when a write is under way.
    pub(crate) fn busy_since(&self) -> Option<Duration> {
        self.group.as_ref().map(|group| group.written_at)
    }

    /// The outcome of the write and its sync.
    pub(crate) fn handle_synced(&mut self, now: Duration, good: bool) {
        let Some(group) = self.group.take() else { return };
        self.pace.free_at = now;
        if !good {
            self.segments.abandon();
            self.waiting.put_back(group.batches);
            self.condition = match self.condition {
                Condition::Good => Condition::Shaken,
                Condition::Shaken | Condition::Broken => Condition::Broken,
            };
            return;
        }
        self.condition = Condition::Good;
        self.pace.sync = now.saturating_sub(group.written_at);
        self.pace.sends = group.batches.iter().filter(|batch| batch.urgent).count();
        self.durable = group.batches.last().map_or(self.durable, Batch::last_seq);
        self.previous = self.durable;
        self.kept = group.batches.iter().rev().find_map(Batch::last_kept).unwrap_or(self.kept);
        self.segments.stand();
        if let Some(current) = self.segments.current() {
            current.used += group.bytes;
            current.last_seq = self.durable;
        }
        for (kind, key, place) in group.keyed {
            self.apply_open(kind, key, place);
        }
        let bytes: usize = group.batches.iter().map(|batch| batch.bytes).sum();
        self.settled = (self.settled.0 + group.batches.len(), self.settled.1 + bytes);
    }

    /// After a moment of quiet the mark of the newest segment: puts its bytes into `out`, gives the
    /// segment. Written without a sync. `now` is `None` at the end: nothing more will come.
    pub(crate) fn poll_mark(&mut self, now: Option<Duration>, out: &mut Vec<u8>) -> Option<u64> {
        let due = self.mark_due()?;
        if now.is_some_and(|now| now < due) {
            return None;
        }
        let durable = self.durable;
        self.marked = durable;
        let current = self.segments.current()?;
        format::write_mark(out, format::crc_seed(current.seed), durable);
        Some(current.number)
    }

    /// When the mark is due; `None` while something is to be written, which says it by itself.
    fn mark_due(&self) -> Option<Duration> {
        let quiet = self.is_drained() && self.durable > self.marked;
        quiet.then(|| self.pace.free_at + MARK_AFTER)
    }

    /// A new highest durable sequence, once.
    pub(crate) fn poll_durable(&mut self) -> Option<u64> {
        let news = self.durable > self.told;
        self.told = self.durable;
        news.then_some(self.durable)
    }

    /// Where what is durable ends, while more can be written there.
    pub(crate) fn end(&mut self) -> Option<End> {
        let (seq, kept) = (self.durable, self.kept);
        let current = self.segments.current()?;
        Some(End { segment: current.number, offset: current.used, seq, kept })
    }

    /// Appends and bytes that became durable since the last call.
    pub(crate) fn poll_settled(&mut self) -> (usize, usize) {
        std::mem::take(&mut self.settled)
    }

    /// When `poll_write` or `poll_mark` will have something though nothing more comes in.
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        if self.group.is_some() || self.condition == Condition::Broken {
            return None;
        }
        match self.waiting.due(&self.pace, self.config.lazy) {
            Some(due) => Some(due.max(self.no_room_until.unwrap_or_default())),
            None => self.no_room_until.or_else(|| self.mark_due()),
        }
    }

    /// A segment that nobody needs; to be given up before the next one is asked for.
    pub(crate) fn poll_retire(&mut self) -> Option<u64> {
        self.segments.retire(self.released)
    }

    /// A segment whose first group failed: gone for good, no other shall have its place on disk.
    pub(crate) fn poll_discard(&mut self) -> Option<u64> {
        self.segments.discard()
    }

    /// Open frames to carry forward; nothing while others are on their way.
    pub(crate) fn poll_clean(&self) -> Option<Clean> {
        if !self.wants_cleaning() {
            return None;
        }
        let segment = self.segments.worth_cleaning(self.released, self.config.limit_bytes)?;
        let mut bytes = 0;
        let within = |(_, place): &(Key, Place)| {
            bytes += place.bytes;
            bytes <= CARRY_BYTES as u64
        };
        let some = self.open.of_segment(segment).take(CARRY_FRAMES);
        let mut frames: Vec<_> = some.take_while(within).collect();
        if frames.is_empty() {
            frames.extend(self.open.of_segment(segment).next());
        }
        Some(Clean { frames })
    }

    /// Whether `poll_clean` has something.
    pub(crate) fn wants_cleaning(&self) -> bool {
        let limit = self.config.limit_bytes;
        let idle = self.carrying <= self.durable && self.condition != Condition::Broken;
        idle && self.segments.worth_cleaning(self.released, limit).is_some()
    }

    /// Which of these are still the newest of their keys, counting what is not yet durable.
    pub(crate) fn still_newest(&self, frames: &[(Key, Place)]) -> Vec<bool> {
        let under_way = self.group.iter().flat_map(|group| &group.batches);
        let touched: BTreeSet<Key> = (under_way.chain(self.waiting.batches()))
            .flat_map(|batch| &batch.entries)
            .filter(|entry| matches!(entry.kind, Kind::Open | Kind::Carried | Kind::Close))
            .filter_map(|entry| entry.key)
            .collect();
        let newest = |(key, place): &(Key, Place)| {
            self.open.place(key) == Some(*place) && !touched.contains(key)
        };
        frames.iter().map(newest).collect()
    }

    /// A frame that cannot be read any more: damage.
    pub(crate) fn handle_lost(&mut self, key: Key, place: Place) {
        if self.open.place(&key) == Some(place) {
            self.apply_open(Kind::Close, key, place);
        }
    }

    /// One that is broken tries once more.
    pub(crate) fn handle_again(&mut self) {
        if self.condition == Condition::Broken {
            self.condition = Condition::Shaken;
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.condition == Condition::Broken
    }

    pub(crate) fn is_without_room(&self) -> bool {
        self.no_room_until.is_some()
    }

    /// Nothing queued, nothing under way.
    pub(crate) fn is_drained(&self) -> bool {
        self.group.is_none() && self.waiting.front().is_none()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.segments.bytes(self.released)
    }

    /// What of the newest segment is lost once the next one is begun, bytes.
    pub(crate) fn rest(&self) -> u64 {
        self.segments.rest(self.released)
    }

    pub(crate) fn segment_count(&self) -> usize {
        self.segments.len()
    }

    pub(crate) fn released(&self) -> u64 {
        self.released
    }

    pub(crate) fn open_keys(&self) -> usize {
        self.open.len()
    }

    fn write_group(&mut self, now: Duration, room: u64, out: &mut Vec<u8>) -> Step {
        let (durable, previous, cursors) = (self.durable, self.previous, self.cursors);
        let Some(current) = self.segments.current() else { return Step::Idle };
        let segment = current.number;
        let mut offset = current.used;
        if current.unwritten {
            offset = 0;
            header_of(current, previous, cursors).write(out);
        }
        let crc_seed = format::crc_seed(current.seed);
        let mut at = current.used;
        let mut keyed = Vec::new();
        let batches = self.waiting.take(room);
        for batch in &batches {
            let last = batch.entries.len() - 1;
            for (index, entry) in batch.entries.iter().enumerate() {
                let frame = RawFrame {
                    seq: batch.first_seq + index as u64,
                    durable,
                    kind: entry.kind,
                    goes_on: index != last,
                    key: entry.key,
                    payload: &entry.payload,
                    bytes: frame_bytes(entry.key.as_ref(), entry.payload.len()),
                };
                format::write_frame(out, crc_seed, &frame);
                let bytes = frame.bytes as u64;
                let fresh = entry.kind == Kind::Open;
                let place = Place { segment, offset: at, bytes, fresh };
                keyed.extend(entry.key.map(|key| (entry.kind, key, place)));
                at += bytes;
            }
        }
        let bytes = at - current.used;
        self.group = Some(Group { batches, bytes, written_at: now, keyed });
        Step::Write { segment, offset }
    }

    fn apply_open(&mut self, kind: Kind, key: Key, place: Place) {
        if let Some(old) = self.open.apply(kind, key, place) {
            self.segments.closed(&old);
        }
        if matches!(kind, Kind::Open | Kind::Carried) {
            self.segments.opened(&place);
        }
    }
}

fn header_of(segment: &Segment, previous: u64, cursors: Cursors) -> Header {
    let Segment { number, seed, first_seq, bytes, .. } = *segment;
    Header { number, seed, first_seq, previous, bytes, cursors }
}

/// SplitMix64: one start's random number and a segment's number make that segment's seed.
fn mix(seed: u64, number: u64) -> u64 {
    let mut z = seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
