//! Stage 15: questions over HTTP (rs.md §5, §6) and the probes.
//!
//! Reads queries with `core/rs`, asks the store on blocking threads, writes documents with
//! `core/rs`. Decides nothing about calls. `/ems-rs` answers XML, `/api/v1` JSON.

mod access;
mod alarms;
mod answer;
mod audit;
mod call;
mod calls;
mod connections;
mod cursor;
mod heavy;
mod integrity;
mod jobs;
mod erasures;
mod letters;
mod limits;
mod metrics;
mod native;
mod origins;
mod page;
mod privacy;
mod probe;
mod queues;
mod rates;
mod records;
mod reports;
mod retention;
mod rollups;
pub(crate) mod routes;
mod scope;
mod secure;
mod series;
mod settings;
mod source;
mod stream;
mod tree;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use config::certificates::Newest;
use config::settings::Mask;
use model::time::Millis;
use net::Clock;
use telemetry::Log;
use telemetry::door::{self, Door};
use tokio::sync::{Semaphore, broadcast, watch};

use crate::apply::{Changed, Figures};
use crate::configuration::Known;
use crate::dashboard;
use crate::ingest;
use crate::jobs::Jobs;
use crate::live::Live;
use crate::monitor::Monitor;
use crate::proof::ProofKey;
use crate::retention::Desk;
use crate::rollup::Place;
use crate::store::Store;
use crate::users::Users;
use crate::view::View;

use self::routes::{Routes, delete, get, post};

/// Threads that may block: one for each question at once, those that judge records that come by
/// HTTP, one that erases, one that writes logins down, and a few for the runtime's own use.
pub(crate) const BLOCKING: usize = limits::READERS + limits::JUDGES + 4;

/// What is asked over HTTP is answered from these parts.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    /// Calls as the applier changes them.
    pub(crate) changed: broadcast::Sender<Changed>,
    /// Those in progress, for when the database is away.
    pub(crate) view: Arc<View>,
    pub(crate) monitor: Arc<Monitor>,
    /// Where records go, and how many there are.
    pub(crate) ingest: ingest::Parts,
    pub(crate) applied: Arc<Figures>,
    /// Names that objects have now.
    pub(crate) known: Arc<Known>,
    pub(crate) log: Log,
    pub(crate) clock: Clock,
    /// Start of the process.
    pub(crate) started: Millis,
    pub(crate) settings: Settings,
    /// Those that may change: `rs.reports`.
    pub(crate) live: Arc<Live>,
    /// How long what is kept.
    pub(crate) retention: Arc<Desk>,
    /// What was asked for and is not done at once.
    pub(crate) jobs: Arc<Jobs>,
    /// The zone of larger bins.
    pub(crate) place: Arc<Place>,
    /// Turns true when HTTP is to end.
    pub(crate) closed: watch::Receiver<bool>,
}

/// Settings of the HTTP side (`rs.…`, ops.md §15).
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `rs.name`.
    pub(crate) name: String,
    /// `rs.api`.
    pub(crate) api: bool,
    /// `rs.ui`.
    pub(crate) ui: bool,
    /// `rs.ingest`.
    pub(crate) ingest: bool,
    /// `rs.tls` is set.
    pub(crate) tls: bool,
    /// `rs.tls.client_auth: required`.
    pub(crate) certificate_required: bool,
    /// `rs.auth.users_file`.
    pub(crate) users: Option<Arc<Users>>,
    /// `rs.auth.anonymous`: nobody in particular may do everything.
    pub(crate) anonymous: bool,
    /// `rs.http_metrics_auth`.
    pub(crate) metrics_auth: bool,
    /// `rs.http_cors_origins`.
    pub(crate) cors_origins: Vec<String>,
    /// `rs.privacy.mask`.
    pub(crate) mask: Mask,
    /// `rs.proof_key_file`.
    pub(crate) proof_key: Option<Arc<ProofKey>>,
    /// Directories whose volumes have a metric.
    pub(crate) volumes: Vec<(&'static str, PathBuf)>,
    /// Bytes that records which come by HTTP may take in memory: half of `rs.broker_memory`.
    pub(crate) memory: usize,
}

/// Shared by all requests.
struct Shared {
    parts: Parts,
    /// Questions at the database at once; the rest waits in line.
    readers: Arc<Semaphore>,
    /// Live streams that may still be opened.
    streams: Arc<Semaphore>,
    /// For records that come.
    room: records::Room,
    /// One worker erases.
    erasing: Semaphore,
    /// Dead letters that are tried again.
    retrying: letters::Retrying,
    /// Signs cursors; of this process only.
    cursor_key: [u8; 32],
    requests: metrics::Requests,
    /// Who asks how often.
    rates: rates::Rates,
    /// Who asks for much.
    heavy: Arc<heavy::Heavy>,
    /// Tenants and profiles.
    tree: tree::Tree,
    /// Searches for numbers that are hidden from those who search.
    searches: privacy::Searches,
    /// Time of the database for a question.
    questions: metrics::Questions,
}

impl Shared {
    fn now(&self) -> Millis {
        self.parts.clock.now().wall
    }
}

/// Serves until `parts.closed`; requests under way are answered.
pub(crate) async fn serve(
    listener: TcpListener,
    parts: Parts,
    tls: Option<Newest>,
    seed: [u64; 4],
) {
    let mut closed = parts.closed.clone();
    let log = parts.log.clone();
    let router = router(parts, cursor::key(seed));
    // a listener that is bound and non-blocking already
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let door = Door::new(listener, limits::DOOR);
    let door = match tls {
        Some(newest) => door.tls(newest, secure::failed(log)),
        None => door,
    };
    let serving = axum::serve(door, door::service(router)).with_graceful_shutdown(async move {
        // a sender that is gone means the same
        let _closed = closed.wait_for(|closed| *closed).await;
    });
    // it never ends otherwise, and has no error
    let _ended = serving.await;
}

/// All routes.
fn router(parts: Parts, cursor_key: [u8; 32]) -> Router {
    let Settings { api, ui, ingest, memory, .. } = parts.settings;
    let shared = Arc::new(Shared {
        parts,
        readers: Arc::new(Semaphore::new(limits::READERS)),
        streams: Arc::new(Semaphore::new(limits::STREAMS)),
        room: records::Room::new(memory),
        erasing: Semaphore::new(1),
        retrying: letters::Retrying::default(),
        cursor_key,
        requests: metrics::Requests::default(),
        rates: rates::Rates::default(),
        heavy: Arc::default(),
        tree: tree::Tree::default(),
        searches: privacy::Searches::new(limits::SEARCHES),
        questions: metrics::Questions::default(),
    });
    erasures::go_on(Arc::clone(&shared));
    scope::keep_bound(Arc::clone(&shared));
    let mut routes = Routes::new()
        .route("/live", get(probe::live))
        .route("/ready", get(probe::ready))
        .route("/metrics", get(metrics::metrics))
        .route("/ems-rs/readiness", get(probe::readiness))
        .route("/ems-rs/{*report}", get(reports::report));
    if api {
        routes = routes
            .route("/api/v1/calls", get(calls::list))
            .route("/api/v1/calls/{name}", get(call::one).delete(call::erase))
            .route("/api/v1/live/calls", get(calls::live))
            .route("/api/v1/live/stream", get(stream::stream))
            .route("/api/v1/queues", get(queues::list))
            .route("/api/v1/queues/{name}", get(queues::one))
            .route("/api/v1/queues/{name}/messages", get(queues::messages))
            .route("/api/v1/connections", get(connections::list))
            .route("/api/v1/connections/{id}", delete(connections::end))
            .route("/api/v1/alarms", get(alarms::list))
            .route("/api/v1/alarms/{name}", delete(alarms::end))
            .route("/api/v1/erasures", get(erasures::list).post(erasures::begin))
            .route("/api/v1/dead-letters", get(letters::list))
            .route("/api/v1/dead-letters/retry", post(letters::retry_all))
            .route("/api/v1/dead-letters/{no}", get(letters::one).delete(letters::delete))
            .route("/api/v1/dead-letters/{no}/retry", post(letters::retry))
            .route("/api/v1/integrity", get(integrity::producers))
            .route("/api/v1/integrity/minutes", get(integrity::minutes))
            .route("/api/v1/integrity/proof", get(integrity::proof))
            .route("/api/v1/rollups/rebuild", post(rollups::remake))
            .route("/api/v1/series/{figure}", get(series::series))
            .route("/api/v1/audit", get(audit::list))
            .route("/api/v1/retention", get(retention::show).put(retention::set))
            .route("/api/v1/retention/run", post(retention::run))
            .route("/api/v1/jobs", get(jobs::list))
            .route("/api/v1/jobs/{id}", get(jobs::one))
            .route("/api/v1/settings", get(settings::list))
            .route("/api/v1/retention/{scope}/{id}", delete(retention::drop_one))
            .route("/api/v1/health", get(probe::health));
    }
    if api && ingest {
        routes = routes.route("/api/v1/records", post(records::take));
    }
    if ui {
        routes = dashboard::routes(routes);
    }
    let router = routes.into_router().fallback(answer::nothing_here);
    guarded(router, &shared).with_state(shared)
}

/// What every request passes on its way in, and its answer on its way out.
fn guarded(router: Router<Arc<Shared>>, shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    let settings = &shared.parts.settings;
    let mut router = router
        .layer(from_fn_with_state(Arc::clone(shared), access::check))
        .layer(from_fn_with_state(Arc::clone(shared), secure::check))
        .layer(from_fn(answer::bounded));
    if !settings.cors_origins.is_empty() {
        // around all refusals: a page reads those, too
        router = router.layer(from_fn_with_state(Arc::clone(shared), origins::check));
    }
    if settings.tls {
        router = router.layer(map_response(secure::told));
    }
    router.layer(from_fn_with_state(Arc::clone(shared), metrics::count))
}
