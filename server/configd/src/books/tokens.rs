//! Tokens: `rmt_<8 characters>_<43 characters>`, of which only a hash is kept (ops.md §1.12).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use config::settings::Access;
use model::config::{Kind, Set};
use model::time::Millis;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::Books;
use super::audit::{role_of, role_word};
use super::desk::Desk;
use crate::limits::{MAX_SCOPE, MAX_TEXT, MAX_TOKENS};
use crate::refusal::Refusal;
use crate::store::{AuditRow, TokenRow};
use crate::transaction::{Name, Target};
use crate::who::{Scope, Who};

/// What a token begins with.
const PREFIX: &str = "rmt_";
/// Characters of its id.
const ID: usize = 8;
/// Bytes of its secret: 43 characters.
const SECRET: usize = 32;

/// A token that is to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What people call it.
    pub name: String,
    /// What it allows; never [`Access::None`].
    pub role: Access,
    /// Tenants that it is scoped to; empty = all.
    pub tenants: Vec<String>,
    /// How long it lives; `None` = until it is revoked.
    pub expires_in: Option<Duration>,
}

/// A token, without its secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    /// 8 characters.
    pub id: String,
    /// What people call it: the actor of what it does.
    pub name: String,
    /// What it allows.
    pub role: Access,
    /// Where it allows that.
    pub scope: Scope,
    /// When it was made.
    pub created_at: Millis,
    /// When it ends.
    pub expires_at: Option<Millis>,
    /// When it was used last, to within some seconds.
    pub last_used_at: Option<Millis>,
}

/// The tokens that are known, by id.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    by_id: BTreeMap<String, Known>,
    /// Those that were revoked: what was read from the store before does not bring them back.
    revoked: BTreeSet<String>,
}

/// Whether some tokens have an admin of all tenants among them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Admins {
    /// One that lives.
    Alive,
    /// Only such as have run out.
    Past,
    /// None.
    None,
}

#[derive(Debug)]
struct Known {
    token: Token,
    hash: [u8; 32],
}

impl Tokens {
    /// Those of the store; one that cannot be read opens nothing.
    pub(super) fn of(rows: &[TokenRow], set: &Set) -> Self {
        let known = |row: &TokenRow| {
            let token = Token {
                id: row.id.clone(),
                name: row.name.clone(),
                role: role_of(&row.role)?,
                scope: Scope::stored(&row.tenants, set),
                created_at: row.created_at,
                expires_at: row.expires_at,
                last_used_at: row.last_used_at,
            };
            Some((row.id.clone(), Known { token, hash: unhex(&row.hash)? }))
        };
        Self { by_id: rows.iter().filter_map(known).collect(), revoked: BTreeSet::new() }
    }

    /// Takes over those that another process has put into the store.
    fn learn(&mut self, rows: &[TokenRow], set: &Set) {
        for (id, known) in Self::of(rows, set).by_id {
            if !self.revoked.contains(&id) {
                self.by_id.entry(id).or_insert(known);
            }
        }
    }

    fn find(&mut self, secret: &str, now: Millis) -> Option<Token> {
        let given: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        let known = self.by_id.get_mut(id_of(secret)?)?;
        if !same(&given, &known.hash) || !is_alive(&known.token, now) {
            return None;
        }
        known.token.last_used_at = Some(now);
        Some(known.token.clone())
    }

    /// Whom these let in.
    pub(super) fn admins(&self, now: Millis) -> Admins {
        let admins = self.by_id.values().map(|known| &known.token);
        let mut admins = admins.filter(|token| rules_all(token));
        match admins.next() {
            None => Admins::None,
            Some(first) if is_alive(first, now) => Admins::Alive,
            Some(_) if admins.any(|token| is_alive(token, now)) => Admins::Alive,
            Some(_) => Admins::Past,
        }
    }

    /// Whether without this token nobody may make another one.
    fn is_last_admin(&self, id: &str, now: Millis) -> bool {
        let rules = |token: &Token| rules_all(token) && is_alive(token, now);
        let mut admins = self.by_id.values().filter(|known| rules(&known.token));
        let is_one = self.by_id.get(id).is_some_and(|known| rules(&known.token));
        is_one && admins.all(|known| known.token.id == id)
    }
}

/// Whether it may do everything everywhere.
fn rules_all(token: &Token) -> bool {
    token.role == Access::Admin && token.scope.is_all()
}

fn is_alive(token: &Token, now: Millis) -> bool {
    token.expires_at.is_none_or(|end| now < end)
}

/// Compares in a time that does not depend on where they differ.
fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    let differences = a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    std::hint::black_box(differences) == 0
}

impl Books {
    /// The token of this secret, if it is one and lives. One that another process has put into
    /// the store (`--new-admin-token` beside a server) is found there.
    pub async fn find_token(&self, secret: &str) -> Option<Token> {
        let id = id_of(secret)?.to_owned();
        if !self.desk.tokens().by_id.contains_key(&id) {
            let found = self.read(move |desk| desk.asked(desk.store.token(&id))).await;
            let row = found.ok().flatten()?;
            self.desk.tokens().learn(&[row], &self.desk.now().set);
        }
        let now = self.desk.time();
        let token = self.desk.tokens().find(secret, now)?;
        self.desk.queue.used(&token.id, now);
        Some(token)
    }

    /// Whether there is a token of this id, and it lives.
    #[must_use]
    pub fn has_token(&self, id: &str) -> bool {
        let now = self.desk.time();
        self.desk.tokens().by_id.get(id).is_some_and(|known| is_alive(&known.token, now))
    }

    /// Changes with each token that is revoked.
    #[must_use]
    pub fn revocations(&self) -> watch::Receiver<()> {
        self.desk.revoked.subscribe()
    }

    /// All tokens by id, also those that another process has put into the store; while that is
    /// away those that are known.
    ///
    /// # Errors
    /// `forbidden` to all but admins of all tenants.
    pub async fn tokens(&self, who: &Who) -> Result<Vec<Token>, Refusal> {
        who.needs(Access::Admin)?;
        who.needs_all_tenants()?;
        self.read(|desk| {
            // the log says that the store is away
            let _ = desk.learn_tokens();
            Ok(desk.tokens().by_id.values().map(|known| known.token.clone()).collect())
        })
        .await
    }

    /// Whether there is no token at all: the first start.
    #[must_use]
    pub fn has_no_token(&self) -> bool {
        self.desk.tokens().by_id.is_empty()
    }

    /// Makes a token; the secret is given out here and nowhere else.
    ///
    /// # Errors
    /// `malformed` where it cannot be, `forbidden`, `too-large`, the store.
    pub async fn create_token(&self, new: NewToken, who: &Who) -> Result<(Token, String), Refusal> {
        let who = who.clone();
        self.write(move |desk| {
            let secret = secret()?;
            desk.create_token(&new, &secret, &who).map(|token| (token, secret))
        })
        .await
    }

    /// Makes an admin of a secret that was made elsewhere (`bootstrap_token_file`).
    ///
    /// # Errors
    /// `malformed` where it has not the form of a token, the store.
    pub async fn install_token(
        &self,
        secret: &str,
        name: &str,
        who: &Who,
    ) -> Result<Token, Refusal> {
        let new = NewToken {
            name: name.to_owned(),
            role: Access::Admin,
            tenants: Vec::new(),
            expires_in: None,
        };
        let (secret, who) = (secret.to_owned(), who.clone());
        self.write(move |desk| desk.create_token(&new, &secret, &who)).await
    }

    /// Revokes a token.
    ///
    /// # Errors
    /// `not-found`; `conflict` for the last admin; `forbidden`, the store.
    pub async fn revoke_token(&self, id: &str, who: &Who) -> Result<(), Refusal> {
        let (id, who) = (id.to_owned(), who.clone());
        self.write(move |desk| desk.revoke_token(&id, &who)).await
    }
}

impl Desk {
    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn_tokens(&self) -> Result<(), Refusal> {
        let rows = self.asked(self.store.tokens())?;
        self.tokens().learn(&rows, &self.now().set);
        Ok(())
    }

    fn create_token(&self, new: &NewToken, secret: &str, who: &Who) -> Result<Token, Refusal> {
        let made = self.may_create(new, secret, who);
        let (id, scope) = match made {
            Ok(made) => made,
            Err(refusal) => {
                self.refused("token-create", vec![new.name.clone()], &refusal, who);
                return Err(refusal);
            }
        };
        let now = self.time();
        let hash: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        let row = TokenRow {
            id: id.clone(),
            name: new.name.clone(),
            hash: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            role: role_word(new.role).to_owned(),
            tenants: scope.to_stored(),
            created_at: now,
            expires_at: new.expires_in.map(|life| now.plus(life)),
            last_used_at: None,
        };
        let about = vec![format!("{} ({id})", new.name)];
        let audit = AuditRow { objects: about, ..self.line("token-create", who) };
        self.stored(self.store.put_token(&row, &audit))?;
        self.log_audit(&audit);
        let token = Token {
            id: id.clone(),
            name: row.name,
            role: new.role,
            scope,
            created_at: now,
            expires_at: row.expires_at,
            last_used_at: None,
        };
        let mut tokens = self.tokens();
        tokens.revoked.remove(&id);
        tokens.by_id.insert(id, Known { token: token.clone(), hash });
        Ok(token)
    }

    fn may_create(
        &self,
        new: &NewToken,
        secret: &str,
        who: &Who,
    ) -> Result<(String, Scope), Refusal> {
        who.needs(Access::Admin)?;
        who.needs_all_tenants()?;
        let malformed = |text: &str| Err(Refusal::Malformed(text.to_owned()));
        let Some(id) = id_of(secret) else {
            return malformed("a token is rmt_, 8 characters, _ and 43 characters of base64url");
        };
        let length = new.name.chars().count();
        if length == 0 || length > MAX_TEXT || new.name.chars().any(char::is_control) {
            return malformed("a token needs a name without control characters");
        }
        if new.role == Access::None {
            return malformed("\"role\" must be one of reader, editor, admin");
        }
        if new.tenants.len() > MAX_SCOPE {
            let count = new.tenants.len();
            let text = format!("tenants: {count} exceeds the limit of {MAX_SCOPE}");
            return Err(Refusal::TooLarge(text));
        }
        let scope = self.scope(&new.tenants)?;
        let tokens = self.tokens();
        if tokens.by_id.contains_key(id) {
            return Err(Refusal::Conflict("there is a token of this id".to_owned()));
        }
        if tokens.by_id.len() >= MAX_TOKENS {
            return Err(Refusal::TooLarge(format!("tokens: the limit is {MAX_TOKENS}")));
        }
        Ok((id.to_owned(), scope))
    }

    /// The tenants of these names (or `dbid:101`); none = everything.
    fn scope(&self, names: &[String]) -> Result<Scope, Refusal> {
        if names.is_empty() {
            return Ok(Scope::default());
        }
        let now = self.now();
        let number = |name: &String| {
            let target = Target { kind: Kind::Tenant, tenant: None, name: Name::parse(name) };
            let found = now.find(&target, &Scope::default());
            let found = found.map(|entry| entry.object.dbid);
            found.map_err(|_| Refusal::Malformed(format!("tenant \"{name}\" does not exist")))
        };
        Ok(Scope::of(names.iter().map(number).collect::<Result<_, _>>()?))
    }

    fn revoke_token(&self, id: &str, who: &Who) -> Result<(), Refusal> {
        if who.role == Access::Admin {
            self.learn_tokens()?;
        }
        let name = self.tokens().by_id.get(id).map(|known| known.token.name.clone());
        let about =
            vec![name.as_ref().map_or_else(|| id.to_owned(), |name| format!("{name} ({id})"))];
        let may = || {
            who.needs(Access::Admin)?;
            who.needs_all_tenants()?;
            if name.is_none() {
                return Err(Refusal::NotFound(format!("token {id} does not exist")));
            }
            if self.tokens().is_last_admin(id, self.time()) {
                let text = "it is the last admin token: make another one first";
                return Err(Refusal::Conflict(text.to_owned()));
            }
            Ok(())
        };
        if let Err(refusal) = may() {
            self.refused("token-revoke", about, &refusal, who);
            return Err(refusal);
        }
        let audit = AuditRow { objects: about, ..self.line("token-revoke", who) };
        self.stored(self.store.delete_token(id, &audit))?;
        self.log_audit(&audit);
        let mut tokens = self.tokens();
        tokens.by_id.remove(id);
        tokens.revoked.insert(id.to_owned());
        drop(tokens);
        self.queue.forget(id);
        self.revoked.send_replace(());
        Ok(())
    }
}

/// A new token of the system's chance.
pub(super) fn secret() -> Result<String, Refusal> {
    let mut bytes = [0; SECRET + ID / 4 * 3];
    getrandom::fill(&mut bytes).map_err(|_| Refusal::StoreUnavailable)?;
    // the id begins with a letter: a command takes what begins with a hyphen for an option
    bytes[0] &= 0x7F;
    let (id, secret) = bytes.split_at(ID / 4 * 3);
    Ok(format!("{PREFIX}{}_{}", base64url(id), base64url(secret)))
}

/// The id of a token that has the form of one.
fn id_of(secret: &str) -> Option<&str> {
    let (id, rest) = secret.strip_prefix(PREFIX)?.split_at_checked(ID)?;
    let rest = rest.strip_prefix('_')?;
    let letters = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    (rest.len() == (SECRET * 8).div_ceil(6) && letters(id) && letters(rest)).then_some(id)
}

/// RFC 4648 §5, without padding.
fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for place in (0..=chunk.len()).map(|at| 18 - 6 * at) {
            let letter = LETTERS.get((bits >> place & 0x3F) as usize);
            text.extend(letter.map(|letter| char::from(*letter)));
        }
    }
    text
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_is_that_of_the_rfc() {
        let cases = [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (bytes, text) in cases {
            assert_eq!(base64url(bytes.as_bytes()), text);
        }
        assert_eq!(base64url(&[0xFB, 0xFF, 0xBF]), "-_-_");
    }

    #[test]
    fn a_token_has_its_form() {
        let made = secret().unwrap();
        assert_eq!(made.len(), 56, "{made}");
        assert_eq!(id_of(&made), made.get(4..12));
        assert_ne!(secret().unwrap(), made);
        let letter = |made: String| made.chars().nth(4).is_some_and(|first| first.is_alphabetic());
        assert!((0..300).all(|_| letter(secret().unwrap())), "one in 64 began with a hyphen");
        let cases = [
            String::new(),
            made.replace("rmt_", "rmx_"),
            made.get(..55).unwrap().to_owned(),
            format!("{made}a"),
            format!("{}=", made.get(..55).unwrap()),
            "rmt_é".repeat(8),
        ];
        for wrong in cases {
            assert_eq!(id_of(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_last_admin_is_one_that_lives_and_sees_all() {
        let row = |id: &str, role: &str, tenants: &[&str], expires_at: Option<Millis>| TokenRow {
            id: id.to_owned(),
            name: id.to_owned(),
            hash: "00".repeat(32),
            role: role.to_owned(),
            tenants: tenants.iter().map(|tenant| (*tenant).to_owned()).collect(),
            created_at: Millis(0),
            expires_at,
            last_used_at: None,
        };
        let mut rows = vec![
            row("a", "admin", &[], None),
            row("b", "editor", &[], None),
            row("c", "admin", &["acme"], None),
            row("d", "admin", &[], Some(Millis(10))),
        ];
        let tokens = Tokens::of(&rows, &Set::default());
        assert!(!tokens.is_last_admin("a", Millis(9)), "d lives");
        assert!(tokens.is_last_admin("a", Millis(10)));
        assert!(!tokens.is_last_admin("b", Millis(10)));
        assert!(!tokens.is_last_admin("c", Millis(10)));
        rows.push(row("e", "admin", &[], None));
        assert!(!Tokens::of(&rows, &Set::default()).is_last_admin("a", Millis(10)));
    }
}
