//! The bytes of one connection, plain or under TLS, with the same verbs: ready, read, write, leave.
//!
//! Nothing here waits but [`Socket::ready`], [`Socket::shake`] and [`Socket::leave`]. Under TLS the
//! session is driven by hand over the non-blocking socket, so that a connection costs one task
//! either way. Knows no protocol.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::{ServerConfig, ServerConnection};
use tokio::io::{AsyncWriteExt, Interest, Ready};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Reads from the kernel for one read of ours: records without content end it too.
const TURNS: usize = 64;

/// One connection.
pub(super) struct Socket {
    tcp: TcpStream,
    tls: Option<Box<ServerConnection>>,
    /// Bytes that came out of records and are not read yet.
    plain: usize,
}

impl Socket {
    /// Without TLS, so far.
    pub(super) fn new(tcp: TcpStream) -> Self {
        Self { tcp, tls: None, plain: 0 }
    }

    /// Begins TLS; `first` is what has been read of it.
    pub(super) fn secure(&mut self, config: Arc<ServerConfig>, first: &[u8]) -> io::Result<()> {
        let mut tls = Box::new(ServerConnection::new(config).map_err(broken)?);
        let mut first = first;
        while !first.is_empty() {
            tls.read_tls(&mut first)?;
        }
        self.tls = Some(tls);
        Ok(())
    }

    /// It is under TLS.
    pub(super) const fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// What the handshake has shown of the peer.
    pub(super) fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.tls.as_ref()?.peer_certificates()?.first()
    }

    /// The handshake, to its end.
    pub(super) async fn shake(&mut self) -> io::Result<()> {
        while let Some(tls) = self.tls.as_mut().filter(|tls| tls.is_handshaking()) {
            let interest = match tls.wants_write() {
                true => Interest::READABLE | Interest::WRITABLE,
                false => Interest::READABLE,
            };
            self.tcp.ready(interest).await?;
            match advance(tls, &self.tcp) {
                Ok((0, _)) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok((_, plain)) => self.plain = plain,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until it can be read or written; for ever without an interest.
    pub(super) async fn ready(&self, interest: Option<Interest>) -> io::Result<Ready> {
        let sealed = self.tls.as_ref().is_some_and(|tls| tls.wants_write());
        let interest = match interest {
            Some(interest) if interest.is_readable() && self.plain > 0 => {
                return Ok(Ready::READABLE);
            }
            Some(interest) if sealed => interest | Interest::WRITABLE,
            Some(interest) => interest,
            None if sealed => Interest::WRITABLE,
            None => return std::future::pending().await,
        };
        self.tcp.ready(interest).await
    }

    /// As a socket reads: 0 at the end, `WouldBlock` when there is nothing.
    pub(super) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.tcp.try_read(buffer) };
        for _ in 0..TURNS {
            match tls.reader().read(buffer) {
                Ok(count) => {
                    self.plain = self.plain.saturating_sub(count);
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            match advance(tls, &self.tcp)? {
                (0, _) => return Ok(0),
                (_, plain) => self.plain = plain,
            }
        }
        Err(ErrorKind::WouldBlock.into())
    }

    /// As a socket writes; what TLS has sealed and the kernel has not taken waits for
    /// [`Self::flush`].
    pub(super) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.tcp.try_write(bytes) };
        let count = tls.writer().write(bytes)?;
        flush(tls, &self.tcp)?;
        if count == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(count) }
    }

    /// Writes what waits in records.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => flush(tls, &self.tcp),
            None => Ok(()),
        }
    }

    /// Says the last words, gives the peer so long to end it itself, ends our direction and runs
    /// the peer's dry: closing with unread bytes would take the words back by a reset.
    pub(super) async fn leave(mut self, mut last: &[u8], grace: Duration) -> io::Result<()> {
        while !last.is_empty() {
            match self.try_write(last) {
                Ok(count) => last = last.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.tcp.writable().await?;
                }
                Err(error) => return Err(error),
            }
        }
        if !grace.is_zero()
            && let Ok(ended) = timeout(grace, run_dry(&self.tcp)).await
        {
            return ended;
        }
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            while tls.wants_write() {
                self.tcp.writable().await?;
                flush(tls, &self.tcp)?;
            }
        }
        self.tcp.shutdown().await?;
        run_dry(&self.tcp).await
    }
}

/// Reads until the peer sends nothing more.
async fn run_dry(tcp: &TcpStream) -> io::Result<()> {
    let mut bytes = [0; 4096];
    loop {
        tcp.readable().await?;
        match tcp.try_read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads once from the kernel and goes on with the session: bytes read, and bytes that it has for
/// us now. What the session has to say (its part of the handshake, an alert) is said.
fn advance(tls: &mut ServerConnection, tcp: &TcpStream) -> io::Result<(usize, usize)> {
    let read = tls.read_tls(&mut Kernel(tcp))?;
    let state = tls.process_new_packets();
    flush(tls, tcp)?;
    Ok((read, state.map_err(broken)?.plaintext_bytes_to_read()))
}

/// Writes records as long as the kernel takes them.
fn flush(tls: &mut ServerConnection, tcp: &TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        match tls.write_tls(&mut Kernel(tcp)) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn broken(error: rustls::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

/// The socket as the session wants it.
struct Kernel<'s>(&'s TcpStream);

impl Read for Kernel<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Kernel<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
