//! One stream under TLS: records in and out, a bounded queue of what is to be sent.
//!
//! It never blocks and never reads a clock. What a peer does wrong is kept as a word for the
//! metric and a text for the log; nothing panics.

use super::meter::Meter;
use super::name::Identity;
use crate::limits::{PLAIN_PIECE, WRITE_QUEUE, WRITE_QUEUE_KEPT};
use crate::tcp::{self, Flush, QueueFull};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConnection, ConnectionCommon, ServerConnection, SideData};
use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// What a read found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Records came; what they carried has gone to the sink.
    Records,
    /// Nothing waits.
    Blocked,
    /// The peer has closed its side.
    Ended,
    /// The connection is broken.
    Failed(io::ErrorKind),
}

/// Which end of TLS we are.
#[derive(Debug)]
pub(super) enum Session {
    Client(Box<ClientConnection>),
    Server(Box<ServerConnection>),
}

/// One connection, connecting, in its handshake, or up.
#[derive(Debug)]
pub struct Stream {
    tcp: tcp::Stream,
    pub(super) session: Session,
    meter: Meter,
    /// What is to be sent and not yet in records.
    queue: Vec<u8>,
    /// Bytes of the queue that are in records.
    taken: usize,
    over: Option<&'static str>,
    fault: Option<String>,
}

impl Stream {
    pub(super) fn new(tcp: tcp::Stream, session: Session) -> Self {
        let (meter, queue) = (Meter::default(), Vec::new());
        Self { tcp, session, meter, queue, taken: 0, over: None, fault: None }
    }

    /// How our TCP connect ended.
    ///
    /// # Errors
    /// Why the connection is not up.
    pub fn connected(&self) -> io::Result<()> {
        self.tcp.connected()
    }

    /// Messages cannot pass yet.
    #[must_use]
    pub fn handshaking(&self) -> bool {
        match &self.session {
            Session::Client(session) => session.is_handshaking(),
            Session::Server(session) => session.is_handshaking(),
        }
    }

    /// We opened it, and so have verified the other end.
    #[must_use]
    pub fn is_client(&self) -> bool {
        matches!(self.session, Session::Client(_))
    }

    /// What the far end, at `address`, has proven to be; `None` if it has shown no certificate.
    #[must_use]
    pub fn identity(&self, address: IpAddr) -> Option<Identity> {
        let shown = match &self.session {
            Session::Client(session) => session.peer_certificates(),
            Session::Server(session) => session.peer_certificates(),
        };
        let own: &CertificateDer<'_> = shown?.first()?;
        Some(Identity::of(own, address))
    }

    /// Why nothing more will come, in a word for the metric: the peer has said so (`ended`), has
    /// broken TLS (`handshake`, `tls`), or has sent too many records without content (`flood`).
    #[must_use]
    pub fn over(&self) -> Option<&'static str> {
        self.over
    }

    /// What was wrong, if something was.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Reads once from the socket, by way of `scratch` (at least 32 KiB); what was carried goes to
    /// `sink`. Afterwards [`Self::over`] tells whether the records have ended it.
    pub fn read(
        &mut self,
        now: Duration,
        scratch: &mut [u8],
        sink: &mut impl FnMut(&[u8]),
    ) -> Read {
        let (sealed, plain) = scratch.split_at_mut(scratch.len() / 2);
        let count = match self.tcp.read(sealed) {
            tcp::Read::Bytes(count) => count,
            tcp::Read::Blocked => return Read::Blocked,
            tcp::Read::Ended => return Read::Ended,
            tcp::Read::Failed(kind) => return Read::Failed(kind),
        };
        let mut rest = sealed.get(..count).unwrap_or_default();
        while !rest.is_empty() && self.over.is_none() {
            let (used, complete) = self.meter.cut(rest);
            let Some((piece, behind)) = rest.split_at_checked(used) else { break };
            rest = behind;
            let shaking = self.handshaking();
            let carried = match &mut self.session {
                Session::Client(session) => take(&mut **session, piece, plain, sink),
                Session::Server(session) => take(&mut **session, piece, plain, sink),
            };
            match carried {
                Ok(Carried { bytes: 0, closed: false }) if complete && !shaking => {
                    if self.meter.idle(now) {
                        self.break_off("flood", "too many records without content".to_owned());
                    }
                }
                Ok(Carried { closed: true, .. }) => self.over = Some("ended"),
                Ok(_) => {}
                Err(error) => {
                    self.break_off(if shaking { "handshake" } else { "tls" }, error);
                }
            }
        }
        Read::Records
    }

    /// The peer is told, if the kernel takes it; then nothing more is read.
    fn break_off(&mut self, why: &'static str, fault: String) {
        self.over = Some(why);
        self.fault = Some(fault);
        // An alert that cannot leave now never will: the connection closes.
        let _ = self.write_records();
    }

    /// Appends to the write queue; [`Self::flush`] writes it.
    ///
    /// # Errors
    /// [`QueueFull`] when the peer does not read; nothing of the bytes was taken.
    pub fn queue(&mut self, bytes: &[u8]) -> Result<(), QueueFull> {
        if bytes.len() > self.room() {
            return Err(QueueFull);
        }
        if self.taken > 0 {
            self.queue.drain(..self.taken);
            self.taken = 0;
        }
        self.queue.extend_from_slice(bytes);
        Ok(())
    }

    /// Bytes that [`Self::queue`] would take now.
    #[must_use]
    pub fn room(&self) -> usize {
        WRITE_QUEUE - (self.queue.len() - self.taken)
    }

    /// Something could be written now, if the kernel took it.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        self.wants_records() || (!self.handshaking() && self.queue.len() > self.taken)
    }

    /// Writes records, and seals more of the queue as the kernel takes them, so that little of it
    /// stands twice. During a handshake the queue waits.
    pub fn flush(&mut self) -> Flush {
        loop {
            match self.write_records() {
                Flush::Done => {}
                other => return other,
            }
            let rest = self.queue.get(self.taken..).unwrap_or_default();
            if rest.is_empty() || self.handshaking() {
                break;
            }
            let piece = rest.get(..PLAIN_PIECE).unwrap_or(rest);
            let sealed = match &mut self.session {
                Session::Client(session) => session.writer().write(piece),
                Session::Server(session) => session.writer().write(piece),
            };
            match sealed {
                Ok(count) => self.taken += count,
                Err(error) => return Flush::Failed(error.kind()),
            }
        }
        if self.taken == self.queue.len() {
            self.queue.clear();
            self.taken = 0;
            self.queue.shrink_to(WRITE_QUEUE_KEPT);
        }
        Flush::Done
    }

    /// Says that nothing more comes, and closes our side after it.
    pub fn close_write(&mut self) {
        match &mut self.session {
            Session::Client(session) => session.send_close_notify(),
            Session::Server(session) => session.send_close_notify(),
        }
        // What the kernel does not take now is lost with the connection.
        let _ = self.write_records();
        self.tcp.close_write();
    }

    fn wants_records(&self) -> bool {
        match &self.session {
            Session::Client(session) => session.wants_write(),
            Session::Server(session) => session.wants_write(),
        }
    }

    fn write_records(&mut self) -> Flush {
        while self.wants_records() {
            let written = match &mut self.session {
                Session::Client(session) => session.write_tls(&mut self.tcp.socket()),
                Session::Server(session) => session.write_tls(&mut self.tcp.socket()),
            };
            match written {
                Ok(_) => {}
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => return Flush::Blocked,
                    kind => return Flush::Failed(kind),
                },
            }
        }
        Flush::Done
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tcp.as_fd()
    }
}

impl Drop for Stream {
    /// Whoever closes a healthy connection says so, as RFC 8446 §6.1 asks.
    fn drop(&mut self) {
        if self.over.is_none() && !self.handshaking() {
            self.close_write();
        }
    }
}

/// What a piece of a record brought.
struct Carried {
    bytes: usize,
    closed: bool,
}

/// Puts a piece of one record into the session and what it carried into the sink.
fn take<D: SideData>(
    session: &mut ConnectionCommon<D>,
    mut piece: &[u8],
    plain: &mut [u8],
    sink: &mut impl FnMut(&[u8]),
) -> Result<Carried, String> {
    let mut carried = Carried { bytes: 0, closed: false };
    while !piece.is_empty() {
        match session.read_tls(&mut piece) {
            // Behind a close_notify nothing is read.
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
        let state = session.process_new_packets().map_err(|error| error.to_string())?;
        carried.closed = state.peer_has_closed();
        while let Ok(count @ 1..) = session.reader().read(plain) {
            sink(plain.get(..count).unwrap_or_default());
            carried.bytes += count;
        }
    }
    Ok(carried)
}
