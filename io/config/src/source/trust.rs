//! Whom a client of the Config Server trusts, and what it shows of itself (ops.md §1.12, §13).
//!
//! The files are read anew for each client that is built, so that a changed one counts without a
//! restart. What cannot work is named with its file and its reason; bytes of a key are in no text.

use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use model::time::Millis;
use net::tls::{ClientAuth, Fault, Files, Material, Pair};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{ClientBuilder, Url};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};

use super::limits::AUTHORITIES;
use crate::certificates::{SOON, strange};
use crate::settings::{Certificate, ConfigClient};

/// A client of the server at `url`, and the URL under which it has to ask: with a name that the
/// certificate has to show, that name stands in it.
///
/// # Errors
/// Which file cannot be used, and why.
pub fn client(
    settings: &ConfigClient,
    url: &Url,
    now: Millis,
) -> Result<(ClientBuilder, Url), String> {
    let builder = reqwest::Client::builder().no_proxy();
    let is_tls = url.scheme() == "https";
    let builder = match &settings.ca_file {
        Some(path) => builder.tls_backend_preconfigured(tls(authorities(path)?, settings, now)?),
        // nothing is encrypted: nobody has to be trusted
        None if !is_tls => {
            builder.tls_backend_preconfigured(tls(RootCertStore::empty(), settings, now)?)
        }
        // the system's authorities, by the provider that the process has installed
        None => builder,
    };
    let mut base = url.clone();
    let name = settings.server_name.as_deref().filter(|_| is_tls);
    let (Some(name), Some(host)) = (name, url.host_str()) else { return Ok((builder, base)) };
    base.set_host(Some(name)).map_err(|error| error.to_string())?;
    let host = host.trim_matches(['[', ']']).to_owned();
    Ok((builder.dns_resolver(Arc::new(Host(host))), base))
}

/// What a start would say of the files of `config`: why they cannot work, or what is strange.
///
/// # Errors
/// The setting, the file and what is wrong with it.
pub fn check(settings: &ConfigClient, now: Millis) -> Result<Vec<String>, String> {
    let in_config = |error: String| format!("config: {error}");
    if let Some(path) = &settings.ca_file {
        authorities(path).map_err(in_config)?;
    }
    let Some(certificate) = &settings.certificate else { return Ok(Vec::new()) };
    let own = own(certificate, now).map_err(|fault| in_config(fault.to_string()))?;
    Ok(strange("config", &own, now, SOON))
}

/// Every name leads to this host.
struct Host(String);

impl Resolve for Host {
    fn resolve(&self, _name: Name) -> Resolving {
        let host = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            let found: Addrs = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

/// The client's own certificate, checked.
fn own(certificate: &Certificate, now: Millis) -> Result<Material, Fault> {
    let pair =
        Pair { certificates: certificate.cert_file.clone(), key: certificate.key_file.clone() };
    Files { pairs: vec![pair], authorities: None, client_auth: ClientAuth::None }.load(now)
}

fn tls(roots: RootCertStore, settings: &ConfigClient, now: Millis) -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let Some(certificate) = &settings.certificate else {
        return Ok(builder.with_no_client_auth());
    };
    let own = own(certificate, now).map_err(|fault| fault.to_string())?;
    Ok(builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own.shown()))))
}

fn authorities(path: &Path) -> Result<RootCertStore, String> {
    let text = read(path, AUTHORITIES)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| unusable(path, error))?;
        roots.add(certificate).map_err(|error| unusable(path, error))?;
    }
    if roots.is_empty() {
        return Err(unusable(path, "no certificate in it"));
    }
    Ok(roots)
}

/// A file, if it is not larger than it may be.
pub(super) fn read(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let opened = File::open(path).map_err(|error| unusable(path, error))?;
    opened.take(most + 1).read_to_end(&mut bytes).map_err(|error| unusable(path, error))?;
    if bytes.len() as u64 > most {
        return Err(unusable(path, format_args!("larger than {most} bytes")));
    }
    Ok(bytes)
}

pub(super) fn unusable(path: &Path, why: impl std::fmt::Display) -> String {
    format!("{}: {why}", path.display())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::settings::{Certificate, ConfigClient};
    use model::time::Millis;
    use std::fs;

    #[test]
    fn a_certificate_that_cannot_work_is_named_and_its_key_is_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let (cert_file, key_file) = (dir.path().join("cert"), dir.path().join("key"));
        fs::write(&cert_file, "geheim").unwrap();
        fs::write(&key_file, "geheim").unwrap();
        let certificate = Some(Certificate { cert_file: cert_file.clone(), key_file });
        let settings = ConfigClient { certificate, ..ConfigClient::default() };
        let told = check(&settings, Millis(0)).unwrap_err();
        assert_eq!(told, format!("config: {}: no certificate in it", cert_file.display()));
        let settings = ConfigClient { ca_file: Some(cert_file), ..ConfigClient::default() };
        assert!(check(&settings, Millis(0)).unwrap_err().ends_with("cert: no certificate in it"));
        assert_eq!(check(&ConfigClient::default(), Millis(0)), Ok(Vec::new()));
    }
}
