//! What the settings come to before a start touches anything: each is read, or the start is
//! refused (rs.md §9). `ringmaster check` asks the same here.
//!
//! Must not make, lock or bind anything, nor connect to anybody.

use std::path::Path;

use config::Settings as BootSettings;
use config::certificates::Certificates;
use config::settings::{Rollup, Rs};
use model::time::Millis;
use rs::rollup::Weekday;
use telemetry::Log;

use crate::database::Server;
use crate::error::StartError;
use crate::machine::Clamped;
use crate::proof::ProofKey;
use crate::rollup::Place;
use crate::secret_file;
use crate::settings;
use crate::users::Files;

/// What a start is made of.
pub(crate) struct Preflight {
    /// Limits as this machine keeps them.
    pub(crate) clamped: Clamped,
    /// `rs.tls`.
    pub(crate) certificates: Option<Certificates>,
    /// `rs.auth`.
    pub(crate) users: Option<Files>,
    /// `rs.database`; `None`: files of our own.
    pub(crate) database: Option<Server>,
    /// `rs.time_zone`.
    pub(crate) place: Place,
    /// `rs.proof_key_file`.
    pub(crate) proof_key: Option<ProofKey>,
}

impl Preflight {
    /// `asked`: the settings of `rs` with what options say by now.
    ///
    /// # Errors
    /// All that a start is refused for.
    pub(crate) fn of(
        settings: &BootSettings,
        asked: &Rs,
        now: Millis,
    ) -> Result<Self, Vec<StartError>> {
        let mut refused = Vec::new();
        keep(settings::check(settings), &mut refused);
        let clamped = keep(Clamped::of(asked, &settings.rs_spool_dir()), &mut refused);
        let certificates = keep(certificates(settings, now), &mut refused);
        let users =
            keep(Files::read(&settings.rs.auth).map_err(StartError::Settings), &mut refused);
        let database = keep(Server::of(&settings.rs.database), &mut refused);
        let place = keep(place(&settings.rs.rollup), &mut refused);
        let proof_key = keep(proof_key(settings), &mut refused);
        match (clamped, certificates, users, database, place, proof_key) {
            (
                Some(clamped),
                Some(certificates),
                Some(users),
                Some(database),
                Some(place),
                Some(proof_key),
            ) if refused.is_empty() => {
                Ok(Self { clamped, certificates, users, database, place, proof_key })
            }
            _ => Err(refused),
        }
    }
}

/// What a start would be refused for, and what is strange about what it would take.
#[must_use]
pub fn check(settings: &BootSettings, now: Millis) -> (Vec<StartError>, Vec<String>) {
    match Preflight::of(settings, &settings.rs, now) {
        Err(refused) => (refused, Vec::new()),
        Ok(found) => {
            let own = found.certificates.map(|own| own.strange("rs.tls", now));
            let all = own.into_iter().flatten();
            let readable = readable(&settings.rs).map(|(key, file)| {
                format!("{key}: {}: everybody on this machine may read it", file.display())
            });
            (Vec::new(), all.chain(readable).collect())
        }
    }
}

/// Tells of secrets that everybody may read.
pub(crate) fn warn(rs: &Rs, log: &Log) {
    for (_, file) in readable(rs) {
        log.emit(10504, None, &[("file", &file.display().to_string())]);
    }
}

/// Files of secrets that everybody may read, with their keys.
fn readable(rs: &Rs) -> impl Iterator<Item = (&'static str, &Path)> {
    let all = [
        ("rs.auth.users_file", &rs.auth.users_file),
        ("rs.auth.tokens_file", &rs.auth.tokens_file),
        ("rs.database_password_file", &rs.database.password_file),
        ("rs.proof_key_file", &rs.proof_key_file),
    ];
    let given = all.into_iter().filter_map(|(key, file)| Some((key, file.as_deref()?)));
    given.filter(|(_, file)| secret_file::is_readable(file))
}

fn keep<T>(read: Result<T, StartError>, refused: &mut Vec<StartError>) -> Option<T> {
    read.map_err(|why| refused.push(why)).ok()
}

fn certificates(settings: &BootSettings, now: Millis) -> Result<Option<Certificates>, StartError> {
    let read = |block| Certificates::read("rs", block, now);
    let read = settings.rs.tls.as_ref().map(read).transpose();
    read.map_err(|fault| StartError::Settings(format!("rs.tls: {fault}")))
}

/// The zone of larger bins.
fn place(rollup: &Rollup) -> Result<Place, StartError> {
    let day = Weekday::ALL.into_iter().nth(usize::from(rollup.week_start));
    Place::of(rollup.time_zone.as_deref(), day.unwrap_or(Weekday::Monday))
}

fn proof_key(settings: &BootSettings) -> Result<Option<ProofKey>, StartError> {
    let key = settings.rs.proof_key_file.as_deref().map(ProofKey::read).transpose();
    key.map_err(|error| StartError::Settings(format!("rs.proof_key_file: {error}")))
}
