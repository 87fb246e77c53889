//! The door of a daemon's HTTP port: so many connections at once, none on which nothing moves, and
//! none that takes longer than its time to say what it asks for.
//!
//! Knows little of HTTP: what is behind it is the daemon's. Beyond its limit a newcomer takes the
//! place of whoever has waited longest without a whole request, so that slow visitors never keep
//! a probe out. Where everybody's request is being answered it waits, and the kernel's queue holds
//! the others back. With TLS a handshake is the first thing that has its time, and few are under
//! way at once; from one address come only so many.

mod crowd;
mod failed;
mod head;
mod linger;
mod seat;
mod stream;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::extract::connect_info::{ConnectInfo, Connected, IntoMakeServiceWithConnectInfo};
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::CertificateDer;

use crowd::{Crowd, Guest};
pub use failed::{Failed, Handshake};
use head::Heads;
use linger::{Linger, Watched};
use seat::Seat;
use stream::Stream;

/// How long the door stays shut after an accept that failed for want of descriptors, and how often
/// a newcomer looks for a place.
const REST: Duration = Duration::from_millis(100);
/// Time of a TLS handshake, and how many are under way at once (ops.md §13).
const HANDSHAKE: Duration = Duration::from_secs(5);
const HANDSHAKES: usize = 256;
/// Bytes that come before a request is whole: a head without its body. More is no request.
const HEAD: usize = 64 << 10;

/// What the door allows.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// A connection that has sent no whole head of a request for so long is closed, whatever it
    /// sends meanwhile: counted from its begin, later from the first byte behind an answer.
    pub request: Duration,
    /// So is one on which nothing moved for so long.
    pub idle: Duration,
}

/// A listener with a limit.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
    limits: Limits,
    /// Who has come, oldest first, and may have gone.
    seats: Vec<Weak<Seat>>,
    crowd: Crowd,
    tls: Option<Tls>,
}

/// What handshakes are made of, as it is now.
#[derive(Debug)]
struct Tls {
    material: watch::Receiver<Arc<ServerConfig>>,
    places: Arc<Semaphore>,
    failed: Failed,
}

impl Door {
    /// Lets in whom these limits allow. What is served behind it is made by [`service`].
    #[must_use]
    pub fn new(listener: TcpListener, limits: Limits) -> Self {
        let places = Arc::new(Semaphore::new(limits.connections));
        let crowd = Crowd::new(usize::MAX);
        Self { listener, places, limits, seats: Vec::new(), crowd, tls: None }
    }

    /// At most so many connections from one address; further ones are closed at once.
    #[must_use]
    pub fn per_address(self, most: usize) -> Self {
        Self { crowd: Crowd::new(most), ..self }
    }

    /// Speaks TLS and nothing else, each handshake with what is newest then; one that comes to
    /// nothing is told.
    #[must_use]
    pub fn tls(self, material: watch::Receiver<Arc<ServerConfig>>, failed: Failed) -> Self {
        let places = Arc::new(Semaphore::new(HANDSHAKES));
        Self { tls: Some(Tls { material, places, failed }), ..self }
    }

    /// A place, if need be that of one of `others`.
    async fn place(
        &self,
        places: &Arc<Semaphore>,
        others: impl Fn(&Seat) -> bool,
    ) -> OwnedSemaphorePermit {
        loop {
            if places.available_permits() == 0 {
                self.dismiss(&others);
            }
            // the semaphore is never closed
            let free = Arc::clone(places).acquire_owned();
            if let Ok(Ok(place)) = timeout(REST, free).await {
                return place;
            }
        }
    }

    /// Has the connection closed that has waited longest without a whole request, among `others`.
    fn dismiss(&self, others: impl Fn(&Seat) -> bool) {
        let here = self.seats.iter().filter_map(Weak::upgrade).filter(|seat| others(seat));
        let waiting = here.filter_map(|seat| Some((seat.waits_since()?, seat)));
        if let Some((_, seat)) = waiting.min_by_key(|(since, _)| *since) {
            seat.dismiss();
        }
    }

    fn seat(&mut self) -> Arc<Seat> {
        if self.seats.len() >= self.limits.connections.saturating_mul(2) {
            self.seats.retain(|seat| seat.strong_count() > 0);
        }
        let seat = Arc::new(Seat::new(Arc::clone(&self.places), self.limits.connections));
        self.seats.push(Arc::downgrade(&seat));
        seat
    }
}

/// What is served behind a door, which is told of each request and of its answer.
pub fn service(router: Router) -> IntoMakeServiceWithConnectInfo<Router, Source> {
    router.layer(middleware::from_fn(hear)).into_make_service_with_connect_info()
}

/// While more than half of the places are taken nobody keeps one between two requests.
async fn hear(source: ConnectInfo<Source>, request: Request, next: Next) -> Response {
    let ConnectInfo(Source { seat, .. }) = source;
    seat.hear();
    seat.owes(!request.body().is_end_stream());
    let mut response = match head::refused(&request, seat.has_both_lengths()) {
        Some(refused) => refused,
        None => {
            let watched = |body| Body::new(Watched::new(body, Arc::clone(&seat)));
            next.run(if seat.still_owes() { request.map(watched) } else { request }).await
        }
    };
    seat.answer();
    if seat.is_crowded() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Where a connection comes from.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its other end.
    pub address: SocketAddr,
    seat: Arc<Seat>,
}

impl Source {
    /// The certificate that it has proven to be the owner of, if there is one.
    #[must_use]
    pub fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.seat.certificate()
    }
}

impl Connected<IncomingStream<'_, Door>> for Source {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        Self { address: *stream.remote_addr(), seat: Arc::clone(&stream.io().seat) }
    }
}

impl Listener for Door {
    type Io = Visitor;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visitor, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    // events are small and must not wait for more
                    let _ = stream.set_nodelay(true);
                    let Some(guest) = self.crowd.enter(address.ip()) else { continue };
                    let place = self.place(&self.places, |_| true).await;
                    let shaking = match &self.tls {
                        Some(tls) => Some(self.place(&tls.places, Seat::is_shaking).await),
                        None => None,
                    };
                    let seat = self.seat();
                    let (stream, open) = match (&self.tls, shaking) {
                        (Some(tls), Some(place)) => {
                            seat.shake(true);
                            let material = Arc::clone(&tls.material.borrow());
                            let accept = TlsAcceptor::from(material).accept(stream);
                            (Stream::shake(accept, place), Some(tls.failed.open(address)))
                        }
                        _ => (Stream::Plain(stream), None),
                    };
                    let Limits { request, idle, .. } = self.limits;
                    let first = if self.tls.is_some() { HANDSHAKE } else { request };
                    let visitor = Visitor {
                        stream,
                        seat,
                        request: Timer::new(request, first),
                        silence: Timer::new(idle, idle),
                        bytes: 0,
                        heads: Heads::default(),
                        linger: None,
                        open,
                        _guest: guest,
                        _place: place,
                    };
                    return (visitor, address);
                }
                Err(_) => sleep(REST).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that holds its place until it ends.
#[derive(Debug)]
pub struct Visitor {
    stream: Stream,
    seat: Arc<Seat>,
    /// Ends the connection when no whole request has come for so long.
    request: Timer,
    /// Ends the connection when nothing was read or written for so long.
    silence: Timer,
    /// Bytes of a request that is not whole yet.
    bytes: usize,
    heads: Heads,
    /// What still comes is thrown away.
    linger: Option<Linger>,
    /// The handshake, until it has ended.
    open: Option<failed::Open>,
    _guest: Guest,
    _place: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Timer {
    long: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl Timer {
    /// Rings after `first`, and so `long` after each restart.
    fn new(long: Duration, first: Duration) -> Self {
        Self { long, sleep: Box::pin(sleep(first)) }
    }

    fn restart(&mut self) {
        self.sleep.as_mut().reset(Instant::now() + self.long);
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.sleep.as_mut().poll(context)
    }
}

impl Visitor {
    /// It is to be closed although something may still come.
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        let waits = self.seat.waits(context.waker());
        self.seat.is_dismissed()
            || waits && (self.bytes > HEAD || self.request.poll(context).is_ready())
    }

    /// Goes on with the handshake, if that is what comes first; its end begins the time of the
    /// first request.
    fn poll_shake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.stream.is_shaking() {
            return Poll::Ready(Ok(()));
        }
        if let Err(error) = ready!(self.stream.poll_shake(context)) {
            self.open.take().into_iter().for_each(|open| open.fail(&error));
            return Poll::Ready(Err(error));
        }
        self.open.take().into_iter().for_each(failed::Open::succeed);
        self.seat.shake(false);
        self.seat.prove(self.stream.certificate());
        self.request.restart();
        Poll::Ready(Ok(()))
    }

    fn timed_out<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        ready!(self.silence.poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Visitor {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_over(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        ready!(this.poll_shake(context))?;
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(context, buffer) {
            Poll::Ready(result) => {
                this.silence.restart();
                let read = buffer.filled().get(before..).unwrap_or_default();
                this.bytes += read.len();
                if !read.is_empty() && this.seat.begin() {
                    this.request.restart();
                    this.bytes = read.len();
                }
                if let Some(request) = this.heads.read(read) {
                    this.seat.set_both_lengths(request);
                }
                Poll::Ready(result)
            }
            Poll::Pending => this.timed_out(context),
        }
    }
}

impl AsyncWrite for Visitor {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_shake(context))?;
        match Pin::new(&mut this.stream).poll_write(context, bytes) {
            Poll::Ready(result) => {
                this.silence.restart();
                this.seat.write();
                Poll::Ready(result)
            }
            Poll::Pending => this.timed_out(context),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            if !this.seat.still_owes() {
                return Poll::Ready(Ok(()));
            }
            this.seat.linger();
        }
        let linger = this.linger.get_or_insert_with(Linger::new);
        this.seat.waits(context.waker());
        if this.seat.is_dismissed() {
            return Poll::Ready(Ok(()));
        }
        linger.poll(&mut this.stream, context).map(Ok)
    }
}

#[cfg(test)]
mod tests;
