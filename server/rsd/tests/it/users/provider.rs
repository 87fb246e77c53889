//! Tokens of an identity provider (JWT), by the public keys of a file.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::{asked, base64, lines, write};
use crate::api::house::{Answer, House, RM, golden, now};

/// Who makes tokens.
struct Provider(Ed25519KeyPair);

fn text(bytes: &[u8]) -> String {
    base64(bytes).replace('+', "-").replace('/', "_")
}

impl Provider {
    fn new() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

    fn keys(&self) -> String {
        let x = text(self.0.public_key().as_ref());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1", "x": x}]}).to_string()
    }

    fn token(&self, algorithm: &str, claims: &Value) -> String {
        let head = json!({"alg": algorithm, "kid": "1"});
        let [head, body] = [&head, claims].map(|part| text(part.to_string().as_bytes()));
        let signed = format!("{head}.{body}");
        let signature = text(self.0.sign(signed.as_bytes()).as_ref());
        format!("{signed}.{signature}")
    }
}

/// Of somebody with this role, for an hour.
fn claims(role: &str) -> Value {
    json!({
        "iss": "https://idp.example", "aud": "ringmaster", "sub": "anna", "roles": [role],
        "exp": now().0 / 1000 + 3600,
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims("reporter");
    claims[name] = value;
    claims
}

fn fill(path: &Path, text: &str) {
    let fresh = path.with_extension("new");
    fs::write(&fresh, text).unwrap();
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o644)).unwrap();
    fs::rename(fresh, path).unwrap();
}

fn house(provider: &Provider) -> House {
    let dir = tempfile::tempdir().unwrap();
    let (users, keys) = (write(dir.path(), &lines()), dir.path().join("jwks.json"));
    fill(&keys, &provider.keys());
    House::in_dir(dir, |settings| {
        let auth = &mut settings.rs.auth;
        (auth.users_file, auth.jwks_file) = (Some(users), Some(keys));
        auth.jwt_issuer = Some("https://idp.example".to_owned());
        auth.jwt_audience = Some("ringmaster".to_owned());
    })
}

fn shown(house: &House, token: &str, path: &str) -> Answer {
    house.ask("GET", path, &[("Authorization", &format!("Bearer {token}"))])
}

#[test]
fn roles_and_tenants_are_those_of_the_token() {
    let provider = Provider::new();
    let mut house = house(&provider);
    let other = |record: &String| {
        let record = record.replace("01A202B2-C578-7487", "01A202B2-C578-7488");
        record.replace("\"acme\"", "\"beta\"").replace("\"dbid\":102", "\"dbid\":200")
    };
    let own = golden(&RM[..2]);
    house.send(&[own.clone(), own.iter().map(other).collect()].concat());
    let token = |claims: Value| provider.token("EdDSA", &claims);
    let status = |token: &str, path: &str| shown(&house, token, path).status;
    let reporter = token(claims("reporter"));
    let calls = "/api/v1/calls?from=2026-11-22";
    assert_eq!((status(&reporter, calls), status(&reporter, "/api/v1/audit")), (200, 403));
    assert_eq!(status(&reporter, "/ems-rs/HIST/CDRs/RM/details"), 200);
    assert_eq!(status(&token(claims("admin")), "/api/v1/audit"), 200);
    assert_eq!(status(&token(claims("monitor")), calls), 403);
    let bound = token(with("tenants", json!([200])));
    let found = shown(&house, &bound, calls).body;
    assert!(found.contains("beta") && !found.contains("\"acme\""), "{found}");
    assert_eq!(shown(&house, &bound, "/api/v1/integrity").code(), "scope-too-narrow");
    let sender = token(claims("producer"));
    let head =
        [("Authorization", &*format!("Bearer {sender}")), ("Content-Type", "application/json")];
    assert_eq!(house.post("/api/v1/records", &head, own[0].as_bytes()).status, 200);
    let audit = |house: &House| asked(house, "root", "GET", "/api/v1/audit?action=login").body;
    house.until(|house| audit(house).contains("\"jwt:anna\""));
}

/// Whoever forges one learns nothing from the answer, and is counted.
#[test]
fn all_that_is_no_good_is_refused_alike() {
    let (provider, forger) = (Provider::new(), Provider::new());
    let house = house(&provider);
    let good = provider.token("EdDSA", &claims("reporter"));
    let refused = |token: &str| {
        let answer = shown(&house, token, "/api/v1/calls");
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        (answer.status, answer.code(), problem["detail"].clone())
    };
    let unknown = refused("rst_0");
    assert_eq!((unknown.0, &*unknown.1), (401, "login-required"));
    let bad = [
        forger.token("EdDSA", &claims("reporter")),
        provider.token("none", &claims("reporter")),
        provider.token("HS256", &claims("reporter")),
        provider.token("EdDSA", &with("exp", json!(now().0 / 1000 - 1))),
        provider.token("EdDSA", &with("nbf", json!(now().0 / 1000 + 600))),
        provider.token("EdDSA", &with("aud", json!("other"))),
        provider.token("EdDSA", &with("iss", json!("https://other"))),
        provider.token("EdDSA", &with("tenants", json!(["acme"]))),
        provider.token("EdDSA", &with("roles", json!(["reader"]))),
    ];
    for token in &bad {
        assert_eq!(refused(token), unknown, "{token}");
    }
    assert_eq!(house.metric("rs_logins_failed_total"), "10");
    assert_eq!(refused(&bad[0]).0, 429);
    assert_eq!(shown(&house, &good, "/api/v1/calls").status, 200, "nobody finds one by trying");
    let told = |part: &str| house.lines.lines().iter().any(|line| line.contains(part));
    assert!(told(" 36002 ") && !told(&good[..40]));
}

/// A key that is taken away lets nobody in, and ends what it has let in.
#[test]
fn the_file_of_keys_is_followed_and_a_bad_one_changes_nothing() {
    let (first, second) = (Provider::new(), Provider::new());
    let mut house = house(&first);
    let keys = house.dir.path().join("jwks.json");
    let [old, new] = [&first, &second].map(|by| by.token("EdDSA", &claims("reporter")));
    let status = |house: &House, token: &str| shown(house, token, "/api/v1/calls").status;
    let own = format!("Bearer {old}");
    let mut stream = house.stream(&[("Authorization", &own), ("Connection", "close")]);
    house.send(&golden(&RM[..1]));
    assert_eq!(stream.next().0, "calls");
    fill(&keys, "{\"keys\": []}");
    house.until(|house| house.lines.lines().iter().any(|line| line.contains(" 36004 ")));
    assert_eq!((status(&house, &old), status(&house, &new)), (200, 401));
    fill(&keys, &second.keys());
    house.until(|house| status(house, &new) == 200);
    assert_eq!(status(&house, &old), 401);
    house.send(&golden(&RM[1..2]));
    assert!(stream.is_over(), "nothing is told to it any more");
}
