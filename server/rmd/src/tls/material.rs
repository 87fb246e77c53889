//! The certificates in force, and how they are replaced: files that have changed are read again,
//! and what cannot work leaves the old ones in force (rm.md §13.2, ops.md §13).

use crate::error::StartError;
use crate::limits::{CERTIFICATE_SOON, CERTIFICATES_LOOK};
use config::certificates::{check, files};
use config::settings as given;
use model::time::{Millis, Now};
use net::tls::{Files, Material, Stamp};
use std::time::Duration;
use telemetry::Log;

/// Files and what was made of them.
#[derive(Debug)]
pub(crate) struct Certificates {
    files: Files,
    material: Material,
    /// Of the files when they were last read, well or not.
    stamp: Stamp,
    next_look: Duration,
}

impl Certificates {
    /// Reads the files of a block.
    pub(crate) fn open(block: &given::Tls, now: Now, log: &Log) -> Result<Self, StartError> {
        let files = files(block);
        let stamp = files.stamp();
        let material = files
            .load(now.wall)
            .map_err(|fault| StartError::Settings(format!("rm.sip.tls: {fault}")))?;
        warn(&material, log);
        Ok(Self { files, material, stamp, next_look: now.mono + CERTIFICATES_LOOK })
    }

    /// What handshakes that begin now are made of.
    pub(crate) fn material(&self) -> &Material {
        &self.material
    }

    /// When files are looked at again.
    pub(crate) fn next_look(&self) -> Duration {
        self.next_look
    }

    /// Looks whether files have changed, when that is due or `asked` for.
    pub(crate) fn look(&mut self, now: Now, asked: bool, log: &Log) {
        if !asked && now.mono < self.next_look {
            return;
        }
        self.next_look = now.mono + CERTIFICATES_LOOK;
        let stamp = self.files.stamp();
        if !asked && stamp == self.stamp {
            return;
        }
        self.stamp = stamp;
        match self.files.load(now.wall) {
            Ok(material) => {
                let expires = material.expires().to_string();
                log.emit(20123, None, &[("use", "sip"), ("expires", &expires)]);
                warn(&material, log);
                self.material = material;
            }
            Err(fault) => {
                let error = fault.to_string();
                log.emit(20122, None, &[("use", "sip"), ("error", &error)]);
            }
        }
    }
}

/// What a start would say of the files of `rm.sip.tls`: why they cannot work, or what is strange
/// about them.
///
/// # Errors
/// The setting, the file and what is wrong with it.
pub fn check_tls(block: &given::Tls, now: Millis) -> Result<Vec<String>, String> {
    check("rm.sip.tls", block, now, CERTIFICATE_SOON)
}

/// Keys that everybody on the machine may read.
fn warn(material: &Material, log: &Log) {
    for key in material.readable_keys() {
        log.emit(20124, None, &[("file", &key.display().to_string())]);
    }
}
