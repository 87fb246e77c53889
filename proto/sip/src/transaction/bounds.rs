//! Sizes inside the transaction layer: value, unit, reason. How many transactions there may be
//! stands in `limits.rs`; what is here bounds one call of the endpoint or one of its entries.

use std::time::Duration;

/// Deadlines that one `handle_timeout` fires. A burst of them is spread over several calls, so
/// that neither a turn nor the buffer of outgoing bytes grows with the number of transactions.
pub(crate) const DEADLINES_PER_CALL: usize = 256;

/// So many of them one counts for that sends something again.
pub(crate) const RESEND_WORK: usize = 5;

/// Transactions of a failed flow that one call looks at; the others follow with `handle_timeout`.
pub(crate) const FAILURES_PER_CALL: usize = 64;

/// Bytes of a key that lie in the transaction itself; a longer key costs one allocation. Holds
/// method, branch and IPv4 sent-by of most peers, and our own branch.
pub(crate) const INLINE_KEY: usize = 64;

/// Parts of an index. At the limits of `limits.rs` the growth of one moves 17,000 entries, well
/// within the 2 ms of a turn.
pub(crate) const INDEX_PARTS: usize = 64;

/// Entries of one part before it grows for the first time; all parts together take 17 KiB then.
pub(crate) const INDEX_ROOM: usize = 14;

/// Bytes of answers whose connection is gone and whose new one does not stand yet; beyond, the
/// oldest are not sent by another way.
pub(crate) const LATE_BYTES: usize = 1 << 20;

/// A connect and a handshake end within this; an answer of which nothing was heard has arrived.
pub(crate) const LATE_TIME: Duration = Duration::from_secs(10);

/// Bytes of the outgoing buffer kept when it is empty; what a burst took beyond is given back.
pub(crate) const IDLE_OUTBOX: usize = 1 << 20;
