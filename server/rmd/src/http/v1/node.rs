//! `/v1/node`: the node takes no new calls and stays, until it is told otherwise (rm.md §11.7).
//!
//! A mark in the data directory keeps it so over restarts.

use crate::http::access::Operator;
use crate::http::problem::Problem;
use crate::http::{Shared, whole};
use crate::inbox::Input;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::oneshot;

/// `POST /v1/node/drain`: new calls get 503 `node-draining`, those that are up go on.
pub(in crate::http) async fn drain(
    operator: Operator,
    State(shared): State<Arc<Shared>>,
) -> Result<Json<Value>, Problem> {
    set(&operator, &shared, true).await
}

/// `POST /v1/node/undrain`.
pub(in crate::http) async fn undrain(
    operator: Operator,
    State(shared): State<Arc<Shared>>,
) -> Result<Json<Value>, Problem> {
    set(&operator, &shared, false).await
}

async fn set(operator: &Operator, shared: &Arc<Shared>, on: bool) -> Result<Json<Value>, Problem> {
    let turn = shared.admin.wills.turn().await;
    let (shared, peer) = (Arc::clone(shared), operator.source.to_string());
    whole::done(async move {
        let _turn = turn;
        let (reply, answer) = oneshot::channel();
        shared.inbox.send(Input::Drain { on, reply }).map_err(|_| Problem::busy())?;
        let legs = answer.await.map_err(|_| Problem::busy())?.ok_or_else(Problem::leaving)?;
        let (action, count) = (if on { "drain" } else { "undrain" }, legs.to_string());
        let fields = [("action", action), ("peer", &*peer), ("legs", &*count)];
        shared.state.log().emit(10801, None, &fields);
        shared.state.mark(on).map_err(|error| Problem::not_kept(&error.to_string()))?;
        Ok(Json(json!({ "legs": legs })))
    })
    .await
}
