//! Who may do what: users of a file, by password or by the certificate that TLS has shown, and
//! tokens of another (rs.md §8). Producers and whoever asks over HTTP are let in by the same lines.
//!
//! Must not know what a request is for: it tells who it is, and what that one may do is asked of
//! [`Roles`]. No password and no hash is in a log, an error or an answer.

mod bindings;
mod judge;
mod jwt;
mod limits;
mod password;
mod table;
mod tokens;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use config::settings::Auth;
use model::time::{Millis, Now};
use net::tls::{common_names, dns_names};
use openwire::Secret;
use rustls::pki_types::CertificateDer;
use telemetry::Log;
use tokio::sync::oneshot;

use self::bindings::Bindings;
use self::judge::{Judge, Question};
use self::jwt::{Expected, Keys};
use self::limits::Limits;
use self::password::Hash;
use self::table::{NAME, Table};
use self::tokens::Tokens;
use crate::book::{Book, Kind};
use crate::crew::Crew;
use crate::diary::{Diary, Entry};

pub(crate) use self::limits::Source;
pub(crate) use self::table::{Role, Roles, User};
pub use self::tokens::token_line;

/// Bytes of a password; a longer one is wrong.
const PASSWORD: usize = 1 << 10;
/// Users with their addresses that the audit log tells of in an hour; and refusals.
const LOGINS: usize = 10_000;
const REFUSALS: usize = 1_000;
/// Under this name wrong tokens are counted; no user has it.
const TOKEN: &str = "token:";

/// Why somebody is not let in. The same for a name that nobody has and a wrong password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotIn {
    /// No such user, or another password.
    Wrong,
    /// No such token, or it has run out.
    Token,
    /// Failed too often: so many seconds have to pass.
    TooOften(u32),
    /// Too many logins wait to be checked.
    Busy,
}

impl std::fmt::Display for NotIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wrong => f.write_str("the user name or the password is wrong"),
            Self::Token => f.write_str("the token is unknown, or has run out"),
            Self::TooOften(seconds) => {
                write!(f, "too many failed logins: come again in {seconds} s")
            }
            Self::Busy => f.write_str("too many logins at once: come again"),
        }
    }
}

/// Who it is, or why nobody.
pub(crate) type Verdict = Result<Arc<User>, NotIn>;

/// The users of `rs.auth.users_file`, the tokens of `rs.auth.tokens_file` and the keys of
/// `rs.auth.jwks_file`, as they are now.
pub struct Users {
    users: Book<Table>,
    tokens: Option<Book<Tokens>>,
    keys: Option<Book<Arc<Keys>>>,
    /// Whose tokens are taken that these keys have signed.
    expected: Expected,
    bindings: Bindings,
    judge: Judge,
    limits: Limits,
    /// Logins for the audit log,
    pub(crate) logins: Diary<()>,
    /// and those that were refused, with the reason.
    pub(crate) refusals: Diary<String>,
    log: Log,
}

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Users").field("path", &self.users.path()).finish_non_exhaustive()
    }
}

impl Users {
    /// Begins with these files; `key` is chance.
    ///
    /// # Errors
    /// There is no thread for logins.
    pub(crate) fn open(
        files: Files,
        key: [u8; 32],
        log: &Log,
        crew: &Arc<Crew>,
    ) -> io::Result<Arc<Self>> {
        let Files { users, tokens, keys, expected } = files;
        Ok(Arc::new(Self {
            users,
            tokens,
            keys,
            expected,
            bindings: Bindings::default(),
            judge: Judge::start(key, Arc::clone(crew))?,
            limits: Limits::new(),
            logins: Diary::new(LOGINS),
            refusals: Diary::new(REFUSALS),
            log: log.clone(),
        }))
    }

    /// Looks whether the files have changed; `asked`: reads them anyway.
    pub(crate) fn look(&self, asked: bool) {
        let users = self.users.look(asked, &self.log);
        let tokens = self.tokens.as_ref().is_some_and(|tokens| tokens.look(asked, &self.log));
        let keys = self.keys.as_ref().is_some_and(|keys| keys.look(asked, &self.log));
        if users || tokens {
            self.bindings.forget();
        }
        if users || tokens || keys {
            // what was wrong may be right now
            self.limits.forget();
        }
    }

    /// Has a login checked; what comes of it is sent to whoever waits. `now` is monotonic.
    pub(crate) fn login(
        self: &Arc<Self>,
        from: IpAddr,
        name: &str,
        password: Secret,
        now: Duration,
    ) -> oneshot::Receiver<Verdict> {
        let (tell, verdict) = oneshot::channel();
        // whoever asked may have gone
        let tell = move |verdict: Verdict| drop(tell.send(verdict));
        let name: String = name.chars().take(NAME).collect();
        let who = (Source::of(from), name.clone());
        let (user, hash) = self.find(&name);
        if let Some(seconds) = self.limits.waits(&who, now) {
            let why = NotIn::TooOften(seconds);
            tell(Err(self.refused(from, user.as_deref(), why, now)));
            return verdict;
        }
        let Some(hash) = hash.filter(|_| password.reveal().len() <= PASSWORD) else {
            tell(Err(self.failed((from, who), user.as_deref(), now, NotIn::Wrong)));
            return verdict;
        };
        // one who has no password is checked against another's, and is not let in
        let may = user.as_ref().is_some_and(|user| user.hash.is_some());
        if let Some(user) =
            user.clone().filter(|_| may && self.judge.knows(&name, &password, &hash))
        {
            tell(Ok(self.let_in(&user, from, now)));
            return verdict;
        }
        let (own, source) = (Arc::clone(self), who.0);
        let answer = Box::new(move |right: Option<bool>| {
            let user_name = user.as_deref();
            // others that were asked before may have failed meanwhile
            let waits = own.limits.waits(&who, now);
            tell(match (&user, right, waits) {
                (_, None, _) => Err(own.refused(from, user_name, NotIn::Busy, now)),
                (Some(user), Some(true), None) if may => Ok(own.let_in(user, from, now)),
                (_, Some(_), Some(seconds)) => {
                    Err(own.refused(from, user_name, NotIn::TooOften(seconds), now))
                }
                (_, Some(_), None) => Err(own.failed((from, who), user_name, now, NotIn::Wrong)),
            });
        });
        self.judge.ask(Question { source, name, password, hash, answer });
        verdict
    }

    /// Whose certificate it is; it was found genuine before.
    pub(crate) fn certified(
        &self,
        certificate: &CertificateDer<'_>,
        from: IpAddr,
        now: Duration,
    ) -> Option<Arc<User>> {
        let mut names = dns_names(certificate);
        names.extend(common_names(certificate).iter().map(|name| format!("cn={name}")));
        let user = self.users.ask(|table| table.certified(&names))?;
        Some(self.let_in(&user, from, now))
    }

    /// Whose token it is. One that is right is never made to wait: nobody finds one by trying.
    pub(crate) fn bearer(&self, token: &Secret, from: IpAddr, now: Now) -> Verdict {
        let found = match &self.keys {
            Some(keys) if jwt::is_one(token.reveal()) => {
                // nobody waits for the file while a signature is verified
                let keys = keys.ask(Arc::clone);
                jwt::user(token.reveal(), &keys, &self.expected, now.wall).map(Arc::new)
            }
            _ => {
                let find = |tokens: &Tokens| tokens.find(token.reveal(), now.wall);
                self.tokens.as_ref().and_then(|tokens| tokens.ask(find))
            }
        };
        if let Some(user) = found {
            return Ok(self.let_in(&user, from, now.mono));
        }
        let who = (Source::of(from), TOKEN.to_owned());
        Err(match self.limits.waits(&who, now.mono) {
            Some(seconds) => self.refused(from, None, NotIn::TooOften(seconds), now.mono),
            None => self.failed((from, who), None, now.mono, NotIn::Token),
        })
    }

    /// Whether the files still have a user or a token that was let in, as it was. One that is read
    /// again is another.
    pub(crate) fn still_have(&self, user: &Arc<User>, now: Millis) -> bool {
        if let Some(shown) = &user.shown {
            let keys = self.keys.as_ref();
            return keys.is_some_and(|keys| keys.ask(|keys| shown.is_good(keys, now)));
        }
        self.users.ask(|table| table.has(user))
            || self.tokens.as_ref().is_some_and(|tokens| tokens.ask(|all| all.have(user, now)))
    }

    fn find(&self, name: &str) -> (Option<Arc<User>>, Option<Hash>) {
        self.users.ask(|table| {
            let (user, hash) = table.find(name);
            (user.map(Arc::clone), hash.cloned())
        })
    }

    /// What is no login at all is told as a wrong one.
    pub(crate) fn unreadable(&self, from: IpAddr, now: Duration) -> NotIn {
        self.refused(from, None, NotIn::Wrong, now)
    }

    fn let_in(&self, user: &Arc<User>, from: IpAddr, now: Duration) -> Arc<User> {
        let entry = Entry { user: Some(user.name.clone()), from, detail: (), at: now };
        self.logins.note("", entry);
        Arc::clone(user)
    }

    fn failed(
        &self,
        (from, who): (IpAddr, (Source, String)),
        user: Option<&User>,
        now: Duration,
        wrong: NotIn,
    ) -> NotIn {
        let why = self.limits.note(who, now).map_or_else(NotIn::TooOften, |()| wrong);
        self.refused(from, user, why, now)
    }

    /// A name that nobody has is not told: somebody may have typed a password there.
    fn refused(&self, from: IpAddr, user: Option<&User>, why: NotIn, now: Duration) -> NotIn {
        let (peer, why_text) = (from.to_string(), why.to_string());
        let user = user.map(|user| &*user.name);
        if why != NotIn::Busy {
            let (user, detail) = (user.map(str::to_owned), why_text.clone());
            self.refusals.note("", Entry { user, from, detail, at: now });
        }
        let user = user.unwrap_or("-");
        self.log.emit(36002, None, &[("peer", &peer), ("user", user), ("why", &why_text)]);
        why
    }
}

/// What the files of `rs.auth` hold at the start.
pub(crate) struct Files {
    users: Book<Table>,
    tokens: Option<Book<Tokens>>,
    keys: Option<Book<Arc<Keys>>>,
    expected: Expected,
}

impl Files {
    /// Reads them. `None`: there is no file of users.
    ///
    /// # Errors
    /// The setting, the file and what is wrong with it.
    pub(crate) fn read(auth: &Auth) -> Result<Option<Self>, String> {
        let Some(path) = &auth.users_file else { return Ok(None) };
        let users = Book::open(path, Kind::Users, Table::read);
        let users = users.map_err(|error| format!("rs.auth.users_file: {error}"))?;
        let tokens = auth.tokens_file.as_deref();
        let tokens = tokens.map(|path| Book::open(path, Kind::Users, Tokens::read)).transpose();
        let tokens = tokens.map_err(|error| format!("rs.auth.tokens_file: {error}"))?;
        let keys = auth.jwks_file.as_deref();
        let keys = keys.map(|path| Book::open(path, Kind::Public, shared_keys)).transpose();
        let keys = keys.map_err(|error| format!("rs.auth.jwks_file: {error}"))?;
        let (issuer, audience) = (auth.jwt_issuer.clone(), auth.jwt_audience.clone());
        Ok(Some(Self { users, tokens, keys, expected: Expected { issuer, audience } }))
    }
}

fn shared_keys(text: &str) -> Result<Arc<Keys>, String> {
    Keys::read(text).map(Arc::new)
}

/// A line of the file for a new user.
///
/// # Errors
/// What is wrong with the name, the roles or the password, or no chance is to be had.
pub fn user_line(name: &str, roles: &str, password: &str) -> Result<String, String> {
    table::check_name(name)?;
    Roles::of_line(roles)?;
    if password.is_empty() || password.len() > PASSWORD {
        return Err(format!("a password is 1 to {PASSWORD} bytes"));
    }
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| error.to_string())?;
    let hash = password::hash(password, &salt)?;
    Ok(format!("{name} {roles} {hash}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// All are asked before the first is answered: the limit holds for what waits too.
    #[test]
    fn guesses_at_once_get_no_further_than_one_after_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users");
        fs::write(&path, user_line("anna", "reporter", "open sesame").unwrap()).unwrap();
        let log = Log::silent(|| Millis(0));
        let auth = Auth { users_file: Some(path), ..Auth::default() };
        let files = Files::read(&auth).unwrap().unwrap();
        let users = Users::open(files, [7; 32], &log, &crate::crew::tests::idle()).unwrap();
        let ask = |password: &str| {
            let from = IpAddr::from([192, 0, 2, 1]);
            users.login(from, "anna", Secret::new(password.to_owned()), Duration::ZERO)
        };
        let guesses: Vec<_> = (0..10).map(|n| ask(&format!("guess {n}"))).collect();
        let right = ask("open sesame");
        for guess in guesses {
            assert_eq!(guess.blocking_recv().unwrap(), Err(NotIn::Wrong));
        }
        assert_eq!(right.blocking_recv().unwrap(), Err(NotIn::TooOften(300)));
    }
}
