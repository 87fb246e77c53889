//! Who may ask `/v1` (rm.md §10): bearers of a token, or without a tokens file this machine.
//!
//! The file is read again when it changes. Tokens are compared in constant time and never logged.

use super::Shared;
use super::problem::Problem;
use crate::error::StartError;
use crate::limits::TOKENS_FILE;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use telemetry::door::Source;

/// The tokens of a file, as they are now.
pub(crate) struct Tokens {
    path: PathBuf,
    known: Mutex<Known>,
}

struct Known {
    version: Version,
    tokens: Vec<(String, Role)>,
}

/// What tells one state of the file from another.
type Version = (u64, Option<SystemTime>);

/// What a bearer may do. An operator may do what a reader may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// Ask.
    Reader,
    /// Change.
    Operator,
}

impl Tokens {
    /// Reads `rm.http_tokens_file`.
    pub(crate) fn open(path: &Path) -> Result<Self, StartError> {
        let known = read(path).map_err(|error| StartError::file(path, error))?;
        Ok(Self { path: path.to_owned(), known: Mutex::new(known) })
    }

    /// The role of a token. A file that cannot be read any more leaves the tokens as they were.
    fn role(&self, token: &str) -> Option<Role> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = fs::metadata(&self.path).is_ok_and(|now| version(&now) != known.version);
        if changed && let Ok(fresh) = read(&self.path) {
            *known = fresh;
        }
        // All are compared, so that the time tells nothing about which one was near.
        let mut role = None;
        for (known, its) in &known.tokens {
            if same(known.as_bytes(), token.as_bytes()) {
                role = Some(*its);
            }
        }
        role
    }
}

/// Lets a request of `/v1` pass, or says why not.
pub(super) async fn check(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(Source { address: source, .. }): ConnectInfo<Source>,
    mut request: Request,
    next: Next,
) -> Response {
    let role = match &shared.admin.tokens {
        Some(tokens) => bearer(&request).and_then(|token| tokens.role(token)),
        None if source.ip().is_loopback() => Some(Role::Operator),
        None => return Problem::loopback_only().into_response(),
    };
    if let Some(role) = role {
        request.extensions_mut().insert(role);
        return next.run(request).await;
    }
    shared.state.log().emit(20801, None, &[("peer", &source.to_string())]);
    Problem::unauthorised().into_response()
}

/// Whoever asks is an operator; a handler that changes something takes it as an argument.
pub(super) struct Operator {
    /// Where from.
    pub(super) source: SocketAddr,
}

impl FromRequestParts<Arc<Shared>> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shared>) -> Result<Self, Problem> {
        let role = parts.extensions.get::<Role>();
        let source = parts.extensions.get::<ConnectInfo<Source>>();
        match (role, source) {
            (Some(Role::Operator), Some(ConnectInfo(source))) => {
                Ok(Self { source: source.address })
            }
            _ => Err(Problem::operators_only()),
        }
    }
}

fn bearer(request: &Request) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn read(path: &Path) -> io::Result<Known> {
    let metadata = fs::metadata(path)?;
    if metadata.len() > TOKENS_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "too many tokens"));
    }
    let text = fs::read_to_string(path)?;
    let tokens = parse(&text).map_err(|text| io::Error::new(io::ErrorKind::InvalidData, text))?;
    Ok(Known { version: version(&metadata), tokens })
}

fn version(metadata: &Metadata) -> Version {
    (metadata.len(), metadata.modified().ok())
}

/// The tokens, or what is wrong with the first line that is none.
fn parse(text: &str) -> Result<Vec<(String, Role)>, String> {
    let mut tokens: Vec<(String, Role)> = Vec::new();
    let mut known = HashSet::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.split_whitespace();
        let (token, role) = match (words.next(), words.next(), words.next()) {
            (Some(token), Some("reader"), None) => (token, Role::Reader),
            (Some(token), Some("operator"), None) => (token, Role::Operator),
            _ => {
                return Err(format!("line {}: expected a token and reader or operator", index + 1));
            }
        };
        // of two roles nobody would know which one holds
        if !known.insert(token) {
            return Err(format!("line {}: this token stands in a line above too", index + 1));
        }
        tokens.push((token.to_owned(), role));
    }
    Ok(tokens)
}

/// Equal, in a time that depends on the lengths only.
fn same(known: &[u8], given: &[u8]) -> bool {
    let differs = known.iter().zip(given).fold(0, |differs, (a, b)| differs | (a ^ b));
    differs == 0 && known.len() == given.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_roles_and_follow_their_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens");
        fs::write(&path, "# ours\nalpha reader\nbeta  operator\n").unwrap();
        let tokens = Tokens::open(&path).unwrap();
        let cases = [
            ("alpha", Some(Role::Reader)),
            ("beta", Some(Role::Operator)),
            ("alph", None),
            ("alphaa", None),
            ("", None),
        ];
        for (token, role) in cases {
            assert_eq!(tokens.role(token), role, "{token:?}");
        }
        fs::write(&path, "gamma reader\n").unwrap();
        assert_eq!((tokens.role("alpha"), tokens.role("gamma")), (None, Some(Role::Reader)));
        fs::write(&path, "broken\n").unwrap();
        assert_eq!(tokens.role("gamma"), Some(Role::Reader));
    }

    #[test]
    fn a_bad_line_is_named() {
        let none = "expected a token and reader or operator";
        let twice = "this token stands in a line above too";
        for (text, line, why) in [
            ("a", 1, none),
            ("a reader\nb writer", 2, none),
            ("a reader x", 1, none),
            ("a reader\n# b\nb reader\na operator", 4, twice),
            ("a reader\na reader", 2, twice),
        ] {
            assert_eq!(parse(text), Err(format!("line {line}: {why}")), "{text:?}");
        }
    }
}
