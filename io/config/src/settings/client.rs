//! `config`: where the platform objects come from, a file or the Config Server (ops.md §1.10).

use std::fmt;
use std::path::PathBuf;

use model::schema::{Field, Object};
use model::tree::Value;
use reqwest::Url;

use super::address::is_host;
use super::tls::{Certificate, pair};
use super::{Settings, path};

/// Servers of one list: more is a mistake.
const MOST: usize = 16;

/// How the Config Server is reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigClient {
    /// `config.server`: tried in this order; at least one.
    pub servers: Vec<ServerUrl>,
    /// `config.token_file`: what proves who asks.
    pub token_file: Option<PathBuf>,
    /// `config.ca_file`: authorities that verify the server; else those of the system.
    pub ca_file: Option<PathBuf>,
    /// `config.cert_file` and `.key_file`: what is shown to a server that asks for a certificate.
    pub certificate: Option<Certificate>,
    /// `config.server_name`: the name that its certificate has to show; else the URL's host.
    pub server_name: Option<String>,
}

impl Default for ConfigClient {
    fn default() -> Self {
        let server = ServerUrl::parse("http://127.0.0.1:8888").ok();
        let servers = server.into_iter().collect();
        Self { servers, token_file: None, ca_file: None, certificate: None, server_name: None }
    }
}

/// `http://host:port` or `https://host:port`; it holds no secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerUrl(Url);

impl ServerUrl {
    /// Reads one.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let expected = "expected http://host:port or https://host:port";
        let url = Url::parse(text).map_err(|_| expected)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a secret is never in a URL: use config.token_file");
        }
        let web = matches!(url.scheme(), "http" | "https") && url.host().is_some();
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if web && bare { Ok(Self(url)) } else { Err(expected) }
    }

    /// The URL itself; its path is `/`.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Whether it is asked over TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// The section, into `config_file` and the client.
pub(super) fn read(section: Object<'_>) -> (Option<PathBuf>, ConfigClient) {
    let defaults = ConfigClient::default();
    let file = section.get("file").and_then(|field| path(&field));
    let server = section.get("server");
    if let (Some(server), true) = (&server, file.is_some()) {
        server.note(
            "E105",
            "\"config.server\" is not read beside config.file: leave one of them out",
        );
    }
    let servers = server.and_then(|field| servers(&field)).unwrap_or(defaults.servers);
    let shows = section.get("cert_file").is_some() || section.get("key_file").is_some();
    let certificate = if shows { pair(&section, "config") } else { None };
    let ca_file = section.get("ca_file").and_then(|field| path(&field));
    if shows && ca_file.is_none() {
        section.note("E103", "config.cert_file needs authorities: set config.ca_file");
    }
    let client = ConfigClient {
        servers,
        token_file: section.get("token_file").and_then(|field| path(&field)),
        ca_file,
        certificate,
        server_name: section.get("server_name").and_then(|field| name(&field)),
    };
    section.finish();
    (file, client)
}

fn servers(field: &Field<'_>) -> Option<Vec<ServerUrl>> {
    let Value::Seq(_) = field.node().value else { return server(field).map(|one| vec![one]) };
    let list = field.list()?;
    if list.is_empty() || list.len() > MOST {
        field.note("E106", format!("\"{}\" must be between 1 and {MOST}", field.name()));
        return None;
    }
    list.iter().map(server).collect()
}

fn server(field: &Field<'_>) -> Option<ServerUrl> {
    let url = ServerUrl::parse(field.text()?);
    url.map_or_else(|expected| field.invalid("URL of a Config Server", expected), Some)
}

fn name(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    if !is_host(text) {
        return field.invalid("name", "expected a host name");
    }
    Some(text.to_owned())
}

impl Settings {
    /// Where the objects come from, as people read it.
    #[must_use]
    pub fn config_source(&self) -> String {
        match &self.config_file {
            Some(file) => file.display().to_string(),
            None => self.config.servers.first().map(ToString::to_string).unwrap_or_default(),
        }
    }
}
