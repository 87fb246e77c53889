//! What a SIP stream runs on: plain TCP here, TLS on a thread of its own. The table of streams
//! and their deadlines are the same for both.
//!
//! It must not know a message, nor how many streams there are.

use crate::transport::connection::word;
use net::tcp::{Flush, QueueFull, Read, Stream};
use sip::transport::{Flow, Transport};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

/// What a read turn found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// Something came; what is for SIP has gone to the sink.
    Bytes,
    /// Nothing to do.
    Nothing,
    /// The stream is over; why, in a word for the metric.
    Over(&'static str),
}

/// One stream's bytes. Of errors only words come back, for the metric.
pub(crate) trait Wire: AsFd {
    /// How our connect ended.
    fn connected(&self) -> io::Result<()>;
    /// Reads once; what came for SIP goes to `sink`.
    fn read(&mut self, now: Duration, scratch: &mut [u8], sink: &mut impl FnMut(&[u8])) -> Input;
    /// Appends to the write queue.
    fn queue(&mut self, bytes: &[u8]) -> Result<(), QueueFull>;
    /// Writes what can be written.
    fn flush(&mut self) -> Flush;
    /// Something could be written now, if the kernel took it.
    fn wants_write(&self) -> bool;
    /// Closes our side after what was written.
    fn close_write(&mut self);
    /// It is connected, but carries no message yet.
    fn handshaking(&self) -> bool;
    /// What was read has ended it, though the connection below still stands; why, in a word.
    fn over(&self) -> Option<&'static str>;
}

/// A kind of streams: how one is opened, and what may go over it.
pub(crate) trait Kind {
    /// One of them.
    type Stream: Wire;
    /// Its name in flows.
    const TRANSPORT: Transport;
    /// Starts to connect; else why it cannot, in a word.
    fn connect(&mut self, flow: Flow) -> Result<Self::Stream, &'static str>;
    /// Messages that are meant for `remote` may go over this stream, which leads to `own`.
    fn carries(&self, stream: &Self::Stream, own: SocketAddr, remote: SocketAddr) -> bool;
    /// A handshake is done: whether the far end is known by what it has shown. `Err`: it must
    /// not be used; why, in a word.
    fn up(&mut self, flow: Flow, stream: &Self::Stream) -> Result<bool, &'static str>;
    /// A stream has ended that never carried a message, because of its handshake.
    fn failed(&mut self, remote: SocketAddr, stream: &Self::Stream, why: &'static str);
}

/// Plain TCP.
#[derive(Debug)]
pub(crate) struct Plain {
    pub(super) origins: Origins,
}

/// Where outgoing connections leave from, and how they are marked.
#[derive(Debug)]
pub(crate) struct Origins {
    /// By listener; from a wildcard the kernel chooses.
    addresses: Vec<Option<IpAddr>>,
    dscp: u8,
}

impl Origins {
    pub(crate) fn new(listening: impl Iterator<Item = IpAddr>, dscp: u8) -> Self {
        let origin = |ip: IpAddr| (!ip.is_unspecified()).then_some(ip);
        Self { addresses: listening.map(origin).collect(), dscp }
    }

    /// Starts to connect to the far end of a flow.
    pub(crate) fn connect(&self, flow: Flow) -> Result<Stream, &'static str> {
        let origin = self.addresses.get(usize::from(flow.listener)).copied().flatten();
        let origin = origin.filter(|origin| origin.is_ipv4() == flow.remote.is_ipv4());
        Stream::connect(flow.remote, origin, self.dscp).map_err(|error| word(error.kind()))
    }
}

impl Kind for Plain {
    type Stream = Stream;
    const TRANSPORT: Transport = Transport::Tcp;

    fn connect(&mut self, flow: Flow) -> Result<Stream, &'static str> {
        self.origins.connect(flow)
    }

    fn carries(&self, _stream: &Stream, own: SocketAddr, remote: SocketAddr) -> bool {
        own == remote
    }

    fn up(&mut self, _flow: Flow, _stream: &Stream) -> Result<bool, &'static str> {
        Ok(false)
    }

    fn failed(&mut self, _remote: SocketAddr, _stream: &Stream, _why: &'static str) {}
}

impl Wire for Stream {
    fn connected(&self) -> io::Result<()> {
        Self::connected(self)
    }

    fn read(&mut self, _now: Duration, scratch: &mut [u8], sink: &mut impl FnMut(&[u8])) -> Input {
        match Self::read(self, scratch) {
            Read::Bytes(count) => {
                sink(scratch.get(..count).unwrap_or_default());
                Input::Bytes
            }
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
        self.waiting() > 0
    }

    fn close_write(&mut self) {
        Self::close_write(self);
    }

    fn handshaking(&self) -> bool {
        false
    }

    fn over(&self) -> Option<&'static str> {
        None
    }
}
