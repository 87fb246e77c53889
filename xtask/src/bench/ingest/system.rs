//! The systems that are compared: how each is started, killed, and found again.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Result, bail};

use super::Tools;
use crate::bench::proxy::now;
use crate::bench::proxy::process::Process;
use crate::bench::proxy::site::{Folder, free};

/// Java libraries of broker and producers.
const JARS: [&str; 12] = [
    "activemq-client",
    "activemq-broker",
    "activemq-kahadb-store",
    "activemq-openwire-legacy",
    "activemq-protobuf",
    "activemq-jaas",
    "geronimo-jms_1.1_spec",
    "geronimo-j2ee-management-1.1-spec",
    "geronimo-jta-1.2-spec",
    "hawtbuf",
    "slf4j-api",
    "slf4j-nop",
];

/// A system that is killed may take so long to listen again.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    /// Debian's, KahaDB as it comes.
    Activemq,
    /// `ringmaster rs` with SQLite.
    Ringmaster,
    /// Its endpoint and spool, without an applier.
    Spool,
    /// The same on a disk that forgets.
    Null,
}

impl System {
    pub(super) const ALL: [Self; 4] = [Self::Activemq, Self::Ringmaster, Self::Spool, Self::Null];

    /// As on the command line.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "activemq" => Some(Self::Activemq),
            "ringmaster" => Some(Self::Ringmaster),
            "spool" => Some(Self::Spool),
            "null" => Some(Self::Null),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Activemq => "ActiveMQ 5.17, KahaDB",
            Self::Ringmaster => "Ringmaster RS, SQLite",
            Self::Spool => "– without the applier",
            Self::Null => "– answering without storing",
        }
    }

    fn command(self, tools: &Tools, folder: &Folder, address: SocketAddr) -> Result<Command> {
        let mut command = match self {
            Self::Activemq => Command::new("java"),
            Self::Ringmaster => Command::new(&tools.program),
            Self::Spool | Self::Null => Command::new(&tools.endpoint),
        };
        match self {
            Self::Activemq => {
                command.args(["-Xmx1g", "-cp", &class_path()]).arg(&tools.broker);
                command.arg(folder.path().join("store")).arg(format!("tcp://{address}"));
            }
            Self::Ringmaster => {
                let http = free(address.ip())?;
                let text = format!(
                    "data_dir: data\nrs: {{ broker: \"{address}\", http: \"{http}\", \
                     spool: {{ limit: 16GiB }} }}\n"
                );
                folder.write("objects.yaml", "kind: Tenant\nname: acme\nspec: {}\n")?;
                let text = format!("config: {{ file: objects.yaml }}\n{text}");
                command.args(["rs", "-c"]).arg(folder.write("settings.yaml", &text)?);
            }
            Self::Spool => {
                command.arg("spool").arg(folder.path().join("spool")).arg(address.to_string());
            }
            Self::Null => {
                command.arg("null").arg(folder.path().join("spool")).arg(address.to_string());
            }
        }
        command.current_dir(folder.path()).stdin(Stdio::piped()).stdout(Stdio::null());
        Ok(command)
    }
}

/// A system that runs, and its folder.
pub(super) struct Running {
    system: System,
    pub(super) process: Process,
    pub(super) address: SocketAddr,
    folder: Folder,
}

impl Running {
    /// Starts it on an empty folder, and waits until it listens.
    pub(super) fn start(tools: &Tools, system: System) -> Result<Self> {
        let (folder, address) = (Folder::new()?, free(IpAddr::V4(Ipv4Addr::LOCALHOST))?);
        let process = begun(system.command(tools, &folder, address)?, address)?;
        Ok(Self { system, process, address, folder })
    }

    /// Kills it and starts it again on what it had; how long it did not listen.
    pub(super) fn killed_and_back(self, tools: &Tools) -> Result<f64> {
        let Self { system, process, address, folder } = self;
        let command = system.command(tools, &folder, address)?;
        process.kill()?;
        let start = now();
        let _again = begun(command, address)?;
        Ok(start.elapsed().as_secs_f64())
    }
}

/// Starts it and waits until a connection is accepted.
pub(super) fn begun(command: Command, address: SocketAddr) -> Result<Process> {
    let mut process = Process::start(command)?;
    let limit = now() + PATIENCE;
    while now() < limit {
        if TcpStream::connect(address).is_ok() {
            return Ok(process);
        }
        if process.ended()?.is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    bail!("it does not listen on {address}")
}

/// A child that is killed with the value.
pub(super) struct Killed(pub(super) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) fn class_path() -> String {
    JARS.map(|jar| format!("/usr/share/java/{jar}.jar")).join(":")
}
