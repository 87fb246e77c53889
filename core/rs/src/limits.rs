//! All limits of this crate: value, unit, reason.

/// Facts of one call that are kept apart. RM sends two and an update each 15 minutes (rm.md §9), so
/// only a call of 15 hours comes here: of its lowest updates only the highest values stay, and what
/// another content of their ids would have said, stays beside them.
pub const FACTS_PER_CALL: usize = 64;
/// Epochs of one call of which the last sign of life is kept.
pub const EPOCHS_PER_CALL: usize = 64;
/// Bytes of the unknown fields of one call as JSON; as of one record (rs.md §2.1).
pub const EXTRA_BYTES: usize = 16 << 10;
/// Calls of one GUID on one day, RM's legs and those of media servers together: with each of its
/// records all of them are read. A conference of five hundred has as many.
pub const LEGS_PER_SESSION: usize = 1000;
/// Bytes of the facts of the calls of one GUID, or of one session id, on one day: with each of its
/// records all of them are read. Ends have as many by themselves. So many are a thousand with 8 KiB
/// each; and of a GUID they leave nearly half of a share to its sessions, ends counted.
pub const STATE_BYTES: usize = 8 << 20;
const _: () = assert!(
    2 * STATE_BYTES * HELD_PER_BYTE + LEGS_PER_SESSION * CALL_BYTES <= SHARE_BYTES / 8 * 5,
    "a GUID would be read again for each of its sessions"
);
/// Records of quality of one component and session on one day, likewise. A media server sends one
/// or two of a call.
pub const QUALITY_PER_SESSION: usize = 1000;
/// Bytes of what they tell: some eighty with a hundred failures each.
pub const QUALITY_BYTES: usize = 256 << 10;
/// Reports of one component and session on one day, likewise: those of two calls with as many as
/// are read of one, or of a hundred with more than a hundred each.
pub const REPORTS_PER_SESSION: usize = 2 * REPORTS_PER_CALL;
/// Bytes of their texts.
pub const REPORT_BYTES: usize = 8 << 20;
/// Calls of one component and session on one day: with each of its records all of them are read. A
/// session id that is used again after each restart has a few; of a restart each quarter of an hour
/// it has 96.
pub const CALLS_PER_SESSION: usize = 100;
/// Calls of one session, by its id or GUID, among which a figure or an event looks for its own: as
/// many as a GUID may have.
pub const CANDIDATES: usize = LEGS_PER_SESSION;
/// Actions of one call (rs.md §2.5).
pub const ACTIONS_PER_CALL: usize = 1000;
/// Custom variables of one call (rs.md §2.5).
pub const VARIABLES_PER_CALL: usize = 64;
/// Reports of one call that are read: start, end and notes of all its actions and as many again.
/// Later ones stay events and are counted as ignored, as far as its session has room for them.
pub const REPORTS_PER_CALL: usize = 8192;
/// Milliseconds that an event may lie before or after its call (rs.md §2.9).
pub const AROUND_A_CALL_MS: i64 = 60_000;
/// Values of a repeated parameter (rs.md §5.1).
pub const PARAMETER_VALUES: usize = 200;
/// Calls of a page, unless asked (rs.md §5.1).
pub const PAGE_SIZE: u32 = 100;
/// Bytes of a query (rs.md §5.13: longer is 414, which the server says before).
pub const QUERY_BYTES: usize = 16 << 10;
/// Span of a list without any bound (rs.md §5.4).
pub const UNBOUNDED_MS: u64 = 24 * 3600 * 1000;
/// Reasons of one object in one bin; the rarer ones become `(other)` (rs.md §4.6).
pub const REASONS_PER_OBJECT: usize = 500;
/// Actions of one object in one bin, likewise: names come from applications.
pub const ACTIONS_PER_OBJECT: usize = 2000;
/// Names of objects whose ids are remembered; at the limit all are forgotten and read again.
pub const OBJECTS: usize = 100_000;
/// Bytes of a body that a dead letter keeps (rs.md §2.8), if there is no record in it: a record can
/// be stored one day, and is kept whole.
pub const LETTER_BYTES: usize = 64 << 10;
/// Bytes of the calls, and of what hangs on them, that one share reads, roughly as they are in
/// memory: the rest is read by the next one. What one session, or one GUID of a leg, hangs together
/// with is read whole. A batch of 2000 records of ordinary calls needs a quarter of it.
pub const SHARE_BYTES: usize = 128 << 20;
/// Bytes of a call in memory, its facts apart.
pub const CALL_BYTES: usize = 4 << 10;
/// Of a row that hangs on one, its text apart.
pub const ROW_BYTES: usize = 256;
/// Bytes in memory for each byte that is stored of facts, which are kept as they came and as they
/// were read.
pub const HELD_PER_BYTE: usize = 4;
