//! What TLS asks for on the HTTP port: a certificate where one has to be, and that browsers come
//! back by TLS only (rs.md §8).

use std::sync::Arc;

use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::STRICT_TRANSPORT_SECURITY;
use axum::middleware::Next;
use axum::response::Response;
use rs::Refused;
use telemetry::Log;
use telemetry::door::{Failed, Handshake, Source};

use super::Shared;
use super::answer::respond;
use super::audit::Asked;

/// A year, as browsers remember it.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Probes are answered to whoever asks: who probes has no certificate.
const OPEN: [&str; 3] = ["/live", "/ready", "/ems-rs/readiness"];

/// Has everything else asked for with a certificate, where the settings want one.
pub(super) async fn check(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(source): ConnectInfo<Source>,
    request: Request,
    next: Next,
) -> Response {
    let settings = &shared.parts.settings;
    let shown = !settings.certificate_required || source.certificate().is_some();
    if shown || OPEN.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let text = "only the probes answer without a certificate";
    let response = respond(Err(Refused::other(403, "certificate-required", text)));
    Asked::of(&request).note(&shared, None, source.address.ip(), &response);
    response
}

/// Tells browsers to come by TLS only.
pub(super) async fn told(mut response: Response) -> Response {
    response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HSTS);
    response
}

/// Tells handshakes that come to nothing; that somebody only looked whether the port is open is no
/// news.
pub(super) fn failed(log: Log) -> Failed {
    Failed::new(move |peer, how, error| {
        if how != Handshake::Left {
            let peer = peer.ip().to_string();
            log.emit(10506, None, &[("peer", &peer), ("error", error)]);
        }
    })
}
