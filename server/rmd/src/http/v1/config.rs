//! `/v1/config`: which configuration is in force, and the file of objects read again (rm.md §10).

use crate::http::access::Operator;
use crate::http::problem::Problem;
use crate::http::{Shared, whole};
use crate::inbox::Input;
use crate::limits::RELOAD_WAIT;
use crate::objects::Objects;
use axum::Json;
use axum::extract::State;
use model::id::Revision;
use model::schema::Problem as Fault;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::oneshot;

/// `GET /v1/config`.
pub(in crate::http) async fn show(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let (revision, applied) = shared.state.revision();
    let age = shared.clock.now().wall.since(applied).as_secs();
    let rejected = shared.state.rejected();
    Json(json!({ "rev": revision, "source": shared.source, "age_s": age, "rejected": rejected }))
}

/// `POST /v1/config/reload`: the file of objects, if it is valid, as a new revision between two
/// calls; else the one in force stays as a whole. It comes to its end, which is logged, whether or
/// not somebody waits for it; until then there is no second one.
pub(in crate::http) async fn reload(
    operator: Operator,
    State(shared): State<Arc<Shared>>,
) -> Result<Json<Value>, Problem> {
    let objects = shared.admin.objects.clone().ok_or_else(Problem::no_file)?;
    let turn = Arc::clone(&shared.admin.reload).try_lock_owned();
    let turn = turn.map_err(|_| Problem::reloading())?;
    let work = async move {
        let _turn = turn;
        again(&shared, objects, operator.source).await
    };
    whole::done_within(RELOAD_WAIT, work, Problem::reload_goes_on).await
}

async fn again(
    shared: &Shared,
    objects: Objects,
    peer: SocketAddr,
) -> Result<Json<Value>, Problem> {
    let revision = Revision(shared.state.revision().0 + 1);
    let read = tokio::task::spawn_blocking(move || objects.read(revision)).await;
    let peer = peer.to_string();
    let told = |outcome: &str| {
        let fields = [("action", "reload"), ("peer", &*peer), ("outcome", outcome)];
        shared.state.log().emit(10801, None, &fields);
    };
    let (snapshot, warnings) = match read {
        Ok(Ok(valid)) => valid,
        Ok(Err(faults)) => {
            told("rejected");
            shared.state.rejects(shared.clock.now().wall, &faults);
            return Err(invalid(&faults));
        }
        Err(_) => {
            told("failed");
            return Err(Problem::busy());
        }
    };
    let (applied, done) = oneshot::channel();
    let input = Input::Snapshot { snapshot: Arc::new(snapshot), applied: Some(applied) };
    if shared.inbox.send(input).is_err() || done.await.is_err() {
        told("failed");
        return Err(Problem::busy());
    }
    told("applied");
    shared.state.strange(&warnings);
    let (rev, _) = shared.state.revision();
    Ok(Json(json!({ "rev": rev, "source": shared.source, "warnings": shown(&warnings) })))
}

fn invalid(faults: &[Fault]) -> Problem {
    let count = faults.len();
    let errors = if count == 1 { "error" } else { "errors" };
    Problem::invalid(format!("{count} {errors}; what was in force stays"), shown(faults))
}

fn shown(problems: &[Fault]) -> Value {
    serde_json::to_value(problems).unwrap_or_default()
}
