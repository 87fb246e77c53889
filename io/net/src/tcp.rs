//! Non-blocking TCP: a listener, and a stream with a bounded write queue.
//!
//! A stream knows neither framing nor time: limits in seconds are the caller's. Whatever the peer
//! or the kernel does comes back as one variant of [`Read`] or [`Flush`].

use crate::limits::{
    BACKLOG, KEEP_ALIVE, KEEP_ALIVE_AGAIN, KEEP_ALIVE_TRIES, WRITE_QUEUE, WRITE_QUEUE_KEPT,
};
use crate::udp::mark;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener as StdListener, TcpStream as StdStream};
use std::os::fd::{AsFd, BorrowedFd};

/// Has the kernel ask a silent peer whether it is still there, so that a connection whose other end
/// is gone without a word ends after about two minutes.
///
/// # Errors
/// The kernel does not take the option; the socket works without it.
pub fn keep_alive(socket: &impl AsFd) -> io::Result<()> {
    let asking = TcpKeepalive::new()
        .with_time(KEEP_ALIVE)
        .with_interval(KEEP_ALIVE_AGAIN)
        .with_retries(KEEP_ALIVE_TRIES);
    SockRef::from(socket).set_tcp_keepalive(&asking)
}

/// A bound, listening, non-blocking socket.
#[derive(Debug)]
pub struct Listener {
    listener: StdListener,
    local: SocketAddr,
}

impl Listener {
    /// Binds and listens; port 0 takes a free one. `dscp` (0–63) marks what accepted streams send.
    ///
    /// # Errors
    /// When the address is in use or not ours.
    pub fn bind(address: SocketAddr, dscp: u8) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // A restart must not wait for the old connections' TIME_WAIT.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        mark(&socket, address, dscp)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = StdListener::from(socket);
        let local = listener.local_addr()?;
        Ok(Self { listener, local })
    }

    /// The address bound, with the port that was given.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The next waiting connection; `None` when there is none.
    ///
    /// # Errors
    /// Above all when the process has no descriptor left: the connection then still waits, and the
    /// poller would report it at once again.
    pub fn accept(&self) -> io::Result<Option<(Stream, SocketAddr)>> {
        loop {
            match self.listener.accept() {
                Ok((stream, from)) => return Ok(Some((Stream::of(stream)?, from))),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(None),
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

/// What a read found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// That many bytes are in the buffer.
    Bytes(usize),
    /// Nothing waits.
    Blocked,
    /// The peer has closed its side.
    Ended,
    /// The connection is broken.
    Failed(io::ErrorKind),
}

/// What a flush did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// The queue is empty.
    Done,
    /// The kernel takes no more now: wait for room to write.
    Blocked,
    /// The connection is broken.
    Failed(io::ErrorKind),
}

/// The write queue would pass [`WRITE_QUEUE`]; nothing of the bytes was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueFull;

/// One connection, connecting or up, with what waits to be written.
#[derive(Debug)]
pub struct Stream {
    socket: StdStream,
    queue: Vec<u8>,
    /// Bytes of the queue that have been written.
    written: usize,
}

impl Stream {
    /// Starts to connect, from the local address `from` where one is given. When the poller reports
    /// the stream as writable, [`Self::connected`] tells how it ended.
    ///
    /// # Errors
    /// When it cannot even start: no route, no descriptor, no local port.
    pub fn connect(to: SocketAddr, from: Option<IpAddr>, dscp: u8) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        mark(&socket, to, dscp)?;
        if let Some(from) = from {
            socket.bind(&SocketAddr::new(from, 0).into())?;
        }
        match socket.connect(&to.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(nix::libc::EINPROGRESS) => {}
            Err(error) => return Err(error),
        }
        Self::of(StdStream::from(socket))
    }

    fn of(socket: StdStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, queue: Vec::new(), written: 0 })
    }

    /// How a connect ended.
    ///
    /// # Errors
    /// Why the connection is not up. A port of the ephemeral range on our own host may connect to
    /// itself when nobody listens; that counts as refused.
    pub fn connected(&self) -> io::Result<()> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        if self.socket.peer_addr()? == self.socket.local_addr()? {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(())
    }

    /// The address at our end.
    ///
    /// # Errors
    /// When the socket is already broken.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The socket, for a layer above that writes by itself.
    pub(crate) fn socket(&self) -> &StdStream {
        &self.socket
    }

    /// Reads once into the caller's buffer.
    pub fn read(&mut self, buffer: &mut [u8]) -> Read {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Read::Ended,
                Ok(count) => return Read::Bytes(count),
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => return Read::Blocked,
                    kind => return Read::Failed(kind),
                },
            }
        }
    }

    /// Appends to the write queue; [`Self::flush`] writes it.
    ///
    /// # Errors
    /// [`QueueFull`] when the peer does not read.
    pub fn queue(&mut self, bytes: &[u8]) -> Result<(), QueueFull> {
        if bytes.len() > self.room() {
            return Err(QueueFull);
        }
        if self.written > 0 {
            self.queue.drain(..self.written);
            self.written = 0;
        }
        self.queue.extend_from_slice(bytes);
        Ok(())
    }

    /// Bytes that wait to be written.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len() - self.written
    }

    /// Bytes that [`Self::queue`] would take now.
    #[must_use]
    pub fn room(&self) -> usize {
        WRITE_QUEUE - self.waiting()
    }

    /// Writes what waits: one write, unless the kernel takes only a part.
    pub fn flush(&mut self) -> Flush {
        while let Some(rest) = self.queue.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.socket.write(rest) {
                Ok(count) => self.written += count,
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => return Flush::Blocked,
                    kind => return Flush::Failed(kind),
                },
            }
        }
        self.queue.clear();
        self.written = 0;
        self.queue.shrink_to(WRITE_QUEUE_KEPT);
        Flush::Done
    }

    /// Closes our side: the peer sees the end after what was written, and may still send.
    pub fn close_write(&mut self) {
        // Of a connection that is broken already there is nothing left to close.
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests;
