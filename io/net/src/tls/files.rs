//! Certificates, keys and authorities: from files to what handshakes are made of.
//!
//! What cannot work is refused here with the file and the reason: a key that is not that of its
//! certificate, an expired certificate, a key that others may write. Key bytes are in no text.

use super::name::Name;
use super::stream::{Session, Stream};
use super::validity::validity;
use super::verify::Verifier;
use crate::limits::{CERTIFICATES, PEM_FILE};
use crate::tcp;
use model::time::Millis;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use webpki::EndEntityCert;

/// What is asked of whoever connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// Nothing.
    #[default]
    None,
    /// A certificate if there is one; a bad one is refused.
    Optional,
    /// A certificate.
    Required,
}

/// A certificate with its chain, and its key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Own certificate first, then those between it and an authority.
    pub certificates: PathBuf,
    /// PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
}

/// The files of one block of settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The first is shown to whoever names no other; it is also ours as a client.
    pub pairs: Vec<Pair>,
    /// Authorities, PEM.
    pub authorities: Option<PathBuf>,
    /// What is asked of whoever connects; it needs authorities.
    pub client_auth: ClientAuth,
}

/// Why files cannot be used.
#[derive(Debug)]
pub struct Fault {
    /// Which file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.why)
    }
}

impl std::error::Error for Fault {}

/// What is looked at to see that files have changed: their times, sizes and numbers.
pub type Stamp = Vec<Option<(i64, i64, u64, u64)>>;

/// What handshakes are made of.
#[derive(Debug, Clone)]
pub struct Material {
    server: Arc<ServerConfig>,
    client: Option<Arc<ClientConfig>>,
    /// The first of the pairs.
    shown: Arc<CertifiedKey>,
    /// The first certificate to expire, and when.
    expires: (PathBuf, Millis),
    /// Key files that everybody may read.
    readable: Vec<PathBuf>,
}

impl Files {
    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        let pairs = self.pairs.iter().flat_map(|pair| [&pair.certificates, &pair.key]);
        pairs.chain(&self.authorities)
    }

    /// Two stamps differ when a file has been written or replaced in between.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        let one = |path: &PathBuf| {
            let found = fs::metadata(path).ok()?;
            Some((found.mtime(), found.mtime_nsec(), found.size(), found.ino()))
        };
        self.paths().map(one).collect()
    }

    /// Reads and checks everything.
    ///
    /// # Errors
    /// The first file that cannot be used, and why.
    pub fn load(&self, now: Millis) -> Result<Material, Fault> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut keys = Vec::with_capacity(self.pairs.len());
        let mut expires = (PathBuf::new(), Millis(u64::MAX));
        let mut readable = Vec::new();
        for pair in &self.pairs {
            let (key, until) = pair.load(now, &provider, &mut readable)?;
            keys.push(Arc::new(key));
            if until < expires.1 {
                expires = (pair.certificates.clone(), until);
            }
        }
        let roots = self.authorities.as_deref().map(roots).transpose()?;
        let fault = |why: String| {
            let file = self.paths().next().cloned().unwrap_or_default();
            move |error: rustls::Error| Fault { file, why: format!("{why}: {error}") }
        };
        let first = keys.first().cloned().ok_or_else(|| Fault {
            file: PathBuf::new(),
            why: "there is no certificate".to_owned(),
        })?;
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(fault("no common version".to_owned()))?
            .with_client_cert_verifier(self.client_verifier(roots.as_ref(), &provider)?)
            .with_cert_resolver(Arc::new(Shown { keys }));
        let client = roots.map(|roots| client(&provider, roots, Arc::clone(&first))).transpose();
        let client = client.map_err(fault("as a client".to_owned()))?.map(Arc::new);
        Ok(Material { server: Arc::new(server), client, shown: first, expires, readable })
    }

    fn client_verifier(
        &self,
        roots: Option<&Arc<RootCertStore>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, Fault> {
        let (Some(roots), true) = (roots, self.client_auth != ClientAuth::None) else {
            return Ok(WebPkiClientVerifier::no_client_auth());
        };
        let (roots, provider) = (Arc::clone(roots), Arc::clone(provider));
        let builder = WebPkiClientVerifier::builder_with_provider(roots, provider);
        let builder = match self.client_auth {
            ClientAuth::Optional => builder.allow_unauthenticated(),
            ClientAuth::Required | ClientAuth::None => builder,
        };
        builder.build().map_err(|error| Fault {
            file: self.authorities.clone().unwrap_or_default(),
            why: error.to_string(),
        })
    }
}

fn client(
    provider: &Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    own: Arc<CertifiedKey>,
) -> Result<ClientConfig, rustls::Error> {
    let algorithms = provider.signature_verification_algorithms;
    let mut client = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { roots, algorithms }))
        .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(own)));
    // A resumed session shows no certificate: each connection is verified itself.
    client.resumption = Resumption::disabled();
    Ok(client)
}

impl Pair {
    fn load(
        &self,
        now: Millis,
        provider: &CryptoProvider,
        readable: &mut Vec<PathBuf>,
    ) -> Result<(CertifiedKey, Millis), Fault> {
        let fault = |file: &Path, why: String| Fault { file: file.to_path_buf(), why };
        let certificates = certificates(&self.certificates)?;
        let own = certificates.first().map(AsRef::as_ref).unwrap_or_default();
        let (from, until) = validity(own)
            .ok_or_else(|| fault(&self.certificates, "not an X.509 certificate".to_owned()))?;
        if until < now {
            return Err(fault(&self.certificates, format!("expired at {until}")));
        }
        if from > now {
            return Err(fault(&self.certificates, format!("not valid before {from}")));
        }
        let mode = fs::metadata(&self.key).map_err(|e| fault(&self.key, e.to_string()))?.mode();
        if mode & 0o022 != 0 {
            let why = format!("others than its owner may write it (mode {:03o})", mode & 0o777);
            return Err(fault(&self.key, why));
        }
        if mode & 0o004 != 0 {
            readable.push(self.key.clone());
        }
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?)
            .map_err(|_| fault(&self.key, "no private key in it".to_owned()))?;
        let key = CertifiedKey::from_der(certificates, key, provider).map_err(|error| {
            let why = match error {
                rustls::Error::InconsistentKeys(_) => {
                    format!("not the key of the certificate in {}", self.certificates.display())
                }
                other => other.to_string(),
            };
            fault(&self.key, why)
        })?;
        Ok((key, until))
    }
}

pub(super) fn roots(path: &Path) -> Result<Arc<RootCertStore>, Fault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| Fault {
            file: path.to_path_buf(),
            why: format!("an authority that cannot be used: {error}"),
        })?;
    }
    Ok(Arc::new(roots))
}

/// All certificates of a PEM file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let fault = |why: &str| Fault { file: path.to_path_buf(), why: why.to_owned() };
    let bytes = read(path)?;
    let all: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(&bytes).take(CERTIFICATES).collect();
    let all = all.map_err(|_| fault("not PEM"))?;
    if all.is_empty() { Err(fault("no certificate in it")) } else { Ok(all) }
}

/// A file of bounded size.
fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    let fault = |error: io::Error| Fault { file: path.to_path_buf(), why: error.to_string() };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(fault)?;
    file.take(PEM_FILE + 1).read_to_end(&mut bytes).map_err(fault)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > PEM_FILE {
        return Err(fault(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(bytes)
}

/// Which certificate is shown: that for the name that the client asks for, else the first.
#[derive(Debug)]
struct Shown {
    keys: Vec<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let fits = |key: &&Arc<CertifiedKey>| {
            let name = asked.as_ref()?;
            let own = EndEntityCert::try_from(key.end_entity_cert().ok()?).ok()?;
            own.verify_is_valid_for_subject_name(name).ok()
        };
        let found = self.keys.iter().find(|key| fits(key).is_some());
        found.or(self.keys.first()).cloned()
    }
}

impl Material {
    /// When the first of the certificates expires.
    #[must_use]
    pub fn expires(&self) -> Millis {
        self.expires.1
    }

    /// The file of that one.
    #[must_use]
    pub fn expires_first(&self) -> &Path {
        &self.expires.0
    }

    /// Key files that everybody on this machine may read.
    #[must_use]
    pub fn readable_keys(&self) -> &[PathBuf] {
        &self.readable
    }

    /// The first certificate with its key: what is ours as a client.
    #[must_use]
    pub fn shown(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.shown)
    }

    /// What a server's handshakes are made of, for streams that are not [`Stream`]s.
    #[must_use]
    pub fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }

    /// A stream that a peer opened; its handshake begins with what the peer sends.
    ///
    /// # Errors
    /// When the library refuses its own settings.
    pub fn accept(&self, stream: tcp::Stream) -> Result<Stream, rustls::Error> {
        let session = ServerConnection::new(Arc::clone(&self.server))?;
        Ok(Stream::new(stream, Session::Server(Box::new(session))))
    }

    /// A stream that we open to whoever has to be `name`.
    ///
    /// # Errors
    /// In a word: without authorities nobody can be verified (`no-ca`), and not every text is a
    /// name (`name`).
    pub fn connect(&self, stream: tcp::Stream, name: &Name) -> Result<Stream, &'static str> {
        let client = self.client.as_ref().ok_or("no-ca")?;
        let name = name.server_name().ok_or("name")?;
        let session = ClientConnection::new(Arc::clone(client), name).map_err(|_| "name")?;
        Ok(Stream::new(stream, Session::Client(Box::new(session))))
    }

    /// How long the certificates are still valid.
    #[must_use]
    pub fn left(&self, now: Millis) -> Duration {
        Duration::from_millis(self.expires().0.saturating_sub(now.0))
    }
}
