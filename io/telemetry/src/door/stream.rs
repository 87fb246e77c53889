//! The bytes of a visitor: plain, or TLS from the handshake on.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::Accept;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::server::TlsStream;

/// One connection.
pub(super) enum Stream {
    Plain(TcpStream),
    /// Nothing is read or written before it has ended; it keeps its place until then.
    Shaking {
        accept: Box<Accept<TcpStream>>,
        _place: OwnedSemaphorePermit,
    },
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(super) fn shake(accept: Accept<TcpStream>, place: OwnedSemaphorePermit) -> Self {
        Self::Shaking { accept: Box::new(accept), _place: place }
    }

    pub(super) fn is_shaking(&self) -> bool {
        matches!(self, Self::Shaking { .. })
    }

    /// Goes on with the handshake.
    pub(super) fn poll_shake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Self::Shaking { accept, .. } = self {
            let stream = ready!(Pin::new(accept.as_mut()).poll(context))?;
            *self = Self::Tls(Box::new(stream));
        }
        Poll::Ready(Ok(()))
    }

    /// The far end's certificate.
    pub(super) fn certificate(&self) -> Option<CertificateDer<'static>> {
        let Self::Tls(stream) = self else { return None };
        let (_, session) = stream.get_ref();
        Some(session.peer_certificates()?.first()?.clone().into_owned())
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Shaking { .. } => "Shaking",
            Self::Tls(_) => "Tls",
        })
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Shaking { .. } => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Shaking { .. } => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            // nothing was written yet
            Self::Shaking { .. } => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            // there is nobody to say goodbye to
            Self::Shaking { .. } => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}
