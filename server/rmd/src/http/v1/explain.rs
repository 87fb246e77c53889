//! `POST /v1/explain`: what would become of an INVITE, and why (rm.md §10).
//!
//! What is shown of the request is masked as in the log, and holds no token and no credentials.

use crate::http::Shared;
use crate::http::asked;
use crate::http::problem::Problem;
use crate::http::shown::shown;
use crate::inbox::Query;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use rm::{Explained, Question, Unclear};
use serde::Serialize;
use std::sync::Arc;

/// The answer, with the time that it took.
#[derive(Serialize)]
pub(in crate::http) struct Answer {
    #[serde(flatten)]
    explained: Box<Explained>,
    /// From the question to the answer, with the wait for the engine.
    took_us: u64,
}

/// `POST /v1/explain`.
pub(in crate::http) async fn explain(
    State(shared): State<Arc<Shared>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Answer>, Problem> {
    let question: Question = asked::json(body)?;
    let began = shared.clock.mono();
    let explained = shared.ask(|reply| Query::Explain(Box::new(question), reply)).await?;
    let mut explained = explained.map_err(|unclear| match unclear {
        Unclear::NotReady => Problem::not_ready(),
        Unclear::Question(text) => Problem::bad_request(text),
    })?;
    let took = shared.clock.mono().saturating_sub(began);
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    explained.request = explained.request.map(|text| shown(&text, shared.state.log()));
    Ok(Json(Answer { explained, took_us }))
}
