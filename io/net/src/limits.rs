//! Every bound of this crate, with its unit and its reason.
//!
//! Where a bound comes from the specification, the section stands beside it.

use std::time::Duration;

/// Bytes of one datagram: the largest that UDP can carry (rm.md §1.9).
pub const DATAGRAM: usize = 65_535;

/// Datagrams taken by one `recvmmsg`: enough to make the system call cheap, 2 MiB of buffers.
pub const RECEIVE_BATCH: usize = 32;

/// Datagrams given to one `sendmmsg`.
pub const SEND_BATCH: usize = 64;

/// Errors of sent datagrams taken at once; the rest waits.
pub const ERRORS: usize = 64;

/// Tries of one send before its error is its own: the kernel reports those of earlier datagrams
/// first, one a call.
pub const SEND_TRIES: usize = 3;

/// Bytes asked for as the kernel's receive buffer of a UDP socket (rm.md §1.2).
pub const RECEIVE_BUFFER: usize = 8 * 1024 * 1024;

/// Bytes asked for as the kernel's send buffer of a UDP socket: a burst of answers to a full
/// receive batch must fit, else they are lost on the way out.
pub const SEND_BUFFER: usize = 2 * 1024 * 1024;

/// Bytes that may wait to be written on one connection (rm.md §1.9).
pub const WRITE_QUEUE: usize = 1024 * 1024;

/// Bytes of capacity that an emptied write queue keeps; more is given back, so that one burst does
/// not hold memory for the life of a connection.
pub const WRITE_QUEUE_KEPT: usize = 64 * 1024;

/// Bytes of a write queue that go into TLS records at a time: the largest record.
pub const PLAIN_PIECE: usize = 16 * 1024;

/// TLS records without content within a second (rm.md §13.2): KeyUpdates, empty records, what is
/// not ours to refuse by itself. Beyond: the connection closes.
pub const IDLE_RECORDS: u32 = 32;

/// Bytes of a PEM file of certificates or keys.
pub const PEM_FILE: u64 = 1024 * 1024;

/// Certificates taken from one PEM file: the authorities of a whole system fit.
pub const CERTIFICATES: usize = 1024;

/// Connections that the kernel may hold before they are accepted.
pub const BACKLOG: i32 = 1024;

/// Silence after which the kernel asks a peer whether it is there, time between its questions, and
/// how many of them stay without an answer before the connection is gone.
pub const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// See [`KEEP_ALIVE`].
pub const KEEP_ALIVE_AGAIN: Duration = Duration::from_secs(15);
/// See [`KEEP_ALIVE`].
pub const KEEP_ALIVE_TRIES: u32 = 4;

/// Events taken by one wait.
pub const EVENTS: usize = 256;

/// The longest wait: an epoll time-out is a 32-bit number of milliseconds.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Goals that may wait for the resolver, and answers that may wait for the engine. Full: the asker
/// is told, the lookups wait.
pub const DNS_QUEUE: usize = 256;

/// Goals looked up at once; the others wait in the queue.
pub const DNS_LOOKUPS: usize = 32;

/// Listings that may wait for the resolver, and their answers for the engine: each group has few.
pub const DNS_LISTINGS: usize = 256;

/// Listings looked up at once; each may ask for the addresses of hundreds of hosts.
pub const DNS_LISTINGS_AT_ONCE: usize = 4;

/// One try of one question to one server; the second is the last.
pub const DNS_QUESTION: Duration = Duration::from_secs(1);

/// All questions of one goal: a call waits no longer for a name.
pub const DNS_GOAL: Duration = Duration::from_secs(4);

/// How often the system's own settings of the name service are read again.
pub const DNS_REREAD: Duration = Duration::from_secs(30);
