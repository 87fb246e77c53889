//! All limits of the Config Server, with unit and reason (ops.md §1.11).

use std::time::Duration;

use model::config::limits::MAX_NAME;

/// The highest number of a revision: beyond it not every reader of JSON has whole numbers.
pub const MAX_REVISION: u64 = 9_007_199_254_740_991;
/// Operations of one transaction: more is answered 413.
pub const MAX_OPERATIONS: usize = 10_000;
/// Changes that wait for the one writer: one more is answered 503 `busy`.
pub const MAX_WAITING: usize = 64;
/// Audit lines that wait for the writer: one more is in the log only.
pub const MAX_WAITING_LINES: usize = 4_096;
/// Events that a watcher may be behind: then it is told `overflow`.
pub const MAX_BEHIND: usize = 1_024;
/// Bytes that a watcher may be behind.
pub const MAX_BEHIND_BYTES: usize = 16 << 20;
/// Bytes of one event: what is larger becomes `resync`.
pub const MAX_EVENT: usize = 8 << 20;
/// Bytes of the events that all watchers hold together that resume: the next one is read when
/// others have been sent. So many of the largest fit that a few can be read at once.
pub const MAX_RESUMING: usize = 32 << 20;
/// States of earlier revisions that are kept for those who page through them.
pub const MAX_STATES: usize = 8;
/// Revisions and audit lines of one answer.
pub const MAX_LIST: usize = 1_000;
/// Objects that one audit line names.
pub const MAX_AUDIT_OBJECTS: usize = 20;
/// Characters of one of them: what may be named has fewer, what was refused any number.
pub const MAX_AUDIT_OBJECT: usize = 3 * MAX_NAME;
/// Bytes of audit lines of one answer: it ends with the line that reaches them.
pub const MAX_AUDIT_PAGE: usize = 1 << 20;
/// Characters of a text that a client sends along: message, user agent, name of a token.
pub const MAX_TEXT: usize = 1_024;
/// Tokens: each login compares with one, but all are in memory.
pub const MAX_TOKENS: usize = 10_000;
/// Tenants that a token may be scoped to: each object that it lists is compared with them.
pub const MAX_SCOPE: usize = 100;
/// Clients that report: more than a platform has at a time. Names that are no more make room.
pub const MAX_CLIENTS: usize = 1_000;
/// A client that was heard of within this time, three of its reports, keeps its name and place.
pub const CLIENT_LATELY: Duration = Duration::from_secs(90);
/// Bytes of what a client reports.
pub const MAX_REPORT: usize = 64 << 10;
/// How long a client's last sign and a token's last use may be away from the store.
pub const LAZY: Duration = Duration::from_secs(10);
/// How often history and audit are shortened.
pub const COMPACT_EVERY: Duration = Duration::from_secs(3_600);
/// How long audit lines are kept (ops.md §1.8).
pub const KEEP_AUDIT: Duration = Duration::from_secs(400 * 86_400);
/// Bytes of a line of a backup: an object before and after, written as JSON within JSON.
pub const MAX_BACKUP_LINE: u64 = 64 << 20;
