//! Stage 11, first half: the engine's records go to disk, many together.
//!
//! It keeps the order, remembers which record lies behind which spool sequence, and holds records
//! in memory while the spool takes none (rm.md §9.6): the full spool is a designed state, calls go
//! on. It must never wait for the disk, and never change a record's bytes.

use crate::frame;
use crate::limits::{BACKLOG_BYTES, COMMIT_REST, GROUP_BYTES, GROUP_RECORDS, SPOOL_RETRY};
use crate::publish::Publishing;
use rm::{Event, FrameKind, Stream};
use spool::{Entry, Full, Key, Kind, Spool};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// The way of records to the spool.
pub(crate) struct Journal {
    spool: Spool,
    publishing: Arc<Publishing>,
    /// Not yet taken by the spool, oldest first.
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// The bound of that.
    most_bytes: usize,
    /// (sequence in the spool, number of the record event), rising; not yet durable.
    undurable: VecDeque<(u64, u64)>,
    /// Number of the newest record event handed over.
    newest: u64,
    refused: Option<Refused>,
    /// Before this nothing is handed over, so that many records share one sync.
    next_commit: Duration,
    counters: Counters,
}

/// Why the spool takes nothing, and when it is asked again.
#[derive(Debug, Clone, Copy)]
struct Refused {
    why: Full,
    retry: Duration,
}

/// One frame to be.
struct Waiting {
    /// Its number and stream; `None`: a close without record.
    no: Option<(u64, Stream)>,
    class: Class,
    kind: Kind,
    key: [u8; 22],
    payload: Vec<u8>,
    urgent: bool,
}

impl Waiting {
    fn bytes(&self) -> usize {
        self.payload.len()
    }

    /// A copy for the spool: what it refuses is asked for again.
    fn entry(&self) -> Entry {
        let key = match self.kind {
            Kind::Open | Kind::Close => Key::new(&self.key),
            Kind::Data | Kind::Carried | Kind::Cursor => None,
        };
        Entry { kind: self.kind, key, payload: self.payload.clone() }
    }
}

/// What is dropped first when memory is full too (rs.md §1.3), in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Event,
    Update,
    Start,
    End,
}

/// What was counted since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Records lost, by class: event, update, start, end.
    pub(crate) dropped: [u64; 4],
}

impl Counters {
    /// Records lost, of all classes.
    pub(crate) fn total(&self) -> u64 {
        self.dropped.iter().sum()
    }

    fn lost(&mut self, one: &Waiting, publishing: &Publishing) {
        self.dropped[one.class as usize] += 1;
        if let Some((_, stream)) = one.no {
            publishing.lost(stream);
        }
    }
}

/// What a commit did that somebody should hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing new.
    None,
    /// The spool takes no more; why.
    Refuses(Full),
    /// It takes again.
    Takes,
}

impl Journal {
    pub(crate) fn new(spool: Spool, publishing: Arc<Publishing>) -> Self {
        Self {
            spool,
            publishing,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            most_bytes: BACKLOG_BYTES,
            undurable: VecDeque::new(),
            newest: 0,
            refused: None,
            next_commit: Duration::ZERO,
            counters: Counters::default(),
        }
    }

    /// Takes one event of the engine, with the bytes of its record; gives it back when it is none
    /// of the journal's.
    pub(crate) fn take(&mut self, event: Event, bytes: &[u8]) -> Option<Event> {
        let waiting = match event {
            Event::Record { no, stream, frame, key, json, urgent, .. } => {
                let (kind, class) = match (stream, frame) {
                    (Stream::Event | Stream::Or | Stream::Sq, _) => (Kind::Data, Class::Event),
                    (Stream::Cdr, FrameKind::Data) => (Kind::Data, Class::Update),
                    (Stream::Cdr, FrameKind::Open) => (Kind::Open, Class::Start),
                    (Stream::Cdr, FrameKind::Close) => (Kind::Close, Class::End),
                };
                self.publishing.made(stream);
                let no = Some((no, stream));
                let (json, block) = bytes.split_at_checked(json).unwrap_or((bytes, &[]));
                let payload = frame::encode(json, block);
                Waiting { no, class, kind, key, payload, urgent }
            }
            Event::Forget { key } => {
                let payload = frame::encode(&[], &[]);
                let (kind, class) = (Kind::Close, Class::End);
                Waiting { no: None, class, kind, key, payload, urgent: false }
            }
            other @ (Event::Log { .. } | Event::Resolve { .. } | Event::Alias { .. }) => {
                return Some(other);
            }
        };
        self.waiting_bytes += waiting.bytes();
        self.waiting.push_back(waiting);
        None
    }

    /// Hands over what was taken since the last time: one append, unless there is much. Not before
    /// [`COMMIT_REST`] has passed since then; [`Self::poll_timeout`] says when.
    pub(crate) fn commit(&mut self, now: Duration) -> Change {
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
            let entries: Vec<Entry> = self.waiting.iter().take(group).map(Waiting::entry).collect();
            let urgent = self.waiting.iter().take(group).any(|waiting| waiting.urgent);
            match self.spool.append(entries, urgent) {
                Ok(seq) => self.handed_over(group, seq),
                Err(Full::Entry) if group == 1 => {
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
    pub(crate) fn finish(&mut self, now: Duration) {
        self.next_commit = now;
        self.commit(now);
    }

    /// The spool has everything up to `seq` on disk. Gives the newest record event that is durable
    /// by that, if it is news.
    pub(crate) fn durable(&mut self, seq: u64) -> Option<u64> {
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
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        let due = (!self.waiting.is_empty()).then_some(self.next_commit);
        self.refused.map(|refused| refused.retry.max(self.next_commit)).or(due)
    }

    /// Figures of the spool behind it.
    pub(crate) fn spool(&self) -> spool::Status {
        self.spool.status()
    }

    /// What was counted.
    pub(crate) fn counters(&self) -> Counters {
        self.counters
    }

    /// How many of the oldest go together: within the bounds of a group, at least one.
    fn group(&self) -> usize {
        let mut bytes = 0;
        let fits = self.waiting.iter().take(GROUP_RECORDS).take_while(|waiting| {
            bytes += waiting.bytes();
            bytes <= GROUP_BYTES
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
        for class in [Class::Event, Class::Update, Class::Start, Class::End] {
            let Self { waiting, waiting_bytes, counters, publishing, .. } = self;
            waiting.retain(|one| {
                let goes = one.class == class && *waiting_bytes > goal;
                if goes {
                    *waiting_bytes -= one.bytes();
                    counters.lost(one, publishing);
                }
                !goes
            });
        }
    }

    fn drop_at(&mut self, at: usize) {
        if let Some(waiting) = self.waiting.remove(at) {
            self.waiting_bytes -= waiting.bytes();
            self.counters.lost(&waiting, &self.publishing);
        }
    }
}

#[cfg(test)]
mod tests;
