//! Answers and refusals in the format of the request: XML below `/ems-rs`, else JSON.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rs::Refused;
use rs::report::{Problem, error_xml};
use serde::Serialize;
use telemetry::Log;
use tokio::task::JoinError;

use super::{Shared, limits};
use crate::crew::Worker;
use crate::store::{Store, StoreError};

pub(super) const XML: &str = "text/xml; charset=UTF-8";
pub(super) const JSON: &str = "application/json";

tokio::task_local! {
    /// Differs for each request of a process; the log and the refusal both name it.
    pub(super) static REQUEST_ID: String;
    /// The route of a request, as the router has it; empty where there is none.
    pub(super) static REPORT: String;
}

/// Which document a request wants (rs.md §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Xml,
    Json,
}

impl Shape {
    /// Of a report: `format=` goes before `Accept`; XML unless asked otherwise.
    pub(super) fn of_report(uri: &Uri, headers: &HeaderMap) -> Result<Self, Refused> {
        let query = uri.query().unwrap_or_default();
        let format = query.split('&').find_map(|pair| pair.strip_prefix("format="));
        let accept = headers.get("accept").and_then(|value| value.to_str().ok()).unwrap_or("*/*");
        let wanted = match format {
            Some(format) => vec![format],
            None => accept.split(',').map(|kind| kind.split(';').next().unwrap_or("")).collect(),
        };
        let shape = wanted.iter().find_map(|kind| match kind.trim() {
            "xml" | "text/xml" | "application/xml" | "*/*" | "text/*" | "" => Some(Self::Xml),
            "json" | JSON => Some(Self::Json),
            _ => None,
        });
        shape.ok_or_else(|| Refused::other(406, "no-such-format", "text/xml is offered here"))
    }

    pub(super) fn of_path(uri: &Uri) -> Self {
        if uri.path().starts_with("/ems-rs") { Self::Xml } else { Self::Json }
    }
}

/// A document.
pub(super) fn document(
    status: u16,
    kind: &'static str,
    cache: &'static str,
    body: String,
) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers =
        [(CONTENT_TYPE, kind), (CACHE_CONTROL, cache), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, body).into_response()
}

/// A value as JSON text.
pub(super) fn written(value: &impl Serialize) -> Result<String, Refused> {
    let text = serde_json::to_string(value).map_err(|_| internal())?;
    Ok(text + "\n")
}

/// An answer of `/api/v1`.
pub(super) fn respond(answer: Result<String, Refused>) -> Response {
    match answer {
        Ok(text) => document(200, JSON, "no-store", text),
        Err(refused) => refusal(Shape::Json, &refused),
    }
}

/// A refusal as a document.
pub(super) fn refusal(shape: Shape, refused: &Refused) -> Response {
    let id = request_id();
    let (kind, body) = match shape {
        Shape::Xml => (XML, error_xml(refused, &id)),
        Shape::Json => {
            let problem = written(&Problem::new(refused, &id));
            ("application/problem+json", problem.unwrap_or_default())
        }
    };
    let mut response = document(refused.status, kind, "no-store", body);
    if refused.status == 403 {
        // for the audit log
        response.extensions_mut().insert(refused.clone());
    }
    let usual = match refused.status {
        429 => Some(300),
        503 => Some(30),
        _ => None,
    };
    if let Some(again) = refused.again.or(usual) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(again));
    }
    response
}

fn request_id() -> String {
    REQUEST_ID.try_with(Clone::clone).unwrap_or_default()
}

/// No route.
pub(super) async fn nothing_here(uri: Uri) -> Response {
    let shape = Shape::of_path(&uri);
    let code = if shape == Shape::Xml { "no-such-report" } else { "no-such-path" };
    refusal(shape, &Refused::other(404, code, "there is nothing at this path"))
}

/// A route, but with other methods than the one that was asked with; there is at least one.
pub(super) fn method(uri: &Uri, offered: &[&str]) -> Response {
    let text = match offered {
        [all @ .., last] if !all.is_empty() => {
            format!("{} and {last} are offered here", all.join(", "))
        }
        one => format!("{} is offered here", one.concat()),
    };
    let mut response = refusal(Shape::of_path(uri), &Refused::other(405, "method", text));
    if let Ok(offered) = HeaderValue::from_str(&offered.join(", ")) {
        response.headers_mut().insert(ALLOW, offered);
    }
    response
}

/// Refuses a URI or headers that are too long.
pub(super) async fn bounded(request: Request, next: Next) -> Response {
    let uri = request.uri();
    let refused = if uri.path_and_query().map_or(0, |text| text.as_str().len()) > limits::URI_BYTES
    {
        let message = format!("at most {} bytes", limits::URI_BYTES);
        Refused::other(414, "uri-too-long", message)
    } else if header_bytes(request.headers()) > limits::HEADER_BYTES {
        let message = format!("at most {} bytes", limits::HEADER_BYTES);
        Refused::other(431, "headers-too-long", message)
    } else {
        return next.run(request).await;
    };
    refusal(Shape::of_path(uri), &refused)
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

/// Asks the database on a thread that may block; waits in line when all readers are busy.
pub(super) async fn ask<T: Send + 'static>(
    shared: &Arc<Shared>,
    question: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Refused> {
    let asking = async {
        // a question that is given up holds its place until the database has answered it
        let place = Arc::clone(&shared.readers).acquire_owned().await.map_err(|_| internal())?;
        let held = Arc::clone(shared);
        let report = REPORT.try_with(Clone::clone).unwrap_or_default();
        let asked = tokio::task::spawn_blocking(move || {
            let _place = place;
            let clock = held.parts.clock;
            let began = clock.mono();
            let answer = question(&*held.parts.store);
            held.questions.observe(report, clock.mono().saturating_sub(began));
            answer
        });
        let answer = joined(shared, asked.await)?;
        answer.map_err(|error| failed(&shared.parts.log, &error))
    };
    tokio::time::timeout(limits::QUESTION, asking).await.unwrap_or_else(|_| Err(timed_out()))
}

pub(super) fn timed_out() -> Refused {
    Refused::other(504, "query-timeout", "the question took longer than 30 s")
}

/// What blocks beside the questions to the database.
pub(super) fn joined<T>(shared: &Shared, done: Result<T, JoinError>) -> Result<T, Refused> {
    done.map_err(|error| {
        shared.parts.ingest.crew.lost(Worker::Question, error);
        internal()
    })
}

/// Never tells SQL or a file name to the asker; the log has it.
pub(super) fn failed(log: &Log, error: &StoreError) -> Refused {
    let mut text = error.to_string();
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        text = format!("{text}: {source}");
        cause = source;
    }
    log.emit(36001, None, &[("request", &request_id()), ("error", &text)]);
    match error {
        StoreError::Unavailable(_) | StoreError::Busy(_) | StoreError::Taken(_) => {
            Refused::other(503, "database-unavailable", "the database is away")
        }
        StoreError::Damaged(_) | StoreError::Main(_) => {
            let text = "a file of the database is damaged; the alarm RS-DB-DAMAGED tells which";
            Refused::other(503, "database-damaged", text)
        }
        StoreError::Rejected(_)
        | StoreError::State(_)
        | StoreError::Files(_)
        | StoreError::Secret(_)
        | StoreError::Fenced(_)
        | StoreError::Newer { .. }
        | StoreError::Changed { .. } => internal(),
    }
}

pub(super) fn internal() -> Refused {
    Refused::other(500, "internal", "a fault of ours; the log tells")
}
