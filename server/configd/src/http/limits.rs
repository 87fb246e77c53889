//! All limits of the port: value, unit, reason (ops.md §1.11, §13).

use std::time::Duration;

use net::failures::Allowed;
use telemetry::door::Limits;

/// Connections at once: every watcher, every request and as many probes and idle ones.
pub(super) const DOOR: Limits =
    Limits { connections: 2_048, request: Duration::from_secs(10), idle: Duration::from_secs(60) };
/// Connections of one address.
pub(super) const PER_ADDRESS: usize = 256;
/// Requests that are worked on at once; more are refused (`busy`). Probes are not counted.
pub(super) const IN_FLIGHT: usize = 256;
/// Event streams at once; more are refused (`busy`).
pub(super) const WATCHERS: usize = 512;
/// Bytes of a transaction, also when inflated.
pub(super) const TRANSACTION: usize = 32 << 20;
/// Operations of a transaction.
pub(super) const OPERATIONS: usize = 10_000;
/// Bytes of one document.
pub(super) const DOCUMENT: usize = model::config::limits::MAX_DOCUMENT;
/// Bytes of a body that is no document: tokens, log, clients.
pub(super) const SMALL: usize = 64 << 10;
/// Bytes of a backup: a year of history of a large platform.
pub(super) const BACKUP: usize = 1 << 30;
/// How long the other side may take; tests have less of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// In which a body has to come.
    pub(super) body: Duration,
    /// In which that of a backup has.
    pub(super) backup: Duration,
    /// A watcher that takes nothing for so long is let go …
    pub(super) stalled: Duration,
    /// … and one that resumes, since others wait for its memory.
    pub(super) resuming_stalled: Duration,
}

/// Those in force.
pub(super) const TIMES: Times = Times {
    body: Duration::from_secs(10),
    backup: Duration::from_secs(600),
    stalled: Duration::from_secs(60),
    resuming_stalled: Duration::from_secs(10),
};
/// Time between two events of a stream on which nothing happens.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(10);
/// Bytes of an event; a larger one is told as `resync`.
pub(super) const EVENT: usize = 8 << 20;
/// Items of a list, unless asked, and at most.
pub(super) const ITEMS: usize = 200;
/// See [`ITEMS`].
pub(super) const ITEMS_MOST: usize = 1_000;
/// Bytes of a page: it ends with the item that reaches them.
pub(super) const PAGE: usize = 8 << 20;
/// Bytes of one piece of an answer that is sent while it is made, and pieces that wait.
pub(super) const PIECE: usize = 64 << 10;
/// See [`PIECE`].
pub(super) const PIECES: usize = 4;
/// Snapshots and backups that are sent at once: each has a thread. The next one waits so long and
/// is then refused (`busy`).
pub(super) const STREAMS: usize = 32;
/// Of one address.
pub(super) const STREAMS_OWN: usize = 4;
/// One of them of which nothing is taken for so long is cut.
pub(super) const STREAM_STALLED: Duration = Duration::from_secs(10);
/// See [`STREAMS`].
pub(super) const STREAM_WAIT: Duration = Duration::from_secs(5);
/// Answers from so many bytes on are compressed for whoever takes that.
pub(super) const COMPRESSED: u64 = 1 << 10;
/// Failed logins of one source in a minute, and sources that are remembered; beyond them whoever
/// fails is taken as one of too many.
pub(super) const FAILURES: Allowed =
    Allowed { failures: 10, window: Duration::from_secs(60), known: 4_096 };
/// Characters of a message, a request id and a `User-Agent` that are kept.
pub(super) const MESSAGE: usize = 1_024;
/// See [`MESSAGE`].
pub(super) const REQUEST_ID: usize = 128;
/// See [`MESSAGE`].
pub(super) const USER_AGENT: usize = 256;
