//! Every limit of this crate: value, unit, reason, and the status a breach causes.
//!
//! A limit is a designed state, never an accident: the parser, the framer and the endpoint take
//! their bounds from here and from nowhere else. Normative table: `spec/rm.md` §1.9. This file
//! decides nothing; it only names numbers.

/// Bounds for one message and for the transactions of one endpoint.
///
/// `Limits::DEFAULT` holds the values of the specification. A caller may lower them; raising
/// `header_section` above 65,535 has no effect, because header offsets are kept in 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Whole message in bytes. 65,536: no UDP datagram is larger, and SDP with many codecs stays
    /// far below. Breach: 513 (a stream closes after the answer).
    pub message: usize,
    /// Value of Content-Length. 65,536: the message limit; decided on the header alone, so that
    /// nobody makes us wait for bytes that we would refuse. Breach: 413 (a stream closes after the
    /// answer).
    pub content_length: usize,
    /// Digits of Content-Length, leading zeros included. 10: enough for any 32-bit number.
    /// Breach: 400.
    pub content_length_digits: usize,
    /// Start line and header lines up to the blank line, in bytes. 32 KiB: half a message.
    /// Breach: 513.
    pub header_section: usize,
    /// Header lines (a folded header is one). 128: real calls carry 15 to 60. Breach: 400.
    pub header_lines: usize,
    /// One header line with its folded parts, in bytes. 8 KiB: the longest known are
    /// `User-to-User` and `Identity`. Breach: 400.
    pub header_line: usize,
    /// Via values. 70: Max-Forwards starts there. Breach: 400.
    pub vias: usize,
    /// Route values. 32: more is an attack on proxies. Breach: 400.
    pub routes: usize,
    /// Record-Route values. 32, as for Route. Breach: 400.
    pub record_routes: usize,
    /// Contact values. 16: a registration with more is not one device. Breach: 400.
    pub contacts: usize,
    /// One URI in bytes. 2,048: a VoiceXML page with its query fits. Breach: 414.
    pub uri: usize,
    /// Parameters of one URI. 64: GVP profiles send up to about 30. Breach: 414.
    pub uri_params: usize,
    /// Method name in bytes. 64: RFC 4475 §3.1.1.2 has a well-formed one of 43. Breach: 400.
    pub method: usize,
    /// A tag of From or To in bytes. 256: it is kept for the length of a call; RFC 4475 §3.1.1.7
    /// has a well-formed one of 155. Breach: 400.
    pub tag: usize,
    /// Via branch in bytes. 256: it is the key of a transaction. Breach: 400.
    pub branch: usize,
    /// Call-ID in bytes. 256: it is kept for the length of a call. Breach: 400.
    pub call_id: usize,
    /// Transactions without final answer. 100,000: about 100 s of 1,000 calls per second.
    /// Breach: overload (503).
    pub pending_transactions: usize,
    /// Transactions that only absorb retransmissions (Timers D, I, J, K, L, M). 1,000,000: 32 s
    /// of 30,000 requests per second. Breach: the oldest are forgotten and counted.
    pub finished_transactions: usize,
}

impl Limits {
    /// The values of `spec/rm.md` §1.9.
    pub const DEFAULT: Self = Self {
        message: 65_536,
        content_length: 65_536,
        content_length_digits: 10,
        header_section: 32 * 1024,
        header_lines: 128,
        header_line: 8 * 1024,
        vias: 70,
        routes: 32,
        record_routes: 32,
        contacts: 16,
        uri: 2_048,
        uri_params: 64,
        method: 64,
        tag: 256,
        branch: 256,
        call_id: 256,
        pending_transactions: 100_000,
        finished_transactions: 1_000_000,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Bytes of capacity that a stream at rest keeps for its next message. 4 KiB: nearly every message
/// of the field. Not a refusal: a longer one costs an allocation, and gives it back.
pub const STREAM_KEPT: usize = 4 * 1024;

/// Header lines kept inside a `Message` without heap memory. 64: nearly every call of the field
/// fits, and the index stays below 1 KiB. Not a refusal: the 65th line costs one allocation.
pub const INLINE_LINES: usize = 64;

/// Sizes of kept messages grow in such steps, in bytes. 128: half of one is lost on average, which
/// a finished transaction can bear.
pub const BUFFER_STEP: usize = 128;

/// Longest kept message whose buffer is used again, in bytes. 4 KiB: nearly every message of the
/// field. Not a refusal: a longer one costs an allocation.
pub const BUFFER_LARGEST: usize = 4 * 1024;

/// Bytes in buffers that wait to be used again. 1 MiB: the swing of some 1,000 messages; what is
/// given back beyond it is freed.
pub const BUFFER_IDLE: usize = 1 << 20;

/// Bytes of a host name that may be asked for (RFC 1035 §2.3.4, without the dot at its end).
/// Breach: the host is no name, and nothing is asked.
pub const HOST_NAME: usize = 253;

/// NAPTR records of one name that are looked at. 16: real domains have 1 to 6. Breach: those that
/// come last in their order are left out.
pub const NAPTR_RECORDS: usize = 16;

/// Services of one name that are looked at, each of which costs a question. 4: the three
/// transports, and one more. Breach: those of the least preference are left out.
pub const SERVICES: usize = 4;

/// SRV records of one name that are looked at. 16: a cluster of media servers behind one name.
/// Breach: those of the highest priority numbers are left out.
pub const SRV_RECORDS: usize = 16;

/// Hosts of one goal that are looked at, over all its services: each costs two questions. 16, as
/// for SRV records. Breach: those that come last are left out.
pub const HOSTS: usize = 16;

/// Addresses of one host that are looked at, per family. 16, as for SRV records. Breach: the last
/// ones of the answer are left out.
pub const ADDRESSES: usize = 16;

/// Members of one listing: SRV records, and addresses of a host. 512: a large site. Breach: as for
/// the two above.
pub const MEMBERS: usize = 512;

/// Targets of one goal. 32: nobody waits for the failure of more. Breach: the last ones are left
/// out.
pub const TARGETS: usize = 32;
