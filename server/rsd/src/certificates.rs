//! The certificates of both ports: files that have changed are read again, and what cannot work
//! leaves the old ones in force (rs.md §8, ops.md §13).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use config::settings as given;
use model::time::Millis;
use net::tls::{ClientAuth, Fault, Files, Material, Pair, Stamp};
use rustls::ServerConfig;
use telemetry::Log;
use tokio::sync::watch;

/// A certificate is told about when it is valid for less.
const SOON: Duration = Duration::from_secs(14 * 86_400);
/// How often that is told.
const AGAIN: Duration = Duration::from_secs(86_400);

/// What handshakes are made of, as it is now.
pub(crate) type Newest = watch::Receiver<Arc<ServerConfig>>;

/// Files and what was made of them.
#[derive(Debug)]
pub(crate) struct Certificates {
    files: Files,
    material: Material,
    /// For producers; and for HTTP, where who probes has no certificate.
    broker: watch::Sender<Arc<ServerConfig>>,
    http: watch::Sender<Arc<ServerConfig>>,
    /// Of the files when they were last read, well or not.
    stamp: Stamp,
    /// When it was last told that one expires soon.
    told: Option<Millis>,
}

impl Certificates {
    /// Reads the files of a block.
    ///
    /// # Errors
    /// The first file that cannot be used, and why.
    pub(crate) fn open(block: &given::Tls, now: Millis, log: &Log) -> Result<Self, Fault> {
        let files = files(block);
        let stamp = files.stamp();
        let (material, http) = load(&files, now)?;
        let (broker, http) =
            (watch::Sender::new(material.server()), watch::Sender::new(http.server()));
        let mut own = Self { files, material, broker, http, stamp, told: None };
        own.warn(now, log);
        Ok(own)
    }

    /// For connections of producers.
    pub(crate) fn broker(&self) -> Newest {
        self.broker.subscribe()
    }

    /// For HTTP: a certificate that has to be there is asked for behind the handshake.
    pub(crate) fn http(&self) -> Newest {
        self.http.subscribe()
    }

    /// How long the certificates are still valid.
    pub(crate) fn left(&self, now: Millis) -> Duration {
        self.material.left(now)
    }

    /// Looks whether files have changed; `asked`: reads them anyway.
    pub(crate) fn look(&mut self, now: Millis, asked: bool, log: &Log) {
        let stamp = self.files.stamp();
        if asked || stamp != self.stamp {
            self.stamp = stamp;
            match load(&self.files, now) {
                Ok((material, http)) => {
                    let expires = material.expires().to_string();
                    log.emit(10505, None, &[("use", "rs"), ("expires", &expires)]);
                    self.broker.send_replace(material.server());
                    self.http.send_replace(http.server());
                    self.material = material;
                    self.told = None;
                }
                Err(fault) => {
                    let error = fault.to_string();
                    log.emit(10501, None, &[("use", "rs"), ("error", &error)]);
                }
            }
        }
        self.warn(now, log);
    }

    fn warn(&mut self, now: Millis, log: &Log) {
        if self.told.is_some_and(|told| now.since(told) < AGAIN) {
            return;
        }
        for key in self.material.readable_keys() {
            log.emit(10504, None, &[("file", &key.display().to_string())]);
        }
        if self.material.left(now) < SOON {
            let (file, expires) =
                (self.material.expires_first().display(), self.material.expires());
            let (file, expires) = (file.to_string(), expires.to_string());
            log.emit(10503, None, &[("file", &file), ("expires", &expires)]);
        }
        self.told = Some(now);
    }
}

/// What producers meet, and what HTTP does.
fn load(files: &Files, now: Millis) -> Result<(Material, Material), Fault> {
    let mut http = files.clone();
    if http.client_auth == ClientAuth::Required {
        http.client_auth = ClientAuth::Optional;
    }
    Ok((files.load(now)?, http.load(now)?))
}

/// What a start would say of the files of a block: why they cannot work, or what is strange.
///
/// # Errors
/// The setting, the file and what is wrong with it.
pub fn check_tls(block: &given::Tls, now: Millis) -> Result<Vec<String>, String> {
    const BLOCK: &str = "rs.tls";
    let material = files(block).load(now).map_err(|fault| format!("{BLOCK}: {fault}"))?;
    let readable = |key: &PathBuf| {
        format!("{BLOCK}: {}: everybody on this machine may read this key", key.display())
    };
    let mut strange: Vec<String> = material.readable_keys().iter().map(readable).collect();
    if material.left(now) < SOON {
        let (file, at) = (material.expires_first().display(), material.expires());
        strange.push(format!("{BLOCK}: {file}: expires at {at}"));
    }
    Ok(strange)
}

fn files(block: &given::Tls) -> Files {
    let pair = |one: &given::Certificate| Pair {
        certificates: one.cert_file.clone(),
        key: one.key_file.clone(),
    };
    Files {
        pairs: block.certificates.iter().map(pair).collect(),
        authorities: block.ca_file.clone(),
        client_auth: match block.client_auth {
            given::ClientAuth::None => ClientAuth::None,
            given::ClientAuth::Optional => ClientAuth::Optional,
            given::ClientAuth::Required => ClientAuth::Required,
        },
    }
}
