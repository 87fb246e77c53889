//! The systems that are compared, and what they have in common.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use super::call::{Calls, Via};
use super::process::Process;
use super::sipp::{Callers, Media};
use super::site::Folder;
use super::{kamailio, now, ringmaster};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    Ringmaster,
    /// Kamailio with the allocator `tlsf`.
    Tlsf,
    /// Kamailio with the allocator `fm`.
    Fm,
}

/// What systems and load are made from.
pub(in crate::bench) struct Tools {
    /// The executable `ringmaster`.
    pub(in crate::bench) program: PathBuf,
    /// `deploy/bench`.
    pub(in crate::bench) files: PathBuf,
}

/// A system with its media servers.
pub(in crate::bench) struct Running {
    pub(super) server: Process,
    pub(in crate::bench) sip: SocketAddr,
    /// Where Kamailio is asked for its shared memory.
    pub(super) control: Option<PathBuf>,
    pub(super) _others: Vec<Process>,
    pub(super) _media: Media,
    pub(super) _folder: Folder,
}

impl System {
    pub(super) const ALL: [Self; 3] = [Self::Ringmaster, Self::Tlsf, Self::Fm];

    /// As on the command line.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "ringmaster" => Some(Self::Ringmaster),
            "tlsf" => Some(Self::Tlsf),
            "fm" => Some(Self::Fm),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ringmaster => "Ringmaster",
            Self::Tlsf => "Kamailio tlsf",
            Self::Fm => "Kamailio fm",
        }
    }

    /// Starts it and waits until all media servers take calls.
    pub(super) fn start(self, tools: &Tools, via: Via) -> Result<Running> {
        let (folder, media) = (Folder::new()?, Media::start(&tools.files, via)?);
        let running = match self {
            Self::Ringmaster => ringmaster::start(tools, folder, media, via)?.0,
            Self::Tlsf => kamailio::start(tools, folder, media, via, "tlsf")?,
            Self::Fm => kamailio::start(tools, folder, media, via, "fm")?,
        };
        let limit = now() + Duration::from_secs(20);
        while now() < limit {
            let calls = Calls { via, per_second: 20, count: 20, hold_ms: 10 };
            let mut callers = Callers::start(&tools.files, running.sip, calls)?;
            if callers.finish(Duration::from_secs(5))?.succeeded >= f64::from(calls.count) {
                return Ok(running);
            }
        }
        bail!("{} takes no calls", self.name())
    }
}

/// SIPp and Kamailio, installed by the helpers of `deploy/tools.sh` where they are missing.
pub(in crate::bench) fn need_packages(root: &Path) -> Result<()> {
    let wanted = "sipp:sip-tester kamailio:kamailio kamcmd:kamailio";
    let mut command = Command::new("bash");
    command.current_dir(root).arg("-c").arg(format!(". deploy/tools.sh; need_packages {wanted}"));
    crate::run(command)
}
