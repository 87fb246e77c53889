//! All limits of records: value, unit, reason (rs.md §2).

/// Format version that is written.
pub const SCHEMA: u64 = 1;
/// Bytes of a body, whatever a server lets in (`rs.broker_limits.record`, rs.md §1.5): half of what
/// one frame has unless told otherwise.
pub const BODY_BYTES: usize = 4 << 20;
/// Nesting of objects and arrays (rs.md §2.8).
pub const DEPTH: usize = 32;
/// Bytes of an id (rs.md §2.1).
pub const ID_BYTES: usize = 300;
/// Bytes of all unknown fields of one record, as JSON (rs.md §2.1).
pub const EXTRA_BYTES: usize = 16 << 10;
/// A time is refused from this long after the record arrived: a day (rs.md §2.8).
pub const AHEAD_MS: u64 = 24 * 3600 * 1000;
/// A time before 2000-01-01T00:00:00Z is refused (rs.md §2.8).
pub const EARLIEST_MS: u64 = 946_684_800_000;

/// Characters of names of components, producers, tenants, profiles, groups and resources.
pub const NAME_CHARS: usize = 128;
/// Characters of a session id.
pub const SESSION_CHARS: usize = 128;
/// Characters of a GUID.
pub const GUID_CHARS: usize = 64;
/// Characters of a dialled number.
pub const DN_CHARS: usize = 64;
/// Characters of a URI or an address.
pub const URI_CHARS: usize = 512;
/// Characters of a Call-ID or a CallUUID.
pub const CALL_ID_CHARS: usize = 256;
/// Characters of a reason.
pub const REASON_CHARS: usize = 256;
/// Characters of a word: log ids, engines, codecs, latency types, policy fields.
pub const WORD_CHARS: usize = 64;
/// Characters of ids of actions and names of custom variables that are read: one more than they may
/// have, so that one that is too long breaks the rule (rs.md §2.5) and is none of its beginning.
pub const ID_CHARS: usize = 65;
/// Characters of a label.
pub const LABEL_CHARS: usize = 128;
/// Characters of a text of an event.
pub const TEXT_CHARS: usize = 8192;
/// Bytes of notes (rs.md §2.5).
pub const NOTES_BYTES: usize = 4096;
/// Characters of a custom variable's value.
pub const VALUE_CHARS: usize = 256;

/// Steps of a trace (rs.md §2.2).
pub const TRACE_STEPS: usize = 64;
/// Bytes of a trace as JSON (rs.md §2.2).
pub const TRACE_BYTES: usize = 16 << 10;
/// Levels of a tenant's path, owners of a call, codecs: no real call has so many.
pub const LIST_LEN: usize = 64;
/// Greatest DBID (rs.md §3.2): ids of objects that are known by name alone lie above.
pub const DBID: u32 = i32::MAX as u32;
/// Values of one `or.*` record (rs.md §2.6).
pub const VALUES: usize = 1000;
/// Calls, and levels, of one value of an `or.*` record, figures of an `or.integrity`, samples of a
/// sketch, and milliseconds of each: no sum of them leaves 64 bits.
pub const COUNT: u64 = u32::MAX as u64;
/// Durations of one value of `or.arrivals`, ms: three million calls all through five minutes.
pub const DURATIONS_MS: u64 = 1 << 40;
/// Deltas of one value of `or.peaks` (rs.md §2.6).
pub const DELTAS: usize = 20_000;
/// Samples of one `sq.latency` (rs.md §2.7).
pub const SAMPLES: usize = 1000;
/// Failures of one call: more say nothing more.
pub const FAILURES: usize = 100;
/// Seconds of a bin of `sq.latency` (rs.md §2.7).
pub const LATENCY_BIN_SECONDS: u64 = 3600;
/// Highest bucket of a latency sketch (rs.md §4.7).
pub const BUCKET: u16 = 336;
