//! A Config Server in a directory of its own, and a client that shows every byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use config::Settings;
use configd::{ConfigServer, Parts, StartError};
use net::Clock;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use telemetry::Log;
use telemetry::log::Captured;
use tempfile::TempDir;

/// Longest wait for anything that has to come.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// One server.
pub(super) struct House {
    pub(super) dir: TempDir,
    pub(super) log: Log,
    pub(super) lines: Captured,
    server: Option<ConfigServer>,
    settings: String,
    token: Option<String>,
}

fn wall() -> model::time::Millis {
    Clock::start().now().wall
}

impl House {
    /// Everything as it is on loopback: whoever comes is an admin.
    pub(super) fn open() -> Self {
        Self::with("")
    }

    /// With more of `config_server`, as lines of a flow mapping: `auth: { anonymous: none }`.
    pub(super) fn with(more: &str) -> Self {
        let (log, lines) = Log::capture(wall);
        let (dir, settings) = (tempfile::tempdir().unwrap(), more.to_owned());
        let mut house = Self { dir, log, lines, server: None, settings, token: None };
        house.start();
        house
    }

    /// Starts it in its directory, on another port. The lock of one that has stopped is let go
    /// with its last descriptor, which a child that is being started has until its `exec`.
    pub(super) fn start(&mut self) {
        eventually("the directory is let go", || self.starts());
    }

    /// Whether it starts; false where the directory is locked.
    fn starts(&mut self) -> bool {
        let path = self.dir.path().display();
        let more = &self.settings;
        let text = format!("data_dir: {path}\nconfig_server: {{ listen: 127.0.0.1:0, {more} }}\n");
        let settings = Settings::from_text(&text, None, []).unwrap();
        let (log, clock) = (self.log.clone(), Clock::start());
        let parts = Parts { settings, seed: None, log, clock };
        match ConfigServer::start(parts) {
            Err(StartError::Locked(_)) => return false,
            started => self.server = Some(started.unwrap()),
        }
        true
    }

    /// Stops it, and starts it again with other settings.
    pub(super) fn restart(&mut self, more: &str) {
        more.clone_into(&mut self.settings);
        self.stop();
        self.start();
    }

    pub(super) fn stop(&mut self) {
        let server = self.server.take().unwrap();
        server.stop();
        assert!(!server.wait().failed);
    }

    pub(super) fn server(&self) -> &ConfigServer {
        self.server.as_ref().unwrap()
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.server().address()
    }

    /// The first admin's token.
    pub(super) fn admin(&self) -> String {
        let text = std::fs::read_to_string(self.token_file()).unwrap();
        text.trim().to_owned()
    }

    pub(super) fn token_file(&self) -> PathBuf {
        self.dir.path().join("config").join("admin.token")
    }

    /// From now on every request has this token.
    pub(super) fn use_token(&mut self, token: &str) {
        self.token = Some(token.to_owned());
    }

    /// A request, ready to be sent.
    pub(super) fn ask(&self, method: &str, path: &str) -> Request {
        let token = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut request = Request {
            address: self.address(),
            line: format!("{method} {path} HTTP/1.1"),
            headers: vec![("Host".to_owned(), "config".to_owned())],
            body: Vec::new(),
        };
        if let Some(token) = token {
            request = request.header("Authorization", &token);
        }
        request
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path).send()
    }

    /// `POST /v1/transactions` with YAML.
    pub(super) fn apply(&self, yaml: &str) -> Answer {
        self.ask("POST", "/v1/transactions").yaml(yaml).send()
    }

    /// The same, which has to be accepted.
    pub(super) fn applied(&self, yaml: &str) -> Value {
        let answer = self.apply(yaml);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// A backup in which each row of a table is changed, and its end with it.
    pub(super) fn backup_with(&self, table: &str, mut change: impl FnMut(&mut Value)) -> String {
        let answer = self.get("/v1/backup");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let mut backup = String::new();
        for line in answer.text().lines() {
            let mut row: Value = serde_json::from_str(line).unwrap();
            if row["table"] == table {
                change(&mut row);
            }
            if row["end"] != true {
                backup.push_str(&format!("{row}\n"));
            }
        }
        whole(&backup)
    }

    /// `POST /v1/restore?replace=true`.
    pub(super) fn restore(&self, backup: &str) -> Answer {
        let asked = self.ask("POST", "/v1/restore?replace=true");
        asked.body("application/x-ndjson", backup.as_bytes()).send()
    }

    /// Which books these are, as the snapshot says.
    pub(super) fn books(&self) -> String {
        let snapshot = self.get("/v1/snapshot").text();
        let head: Value = serde_json::from_str(snapshot.lines().next().unwrap()).unwrap();
        head["books"].as_str().unwrap().to_owned()
    }

    /// The digest of the snapshot.
    pub(super) fn digest(&self) -> String {
        let answer = self.get("/v1/snapshot");
        let text = answer.text();
        let end: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(end["end"], true);
        end["digest"].as_str().unwrap().to_owned()
    }

    /// Makes a token.
    pub(super) fn token(&self, name: &str, role: &str, tenants: &[&str]) -> String {
        let body = json!({ "name": name, "role": role, "tenants": tenants });
        let answer = self.ask("POST", "/v1/tokens").json(&body).send();
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["token"].as_str().unwrap().to_owned()
    }
}

/// Lines of a backup with their end.
pub(super) fn whole(lines: &str) -> String {
    let digest = model::config::Digest(Sha256::digest(lines).into());
    format!("{lines}{{\"end\":true,\"digest\":\"{digest}\"}}\n")
}

/// One request.
pub(super) struct Request {
    address: SocketAddr,
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// Sets a header, in the place of one of this name.
    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn body(mut self, kind: &str, body: &[u8]) -> Self {
        self.body = body.to_vec();
        let length = body.len().to_string();
        self.header("Content-Type", kind).header("Content-Length", &length)
    }

    pub(super) fn yaml(self, text: &str) -> Self {
        self.body("application/yaml", text.as_bytes())
    }

    pub(super) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string().as_bytes())
    }

    /// The head as it is sent.
    pub(super) fn head(&self) -> String {
        let headers: String =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{}\r\n{headers}\r\n", self.line)
    }

    /// Sends it and reads the answer to its end.
    pub(super) fn send(self) -> Answer {
        let request = self.header("Connection", "close");
        let mut stream = connect(request.address);
        stream.write_all(request.head().as_bytes()).unwrap();
        // whoever refuses early does not read the rest
        let _sent = stream.write_all(&request.body);
        Answer::read(stream)
    }

    /// Sends it and keeps reading what comes.
    pub(super) fn open(self) -> Events {
        let mut stream = connect(self.address);
        stream.write_all(self.head().as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "closed behind {head:?}");
        }
        Events { reader, head, rest: String::new() }
    }
}

pub(super) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// One answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Reads it to the end of the connection.
    pub(super) fn read(mut stream: impl Read) -> Self {
        let mut bytes = Vec::new();
        // a connection that is reset behind an early answer has still brought it
        let _end = stream.read_to_end(&mut bytes);
        Self::parse(&bytes)
    }

    pub(super) fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head: {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let body = &bytes[end + 4..];
        let chunked =
            headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        let body = if chunked { dechunk(body) } else { body.to_vec() };
        Self { status, headers, body }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(super) fn json(&self) -> Value {
        assert!(self.body.ends_with(b"\n"), "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The name of the problem.
    pub(super) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let kind = self.json()["type"].as_str().unwrap().to_owned();
        kind.strip_prefix("urn:ringmaster:problem:").unwrap().to_owned()
    }
}

fn dechunk(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n").expect("a chunk has a size");
        let size = std::str::from_utf8(&body[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return whole;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = &body[end + 4 + size..];
    }
}

/// An open stream of events.
pub(super) struct Events {
    reader: BufReader<TcpStream>,
    pub(super) head: String,
    rest: String,
}

/// One event.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) id: Option<u64>,
    pub(super) name: String,
    pub(super) data: Value,
}

impl Event {
    /// What is no event, such as `retry`, is `None`.
    fn read(text: &str) -> Option<Self> {
        let field =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let name = field("event: ")?;
        let data = field("data: ").and_then(|data| serde_json::from_str(&data).ok())?;
        let id = field("id: ").and_then(|id| id.parse().ok());
        Some(Self { id, name, data })
    }
}

impl Events {
    /// The next event that is told; `None` at the end of the stream.
    pub(super) fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.rest.find("\n\n") {
                let text: String = self.rest.drain(..end + 2).collect();
                if let Some(event) = Event::read(&text) {
                    return Some(event);
                }
                continue;
            }
            let piece = self.piece();
            if piece.is_empty() {
                return None;
            }
            self.rest.push_str(&piece);
        }
    }

    /// The next chunk; empty at the end of the stream.
    fn piece(&mut self) -> String {
        let mut size = String::new();
        self.reader.read_line(&mut size).unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let mut chunk = vec![0; if size == 0 { 0 } else { size + 2 }];
        self.reader.read_exact(&mut chunk).unwrap();
        chunk.truncate(size);
        String::from_utf8(chunk).unwrap()
    }

    /// The next event that is no heartbeat without an id.
    pub(super) fn told(&mut self) -> Event {
        loop {
            let event = self.next().expect("the stream goes on");
            if event.name != "heartbeat" || event.id.is_some() {
                return event;
            }
        }
    }

    /// Ends it as a process does that is killed.
    pub(super) fn kill(self) {
        self.reader.get_ref().shutdown(Shutdown::Both).unwrap();
    }
}

/// Waits until something holds.
pub(super) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Clock::start();
    while !holds() {
        assert!(begun.mono() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
