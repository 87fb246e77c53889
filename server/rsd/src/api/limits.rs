//! All limits of the HTTP side: value, unit, reason.

use std::time::Duration;

use net::failures::Allowed;
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
/// Time for which a request counts: 50 a second of one user and address (rs.md §8),
pub(super) const EACH: Duration = Duration::from_millis(20);
/// and so many at once.
pub(super) const BURST: u32 = 200;
/// Questions of one user and address that are answered at once: half of the readers.
pub(super) const AT_ONCE: usize = READERS / 2;
/// Heavy questions at once, those that wait for a reader included: of one user (rs.md §8),
pub(super) const HEAVY_EACH: u32 = 4;
/// and of all.
pub(super) const HEAVY: u32 = 16;
/// Of these at the database at once: one reader is kept for what is answered in a moment.
pub(super) const HEAVY_READERS: usize = READERS - 1;
/// When to come again with one that found no place, s: a question takes no longer.
pub(super) const HEAVY_AGAIN: u32 = 30;
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
/// A comment is sent after this much silence, so that a lost connection is noticed; as often it is
/// looked whether the reader may still see the same.
pub(super) const STREAM_SILENCE: Duration = Duration::from_secs(10);
/// How old may be what is known of tenants and profiles when somebody asks who is bound to some.
pub(super) const OBJECTS_AGE: Duration = Duration::from_secs(1);
/// Between two looks for tenants whose names are bound to none yet,
pub(super) const BIND: Duration = Duration::from_secs(1);
/// and while the database is away.
pub(super) const BIND_AWAY: Duration = Duration::from_secs(10);
/// Searches for a number by one from whom numbers are hidden: so many in so long a time.
pub(super) const SEARCHES: Allowed =
    Allowed { failures: 60, window: Duration::from_secs(300), known: 10_000 };
/// Live streams at once. One whose reader does not read holds up to five messages of
/// [`STREAM_ITEMS`] calls, 300 KB each: about 100 MB in all.
pub(super) const STREAMS: usize = 64;
/// The applier that has not turned for so long is stuck; its pauses are at most 36 s.
pub(super) const STUCK: Duration = Duration::from_secs(60);
/// Lag of the applier from which strict readiness fails (rs.md §5.12).
pub(super) const STRICT_LAG: Duration = Duration::from_secs(300);
/// Records of one request, and bytes of its body, packed or not (rs.md §1.7).
pub(super) const RECORDS: usize = 10_000;
/// See [`RECORDS`].
pub(super) const BODY_BYTES: usize = 10 << 20;
/// Of a record that is longer than it may be so many bytes are kept, for the dead letter (rs.md
/// §1.5).
pub(super) const RECORD_HEAD: usize = 64 << 10;
/// How often the bytes of a body are in memory at most: as they came, unpacked, as messages, and
/// as the frame of the spool.
pub(super) const COPIES: usize = 4;
/// Unit in which memory is counted, bytes: what a small request is rounded up to.
pub(super) const UNIT: usize = 4 << 10;
/// Requests with records of one address at once; more: 429.
pub(super) const PER_ADDRESS: usize = 256;
/// Bytes of a body that come before room in memory is asked for: so many of all that one address
/// may have under way are 16 MiB, and whoever sends slowly takes no room from others.
pub(super) const FIRST: usize = 64 << 10;
/// Time that a body may take to come (rs.md §8).
pub(super) const BODY: Duration = Duration::from_secs(30);
/// Longest wait for memory; then 503. Also when one is to come again whose records had no room.
pub(super) const WAIT: Duration = Duration::from_secs(5);
/// Longest wait for the disk; syncs take milliseconds.
pub(super) const ANSWER: Duration = Duration::from_secs(30);
/// Largest window of zstd, a power of two: 8 MiB, what every sender may use.
pub(super) const WINDOW_LOG: u32 = 23;
/// Threads that split and judge bodies at once, so that they hold up neither questions nor ingest.
pub(super) const JUDGES: usize = 2;
/// Messages of a queue that are shown, at most and unless asked (rs.md §6).
pub(super) const PEEKED: usize = 100;
/// Bytes of each that are shown.
pub(super) const PEEK_BODY: usize = 4 << 10;
/// How far a look into a queue goes: frames and bytes of the spool.
pub(super) const PEEK_FRAMES: usize = 10_000;
/// See [`PEEK_FRAMES`].
pub(super) const PEEK_BYTES: usize = 16 << 20;
/// Dead letters that are tried again at once, at most and unless asked (rs.md §6).
pub(super) const LETTERS_MOST: usize = 10_000;
/// Of these in memory, and in one frame of the spool: so many,
pub(super) const RETRY_GROUP: usize = 100;
/// and so many bytes of bodies, unless one alone has more.
pub(super) const RETRY_GROUP_BYTES: u64 = 4 << 20;
/// Bytes of a request to try one again: a record, written as JSON text.
pub(super) const RETRY_BYTES: usize = 2 * model::record::BODY_BYTES;
/// Characters of a path that a refusal has in the audit log.
pub(super) const AUDITED_PATH: usize = 200;
