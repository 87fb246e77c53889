//! Whom a client trusts that shows no certificate of its own: the authorities of one file, and
//! names as the web has them (RFC 9525, so that a wildcard of one label counts). For servers that
//! are no SIP peers.

use super::files::{Fault, roots};
use super::name::Name;
use super::stream::{Session, Stream};
use crate::tcp;
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection};
use std::path::Path;
use std::sync::Arc;

/// What our handshakes with such servers are made of.
#[derive(Debug, Clone)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Reads the authorities.
    ///
    /// # Errors
    /// The file, and why it cannot be used.
    pub fn open(authorities: &Path) -> Result<Self, Fault> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let fault = |error: rustls::Error| Fault {
            file: authorities.to_path_buf(),
            why: error.to_string(),
        };
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(fault)?
            .with_root_certificates(roots(authorities)?)
            .with_no_client_auth();
        client.resumption = Resumption::disabled();
        Ok(Self(Arc::new(client)))
    }

    /// A stream that we open to whoever has to be `host`, a name or an address.
    ///
    /// # Errors
    /// In a word: not every text is a name (`name`).
    pub fn connect(&self, stream: tcp::Stream, host: &str) -> Result<Stream, &'static str> {
        let name = match host.parse() {
            Ok(address) => Name::Address(address),
            Err(_) => Name::Host(host.to_owned()),
        };
        let name = name.server_name().ok_or("name")?;
        let session = ClientConnection::new(Arc::clone(&self.0), name).map_err(|_| "name")?;
        Ok(Stream::new(stream, Session::Client(Box::new(session))))
    }
}
