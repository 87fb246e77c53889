//! One connection to a broker, with or without TLS: bytes between the socket and the protocol
//! machine.

use super::WAKER;
use net::tcp::{Flush, Read, Stream};
use net::tls::{self, Trust};
use net::waker::WakeReceiver;
use net::{Interest, Poller, Ready, Token};
use openwire::Client;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// The connection's name in the poller.
const STREAM: Token = Token(1);
/// Bytes of one read: answers are short. TLS takes the half of it for a record.
const READ: usize = 64 * 1024;

/// A connection, coming up or up.
pub(super) struct Link {
    stream: Wire,
    up: bool,
    /// How long it may take to come up.
    patience: Duration,
    /// The time by which it must be up, once it has been waited for.
    connect_by: Option<Duration>,
    interest: Interest,
    ready: Vec<Ready>,
    buffer: Box<[u8]>,
    /// What the machine wants to say, and how much of it the stream has taken.
    out: Vec<u8>,
    taken: usize,
    readable: bool,
}

/// What carries the bytes.
enum Wire {
    Tcp(Stream),
    Tls(Box<tls::Stream>),
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Over {
    /// The network.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The broker said no.
    #[error("refused: {0}")]
    Refused(String),
    /// The protocol ended it.
    #[error("{0}")]
    Closed(String),
    /// The next broker is another one, by the broker's word or the setting's.
    #[error("left for another broker")]
    Elsewhere,
    /// The spool cannot be read.
    #[error("spool: {0}")]
    Spool(String),
}

impl Link {
    /// Starts to connect; with `trust`, to whoever proves to be `host`.
    pub(super) fn connect(
        address: SocketAddr,
        host: &str,
        trust: Option<&Trust>,
        patience: Duration,
        poller: &Poller,
    ) -> Result<Self, Over> {
        let stream = Stream::connect(address, None, 0)?;
        let stream = match trust {
            None => Wire::Tcp(stream),
            Some(trust) => {
                let refused = |word| Over::Closed(format!("tls: {word}"));
                Wire::Tls(Box::new(trust.connect(stream, host).map_err(refused)?))
            }
        };
        poller.add(&stream, STREAM, Interest::Write)?;
        Ok(Self {
            stream,
            up: false,
            patience,
            connect_by: None,
            interest: Interest::Write,
            ready: Vec::new(),
            buffer: vec![0; READ].into_boxed_slice(),
            out: Vec::new(),
            taken: 0,
            readable: false,
        })
    }

    /// When a connect under way is given up.
    pub(super) fn deadline(&mut self, now: Duration) -> Option<Duration> {
        (!self.up).then(|| *self.connect_by.get_or_insert(now + self.patience))
    }

    /// Waits for the socket, the waker, or the time.
    pub(super) fn wait(
        &mut self,
        poller: &mut Poller,
        timeout: Option<Duration>,
        waker: &mut WakeReceiver,
    ) -> Result<(), Over> {
        poller.wait(timeout, &mut self.ready)?;
        for event in &self.ready {
            if event.token == WAKER {
                waker.drain();
            } else if self.up {
                self.readable |= event.read;
            } else {
                match &self.stream {
                    Wire::Tcp(stream) => stream.connected()?,
                    Wire::Tls(stream) => stream.connected()?,
                }
                self.up = true;
            }
        }
        Ok(())
    }

    /// Gives the machine what has arrived.
    pub(super) fn read(&mut self, now: Duration, client: &mut Client) -> Result<(), Over> {
        if !self.up && self.connect_by.is_some_and(|by| by <= now) {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        while std::mem::take(&mut self.readable) {
            self.readable = match &mut self.stream {
                Wire::Tcp(stream) => match stream.read(&mut self.buffer) {
                    Read::Bytes(count) => {
                        client.handle_input(now, self.buffer.get(..count).unwrap_or_default());
                        count == self.buffer.len()
                    }
                    Read::Blocked => false,
                    Read::Ended => return Err(closed()),
                    Read::Failed(kind) => return Err(io::Error::from(kind).into()),
                },
                Wire::Tls(stream) => {
                    let mut sink = |bytes: &[u8]| client.handle_input(now, bytes);
                    let read = stream.read(now, &mut self.buffer, &mut sink);
                    if let Some(fault) = stream.fault() {
                        return Err(Over::Closed(format!("tls: {fault}")));
                    }
                    match read {
                        tls::Read::Records if stream.over().is_some() => return Err(closed()),
                        tls::Read::Records => true,
                        tls::Read::Blocked => false,
                        tls::Read::Ended => return Err(closed()),
                        tls::Read::Failed(kind) => return Err(io::Error::from(kind).into()),
                    }
                }
            };
        }
        Ok(())
    }

    /// Writes what the machine has to say, as far as the socket takes it.
    pub(super) fn write(&mut self, client: &mut Client, poller: &Poller) -> Result<(), Over> {
        if !self.up {
            return Ok(());
        }
        client.poll_transmit(&mut self.out);
        let wanted = loop {
            let rest = self.out.get(self.taken..).unwrap_or_default();
            let part = rest.get(..self.stream.room()).unwrap_or(rest);
            let (count, all) = (part.len(), part.len() == rest.len());
            self.taken += self.stream.queue(part);
            match self.stream.flush() {
                // Of a full queue nothing leaves during a handshake: it waits for the peer.
                Flush::Done if all || count == 0 => break Interest::Read,
                Flush::Done => {}
                Flush::Blocked => break Interest::ReadWrite,
                Flush::Failed(kind) => return Err(io::Error::from(kind).into()),
            }
        };
        if self.taken == self.out.len() {
            self.out.clear();
            self.taken = 0;
        }
        if wanted != self.interest {
            poller.change(&self.stream, STREAM, wanted)?;
            self.interest = wanted;
        }
        Ok(())
    }
}

fn closed() -> Over {
    Over::Closed("the broker closed".to_owned())
}

impl Wire {
    fn room(&self) -> usize {
        match self {
            Self::Tcp(stream) => stream.room(),
            Self::Tls(stream) => stream.room(),
        }
    }

    /// How much of it was taken: all that there is room for.
    fn queue(&mut self, bytes: &[u8]) -> usize {
        let taken = match self {
            Self::Tcp(stream) => stream.queue(bytes),
            Self::Tls(stream) => stream.queue(bytes),
        };
        taken.map_or(0, |()| bytes.len())
    }

    fn flush(&mut self) -> Flush {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Tls(stream) => stream.as_fd(),
        }
    }
}
