//! The messages of late, their heads only: what an operator sees of a call when it is over (rm.md
//! §10.1).
//!
//! A ring of segments, in memory that is written at the start: a message costs one copy, and
//! nothing is allocated. A new segment overwrites the oldest one as a whole. No body comes in;
//! credentials do, and are left out where heads are shown. Beside the way of a call: nothing is
//! decided by what stands here.

mod entry;

use std::fmt;
use std::time::Duration;

use model::id::Guid;
use model::time::{Millis, Now};
use sip::glance;
use sip::transport::Flow;

pub use entry::{Direction, Entry, Head, entries};

use crate::limits::{HEADS_SEGMENT, HEADS_SEGMENTS};
use crate::proxy::Proxy;

/// The ring.
pub(crate) struct Heads {
    memory: Box<[u8]>,
    /// Bytes of a segment.
    segment: usize,
    /// Bytes in use, of each place for a segment.
    used: Vec<usize>,
    /// The segment being written; the first one has number 0.
    newest: u64,
    /// Its place.
    place: usize,
    begun: Millis,
    /// What is sent now is sent at this time.
    pub(crate) now: Millis,
}

/// Which segments there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// The first that is not overwritten; 0: nothing is lost yet.
    pub oldest: u64,
    /// The one being written.
    pub newest: u64,
    /// When the ring was begun.
    pub begun: Millis,
}

impl Segments {
    /// It is begun, and not overwritten.
    fn has(self, number: u64) -> bool {
        (self.oldest..=self.newest).contains(&number)
    }
}

impl Heads {
    /// Room for `segments` of `segment` bytes each; all of it is touched now, so that no message
    /// waits for memory later. Without any nothing is kept.
    pub(crate) fn new(segments: usize, segment: usize, now: Millis) -> Self {
        let mut memory = vec![0; segments * segment].into_boxed_slice();
        memory.fill(u8::MAX);
        Self { memory, segment, used: vec![0; segments], newest: 0, place: 0, begun: now, now }
    }

    /// Keeps what came.
    fn received(&mut self, flow: Flow, age: Duration, bytes: &[u8]) {
        let at = Millis(self.now.0.saturating_sub(millis(age)));
        self.put(entry::Passing { at, direction: Direction::In, flow, size: bytes.len() }, bytes);
    }

    /// Keeps what leaves now.
    fn sent(&mut self, flow: Flow, bytes: &[u8]) {
        let (at, direction) = (self.now, Direction::Out);
        self.put(entry::Passing { at, direction, flow, size: bytes.len() }, bytes);
    }

    /// A leg of this session has ended: its messages are found by its Call-ID.
    pub(crate) fn ended(&mut self, guid: Guid, call_id: &str) {
        self.append(entry::ended(self.now, guid, call_id.len()), call_id.as_bytes());
    }

    fn put(&mut self, passing: entry::Passing, bytes: &[u8]) {
        if self.segment == 0 {
            return;
        }
        let head = glance::head(bytes);
        if !head.is_empty() {
            self.append(passing.header(head.len()), head);
        }
    }

    /// What finds no room in the segment begins the next one.
    fn append(&mut self, header: entry::Header, text: &[u8]) {
        let header = header.as_flattened();
        let len = header.len() + text.len();
        if len > self.segment {
            return;
        }
        let mut used = self.used.get(self.place).copied().unwrap_or_default();
        if used + len > self.segment {
            self.newest += 1;
            self.place = if self.place + 1 < self.used.len() { self.place + 1 } else { 0 };
            used = 0;
        }
        let start = self.place * self.segment + used;
        let room = self.memory.get_mut(start..start + len);
        if let Some((first, rest)) = room.and_then(|room| room.split_at_mut_checked(header.len())) {
            first.copy_from_slice(header);
            rest.copy_from_slice(text);
        }
        if let Some(cell) = self.used.get_mut(self.place) {
            *cell = used + len;
        }
    }

    /// Which segments there are.
    fn segments(&self) -> Segments {
        let places = u64::try_from(self.used.len()).unwrap_or(u64::MAX);
        let oldest = (self.newest + 1).saturating_sub(places);
        Segments { oldest, newest: self.newest, begun: self.begun }
    }

    /// Appends a segment as it is now.
    fn copy(&self, number: u64, out: &mut Vec<u8>) -> Segments {
        let segments = self.segments();
        let places = u64::try_from(self.used.len()).unwrap_or(u64::MAX).max(1);
        let place = usize::try_from(number % places).unwrap_or_default();
        let used = self.used.get(place).filter(|_| segments.has(number));
        if let Some(used) = used {
            let start = place * self.segment;
            out.extend_from_slice(self.memory.get(start..start + used).unwrap_or_default());
        }
        segments
    }
}

impl fmt::Debug for Heads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heads").field("segments", &self.segments()).finish_non_exhaustive()
    }
}

impl Proxy {
    /// Keeps the heads of messages from now on: takes 32 MiB.
    #[must_use]
    pub fn remembering(self) -> Self {
        let heads = Heads::new(HEADS_SEGMENTS, HEADS_SEGMENT, self.heads.now);
        Self { heads, ..self }
    }

    /// Appends one segment of the heads kept, oldest entry first, for [`entries`] to read; nothing
    /// when it is overwritten or not begun. Takes no longer than the copy of 256 KiB.
    pub fn heads(&self, number: u64, out: &mut Vec<u8>) -> Segments {
        self.heads.copy(number, out)
    }

    /// It is so late now.
    pub(crate) fn clock(&mut self, now: Now) {
        self.seen = now;
        self.heads.now = now.wall;
    }

    /// Keeps what came; probes of media servers belong to no call, and would push calls out.
    pub(crate) fn keep_received(&mut self, flow: Flow, age: Duration, bytes: &[u8]) {
        if flow.listener != self.settings.monitor_listener {
            self.heads.received(flow, age, bytes);
        }
    }

    /// Keeps what leaves.
    pub(crate) fn keep_sent(&mut self, flow: Flow, bytes: &[u8]) {
        if flow.listener != self.settings.monitor_listener {
            self.heads.sent(flow, bytes);
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
