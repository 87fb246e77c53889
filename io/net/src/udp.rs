//! UDP in batches: one system call takes many datagrams, one sends many.
//!
//! Sockets travel between threads; batches belong to the thread that made them and keep their
//! buffers. It must not retry, wait or drop in silence: what the kernel refuses comes back to the
//! caller with the address it was for.

mod drops;
mod errors;

pub use drops::KernelDrops;

use crate::limits::{DATAGRAM, RECEIVE_BATCH, RECEIVE_BUFFER, SEND_BATCH, SEND_BUFFER, SEND_TRIES};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrStorage,
    recvmmsg, sendmmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};
use std::array;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

/// A bound, non-blocking UDP socket whose packets carry the kernel's time of receipt.
#[derive(Debug)]
pub struct UdpSocket {
    socket: StdSocket,
    local: SocketAddr,
    receive_buffer: usize,
}

impl UdpSocket {
    /// Binds; port 0 takes a free one. `dscp` (0–63) marks what is sent.
    ///
    /// # Errors
    /// When the address is in use or not ours, or an option is not known to the kernel.
    pub fn bind(address: SocketAddr, dscp: u8) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        mark(&socket, address, dscp)?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.set_send_buffer_size(SEND_BUFFER)?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        if address.is_ipv6() {
            setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?;
        } else {
            setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?;
        }
        socket.bind(&address.into())?;
        // The kernel counts its own bookkeeping in and reports twice what can be used.
        let receive_buffer = socket.recv_buffer_size()? / 2;
        let socket = StdSocket::from(socket);
        let local = socket.local_addr()?;
        Ok(Self { socket, local, receive_buffer })
    }

    /// Speaks with this address only from now on: what others send is not received.
    ///
    /// # Errors
    /// When the kernel knows no way there.
    pub fn connect(&self, to: SocketAddr) -> io::Result<()> {
        self.socket.connect(to)
    }

    /// The address bound, with the port that was given.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Bytes of receive buffer that the kernel gave; less than [`RECEIVE_BUFFER`] is worth a log.
    #[must_use]
    pub fn receive_buffer(&self) -> usize {
        self.receive_buffer
    }
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// One datagram of a [`ReceiveBatch`].
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    /// Whole payload.
    pub bytes: &'a [u8],
    /// Source address.
    pub from: SocketAddr,
    /// The kernel's time of receipt, since 1970 UTC.
    pub received: Option<Duration>,
}

/// Buffers for one `recvmmsg`, used again by each call.
#[derive(Debug)]
pub struct ReceiveBatch {
    /// For each address family: the kernel leaves in a header how long the source was, and nobody
    /// sets it back. One that has held an IPv4 source would cut off an IPv6 one.
    v4: MultiHeaders<SockaddrStorage>,
    v6: MultiHeaders<SockaddrStorage>,
    buffers: Box<[u8]>,
    packets: Vec<Packet>,
}

#[derive(Debug)]
struct Packet {
    slot: usize,
    len: usize,
    from: SocketAddr,
    received: Option<Duration>,
}

impl Default for ReceiveBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl ReceiveBatch {
    /// Buffers for [`RECEIVE_BATCH`] datagrams of any size.
    #[must_use]
    pub fn new() -> Self {
        let headers = || MultiHeaders::preallocate(RECEIVE_BATCH, Some(cmsg_space!(TimeSpec)));
        Self {
            v4: headers(),
            v6: headers(),
            buffers: vec![0; RECEIVE_BATCH * DATAGRAM].into_boxed_slice(),
            packets: Vec::with_capacity(RECEIVE_BATCH),
        }
    }

    /// Takes what waits, at most [`RECEIVE_BATCH`] datagrams, in place of the former ones. Returns
    /// how many there are; a full batch means that more may wait.
    ///
    /// # Errors
    /// What the kernel reports for the socket; an empty socket is no error but 0, and so is one
    /// that has errors of sent datagrams to tell: [`UdpSocket::take_errors`].
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.packets.clear();
        let mut chunks = self.buffers.chunks_exact_mut(DATAGRAM);
        let mut slots: [[IoSliceMut<'_>; 1]; RECEIVE_BATCH] =
            array::from_fn(|_| [IoSliceMut::new(chunks.next().unwrap_or_default())]);
        let (fd, flags) = (socket.socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        let headers = if socket.local.is_ipv6() { &mut self.v6 } else { &mut self.v4 };
        match recvmmsg(fd, headers, slots.iter_mut(), flags, None) {
            Ok(messages) => {
                for (slot, message) in messages.enumerate() {
                    let Some(from) = message.address.as_ref().and_then(socket_address) else {
                        continue;
                    };
                    let received = message.cmsgs().ok().and_then(|mut all| all.find_map(timestamp));
                    self.packets.push(Packet { slot, len: message.bytes, from, received });
                }
                Ok(self.packets.len())
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(0),
            Err(error) if errors::is_pending(error) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// The datagrams of the last [`Self::receive`], in order of receipt.
    pub fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        self.packets.iter().map(|packet| {
            let start = packet.slot * DATAGRAM;
            let bytes = self.buffers.get(start..start + packet.len).unwrap_or_default();
            Datagram { bytes, from: packet.from, received: packet.received }
        })
    }
}

/// Datagrams to leave one socket, as ranges of a buffer that the caller owns.
#[derive(Debug)]
pub struct SendBatch {
    headers: MultiHeaders<SockaddrStorage>,
    queue: Vec<(Range<usize>, SocketAddr)>,
}

/// A datagram that did not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendFailure {
    /// Where it was to go.
    pub to: SocketAddr,
    /// Why.
    pub why: Unsent,
}

/// Why a datagram did not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsent {
    /// The send buffer is full: a passing state of our own host that says nothing of the peer.
    Full,
    /// No datagram can be that large; says nothing of the peer either.
    TooLarge,
    /// The kernel will not send to this address now, or the network says that what was sent there
    /// cannot arrive.
    Refused(io::ErrorKind),
}

impl Default for SendBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl SendBatch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        let headers = MultiHeaders::preallocate(SEND_BATCH, None);
        Self { headers, queue: Vec::with_capacity(SEND_BATCH) }
    }

    /// Queues one datagram: a range of the buffer that [`Self::flush`] will be given.
    pub fn push(&mut self, range: Range<usize>, to: SocketAddr) {
        self.queue.push((range, to));
    }

    /// Nothing is queued.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Sends what is queued, in order, and empties the queue; returns how many left. What cannot
    /// leave is given to `failed` and skipped, and so are earlier ones that never arrived.
    pub fn flush(
        &mut self,
        socket: &UdpSocket,
        buffer: &[u8],
        mut failed: impl FnMut(SendFailure),
    ) -> usize {
        let (mut next, mut sent, mut tries) = (0, 0, 0);
        while let Some(waiting) = self.queue.get(next..).filter(|waiting| !waiting.is_empty()) {
            let chunk = waiting.get(..SEND_BATCH).unwrap_or(waiting);
            match send(&mut self.headers, socket, buffer, chunk) {
                Ok(count) => {
                    next += count;
                    sent += count;
                    tries = 0;
                }
                Err(Errno::EINTR) => {}
                Err(error) if errors::is_pending(error) && tries < SEND_TRIES => {
                    tries += 1;
                    socket.take_errors(|to, kind| {
                        failed(SendFailure { to, why: Unsent::Refused(kind) });
                    });
                }
                Err(error) => {
                    let why = match error {
                        Errno::EAGAIN | Errno::ENOBUFS => Unsent::Full,
                        Errno::EMSGSIZE => Unsent::TooLarge,
                        other => Unsent::Refused(io::Error::from(other).kind()),
                    };
                    failed(SendFailure { to: chunk[0].1, why });
                    next += 1;
                    tries = 0;
                }
            }
        }
        self.queue.clear();
        sent
    }
}

/// One `sendmmsg`; how many left. An error is that of the first one.
fn send(
    headers: &mut MultiHeaders<SockaddrStorage>,
    socket: &UdpSocket,
    buffer: &[u8],
    chunk: &[(Range<usize>, SocketAddr)],
) -> nix::Result<usize> {
    let bytes = |index: usize| -> &[u8] {
        let range = chunk.get(index).map(|(range, _)| range.clone());
        range.and_then(|range| buffer.get(range)).unwrap_or_default()
    };
    let slices: [[IoSlice<'_>; 1]; SEND_BATCH] = array::from_fn(|i| [IoSlice::new(bytes(i))]);
    let addresses: [Option<SockaddrStorage>; SEND_BATCH] =
        array::from_fn(|i| chunk.get(i).map(|(_, to)| SockaddrStorage::from(*to)));
    let slices = slices.get(..chunk.len()).unwrap_or_default();
    let (fd, flags) = (socket.socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
    let sent = sendmmsg(fd, headers, slices, addresses, [], flags)?;
    Ok(sent.count())
}

/// Marks what leaves the socket with a DSCP.
pub(crate) fn mark(socket: &Socket, address: SocketAddr, dscp: u8) -> io::Result<()> {
    let tos = u32::from(dscp & 0x3f) << 2;
    if address.is_ipv6() { socket.set_tclass_v6(tos) } else { socket.set_tos_v4(tos) }
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|&v4: &SockaddrIn| SocketAddr::V4(v4.into()));
    let v6 = || address.as_sockaddr_in6().map(|&v6: &SockaddrIn6| SocketAddr::V6(v6.into()));
    v4.or_else(v6)
}

fn timestamp(message: ControlMessageOwned) -> Option<Duration> {
    match message {
        ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
