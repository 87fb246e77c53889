//! Pages of other origins (rs.md §8). Those of `rs.http_cors_origins` may read the answers and
//! change what their login may (CORS, the Fetch standard); others read nothing and change nothing.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST,
    ORIGIN, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Shared;

const METHODS: &str = "GET, HEAD, POST, PUT, DELETE";
/// What requests may carry beyond that which every page may send.
const HEADERS: &str = "Authorization, Content-Encoding, Content-Type, Last-Event-ID";
/// What pages may read of an answer beyond that which every page may.
const EXPOSED: HeaderValue = HeaderValue::from_static("Retry-After, WWW-Authenticate");
/// Ten minutes: so long a browser asks nothing about an origin that is listed no more.
const MAX_AGE: &str = "600";

/// Tells browsers which answers listed pages may read, and what these may send: that is asked
/// first, without a login, which the request itself shows.
///
/// Credentials are allowed to nobody: a page shows the login that it was given, and has no use of
/// what the browser would add by itself, such as a password or a certificate of its user.
pub(super) async fn check(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let origin = listed(&shared.parts.settings.cors_origins, request.headers()).cloned();
    let mut response = match &origin {
        Some(_) if is_preflight(&request) => preflight(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    response
}

/// Whether a browser sends it for a page of somebody else that is not listed: it adds what it
/// knows of its user, such as a password, by itself.
pub(super) fn is_foreign(listing: &[String], method: &Method, headers: &HeaderMap) -> bool {
    if matches!(*method, Method::GET | Method::HEAD) || listed(listing, headers).is_some() {
        return false;
    }
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("?"));
    let Some(origin) = text(ORIGIN) else { return false };
    origin.split_once("://").map(|(_, authority)| authority) != text(HOST)
}

/// The origin of a request, if it is listed.
fn listed<'h>(listing: &[String], headers: &'h HeaderMap) -> Option<&'h HeaderValue> {
    let mut all = headers.get_all(ORIGIN).iter();
    let (origin, more) = (all.next()?, all.next());
    let known = listing.iter().any(|known| known.as_bytes() == origin.as_bytes());
    (known && more.is_none()).then_some(origin)
}

fn is_preflight(request: &Request) -> bool {
    let asks = request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    *request.method() == Method::OPTIONS && asks
}

fn preflight() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
        (ACCESS_CONTROL_MAX_AGE, MAX_AGE),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_others_change_nothing_unless_they_are_listed() {
        let listing = ["https://desk.example".to_owned()];
        for (method, origins, foreign) in [
            (Method::POST, &[][..], false),
            (Method::POST, &["http://rs.example:8080"], false),
            (Method::POST, &["http://evil.example"], true),
            (Method::DELETE, &["null"], true),
            (Method::GET, &["http://evil.example"], false),
            (Method::DELETE, &["https://desk.example"], false),
            (Method::DELETE, &["http://desk.example"], true),
            (Method::DELETE, &["https://desk.example", "http://evil.example"], true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static("rs.example:8080"));
            for origin in origins {
                headers.append(ORIGIN, HeaderValue::from_static(origin));
            }
            assert_eq!(is_foreign(&listing, &method, &headers), foreign, "{method} {origins:?}");
        }
    }
}
