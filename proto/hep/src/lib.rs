//! HEPv3: one SIP message as a collector such as Homer takes it. Pure; the writing side only.
//!
//! `HEP3`, the length of all, then chunks: vendor, type, length with these six bytes, value; all in
//! network order. Beside the way of a call: copies leave, nothing comes back.
#![warn(missing_docs)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Bytes of the largest packet: what one UDP datagram over IPv4 carries.
pub const MOST: usize = 65_507;

/// Numbers of the chunks (vendor 0).
mod chunk {
    pub(super) const FAMILY: u16 = 1;
    pub(super) const PROTOCOL: u16 = 2;
    pub(super) const SOURCE_V4: u16 = 3;
    pub(super) const DESTINATION_V4: u16 = 4;
    pub(super) const SOURCE_V6: u16 = 5;
    pub(super) const DESTINATION_V6: u16 = 6;
    pub(super) const SOURCE_PORT: u16 = 7;
    pub(super) const DESTINATION_PORT: u16 = 8;
    pub(super) const SECONDS: u16 = 9;
    pub(super) const MICROS: u16 = 10;
    pub(super) const PAYLOAD_TYPE: u16 = 11;
    pub(super) const AGENT: u16 = 12;
    pub(super) const KEY: u16 = 14;
    pub(super) const PAYLOAD: u16 = 15;
    pub(super) const CORRELATION: u16 = 17;
}

/// Type of the payload: SIP.
const SIP: u8 = 1;
/// Bytes before the value of a chunk.
const CHUNK: usize = 6;

/// What carried the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// Datagrams.
    Udp,
    /// A stream, also under TLS.
    Tcp,
}

impl Carrier {
    /// Its IP protocol number.
    const fn number(self) -> u8 {
        match self {
            Self::Udp => 17,
            Self::Tcp => 6,
        }
    }
}

/// One message that was received or sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied<'a> {
    /// Where it came from.
    pub source: SocketAddr,
    /// Where it went.
    pub destination: SocketAddr,
    /// What carried it.
    pub carrier: Carrier,
    /// When, since 1970 UTC.
    pub at: Duration,
    /// Number of the capture agent.
    pub agent: u32,
    /// The collector's password.
    pub key: Option<&'a [u8]>,
    /// What belongs together.
    pub correlation: Option<&'a [u8]>,
    /// As it was on the wire.
    pub payload: &'a [u8],
}

/// The packet would have more than [`MOST`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too large for a datagram")]
pub struct TooLarge;

impl Copied<'_> {
    /// Appends the packet, and gives back its length.
    ///
    /// # Errors
    /// It is too large; nothing is appended then.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<usize, TooLarge> {
        let begin = out.len();
        out.extend_from_slice(b"HEP3\0\0");
        let fits = self.chunks(out).filter(|()| out.len() - begin <= MOST);
        let len = u16::try_from(out.len() - begin).ok().filter(|_| fits.is_some());
        let Some((len, place)) = len.zip(out.get_mut(begin + 4..begin + 6)) else {
            out.truncate(begin);
            return Err(TooLarge);
        };
        place.copy_from_slice(&len.to_be_bytes());
        Ok(usize::from(len))
    }

    /// `None`: one of them is too large.
    fn chunks(&self, out: &mut Vec<u8>) -> Option<()> {
        let (family, source, destination) = self.addresses();
        put(out, chunk::FAMILY, &[family])?;
        put(out, chunk::PROTOCOL, &[self.carrier.number()])?;
        for (ip, v4, v6) in [
            (source, chunk::SOURCE_V4, chunk::SOURCE_V6),
            (destination, chunk::DESTINATION_V4, chunk::DESTINATION_V6),
        ] {
            match ip {
                IpAddr::V4(ip) => put(out, v4, &ip.octets())?,
                IpAddr::V6(ip) => put(out, v6, &ip.octets())?,
            }
        }
        put(out, chunk::SOURCE_PORT, &self.source.port().to_be_bytes())?;
        put(out, chunk::DESTINATION_PORT, &self.destination.port().to_be_bytes())?;
        let seconds = u32::try_from(self.at.as_secs()).unwrap_or(u32::MAX);
        put(out, chunk::SECONDS, &seconds.to_be_bytes())?;
        put(out, chunk::MICROS, &self.at.subsec_micros().to_be_bytes())?;
        put(out, chunk::PAYLOAD_TYPE, &[SIP])?;
        put(out, chunk::AGENT, &self.agent.to_be_bytes())?;
        if let Some(key) = self.key {
            put(out, chunk::KEY, key)?;
        }
        if let Some(id) = self.correlation {
            put(out, chunk::CORRELATION, id)?;
        }
        put(out, chunk::PAYLOAD, self.payload)
    }

    /// Family and both addresses, of one family.
    fn addresses(&self) -> (u8, IpAddr, IpAddr) {
        const INET: u8 = 2;
        const INET6: u8 = 10;
        let long = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => IpAddr::V6(ip.to_ipv6_mapped()),
            IpAddr::V6(_) => ip,
        };
        let (source, destination) = (self.source.ip(), self.destination.ip());
        if source.is_ipv4() && destination.is_ipv4() {
            (INET, source, destination)
        } else {
            (INET6, long(source), long(destination))
        }
    }
}

/// Appends a chunk; `None` when its length has no room in 16 bits.
fn put(out: &mut Vec<u8>, number: u16, value: &[u8]) -> Option<()> {
    let len = u16::try_from(CHUNK + value.len()).ok()?;
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&number.to_be_bytes());
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(value);
    Some(())
}

#[cfg(test)]
mod tests;
