//! A whole Reporting Server in a directory of its own, a producer, and whoever asks over HTTP.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::Settings;
use config::settings::ServerUrl;
use model::id::Revision;
use model::snapshot::Snapshot;
use model::time::Millis;
use net::Clock;
use openwire::{ClientEvent, Outbound};
use rsd::{Rs, RsParts, StartError};
use serde_json::Value;
use telemetry::Log;
use telemetry::log::Captured;
use tempfile::TempDir;

use crate::ingest::house::Sender;

/// Longer than anything takes; a test that waits for it fails.
const PATIENCE: Duration = Duration::from_secs(60);

const GOLDEN: &str = include_str!("../../../../../core/model/tests/it/testdata/records.ndjson");

/// All lines of the golden file.
pub(crate) fn all_golden() -> Vec<&'static str> {
    GOLDEN.lines().collect()
}

/// Lines of the golden file.
pub(crate) fn golden(lines: &[usize]) -> Vec<String> {
    let all = all_golden();
    lines.iter().map(|line| all[*line].to_owned()).collect()
}

/// The two records of RM's first call, of the refused one, and of the one that changed hands.
pub(crate) const RM: [usize; 4] = [0, 1, 2, 5];
/// Start and end of the media server's session of RM's first call.
pub(crate) const MCP: [usize; 2] = [3, 4];

pub(crate) fn now() -> Millis {
    Clock::start().now().wall
}

pub(crate) fn after(time: Millis, ms: u64) -> Millis {
    Millis(time.0 + ms)
}

pub(crate) fn settings(dir: &Path) -> Settings {
    let mut settings = Settings { data_dir: dir.to_owned(), ..Settings::default() };
    settings.rs.http = SocketAddr::from(([127, 0, 0, 1], 0));
    settings.rs.broker = settings.rs.http;
    // the golden records are of a day that becomes older and older
    settings.rs.retention.cdr = 36_500;
    // no purge but those that a test asks for, at whichever time of the day it runs
    let minute = now().0 / 60_000 % 1440;
    settings.rs.retention.at = u32::try_from((minute + 720) % 1440).unwrap();
    settings
}

/// A start; the log's lines beside it.
pub(crate) fn start(settings: Settings) -> (Result<Rs, StartError>, Captured) {
    let (log, lines) = Log::capture(now);
    let (nothing, _) = Snapshot::build(&[], Revision(1)).unwrap();
    let fixed = settings.config_file.is_none().then(|| Arc::new(nothing));
    (Rs::start(RsParts { settings, fixed, log, clock: Clock::start() }), lines)
}

pub(crate) struct House {
    pub(crate) rs: Rs,
    pub(crate) dir: TempDir,
    pub(crate) lines: Captured,
    sequence: u64,
}

impl House {
    pub(crate) fn open() -> Self {
        Self::in_dir(tempfile::tempdir().unwrap(), |_| {})
    }

    pub(crate) fn in_dir(dir: TempDir, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings(dir.path());
        change(&mut settings);
        let (rs, lines) = start(settings);
        Self { rs: rs.unwrap(), dir, lines, sequence: 0 }
    }

    /// With a Config Server that does not answer, of which it knows nothing.
    pub(crate) fn without_configuration(dir: TempDir) -> Self {
        let mut settings = settings(dir.path());
        settings.config.servers = vec![ServerUrl::parse("http://127.0.0.1:9").unwrap()];
        let (log, lines) = Log::capture(now);
        let rs = Rs::start(RsParts { settings, fixed: None, log, clock: Clock::start() });
        Self { rs: rs.unwrap(), dir, lines, sequence: 0 }
    }

    /// With the golden records of RM and the media server stored.
    pub(crate) fn with_golden_records() -> Self {
        let mut house = Self::open();
        house.send(&golden(&RM));
        house.send(&golden(&MCP));
        house
    }

    /// Stops it and starts it again in the same directory.
    pub(crate) fn restarted(self) -> Self {
        let Self { rs, dir, .. } = self;
        rs.stop();
        assert!(!rs.wait().failed);
        Self::in_dir(dir, |_| {})
    }

    /// Sends records as one transaction, and waits until they are answered and in the database.
    pub(crate) fn send(&mut self, records: &[String]) {
        self.hand_over(records);
        self.until(|house| house.metric("rsQueueSize") == "0");
    }

    /// The main file, as another program has it, when the server has it open.
    pub(crate) fn main_file(&self) -> rusqlite::Connection {
        // a question waits for the first try to open it
        self.json("/api/v1/calls?from=2026-11-22");
        rusqlite::Connection::open(self.dir.path().join("rs/rs.db")).unwrap()
    }

    /// Sends records as one transaction, and waits until they are answered.
    pub(crate) fn hand_over(&mut self, records: &[String]) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let first = self.sequence + 1;
        self.sequence += u64::try_from(records.len()).unwrap();
        runtime.block_on(async {
            let mut sender = Sender::connect(self.rs.addresses().broker.unwrap(), first, 0).await;
            let ids: Vec<String> = records.iter().map(|record| id(record)).collect();
            let outbound: Vec<Outbound<'_>> = (first..)
                .zip(records.iter().zip(&ids))
                .map(|(sequence, (record, id))| Outbound {
                    record_id: id,
                    kind: "cdr",
                    schema: 1,
                    body: record.as_bytes(),
                    sequence,
                })
                .collect();
            sender.client.send_transaction("ringmaster.cdr", 1, &outbound).unwrap();
            assert_eq!(sender.next().await, ClientEvent::Acknowledged { tag: 1 });
        });
    }

    pub(crate) fn until(&self, condition: impl Fn(&Self) -> bool) {
        let clock = Clock::start();
        while !condition(self) {
            assert!(clock.mono() < PATIENCE, "waited too long");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        ask(self.rs.addresses().http, method, path, headers)
    }

    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        send(self.rs.addresses().http, ("POST", path), headers, body)
    }

    /// A JSON answer that is a success.
    pub(crate) fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Status and code of a refusal, in whichever format it is.
    pub(crate) fn refusal(&self, path: &str) -> (u16, String) {
        let answer = self.get(path);
        (answer.status, answer.code())
    }

    /// The sample of a metric, with its labels if it has some.
    pub(crate) fn metric(&self, name: &str) -> String {
        let text = self.get("/metrics").body;
        let sample = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        sample.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
    }

    /// The sum of a metric over its labels; of no series 0.
    pub(crate) fn sum(&self, name: &str) -> u64 {
        let text = self.get("/metrics").body;
        let own = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
        own.map(|sample| sample.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    /// A live stream, at its first message.
    pub(crate) fn stream(&self, headers: &[(&str, &str)]) -> Stream {
        let mut socket = TcpStream::connect(self.rs.addresses().http).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = request("GET", "/api/v1/live/stream?topics=calls", headers);
        socket.write_all(request.as_bytes()).unwrap();
        let mut stream = Stream { lines: BufReader::new(socket) };
        let head = stream.until_blank();
        assert!(head[0].starts_with("HTTP/1.1 200"), "{head:?}");
        assert!(head.iter().any(|line| line == "content-type: text/event-stream"), "{head:?}");
        stream
    }
}

fn id(record: &str) -> String {
    let record: Value = serde_json::from_str(record).unwrap();
    record["id"].as_str().unwrap().to_owned()
}

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: rs:8080\r\n");
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n").unwrap();
    }
    request + "\r\n"
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn code(&self) -> String {
        if let Ok(problem) = serde_json::from_str::<Value>(&self.body) {
            assert!(self.head.contains("content-type: application/problem+json"), "{}", self.head);
            assert_eq!(problem["status"], self.status);
            assert!(!problem["request_id"].as_str().unwrap().is_empty());
            return problem["code"].as_str().unwrap().to_owned();
        }
        assert!(self.head.contains("content-type: text/xml; charset=UTF-8"), "{}", self.head);
        assert!(self.body.contains(&format!("status=\"{}\"", self.status)), "{}", self.body);
        assert!(!self.body.contains("request-id=\"\""), "{}", self.body);
        let code = self.body.split(" code=\"").nth(1).unwrap();
        code.split('"').next().unwrap().to_owned()
    }
}

pub(crate) fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    send(address, (method, path), headers, b"")
}

pub(crate) fn send(
    address: SocketAddr,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len().to_string();
    let mut headers = headers.to_vec();
    headers.extend([("Connection", "close"), ("Content-Length", &length)]);
    socket.write_all(request(method, path, &headers).as_bytes()).unwrap();
    // one that is refused for its head may be closed before all of it was sent
    let _cut_off = socket.write_all(body);
    let mut bytes = Vec::new();
    let _reset = socket.read_to_end(&mut bytes);
    let answer = String::from_utf8(bytes).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// Server-sent events, message by message.
pub(crate) struct Stream {
    lines: BufReader<TcpStream>,
}

impl Stream {
    /// Name and data of the next message; comments and the framing of chunks are passed over.
    pub(crate) fn next(&mut self) -> (String, String) {
        loop {
            let lines = self.until_blank();
            let field = |name: &str| {
                lines.iter().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
            };
            if let Some(data) = field("data: ") {
                assert!(field("id: ").is_some(), "{lines:?}");
                return (field("event: ").unwrap_or_default(), data);
            }
        }
    }

    /// True when the other side closes, false when it sends a message.
    pub(crate) fn is_over(&mut self) -> bool {
        loop {
            let mut line = String::new();
            match self.lines.read_line(&mut line).unwrap() {
                0 => return true,
                _ if line.starts_with("data: ") => return false,
                _ => {}
            }
        }
    }

    /// True when the other side has closed.
    pub(crate) fn ends(&mut self) -> bool {
        let mut rest = Vec::new();
        self.lines.read_to_end(&mut rest).is_ok()
    }

    fn until_blank(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "closed after {lines:?}");
            let line = line.trim_end();
            if line.is_empty() && !lines.is_empty() {
                return lines;
            }
            if !line.is_empty() {
                lines.push(line.to_owned());
            }
        }
    }
}

/// A call of RM made for a test; number, times in ms since 1970.
pub(crate) struct Made<'a> {
    pub(crate) number: u32,
    pub(crate) started: Millis,
    pub(crate) ended: Option<Millis>,
    pub(crate) remote_uri: &'a str,
}

impl Made<'_> {
    pub(crate) fn guid(&self) -> String {
        format!("01A202B2-0000-7000-8000-{:012}", self.number)
    }

    /// Its start record, or its end record.
    pub(crate) fn record(&self) -> String {
        let (guid, phase) = (self.guid(), if self.ended.is_some() { "end" } else { "start" });
        let leg = format!("{:08X}", self.number);
        let mut record = serde_json::json!({
            "schema": 1, "kind": "cdr", "id": format!("{guid}/{leg}/cdr.{phase}/1.1"),
            "time": self.ended.unwrap_or(self.started), "phase": phase,
            "producer": {"name": "rm-1", "boot": 41, "stream": "cdr"},
            "component": {"name": "rm-1", "type": "RM", "dbid": 101},
            "guid": guid, "leg": leg, "session_id": format!("{guid}.{leg}"), "epoch": 1,
            "started_at": self.started, "answered_at": self.started, "call_type": "INBOUND",
            "tenant": {"name": "acme", "dbid": 102, "path": [{"name": "acme", "dbid": 102}]},
            "profile": {"name": "acme-main", "dbid": 189, "service": "voicexml"},
            "service": "voicexml", "dn": "18005550100", "sip_status": 200,
            "local_uri": "sip:18005550100@gvp.example", "remote_uri": self.remote_uri,
        });
        if let Some(ended) = self.ended {
            record["ended_at"] = serde_json::json!(ended);
            record["end_state"] = "USER_END".into();
        }
        record.to_string()
    }
}
