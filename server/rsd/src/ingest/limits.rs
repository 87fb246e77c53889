//! Limits of the ingest listener, with unit and reason (`spec/rs.md` §1.5).

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// How long memory may be short before connections are given up for it, and how often that is
/// looked at.
pub(super) const SHORTAGE: Duration = Duration::from_secs(2);
/// See [`SHORTAGE`].
pub(super) const LOOK: Duration = Duration::from_millis(250);

/// Silence after which a newcomer gets the client id of a connection.
pub(super) const SILENCE: Duration = Duration::from_secs(30);

/// How long what was held back is still tried when its sender has gone.
pub(super) const LEFT: Duration = Duration::from_secs(60);

/// Bytes read from a socket at once.
pub(super) const READ_BYTES: usize = 64 * 1024;

/// Answers that may wait for a peer that does not read; beyond it the peer is not read either.
pub(super) const OUT_BYTES: usize = 1 << 20;

/// How often a connection looks again whether it may go on: parked sends while the spool has no
/// room, reading while memory is short.
pub(super) const RETRY: Duration = Duration::from_millis(100);

/// How long the last answers may take to reach the peer when a connection ends.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);
/// Whoever is refused at the login may end the connection itself for so long, as at ActiveMQ: its
/// client behind `failover:` does not notice an end while it still restores what it had, and
/// waits for ever.
pub(super) const REFUSED: Duration = Duration::from_secs(2);

/// Time of a TLS handshake, and how many are under way at once (ops.md §13).
pub(super) const HANDSHAKE: Duration = Duration::from_secs(5);
/// See [`HANDSHAKE`].
pub(super) const HANDSHAKES: usize = 256;

/// Longest wait for the group in flight at the stop of RS.
pub(super) const STOP: Duration = Duration::from_secs(10);

/// Bytes of a record, unless told otherwise; one that is longer than its limit is a dead letter.
pub(super) const BODY_BYTES: usize = 1 << 20;

/// Bodies of one arrival that came compressed, inflated, bytes in all: no more than a frame of the
/// spool holds.
pub(super) const INFLATED_BYTES: usize = spool::limits::FRAME_BYTES;

/// Compressed bodies of one arrival, bytes in all, that are inflated where they come: two mebibytes
/// at most come of them, in a few milliseconds. Most single records have less; a larger one is
/// heavy, too.
pub(super) const INLINE_BYTES: usize = 2 << 10;

/// Arrivals with more that are inflated at once, each with up to [`INFLATED_BYTES`] in memory.
pub(crate) const UNPACKERS: usize = 2;

/// What may come out of the decoder for one arrival, bytes in all, kept or not: a text may be half
/// as long again as what is kept of it, and a Java client sends the unused half of its buffer too.
pub(super) const DECODED_BYTES: usize = 2 * INFLATED_BYTES;

/// What is kept of a body that cannot be a record, bytes.
pub(super) const DEAD_BYTES: usize = 64 * 1024;

/// What is kept of a message's properties, bytes of text in all.
pub(super) const PROPERTY_BYTES: usize = 16 * 1024;

/// What is kept of a foreign id, bytes; valid ones have at most 300.
pub(super) const ID_BYTES: usize = 1024;

/// Share of the spool's limit from which on priorities 2 and 3 are held back, percent.
pub(super) const HELD_BACK_PERCENT: u64 = 90;

/// Share below which they are taken again, percent.
pub(super) const RESUMED_PERCENT: u64 = 85;

/// `rs.broker_limits` and `rs.broker_memory`.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Connections of one address at once.
    pub per_address: usize,
    /// Bytes that all connections may hold; beyond it the heavier ones are not read.
    pub memory: usize,
    /// Bytes of a record; of a longer one the head is kept, for the dead letter.
    pub record: usize,
    /// Limits of one connection.
    pub connection: openwire::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            per_address: 1_000,
            memory: 256 << 20,
            record: BODY_BYTES,
            connection: openwire::Limits::default(),
        }
    }
}

/// [`Limits`] that may change while it runs. How many connections there may be counts for the next
/// one, how long a record may be for the next that comes; the limits of a connection are those at
/// its begin.
#[derive(Debug, Clone, Default)]
pub struct LimitsInForce(Arc<RwLock<Limits>>);

impl From<Limits> for LimitsInForce {
    fn from(limits: Limits) -> Self {
        Self(Arc::new(RwLock::new(limits)))
    }
}

impl LimitsInForce {
    /// Those in force now.
    #[must_use]
    pub fn now(&self) -> Limits {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Others are in force from now on; memory stays as it was at the start.
    pub fn set(&self, limits: Limits) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = limits;
    }
}
