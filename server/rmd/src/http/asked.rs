//! What is asked: parameters, names in paths and bodies, each with a clear word when it is not what
//! was expected.

use super::problem::Problem;
use crate::limits::HTTP_BODY;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

/// Objects of one page when nothing else is asked for, and at most (rm.md §10).
pub(super) const PAGE: usize = 1000;

/// The parameters behind the path.
pub(super) fn parameters<T>(given: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    let Query(parameters) =
        given.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    Ok(parameters)
}

/// A name in the path.
pub(super) fn name(given: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    let Path(name) = given.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    Ok(name)
}

/// Objects of a page.
pub(super) fn limit(given: Option<usize>) -> Result<usize, Problem> {
    let limit = given.unwrap_or(PAGE);
    if (1..=PAGE).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::bad_request(format!("limit: expected 1 to {PAGE}")))
}

/// A body of JSON, whatever its type says that it is.
pub(super) fn json<T: DeserializeOwned>(
    given: Result<axum::body::Bytes, BytesRejection>,
) -> Result<T, Problem> {
    let body = given.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(HTTP_BODY),
        _ => Problem::bad_request(rejection.body_text()),
    })?;
    serde_json::from_slice(&body).map_err(|error| Problem::bad_request(format!("body: {error}")))
}
