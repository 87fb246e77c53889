//! The key with which days are signed (`rs.proof_key_file`): Ed25519 in PKCS#8, as
//! `openssl genpkey -algorithm ed25519` makes it. What is signed can be verified with the public
//! key alone.

use std::path::Path;

use aws_lc_rs::signature::Ed25519KeyPair;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;

use crate::secret_file;

/// Bytes of the file; a longer one is none.
const FILE: u64 = 64 << 10;

/// The private key.
pub(crate) struct ProofKey(Ed25519KeyPair);

impl ProofKey {
    /// Reads the file; says what is wrong with it, and nothing of what is in it.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = secret_file::read(path, FILE)?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes())
            .map_err(|_| format!("{}: no private key in PEM (PKCS#8)", path.display()))?;
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der());
        key.map(Self).map_err(|_| format!("{}: not an Ed25519 key", path.display()))
    }

    /// 64 bytes.
    pub(crate) fn sign(&self, text: &[u8]) -> Vec<u8> {
        self.0.sign(text).as_ref().to_vec()
    }
}

impl std::fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProofKey")
    }
}
