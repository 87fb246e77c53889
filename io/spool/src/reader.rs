//! Reads durable frames in order across segments, also while writing goes on: what `on_durable`
//! told is there. Holds no lock while it reads and stops no segment from being given up; a reader
//! that is behind what was released skips ahead. What cannot be read although it was durable goes
//! to the ward (`damage`) before anything behind it is handed out: nothing is passed over unsaid.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::catalog::{End, OnDisk};
use crate::damage::Unreadable;
use crate::driver::Shared;
use crate::entry::Frame;
use crate::format::{self, FRAMES_AT, peek_length, read_frame};
use crate::limits::{READ_BYTES, READ_TRIES};
use crate::recovery::read_whole;
use crate::recovery::scan::{filled, frames_from};

/// A position in the spool.
pub struct Reader {
    shared: Arc<Shared>,
    /// Next sequence wanted.
    next: u64,
    /// Where it is looked for: number of the segment, offset.
    at: (u64, u64),
    buffer: Vec<u8>,
    /// Reads of this place that failed in a row.
    failed: u32,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, after_seq: u64) -> Self {
        let next = after_seq.saturating_add(1);
        Self { shared, next, at: (0, FRAMES_AT), buffer: Vec::new(), failed: 0 }
    }

    /// Up to `max_frames` durable frames of together about `max_bytes`, at least one if there is
    /// one; empty: nothing new. Frames of all kinds come, so sequences have no holes but damage.
    pub fn read(&mut self, max_frames: usize, max_bytes: usize) -> io::Result<Vec<Frame>> {
        let durable = self.shared.durable.load(Ordering::Acquire);
        let mut frames = Vec::new();
        let mut room = max_bytes;
        while self.next <= durable && frames.len() < max_frames && room > 0 {
            let located = self.shared.catalog().locate(self.next);
            let Some((segment, cut)) = located else { break };
            self.next = self.next.max(segment.first_seq);
            if self.at.0 != segment.number {
                self.at = (segment.number, FRAMES_AT);
            }
            // a later segment overrides the rest, or sequences jumped over it to the user's floor
            let last = durable.min(cut.saturating_sub(1));
            let here = last.min(segment.last_seq);
            if self.next > here {
                self.next = self.next.max(last.saturating_add(1));
                continue;
            }
            let before = (frames.len(), self.at);
            match self.read_chunk(&segment, here, max_frames, &mut room, &mut frames) {
                Ok(()) => self.failed = 0,
                Err(error) => {
                    self.failed += 1;
                    if !frames.is_empty() {
                        break;
                    }
                    if self.failed < READ_TRIES {
                        return Err(error);
                    }
                    self.failed = 0;
                }
            }
            // whoever has passed frames that are not wanted is on the way, not stuck
            if (frames.len(), self.at) == before {
                self.pass_damage(&segment, here);
            }
        }
        Ok(frames)
    }

    /// Next sequence wanted.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Where what is durable ends now; `None` before anything was written since the start.
    pub fn end(&self) -> Option<End> {
        self.shared.catalog().end()
    }

    /// Goes to an end without reading what lies before it, for a user who knows that none of it
    /// is his. Gives the last sequence passed that is worth a cursor, if there is one: cursors
    /// themselves are not, or each would make the next.
    pub fn pass(&mut self, end: End) -> Option<u64> {
        if end.seq < self.next {
            return None;
        }
        let first = std::mem::replace(&mut self.next, end.seq + 1);
        self.at = (end.segment, end.offset);
        (end.kept >= first).then_some(end.kept)
    }

    /// Takes what lies at the position, in one read from disk.
    fn read_chunk(
        &mut self,
        segment: &OnDisk,
        last: u64,
        max_frames: usize,
        room: &mut usize,
        frames: &mut Vec<Frame>,
    ) -> io::Result<()> {
        let crc_seed = format::crc_seed(segment.seed);
        self.fill(segment, READ_BYTES.min((*room).max(4096)))?;
        let mut at = 0;
        while frames.len() < max_frames && *room > 0 {
            // a frame read alone ends before its padding: the position may lie beyond the buffer
            let Some(length) = self.buffer.get(at..).and_then(peek_length) else { break };
            let cut_off = length > self.buffer.len() - at;
            if cut_off && (at > 0 || !self.fill(segment, length)?) {
                break;
            }
            let Some(frame) = read_frame(&self.buffer[at..], crc_seed) else { break };
            if frame.seq > last || frame.seq > self.next {
                break;
            }
            at += frame.bytes;
            self.at.1 += frame.bytes as u64;
            if frame.seq == self.next {
                self.next += 1;
                *room = room.saturating_sub(frame.payload.len());
                frames.push(frame.to_frame());
            }
        }
        Ok(())
    }

    /// Reads so many bytes from the position on; true: all of them came.
    fn fill(&mut self, segment: &OnDisk, bytes: usize) -> io::Result<bool> {
        let left = usize::try_from(segment.end.saturating_sub(self.at.1)).unwrap_or(usize::MAX);
        self.buffer.resize(bytes.min(left), 0);
        let mut filled = 0;
        while filled < self.buffer.len() {
            match segment.file.read_at(&mut self.buffer[filled..], self.at.1 + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.buffer.truncate(filled);
        Ok(filled >= bytes)
    }

    /// What is at the position cannot be read: has it kept and told, and goes to the next frame
    /// wanted of this segment that can be read, or behind the segment. Valid frames that are not
    /// wanted are found too: what stands in them must not be taken for frames.
    fn pass_damage(&mut self, segment: &OnDisk, here: u64) {
        let bytes = read_whole(&*segment.file, segment.end);
        let from = usize::try_from(self.at.1).unwrap_or(usize::MAX);
        let found = frames_from(&bytes, from, segment.seed, segment.first_seq);
        if self.shared.catalog().get(segment.number).is_none() {
            // given up meanwhile, and its file is another one's: all of it was released
            self.next = here + 1;
            return;
        }
        let wanted = self.next..=here;
        let behind = found.iter().find(|(_, frame)| wanted.contains(&frame.seq));
        let (end, next) = match behind {
            Some((offset, frame)) => (*offset as u64, frame.seq),
            None => (filled(&bytes) as u64, here + 1),
        };
        self.shared.ward.admit(&Unreadable {
            name: &segment.name,
            number: segment.number,
            file: &*segment.file,
            offset: self.at.1,
            bytes: end.saturating_sub(self.at.1),
            lost: (self.next, next - 1),
        });
        (self.at.1, self.next) = (self.at.1.max(end), next);
    }
}
