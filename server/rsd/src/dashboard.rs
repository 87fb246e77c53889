//! The page at `/`: static files inside the executable (rs.md §7). Asks `/api/v1` only.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};

use crate::api::routes::{Routes, get};

/// No inline script or style, no other host.
const POLICY: &str = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Adds the page and its files.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(routes: Routes<S>) -> Routes<S> {
    let html = "text/html; charset=utf-8";
    routes
        .route("/", get(|| file(html, include_str!("dashboard/index.html"))))
        .route(
            "/assets/app.js",
            get(|| file("text/javascript; charset=utf-8", include_str!("dashboard/app.js"))),
        )
        .route(
            "/assets/style.css",
            get(|| file("text/css; charset=utf-8", include_str!("dashboard/style.css"))),
        )
        .route(
            "/assets/icon.svg",
            get(|| file("image/svg+xml", include_str!("dashboard/icon.svg"))),
        )
}

/// Names carry no hash in this version, so a browser asks again each time.
fn file(kind: &'static str, text: &'static str) -> std::future::Ready<Response> {
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    std::future::ready((headers, text).into_response())
}
