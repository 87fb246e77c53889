//! Every limit of the crate in one place, with unit and reason.
//!
//! The values are those of `spec/rs.md` §1.5 unless the line says why it is another. Nothing here
//! is read from settings; the shell may lower what stands in [`Limits`].

use std::time::Duration;

/// The version that both ends advertise; 10, 11 and 12 are the same for every command used here.
pub const VERSION: i32 = 12;

/// Deepest nesting of maps and lists in a primitive map.
pub const MAX_NESTING: usize = 32;

/// Most values in one primitive map, nested ones included: a list of one-byte nulls would else
/// grow thirty-two-fold in memory.
pub const MAX_VALUES: usize = 4096;

/// Most entries of an array of nested objects (broker paths); real ones have none.
pub const MAX_ARRAY: usize = 64;

/// A WireFormatInfo longer than this is no greeting: stock ones are below 400 bytes. Also tells
/// OpenWire from other protocols by the first bytes.
pub const MAX_GREETING: usize = 4096;

/// Characters of a foreign name that are repeated in a refusal's text.
pub const MAX_QUOTED: usize = 128;

/// Memory of a message beside its texts, properties and body; also the least that the Java client
/// counts for one in its window.
pub const MESSAGE_OVERHEAD: usize = 1024;

/// Largest frame above the limit that is run over, its head kept: in text that is taken for a size
/// the first byte alone says more.
pub const MAX_SKIPPED: usize = 256 * 1024 * 1024;

/// What is kept of a frame above the limit: the fields of a message, and 64 KiB of its content.
pub const SKIPPED_HEAD: usize = 128 * 1024;

/// Headers of one STOMP frame: a record has a handful of properties.
pub const MAX_HEADERS: usize = 128;

/// Bytes of one line in the head of a STOMP frame.
pub const MAX_LINE: usize = 16 * 1024;

/// Bytes that may wait while a login is being decided; what a failover client sends without
/// waiting (sessions, producers, unanswered sends) is held back by the socket beyond it.
pub const MAX_WAITING: usize = 128 * 1024;

/// Time from the first byte of a frame to its last, while the shell reads: as long as the body of a
/// request over HTTP may take.
pub const FRAME_TIME: Duration = Duration::from_secs(30);

/// Limits of one connection at the receiving end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one frame until the login is accepted.
    pub frame_before_login: usize,
    /// Bytes of one frame afterwards; also the advertised `MaxFrameSize`.
    pub frame: usize,
    /// Sessions of one connection.
    pub sessions: usize,
    /// Producers of one connection.
    pub producers: usize,
    /// Advisory subscriptions of one connection (accepted, silent).
    pub advisories: usize,
    /// Transactions open at once on one connection: one per session is what JMS allows.
    pub transactions: usize,
    /// Messages of one open transaction.
    pub transaction_messages: usize,
    /// Bytes of the bodies of one open transaction, compressed ones as they came.
    pub transaction_bytes: usize,
    /// Age of an open transaction; then it is rolled back.
    pub transaction_age: Duration,
    /// Unanswered messages of one connection; beyond it the shell stops reading.
    pub unanswered_messages: usize,
    /// Unanswered bytes of one connection; beyond it the shell stops reading.
    pub unanswered_bytes: usize,
    /// Time from the accepted socket to the ConnectionInfo.
    pub login: Duration,
    /// Advertised `MaxInactivityDuration`; the agreed one is the smaller of both ends.
    pub inactivity: Duration,
}

impl Limits {
    /// Memory of all open transactions of one connection: as much as one takes that is as large as
    /// it may be. It bounds a connection with many sessions.
    #[must_use]
    pub fn transactions_bytes(&self) -> usize {
        let overhead = self.transaction_messages.saturating_mul(MESSAGE_OVERHEAD);
        self.transaction_bytes.saturating_add(overhead)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_before_login: 64 * 1024,
            frame: 8 * 1024 * 1024,
            sessions: 256,
            producers: 256,
            advisories: 256,
            transactions: 256,
            transaction_messages: 10_000,
            transaction_bytes: 16 * 1024 * 1024,
            transaction_age: Duration::from_secs(600),
            unanswered_messages: 4096,
            unanswered_bytes: 32 * 1024 * 1024,
            login: Duration::from_secs(10),
            inactivity: Duration::from_secs(30),
        }
    }
}

/// Requests without an answer at the sending end; the caller waits for answers before it sends
/// more (two transactions or one plain send are its usual window).
pub const MAX_IN_FLIGHT: usize = 4096;
