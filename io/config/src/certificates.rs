//! Certificates of a block of settings (ops.md §13): files that have changed are read again, and
//! what cannot work leaves the old ones in force. One home for every listener that has such a
//! block; whoever listens asks when to look.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::time::Millis;
use net::tls::{ClientAuth, Fault, Files, Material, Pair, Stamp};
use rustls::ServerConfig;
use telemetry::Log;
use tokio::sync::watch;

use crate::settings as given;

/// A certificate is told about when it is valid for less.
pub const SOON: Duration = Duration::from_secs(14 * 86_400);
/// How often that is told.
const AGAIN: Duration = Duration::from_secs(86_400);

/// What handshakes are made of, as it is now.
pub type Newest = watch::Receiver<Arc<ServerConfig>>;

/// Files and what was made of them.
#[derive(Debug)]
pub struct Certificates {
    /// Whose they are, as the log calls it.
    whose: &'static str,
    files: Files,
    material: Material,
    /// As the block says; and where who probes has no certificate.
    strict: watch::Sender<Arc<ServerConfig>>,
    lenient: watch::Sender<Arc<ServerConfig>>,
    /// Of the files when they were last read, well or not.
    stamp: Stamp,
    /// When it was last told that one expires soon.
    told: Option<Millis>,
}

impl Certificates {
    /// Reads the files of a block, and tells what is strange about them.
    ///
    /// # Errors
    /// The first file that cannot be used, and why.
    pub fn open(
        whose: &'static str,
        block: &given::Tls,
        now: Millis,
        log: &Log,
    ) -> Result<Self, Fault> {
        let mut own = Self::read(whose, block, now)?;
        own.warn(now, log);
        Ok(own)
    }

    /// Reads the files of a block.
    ///
    /// # Errors
    /// The first file that cannot be used, and why.
    pub fn read(whose: &'static str, block: &given::Tls, now: Millis) -> Result<Self, Fault> {
        let files = files(block);
        let stamp = files.stamp();
        let (material, lenient) = load(&files, now)?;
        let strict = watch::Sender::new(material.server());
        let lenient = watch::Sender::new(lenient.server());
        Ok(Self { whose, files, material, strict, lenient, stamp, told: None })
    }

    /// Handshakes that ask for what the block says.
    #[must_use]
    pub fn strict(&self) -> Newest {
        self.strict.subscribe()
    }

    /// Handshakes that end well without a certificate, too: one that has to be there is asked for
    /// behind them.
    #[must_use]
    pub fn lenient(&self) -> Newest {
        self.lenient.subscribe()
    }

    /// How long the certificates are still valid.
    #[must_use]
    pub fn left(&self, now: Millis) -> Duration {
        self.material.left(now)
    }

    /// Looks whether files have changed; `asked`: reads them anyway.
    pub fn look(&mut self, now: Millis, asked: bool, log: &Log) {
        let stamp = self.files.stamp();
        if asked || stamp != self.stamp {
            self.stamp = stamp;
            match load(&self.files, now) {
                Ok((material, lenient)) => {
                    let expires = material.expires().to_string();
                    log.emit(10505, None, &[("use", self.whose), ("expires", &expires)]);
                    self.strict.send_replace(material.server());
                    self.lenient.send_replace(lenient.server());
                    self.material = material;
                    self.told = None;
                }
                Err(fault) => {
                    let error = fault.to_string();
                    log.emit(10501, None, &[("use", self.whose), ("error", &error)]);
                }
            }
        }
        self.warn(now, log);
    }

    /// What is strange about them, in words; `block`: what they are called.
    #[must_use]
    pub fn strange(&self, block: &str, now: Millis) -> Vec<String> {
        strange(block, &self.material, now, SOON)
    }

    /// Tells what is strange about them, once a day.
    pub fn warn(&mut self, now: Millis, log: &Log) {
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

/// As the block says, and where a certificate may be missing.
fn load(files: &Files, now: Millis) -> Result<(Material, Material), Fault> {
    let mut lenient = files.clone();
    if lenient.client_auth == ClientAuth::Required {
        lenient.client_auth = ClientAuth::Optional;
    }
    Ok((files.load(now)?, lenient.load(now)?))
}

/// The files of a block.
#[must_use]
pub fn files(block: &given::Tls) -> Files {
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

/// What a start would say of the files of a block: why they cannot work, or what is strange, as
/// that one is valid for less than `soon`.
///
/// # Errors
/// The block, the file and what is wrong with it.
pub fn check(
    name: &str,
    block: &given::Tls,
    now: Millis,
    soon: Duration,
) -> Result<Vec<String>, String> {
    let material = files(block).load(now).map_err(|fault| format!("{name}: {fault}"))?;
    Ok(strange(name, &material, now, soon))
}

/// What is strange about certificates that work.
pub(crate) fn strange(name: &str, of: &Material, now: Millis, soon: Duration) -> Vec<String> {
    let readable = |key: &PathBuf| {
        format!("{name}: {}: everybody on this machine may read this key", key.display())
    };
    let mut strange: Vec<String> = of.readable_keys().iter().map(readable).collect();
    if of.left(now) < soon {
        let (file, at) = (of.expires_first().display(), of.expires());
        strange.push(format!("{name}: {file}: expires at {at}"));
    }
    strange
}
