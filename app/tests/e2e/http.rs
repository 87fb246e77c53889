//! HTTP as a test needs it: one connection, one answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The type of what is sent, as a line of the head.
pub(crate) const JSON: &str = "Content-Type: application/json\r\n";

/// Status and body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

pub(crate) fn get(address: SocketAddr, path: &str) -> std::io::Result<Answer> {
    ask(address, "GET", path, JSON, "")
}

/// HTTP/1.0, so that the body ends with the connection; `headers` are whole lines.
pub(crate) fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    )?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Ok(Answer { status, body: body.to_owned() })
}

/// The JSON body of a 200.
pub(crate) fn json(address: SocketAddr, path: &str) -> serde_json::Value {
    let answer = get(address, path).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap_or_else(|e| panic!("{path}: {e}: {}", answer.body))
}

/// The JSON body of a 200 to what was asked in JSON.
pub(crate) fn post(
    address: SocketAddr,
    path: &str,
    question: &serde_json::Value,
) -> serde_json::Value {
    let answer = ask(address, "POST", path, JSON, &question.to_string()).unwrap();
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap_or_else(|e| panic!("{path}: {e}: {}", answer.body))
}

/// One metric, with its labels as they are printed, from `/metrics`.
pub(crate) fn metric(address: SocketAddr, name: &str) -> f64 {
    counted(address, name).unwrap_or_else(|| panic!("{name} is not in /metrics of {address}"))
}

/// The sum of a metric over its labels; of no series 0.
pub(crate) fn summed(address: SocketAddr, name: &str) -> f64 {
    let body = get(address, "/metrics").unwrap().body;
    let own = body.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
    own.map(|sample| sample.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

/// The same of a series that appears with the first thing that it counts.
pub(crate) fn counted(address: SocketAddr, name: &str) -> Option<f64> {
    let body = get(address, "/metrics").unwrap().body;
    let line = body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}
