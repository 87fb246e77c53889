//! The certificates of the port: files that have changed are read again, and what cannot work
//! leaves the old ones in force (ops.md §1.12, §13).

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

/// Files and what was made of them.
#[derive(Debug)]
pub(crate) struct Certificates {
    files: Files,
    material: Material,
    newest: watch::Sender<Arc<ServerConfig>>,
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
        let material = files.load(now)?;
        let newest = watch::Sender::new(material.server());
        let mut own = Self { files, material, newest, stamp, told: None };
        own.warn(now, log);
        Ok(own)
    }

    /// What handshakes are made of, from now on.
    pub(crate) fn material(&self) -> watch::Receiver<Arc<ServerConfig>> {
        self.newest.subscribe()
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
            match self.files.load(now) {
                Ok(material) => {
                    let expires = material.expires().to_string();
                    log.emit(10505, None, &[("use", "config"), ("expires", &expires)]);
                    self.newest.send_replace(material.server());
                    self.material = material;
                    self.told = None;
                }
                Err(fault) => {
                    let error = fault.to_string();
                    log.emit(10501, None, &[("use", "config"), ("error", &error)]);
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

/// Whether everything but the probes is for those who show a certificate.
pub(crate) fn is_required(block: &given::Tls) -> bool {
    matches!(block.client_auth, given::ClientAuth::Required)
}

/// What a start would say of the files of a block: why they cannot work, or what is strange.
///
/// # Errors
/// The setting, the file and what is wrong with it.
pub fn check_tls(block: &given::Tls, now: Millis) -> Result<Vec<String>, String> {
    const BLOCK: &str = "config_server.tls";
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
            // probes have none: see `is_required`
            given::ClientAuth::Optional | given::ClientAuth::Required => ClientAuth::Optional,
        },
    }
}
