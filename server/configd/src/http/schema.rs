//! `/v1/schema`: what an object may say, as JSON Schema 2020-12.

use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use model::config::{Kind, schema};
use serde_json::{Map, Value as Json};

use super::access::Asked;
use super::path::Path;
use super::query::Query;
use crate::refusal::Refusal;

const SCHEMA: &str = "application/schema+json";

/// `GET /v1/schema`: all of them, by kind.
pub(super) async fn all(_: Asked, uri: Uri) -> Result<Response, Refusal> {
    Query::of(&uri)?.finish()?;
    let mut all = Map::new();
    for kind in Kind::ALL {
        // a test reads each of them
        let schema = serde_json::from_str(schema::json(kind)).unwrap_or(Json::Null);
        all.insert(kind.as_str().to_owned(), schema);
    }
    Ok(([(CONTENT_TYPE, "application/json")], format!("{}\n", Json::Object(all))).into_response())
}

/// `GET /v1/schema/{kind}`.
pub(super) async fn one(_: Asked, Path(kind): Path<String>, uri: Uri) -> Result<Response, Refusal> {
    Query::of(&uri)?.finish()?;
    let kind = super::objects::parse(&kind)?;
    Ok(([(CONTENT_TYPE, SCHEMA)], schema::json(kind)).into_response())
}
