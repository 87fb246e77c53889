//! Who may do what: users of a file, by password or by the certificate that TLS has shown (rs.md
//! §8). Producers and whoever asks over HTTP are let in by the same lines.
//!
//! Must not know what a request is for: it tells who it is, and what that one may do is asked of
//! [`Roles`]. No password and no hash is in a log, an error or an answer.

mod judge;
mod limits;
mod password;
mod table;

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use net::tls::dns_names;
use openwire::Secret;
use rustls::pki_types::CertificateDer;
use telemetry::Log;
use tokio::sync::oneshot;

use self::judge::{Judge, Question};
use self::limits::{Limits, Source};
use self::password::Hash;
use self::table::{NAME, Table};
pub(crate) use self::table::{Role, Roles, User};

/// Bytes of the file.
const FILE: u64 = 4 << 20;
/// Bytes of a password; a longer one is wrong.
const PASSWORD: usize = 1 << 10;

/// Why somebody is not let in. The same for a name that nobody has and a wrong password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotIn {
    /// No such user, or another password.
    Wrong,
    /// Failed too often: so many seconds have to pass.
    TooOften(u32),
    /// Too many logins wait to be checked.
    Busy,
}

impl std::fmt::Display for NotIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wrong => f.write_str("the user name or the password is wrong"),
            Self::TooOften(seconds) => {
                write!(f, "too many failed logins: come again in {seconds} s")
            }
            Self::Busy => f.write_str("too many logins at once: come again"),
        }
    }
}

/// Who it is, or why nobody.
pub(crate) type Verdict = Result<Arc<User>, NotIn>;

/// The users of `rs.auth.users_file`, as they are now.
pub struct Users {
    path: PathBuf,
    state: Mutex<State>,
    judge: Judge,
    limits: Limits,
    log: Log,
}

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Users").field("path", &self.path).finish_non_exhaustive()
    }
}

struct State {
    table: Table,
    /// Of the file when it was last read, well or not.
    stamp: Stamp,
}

/// What tells one state of the file from another.
type Stamp = Option<(i64, i64, u64, u64)>;

impl Users {
    /// Reads the file; `key` is chance.
    ///
    /// # Errors
    /// The file and what is wrong with it.
    pub(crate) fn open(path: &Path, key: [u8; 32], log: &Log) -> Result<Arc<Self>, String> {
        let stamp = stamp(path);
        let (table, readable) = read(path)?;
        warn(path, readable, log);
        let judge = Judge::start(key).map_err(|error| error.to_string())?;
        let state = Mutex::new(State { table, stamp });
        let limits = Limits::new();
        let (path, log) = (path.to_owned(), log.clone());
        Ok(Arc::new(Self { path, state, judge, limits, log }))
    }

    /// Looks whether the file has changed; `asked`: reads it anyway. One that cannot be read leaves
    /// the users as they were.
    pub(crate) fn look(&self, asked: bool) {
        let now = stamp(&self.path);
        let mut state = self.state();
        if !asked && state.stamp == now {
            return;
        }
        state.stamp = now;
        let file = self.path.display().to_string();
        match read(&self.path) {
            Ok((table, readable)) => {
                state.table = table;
                // a password that was wrong may be right now
                self.limits.forget();
                warn(&self.path, readable, &self.log);
                self.log.emit(36003, None, &[("file", &file)]);
            }
            Err(error) => self.log.emit(36004, None, &[("file", &file), ("error", &error)]),
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
            tell(Err(self.refused(from, user.as_deref(), NotIn::TooOften(seconds))));
            return verdict;
        }
        let Some(hash) = hash.filter(|_| password.reveal().len() <= PASSWORD) else {
            tell(Err(self.failed(from, who, user.as_deref(), now)));
            return verdict;
        };
        // one who has no password is checked against another's, and is not let in
        let may = user.as_ref().is_some_and(|user| user.hash.is_some());
        if let Some(user) =
            user.clone().filter(|_| may && self.judge.knows(&name, &password, &hash))
        {
            tell(Ok(user));
            return verdict;
        }
        let (own, source) = (Arc::clone(self), who.0);
        let answer = Box::new(move |right: Option<bool>| {
            let user_name = user.as_deref();
            // others that were asked before may have failed meanwhile
            let waits = own.limits.waits(&who, now);
            tell(match (&user, right, waits) {
                (_, None, _) => Err(own.refused(from, user_name, NotIn::Busy)),
                (Some(user), Some(true), None) if may => Ok(Arc::clone(user)),
                (_, Some(_), Some(seconds)) => {
                    Err(own.refused(from, user_name, NotIn::TooOften(seconds)))
                }
                (_, Some(_), None) => Err(own.failed(from, who, user_name, now)),
            });
        });
        self.judge.ask(Question { source, name, password, hash, answer });
        verdict
    }

    /// Whose certificate it is; it was found genuine before.
    pub(crate) fn certified(&self, certificate: &CertificateDer<'_>) -> Option<Arc<User>> {
        self.state().table.certified(&dns_names(certificate))
    }

    fn find(&self, name: &str) -> (Option<Arc<User>>, Option<Hash>) {
        let state = self.state();
        let (user, hash) = state.table.find(name);
        (user.map(Arc::clone), hash.cloned())
    }

    /// What is no login at all, such as a token, is told as a wrong one.
    pub(crate) fn unreadable(&self, from: IpAddr) -> NotIn {
        self.refused(from, None, NotIn::Wrong)
    }

    fn failed(
        &self,
        from: IpAddr,
        who: (Source, String),
        user: Option<&User>,
        now: Duration,
    ) -> NotIn {
        let why = self.limits.note(who, now).map_or_else(NotIn::TooOften, |()| NotIn::Wrong);
        self.refused(from, user, why)
    }

    /// A name that nobody has is not told: somebody may have typed a password there.
    fn refused(&self, from: IpAddr, user: Option<&User>, why: NotIn) -> NotIn {
        let (peer, why_text) = (from.to_string(), why.to_string());
        let user = user.map_or("-", |user| &*user.name);
        self.log.emit(36002, None, &[("peer", &peer), ("user", user), ("why", &why_text)]);
        why
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a start would say of the file: why it cannot work, or what is strange.
///
/// # Errors
/// The setting, the file and what is wrong with it.
pub fn check_users(path: &Path) -> Result<Vec<String>, String> {
    let (_, readable) = read(path).map_err(|error| format!("rs.auth.users_file: {error}"))?;
    let text =
        format!("rs.auth.users_file: {}: everybody on this machine may read it", path.display());
    Ok(if readable { vec![text] } else { Vec::new() })
}

/// A line of the file for a new user.
///
/// # Errors
/// What is wrong with the name, the roles or the password, or no chance is to be had.
pub fn user_line(name: &str, roles: &str, password: &str) -> Result<String, String> {
    table::check_name(name)?;
    Roles::read(roles).ok_or("roles are admin, reporter, producer and monitor")?;
    if password.is_empty() || password.len() > PASSWORD {
        return Err(format!("a password is 1 to {PASSWORD} bytes"));
    }
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| error.to_string())?;
    let hash = password::hash(password, &salt)?;
    Ok(format!("{name} {roles} {hash}"))
}

/// The users, and whether everybody on the machine may read them.
fn read(path: &Path) -> Result<(Table, bool), String> {
    let told = |error: io::Error| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(told)?;
    let mode = file.metadata().map_err(told)?.mode();
    if mode & 0o022 != 0 {
        let why = format!("others than its owner may write it (mode {:03o})", mode & 0o777);
        return Err(format!("{}: {why}", path.display()));
    }
    let mut text = String::new();
    file.take(FILE + 1).read_to_string(&mut text).map_err(told)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > FILE {
        return Err(told(io::ErrorKind::FileTooLarge.into()));
    }
    let table = Table::read(&text).map_err(|why| format!("{}: {why}", path.display()))?;
    Ok((table, mode & 0o004 != 0))
}

fn warn(path: &Path, readable: bool, log: &Log) {
    if readable {
        log.emit(10504, None, &[("file", &path.display().to_string())]);
    }
}

fn stamp(path: &Path) -> Stamp {
    let found = fs::metadata(path).ok()?;
    Some((found.mtime(), found.mtime_nsec(), found.size(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All are asked before the first is answered: the limit holds for what waits too.
    #[test]
    fn guesses_at_once_get_no_further_than_one_after_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users");
        fs::write(&path, user_line("anna", "reporter", "open sesame").unwrap()).unwrap();
        let log = Log::silent(|| model::time::Millis(0));
        let users = Users::open(&path, [7; 32], &log).unwrap();
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
