//! Who asks, and whether they may (rs.md §6, §8): by HTTP Basic, a token, a certificate, or nobody
//! in particular. The table of what needs which role is here, and what it does not know is an
//! admin's.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::connect_info::ConnectInfo;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use axum::middleware::Next;
use axum::response::Response;
use openwire::Secret;
use rs::Refused;
use telemetry::door::Source;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::{Shape, internal, refusal};
use super::audit::Asked;
use super::origins::is_foreign;
use super::{Settings, Shared};
use crate::base64;
use crate::users::{NotIn, Role, Roles, User};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asker {
    /// `None`: nobody in particular.
    pub(super) user: Option<String>,
    /// Where from.
    pub(super) address: SocketAddr,
    /// As the file had them when they were let in.
    entry: Option<Arc<User>>,
    roles: Roles,
    /// Names of producers that they are bound to.
    pub(super) produces: Vec<String>,
    /// Tenants that they may read of, by name or DBID; empty: all.
    pub(super) tenants: Vec<String>,
}

impl Asker {
    /// Whether they have that role.
    pub(super) fn is(&self, role: Role) -> bool {
        self.roles.have(role)
    }

    fn nobody(address: SocketAddr, roles: Roles) -> Self {
        let (produces, tenants) = (Vec::new(), Vec::new());
        Self { user: None, address, entry: None, roles, produces, tenants }
    }

    fn user(user: &Arc<User>, address: SocketAddr) -> Self {
        let (produces, tenants) = (user.produces.clone(), user.tenants.clone());
        let (name, entry) = (Some(user.name.clone()), Some(Arc::clone(user)));
        Self { user: name, address, entry, roles: user.roles, produces, tenants }
    }
}

impl Shared {
    /// Whether one who was let in would be let in now, and as the same.
    pub(super) fn still_knows(&self, asker: &Asker) -> bool {
        let known = self.parts.settings.users.as_ref().zip(asker.entry.as_ref());
        known.is_none_or(|(users, entry)| users.still_have(entry, self.now()))
    }
}

impl FromRequestParts<Arc<Shared>> for Asker {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shared>) -> Result<Self, Response> {
        // put there by `check`, which stands before every handler
        let asker = parts.extensions.get::<Self>().cloned();
        asker.ok_or_else(|| refusal(Shape::Json, &internal()))
    }
}

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// Nothing, and who asks is not looked at: a probe waits for no login to be checked.
    Nothing,
    /// Nothing, but those who log in get more.
    Anybody,
    /// One of these roles.
    OneOf(&'static [Role]),
}

const ADMINS: Need = Need::OneOf(&[Role::Admin]);
const READERS: Need = Need::OneOf(&[Role::Reporter]);
const MONITORS: Need = Need::OneOf(&[Role::Monitor]);
const WATCHERS: Need = Need::OneOf(&[Role::Reporter, Role::Monitor]);
const PRODUCERS: Need = Need::OneOf(&[Role::Producer]);

/// Below `/api/v1`: what is asked for with GET. Longer paths first; the rest is for reporters.
const READ: [(&str, Need); 9] = [
    ("health", Need::Anybody),
    ("queues", MONITORS),
    ("alarms", WATCHERS),
    ("dead-letters", ADMINS),
    ("erasures", ADMINS),
    ("connections", ADMINS),
    ("jobs", ADMINS),
    ("audit", ADMINS),
    ("settings", ADMINS),
];

fn need(method: &Method, path: &str, metrics: Need) -> Need {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match path {
        "/live" | "/ready" | "/ems-rs/readiness" => return Need::Nothing,
        "/metrics" => return metrics,
        "/api/v1/records" if *method == Method::POST => return PRODUCERS,
        _ if !reads => return ADMINS,
        _ => {}
    }
    let Some(rest) = path.strip_prefix("/api/v1/") else { return READERS };
    let mut words = rest.split('/');
    let first = words.next().unwrap_or_default();
    if first == "queues" && words.nth(1).is_some() {
        // what waits are whole records
        return ADMINS;
    }
    READ.iter().find(|(name, _)| *name == first).map_or(READERS, |(_, need)| *need)
}

/// Lets a request pass that may be answered, or says why not; the audit log tells who was not
/// allowed what.
pub(super) async fn check(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(source): ConnectInfo<Source>,
    request: Request,
    next: Next,
) -> Response {
    let settings = &shared.parts.settings;
    let local = source.address.ip().is_loopback();
    let metrics = if settings.metrics_auth && !local { MONITORS } else { Need::Nothing };
    let need = need(request.method(), request.uri().path(), metrics);
    let shape = Shape::of_path(request.uri());
    let nobody = Asker::nobody(source.address, Roles::default());
    let found = match need {
        Need::Nothing => Ok(nobody.clone()),
        _ => identify(&shared, &source, request.headers()).await,
    };
    let asker = match found {
        Ok(asker) => asker,
        // whoever shows a bad password is answered all the same
        Err(_) if need == Need::Anybody => nobody,
        Err(why) => return turned_away(shape, why),
    };
    let (asked, user) = (Asked::of(&request), asker.user.clone());
    let response = match allowed(settings, need, &asker, &request) {
        Ok(()) => answered(&shared, need, asker, request, next).await,
        Err(refused) => *refused,
    };
    asked.note(&shared, user.as_deref(), source.address.ip(), &response);
    response
}

/// Whether the roles and the tenants of an asker are enough.
fn allowed(
    settings: &Settings,
    need: Need,
    asker: &Asker,
    request: &Request,
) -> Result<(), Box<Response>> {
    let shape = Shape::of_path(request.uri());
    let refused = |why: &Refused| Err(Box::new(refusal(shape, why)));
    let may = match need {
        Need::Nothing | Need::Anybody => true,
        Need::OneOf(roles) => roles.iter().any(|role| asker.is(*role)),
    };
    if !may && asker.user.is_none() {
        return Err(Box::new(login_required(shape, "this needs a login")));
    }
    if !may {
        let text = format!("this needs a role that user {} has not", named(asker));
        return refused(&Refused::other(403, "role-needed", text));
    }
    if !asker.tenants.is_empty() && !may_be_narrow(need, asker.is(Role::Monitor), request.uri()) {
        let text = "this is for whoever may see all tenants";
        return refused(&Refused::other(403, "scope-too-narrow", text));
    }
    if is_foreign(&settings.cors_origins, request.method(), request.headers()) {
        let text = "a page of another origin changes nothing here";
        return refused(&Refused::other(403, "foreign-origin", text));
    }
    Ok(())
}

/// The answer, when it is their turn.
async fn answered(
    shared: &Shared,
    need: Need,
    asker: Asker,
    mut request: Request,
    next: Next,
) -> Response {
    let (shape, local) = (Shape::of_path(request.uri()), asker.address.ip().is_loopback());
    let counted = !matches!(need, Need::Nothing | PRODUCERS) && (asker.user.is_some() || !local);
    // nobody in particular on this machine may do everything
    let place = match counted {
        true => place(shared, &asker, shape).await,
        false => Ok(None),
    };
    let place = match place {
        Ok(place) => place,
        Err(too_often) => return too_often,
    };
    request.extensions_mut().insert(asker);
    let response = next.run(request).await;
    drop(place);
    response
}

/// Waits until it is their turn; or they ask too often.
async fn place(
    shared: &Shared,
    asker: &Asker,
    shape: Shape,
) -> Result<Option<OwnedSemaphorePermit>, Response> {
    let (user, from) = (asker.user.as_deref(), asker.address.ip());
    match shared.rates.ask(user, from, shared.parts.clock.mono()) {
        Ok(places) => Ok(places.acquire_owned().await.ok()),
        Err(seconds) => {
            let text = format!("too many requests: come again in {seconds} s");
            Err(refusal(shape, &Refused::other(429, "rate-limit", text).in_seconds(seconds)))
        }
    }
}

/// What is narrowed to the tenants of one who may see some only, with all below it; what ends
/// without a `/` is a path, or the beginning of one with a `/` behind it.
const NARROWED: [&str; 6] = [
    "/api/v1/calls",
    "/api/v1/live/",
    "/api/v1/series/",
    "/ems-rs/RT/CDRs/RM/details",
    "/ems-rs/HIST/CDRs/RM/details",
    // the files of the page, which hold nobody's data
    "/assets/",
];

/// Whether it is answered to one who may see some tenants only. What is not listed is not.
fn may_be_narrow(need: Need, monitor: bool, uri: &Uri) -> bool {
    let path = uri.path();
    let is_of = |of: &str| match path.strip_prefix(of) {
        Some(rest) => of.ends_with('/') || rest.is_empty() || rest.starts_with('/'),
        None => false,
    };
    match need {
        READERS => path == "/" || NARROWED.into_iter().any(is_of),
        WATCHERS => monitor,
        _ => true,
    }
}

fn named(asker: &Asker) -> &str {
    asker.user.as_deref().unwrap_or_default()
}

async fn identify(shared: &Shared, source: &Source, headers: &HeaderMap) -> Result<Asker, NotIn> {
    let settings = &shared.parts.settings;
    let address = source.address;
    let roles = if settings.anonymous { Roles::ADMIN } else { Roles::default() };
    let nobody = Asker::nobody(address, roles);
    let Some(users) = &settings.users else { return Ok(nobody) };
    let now = shared.parts.clock.now();
    if let Some(value) = headers.get(AUTHORIZATION) {
        let verdict = match Shown::read(value) {
            Some(Shown::Password(name, password)) => {
                let verdict = users.login(address.ip(), &name, password, now.mono);
                verdict.await.unwrap_or(Err(NotIn::Busy))
            }
            Some(Shown::Token(token)) => users.bearer(&token, address.ip(), now),
            None => Err(users.unreadable(address.ip(), now.mono)),
        };
        if verdict.is_err() {
            shared.parts.ingest.counters.login_failed();
        }
        return verdict.map(|user| Asker::user(&user, address));
    }
    let certified = |shown| users.certified(shown, address.ip(), now.mono);
    let certified = source.certificate().and_then(certified);
    Ok(certified.map_or(nobody, |user| Asker::user(&user, address)))
}

/// What a request shows of who asks.
enum Shown {
    /// Name and password of HTTP Basic (RFC 7617).
    Password(String, Secret),
    /// RFC 6750.
    Token(Secret),
}

impl Shown {
    fn read(value: &HeaderValue) -> Option<Self> {
        let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Token(Secret::new(rest.trim().to_owned())));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(base64::decode(rest.trim())?).ok()?;
        let (name, password) = text.split_once(':')?;
        Some(Self::Password(name.to_owned(), Secret::new(password.to_owned())))
    }
}

fn turned_away(shape: Shape, why: NotIn) -> Response {
    let text = why.to_string();
    let (status, code, again) = match why {
        NotIn::Wrong | NotIn::Token => return login_required(shape, &text),
        NotIn::TooOften(seconds) => (429, "rate-limit", seconds),
        NotIn::Busy => (503, "busy", 1),
    };
    refusal(shape, &Refused::other(status, code, text).in_seconds(again))
}

fn login_required(shape: Shape, text: &str) -> Response {
    let mut response = refusal(shape, &Refused::other(401, "login-required", text));
    let how = HeaderValue::from_static(r#"Basic realm="Ringmaster", charset="UTF-8""#);
    response.headers_mut().insert(WWW_AUTHENTICATE, how);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_which_role() {
        let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
        for (method, path, expected) in [
            (&get, "/live", Need::Nothing),
            (&get, "/ready", Need::Nothing),
            (&get, "/ems-rs/readiness", Need::Nothing),
            (&get, "/api/v1/health", Need::Anybody),
            (&get, "/metrics", MONITORS),
            (&get, "/", READERS),
            (&get, "/ems-rs/cdr", READERS),
            (&Method::HEAD, "/api/v1/calls", READERS),
            (&get, "/api/v1/live/stream", READERS),
            (&get, "/api/v1/integrity/proof", READERS),
            (&get, "/api/v1/queues", MONITORS),
            (&get, "/api/v1/queues/ringmaster.cdr", MONITORS),
            (&get, "/api/v1/queues/ringmaster.cdr/messages", ADMINS),
            (&Method::HEAD, "/api/v1/queues/ringmaster.cdr/messages", ADMINS),
            (&get, "/api/v1/connections", ADMINS),
            (&delete, "/api/v1/connections/7", ADMINS),
            (&get, "/api/v1/alarms", WATCHERS),
            (&delete, "/api/v1/alarms/RS-SPOOL-SYNC", ADMINS),
            (&get, "/api/v1/dead-letters/7", ADMINS),
            (&post, "/api/v1/dead-letters/retry", ADMINS),
            (&get, "/api/v1/audit", ADMINS),
            (&get, "/api/v1/settings", ADMINS),
            (&get, "/api/v1/retention", READERS),
            (&Method::PUT, "/api/v1/retention", ADMINS),
            (&post, "/api/v1/records", PRODUCERS),
            (&get, "/api/v1/records", READERS),
            (&delete, "/api/v1/calls/x", ADMINS),
            (&post, "/ems-rs/readiness2", ADMINS),
        ] {
            assert_eq!(need(method, path, MONITORS), expected, "{method} {path}");
        }
    }

    #[test]
    fn bound_readers_get_what_is_listed_and_nothing_else() {
        for (path, open) in [
            ("/", true),
            ("/assets/app.js", true),
            ("/api/v1/calls", true),
            ("/api/v1/calls/01A2?include=trace", true),
            ("/api/v1/calls2", false),
            ("/api/v1/live/stream", true),
            ("/api/v1/series/peaks", true),
            ("/api/v1/integrity", false),
            ("/ems-rs/HIST/CDRs/RM/details?tenant-id=1", true),
            ("/ems-rs/HIST/CDRs/MCP/details", false),
            ("/ems-rs/HIST/CDRs/RM/summary", false),
            ("/snmp", false),
            ("//", false),
        ] {
            let uri = path.parse().unwrap();
            assert_eq!(may_be_narrow(READERS, true, &uri), open, "{path}");
            assert!(may_be_narrow(WATCHERS, true, &uri) && !may_be_narrow(WATCHERS, false, &uri));
        }
    }

    #[test]
    fn what_a_request_shows() {
        for (value, expected) in [
            ("Basic cm0tMTpzZWNyZXQ=", "rm-1 secret"),
            ("bASIC cm0tMTpzZWM6cmV0", "rm-1 sec:ret"),
            ("Basic cm0tMQ==", ""),
            ("Basic !!!", ""),
            ("bearer  rst_1 ", "token rst_1"),
            ("Bearer", ""),
            ("Digest a", ""),
            ("Basic", ""),
        ] {
            let read = match Shown::read(&HeaderValue::from_static(value)) {
                Some(Shown::Password(name, password)) => format!("{name} {}", password.reveal()),
                Some(Shown::Token(token)) => format!("token {}", token.reveal()),
                None => String::new(),
            };
            assert_eq!(read, expected, "{value}");
        }
    }
}
