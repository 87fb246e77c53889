//! A Config Server under test, and the commands that speak with it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::platform::{Process, free_port};

/// A folder with a Config Server of its own port.
pub(crate) struct Center {
    dir: TempDir,
    port: u16,
    /// Whom the commands ask.
    pub(crate) token: Option<PathBuf>,
}

impl Center {
    pub(crate) fn new(settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let center = Self { dir, port, token: None };
        let own = format!("config_server:\n  listen: 127.0.0.1:{port}\n{settings}");
        center.write("settings.yaml", &format!("data_dir: data\n{own}"));
        center
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn start(&self) -> Process {
        let process = Process::spawn(self.dir.path(), &["config-server", "-c", "settings.yaml"]);
        process.wait_for("ready");
        process
    }

    /// A command in this folder, with the server's address in the environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringmaster"));
        command.current_dir(self.dir.path()).args(args).env("RINGMASTER_SERVER", self.url());
        if let Some(token) = &self.token {
            command.env("RINGMASTER_TOKEN_FILE", token);
        }
        command
    }

    /// Its exit code, stdout and stderr.
    pub(crate) fn run(&self, args: &[&str]) -> (i32, String, String) {
        told(self.command(args).output().unwrap())
    }

    /// Its stdout; it has to end well.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let (code, out, err) = self.run(args);
        assert_eq!(code, 0, "{args:?}: {out}{err}");
        out
    }
}

pub(crate) fn told(output: Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}
