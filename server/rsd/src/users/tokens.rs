//! The file of tokens, read (rs.md §8): one a line, `NAME ROLES sha256:HASH [tenants=NAME,…]
//! [produces=NAME,…] [expires=TIME]`. A token is 256 bits of chance, so a plain hash of it will do,
//! and it is found by it: nobody comes near one by trying.
//!
//! Pure but for chance: text in, tokens out, or what is wrong with which line.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use model::time::Millis;

use super::table::{Behind, Roles, User, behind, check_name, each_line};

/// What a token begins with.
const BEGIN: &str = "rst_";
/// Before the hash of a line.
const SCHEME: &str = "sha256:";
/// Tokens of a file, at most.
const TOKENS: usize = 10_000;

type Hash = [u8; 32];

/// All tokens.
#[derive(Debug, Default)]
pub(super) struct Tokens(HashMap<Hash, Token>);

#[derive(Debug)]
struct Token {
    user: Arc<User>,
    expires: Option<Millis>,
}

impl Tokens {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// The first line that is wrong, and why. No line's text is in it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut tokens = Self::default();
        each_line(text, |line| tokens.add(line))?;
        Ok(tokens)
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        let mut words = line.split_whitespace();
        let (Some(name), Some(roles), Some(hash)) = (words.next(), words.next(), words.next())
        else {
            return Err("expected a name, roles and sha256: with the hash".to_owned());
        };
        check_name(name)?;
        let roles = Roles::of_line(roles)?;
        let hash = hash.strip_prefix(SCHEME).and_then(unhex);
        let hash = hash.ok_or("the hash is sha256: and 64 hex digits")?;
        let kinds = ["tenants", "produces", "expires"];
        let Behind { produces, tenants, expires, .. } = behind(words, &kinds)?;
        let name = name.to_owned();
        let user = User { name, roles, hash: None, produces, tenants, shown: None };
        user.check()?;
        let token = Token { user: Arc::new(user), expires };
        if self.0.insert(hash, token).is_some() {
            return Err("this token stands in a line above too".to_owned());
        }
        if self.0.len() > TOKENS {
            return Err(format!("more than {TOKENS} tokens"));
        }
        Ok(())
    }

    /// Whose it is, unless it has run out.
    pub(super) fn find(&self, token: &str, now: Millis) -> Option<Arc<User>> {
        let token = self.0.get(&hash(token))?;
        token.is_good(now).then(|| Arc::clone(&token.user))
    }

    /// Tenants that they are bound to, by name or DBID.
    pub(super) fn tenants(&self) -> impl Iterator<Item = &String> {
        self.0.values().flat_map(|token| &token.user.tenants)
    }

    /// Whether one of them is this user's, and has not run out.
    pub(super) fn have(&self, user: &Arc<User>, now: Millis) -> bool {
        self.0.values().any(|token| Arc::ptr_eq(&token.user, user) && token.is_good(now))
    }
}

impl Token {
    fn is_good(&self, now: Millis) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

/// A new token, and the line of the file for it.
///
/// # Errors
/// What is wrong with the name or the roles, or no chance is to be had.
pub fn token_line(
    name: &str,
    roles: &str,
    expires: Option<Millis>,
) -> Result<(String, String), String> {
    check_name(name)?;
    Roles::of_line(roles)?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| error.to_string())?;
    let token = format!("{BEGIN}{}", hex(&secret));
    let expires = expires.map_or_else(String::new, |at| format!(" expires={at}"));
    let line = format!("{name} {roles} {SCHEME}{}{expires}", hex(&hash(&token)));
    Ok((token, line))
}

fn hash(token: &str) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    if text.len() != 2 * hash.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in hash.iter_mut().zip((0..text.len()).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::super::table::Role;
    use super::*;

    #[test]
    fn a_token_that_is_made_is_found_until_it_runs_out() {
        let (token, line) = token_line("billing", "reporter", Some(Millis(60_000))).unwrap();
        assert!(token.starts_with(BEGIN) && token.len() == 68 && !line.contains(&token));
        let (other, second) = token_line("billing", "producer,monitor", None).unwrap();
        let tokens = Tokens::read(&format!("# ours\n{line}\n\n{second} produces=mcp-*\n")).unwrap();
        let user = tokens.find(&token, Millis(59_999)).unwrap();
        assert!(user.name == "billing" && user.roles.have(Role::Reporter));
        assert!(!user.roles.have(Role::Producer));
        assert!(tokens.have(&user, Millis(59_999)) && !tokens.have(&user, Millis(60_000)));
        assert!(!Tokens::read(&line).unwrap().have(&user, Millis(0)), "read again it is another");
        assert_eq!(tokens.find(&token, Millis(60_000)), None);
        let user = tokens.find(&other, Millis(u64::MAX)).unwrap();
        assert!(user.roles.have(Role::Producer) && user.produces == ["mcp-*"]);
        assert_eq!(tokens.find(&token[4..], Millis(0)), None);
        assert_eq!(tokens.find("", Millis(0)), None);
        assert_eq!(Tokens::read("").unwrap().find(&token, Millis(0)), None);
    }

    #[test]
    fn a_bad_line_is_named_and_its_hash_is_not_told() {
        let hash = "a".repeat(64);
        let good = format!("a reporter sha256:{hash}");
        for (lines, line, why) in [
            ("a reporter".to_owned(), 1, "expected a name, roles and"),
            (format!("a writer sha256:{hash}"), 1, "roles are admin"),
            (format!("a reporter {hash}"), 1, "the hash is sha256:"),
            (format!("a reporter sha256:{}é", &hash[2..]), 1, "the hash is sha256:"),
            (format!("a reporter sha256:{}+1", &hash[2..]), 1, "the hash is sha256:"),
            (format!("a:b reporter sha256:{hash}"), 1, "a name is 1 to 128 bytes"),
            (format!("{good}\n# x\nb admin sha256:{hash}"), 3, "this token stands in a line"),
            (format!("{good} expires=tomorrow"), 1, "expires= is a time"),
            (format!("{good} certificate=x"), 1, "behind it stand"),
            (format!("{good} more"), 1, "behind it stand"),
        ] {
            let error = Tokens::read(&lines).unwrap_err();
            assert!(error.starts_with(&format!("line {line}: {why}")), "{lines}: {error}");
            assert!(!error.contains(&hash), "{error}");
        }
    }
}
