//! Public keys of a JWK set (RFC 7517, RFC 8037), and what they verify: RS256, ES256 and EdDSA.
//! `none` and everything with a shared secret is no algorithm here.

use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde_json::{Map, Value};

use crate::base64;

/// Keys of a file, at most.
const KEYS: usize = 100;
/// Keys that are tried for one token that names none.
const TRIED: usize = 8;

/// The keys of a file.
#[derive(Debug)]
pub(in crate::users) struct Keys {
    all: Vec<Key>,
    /// Tells these from those of another reading of the file.
    pub(super) mark: Arc<()>,
}

#[derive(Debug)]
struct Key {
    /// `kid`
    name: Option<String>,
    public: Public,
}

#[derive(Debug)]
enum Public {
    /// `n` and `e`.
    Rsa(Vec<u8>, Vec<u8>),
    /// A point of P-256, not compressed.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Keys {
    /// Reads the text of a file. Keys for something else are passed over.
    ///
    /// # Errors
    /// What is wrong with it; nothing of what is in it.
    pub(in crate::users) fn read(text: &str) -> Result<Self, String> {
        let set: Value = serde_json::from_str(text)
            .map_err(|error| format!("line {}: it is no JSON", error.line()))?;
        let keys = set.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or("there is no list \"keys\" in it")?;
        if keys.len() > KEYS {
            return Err(format!("more than {KEYS} keys"));
        }
        let keys: Vec<&Map<String, Value>> = keys.iter().filter_map(Value::as_object).collect();
        if keys.iter().any(|key| key.contains_key("d") || key.contains_key("k")) {
            return Err("there is a secret in it: public keys belong here".to_owned());
        }
        let all: Vec<Key> = keys.into_iter().filter_map(Key::of).collect();
        if all.is_empty() {
            return Err("there is no public key in it for RS256, ES256 or EdDSA".to_owned());
        }
        Ok(Self { all, mark: Arc::default() })
    }

    /// Whether the key of this name has signed it so; without a name, any key.
    pub(super) fn verify(
        &self,
        algorithm: &str,
        name: Option<&str>,
        signed: &[u8],
        signature: &[u8],
    ) -> bool {
        let is_it = |key: &&Key| {
            key.public.algorithm() == algorithm && (name.is_none() || key.name.as_deref() == name)
        };
        let mut keys = self.all.iter().filter(is_it).take(TRIED);
        keys.any(|key| key.public.verifies(signed, signature))
    }
}

impl Key {
    fn of(key: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let bytes = |name: &str| base64::decode_url(text(name)?);
        let of_length = |name: &str| bytes(name).filter(|bytes| bytes.len() == 32);
        let public = match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let whole = |bytes: Vec<u8>| bytes.into_iter().skip_while(|byte| *byte == 0);
                Public::Rsa(whole(bytes("n")?).collect(), whole(bytes("e")?).collect())
            }
            ("EC", Some("P-256")) => {
                Public::P256([vec![4], of_length("x")?, of_length("y")?].concat())
            }
            ("OKP", Some("Ed25519")) => Public::Ed25519(of_length("x")?),
            _ => return None,
        };
        let verifies = |value: &Value| {
            value.as_array().is_some_and(|all| all.iter().any(|one| one == "verify"))
        };
        let is_meant = text("use").is_none_or(|of| of == "sig")
            && text("alg").is_none_or(|of| of == public.algorithm())
            && key.get("key_ops").is_none_or(verifies);
        is_meant.then(|| Self { name: text("kid").map(str::to_owned), public })
    }
}

impl Public {
    /// `alg` of what it signs.
    const fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(..) => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            Self::Rsa(n, e) => RsaPublicKeyComponents { n, e }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                signed,
                signature,
            ),
            Self::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
            }
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(signed, signature),
        };
        verified.is_ok()
    }
}
