//! One Resource Manager in a directory of its own, with ports from the operating system.

use config::Settings;
use config::objects::from_text;
use model::id::Revision;
use model::snapshot::Snapshot;
use model::time::Millis;
use net::Clock;
use rmd::{Rm, RmParts, StartError, Stop};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use telemetry::Log;
use tempfile::TempDir;

/// A running node and its directory.
pub(crate) struct Node {
    pub(crate) rm: Rm,
    pub(crate) dir: TempDir,
}

/// Objects with one tenant, one number and these media servers (`transport` of their addresses).
pub(crate) fn objects(media: &[(SocketAddr, &str)], limit: u32) -> String {
    let mut text = format!(
        "kind: Tenant\nname: acme\nspec: {{ parent: Environment, default_profile: main, \
         policy: {{ usage_limit: {limit} }} }}\n---\n\
         kind: IvrProfile\nname: main\ntenant: acme\nspec: {{ service: voicexml, \
         initial_page_url: \"http://127.0.0.1/start.vxml\" }}\n---\n\
         kind: DidGroup\nname: numbers\ntenant: acme\nspec: {{ profile: main, \
         dids: [\"18005550100\"] }}\n---\n\
         kind: ResourceGroup\nname: mcp\ntenant: Environment\nspec:\n  services: [voicexml]\n  \
         scheme: round-robin\n  \
         monitor: {{ method: options, interval: 1s, timeout: 500ms, down_after: 5 }}\n  \
         try_timeout: 10s\n  resources:\n"
    );
    for (number, (address, transport)) in media.iter().enumerate() {
        let address = format!("sip:{address};transport={transport}");
        writeln!(text, "    - {{ name: mcp-{number}, address: \"{address}\", capacity: 100 }}")
            .unwrap();
    }
    text
}

/// What the settings say besides ports and directory. Without a broker of its own (a line
/// `reporting:` in `more`) a node has one that is away: the default is somebody's real one.
pub(crate) fn settings(dir: &Path, more: &str) -> Settings {
    Settings::from_text(&text(dir, more), None, []).unwrap()
}

fn text(dir: &Path, more: &str) -> String {
    let away = "  reporting: { broker: tcp://127.0.0.1:9 }\n";
    let away = if more.contains("reporting:") { "" } else { away };
    format!(
        "data_dir: {}\nrm:\n  sip: {{ listen: [\"udp:127.0.0.1:0\", \"tcp:127.0.0.1:0\"] }}\n  \
         monitor: {{ listen: \"udp:127.0.0.1:0\" }}\n  http: 127.0.0.1:0\n{away}{more}",
        dir.display()
    )
}

pub(crate) fn snapshot(objects: &str) -> Arc<Snapshot> {
    let documents = from_text(objects, None).unwrap();
    Arc::new(Snapshot::build(&documents, Revision(7)).unwrap().0)
}

/// Starts a node, or tells why it does not. With `config.file` its objects are those of the file.
pub(crate) fn start(settings: Settings, objects: &str) -> Result<Rm, StartError> {
    let log = Log::silent(|| Millis(0));
    let fixed = settings.config_file.is_none().then(|| snapshot(objects));
    Rm::start(RmParts { settings, fixed, log, clock: Clock::start() })
}

impl Node {
    /// A node whose broker is away.
    pub(crate) fn with(objects: &str) -> Self {
        Self::in_dir(tempfile::tempdir().unwrap(), objects, "")
    }

    /// A node in a directory that may have been used before.
    pub(crate) fn in_dir(dir: TempDir, objects: &str, more: &str) -> Self {
        let rm = start(settings(dir.path(), more), objects).unwrap();
        let node = Self { rm, dir };
        node.until("it is ready", || node.get("/ready").0 == 200);
        node
    }

    /// A node whose settings are those of the others, changed.
    pub(crate) fn with_settings(objects: &str, change: impl FnOnce(String) -> String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = change(text(dir.path(), ""));
        let rm = start(Settings::from_text(&text, None, []).unwrap(), objects).unwrap();
        let node = Self { rm, dir };
        node.until("it is ready", || node.get("/ready").0 == 200);
        node
    }

    pub(crate) fn udp(&self) -> SocketAddr {
        self.rm.addresses().sip[0].1
    }

    pub(crate) fn tcp(&self) -> SocketAddr {
        self.rm.addresses().sip[1].1
    }

    /// Waits, at most a minute: the cores may be taken.
    pub(crate) fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        for _ in 0..6000 {
            if is_so() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("not within a minute: {what}; {}", self.get("/v1/resources").1);
    }

    /// All media servers have answered their OPTIONS.
    pub(crate) fn until_media(&self, count: usize) {
        self.until("media servers are healthy", || {
            self.get("/v1/resources").1.matches("\"healthy\"").count() == count
        });
    }

    /// Status and body of a GET.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.request(path, "")
    }

    /// The same with header lines.
    pub(crate) fn request(&self, path: &str, headers: &str) -> (u16, String) {
        self.ask(&format!("GET {path}"), headers, "")
    }

    /// Status and body of any request, which is named by method and path.
    pub(crate) fn ask(&self, what: &str, headers: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.rm.addresses().http).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let length = body.len();
        let request = format!(
            "{what} HTTP/1.1\r\nHost: rm\r\n{headers}Content-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    /// Asks and goes away without waiting for an answer.
    pub(crate) fn ask_and_go(&self, what: &str) {
        let mut stream = TcpStream::connect(self.rm.addresses().http).unwrap();
        let request = format!("{what} HTTP/1.1\r\nHost: rm\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
    }

    /// The value of a metric without labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let (status, text) = self.get("/metrics");
        assert_eq!(status, 200, "{text}");
        let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("{name} is missing in {text}"))
            .rsplit(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap()
    }

    /// The value of a metric with these labels; 0 while it has no such series.
    pub(crate) fn labelled(&self, name: &str, labels: &str) -> f64 {
        let text = self.get("/metrics").1;
        let series = format!("{name}{{{labels}}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&series));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Stops at once and gives the directory back.
    pub(crate) fn stop(self) -> TempDir {
        self.rm.stop(Stop::Now);
        let ended = self.rm.wait();
        assert!(!ended.failed);
        self.dir
    }
}

#[test]
fn no_node_of_the_tests_knows_the_broker_of_the_machine() {
    let dir = tempfile::tempdir().unwrap();
    let port = |more: &str| settings(dir.path(), more).rm.brokers.list[0].port;
    assert_eq!(port(""), 9);
    assert_eq!(port("  reporting: { broker: tcp://127.0.0.1:7777 }"), 7777);
}
