//! `config_server`: the Config Server.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use model::schema::{Field, Object};

use super::address::listen;
use super::tls::{self, ClientAuth, Tls};
use super::{later, path};

const DAY: Duration = Duration::from_secs(86_400);
/// Names of client certificates that have a role.
const CLIENT_ROLES: usize = 1_000;

/// `config_server`
#[derive(Clone, PartialEq, Debug)]
pub struct ConfigServer {
    /// `config_server.listen`
    pub listen: SocketAddr,
    /// `config_server.seed`: objects of an empty store.
    pub seed: Option<PathBuf>,
    /// `config_server.tls`
    pub tls: Option<Tls>,
    /// `config_server.tls.client_roles`: what a client certificate allows.
    pub client_roles: Vec<ClientRole>,
    /// `config_server.auth.bootstrap_token_file`: the first admin's token.
    pub bootstrap_token_file: Option<PathBuf>,
    /// `config_server.auth.anonymous`, if it is set; see [`ConfigServer::anonymous`].
    pub anonymous: Option<Access>,
    /// `config_server.http_metrics_auth`: `/metrics` asks for a reader.
    pub http_metrics_auth: bool,
    /// `config_server.require_if_match`: no change of an object that does not say of which.
    pub require_if_match: bool,
    /// `config_server.history.keep_revisions`: so many of the newest revisions are kept …
    pub keep_revisions: u64,
    /// `config_server.history.keep`: … and all that are not older.
    pub keep: Duration,
}

/// What somebody may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Access {
    /// Nothing.
    None,
    /// Read and watch.
    Reader,
    /// Write objects too.
    Editor,
    /// Tokens, audit, backup and restore too.
    Admin,
}

/// A name in a client's certificate and what it allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientRole {
    /// A DNS name of the certificate.
    pub san: String,
    /// Never [`Access::None`].
    pub role: Access,
}

impl ConfigServer {
    /// What whoever shows neither token nor certificate may do: everything on loopback without
    /// TLS, so that nothing needs a file; else nothing, unless it is set (ops.md §1.12).
    #[must_use]
    pub fn anonymous(&self) -> Access {
        let alone = self.listen.ip().is_loopback() && self.tls.is_none();
        self.anonymous.unwrap_or(if alone { Access::Admin } else { Access::None })
    }
}

impl Default for ConfigServer {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8888)),
            seed: None,
            tls: None,
            client_roles: Vec::new(),
            bootstrap_token_file: None,
            anonymous: None,
            http_metrics_auth: false,
            require_if_match: false,
            keep_revisions: 1000,
            keep: 90 * DAY,
        }
    }
}

pub(super) fn read(server: Object<'_>) -> Option<ConfigServer> {
    let mut settings = ConfigServer::default();
    put(&mut settings.listen, server.get("listen").and_then(|field| listen(&field)));
    if let Some(field) = server.get("store") {
        store(&field);
    }
    settings.seed = server.get("seed").and_then(|field| path(&field));
    if let Some(block) = server.get("tls").and_then(|field| field.object()) {
        settings.tls = tls::read(&block, "config_server.tls");
        let roles = block.get("client_roles").and_then(|field| client_roles(&field));
        settings.client_roles = roles.unwrap_or_default();
        let asked = settings.tls.as_ref().is_none_or(|tls| tls.client_auth != ClientAuth::None);
        if !settings.client_roles.is_empty() && !asked {
            let text = "client_roles needs certificates of clients: set config_server.tls";
            block.note("E103", format!("config_server.tls.{text}.client_auth"));
        }
        block.finish();
    }
    if let Some(auth) = server.get("auth").and_then(|field| field.object()) {
        settings.bootstrap_token_file =
            auth.get("bootstrap_token_file").and_then(|field| path(&field));
        settings.anonymous = auth.get("anonymous").and_then(|field| anonymous(&field, &settings));
        auth.finish();
    }
    let flag = |key| server.get(key).and_then(|field: Field<'_>| field.boolean());
    put(&mut settings.http_metrics_auth, flag("http_metrics_auth"));
    put(&mut settings.require_if_match, flag("require_if_match"));
    if let Some(history) = server.get("history").and_then(|field| field.object()) {
        let count = history.get("keep_revisions").and_then(|field| field.whole(1, 10_000_000));
        put(&mut settings.keep_revisions, count);
        let keep = history.get("keep").and_then(|field| field.duration(Duration::ZERO, 3650 * DAY));
        put(&mut settings.keep, keep);
        history.finish();
    }
    later::refuse(&server, "config_server", &["tls", "auth", "history"]);
    server.finish();
    Some(settings)
}

fn put<T>(cell: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *cell = value;
    }
}

fn store(field: &Field<'_>) {
    match field.text() {
        None | Some("sqlite") => {}
        Some(text) if text.starts_with("postgres://") || text.starts_with("postgresql://") => {
            field.unavailable_as::<()>("config_server.store other than sqlite").unwrap_or_default();
        }
        Some(_) => {
            field.note("E104", "\"config_server.store\" must be one of sqlite, postgres://…");
        }
    }
}

fn anonymous(field: &Field<'_>, settings: &ConfigServer) -> Option<Access> {
    let choices = [
        ("admin", Access::Admin),
        ("editor", Access::Editor),
        ("reader", Access::Reader),
        ("none", Access::None),
    ];
    let access = field.choice(&choices)?;
    if access >= Access::Editor && !settings.listen.ip().is_loopback() {
        let address = settings.listen;
        let text = "must be reader or none where config_server.listen is not loopback";
        field.note("E103", format!("\"{}\" {text} ({address})", field.name()));
    }
    Some(access)
}

fn client_roles(field: &Field<'_>) -> Option<Vec<ClientRole>> {
    let items = field.list()?;
    if items.len() > CLIENT_ROLES {
        field.note("E106", format!("\"{}\" must be at most {CLIENT_ROLES}", field.name()));
        return None;
    }
    let choices =
        [("reader", Access::Reader), ("editor", Access::Editor), ("admin", Access::Admin)];
    let one = |item: &Field<'_>| {
        let object = item.object()?;
        let kind = "client role";
        let san = object.require("san", kind).and_then(|field| field.text_up_to(253));
        let role = object.require("role", kind).and_then(|field| field.choice(&choices));
        object.finish();
        Some(ClientRole { san: san?.to_ascii_lowercase(), role: role? })
    };
    items.iter().map(one).collect()
}
