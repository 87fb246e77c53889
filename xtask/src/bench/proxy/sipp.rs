//! SIPp as callers and as media servers.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::call::{CALLER, Calls, MEDIA, Via};
use super::now;
use super::process::Process;
use super::site::{Folder, free};

/// How many media servers there are.
const COUNT: usize = 4;

/// Media servers, answering at once.
pub(in crate::bench) struct Media {
    pub(super) addresses: Vec<SocketAddr>,
    _servers: Vec<Process>,
    _folder: Folder,
}

impl Media {
    pub(in crate::bench) fn start(files: &Path, via: Via) -> Result<Self> {
        let folder = Folder::new()?;
        let (mut addresses, mut servers) = (Vec::new(), Vec::new());
        for _ in 0..COUNT {
            let address = free(MEDIA)?;
            let mut command = sipp(&folder, address, via);
            command.arg("-sf").arg(files.join("media.xml")).arg("-aa");
            servers.push(Process::start(command)?);
            addresses.push(address);
        }
        Ok(Self { addresses, _servers: servers, _folder: folder })
    }
}

/// Callers in the background.
pub(in crate::bench) struct Callers {
    process: Process,
    folder: Folder,
}

/// A line of SIPp's statistics, written each second.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::bench) struct Progress {
    /// Since the start.
    pub(in crate::bench) seconds: f64,
    pub(in crate::bench) placed: f64,
    pub(in crate::bench) succeeded: f64,
    pub(in crate::bench) failed: f64,
    pub(in crate::bench) retransmissions: f64,
}

impl Callers {
    pub(in crate::bench) fn start(files: &Path, to: SocketAddr, calls: Calls) -> Result<Self> {
        let folder = Folder::new()?;
        let mut command = sipp(&folder, free(CALLER)?, calls.via);
        command
            .arg(to.to_string())
            .arg("-sf")
            .arg(files.join("caller.xml"))
            // No limit of calls at once, no abort where two workers let a 180 pass a 200.
            .args(["-l", "1000000", "-default_behaviors", "all,-abortunexp", "-timer_resol", "1"])
            .args(["-r", &calls.per_second.to_string(), "-m", &calls.count.to_string()])
            .args(["-d", &calls.hold_ms.to_string()])
            .args(["-trace_stat", "-stf", "calls.csv", "-fd", "1"])
            .args(["-trace_rtt", "-rtt_freq", "100"]);
        Ok(Self { process: Process::start(command)?, folder })
    }

    /// What has happened so far.
    pub(in crate::bench) fn progress(&self) -> Progress {
        let text = fs::read_to_string(self.folder.path().join("calls.csv")).unwrap_or_default();
        // The last line may be half written.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let mut lines = whole.lines();
        let head = lines.next().unwrap_or_default();
        let Some(last) = lines.next_back() else { return Progress::default() };
        let fields: HashMap<&str, &str> = head.split(';').zip(last.split(';')).collect();
        let text = |name| fields.get(name).copied().unwrap_or_default();
        let stamp = |name| text(name).rsplit('\t').next().and_then(|at| at.parse::<f64>().ok());
        let number = |name| text(name).parse().unwrap_or(0.0);
        let begun = stamp("StartTime").unwrap_or(0.0);
        Progress {
            seconds: stamp("CurrentTime").unwrap_or(begun) - begun,
            placed: number("OutgoingCall(C)"),
            // A refused call ends as it should, but is none.
            succeeded: number("SuccessfulCall(C)") - number("GenericCounter1(C)"),
            failed: number("FailedCall(C)"),
            retransmissions: number("Retransmissions(C)"),
        }
    }

    /// Waits for the first line that is so many seconds old.
    pub(in crate::bench) fn wait_for(&mut self, seconds: f64) -> Result<Progress> {
        let limit = now() + Duration::from_secs_f64(seconds + 60.0);
        loop {
            let progress = self.progress();
            if progress.seconds >= seconds {
                return Ok(progress);
            }
            if now() > limit || self.process.ended()?.is_some() {
                bail!("SIPp has ended or stands still at {progress:?}");
            }
            // Rarely enough not to be seen in what is measured, often enough to be exact.
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    /// Waits until all calls have ended, or until they should have long ago.
    pub(in crate::bench) fn finish(&mut self, patience: Duration) -> Result<Progress> {
        let limit = now() + patience;
        while self.process.ended()?.is_none() && now() < limit {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(self.progress())
    }

    /// Answer times in milliseconds from a moment on: the median and the 99th in a hundred.
    pub(super) fn answers(&self, from_seconds: f64) -> Result<(f64, f64)> {
        let mut times = self.times()?;
        times.retain(|(at, _)| *at >= from_seconds);
        let mut times: Vec<f64> = times.into_iter().map(|(_, took)| took).collect();
        times.sort_by(f64::total_cmp);
        let at = |share: usize| times.get(times.len() * share / 100).copied();
        at(50).zip(at(99)).context("SIPp wrote no answer times")
    }

    /// Each answer: when it came, in seconds since the start, and the milliseconds that it took.
    pub(in crate::bench) fn times(&self) -> Result<Vec<(f64, f64)>> {
        let mut times = Vec::new();
        for entry in fs::read_dir(self.folder.path())? {
            let path = entry?.path();
            if path.to_string_lossy().ends_with("_rtt.csv") {
                let text = fs::read_to_string(path)?;
                times.extend(text.lines().skip(1).filter_map(|line| {
                    let mut fields = line.split(';');
                    let at: f64 = fields.next()?.parse().ok()?;
                    let took: f64 = fields.next()?.parse().ok()?;
                    Some((at / 1000.0, took))
                }));
            }
        }
        Ok(times)
    }
}

fn sipp(folder: &Folder, own: SocketAddr, via: Via) -> Command {
    let mut command = Command::new("sipp");
    command
        .current_dir(folder.path())
        // SIPp's own 64 KiB hold few packets: they would be lost on the way into SIPp.
        .args(["-nostdin", "-buff_size", "4000000", "-t", via.flag()])
        .args(["-i", &own.ip().to_string(), "-p", &own.port().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
