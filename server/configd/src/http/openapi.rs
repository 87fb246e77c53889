//! `/openapi.json`: the contract of this port; the document is checked in.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

/// OpenAPI 3.1.
const DOCUMENT: &str = include_str!("../../../../docs/reference/openapi-config.json");

/// `GET /openapi.json`.
pub(super) async fn get() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}
