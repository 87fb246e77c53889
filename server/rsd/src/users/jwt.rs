//! Tokens of somebody else's making (rs.md §8): JSON Web Tokens (RFC 7519) that one of the public
//! keys of `rs.auth.jwks_file` (RFC 7517) has signed. Nothing is fetched: the keys are a file.
//!
//! Pure: a text, the keys and a time in, a user or nothing out. Why a token is no good is not told:
//! whoever forges one would learn from it.

mod keys;

use std::sync::Arc;

use model::time::Millis;
use serde_json::{Map, Value};

pub(super) use self::keys::Keys;
use super::table::{NAME, Roles, User};
use crate::base64;

/// Bytes of a token.
const TOKEN: usize = 8 << 10;
/// A clock may be so far behind that of the issuer, ms. A token that has run out has, though.
const SKEW_MS: f64 = 60_000.0;
/// Before the subject of a token, as a user's name: no user of a file has a name with a colon.
const BEGIN: &str = "jwt:";

/// Whose tokens are taken, and for whom they are made.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    /// `rs.auth.jwt_issuer`; `None`: whoever has one of the keys.
    pub(super) issuer: Option<String>,
    /// `rs.auth.jwt_audience`; `None`: those that are made for nobody in particular.
    pub(super) audience: Option<String>,
}

/// Who has shown a token: the keys that let them in, and until when they do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    keys: Arc<()>,
    until: Millis,
}

impl Shown {
    /// Whether these keys would let them in now.
    pub(super) fn is_good(&self, keys: &Keys, now: Millis) -> bool {
        Arc::ptr_eq(&self.keys, &keys.mark) && now < self.until
    }
}

/// Whether it has the form of one; no token of the file has.
pub(super) fn is_one(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// Whose it is; `None`: it is no good.
pub(super) fn user(token: &str, keys: &Keys, expected: &Expected, now: Millis) -> Option<User> {
    let claims = claims(token, keys)?;
    let until = times(&claims, now)?;
    let names_us =
        |name: &Value| name.as_str().is_some_and(|name| Some(name) == expected.audience());
    let is_ours = match claims.get("aud") {
        // RFC 7519 §4.1.3: whoever is not named must not take it
        Some(Value::Array(all)) => all.iter().any(names_us),
        Some(one) => names_us(one),
        None => expected.audience.is_none(),
    };
    let issuer = claims.get("iss").and_then(Value::as_str);
    if !is_ours || expected.issuer.as_deref().is_some_and(|wanted| Some(wanted) != issuer) {
        return None;
    }
    let subject = claims.get("sub")?.as_str()?;
    let fits = (1..=NAME - BEGIN.len()).contains(&subject.len());
    if !fits || subject.chars().any(char::is_control) {
        return None;
    }
    let user = User {
        name: format!("{BEGIN}{subject}"),
        roles: roles(claims.get("roles")?)?,
        hash: None,
        produces: Vec::new(),
        tenants: claims.get("tenants").map_or(Some(Vec::new()), tenants)?,
        shown: Some(Shown { keys: Arc::clone(&keys.mark), until }),
    };
    user.check().ok()?;
    Some(user)
}

impl Expected {
    fn audience(&self) -> Option<&str> {
        self.audience.as_deref()
    }
}

/// What a token says, if one of the keys has signed it.
fn claims(token: &str, keys: &Keys) -> Option<Map<String, Value>> {
    if token.len() > TOKEN {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (head, body) = signed.split_once('.')?;
    let head = object(head)?;
    let text = |name: &str| head.get(name).map(|value: &Value| value.as_str());
    // extensions that have to be understood, of which we know none (RFC 7515 §4.1.11)
    if head.contains_key("crit") || head.contains_key("b64") {
        return None;
    }
    let name = match text("kid") {
        Some(name) => Some(name?),
        None => None,
    };
    let signature = base64::decode_url(signature)?;
    let is_signed = keys.verify(text("alg")??, name, signed.as_bytes(), &signature);
    is_signed.then(|| object(body))?
}

/// A part that is an object.
fn object(part: &str) -> Option<Map<String, Value>> {
    match serde_json::from_slice(&base64::decode_url(part)?).ok()? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// When it runs out, if it is good now. Times are seconds, also with a fraction.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of our time are exact")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is after now")]
fn times(claims: &Map<String, Value>, now: Millis) -> Option<Millis> {
    let ms = |name: &str| match claims.get(name) {
        Some(value) => Some(Some(value.as_f64().filter(|at| at.is_finite())? * 1e3)),
        None => Some(None),
    };
    let (now, until, from) = (now.0 as f64, ms("exp")??, ms("nbf")?);
    let is_good = now < until && from.is_none_or(|from| from <= now + SKEW_MS);
    is_good.then_some(Millis(until as u64))
}

/// A list of names, or one text with blanks or commas between them. Roles of others are none of
/// ours; of ours there has to be one.
fn roles(said: &Value) -> Option<Roles> {
    let names: Vec<&str> = match said {
        Value::Array(all) => all.iter().map(Value::as_str).collect::<Option<_>>()?,
        Value::String(text) => text.split([' ', ',']).collect(),
        _ => return None,
    };
    let is_ours = |name: &&str| !name.contains(',') && Roles::of_line(name).is_ok();
    let ours: Vec<&str> = names.into_iter().filter(is_ours).collect();
    Roles::of_line(&ours.join(",")).ok()
}

/// DBIDs, as numbers or as text; a name may be another's tomorrow. One at least: none would be all.
fn tenants(said: &Value) -> Option<Vec<String>> {
    let all = said.as_array().filter(|all| !all.is_empty())?;
    let id = |one: &Value| {
        let number = one.as_u64().or_else(|| one.as_str()?.parse().ok())?;
        u32::try_from(number).ok().map(|id| id.to_string())
    };
    all.iter().map(id).collect()
}

#[cfg(test)]
mod tests;
