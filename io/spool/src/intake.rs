//! Where users hand over: gives sequences, refuses what is too much, and keeps batches until the
//! driver takes them. Pure; the handle holds it under its lock, for moments only.

use std::collections::VecDeque;

use crate::entry::{Entry, Kind};
use crate::format::{Cursors, FRAMES_AT, frame_bytes};
use crate::limits::{CURSORS, FRAME_BYTES, SEGMENTS};
use crate::spool::{Full, State, Status};

/// The entries of one append: neighbours in one group, whole or absent after a crash.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) first_seq: u64,
    pub(crate) entries: Vec<Entry>,
    /// Bytes on disk.
    pub(crate) bytes: usize,
    /// Records in the entries.
    pub(crate) records: usize,
    pub(crate) urgent: bool,
}

impl Batch {
    pub(crate) fn last_seq(&self) -> u64 {
        self.first_seq + self.entries.len() as u64 - 1
    }

    /// The last that is no cursor.
    pub(crate) fn last_kept(&self) -> Option<u64> {
        let at = self.entries.iter().rposition(|entry| entry.kind != Kind::Cursor)?;
        Some(self.first_seq + at as u64)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Intake {
    /// What is not yet with the driver.
    queue: VecDeque<Batch>,
    /// Figures: those of `append` are kept here, the others by the driver.
    pub(crate) status: Status,
    pending_limit: usize,
    /// Largest batch not yet durable, bytes.
    largest: usize,
    /// Bytes of the newest segment that are lost once the next one is begun.
    pub(crate) rest: u64,
    cursors: Cursors,
    cursors_changed: [bool; CURSORS],
    pub(crate) released: u64,
    pub(crate) closing: bool,
    /// Something happened that the driver has not seen.
    pub(crate) dirty: bool,
    /// A broken one is to try once more.
    pub(crate) again: bool,
    /// The driver sleeps.
    pub(crate) asleep: bool,
}

impl Intake {
    pub(crate) fn new(status: Status, pending_limit: usize, cursors: Cursors) -> Self {
        Self { status, pending_limit, cursors, ..Self::default() }
    }

    /// One append of the user.
    pub(crate) fn append(&mut self, entries: Vec<Entry>, urgent: bool) -> Result<u64, Full> {
        if self.closing {
            return Err(Full::Closed);
        }
        match self.status.state {
            State::Open => {}
            State::DiskFull => return Err(Full::Disk),
            State::Broken => return Err(Full::Broken),
            State::Closed => return Err(Full::Closed),
        }
        let bytes = checked_bytes(&entries)?;
        let pending = self.status.pending_bytes.saturating_add(bytes);
        if pending > self.pending_limit.max(bytes) {
            return Err(Full::Memory);
        }
        if self.would_use(bytes) > self.status.limit {
            return Err(Full::Disk);
        }
        self.put_cursors();
        Ok(self.put(entries, bytes, urgent))
    }

    /// Bytes on disk, at most, once so many more are there. What finds no room in a segment begins
    /// the next one, and the rest of it is lost.
    pub(crate) fn would_use(&self, bytes: usize) -> u64 {
        let coming = self.status.pending_bytes.saturating_add(bytes) as u64;
        let used = self.status.bytes.saturating_add(coming);
        if coming <= self.rest {
            return used;
        }
        // one that comes alone begins one segment; of several each may begin another
        let begun = coming / (self.status.limit / SEGMENTS).max(1);
        let lost = if self.status.pending_bytes == 0 { 0 } else { self.largest.max(bytes) as u64 };
        used.saturating_add(self.rest + FRAMES_AT).saturating_add(lost.saturating_mul(begun))
    }

    /// Remembers a cursor; its frame goes in front of the next append.
    pub(crate) fn set_cursor(&mut self, id: usize, seq: u64) {
        let Some(cursor) = self.cursors.get_mut(id) else { return };
        if cursor.is_none_or(|old| old < seq) {
            *cursor = Some(seq);
            self.cursors_changed[id] = true;
            self.dirty = true;
        }
    }

    pub(crate) fn cursors(&self) -> Cursors {
        self.cursors
    }

    /// What the driver takes over. `flush`: the cursors too, though nothing was appended.
    pub(crate) fn drain(&mut self, flush: bool) -> VecDeque<Batch> {
        self.dirty = false;
        if flush {
            self.put_cursors();
        }
        std::mem::take(&mut self.queue)
    }

    /// Frames of the spool's own, past all limits: they make room.
    pub(crate) fn put_own(&mut self, entries: Vec<Entry>) {
        let bytes = entries_bytes(&entries);
        self.put(entries, bytes, false);
    }

    /// The driver's report: these are durable.
    pub(crate) fn settled(&mut self, appends: usize, bytes: usize) {
        self.status.pending = self.status.pending.saturating_sub(appends);
        self.status.pending_bytes = self.status.pending_bytes.saturating_sub(bytes);
        if self.status.pending == 0 {
            self.largest = 0;
        }
    }

    fn put_cursors(&mut self) {
        for id in 0..CURSORS {
            if std::mem::take(&mut self.cursors_changed[id]) {
                let entry = cursor_entry(id, self.cursors[id].unwrap_or(0));
                self.put_own(vec![entry]);
            }
        }
    }

    fn put(&mut self, entries: Vec<Entry>, bytes: usize, urgent: bool) -> u64 {
        let first_seq = self.status.last_seq + 1;
        self.status.last_seq += entries.len() as u64;
        self.status.pending += 1;
        self.status.pending_bytes += bytes;
        self.largest = self.largest.max(bytes);
        let records = entries.iter().map(|entry| entry.records).sum();
        self.queue.push_back(Batch { first_seq, entries, bytes, records, urgent });
        self.dirty = true;
        self.status.last_seq
    }
}

/// Payload of a cursor frame: id (u8), sequence (u64, little-endian).
fn cursor_entry(id: usize, seq: u64) -> Entry {
    let mut payload = vec![u8::try_from(id).unwrap_or(u8::MAX)];
    payload.extend_from_slice(&seq.to_le_bytes());
    Entry { kind: Kind::Cursor, key: None, payload, records: 0 }
}

/// What a cursor frame says.
pub(crate) fn cursor_of(payload: &[u8]) -> Option<(usize, u64)> {
    let (id, seq) = payload.split_first()?;
    let id = usize::from(*id);
    (id < CURSORS).then_some((id, u64::from_le_bytes(seq.try_into().ok()?)))
}

pub(crate) fn entries_bytes(entries: &[Entry]) -> usize {
    entries.iter().map(|entry| frame_bytes(entry.key.as_ref(), entry.payload.len())).sum()
}

fn checked_bytes(entries: &[Entry]) -> Result<usize, Full> {
    let sound = |entry: &Entry| match entry.kind {
        Kind::Data => true,
        Kind::Open | Kind::Close => entry.key.is_some_and(|key| !key.as_bytes().is_empty()),
        Kind::Carried | Kind::Cursor => false,
    };
    let bytes = entries_bytes(entries);
    if entries.is_empty() || bytes > FRAME_BYTES || !entries.iter().all(sound) {
        return Err(Full::Entry);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Key;

    fn data(bytes: usize) -> Entry {
        Entry { kind: Kind::Data, key: None, payload: vec![7; bytes], records: 1 }
    }

    fn intake(limit: u64, pending: usize) -> Intake {
        Intake::new(Status { limit, ..Status::default() }, pending, [None; CURSORS])
    }

    #[test]
    fn sequences_grow_by_one_per_entry_and_cursors_take_their_own() {
        let mut intake = intake(1 << 20, 1 << 20);
        assert_eq!(intake.append(vec![data(1)], true), Ok(1));
        assert_eq!(intake.append(vec![data(1), data(2)], false), Ok(3));
        intake.set_cursor(1, 2);
        intake.set_cursor(1, 3);
        intake.set_cursor(1, 1);
        assert_eq!(intake.append(vec![data(1)], true), Ok(5), "one cursor frame lies between");
        let batches = intake.drain(false);
        assert_eq!(batches.iter().map(|batch| batch.first_seq).collect::<Vec<_>>(), [1, 2, 4, 5]);
        assert_eq!(cursor_of(&batches[2].entries[0].payload), Some((1, 3)));
    }

    #[test]
    fn what_an_append_would_use_counts_the_rest_of_the_segment_it_ends() {
        let mut intake = intake(1 << 20, 1 << 20);
        (intake.status.bytes, intake.rest) = (500_000, 4096);
        assert_eq!(intake.would_use(4096), 504_096);
        assert_eq!(intake.would_use(4097), 500_000 + 4097 + 4096 + FRAMES_AT);
        intake.append(vec![data(100_000)], true).unwrap();
        // two that may each end a segment of an eighth
        let coming = 100_032 + 90_000;
        assert_eq!(intake.would_use(90_000), 500_000 + coming + 4096 + FRAMES_AT + 100_032);
        assert_eq!(intake.append(vec![data(400_000)], true), Err(Full::Disk));
    }

    #[test]
    fn what_is_refused_and_why() {
        let open = |key: &[u8]| Entry {
            kind: Kind::Open,
            key: Key::new(key),
            payload: vec![],
            records: 1,
        };
        let cases = [
            (vec![], Full::Entry),
            (vec![data(FRAME_BYTES)], Full::Entry),
            (vec![open(b"")], Full::Entry),
            (
                vec![Entry { kind: Kind::Close, key: None, payload: vec![], records: 1 }],
                Full::Entry,
            ),
            (
                vec![Entry { kind: Kind::Cursor, key: None, payload: vec![0; 9], records: 1 }],
                Full::Entry,
            ),
            (
                vec![Entry {
                    kind: Kind::Carried,
                    key: Key::new(b"k"),
                    payload: vec![],
                    records: 1,
                }],
                Full::Entry,
            ),
            (vec![data(3000)], Full::Disk),
        ];
        for (entries, expected) in cases {
            assert_eq!(intake(11_000, 100).append(entries, true), Err(expected));
        }
        let mut memory = intake(1 << 20, 100);
        assert_eq!(memory.append(vec![data(500)], true), Ok(1), "one alone always fits");
        assert_eq!(memory.append(vec![data(1)], true), Err(Full::Memory));
        memory.settled(1, 528);
        assert_eq!(memory.append(vec![data(1)], true), Ok(2));
        for (state, expected) in [
            (State::DiskFull, Full::Disk),
            (State::Broken, Full::Broken),
            (State::Closed, Full::Closed),
        ] {
            memory.status.state = state;
            assert_eq!(memory.append(vec![data(1)], true), Err(expected));
        }
    }
}
