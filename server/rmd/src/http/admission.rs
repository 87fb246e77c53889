//! The door of the HTTP port: at most [`HTTP_CONNECTIONS`] at once, and none that says nothing.

use crate::limits::{HTTP_CONNECTIONS, HTTP_IDLE};
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// How long the door stays shut after an accept that failed for want of descriptors.
const REST: Duration = Duration::from_millis(100);

/// A listener with a limit.
pub(super) struct Admission {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Admission {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(HTTP_CONNECTIONS)) }
    }
}

impl Listener for Admission {
    type Io = Visitor;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visitor, SocketAddr) {
        loop {
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
                // The semaphore is never closed.
                sleep(REST).await;
                continue;
            };
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    let silence = Box::pin(sleep(HTTP_IDLE));
                    return (Visitor { stream, silence, _place: place }, address);
                }
                Err(_) => sleep(REST).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source(pub(super) SocketAddr);

impl Connected<IncomingStream<'_, Admission>> for Source {
    fn connect_info(stream: IncomingStream<'_, Admission>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// A connection that holds its place until it ends.
pub(super) struct Visitor {
    stream: TcpStream,
    /// Ends the connection when nothing was read for so long.
    silence: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Visitor {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Poll::Ready(result) = Pin::new(&mut this.stream).poll_read(context, buffer) {
            this.silence.set(sleep_until(Instant::now() + HTTP_IDLE));
            return Poll::Ready(result);
        }
        ready!(this.silence.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Visitor {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
