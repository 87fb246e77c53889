//! A Config Server of the bench, and requests to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

/// One on an empty directory; it and the directory go with this value.
pub(super) struct Server {
    child: Child,
    pub(super) dir: PathBuf,
    pub(super) port: u16,
}

impl Server {
    pub(super) fn start(program: &Path) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let dir = std::env::temp_dir().join(format!("ringmaster-config-bench-{port}"));
        std::fs::create_dir_all(&dir)?;
        let child = Command::new(program)
            .arg("config-server")
            .env("RINGMASTER_DATA_DIR", &dir)
            .env("RINGMASTER_CONFIG_SERVER__LISTEN", format!("127.0.0.1:{port}"))
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the Config Server")?;
        let mut server = Self { child, dir, port };
        let stdout = server.child.stdout.take().context("stdout was asked for")?;
        let mut lines = BufReader::new(stdout).lines();
        if !lines.by_ref().map_while(Result::ok).any(|line| line.trim() == "ready") {
            bail!("the Config Server ended without `ready`");
        }
        // its log goes on, and has to go somewhere
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Ok(server)
    }

    /// Memory that it holds.
    pub(super) fn resident_mib(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: u64 =
            line.and_then(|rest| rest.split_whitespace().next()).context("no VmRSS")?.parse()?;
        Ok(kib / 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // already gone is as good
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// One request on a connection of its own; head and body of the answer, which has to be a good one.
pub(super) fn request(port: u16, method: &str, path: &str, body: &str) -> Result<String> {
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

pub(super) fn send(stream: &mut TcpStream, method: &str, path: &str, body: &str) -> Result<()> {
    let close = if path == "/v1/watch" { "" } else { "connection: close\r\n" };
    let kind = "content-type: application/json\r\n";
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: bench\r\n{close}{kind}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes())?;
    Ok(())
}
