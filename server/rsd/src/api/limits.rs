//! All limits of the HTTP side: value, unit, reason.

use std::time::Duration;

use telemetry::door::Limits;

/// Questions at the database at once: as many as it has readers (rs.md §3.3).
pub(super) const READERS: usize = 8;
/// Bytes of a URI; longer: 414 (rs.md §5.13).
pub(super) const URI_BYTES: usize = 16 << 10;
/// Bytes of a request's headers, names and values; more: 431 (rs.md §8).
pub(super) const HEADER_BYTES: usize = 32 << 10;
/// Connections at once (rs.md §8). One on which nothing moves is closed; live streams say something
/// more often.
pub(super) const DOOR: Limits =
    Limits { connections: 10_000, request: Duration::from_secs(10), idle: Duration::from_secs(60) };
/// Items of a list, unless asked, and at most (rs.md §6).
pub(super) const ITEMS: u32 = 100;
/// See [`ITEMS`].
pub(super) const ITEMS_MOST: u32 = 1000;
/// How long a cursor may be used (rs.md §6).
pub(super) const CURSOR_MS: u64 = 24 * 3600 * 1000;
/// Longest time a question may take (rs.md §5.13).
pub(super) const QUESTION: Duration = Duration::from_secs(30);
/// Time between two messages of one topic of the live stream: at most two a second (rs.md §6).
pub(super) const STREAM_PACE: Duration = Duration::from_millis(500);
/// Items of one message of the live stream; more changes at once are a `reset`.
pub(super) const STREAM_ITEMS: usize = 500;
/// A comment is sent after this much silence, so that a lost connection is noticed.
pub(super) const STREAM_SILENCE: Duration = Duration::from_secs(10);
/// Live streams at once. One whose reader does not read holds up to five messages of
/// [`STREAM_ITEMS`] calls, 300 KB each: about 100 MB in all.
pub(super) const STREAMS: usize = 64;
/// The applier that has not turned for so long is stuck; its pauses are at most 36 s.
pub(super) const STUCK: Duration = Duration::from_secs(60);
/// Lag of the applier from which strict readiness fails (rs.md §5.12).
pub(super) const STRICT_LAG: Duration = Duration::from_secs(300);
