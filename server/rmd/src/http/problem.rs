//! Every "no" of the HTTP port, as a problem document (RFC 9457): `type` is
//! `urn:ringmaster:<word>`, one word per reason.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// Where the end of a reload is told to those who do not wait for it.
const OUTCOME: &str = "its outcome is in the log and in /v1/config";

/// One refusal.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    word: &'static str,
    detail: String,
    /// What is wrong, one by one, where there may be more than one.
    errors: Option<Value>,
}

impl Problem {
    fn new(status: StatusCode, word: &'static str, detail: impl Into<String>) -> Self {
        Self { status, word, detail: detail.into(), errors: None }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "")
    }

    pub(super) fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", "")
    }

    /// No token, or an unknown one.
    pub(super) fn unauthorised() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorised", "")
    }

    /// Not from this machine, and there are no tokens.
    pub(super) fn loopback_only() -> Self {
        let detail = "without rm.http_tokens_file /v1 is served on loopback only";
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// A reader may not change anything.
    pub(super) fn operators_only() -> Self {
        let detail = "this asks for a token with the role operator";
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// A body that is longer than any question.
    pub(super) fn too_large(most: usize) -> Self {
        let detail = format!("a body has at most {most} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
    }

    /// The node does not know yet what is up.
    pub(super) fn not_ready() -> Self {
        Self::new(StatusCode::CONFLICT, "node-not-ready", "")
    }

    /// A list that was begun with another configuration.
    pub(super) fn config_changed() -> Self {
        let detail = "cursor: the configuration has changed; begin the list again";
        Self::new(StatusCode::CONFLICT, "config-changed", detail)
    }

    /// It was told to stop, and drains anyway.
    pub(super) fn leaving() -> Self {
        let detail = "the node leaves";
        Self::new(StatusCode::CONFLICT, "node-draining", detail)
    }

    /// It is done, but would not outlast a restart.
    pub(super) fn not_kept(why: &str) -> Self {
        let detail = format!("done, but it cannot be kept over a restart: {why}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "not-kept", detail)
    }

    /// The objects are part of the program.
    pub(super) fn no_file() -> Self {
        let detail = "config.file is not set: there is nothing to read again";
        Self::new(StatusCode::CONFLICT, "no-file", detail)
    }

    /// One at a time.
    pub(super) fn reloading() -> Self {
        let detail = format!("a reload is under way; {OUTCOME}");
        Self::new(StatusCode::CONFLICT, "reloading", detail)
    }

    /// It takes longer than a request may.
    pub(super) fn reload_goes_on() -> Self {
        let detail = format!("the reload takes longer and goes on; {OUTCOME}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "goes-on", detail)
    }

    /// Objects that are wrong.
    pub(super) fn invalid(detail: String, errors: Value) -> Self {
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail);
        Self { errors: Some(errors), ..problem }
    }

    /// The engine did not answer in time.
    pub(super) fn busy() -> Self {
        let detail = "the engine did not answer in time";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = serde_json::json!({
            "type": format!("urn:ringmaster:{}", self.word),
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let Some(errors) = self.errors {
            body["errors"] = errors;
        }
        let mut response = (self.status, format!("{body}\n")).into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
