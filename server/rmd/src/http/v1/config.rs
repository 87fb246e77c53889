//! `/v1/config`: which configuration is in force, and the file of objects read again (rm.md §10).

use crate::http::access::Operator;
use crate::http::problem::Problem;
use crate::http::{Shared, whole};
use crate::limits::RELOAD_WAIT;
use axum::Json;
use axum::extract::State;
use config::source::{FileSource, Reread};
use model::schema::Problem as Fault;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use telemetry::config_client::Source;

/// `GET /v1/config`. `age_s`: since the Config Server's last sign of life; without one, since the
/// configuration is in force. `server`: the Config Server that is listened to; null: none.
/// `application`: the object whose options count; null: there is none. `restart_required`: those of
/// its options that wait for a restart.
pub(in crate::http) async fn show(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let (revision, applied) = shared.state.revision();
    let (figures, own) = (&shared.config.figures, shared.config.standing.standing());
    let now = shared.clock.now().wall;
    let age = match figures.source() {
        Source::File => now.since(applied),
        Source::Server | Source::Cache => figures.age(now),
    };
    Json(json!({
        "rev": revision,
        "source": shared.config.shown,
        "from": figures.source().as_str(),
        "connected": figures.is_connected(),
        "server": figures.server(),
        "age_s": age.as_secs(),
        "application": own.application,
        "restart_required": own.restart_required,
        "rejected": shared.state.rejected(),
    }))
}

/// `POST /v1/config/reload`: the file of objects, if it is valid and another one, as a new
/// revision between two calls; else the one in force stays as a whole. It comes to its end, which
/// is logged, whether or not somebody waits for it; until then there is no second one.
pub(in crate::http) async fn reload(
    operator: Operator,
    State(shared): State<Arc<Shared>>,
) -> Result<Json<Value>, Problem> {
    let file = shared.config.file.clone().ok_or_else(Problem::no_file)?;
    let turn = Arc::clone(&shared.admin.reload).try_lock_owned();
    let turn = turn.map_err(|_| Problem::reloading())?;
    let work = async move {
        let _turn = turn;
        again(&shared, file, operator.source).await
    };
    whole::done_within(RELOAD_WAIT, work, Problem::reload_goes_on).await
}

async fn again(
    shared: &Shared,
    file: Arc<FileSource>,
    peer: SocketAddr,
) -> Result<Json<Value>, Problem> {
    let read = tokio::task::spawn_blocking(move || file.again()).await;
    let peer = peer.to_string();
    let told = |outcome: &str| {
        let fields = [("action", "reload"), ("peer", &*peer), ("outcome", outcome)];
        shared.state.log().emit(10801, None, &fields);
    };
    match read {
        Ok(Reread::InForce(revision, warnings)) => {
            told("applied");
            let warnings = shown(&warnings);
            let source = &shared.config.shown;
            Ok(Json(json!({ "rev": revision.0, "source": source, "warnings": warnings })))
        }
        Ok(Reread::Refused(faults)) => {
            told("rejected");
            Err(invalid(&faults))
        }
        Err(_) => {
            told("failed");
            Err(Problem::busy())
        }
    }
}

fn invalid(faults: &[Fault]) -> Problem {
    let count = faults.len();
    let errors = if count == 1 { "error" } else { "errors" };
    Problem::invalid(format!("{count} {errors}; what was in force stays"), shown(faults))
}

fn shown(problems: &[Fault]) -> Value {
    serde_json::to_value(problems).unwrap_or_default()
}
