//! Debian's ActiveMQ as a broker of records: started, killed, started again on the same store and
//! port; what it holds is taken out by the stock Java client.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::platform::{Process, free_port};

const JARS: &[&str] = &[
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

/// A record as it lay on a queue.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) queue: String,
    /// Property `recordId`.
    pub(crate) id: String,
    /// The record itself.
    pub(crate) json: serde_json::Value,
}

/// One broker and its store.
pub(crate) struct Activemq {
    store: TempDir,
    port: u16,
    /// `tcp` or `ssl`.
    scheme: &'static str,
    /// Names and values as `Broker.java` takes them.
    more: Vec<String>,
    process: Option<Process>,
}

impl Activemq {
    /// Not yet started.
    pub(crate) fn new() -> Self {
        let port = free_port(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let (store, more) = (tempfile::tempdir().unwrap(), Vec::new());
        Self { store, port, scheme: "tcp", more, process: None }
    }

    /// One that lets nobody in but this user.
    pub(crate) fn guarded(user: &str, password: &str) -> Self {
        let more = ["user", user, "password", password].map(str::to_owned).to_vec();
        Self { more, ..Self::new() }
    }

    /// One that speaks TLS, with this PKCS #12 file.
    pub(crate) fn secure(keystore: &std::path::Path) -> Self {
        let more = vec!["keystore".to_owned(), keystore.display().to_string()];
        Self { scheme: "ssl", more, ..Self::new() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Starts it, and waits until it listens.
    pub(crate) fn start(&mut self) {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/java/Broker.java");
        let mut command = Command::new("java");
        command
            .args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", &jars(), source])
            .arg(self.store.path())
            .arg(format!("{}://{}", self.scheme, self.address()))
            .args(&self.more)
            .current_dir(self.store.path())
            .stdin(Stdio::piped());
        let process = Process::of(command);
        process.wait_for("listening");
        self.process = Some(process);
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.take().unwrap().kill();
    }

    /// Everything that lies on its queues.
    pub(crate) fn take(&mut self) -> Vec<Taken> {
        let process = self.process.as_mut().unwrap();
        process.say("take");
        let count = process.line_with("taken ");
        let taken: Vec<_> = process.output().lines().filter_map(record).collect();
        assert_eq!(count, format!("taken {}", taken.len()));
        taken
    }
}

/// The class path of the broker and its client.
pub(crate) fn jars() -> String {
    let path = |jar: &&str| format!("/usr/share/java/{jar}.jar");
    JARS.iter().map(path).collect::<Vec<_>>().join(":")
}

fn record(line: &str) -> Option<Taken> {
    let (queue, rest) = line.strip_prefix("record ")?.split_once(' ')?;
    let (id, json) = rest.split_once(' ')?;
    let json = serde_json::from_str(json).unwrap();
    Some(Taken { queue: queue.to_owned(), id: id.to_owned(), json })
}
