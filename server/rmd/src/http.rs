//! Port 8300: probes, metrics, and what an operator asks and does (rm.md §10).
//!
//! It runs on a thread and runtime of its own, so that a probe never waits for the engine; what
//! only the engine knows is asked over the inbox, with a limit in time.

mod access;
mod asked;
mod metrics;
mod probes;
mod problem;
mod shown;
mod v1;
mod whole;

use crate::application::Shown;
use crate::error::StartError;
use crate::figures::Pulse;
use crate::inbox::{Inbox, Input, Query};
use crate::kernel_drops::DropCounters;
use crate::limits::{HTTP_BODY, HTTP_DOOR, HTTP_LAST, HTTP_TIME};
use crate::publish::Publishing;
use crate::state::State;
use crate::wills::Wills;
pub(crate) use access::Tokens;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use config::source::FileSource;
use net::Clock;
use problem::Problem;
use spool::Spool;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use telemetry::ConfigClient;
use telemetry::door::{self, Door};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, Semaphore, oneshot};

/// What the handlers know.
pub(crate) struct Shared {
    pub(crate) inbox: Inbox,
    pub(crate) state: State,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) drops: Arc<DropCounters>,
    pub(crate) publishing: Arc<Publishing>,
    pub(crate) spool: Spool,
    pub(crate) clock: Clock,
    pub(crate) config: Config,
    pub(crate) admin: Admin,
}

/// How much `/metrics` tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metrics {
    /// Of single profiles too.
    pub(crate) profiles: bool,
    /// Series of one family; what is beyond is told as one.
    pub(crate) max_series: usize,
}

/// What is told, who may change something, and where it is kept.
pub(crate) struct Admin {
    pub(crate) metrics: Metrics,
    pub(crate) tokens: Option<Tokens>,
    /// Who the log may tell of besides addresses and media servers.
    pub(crate) peers: Vec<String>,
    /// What operators want of resources.
    pub(crate) wills: Wills,
    /// Held while a file of objects is read again: once at a time.
    pub(crate) reload: Arc<Mutex<()>>,
    /// Who may put a ladder together now.
    pub(crate) ladders: Semaphore,
}

/// Where the configuration comes from.
pub(crate) struct Config {
    /// As people read it.
    pub(crate) shown: String,
    /// The file of objects, if they come from one.
    pub(crate) file: Option<Arc<FileSource>>,
    /// What its source says.
    pub(crate) figures: Arc<ConfigClient>,
    /// What the node's Application object says.
    pub(crate) standing: Arc<Shown>,
}

impl Shared {
    /// Asks the engine and waits for the answer; the request's own time limits the wait.
    async fn ask<T>(&self, query: impl FnOnce(oneshot::Sender<T>) -> Query) -> Result<T, Problem> {
        let (reply, answer) = oneshot::channel();
        self.inbox.send(Input::Query(query(reply))).map_err(|_| Problem::busy())?;
        answer.await.map_err(|_| Problem::busy())
    }
}

/// Binds the port; it is served by [`serve`].
pub(crate) fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { what: "http", address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Serves until `stop` is sent or dropped. Call it on a thread of its own. A change that is under
/// way is kept; a file that is being read is not waited for.
pub(crate) fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    stop: oneshot::Receiver<()>,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let wills = shared.admin.wills.clone();
        let service = door::service(router(shared));
        let served = tokio::select! {
            result = axum::serve(Door::new(listener, HTTP_DOOR), service) => result,
            // Whoever asks in the last moment gets a closed connection, as from any stopped server.
            _ = stop => Ok(()),
        };
        let _turn = tokio::time::timeout(HTTP_LAST, wills.turn()).await;
        served
    });
    leave(runtime);
    served
}

/// Ends a runtime, whatever its threads may be waiting for: a disk can be away.
fn leave(runtime: Runtime) {
    runtime.shutdown_background();
}

fn router(shared: Arc<Shared>) -> Router {
    let v1 = Router::new()
        .route("/status", get(v1::status))
        .route("/calls", get(v1::calls::list))
        .route("/calls/{guid}", get(v1::calls::one).delete(v1::calls::hang_up))
        .route("/calls/{guid}/sip", get(v1::ladder::ladder))
        .route("/explain", post(v1::explain::explain))
        .route("/node/drain", post(v1::node::drain))
        .route("/node/undrain", post(v1::node::undrain))
        .route("/limits", get(v1::limits::list))
        .route("/tenants", get(v1::tenants::list))
        .route("/tenants/{name}", get(v1::tenants::one))
        .route("/dids/{number}", get(v1::tenants::did))
        .route("/resources", get(v1::resources::list))
        .route("/resources/{group}/{name}", get(v1::resources::one))
        .route("/resources/{group}/{name}/drain", post(v1::resources::drain))
        .route("/resources/{group}/{name}/enable", post(v1::resources::enable))
        .route("/resources/{group}/{name}/disable", post(v1::resources::disable))
        .route("/resources/{group}/{name}/reset", post(v1::resources::reset))
        .route("/config", get(v1::config::show))
        .route("/config/reload", post(v1::config::reload))
        .route("/alarms", get(v1::alarms::list))
        .route("/log", get(v1::log::show).put(v1::log::change))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&shared), access::check));
    Router::new()
        .route("/live", get(probes::live))
        .route("/rm/liveness", get(probes::live))
        .route("/ready", get(probes::ready))
        .route("/rm/readiness", get(probes::ready))
        .route("/startup", get(probes::startup))
        .route("/metrics", get(metrics::metrics))
        .nest("/v1", v1)
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::method() })
        .layer(middleware::from_fn(in_time))
        .layer(DefaultBodyLimit::max(HTTP_BODY))
        .with_state(shared)
}

/// No request takes longer than its limit.
async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(HTTP_TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::busy().into_response(),
    }
}
