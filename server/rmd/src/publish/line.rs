//! The two connections to the broker and what each tells of itself (rm.md §9.6): CDRs on one, the
//! rest on the other, so that a queue which the broker holds back never stops a CDR.

use super::link::Over;
use crate::error::StartError;
use model::record::Stream;
use net::Waker;
use net::waker::WakeReceiver;
use openwire::BrokerUri;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use telemetry::prometheus::{Histogram, LATENCY_SECONDS};

/// One connection, its cursor in the spool, its queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// `ringmaster.cdr`.
    Cdr,
    /// Everything else.
    Rest,
}

impl Line {
    /// Both; the place is the cursor's number.
    pub(crate) const ALL: [Self; 2] = [Self::Cdr, Self::Rest];

    /// The line that carries a stream.
    pub(crate) const fn of(stream: Stream) -> Self {
        match stream {
            Stream::Cdr => Self::Cdr,
            Stream::Event | Stream::Or | Stream::Sq => Self::Rest,
        }
    }

    /// The number of its cursor in the spool.
    pub(crate) const fn cursor(self) -> u8 {
        match self {
            Self::Cdr => 0,
            Self::Rest => 1,
        }
    }

    /// Its name: of the thread, in logs, and as the check of `/ready`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cdr => "broker",
            Self::Rest => "broker_events",
        }
    }

    /// As the label of a metric.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Cdr => "cdr",
            Self::Rest => "other",
        }
    }
}

/// How a connection to a broker went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// It let us in.
    Up,
    /// It was up, and is no more.
    Lost,
    /// It refused the login or a record.
    Refused,
    /// It did not come up.
    Failed,
}

impl Outcome {
    pub(super) fn of(was_in: bool, over: &Over) -> Self {
        match over {
            Over::Refused(_) => Self::Refused,
            _ if was_in => Self::Lost,
            _ => Self::Failed,
        }
    }

    /// As the label of a metric.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Lost => "lost",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// Connections so far, by broker and how they went.
type Connections = BTreeMap<(String, Outcome), u64>;

/// Both lines as other threads see them.
#[derive(Debug)]
pub(crate) struct Publishing {
    lines: [PublishFigures; 2],
    wakers: [Waker; 2],
    /// Last sequence of the run before.
    floor: u64,
}

/// What a publisher tells others, and is told by them, at any time.
#[derive(Debug)]
pub(crate) struct PublishFigures {
    /// A broker has let us in.
    pub(super) connected: AtomicBool,
    connections: Mutex<Connections>,
    /// Records acknowledged since the start.
    pub(super) acknowledged: AtomicU64,
    /// Records that no broker frame can hold.
    pub(super) too_large: AtomicU64,
    /// From send to acknowledgement.
    pub(crate) seconds: Histogram,
    /// Records made since the start, and of those acknowledged.
    made: AtomicU64,
    pub(super) made_acknowledged: AtomicU64,
    /// Everything up to here is acknowledged.
    pub(super) position: AtomicU64,
    /// Time to go: what is left is published, if that is soon.
    pub(super) stopping: AtomicBool,
}

/// The wakers of both lines, and what they wake.
pub(crate) fn wakers() -> Result<([Waker; 2], [WakeReceiver; 2]), StartError> {
    let pair = || net::waker::pair().map_err(StartError::descriptors);
    let ((cdr, cdr_wakes), (rest, rest_wakes)) = (pair()?, pair()?);
    Ok(([cdr, rest], [cdr_wakes, rest_wakes]))
}

impl Publishing {
    /// At a start: the last sequence in the spool, and how far the broker had it on each line.
    pub(crate) fn new(floor: u64, positions: [u64; 2], wakers: [Waker; 2]) -> Self {
        Self { lines: positions.map(PublishFigures::new), wakers, floor }
    }

    /// One of them.
    pub(crate) fn line(&self, line: Line) -> &PublishFigures {
        let [cdr, rest] = &self.lines;
        match line {
            Line::Cdr => cdr,
            Line::Rest => rest,
        }
    }

    /// A record was made.
    pub(crate) fn made(&self, stream: Stream) {
        self.line(Line::of(stream)).made.fetch_add(1, Ordering::AcqRel);
    }

    /// A record that was made is lost.
    pub(crate) fn lost(&self, stream: Stream) {
        self.line(Line::of(stream)).made.fetch_sub(1, Ordering::AcqRel);
    }

    /// Records that no broker has: exact for those of this run; of an earlier run, until its rest
    /// is acknowledged, at most so many.
    pub(crate) fn pending(&self) -> u64 {
        let position = |line: &PublishFigures| line.position.load(Ordering::Acquire);
        let furthest_back = self.lines.iter().map(position).min().unwrap_or_default();
        self.lines.iter().map(PublishFigures::owes).sum::<u64>()
            + self.floor.saturating_sub(furthest_back)
    }

    /// Last sequence of the run before.
    pub(super) fn floor(&self) -> u64 {
        self.floor
    }

    /// Asks both publishers to end.
    pub(crate) fn stop(&self) {
        for line in &self.lines {
            line.stopping.store(true, Ordering::Release);
        }
        self.wakers.iter().for_each(Waker::wake);
    }
}

impl PublishFigures {
    fn new(position: u64) -> Self {
        Self {
            connected: AtomicBool::new(false),
            connections: Mutex::default(),
            acknowledged: AtomicU64::new(0),
            too_large: AtomicU64::new(0),
            seconds: Histogram::new(LATENCY_SECONDS),
            made: AtomicU64::new(0),
            made_acknowledged: AtomicU64::new(0),
            position: AtomicU64::new(position),
            stopping: AtomicBool::new(false),
        }
    }

    /// A broker has let us in.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    pub(super) fn count(&self, broker: &BrokerUri, outcome: Outcome) {
        let mut all = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        *all.entry((broker.host_port(), outcome)).or_default() += 1;
    }

    /// Connections since the start, by broker and how they went.
    pub(crate) fn connections(&self) -> Connections {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records made since the start that no broker has.
    pub(super) fn owes(&self) -> u64 {
        let done = self.made_acknowledged.load(Ordering::Acquire);
        self.made.load(Ordering::Acquire).saturating_sub(done)
    }

    /// Records acknowledged since the start.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Records that no broker frame can hold.
    pub(crate) fn too_large(&self) -> u64 {
        self.too_large.load(Ordering::Relaxed)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}
