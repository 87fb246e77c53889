//! One TCP connection to a broker: bytes between the socket and the protocol machine.

use super::WAKER;
use crate::limits::BROKER_CONNECT;
use net::tcp::{Flush, Read, Stream};
use net::waker::WakeReceiver;
use net::{Interest, Poller, Ready, Token};
use openwire::Client;
use std::io;
use std::net::ToSocketAddrs;
use std::time::Duration;

/// The connection's name in the poller.
const STREAM: Token = Token(1);
/// Bytes of one read: answers are short.
const READ: usize = 16 * 1024;

/// A connection, coming up or up.
pub(super) struct Link {
    stream: Stream,
    up: bool,
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
    /// The spool cannot be read.
    #[error("spool: {0}")]
    Spool(String),
}

impl Link {
    /// Starts to connect. Resolving the name may block; this thread has nothing else to do.
    pub(super) fn connect(host: &str, port: u16, poller: &Poller) -> io::Result<Self> {
        let address = (host, port)
            .to_socket_addrs()?
            .next()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))?;
        let stream = Stream::connect(address, None, 0)?;
        poller.add(&stream, STREAM, Interest::Write)?;
        Ok(Self {
            stream,
            up: false,
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
        (!self.up).then(|| *self.connect_by.get_or_insert(now + BROKER_CONNECT))
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
                self.stream.connected()?;
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
            match self.stream.read(&mut self.buffer) {
                Read::Bytes(count) => {
                    client.handle_input(now, self.buffer.get(..count).unwrap_or_default());
                    self.readable = count == self.buffer.len();
                }
                Read::Blocked => {}
                Read::Ended => return Err(Over::Closed("the broker closed".to_owned())),
                Read::Failed(kind) => return Err(io::Error::from(kind).into()),
            }
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
            if self.stream.queue(part).is_ok() {
                self.taken += count;
            }
            match self.stream.flush() {
                Flush::Done if all => break Interest::Read,
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
