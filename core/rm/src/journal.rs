//! Stage 11, first half: the engine's records go to disk, many together.
//!
//! It keeps the order, remembers which record lies behind which sequence on the shelf, and holds
//! records in memory while the shelf takes none (rm.md §9.6): the full spool is a designed state,
//! calls go on. It must never wait for the disk, and never change a record's bytes. The shelf
//! itself, which is the spool, is the shell's.

use std::collections::VecDeque;
use std::time::Duration;

use crate::frame;
use crate::limits::{APPEND_BYTES, APPEND_RECORDS, BACKLOG_BYTES, COMMIT_REST, SPOOL_RETRY};
use crate::output::{Event, FrameKind, Stream};

/// What keeps frames durably, in order.
pub trait Shelf {
    /// Takes all of these, which a crash leaves whole or not at all, and gives the sequence of the
    /// last; it never waits for the disk. `urgent`: somebody waits for them.
    ///
    /// # Errors
    /// Nothing was taken; why.
    fn append(&mut self, frames: Vec<Frame>, urgent: bool) -> Result<u64, Full>;

    /// A record was made: it will be handed over, or reported as lost.
    fn made(&mut self, stream: Stream);

    /// A record that was made is lost.
    fn lost(&mut self, stream: Stream);
}

/// One thing for the shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// How it is kept.
    pub kind: FrameKind,
    /// Of open and close frames.
    pub key: Option<[u8; 22]>,
    /// As [`frame::encode`] made it.
    pub payload: Vec<u8>,
}

/// Why the shelf takes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Too much lies undurable in memory; it is tried again when some of that is durable.
    Memory,
    /// The disk is full.
    Disk,
    /// Not a frame that can be kept.
    Frame,
    /// The disk failed twice in a row.
    Broken,
    /// It has been closed.
    Closed,
}

/// The way of records to the shelf.
#[derive(Debug)]
pub struct Journal<S> {
    shelf: S,
    /// Not yet taken by the shelf, oldest first.
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// The bound of that.
    most_bytes: usize,
    /// (sequence on the shelf, number of the record event), rising; not yet durable.
    undurable: VecDeque<(u64, u64)>,
    /// Number of the newest record event handed over.
    newest: u64,
    refused: Option<Refused>,
    /// Before this nothing is handed over, so that many records share one sync.
    next_commit: Duration,
    counters: Counters,
}

/// Why the shelf takes nothing, and when it is asked again.
#[derive(Debug, Clone, Copy)]
struct Refused {
    why: Full,
    retry: Duration,
}

/// One frame to be.
#[derive(Debug)]
struct Waiting {
    /// Its number and stream; `None`: a close without record.
    no: Option<(u64, Stream)>,
    class: Class,
    kind: FrameKind,
    key: [u8; 22],
    payload: Vec<u8>,
    urgent: bool,
}

impl Waiting {
    fn bytes(&self) -> usize {
        self.payload.len()
    }

    /// A copy for the shelf: what it refuses is asked for again.
    fn frame(&self) -> Frame {
        let key = match self.kind {
            FrameKind::Open | FrameKind::Close => Some(self.key),
            FrameKind::Data => None,
        };
        Frame { kind: self.kind, key, payload: self.payload.clone() }
    }
}

/// What is dropped first when memory is full too (rs.md §1.3), in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Event,
    Or,
    Update,
    Start,
    End,
}

/// What was counted since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Records lost, by class: event, or, update, start, end.
    pub dropped: [u64; 5],
}

impl Counters {
    /// Records lost, of all classes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.dropped.iter().sum()
    }

    fn lost(&mut self, one: &Waiting, shelf: &mut impl Shelf) {
        if let Some(dropped) = self.dropped.get_mut(one.class as usize) {
            *dropped += 1;
        }
        if let Some((_, stream)) = one.no {
            shelf.lost(stream);
        }
    }
}

/// What a commit did that somebody should hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing new.
    None,
    /// The shelf takes no more; why.
    Refuses(Full),
    /// It takes again.
    Takes,
}

impl<S: Shelf> Journal<S> {
    /// An empty one over this shelf.
    #[must_use]
    pub fn new(shelf: S) -> Self {
        Self::with_backlog(shelf, BACKLOG_BYTES)
    }

    /// One that keeps at most so many bytes in memory while the shelf takes none.
    #[must_use]
    pub fn with_backlog(shelf: S, most_bytes: usize) -> Self {
        Self {
            shelf,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            most_bytes,
            undurable: VecDeque::new(),
            newest: 0,
            refused: None,
            next_commit: Duration::ZERO,
            counters: Counters::default(),
        }
    }

    /// Takes one event of the engine, with the bytes of its record; gives it back when it is none
    /// of the journal's.
    pub fn take(&mut self, event: Event, bytes: &[u8]) -> Option<Event> {
        let waiting = match event {
            Event::Record { no, stream, frame: kind, key, json, urgent, end, .. } => {
                let class = match (stream, kind) {
                    (Stream::Event | Stream::Sq, _) => Class::Event,
                    (Stream::Or, _) => Class::Or,
                    (Stream::Cdr, FrameKind::Data) if !end => Class::Update,
                    (Stream::Cdr, FrameKind::Open) => Class::Start,
                    (Stream::Cdr, FrameKind::Data | FrameKind::Close) => Class::End,
                };
                self.shelf.made(stream);
                let no = Some((no, stream));
                let (json, block) = bytes.split_at_checked(json).unwrap_or((bytes, &[]));
                let payload = frame::encode(json, block);
                Waiting { no, class, kind, key, payload, urgent }
            }
            Event::Forget { key } => {
                let payload = frame::encode(&[], &[]);
                let (kind, class) = (FrameKind::Close, Class::End);
                Waiting { no: None, class, kind, key, payload, urgent: false }
            }
            other @ (Event::Log { .. }
            | Event::Resolve { .. }
            | Event::Discover { .. }
            | Event::Alias { .. }) => return Some(other),
        };
        self.waiting_bytes += waiting.bytes();
        self.waiting.push_back(waiting);
        None
    }

    /// Hands over what was taken since the last time: one append, unless there is much. Not before
    /// [`COMMIT_REST`] has passed since then; [`Self::poll_timeout`] says when.
    pub fn commit(&mut self, now: Duration) -> Change {
        if now < self.next_commit {
            return Change::None;
        }
        if self.refused.is_some_and(|refused| now < refused.retry) {
            self.drop_excess();
            return Change::None;
        }
        let before = self.refused.take();
        if !self.waiting.is_empty() {
            self.next_commit = now + COMMIT_REST;
        }
        while !self.waiting.is_empty() {
            let group = self.group();
            let frames: Vec<Frame> = self.waiting.iter().take(group).map(Waiting::frame).collect();
            let urgent = self.waiting.iter().take(group).any(|waiting| waiting.urgent);
            match self.shelf.append(frames, urgent) {
                Ok(seq) => self.handed_over(group, seq),
                Err(Full::Frame) if group == 1 => {
                    // No record of ours can be that large; it must not stop the others.
                    self.drop_at(0);
                }
                Err(why) => {
                    self.refused = Some(Refused { why, retry: now + SPOOL_RETRY });
                    self.drop_excess();
                    break;
                }
            }
        }
        match (before, self.refused) {
            (None, Some(refused)) => Change::Refuses(refused.why),
            (Some(_), None) => Change::Takes,
            (None, None) | (Some(_), Some(_)) => Change::None,
        }
    }

    /// Hands over what is left: the last time.
    pub fn finish(&mut self, now: Duration) {
        self.next_commit = now;
        self.commit(now);
    }

    /// The shelf has everything up to `seq` on disk. Gives the newest record event that is durable
    /// by that, if it is news.
    pub fn durable(&mut self, seq: u64) -> Option<u64> {
        let mut newest = None;
        while let Some((_, no)) = self.undurable.pop_front_if(|(upto, _)| *upto <= seq) {
            newest = Some(no);
        }
        if let Some(Refused { why: Full::Memory, retry }) = &mut self.refused {
            *retry = Duration::ZERO;
        }
        newest
    }

    /// When [`Self::commit`] should be called although there is no new record.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let due = (!self.waiting.is_empty()).then_some(self.next_commit);
        self.refused.map(|refused| refused.retry.max(self.next_commit)).or(due)
    }

    /// The shelf.
    #[must_use]
    pub fn shelf(&self) -> &S {
        &self.shelf
    }

    /// Records and bytes that the shelf has not taken yet.
    #[must_use]
    pub fn backlog(&self) -> (usize, usize) {
        (self.waiting.len(), self.waiting_bytes)
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// How many of the oldest go together: within the bounds of a group, at least one.
    fn group(&self) -> usize {
        let mut bytes = 0;
        let fits = self.waiting.iter().take(APPEND_RECORDS).take_while(|waiting| {
            bytes += waiting.bytes();
            bytes <= APPEND_BYTES
        });
        fits.count().max(1)
    }

    fn handed_over(&mut self, group: usize, seq: u64) {
        for waiting in self.waiting.drain(..group) {
            self.waiting_bytes -= waiting.bytes();
            self.newest = waiting.no.map_or(self.newest, |(no, _)| no);
        }
        self.undurable.push_back((seq, self.newest));
    }

    /// Keeps the backlog within its bound: the least important first, of those the oldest. A
    /// little more than needed goes, so that a full backlog is not searched for each new record.
    fn drop_excess(&mut self) {
        if self.waiting_bytes <= self.most_bytes {
            return;
        }
        let goal = self.most_bytes - self.most_bytes / 16;
        for class in [Class::Event, Class::Or, Class::Update, Class::Start, Class::End] {
            let Self { waiting, waiting_bytes, counters, shelf, .. } = self;
            waiting.retain(|one| {
                let goes = one.class == class && *waiting_bytes > goal;
                if goes {
                    *waiting_bytes -= one.bytes();
                    counters.lost(one, shelf);
                }
                !goes
            });
        }
    }

    fn drop_at(&mut self, at: usize) {
        if let Some(waiting) = self.waiting.remove(at) {
            self.waiting_bytes -= waiting.bytes();
            self.counters.lost(&waiting, &mut self.shelf);
        }
    }
}
