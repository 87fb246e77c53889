//! Tokens signed by keys that are made here.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use serde_json::json;

use super::super::table::Role;
use super::*;

/// 2026-11-27T00:00:00Z
const NOW: Millis = Millis(1_795_737_600_000);
const NOW_S: u64 = NOW.0 / 1000;

enum Signer {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    fn all() -> [Self; 3] {
        [
            Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
            Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()),
            Self::Ed25519(Ed25519KeyPair::generate().unwrap()),
        ]
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn jwk(&self, name: &str) -> Value {
        let text = base64::encode_url;
        match self {
            Self::Rsa(pair) => {
                // RSAPublicKey of RFC 8017: a sequence of two integers
                let (n, rest) = integer(&pair.public_key().as_ref()[4..]);
                let (e, _) = integer(rest);
                json!({"kty": "RSA", "kid": name, "n": text(n), "e": text(e), "use": "sig"})
            }
            Self::P256(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = (text(&point[1..33]), text(&point[33..]));
                json!({"kty": "EC", "crv": "P-256", "kid": name, "x": x, "y": y, "alg": "ES256"})
            }
            Self::Ed25519(pair) => {
                let x = text(pair.public_key().as_ref());
                json!({"kty": "OKP", "crv": "Ed25519", "kid": name, "x": x})
            }
        }
    }

    fn sign(&self, head: &Value, claims: &Value) -> String {
        let part = |value: &Value| base64::encode_url(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(head), part(claims));
        let signature = match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let random = SystemRandom::new();
                pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).unwrap();
                signature
            }
            Self::P256(pair) => {
                pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap().as_ref().to_vec()
            }
            Self::Ed25519(pair) => pair.sign(signed.as_bytes()).as_ref().to_vec(),
        };
        format!("{signed}.{}", base64::encode_url(&signature))
    }
}

/// The value of an integer of DER, and what is behind it.
fn integer(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, from) = match der[1] {
        0x82 => (usize::from(der[2]) << 8 | usize::from(der[3]), 4),
        short => (usize::from(short), 2),
    };
    (&der[from..from + length], &der[from + length..])
}

fn keys(all: &[Value]) -> Keys {
    Keys::read(&json!({"keys": all}).to_string()).unwrap()
}

fn head(algorithm: &str) -> Value {
    json!({"alg": algorithm, "kid": "k", "typ": "JWT"})
}

fn good() -> Value {
    json!({
        "sub": "anna@example", "roles": ["reporter", "other"], "tenants": [102, "103"],
        "exp": NOW_S + 60, "nbf": NOW_S - 60, "iss": "https://idp", "aud": ["x", "ringmaster"],
    })
}

fn expected() -> Expected {
    Expected { issuer: Some("https://idp".to_owned()), audience: Some("ringmaster".to_owned()) }
}

#[test]
fn tokens_of_all_three_algorithms_tell_who_it_is() {
    for signer in Signer::all() {
        let keys = keys(&[json!({"kty": "oct"}), signer.jwk("other"), signer.jwk("k")]);
        let token = signer.sign(&head(signer.algorithm()), &good());
        assert!(is_one(&token));
        let user = user(&token, &keys, &expected(), NOW).unwrap();
        let shown = user.shown.as_ref().unwrap();
        assert_eq!(user.name, "jwt:anna@example");
        assert_eq!(user.tenants, ["102", "103"]);
        assert!(user.roles.have(Role::Reporter) && !user.roles.have(Role::Monitor));
        assert!(shown.is_good(&keys, NOW) && !shown.is_good(&keys, Millis(NOW.0 + 60_000)));
        let again = self::keys(&[signer.jwk("k")]);
        assert!(!shown.is_good(&again, NOW), "read again they are others");
        // a key that has no name, or is not named
        let unnamed = signer.sign(&json!({"alg": signer.algorithm()}), &good());
        assert!(self::user(&unnamed, &again, &expected(), NOW).is_some());
    }
}

/// Of each the signature is right.
#[test]
fn what_a_token_says_has_to_hold() {
    let [_, signer, _] = Signer::all();
    let keys = keys(&[signer.jwk("k")]);
    let take = |name: &str| {
        let mut claims = good();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    let with = |name: &str, value: Value| {
        let mut claims = good();
        claims[name] = value;
        claims
    };
    let is_in = |claims: &Value, expected: &Expected| {
        user(&signer.sign(&head("ES256"), claims), &keys, expected, NOW).is_some()
    };
    for (claims, is_good) in [
        (good(), true),
        (with("exp", json!(NOW_S as f64 + 0.5)), true),
        (with("exp", json!(NOW_S)), false),
        (with("exp", json!("never")), false),
        (with("exp", json!(1e300)), true),
        (take("exp"), false),
        (take("nbf"), true),
        (with("nbf", json!(NOW_S + 59)), true),
        (with("nbf", json!(NOW_S + 61)), false),
        (with("nbf", Value::Null), false),
        (with("iss", json!("https://idp2")), false),
        (take("iss"), false),
        (with("aud", json!("ringmaster")), true),
        (with("aud", json!("other")), false),
        (with("aud", json!([])), false),
        (with("aud", json!({"ringmaster": 1})), false),
        (take("aud"), false),
        (take("sub"), false),
        (with("sub", json!("a\nb")), false),
        (with("sub", json!("x".repeat(125))), false),
        (with("roles", json!("monitor reporter")), true),
        (with("roles", json!("monitor,reporter")), true),
        (with("roles", json!(["monitor"])), false),
        (with("roles", json!(["admin"])), false),
        (with("roles", json!([])), false),
        (with("roles", json!(["other"])), false),
        (with("roles", json!([1])), false),
        (take("roles"), false),
        (take("tenants"), true),
        (with("tenants", json!([])), false),
        (with("tenants", Value::Null), false),
        (with("tenants", json!(["acme"])), false),
        (with("tenants", json!([102, -1])), false),
        (with("tenants", json!([1_u64 << 32])), false),
        (with("tenants", json!("102")), false),
    ] {
        assert_eq!(is_in(&claims, &expected()), is_good, "{claims}");
    }
    // what is said of nobody is made for anybody, unless somebody is named
    let anybody = Expected::default();
    assert!(is_in(&take("aud"), &anybody) && !is_in(&take("iss"), &anybody));
    assert!(!is_in(&good(), &anybody), "made for somebody else");
}

#[test]
fn a_token_that_is_not_signed_by_a_key_of_the_file_is_none() {
    let [rsa, p256, ed25519] = Signer::all();
    let [_, other, _] = Signer::all();
    let keys = keys(&[rsa.jwk("k"), p256.jwk("k"), ed25519.jwk("k")]);
    let is_in = |token: &str| user(token, &keys, &expected(), NOW).is_some();
    assert!(
        [&rsa, &p256, &ed25519].iter().all(|by| is_in(&by.sign(&head(by.algorithm()), &good())))
    );
    let right = p256.sign(&head("ES256"), &good());
    let (signed, signature) = right.rsplit_once('.').unwrap();
    let (start, body) = signed.split_once('.').unwrap();
    let admin = base64::encode_url(good().to_string().replace("reporter", "admin").as_bytes());
    let with_head = |head: Value| p256.sign(&head, &good());
    for (token, what) in [
        (other.sign(&head("ES256"), &good()), "another key"),
        (format!("{start}.{admin}.{signature}"), "other claims"),
        (format!("{start}.{body}."), "no signature"),
        (format!("{start}.{body}.{signature}="), "padding"),
        (format!("{right}.x"), "four parts"),
        (signed.to_owned(), "two parts"),
        (String::new(), "nothing"),
        (with_head(head("none")), "no algorithm"),
        (with_head(head("HS256")), "a shared secret"),
        (with_head(head("RS256")), "the algorithm of another key"),
        (with_head(head("es256")), "no such word"),
        (with_head(json!({"kid": "k"})), "no word"),
        (with_head(json!({"alg": "ES256", "kid": "x"})), "no such key"),
        (with_head(json!({"alg": "ES256", "kid": 7})), "a name that is none"),
        (with_head(json!({"alg": "ES256", "crit": ["exp"]})), "unknown extensions"),
        (with_head(json!(["ES256"])), "no object"),
        (p256.sign(&head("ES256"), &json!([1])), "claims that are none"),
    ] {
        assert!(!is_in(&token), "{what}: {token}");
    }
    // what a library that takes the public key for a secret would accept
    let secret = hmac_of(&rsa, &good());
    assert!(!is_in(&secret));
    let long = json!({"x": "x".repeat(TOKEN)});
    assert!(!is_in(&p256.sign(&head("ES256"), &long)));
}

/// A token with HS256 whose secret is the public modulus.
fn hmac_of(rsa: &Signer, claims: &Value) -> String {
    use aws_lc_rs::hmac;
    let secret = rsa.jwk("k")["n"].as_str().unwrap().to_owned();
    let part = |value: &Value| base64::encode_url(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(&head("HS256")), part(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", base64::encode_url(tag.as_ref()))
}

#[test]
fn a_file_without_a_public_key_is_refused() {
    let [_, p256, ed25519] = Signer::all();
    let mut private = ed25519.jwk("k");
    private["d"] = json!("secret");
    let mut for_others = p256.jwk("k");
    for_others["use"] = json!("enc");
    let mut of_another = p256.jwk("k");
    of_another["alg"] = json!("ES384");
    let mut makes = p256.jwk("k");
    makes["key_ops"] = json!(["sign"]);
    let mut short = p256.jwk("k");
    short["x"] = json!("AAAA");
    for (keys, why) in [
        (json!({"keys": [private]}), "there is a secret in it"),
        (json!({"keys": [{"kty": "oct", "k": "secret"}]}), "there is a secret in it"),
        (json!({"keys": []}), "there is no public key"),
        (json!({"keys": [for_others, of_another, makes, short, 7]}), "there is no public key"),
        (json!({"keys": vec![p256.jwk("k"); 101]}), "more than 100 keys"),
        (json!([1]), "there is no list \"keys\""),
    ] {
        let error = Keys::read(&keys.to_string()).unwrap_err();
        assert!(error.starts_with(why) && !error.contains("secret\""), "{error}");
    }
    assert_eq!(Keys::read("{\n\"keys\": [").unwrap_err(), "line 2: it is no JSON");
}
