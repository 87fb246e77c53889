//! One entry of the ring as bytes: five words, then a head or a Call-ID.
//!
//! The words are little-endian: length of the entry (32 bits), kind, transport, listener and
//! address family (8 each); time in ms; address or GUID (128 bits); port, and the message's size
//! (16, 32).
//! Only this process reads them again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use model::id::Guid;
use model::time::Millis;
use sip::transport::{Flow, Transport};

/// What stands before the text of an entry.
pub(super) type Header = [[u8; 8]; WORDS];

const WORDS: usize = 5;
/// Its bytes.
const HEADER: usize = WORDS * 8;

/// Kinds of entries.
const IN: u8 = 1;
const OUT: u8 = 2;
const ENDED: u8 = 3;

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It was received.
    In,
    /// It was sent.
    Out,
}

impl Direction {
    /// `in` or `out`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// An entry as it is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A message came or went.
    Head(Head<'a>),
    /// A leg has ended.
    Ended {
        /// When.
        at: Millis,
        /// Its session.
        guid: Guid,
        /// Its dialog's.
        call_id: &'a [u8],
    },
}

impl Entry<'_> {
    /// When it was put in, or the message came.
    #[must_use]
    pub fn at(&self) -> Millis {
        match self {
            Self::Head(head) => head.at,
            Self::Ended { at, .. } => *at,
        }
    }
}

/// The head of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// When it came, or the time of the turn in which it was sent.
    pub at: Millis,
    /// Which way it went.
    pub direction: Direction,
    /// How.
    pub transport: Transport,
    /// Index of the listener, as in flows.
    pub listener: u8,
    /// The far end.
    pub peer: SocketAddr,
    /// Bytes of the whole message.
    pub size: usize,
    /// Start line and header lines, with the blank line.
    pub text: &'a [u8],
}

/// A message on its way into the ring.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passing {
    pub(super) at: Millis,
    pub(super) direction: Direction,
    pub(super) flow: Flow,
    /// Bytes of the whole message.
    pub(super) size: usize,
}

impl Passing {
    /// The words before `text` bytes of head.
    #[inline]
    pub(super) fn header(&self, text: usize) -> Header {
        let Flow { transport, listener, remote, .. } = self.flow;
        let kind = match self.direction {
            Direction::In => IN,
            Direction::Out => OUT,
        };
        let transport = match transport {
            Transport::Udp => 0,
            Transport::Tcp => 1,
            Transport::Tls => 2,
        };
        let (family, address) = match remote.ip() {
            IpAddr::V4(ip) => (4, u128::from(ip.to_bits())),
            IpAddr::V6(ip) => (6, ip.to_bits()),
        };
        let size = u32::try_from(self.size).unwrap_or(u32::MAX);
        let last = u64::from(remote.port()) | u64::from(size) << 32;
        words([kind, transport, listener, family], text, self.at, address, last)
    }
}

/// The words before a Call-ID of `text` bytes.
pub(super) fn ended(at: Millis, guid: Guid, text: usize) -> Header {
    words([ENDED, 0, 0, 0], text, at, u128::from_be_bytes(guid.0), 0)
}

#[inline]
fn words(kind: [u8; 4], text: usize, at: Millis, id: u128, last: u64) -> Header {
    let len = u32::try_from(HEADER + text).unwrap_or(u32::MAX);
    let first = u64::from(len) | u64::from(u32::from_le_bytes(kind)) << 32;
    let [low, high] = halves(id);
    [first, at.0, low, high, last].map(u64::to_le_bytes)
}

#[expect(clippy::cast_possible_truncation, reason = "each half is taken by itself")]
fn halves(id: u128) -> [u64; 2] {
    [id as u64, (id >> 64) as u64]
}

/// The entries of a segment, each with its place in it; ends where nothing readable stands.
pub fn entries(segment: &[u8]) -> impl Iterator<Item = (usize, Entry<'_>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (entry, len) = read(segment.get(at..)?)?;
        let place = at;
        at += len;
        Some((place, entry))
    })
}

/// The first entry of the bytes, and how many of them it takes.
fn read(bytes: &[u8]) -> Option<(Entry<'_>, usize)> {
    let (header, _) = bytes.split_first_chunk::<HEADER>()?;
    let (words, _) = header.as_chunks::<8>();
    let [first, at, low, high, last] = *words else { return None };
    let [first, at, low, high, last] = [first, at, low, high, last].map(u64::from_le_bytes);
    let [l0, l1, l2, l3, kind, transport, listener, family] = first.to_le_bytes();
    let len = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).ok()?;
    let text = bytes.get(HEADER..len)?;
    let id = u128::from(low) | u128::from(high) << 64;
    let direction = match kind {
        IN => Direction::In,
        OUT => Direction::Out,
        ENDED => {
            let guid = Guid(id.to_be_bytes());
            let entry = Entry::Ended { at: Millis(at), guid, call_id: text };
            return Some((entry, len));
        }
        _ => return None,
    };
    let transport = match transport {
        0 => Transport::Udp,
        1 => Transport::Tcp,
        _ => Transport::Tls,
    };
    let ip: IpAddr = match family {
        4 => Ipv4Addr::from_bits(u32::try_from(id).ok()?).into(),
        _ => Ipv6Addr::from_bits(id).into(),
    };
    let [p0, p1, _, _, s0, s1, s2, s3] = last.to_le_bytes();
    let peer = SocketAddr::new(ip, u16::from_le_bytes([p0, p1]));
    let size = usize::try_from(u32::from_le_bytes([s0, s1, s2, s3])).ok()?;
    let at = Millis(at);
    let head = Head { at, direction, transport, listener, peer, size, text };
    Some((Entry::Head(head), len))
}
