//! Figures of ingest as plain atomics (`spec/ops.md` §5.2). The HTTP side renders them, and feeds
//! its own records into the same ones.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openwire::QUEUES;
use spool::Synced;
use telemetry::prometheus::{GROUP_SIZES, Histogram, LATENCY_SECONDS, SYNC_SECONDS};

use crate::entry::Transport;

const TRANSPORTS: usize = Transport::ALL.len();

/// All figures of ingest.
#[derive(Debug)]
pub struct Counters {
    /// By queue, then transport.
    stored: [[Stored; TRANSPORTS]; QUEUES.len()],
    connections: [AtomicU64; TRANSPORTS],
    seconds: Histogram,
    sync_seconds: Histogram,
    group_records: Histogram,
    logins_failed: AtomicU64,
    unconfirmed_sends: AtomicU64,
    refused_connections: AtomicU64,
    abandoned: AtomicU64,
}

#[derive(Debug, Default)]
struct Stored {
    records: AtomicU64,
    bytes: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            stored: Default::default(),
            connections: Default::default(),
            seconds: Histogram::new(LATENCY_SECONDS),
            sync_seconds: Histogram::new(SYNC_SECONDS),
            group_records: Histogram::new(GROUP_SIZES),
            logins_failed: AtomicU64::new(0),
            unconfirmed_sends: AtomicU64::new(0),
            refused_connections: AtomicU64::new(0),
            abandoned: AtomicU64::new(0),
        }
    }
}

impl Counters {
    /// `rs_spool_sync_seconds` and `rs_spool_group_records`: one group commit that worked.
    pub fn observe_sync(&self, synced: Synced) {
        if synced.good {
            self.sync_seconds.observe(synced.took);
            self.group_records.observe_count(u64::try_from(synced.frames).unwrap_or(u64::MAX));
        }
    }

    /// Times of group commits, and what one answers: sends and transactions.
    #[must_use]
    pub const fn groups(&self) -> (&Histogram, &Histogram) {
        (&self.sync_seconds, &self.group_records)
    }

    /// `rs_ingest_records_total` and `rs_ingest_bytes_total`: records that are durable and
    /// answered. A queue that is none of the four is counted nowhere.
    pub fn add_stored(&self, queue: &str, transport: Transport, records: u64, bytes: u64) {
        if let Some(stored) = self.cell(queue, transport) {
            stored.records.fetch_add(records, Ordering::Relaxed);
            stored.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Records and bytes of a queue and transport so far.
    #[must_use]
    pub fn stored(&self, queue: &str, transport: Transport) -> (u64, u64) {
        self.cell(queue, transport).map_or((0, 0), |stored| {
            (stored.records.load(Ordering::Relaxed), stored.bytes.load(Ordering::Relaxed))
        })
    }

    fn cell(&self, queue: &str, transport: Transport) -> Option<&Stored> {
        let at = QUEUES.iter().position(|name| *name == queue)?;
        self.stored.get(at)?.get(transport as usize)
    }

    /// `rs_ingest_seconds`: last byte received → answer.
    pub fn observe_answer(&self, time: Duration) {
        self.seconds.observe(time);
    }

    /// `rs_ingest_seconds`.
    #[must_use]
    pub fn seconds(&self) -> &Histogram {
        &self.seconds
    }

    pub(super) fn connected(&self, transport: Transport) {
        self.connections[transport as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn disconnected(&self, transport: Transport) {
        self.connections[transport as usize].fetch_sub(1, Ordering::Relaxed);
    }

    /// `rs_connections`: recognised connections that are open now.
    #[must_use]
    pub fn connections(&self, transport: Transport) -> u64 {
        self.connections[transport as usize].load(Ordering::Relaxed)
    }

    /// Of all transports.
    pub(super) fn open_connections(&self) -> u64 {
        self.connections.iter().map(|open| open.load(Ordering::Relaxed)).sum()
    }

    pub(crate) fn login_failed(&self) {
        self.logins_failed.fetch_add(1, Ordering::Relaxed);
    }

    /// `rs_logins_failed_total`.
    #[must_use]
    pub fn logins_failed(&self) -> u64 {
        self.logins_failed.load(Ordering::Relaxed)
    }

    pub(super) fn unconfirmed_send(&self) {
        self.unconfirmed_sends.fetch_add(1, Ordering::Relaxed);
    }

    /// `rs_unconfirmed_sends_total`.
    #[must_use]
    pub fn unconfirmed_sends(&self) -> u64 {
        self.unconfirmed_sends.load(Ordering::Relaxed)
    }

    pub(super) fn abandon(&self, messages: usize) {
        let messages = u64::try_from(messages).unwrap_or(u64::MAX);
        self.abandoned.fetch_add(messages, Ordering::Relaxed);
    }

    /// `rs_abandoned_messages_total`: held back until their connection was over, and not stored.
    #[must_use]
    pub fn abandoned(&self) -> u64 {
        self.abandoned.load(Ordering::Relaxed)
    }

    pub(super) fn refused_connection(&self) {
        self.refused_connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Connections turned away: over a limit, or in another protocol.
    #[must_use]
    pub fn refused_connections(&self) -> u64 {
        self.refused_connections.load(Ordering::Relaxed)
    }
}
