//! The TLS block of a listener (ops.md §13): certificates, authorities, what is asked of clients.
//! One reader for every part that has such a block; whether the files fit is seen when they are
//! loaded.

use std::path::PathBuf;

use model::schema::{Field, Object};

use super::path;

/// Certificates that one block may have, with the first.
const MOST: usize = 32;

/// A block `{cert_file, key_file, ca_file, client_auth, certificates}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tls {
    /// At least one; the first is shown to whoever names no other, and is ours as a client.
    pub certificates: Vec<Certificate>,
    /// `ca_file`: authorities that verify clients and, for SIP, servers.
    pub ca_file: Option<PathBuf>,
    /// `client_auth`
    pub client_auth: ClientAuth,
}

/// A certificate with its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certificate {
    /// PEM: the certificate, then those between it and an authority.
    pub cert_file: PathBuf,
    /// PEM.
    pub key_file: PathBuf,
}

/// What is asked of clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ClientAuth {
    /// No certificate.
    #[default]
    None,
    /// A certificate may be shown; a bad one is refused.
    Optional,
    /// A certificate must be shown.
    Required,
}

impl ClientAuth {
    const ALL: [(&'static str, Self); 3] =
        [("none", Self::None), ("optional", Self::Optional), ("required", Self::Required)];

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, one)| *one)
    }

    /// Its name, as in the settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, one)| *one == self).map_or("none", |(name, _)| name)
    }
}

pub(super) fn read(block: &Object<'_>, section: &str) -> Option<Tls> {
    let mut certificates = Vec::new();
    let more = block.get("certificates").and_then(|field| list(&field));
    // The pair of the block itself may be left out where the list has one.
    if more.as_ref().is_none_or(Vec::is_empty)
        || block.get("cert_file").is_some()
        || block.get("key_file").is_some()
    {
        certificates.extend(pair(block, "tls"));
    }
    certificates.extend(more.unwrap_or_default());
    let ca_file = block.get("ca_file").and_then(|field| path(&field));
    let asked = block.get("client_auth").and_then(|field| field.choice(&ClientAuth::ALL));
    let client_auth = asked.unwrap_or_default();
    if client_auth != ClientAuth::None && ca_file.is_none() {
        let text = "client_auth needs authorities: set";
        block.note("E103", format!("{section}.{text} {section}.ca_file"));
    }
    (!certificates.is_empty()).then_some(Tls { certificates, ca_file, client_auth })
}

fn list(field: &Field<'_>) -> Option<Vec<Certificate>> {
    let items = field.list()?;
    if items.len() >= MOST {
        field.note("E106", format!("\"{}\" must be fewer than {MOST}", field.name()));
        return None;
    }
    let one = |item: &Field<'_>| {
        let object = item.object()?;
        let pair = pair(&object, "certificate");
        object.finish();
        pair
    };
    items.iter().map(one).collect()
}

/// The two files of one certificate; `kind` is what has to have them.
pub(super) fn pair(object: &Object<'_>, kind: &str) -> Option<Certificate> {
    let cert_file = object.require("cert_file", kind).and_then(|field| path(&field));
    let key_file = object.require("key_file", kind).and_then(|field| path(&field));
    Some(Certificate { cert_file: cert_file?, key_file: key_file? })
}
