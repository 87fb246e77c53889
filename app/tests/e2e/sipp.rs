//! Debian's SIPp as caller and as media server, with scenarios that keep routes.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::platform::{CALLER, MEDIA, eventually, free_port, loopback};
use crate::wire::{self, Message};

/// How a caller speaks to RM.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    Udp,
    Tcp,
    /// SIPp itself speaks TCP; a socat or a proxy stands between it and RM.
    Tls,
}

impl Via {
    pub(crate) fn flag(self) -> &'static str {
        match self {
            Self::Udp => "u1",
            Self::Tcp | Self::Tls => "t1",
        }
    }

    /// The same as a URI says it.
    pub(crate) fn param(self) -> &'static str {
        match self {
            Self::Udp => ";transport=udp",
            Self::Tcp => ";transport=tcp",
            Self::Tls => ";transport=tls",
        }
    }

    /// The transport that SIPp itself speaks.
    pub(crate) fn below_tls(self) -> Self {
        if self == Self::Tls { Self::Tcp } else { self }
    }

    /// The same address with the usual port of this transport.
    pub(crate) fn at(self, address: SocketAddr) -> SocketAddr {
        SocketAddr::new(address.ip(), if self == Self::Tls { 5061 } else { 5060 })
    }

    /// The same as a Via says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }
}

/// A media server: answers calls, and OPTIONS (`-aa`).
pub(crate) struct Media {
    child: Child,
    dir: TempDir,
    pub(crate) address: SocketAddr,
}

impl Media {
    pub(crate) fn start() -> Self {
        Self::start_at(SocketAddr::new(MEDIA, free_port(MEDIA)))
    }

    pub(crate) fn start_at(address: SocketAddr) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let child = command(dir.path())
            .args([
                "-sf",
                &scenario("media.xml"),
                "-aa",
                "-trace_logs",
                "-log_file",
                "answered.log",
            ])
            .args(["-trace_msg", "-message_file", "messages.log"])
            .args(["-i", &address.ip().to_string(), "-p", &address.port().to_string()])
            .spawn()
            .expect("sipp is installed (test.sh does it)");
        Self { child, dir, address }
    }

    /// Call-IDs of the calls that it answered and whose ACK it saw, in order.
    pub(crate) fn answered(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.dir.path().join("answered.log")).unwrap_or_default();
        log.lines().filter_map(|line| line.strip_prefix("answered ")).map(str::to_owned).collect()
    }

    /// All that it has sent and got so far in the call of this Call-ID.
    pub(crate) fn messages(&self, call_id: &str) -> Vec<Message> {
        let log = std::fs::read(self.dir.path().join("messages.log")).unwrap_or_default();
        let all = wire::messages(&String::from_utf8_lossy(&log)).into_iter();
        all.filter(|one| one.header("Call-ID") == Some(call_id)).collect()
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Callers in the background.
pub(crate) struct Callers {
    child: Child,
    dir: TempDir,
}

/// What callers shall do.
pub(crate) struct Plan<'a> {
    pub(crate) to: SocketAddr,
    pub(crate) via: Via,
    pub(crate) scenario: PathBuf,
    pub(crate) numbers: &'a [&'a str],
    pub(crate) calls: u32,
    pub(crate) rate: u32,
    pub(crate) hold: Duration,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(to: SocketAddr, numbers: &'a [&'a str], calls: u32) -> Self {
        let scenario = PathBuf::from(scenario("caller.xml"));
        let hold = Duration::from_millis(100);
        Self { to, via: Via::Udp, scenario, numbers, calls, rate: 100, hold }
    }

    /// Calls that expect a final answer other than 2xx.
    pub(crate) fn refused(self, dir: &Path, code: u16) -> Self {
        let text = std::fs::read_to_string(scenario("refused.xml")).unwrap();
        let path = dir.join(format!("refused-{code}.xml"));
        std::fs::write(&path, text.replace("EXPECTED", &code.to_string())).unwrap();
        Self { scenario: path, ..self }
    }

    /// The same to `urn:service:sos` (RFC 5031).
    pub(crate) fn dialling_sos(self, dir: &Path) -> Self {
        let text = std::fs::read_to_string(&self.scenario).unwrap();
        let path = dir.join("emergency.xml");
        let number = "INVITE sip:[field0]@[remote_ip]:[remote_port] SIP/2.0";
        std::fs::write(&path, text.replace(number, "INVITE urn:service:sos SIP/2.0")).unwrap();
        Self { scenario: path, ..self }
    }

    /// Calls that are served, or shed with this code.
    pub(crate) fn shed(self, dir: &Path, code: u16) -> Self {
        let text = std::fs::read_to_string(scenario("either.xml")).unwrap();
        let path = dir.join(format!("either-{code}.xml"));
        std::fs::write(&path, text.replace("CODE", &code.to_string())).unwrap();
        Self { scenario: path, ..self }
    }

    pub(crate) fn start(&self) -> Callers {
        let dir = tempfile::tempdir().unwrap();
        let mut numbers = String::from("SEQUENTIAL\n");
        for number in self.numbers {
            writeln!(numbers, "{number};").unwrap();
        }
        std::fs::write(dir.path().join("numbers.csv"), numbers).unwrap();
        let child = command(dir.path())
            .arg(self.to.to_string())
            .arg("-sf")
            .arg(&self.scenario)
            .args(["-inf", "numbers.csv", "-t", self.via.flag(), "-timeout", "170s"])
            .args(["-m", &self.calls.to_string(), "-r", &self.rate.to_string()])
            .args(["-d", &self.hold.as_millis().to_string()])
            .args(["-i", &CALLER.to_string(), "-p", &free_port(CALLER).to_string()])
            .args(["-trace_err", "-error_file", "errors.log"])
            .spawn()
            .expect("sipp is installed (test.sh does it)");
        Callers { child, dir }
    }

    /// All calls, to their end; panics unless every one went as the scenario says.
    pub(crate) fn run(&self) {
        self.start().finish();
    }
}

impl Callers {
    /// Waits for the end; panics unless every call went as the scenario says.
    pub(crate) fn finish(mut self) {
        let status = eventually("callers end", || self.child.try_wait().unwrap(), Option::is_some);
        let errors = std::fs::read_to_string(self.dir.path().join("errors.log"));
        let errors = errors.unwrap_or_default();
        // What ended a call stands between much that did not.
        let (ends, rest): (Vec<_>, Vec<_>) =
            errors.lines().partition(|line| line.contains("Aborting call"));
        let shown: String = [ends, rest].concat().join("\n").chars().take(4000).collect();
        assert!(status.is_some_and(|status| status.success()), "{status:?}\n{shown}");
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn command(dir: &Path) -> Command {
    let mut command = Command::new("sipp");
    // SIPp's own 64 KiB hold few packets: a busy machine would lose some, and a scenario does not
    // recover from that. It binds ports for audio and video, used or not, and gives up when one is
    // taken: each instance has an address for them.
    command
        .current_dir(dir)
        .args(["-nostdin", "-buff_size", "8000000"])
        .args(["-mi", &loopback().ip().to_string()])
        // its logs tell the time as RM does
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn scenario(name: &str) -> String {
    format!("{}/tests/e2e/scenarios/{name}", env!("CARGO_MANIFEST_DIR"))
}
