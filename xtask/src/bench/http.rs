//! Requests to a server of a bench.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Result, bail};

/// One request on a connection of its own; head and body of the answer, which has to be a good one.
pub(in crate::bench) fn request(port: u16, method: &str, path: &str, body: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    send(&mut stream, method, path, body)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if !answer.starts_with("HTTP/1.1 2") {
        bail!("{method} {path}: {}", answer.lines().next().unwrap_or_default());
    }
    Ok(answer)
}

/// Sends one, head and body.
pub(in crate::bench) fn send(
    stream: &mut TcpStream,
    method: &str,
    path: &str,
    body: &str,
) -> Result<()> {
    let close = if path == "/v1/watch" { "" } else { "connection: close\r\n" };
    let kind = "content-type: application/json\r\n";
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: bench\r\n{close}{kind}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes())?;
    Ok(())
}
