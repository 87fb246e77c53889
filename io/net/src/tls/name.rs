//! What a certificate proves its owner to be: the SIP identities of RFC 5922 §7.1, compared by its
//! §7.2: whole names without case, and no wildcard ever.
//!
//! Whether the certificate is genuine is not asked here.

use rustls::pki_types::{CertificateDer, ServerName};
use std::net::IpAddr;
use webpki::EndEntityCert;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::{Any, ObjectIdentifier, PrintableStringRef, Utf8StringRef};

/// `id-at-commonName` (X.520).
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// Who a far end has to prove to be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Name {
    /// A host name.
    Host(String),
    /// An address, where no name is known.
    Address(IpAddr),
}

impl Name {
    /// As TLS has it; `None` for a host name that is none.
    pub(super) fn server_name(&self) -> Option<ServerName<'static>> {
        match self {
            Self::Host(host) => ServerName::try_from(plain(host).to_owned()).ok(),
            Self::Address(address) => Some(ServerName::from(address.to_canonical())),
        }
    }
}

/// What one certificate proves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    hosts: Vec<String>,
    /// The address that was asked about, if the certificate has it.
    address: Option<IpAddr>,
}

impl Identity {
    /// Reads the subject alternative names: the hosts of `sip:` URIs without a user, or, where
    /// there are none, the DNS names; and whether `address` is among the IP addresses. What cannot
    /// be read proves nothing.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>, address: IpAddr) -> Self {
        let Ok(certificate) = EndEntityCert::try_from(certificate) else { return Self::default() };
        let mut hosts: Vec<String> =
            certificate.valid_uri_names().filter_map(sip_domain).map(plain_owned).collect();
        if hosts.is_empty() {
            hosts = whole_names(&certificate);
        }
        let name = ServerName::from(address.to_canonical());
        let proven = certificate.verify_is_valid_for_subject_name(&name).is_ok();
        Self { hosts, address: proven.then_some(address.to_canonical()) }
    }

    /// Whether its owner is that one.
    #[must_use]
    pub fn proves(&self, name: &Name) -> bool {
        match name {
            Name::Host(host) => self.hosts.iter().any(|own| own.eq_ignore_ascii_case(plain(host))),
            Name::Address(address) => self.address == Some(address.to_canonical()),
        }
    }

    /// Its host names.
    #[must_use]
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }
}

/// The DNS names of a certificate in lower case, whole ones; what cannot be read has none. They
/// name a program that shows it, which a `sip:` URI does not: that names a domain it serves.
#[must_use]
pub fn dns_names(certificate: &CertificateDer<'_>) -> Vec<String> {
    EndEntityCert::try_from(certificate).map(|read| whole_names(&read)).unwrap_or_default()
}

/// The common names of its subject in lower case; what cannot be read has none.
#[must_use]
pub fn common_names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(read) = Certificate::from_der(certificate) else { return Vec::new() };
    let parts = read.tbs_certificate.subject.0.iter().flat_map(|part| part.0.iter());
    parts.filter(|part| part.oid == COMMON_NAME).filter_map(|part| text(&part.value)).collect()
}

fn text(value: &Any) -> Option<String> {
    let utf8 = value.decode_as::<Utf8StringRef<'_>>().map(|text| text.as_str().to_owned());
    let printable = || value.decode_as::<PrintableStringRef<'_>>().map(|text| text.to_string());
    utf8.or_else(|_| printable()).ok().map(|text| text.to_lowercase())
}

fn whole_names(certificate: &EndEntityCert<'_>) -> Vec<String> {
    let whole = |name: &&str| !name.contains('*') && !name.starts_with('.');
    certificate.valid_dns_names().filter(whole).map(plain_owned).collect()
}

/// A host without the dot of the root.
fn plain(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

fn plain_owned(host: &str) -> String {
    plain(host).to_ascii_lowercase()
}

/// The host of a `sip:` URI without a user; another URI is no SIP identity (RFC 5922 §7.1).
fn sip_domain(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("sip") || rest.contains('@') {
        return None;
    }
    let host = rest.split([';', '?', ':']).next().unwrap_or_default();
    (!host.is_empty() && !host.contains('*')).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_of_uris() {
        for (uri, domain) in [
            ("sip:example.com", Some("example.com")),
            ("SIP:example.com:5061;transport=tls", Some("example.com")),
            ("sip:alice@example.com", None),
            ("sips:example.com", None),
            ("https://example.com", None),
            ("sip:*.example.com", None),
            ("sip:", None),
            ("example.com", None),
        ] {
            assert_eq!(sip_domain(uri), domain, "{uri}");
        }
    }

    #[test]
    fn whole_names_without_case_and_nothing_else() {
        let identity = Identity {
            hosts: vec!["mcp.example.com".to_owned()],
            address: Some("192.0.2.1".parse().unwrap()),
        };
        let host = |host: &str| Name::Host(host.to_owned());
        assert!(identity.proves(&host("MCP.Example.com.")));
        assert!(!identity.proves(&host("example.com")));
        assert!(!identity.proves(&host("a.mcp.example.com")));
        assert!(identity.proves(&Name::Address("::ffff:192.0.2.1".parse().unwrap())));
        assert!(!identity.proves(&Name::Address("192.0.2.2".parse().unwrap())));
        assert!(!Identity::default().proves(&host("")));
    }

    #[test]
    fn what_is_no_certificate_proves_nothing() {
        let address = "192.0.2.1".parse().unwrap();
        for bytes in [&b""[..], b"x", &[0x30, 0x82, 0xff, 0xff]] {
            let certificate = CertificateDer::from(bytes);
            assert_eq!(Identity::of(&certificate, address), Identity::default());
            assert!(dns_names(&certificate).is_empty() && common_names(&certificate).is_empty());
        }
    }
}
