//! Every bound of the engine, with its unit and reason (rm.md §1.9). Full is a designed state.

use std::time::Duration;

/// Sessions alive at once; beyond it `overload`. Memory: about 1 KiB each with one leg.
pub const SESSIONS: usize = 200_000;
/// Legs alive at once; beyond it `overload`.
pub const LEGS: usize = 300_000;
/// Transactions without final answer; beyond it new calls get `overload`.
pub const PENDING: usize = 100_000;
/// So many more there may be of dialogs, monitors and calls with priority; beyond it `overload`
/// for everyone.
pub const PENDING_RESERVE: usize = 10_000;
/// Calls of dead or emptied resources that are ended in one step (rm.md §7.10).
pub const RELEASES: u32 = 10;
/// The pause after a step, for each of them: 200 a second.
pub const RELEASE_STEP: Duration = Duration::from_millis(5);
/// Calls that such a step looks at, so that a turn stays short.
pub const RELEASE_LOOKS: usize = 100;
/// Calls that a resource still has behind the deadline of its drain are looked for again so long.
pub const DEADLINE_AGAIN: Duration = Duration::from_secs(1);
/// Calls in one NOTIFY about a dead resource (rm.md §7.10).
pub const NOTIFY_CALLS: usize = 500;
/// Bytes of its body: with what stands around it, it stays below the size of a message.
pub const NOTIFY_BYTES: usize = 48 << 10;
/// Resources that an operator has put into a state, at most: as many as a platform may have.
pub const WILLS: usize = 20_000;
/// Tries of one INVITE over all groups.
pub const TRIES_TOTAL: usize = 5;
/// A host outside that gives no answer is waited for so long (rm.md §1.11).
pub const OUTSIDE_TRY: Duration = Duration::from_secs(32);
/// Late answers to a try that was given up are expected so long (rm.md §7.8).
pub const WATCH: Duration = Duration::from_secs(32);
/// Tries that are watched at once; late answers to further ones are strays.
pub const WATCHES: usize = 20_000;
/// Dialogs that answer one such try late and are acknowledged and ended; the servers of further
/// ones wait for an ACK in vain and end them.
pub const LATE_DIALOGS: usize = 8;
/// The final answer to a BYE waits so long for its record at most (rm.md §9.6).
pub const BYE_HOLD: Duration = Duration::from_millis(250);
/// Longest call unless a policy says otherwise (rm.md §6.1, `max_call_duration`).
pub const MAX_CALL_DURATION: Duration = Duration::from_secs(12 * 3600);
/// So much of its `rate_limit` a tenant or profile may save up (rm.md §6.1).
pub const RATE_DEPTH: Duration = Duration::from_secs(2);
/// An alarm of a policy is told again after so long, and is over when no refusal wanted it for so
/// long (rm.md §6.1, §12.1).
pub const POLICY_ALARM: Duration = Duration::from_secs(60);
/// RMMatchingIVRTenantNotFound clears after so long without (rm.md §12.1).
pub const NO_PROFILE_CLEAR: Duration = Duration::from_secs(120);
/// RMResourceAllocationFailed clears after so long without (rm.md §12.1).
pub const NO_RESOURCE_CLEAR: Duration = Duration::from_secs(60);
/// Alarms of calls and groups that are kept, and resources that are looked at for one part of a
/// list of alarms. Beyond it an alarm is told by its log lines alone.
pub const ALARMS: usize = 1_000;
/// An ended leg cannot be revived so long (rm.md §2.1).
pub const TOMBSTONE: Duration = Duration::from_secs(64);
/// Sessions that have ended and can still be joined; beyond it the oldest cannot. Memory: about
/// 200 bytes each.
pub const LINGERING: usize = 50_000;
/// An address that refused TCP is served by UDP so long, whatever the size (rm.md §1.2).
pub const UDP_ONLY: Duration = Duration::from_secs(600);
/// Such addresses that are remembered; beyond it TCP is tried again at the oldest.
pub const UDP_ONLY_ADDRESSES: usize = 1_024;
/// A message goes by UDP up to so many bytes, as it came for an answer: a datagram takes 65,507,
/// and hops add something. Beyond it a request gets `too-large`, and so does who waits for an
/// answer.
pub const UDP_MOST: usize = 65_000;
/// Room that the MTU rule leaves for what others add: `mtusize` less this.
pub const MTU_RESERVE: usize = 200;
/// Resources that are passed over for one request that is too large for them.
pub const PASSED_OVER: usize = 16;
/// Longer wait for a TCP connection that only size asked for, so that its failure is seen first.
pub const CONNECT_GRACE: Duration = Duration::from_millis(500);
/// Longest Request-URI towards a resource, bytes.
pub const URI: usize = 2_048;
/// Grace after a session timer's expiry (rm.md §2.6).
pub const SESSION_TIMER_GRACE: Duration = Duration::from_secs(32);
/// Longest trust in `503` with Retry-After (rm.md §7.1).
pub const FULL_BY_ANSWER: Duration = Duration::from_secs(60);
/// A 480 or 486 to an INVITE says full for so long (rm.md §7.8).
pub const FULL_BY_BUSY: Duration = Duration::from_secs(1);
/// First probe of a resource: at most this late after the start (rm.md §7.2).
pub const PROBE_JITTER: Duration = Duration::from_millis(100);
/// Trace: groups, candidates, bytes of text (rm.md §9.5).
pub const TRACE_GROUPS: usize = 16;
/// Candidates in a trace.
pub const TRACE_CANDIDATES: usize = 16;
/// Steps of a trace over all stages (rs.md §2.2).
pub const TRACE_STEPS: usize = 64;
/// Bytes of text in a trace.
pub const TRACE_BYTES: usize = 4_096;
/// Longest text of one field kept of a dialog, bytes: URIs and contacts (rm.md §1.9).
pub const TEXT: usize = 2_048;
/// Longest whole set of texts kept of a dialog, bytes; what is over is left out.
pub const TEXTS: usize = 16_384;
/// Longest `remote_uri` and `local_uri` in a record (rs.md §2.2).
pub const RECORD_URI: usize = 512;
/// Longest name of a policy's field in a record (rs.md §2.2).
pub const RECORD_WORD: usize = 64;
/// Longest Reason header kept for the record (rm.md §9.2).
pub const REASON: usize = 256;
/// Log lines of one group's exhaustion: at most one in this time, with a count (rm.md §7.9).
pub const NO_RESOURCE_LOG: Duration = Duration::from_secs(1);
/// Objects of a minute that are told in one turn: three records of at most so many values.
pub const MINUTE_VALUES: usize = 128;
/// Sessions that are looked at in one turn when a resource has come, for legs that are up on it:
/// well below 200 µs (rm.md §1.9).
pub const RETURNS_LOOKED_AT: usize = 128;
/// Sessions that have lingered, tombstones that are old, answers whose records are on disk: so many
/// are done with in one turn.
pub const DONE_WITH: usize = 128;
/// Sessions that one slice of a list looks at: well below 200 µs (rm.md §1.9).
pub const CALLS_LOOKED_AT: usize = 64;
/// Figures of usage in one answer: as many as are read in the same time.
pub const USED_ASKED: usize = 512;
/// Host names of next hops that are known at once, besides those of resources; beyond it the one
/// that is of no use first is forgotten. Memory: about 2 KiB each at most.
pub const NAMES: usize = 4_096;
/// Questions to the name service that are open at once: as many as the resolver queues. Beyond it a
/// request whose next hop is a name gets `next-hop`, and a resource's name waits for its turn.
pub const NAME_QUESTIONS: usize = 256;
/// Bytes of requests that wait for the name of their next hop; beyond it `next-hop`.
pub const NAME_WAITING: usize = 8 << 20;
/// Messages that wait for one at most, however small.
pub const NAME_WAITERS: usize = 4_096;
/// A question without answer has failed after this: longer than the resolver takes at most.
pub const NAME_WAIT: Duration = Duration::from_secs(5);
/// An answer lives at least so long (rm.md §1.2).
pub const NAME_TTL_LEAST: Duration = Duration::from_secs(1);
/// An answer lives at most so long (rm.md §1.2).
pub const NAME_TTL_MOST: Duration = Duration::from_secs(300);
/// When the name service fails, the last answer is used so much longer (rm.md §1.2).
pub const NAME_STALE: Duration = Duration::from_secs(3600);
/// A name that led nowhere is not asked for again so long.
pub const NAME_RETRY: Duration = Duration::from_secs(5);
/// A target of a name that gave no answer stands behind the others so long.
pub const AWAY: Duration = Duration::from_secs(60);
/// Targets of next hops that are known to be away; beyond it the oldest is tried again like any.
pub const AWAY_TARGETS: usize = 256;
/// Work of one call of `handle_timeout`, in pieces of 1 µs at most: a timer that fires, an end of a
/// transaction, whatever a slice looks at. The rest is due at once, behind the packets that have
/// come meanwhile (rm.md §1.9: 200 µs).
pub const TURN_WORK: usize = 128;
/// Pieces of work that a record or a request of our own is.
pub const MADE_WORK: usize = 8;
/// Bytes of the buffer of records kept when none waits; what a burst took beyond is given back.
pub const IDLE_EVENTS: usize = 1 << 20;
/// Sources nobody has declared that are remembered at once: sets, by a hash of the source, of
/// places. Beyond: in its set the one silent for longest is forgotten. Memory: 1.5 MiB.
pub const STRANGER_SETS: usize = 4_096;
/// See [`STRANGER_SETS`].
pub const STRANGER_PLACES: usize = 4;
/// A source that nobody has declared may send ten requests a second; beyond they are dropped, and
/// the first INVITE of each second gets 503.
pub const STRANGER_INTERVAL: Duration = Duration::from_millis(100);
/// So much of its rate it may save up: a burst of twenty.
pub const STRANGER_DEPTH: Duration = Duration::from_secs(2);
/// The same for a peer with `rate`.
pub const PEER_DEPTH: Duration = Duration::from_secs(2);
/// Unreadable messages in one second after which a source that nobody has declared is not read
/// for [`MUTED`].
pub const FAULTS: u8 = 20;
/// See [`FAULTS`].
pub const MUTED: Duration = Duration::from_secs(10);
/// Packets that have waited in the kernel for longer show an engine that cannot follow (rm.md
/// §1.9), if all packets of a listener do so for [`OVERLOAD_AFTER`].
pub const QUEUE_AGE: Duration = Duration::from_millis(100);
/// See [`QUEUE_AGE`].
pub const OVERLOAD_AFTER: Duration = Duration::from_secs(1);
/// Packets of an overloaded engine that have waited for less are served in time: less is shed.
pub const QUEUE_CALM: Duration = Duration::from_millis(20);
/// How often an overloaded engine looks at what it sheds.
pub const OVERLOAD_STEP: Duration = Duration::from_millis(100);
/// The alarm of an overload clears after so long without (rm.md §12.1).
pub const OVERLOAD_CLEAR: Duration = Duration::from_secs(10);
/// Stories of calls whose memory is kept for the next ones: as many as hunt at once, mostly.
pub const STORIES: usize = 1_024;
/// Debug builds check all invariants after every mutation up to so many legs, then now and then.
pub const CHECKED_LEGS: usize = 64;
/// Records go to the spool at the earliest so long after the ones before: under load many share one
/// sync. A first record waits for nothing; the answer to a BYE waits so long at most.
pub const COMMIT_REST: Duration = Duration::from_millis(10);
/// Records of one append to the spool: as many as one transaction to the broker.
pub const APPEND_RECORDS: usize = 256;
/// Bytes of one append to the spool; a larger record goes alone.
pub const APPEND_BYTES: usize = 1 << 20;
/// Bytes of records kept in memory while the spool takes none (rm.md §9.6). Beyond: events,
/// updates, starts, then ends are dropped, oldest first, and counted.
pub const BACKLOG_BYTES: usize = 64 << 20;
/// How often a spool that was full is tried again.
pub const SPOOL_RETRY: Duration = Duration::from_millis(100);
/// Heads of messages that are kept: 32 MiB in all, some 3,000 calls (rm.md §10.1). Beyond: the
/// oldest segment is overwritten as a whole.
pub const HEADS_SEGMENTS: usize = 128;
/// Bytes of a segment: copied in one turn, and so much is overwritten at once.
pub const HEADS_SEGMENT: usize = 256 << 10;
// The largest head has its place.
const _: () = assert!(HEADS_SEGMENT > 2 * u16::MAX as usize);
