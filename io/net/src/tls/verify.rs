//! Verifies servers: the chain up to one of our authorities, and the name as RFC 5922 §7.2 has it,
//! which the TLS library's own rule is not, because it lets wildcards pass.

use super::name::{Identity, Name};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// The verifier of all our outgoing connections.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) roots: Arc<RootCertStore>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        )?;
        let (name, address) = match server_name {
            ServerName::DnsName(host) => {
                (Name::Host(host.as_ref().to_owned()), IpAddr::V4(Ipv4Addr::UNSPECIFIED))
            }
            ServerName::IpAddress(address) => {
                let address = IpAddr::from(*address);
                (Name::Address(address), address)
            }
            _ => return Err(CertificateError::NotValidForName.into()),
        };
        let shown = Identity::of(end_entity, address);
        if shown.proves(&name) {
            return Ok(ServerCertVerified::assertion());
        }
        let (expected, presented) = (server_name.to_owned(), shown.hosts().to_vec());
        Err(CertificateError::NotValidForNameContext { expected, presented }.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
