//! From boot settings to what each part is told; what cannot work is refused here.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use config::Settings as BootSettings;
use config::certificates::Newest;
use config::settings::{BrokerLimits, ClientAuth, Tls};

use crate::api;
use crate::error::StartError;
use crate::ingest;
use crate::machine::Clamped;
use crate::proof::ProofKey;
use crate::users::Users;

/// Refuses what this version cannot do (exit code 78).
pub(crate) fn check(settings: &BootSettings) -> Result<(), StartError> {
    if settings.rs.auth.users_file.is_none() {
        check_nobody(settings).map_err(StartError::Settings)?;
    }
    Ok(())
}

/// Without users: somebody has to be let in, and beyond loopback only if that is said.
fn check_nobody(settings: &BootSettings) -> Result<(), String> {
    let rs = &settings.rs;
    let open = rs.auth.anonymous == Some(true);
    for (key, address) in [("rs.http", rs.http), ("rs.broker", rs.broker)] {
        if !address.ip().is_loopback() && !open {
            let text = "is not loopback: without users it needs rs.auth.anonymous: true";
            return Err(format!("{key}: {address} {text}"));
        }
    }
    if rs.auth.anonymous == Some(false) {
        let text = "rs.auth.anonymous: false would let nobody in: there is no rs.auth.users_file";
        return Err(text.to_owned());
    }
    if rs.ingest && !anonymous_producers(settings) {
        let text = "lets no producer in: without users it needs rs.auth.anonymous_broker: true";
        return Err(format!("rs.broker: {} {text}", rs.broker));
    }
    Ok(())
}

/// `rs.auth.anonymous`; true on loopback where there are no users, unless told otherwise.
fn anonymous(settings: &BootSettings) -> bool {
    let rs = &settings.rs;
    let open = rs.http.ip().is_loopback() && rs.auth.users_file.is_none();
    rs.auth.anonymous.unwrap_or(open)
}

/// `rs.auth.anonymous_broker`; true on loopback unless told otherwise.
fn anonymous_producers(settings: &BootSettings) -> bool {
    let rs = &settings.rs;
    rs.auth.anonymous_broker.unwrap_or_else(|| rs.broker.ip().is_loopback())
}

/// How producers come in: how many and how large, what TLS is made of, and who they may be.
pub(crate) struct Doors {
    pub(crate) limits: ingest::LimitsInForce,
    pub(crate) tls: Option<Newest>,
    pub(crate) users: Option<Arc<Users>>,
}

/// Settings of the listener for producers; `http` is where the reports are.
pub(crate) fn ingest(settings: &BootSettings, http: SocketAddr, doors: Doors) -> ingest::Settings {
    let rs = &settings.rs;
    ingest::Settings {
        listen: rs.broker,
        name: rs.name.clone(),
        http: http.to_string(),
        anonymous: anonymous_producers(settings),
        tls: doors.tls,
        users: doors.users,
        limits: doors.limits,
    }
}

/// `rs.broker_limits`, as far as this machine keeps them.
pub(crate) fn limits(limits: &BrokerLimits, clamped: &Clamped) -> ingest::Limits {
    ingest::Limits {
        connections: clamped.connections,
        memory: clamped.memory,
        per_address: count(limits.connections_per_address),
        record: record(limits),
        connection: openwire::Limits {
            frame_before_login: bytes(limits.frame_before_login),
            frame: bytes(limits.frame),
            sessions: count(limits.sessions),
            producers: count(limits.producers),
            advisories: count(limits.advisories),
            transaction_messages: count(limits.transaction_messages),
            transaction_bytes: bytes(limits.transaction_bytes),
            transaction_age: limits.transaction_age,
            unanswered_messages: count(limits.unanswered_messages),
            unanswered_bytes: bytes(limits.unanswered_bytes),
            login: limits.login,
            inactivity: limits.inactivity,
            ..openwire::Limits::default()
        },
    }
}

/// Bytes of a record: one that no frame holds does not come.
pub(crate) fn record(limits: &BrokerLimits) -> usize {
    bytes(limits.record.min(limits.frame))
}

/// Settings of the HTTP side.
pub(crate) fn api(
    settings: &BootSettings,
    clamped: &Clamped,
    users: Option<Arc<Users>>,
    proof_key: Option<Arc<ProofKey>>,
) -> api::Settings {
    let rs = &settings.rs;
    let (name, memory) = (rs.name.clone(), clamped.memory / 2);
    let required = |block: &Tls| block.client_auth == ClientAuth::Required;
    api::Settings {
        name,
        api: rs.api,
        ui: rs.ui,
        ingest: rs.ingest,
        tls: rs.tls.is_some(),
        certificate_required: rs.tls.as_ref().is_some_and(required),
        memory,
        users,
        anonymous: anonymous(settings),
        metrics_auth: rs.http_metrics_auth,
        cors_origins: rs.http_cors_origins.clone(),
        mask: rs.privacy.mask,
        volumes: volumes(settings),
        proof_key,
    }
}

pub(crate) fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

pub(crate) fn bytes(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Where the ingest queue and the files of the database are.
fn volumes(settings: &BootSettings) -> Vec<(&'static str, PathBuf)> {
    let spool = ("spool", settings.rs_spool_dir());
    let files = settings.rs.database.url.is_none();
    let database = files.then(|| ("database", settings.data_dir.join("rs")));
    [Some(spool), database].into_iter().flatten().collect()
}
