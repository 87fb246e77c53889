//! Every "no" of the HTTP port, as a problem document (RFC 9457): `type` is
//! `urn:ringmaster:<word>`, one word per reason.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// One refusal.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    word: &'static str,
    detail: String,
}

impl Problem {
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, word: "bad-request", detail: detail.into() }
    }

    pub(super) fn not_found() -> Self {
        Self { status: StatusCode::NOT_FOUND, word: "not-found", detail: String::new() }
    }

    pub(super) fn method() -> Self {
        Self { status: StatusCode::METHOD_NOT_ALLOWED, word: "method", detail: String::new() }
    }

    /// No token, or an unknown one.
    pub(super) fn unauthorised() -> Self {
        Self { status: StatusCode::UNAUTHORIZED, word: "unauthorised", detail: String::new() }
    }

    /// Not from this machine, and there are no tokens.
    pub(super) fn loopback_only() -> Self {
        let detail = "without rm.http_tokens_file /v1 is served on loopback only".to_owned();
        Self { status: StatusCode::FORBIDDEN, word: "forbidden", detail }
    }

    /// A reader may not change anything.
    pub(super) fn operators_only() -> Self {
        let detail = "this asks for a token with the role operator".to_owned();
        Self { status: StatusCode::FORBIDDEN, word: "forbidden", detail }
    }

    /// A body that is longer than any question.
    pub(super) fn too_large(most: usize) -> Self {
        let detail = format!("a body has at most {most} bytes");
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, word: "too-large", detail }
    }

    /// The node does not know yet what is up.
    pub(super) fn not_ready() -> Self {
        Self { status: StatusCode::CONFLICT, word: "node-not-ready", detail: String::new() }
    }

    /// A list that was begun with another configuration.
    pub(super) fn config_changed() -> Self {
        let detail = "cursor: the configuration has changed; begin the list again".to_owned();
        Self { status: StatusCode::CONFLICT, word: "config-changed", detail }
    }

    /// It was told to stop, and drains anyway.
    pub(super) fn leaving() -> Self {
        let detail = "the node leaves".to_owned();
        Self { status: StatusCode::CONFLICT, word: "node-draining", detail }
    }

    /// It is done, but would not outlast a restart.
    pub(super) fn not_kept(why: &str) -> Self {
        let detail = format!("done, but it cannot be kept over a restart: {why}");
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, word: "not-kept", detail }
    }

    /// The engine did not answer in time.
    pub(super) fn busy() -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, word: "busy", detail: String::new() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::json!({
            "type": format!("urn:ringmaster:{}", self.word),
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
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
