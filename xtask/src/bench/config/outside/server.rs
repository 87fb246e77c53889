//! A Config Server of the bench.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
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
