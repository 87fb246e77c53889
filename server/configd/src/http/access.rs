//! Who asks (ops.md §1.12): by token, by certificate, or nobody in particular; and what every
//! answer carries.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, USER_AGENT, X_CONTENT_TYPE_OPTIONS};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use config::settings::Access;
use net::tls::{Identity, Name};
use telemetry::door::Source;

use super::answer::Wanted;
use super::counters::Stranger;
use super::{Shared, limits, probes};
use crate::refusal::Refusal;
use crate::who::{Noted, Scope, Who};

const REVISION: HeaderName = HeaderName::from_static("x-ringmaster-revision");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request of somebody who may ask.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Who.
    pub(super) who: Who,
    /// How the answer is to look.
    pub(super) wanted: Wanted,
}

impl FromRequestParts<Arc<Shared>> for Asked {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shared>) -> Result<Self, Refusal> {
        // put there by `check`, which stands before every handler that wants it
        parts.extensions.get::<Self>().cloned().ok_or(Refusal::Unauthenticated)
    }
}

/// The id of a request, its own or one that is made.
#[derive(Clone, Debug)]
struct RequestId(String);

/// By which route a request was answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered(pub(super) &'static str);

/// Names and counts every request, and says at which revision it was answered.
pub(super) async fn name(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(source): ConnectInfo<Source>,
    mut request: Request,
    next: Next,
) -> Response {
    let begun = shared.clock.mono();
    let id = request_id(&shared, request.headers());
    let method = request.method().clone();
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = match proves(&shared, &source, request.uri().path()) {
        true => next.run(request).await,
        false => {
            shared.counters.stranger(Stranger::Certificate);
            let text = "it needs a certificate: only /live and /ready answer without one";
            Refusal::Forbidden(text.to_owned()).into_response()
        }
    };
    let took = shared.clock.mono().saturating_sub(begun);
    if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
        shared.counters.refused(&refusal);
    }
    let route = response.extensions_mut().remove::<Answered>().map_or("none", |by| by.0);
    shared.counters.request(route, &method, response.status().as_u16(), took);
    let headers = response.headers_mut();
    headers.insert(REVISION, HeaderValue::from(shared.books.now().revision.0));
    // it is made of characters that a header may have
    if let Ok(id) = HeaderValue::try_from(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Whether a certificate is shown where one has to be. Who probes has none.
fn proves(shared: &Shared, source: &Source, path: &str) -> bool {
    !shared.settings.certificate_required
        || probes::PATHS.contains(&path)
        || source.certificate().is_some()
}

fn request_id(shared: &Shared, headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let fits = |id: &&str| {
        (1..=limits::REQUEST_ID).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    given.filter(fits).map_or_else(
        || format!("{:011x}-{:08x}", shared.started.0, shared.counters.number()),
        str::to_owned,
    )
}

/// Lets a request pass that may be answered, or says why not.
pub(super) async fn check(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(source): ConnectInfo<Source>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone());
    let id = id.unwrap_or_default();
    let who = match authenticate(&shared, &source, request.headers(), id).await {
        Ok(who) => who,
        Err(refusal) => return refusal.into_response(),
    };
    let wanted = Wanted::of(request.headers());
    request.extensions_mut().insert(Asked { who, wanted });
    next.run(request).await
}

/// Who asks; at least a reader.
pub(super) async fn authenticate(
    shared: &Shared,
    source: &Source,
    headers: &HeaderMap,
    request_id: String,
) -> Result<Who, Refusal> {
    let address = source.address.ip();
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let who = |actor: &str, token, role, scope| Who {
        actor: actor.to_owned(),
        token,
        role,
        scope,
        source: address.to_string(),
        user_agent: agent.chars().take(limits::USER_AGENT).collect(),
        request_id: request_id.clone(),
        noted: Noted::default(),
    };
    if let Some(value) = headers.get(AUTHORIZATION) {
        let found = match bearer(value) {
            Some(secret) => shared.books.find_token(secret).await,
            None => None,
        };
        return match found {
            Some(token) => Ok(who(&token.name, Some(token.id), token.role, token.scope)),
            None => Err(stranger(shared, address, &who("-", None, Access::None, Scope::default()))),
        };
    }
    if is_foreign(headers) {
        let text = "a page of another origin has to show a token";
        return Err(Refusal::Forbidden(text.to_owned()));
    }
    if let Some((name, role)) = certified(shared, source) {
        return Ok(who(&name, None, role, Scope::default()));
    }
    match shared.settings.anonymous {
        Access::None => {
            shared.counters.stranger(Stranger::Missing);
            Err(Refusal::Unauthenticated)
        }
        role => Ok(who("anonymous", None, role, Scope::default())),
    }
}

/// Somebody with a token that is none.
fn stranger(shared: &Shared, address: IpAddr, who: &Who) -> Refusal {
    match shared.failures.note(address.to_canonical(), shared.clock.mono()) {
        Ok(()) => {
            shared.counters.stranger(Stranger::Unknown);
            shared.log.emit(40002, None, &[("peer", &who.source)]);
            shared.books.note_refused("login", &[], &Refusal::Unauthenticated, who);
            Refusal::Unauthenticated
        }
        Err(retry_after) => {
            shared.counters.stranger(Stranger::Limited);
            Refusal::TooManyRequests { retry_after }
        }
    }
}

/// Whether a browser asks for a page that is not of this port. What it knows without asking its
/// user, an address or a certificate, is nothing that such a page may use. A name may be anybody's
/// (DNS rebinding), so only `localhost` and addresses are our own.
fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let Some(origin) = text(ORIGIN) else { return false };
    let own = origin.split_once("://").map(|(_, authority)| authority);
    let host = own.and_then(|own| own.parse::<Authority>().ok());
    let is_local = host.as_ref().is_some_and(|host| {
        let host = host.host();
        host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
    });
    !is_local || own != text(HOST)
}

/// What the certificate of a client allows: the most that one of its names does.
fn certified(shared: &Shared, source: &Source) -> Option<(String, Access)> {
    let certificate = source.certificate()?;
    let identity = Identity::of(certificate, source.address.ip());
    let roles = shared.settings.client_roles.iter();
    let own = roles.filter(|role| identity.proves(&Name::Host(role.san.clone())));
    own.max_by_key(|role| role.role).map(|role| (role.san.clone(), role.role))
}

fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
