//! What other threads may ask of the engine: one closed enum over one bounded queue.
//!
//! The engine is never waited for and never waits. Durable positions are no queue but one number,
//! because only the newest counts; so the spool's thread can never be held up by a full queue.

use crate::drain::Stop;
use crate::figures::Figures;
use crate::limits::INBOX;
use model::id::{Dbid, Guid, LegId};
use model::snapshot::Snapshot;
use net::Waker;
use rm::heads::Segments;
use rm::view::limits::Set;
use rm::{
    Alarm, CallDetail, CallFilter, CallSlice, Explained, Keys, Question, ResourceView, Status,
    Unclear, Will,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use tokio::sync::oneshot;

/// One input of the engine from another thread.
pub(crate) enum Input {
    /// Tell something; reads only.
    Query(Query),
    /// A new configuration, already valid.
    Snapshot {
        /// To be in force from now on.
        snapshot: Arc<Snapshot>,
        /// Who waits until it is.
        applied: Option<SyncSender<()>>,
    },
    /// The cluster key ring has changed.
    Keys(Box<Keys>),
    /// The kernel had no room for so many datagrams since it was asked last.
    KernelDrops {
        /// Of all sockets.
        packets: u64,
    },
    /// Take no new calls, or take them again, without leaving. The answer: legs that are up;
    /// `None`: the node leaves anyway.
    Drain {
        /// No new calls.
        on: bool,
        /// Where to.
        reply: oneshot::Sender<Option<usize>>,
    },
    /// Leave, now or after a drain.
    Stop(Stop),
}

/// Questions of the HTTP thread. An answer that nobody waits for any more is dropped.
pub(crate) enum Query {
    /// `GET /v1/status`.
    Status(oneshot::Sender<(Status, f64)>),
    /// A slice of `GET /v1/calls`: sessions above `after`, at most `limit`.
    Calls {
        /// Which; it comes back for the next slice.
        filter: Box<CallFilter>,
        /// The last session of the slice before.
        after: Option<Guid>,
        /// At most so many.
        limit: usize,
        /// Where to.
        reply: oneshot::Sender<(Box<CallFilter>, CallSlice)>,
    },
    /// `GET /v1/calls/{guid}`.
    Call(Guid, oneshot::Sender<Option<CallDetail>>),
    /// A segment of the heads kept, for `GET /v1/calls/{guid}/sip`.
    Heads {
        /// Which.
        number: u64,
        /// Where it goes: empty, with room for it.
        bytes: Vec<u8>,
        /// Where to.
        reply: oneshot::Sender<(Vec<u8>, Segments)>,
    },
    /// `DELETE /v1/calls/{guid}`: how many legs are ended; `None`: there are none to end.
    HangUp {
        /// The session.
        guid: Guid,
        /// Only this leg.
        leg: Option<LegId>,
        /// Where to.
        reply: oneshot::Sender<Option<usize>>,
    },
    /// Sizes of sets of sessions, in their order.
    Used(Vec<Set>, oneshot::Sender<Vec<u64>>),
    /// Inbound legs of tenants, in their order.
    Inbound(Vec<Dbid>, oneshot::Sender<Vec<u64>>),
    /// `POST /v1/explain`.
    Explain(Box<Question>, oneshot::Sender<Result<Box<Explained>, Unclear>>),
    /// A part of `GET /v1/alarms`; `None`: there are no more parts.
    Alarms(usize, oneshot::Sender<Option<Vec<Alarm>>>),
    /// `GET /v1/resources`.
    Resources(oneshot::Sender<Vec<ResourceView>>),
    /// `GET /v1/resources/{group}/{name}`, after a change if there is one; `None`: there is none.
    Resource {
        /// Its group.
        group: String,
        /// Its name.
        name: String,
        /// What an operator wants of it from now on.
        change: Option<Change>,
        /// Where to.
        reply: oneshot::Sender<Option<Administered>>,
    },
    /// `GET /metrics`.
    Figures(oneshot::Sender<Box<Figures>>),
}

/// A change of what an operator wants of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// This from now on.
    Will(Will),
    /// What the configuration says.
    Reset,
}

/// A resource, and what operators want of all of them.
#[derive(Debug)]
pub(crate) struct Administered {
    /// As it is now.
    pub(crate) resource: ResourceView,
    /// To be kept on disk.
    pub(crate) wills: Vec<(String, Will)>,
}

/// Why an input was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The engine has more to do than it can: try again later.
    Busy,
    /// The engine has ended.
    Gone,
}

/// The asking end; clones ask the same engine.
#[derive(Clone)]
pub(crate) struct Inbox {
    queue: SyncSender<Input>,
    durable: Arc<AtomicU64>,
    waker: Waker,
}

/// The engine's end.
pub(crate) struct Inputs {
    queue: Receiver<Input>,
    durable: Arc<AtomicU64>,
}

/// A connected pair; `waker` ends the engine's wait.
pub(crate) fn inbox(waker: Waker) -> (Inbox, Inputs) {
    let (sender, receiver) = sync_channel(INBOX);
    let durable = Arc::new(AtomicU64::new(0));
    let inputs = Inputs { queue: receiver, durable: Arc::clone(&durable) };
    (Inbox { queue: sender, durable, waker }, inputs)
}

impl Inbox {
    /// Hands over; never waits.
    pub(crate) fn send(&self, input: Input) -> Result<(), Refused> {
        self.queue.try_send(input).map_err(|error| match error {
            TrySendError::Full(_) => Refused::Busy,
            TrySendError::Disconnected(_) => Refused::Gone,
        })?;
        self.waker.wake();
        Ok(())
    }

    /// All frames of the spool up to `seq` are on disk.
    pub(crate) fn durable(&self, seq: u64) {
        self.durable.fetch_max(seq, Ordering::AcqRel);
        self.waker.wake();
    }
}

impl Inputs {
    /// The next input; `None` when there is none.
    pub(crate) fn next(&self) -> Option<Input> {
        self.queue.try_recv().ok()
    }

    /// The newest durable sequence of the spool.
    pub(crate) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_inbox_says_so_and_durable_still_passes() {
        let (waker, _receiver) = net::waker::pair().unwrap();
        let (inbox, inputs) = inbox(waker);
        let mut taken = 0;
        while inbox.send(Input::Stop(Stop::Now)).is_ok() {
            taken += 1;
        }
        assert_eq!(taken, INBOX);
        inbox.durable(7);
        inbox.durable(5);
        assert_eq!(inputs.durable(), 7);
        while inputs.next().is_some() {
            taken -= 1;
        }
        assert_eq!(taken, 0);
        drop(inputs);
        assert_eq!(inbox.send(Input::Stop(Stop::Now)), Err(Refused::Gone));
    }
}
