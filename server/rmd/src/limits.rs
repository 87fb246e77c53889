//! Every bound of this daemon, with its unit and its reason. Full is a designed state: each line
//! says what happens then.

use std::time::Duration;
use telemetry::door::Limits;

/// Streams open at once, until `proxy.sip.maxtcpconnections` says otherwise (rm.md §1.9). Beyond:
/// the oldest idle untrusted one closes, else the new.
pub(crate) const STREAMS: usize = 10_000;
/// Descriptors that are not streams: listeners, segments of the spool, HTTP, the broker, names. The
/// limit of streams is what the system leaves beside them.
pub(crate) const OTHER_DESCRIPTORS: u64 = 512;
/// Streams of one source that is not a peer (rm.md §1.9). Beyond: refused.
pub(crate) const STREAMS_PER_SOURCE: usize = 256;
/// A stream without bytes closes after this, from a stranger (rm.md §1.9).
pub(crate) const IDLE_STRANGER: Duration = Duration::from_secs(120);
/// The same for a peer or a resource (rm.md §1.9).
pub(crate) const IDLE_PEER: Duration = Duration::from_secs(3600);
/// First byte to complete message on a stream (rm.md §1.9); then it closes.
pub(crate) const MESSAGE_TIME: Duration = Duration::from_secs(10);
/// A stream that takes nothing of what waits for it closes after this: no transaction waits longer
/// for an answer (Timers B and F), so that its messages are of no use any more.
pub(crate) const WRITE_TIME: Duration = Duration::from_secs(32);
/// Bytes of incomplete messages of all strangers, TCP and TLS each. Beyond: the stream in hand
/// closes.
pub(crate) const STRANGERS_UNFINISHED: usize = 8 * 1024 * 1024;
/// The same of all streams. Beyond: the one that has most of it closes, of several the oldest. TCP
/// and TLS together take half of what memory may grow by (rm.md §13.5).
pub(crate) const UNFINISHED: usize = 16 * 1024 * 1024;
/// A connect that is not up by then has failed, until the engine says otherwise (rm.md §1.11).
pub(crate) const CONNECT_TIME: Duration = Duration::from_secs(5);
/// A handshake that is not done by then has failed (rm.md §13.2).
pub(crate) const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
/// Handshakes of accepted streams under way at once (rm.md §13.2). Beyond: the oldest is given
/// up, of a stranger if there is one.
pub(crate) const HANDSHAKES: usize = 256;
/// Bytes of messages that wait for the TLS thread. Beyond: their flows fail.
pub(crate) const TLS_FROM_ENGINE: usize = 16 * 1024 * 1024;
/// Bytes of messages from the TLS thread that wait for the engine. Beyond: nothing is read by TLS.
pub(crate) const TLS_TO_ENGINE: usize = 4 * 1024 * 1024;
/// Wishes of peers to be called over a stream of theirs (RFC 5923) that may wait for the TLS
/// thread; beyond it they are forgotten, and the next request of the peer asks again.
pub(crate) const TLS_ALIASES: usize = 1024;
/// How often certificate files are looked at (rm.md §1.4 has the same for keys).
pub(crate) const CERTIFICATES_LOOK: Duration = Duration::from_secs(10);
/// A certificate that expires within this is told by `ringmaster check`: time enough to ask for
/// another one.
pub(crate) const CERTIFICATE_SOON: Duration = Duration::from_secs(30 * 86_400);
/// A stream that we close has this long to take what was queued for it.
pub(crate) const CLOSING_TIME: Duration = Duration::from_secs(5);
/// How often stream deadlines are looked at; they are seconds, so this is exact enough.
pub(crate) const SWEEP: Duration = Duration::from_millis(250);
/// After an accept that failed for want of descriptors the listener rests, else epoll would spin.
pub(crate) const ACCEPT_REST: Duration = Duration::from_millis(100);
/// Connections accepted per listener and turn.
pub(crate) const ACCEPTS_PER_TURN: usize = 64;
/// Bytes read per stream and turn: the rest waits, so that one peer cannot hold the engine.
pub(crate) const STREAM_READ: usize = 64 * 1024;
/// Receive batches per UDP socket and turn.
pub(crate) const BATCHES_PER_TURN: usize = 4;
/// How often the kernel is asked what it had no room for (rm.md §1.9).
pub(crate) const DROPS_EVERY: Duration = Duration::from_secs(1);
/// The engine turns at least this often, so that `/live` can tell an idle engine from a stuck one.
pub(crate) const LONGEST_TURN_WAIT: Duration = Duration::from_secs(1);
/// How often `rm.cluster.key_file` is looked at (rm.md §1.4).
pub(crate) const KEY_LOOK: Duration = Duration::from_secs(10);
/// Largest `rm.cluster.key_file`, bytes: 255 keys with comments. Beyond: refused.
pub(crate) const KEY_FILE: u64 = 64 * 1024;
/// While messages come quickly, a turn begins at the earliest so long after the one before: the
/// most that a message may wait for others, half of it on average. A 100 has 200 ms (rm.md §1.6).
pub(crate) const TURN_REST: Duration = Duration::from_millis(4);
/// The 100 to an INVITE waits so long for a better answer, and with [`TURN_REST`] still leaves
/// within 10 ms: under load most calls need none.
pub(crate) const TRYING_WAIT: Duration = Duration::from_millis(5);
/// Messages come quickly when so many …
pub(crate) const BUSY_ARRIVALS: u64 = 40;
/// … arrive in this time: some 300 calls per second. Below, nothing waits.
pub(crate) const BUSY_WINDOW: Duration = Duration::from_millis(20);
/// Inputs from other threads that may wait for the engine. Full: the asker gets `busy`.
pub(crate) const INBOX: usize = 1024;
/// A list of calls holds the engine for so long in one turn, then goes on in the next (rm.md §1.9).
pub(crate) const SLICE_TIME: Duration = Duration::from_micros(200);
/// Inputs taken per turn, of which one question at most.
pub(crate) const INPUTS_PER_TURN: usize = 64;
/// Bytes of the spool on disk, `records.spool-max` (rm.md §4.4). Full: the backlog.
pub(crate) const SPOOL_BYTES: u64 = 1 << 30;
/// Share of the spool above which `/ready` says `degraded`, percent (ops.md §4).
pub(crate) const SPOOL_HIGH_PERCENT: u64 = 80;

/// Records of one transaction to the broker (rm.md §9.6).
pub(crate) const GROUP_RECORDS: usize = 256;
/// Bytes of one transaction to the broker (rm.md §9.6).
pub(crate) const GROUP_BYTES: usize = 1024 * 1024;
/// A publisher that has sent less than a whole transaction rests so long before it looks for more:
/// under load many records share one transaction. A first record waits for nothing.
pub(crate) const PUBLISH_REST: Duration = Duration::from_millis(100);
/// Transactions without answer at once (rm.md §9.6).
pub(crate) const GROUPS_IN_FLIGHT: usize = 2;
/// A connect to the broker that is not up by then has failed.
pub(crate) const BROKER_CONNECT: Duration = Duration::from_secs(5);
/// First wait before the broker is tried again; doubled each time.
pub(crate) const BROKER_RETRY_FIRST: Duration = Duration::from_millis(100);
/// Longest wait before the broker is tried again.
pub(crate) const BROKER_RETRY_MOST: Duration = Duration::from_secs(10);
/// A preferred broker that is away is tried so long, from time to time, while another one serves.
pub(crate) const BROKER_PROBE: Duration = Duration::from_secs(1);
/// At the end the last records have this long to reach the disk.
pub(crate) const LAST_SYNC: Duration = Duration::from_secs(5);
/// At the end the rest of the spool has this long to reach the broker (ops.md §4).
pub(crate) const LAST_PUBLISH: Duration = Duration::from_secs(5);

/// Body of an HTTP request (rm.md §10). Beyond: 413.
pub(crate) const HTTP_BODY: usize = 64 * 1024;
/// Bytes of messages that wait for the mirror. Beyond: those of the turn get no copy.
pub(crate) const MIRROR_QUEUE: usize = 8 << 20;
/// Messages that wait for it, however small. Beyond: the same.
pub(crate) const MIRROR_MESSAGES: usize = 32_768;
/// How often the name of the collector is asked for.
pub(crate) const MIRROR_NAME: Duration = Duration::from_secs(60);
/// The same after it led nowhere, or no socket could be had.
pub(crate) const MIRROR_RETRY: Duration = Duration::from_secs(5);
/// At the end the mirror has so long to send what waits. Beyond: it is left behind.
pub(crate) const MIRROR_LAST: Duration = Duration::from_secs(2);
/// Messages of one page of a ladder, bytes of their heads together. Beyond: the next page.
pub(crate) const LADDER_BYTES: usize = 2 << 20;
/// Ladders put together at once: each holds a segment of the ring and a page. Beyond: they wait.
pub(crate) const LADDERS: usize = 2;
/// HTTP connections at once (rm.md §10). Beyond: the one closes that has waited longest without a
/// whole request, else the newcomer waits. A head of a request has as much time as a request; a
/// connection on which nothing moves has longer than any request.
pub(crate) const HTTP_DOOR: Limits =
    Limits { connections: 64, request: HTTP_TIME, idle: Duration::from_secs(30) };
/// Time of one HTTP request (rm.md §10). Beyond: 503.
pub(crate) const HTTP_TIME: Duration = Duration::from_secs(10);
/// Whoever hands a configuration over waits so long for the engine to have it: it may be ending.
pub(crate) const APPLY_WAIT: Duration = Duration::from_secs(5);
/// Whoever asks for a reload waits for its end so long, less than a request. Beyond: 503 `goes-on`.
pub(crate) const RELOAD_WAIT: Duration = Duration::from_secs(9);
/// At the end a change under way has so long to be kept.
pub(crate) const HTTP_LAST: Duration = Duration::from_secs(2);
/// Bytes of a tokens file: some thousand tokens.
pub(crate) const TOKENS_FILE: u64 = 256 * 1024;
/// `/live` fails when the engine has not turned for this long (ops.md §4).
pub(crate) const ENGINE_STUCK: Duration = Duration::from_secs(5);
/// A drain without time still waits so long for transactions in progress to be answered.
pub(crate) const QUIET_TIME: Duration = Duration::from_secs(2);
/// How often the engine looks at its media servers and its spool, for `/ready`.
pub(crate) const LOOK: Duration = Duration::from_secs(2);
/// Bytes of a password file: a password, not a document.
pub(crate) const PASSWORD_FILE: u64 = 4 * 1024;
/// Longest file of what operators want of resources, bytes: 20,000 of them, with names of 64
/// characters, written in any way.
pub(crate) const WILLS_FILE: usize = 8 << 20;
