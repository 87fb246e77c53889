//! How a Config Server is reached: by whom one trusts, with the token from its file.
//!
//! The files are read anew for each connection, so that a changed one counts without a restart.
//! The token stands in no URL, log line or error.

use std::path::Path;
use std::sync::Arc;

use net::Clock;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

use super::limits::{CONNECT, TOKEN};
use super::trust::{self, read, unusable};
use crate::settings::ConfigClient;

/// Connects to the servers of one block of settings.
#[derive(Clone, Debug)]
pub struct Connector {
    settings: Arc<ConfigClient>,
    clock: Clock,
}

/// A server to be asked.
#[derive(Clone, Debug)]
pub struct Server {
    /// Connections with the token in front of each request.
    pub client: Client,
    base: Url,
}

impl Server {
    /// The URL of a path of segments, which may hold any character.
    #[must_use]
    pub fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend(segments);
        }
        url
    }
}

impl Connector {
    /// One for these settings.
    #[must_use]
    pub fn new(settings: ConfigClient, clock: Clock) -> Self {
        Self { settings: Arc::new(settings), clock }
    }

    /// How many servers there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.settings.servers.len()
    }

    /// The URL of a server, for people.
    #[must_use]
    pub fn shown(&self, server: usize) -> String {
        self.settings.servers.get(server).map(ToString::to_string).unwrap_or_default()
    }

    /// A server, with the files as they are now.
    ///
    /// # Errors
    /// Which file cannot be used, and why.
    pub fn server(&self, server: usize) -> Result<Server, String> {
        let Some(url) = self.settings.servers.get(server) else {
            return Err("there is no such server".to_owned());
        };
        let mut headers = HeaderMap::new();
        if let Some(path) = &self.settings.token_file {
            headers.insert(AUTHORIZATION, token(path)?);
        }
        let now = self.clock.now().wall;
        let (builder, base) = trust::client(&self.settings, url.url(), now)?;
        let builder =
            builder.default_headers(headers).connect_timeout(CONNECT).redirect(Policy::none());
        let client = builder.build().map_err(|error| chain(&error))?;
        Ok(Server { client, base })
    }
}

fn token(path: &Path) -> Result<HeaderValue, String> {
    let text = read(path, TOKEN)?;
    let text = String::from_utf8(text).map_err(|_| unusable(path, "no text"))?;
    let value = HeaderValue::from_str(&format!("Bearer {}", text.trim()));
    let mut value = value.map_err(|_| unusable(path, "no token"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// An error with its innermost cause, which is what tells.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::Connector;
    use crate::settings::{ConfigClient, ServerUrl};
    use net::Clock;
    use std::fs;

    fn connector(server: &str) -> ConfigClient {
        let servers = vec![ServerUrl::parse(server).unwrap()];
        ConfigClient { servers, ..ConfigClient::default() }
    }

    #[test]
    fn a_name_in_a_path_may_hold_anything() {
        let server = Connector::new(connector("http://h:1"), Clock::start()).server(0).unwrap();
        let url = server.url(&["v1", "clients", "rm 1/?#%"]);
        assert_eq!(url.as_str(), "http://h:1/v1/clients/rm%201%2F%3F%23%25");
    }

    #[test]
    fn files_that_cannot_be_used_are_named_and_secrets_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let with = |token: bool| {
            let mut settings = connector("https://h:1");
            if token {
                settings.token_file = Some(path.clone());
            } else {
                settings.ca_file = Some(path.clone());
            }
            Connector::new(settings, Clock::start()).server(0).map(drop).unwrap_err()
        };
        for (text, token, told) in [
            ("geheim\u{1}", true, "no token"),
            (&"x".repeat(5_000), true, "larger than 4096 bytes"),
            ("", false, "no certificate in it"),
        ] {
            fs::write(&path, text).unwrap();
            let error = with(token);
            assert!(error.ends_with(&format!("file: {told}")), "{error}");
            assert!(!error.contains("geheim"), "{error}");
        }
        fs::remove_file(&path).unwrap();
        assert!(with(true).contains("No such file"));
    }

    #[test]
    fn the_name_of_the_certificate_stands_in_the_url_and_the_host_is_connected_to() {
        let mut settings = connector("https://[::1]:8888");
        settings.server_name = Some("config.voice".to_owned());
        settings.ca_file = None;
        // the system's authorities need a provider for the whole process
        let _first = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let server = Connector::new(settings, Clock::start()).server(0).unwrap();
        assert_eq!(server.url(&["live"]).as_str(), "https://config.voice:8888/live");
    }
}
