//! Port 8888: everything that is asked of the Config Server (ops.md §1.4).
//!
//! Handlers read a request, ask the books and print. They decide nothing about objects: what is
//! refused is a row of `refusal.rs`. Reads answer from memory and never wait for the store.

mod access;
mod admin;
mod answer;
mod audit;
mod body;
mod clients;
mod counters;
mod glob;
mod history;
mod limits;
mod log;
mod metrics;
mod objects;
mod openapi;
mod packed;
mod path;
mod probes;
mod problem;
mod query;
mod routes;
mod schema;
mod snapshot;
mod streams;
mod tokens;
mod transactions;
mod watch;
mod writes;

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::MethodRouter;
use config::settings::{Access, ClientRole};
use model::time::Millis;
use net::Clock;
use net::failures::Failures;
use rustls::ServerConfig;
use telemetry::Log;
use telemetry::door::{self, Door, Failed, Handshake};
use telemetry::health::Health;
use tokio::sync::{Semaphore, watch as changing};

use crate::books::Books;
use crate::error::StartError;
use crate::refusal::Refusal;
use config::certificates::Certificates;
use counters::Counters;
use streams::Streams;

/// What the handlers know.
pub(crate) struct Shared {
    pub(crate) books: Books,
    pub(crate) health: Health,
    pub(crate) log: Log,
    pub(crate) clock: Clock,
    /// Start of the process.
    pub(crate) started: Millis,
    pub(crate) settings: Settings,
    pub(crate) certificates: Option<Arc<Mutex<Certificates>>>,
    /// The directory of the store.
    pub(crate) home: PathBuf,
    /// Requests that are worked on.
    in_flight: Arc<Semaphore>,
    /// Event streams.
    watchers: Arc<Semaphore>,
    /// Answers that are made while they are sent.
    streams: Streams,
    counters: Counters,
    /// Failed logins by source. Whoever shows a good token is let in also from one that has to
    /// wait: a fleet may share one address.
    failures: Failures<IpAddr>,
    times: limits::Times,
}

/// Settings of the port.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// What whoever shows nothing may do.
    pub(crate) anonymous: Access,
    /// What names in certificates of clients may do.
    pub(crate) client_roles: Vec<ClientRole>,
    /// `/metrics` is for readers.
    pub(crate) http_metrics_auth: bool,
    /// A change has to say of which revision of the object.
    pub(crate) require_if_match: bool,
    /// Whoever asks for more than the probes has to show a certificate. The handshake asks for one
    /// and believes it or not, but cannot know what will be asked.
    pub(crate) certificate_required: bool,
}

/// What the port is made of.
pub(crate) struct Parts {
    pub(crate) books: Books,
    pub(crate) health: Health,
    pub(crate) log: Log,
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    pub(crate) certificates: Option<Arc<Mutex<Certificates>>>,
    pub(crate) home: PathBuf,
    /// Turns true when HTTP is to end.
    pub(crate) closed: changing::Receiver<bool>,
}

impl Shared {
    fn of(parts: Parts, times: limits::Times) -> Self {
        let Parts { books, health, log, clock, settings, certificates, home, closed: _ } = parts;
        Self {
            books,
            health,
            log,
            started: clock.now().wall,
            clock,
            settings,
            certificates,
            home,
            in_flight: Arc::new(Semaphore::new(limits::IN_FLIGHT)),
            watchers: Arc::new(Semaphore::new(limits::WATCHERS)),
            streams: Streams::default(),
            counters: Counters::default(),
            failures: Failures::new(limits::FAILURES),
            times,
        }
    }
}

/// Binds the port; it is served by [`serve`].
pub(crate) fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Serves until `parts.closed`; requests under way are answered.
pub(crate) async fn serve(
    listener: TcpListener,
    parts: Parts,
    tls: Option<changing::Receiver<Arc<ServerConfig>>>,
) {
    let mut closed = parts.closed.clone();
    // a listener that is bound and non-blocking already
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let door = Door::new(listener, limits::DOOR).per_address(limits::PER_ADDRESS);
    let shared = Arc::new(Shared::of(parts, limits::TIMES));
    let door = match tls {
        Some(material) => door.tls(material, failed(&shared)),
        None => door,
    };
    let service = door::service(router(shared));
    let serving = axum::serve(door, service).with_graceful_shutdown(async move {
        // a sender that is gone means the same
        let _closed = closed.wait_for(|closed| *closed).await;
    });
    // it never ends otherwise, and has no error
    let _ended = serving.await;
}

/// Counts handshakes that come to nothing, and tells what was wrong; that somebody only looked
/// whether the port is open is no news.
fn failed(shared: &Arc<Shared>) -> Failed {
    let shared = Arc::clone(shared);
    Failed::new(move |peer, how, error| {
        shared.counters.handshake(how);
        if how != Handshake::Left {
            let peer = peer.ip().to_string();
            shared.log.emit(10506, None, &[("peer", &peer), ("error", error)]);
        }
    })
}

fn router(shared: Arc<Shared>) -> Router {
    let mut guarded = Router::new();
    let mut open = Router::new();
    for route in routes::ROUTES {
        let path = route.path;
        let answered = map_response(move |mut response: Response| async move {
            response.extensions_mut().insert(access::Answered(path));
            response
        });
        let kept = from_fn_with_state((Arc::clone(&shared), path), writes::keep);
        let handlers: MethodRouter<Arc<Shared>> = (route.handlers)().layer(kept).layer(answered);
        if route.guarded {
            guarded = guarded.route(path, handlers);
        } else {
            open = open.route(path, handlers);
        }
    }
    let guarded = guarded.route_layer(from_fn_with_state(Arc::clone(&shared), access::check));
    guarded
        .merge(open)
        .fallback(nothing_here)
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn(packed::pack))
        .layer(from_fn_with_state(Arc::clone(&shared), access::name))
        .with_state(shared)
}

async fn nothing_here() -> Refusal {
    Refusal::NotFound("there is no such route".to_owned())
}

async fn no_such_method() -> Refusal {
    Refusal::MethodNotAllowed
}

#[cfg(test)]
mod tests;
