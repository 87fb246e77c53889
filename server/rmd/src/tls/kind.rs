//! TLS as a kind of streams: whom an opened one must reach, what may go over it, what is told of a
//! failed handshake.

use super::material::Certificates;
use super::names::Names;
use crate::transport::{Input, Origins, StreamKind, Wire, word};
use net::tcp::{Flush, QueueFull};
use net::tls::{Read, Stream};
use sip::transport::{Flow, Transport};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use telemetry::Log;

/// Streams under TLS.
pub(crate) struct Secure {
    pub(super) certificates: Certificates,
    pub(super) names: Names,
    pub(super) origins: Origins,
    pub(super) log: Log,
    /// A peer by its name, which the engine has to hear of before what it says.
    pub(super) known: Option<(Flow, Vec<String>)>,
}

impl StreamKind for Secure {
    type Stream = Stream;
    const TRANSPORT: Transport = Transport::Tls;

    fn connect(&mut self, flow: Flow) -> Result<Stream, &'static str> {
        let name = self.names.asked(flow.remote);
        let connecting = self.origins.connect(flow)?;
        self.certificates.material().connect(connecting, &name)
    }

    /// Only to whom its far end was verified to be, or will be before anything leaves: one of ours
    /// whose handshake goes on. One that was accepted leads back to exactly
    /// the address and port that it came from, of which nothing else is known; to another port
    /// (RFC 5923 §6) with a certificate only.
    fn carries(&self, stream: &Stream, own: SocketAddr, remote: SocketAddr) -> bool {
        (stream.handshaking() && stream.is_client())
            || self.names.fits(remote, stream.identity(remote.ip()).as_ref())
            || (!stream.is_client() && own == remote && self.names.is_undeclared(remote))
    }

    fn up(&mut self, flow: Flow, stream: &Stream) -> Result<bool, &'static str> {
        let shown = stream.identity(flow.remote.ip());
        if stream.is_client() && !self.names.fits(flow.remote, shown.as_ref()) {
            return Err("name");
        }
        let Some(shown) = shown.filter(|shown| self.names.knows(shown)) else { return Ok(false) };
        self.known = Some((flow, shown.hosts().to_vec()));
        Ok(true)
    }

    fn failed(&mut self, remote: SocketAddr, stream: &Stream, why: &'static str) {
        let remote = remote.to_string();
        let fields = [("remote", &*remote), ("error", stream.fault().unwrap_or(why))];
        self.log.emit(20121, None, &fields);
    }
}

impl Wire for Stream {
    fn connected(&self) -> io::Result<()> {
        Self::connected(self)
    }

    fn read(&mut self, now: Duration, scratch: &mut [u8], sink: &mut impl FnMut(&[u8])) -> Input {
        match Self::read(self, now, scratch, sink) {
            Read::Records => Input::Bytes,
            Read::Blocked => Input::Nothing,
            Read::Ended => Input::Over("ended"),
            Read::Failed(kind) => Input::Over(word(kind)),
        }
    }

    fn queue(&mut self, bytes: &[u8]) -> Result<(), QueueFull> {
        Self::queue(self, bytes)
    }

    fn flush(&mut self) -> Flush {
        Self::flush(self)
    }

    fn wants_write(&self) -> bool {
        Self::wants_write(self)
    }

    fn close_write(&mut self) {
        Self::close_write(self);
    }

    fn handshaking(&self) -> bool {
        Self::handshaking(self)
    }

    fn over(&self) -> Option<&'static str> {
        Self::over(self)
    }
}

#[cfg(test)]
mod tests;
