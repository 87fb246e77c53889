//! The server itself; tests of the executable start the same.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// Longer than a start takes; a test that waits for it fails.
const TRIES: u32 = 3000;

/// A server that ends with the test.
pub(crate) struct Server {
    dir: TempDir,
    pub(super) port: u16,
    running: Option<Child>,
    /// Settings beside those of all.
    more: Vec<String>,
}

impl Server {
    /// Makes and starts one.
    pub(crate) fn start() -> Self {
        Self::set(|_| Vec::new())
    }

    /// One with files and settings of the test; they are the server's to read.
    pub(super) fn set(files: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        if is_root() {
            for path in [dir.path(), &data] {
                let owner = Command::new("chown").arg("postgres").arg(path).status().unwrap();
                assert!(owner.success(), "chown postgres {}", path.display());
            }
        }
        let made = command("initdb")
            .args(["--no-sync", "-A", "trust", "-U", "rs", "-E", "UTF8", "--locale=C", "-D"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let more = files(&data);
        if is_root() {
            let owner = Command::new("chown").args(["-R", "postgres"]).arg(&data).status();
            assert!(owner.unwrap().success());
        }
        let mut server = Self { dir, port: 0, running: None, more };
        server.run();
        server
    }

    /// Starts it again, where it was.
    pub(crate) fn run(&mut self) {
        if self.port == 0 {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            self.port = free.local_addr().unwrap().port();
        }
        let running = command("postgres")
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
            .args(["-c", "fsync=off", "-c", "shared_buffers=64MB", "-c", "max_connections=50"])
            .args(["-c", "max_locks_per_transaction=256"])
            .args(self.more.iter().flat_map(|setting| ["-c", setting]))
            .args(["-p", &self.port.to_string(), "-D"])
            .arg(self.data())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.running = Some(running.unwrap());
        for _ in 0..TRIES {
            let ready = command("pg_isready")
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status();
            if ready.unwrap().success() {
                return;
            }
            let ended = self.running.as_mut().unwrap().try_wait().unwrap();
            assert_eq!(ended, None, "PostgreSQL did not start");
            thread::sleep(Duration::from_millis(20));
        }
        panic!("PostgreSQL is not ready");
    }

    /// Stops it at once: connections break, nothing more is committed.
    pub(crate) fn stop(&mut self) {
        let stopped = command("pg_ctl")
            .args(["stop", "-s", "-m", "immediate", "-D"])
            .arg(self.data())
            .status();
        assert!(stopped.unwrap().success());
        self.running.take().unwrap().wait().unwrap();
        let there = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        assert!(there.is_err(), "nobody listens");
    }

    /// Its files.
    pub(super) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://rs@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    /// Runs SQL as the owner; what it prints.
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.sql_as(("rs", ""), "postgres", sql).unwrap_or_else(|said| panic!("{sql}: {said}"))
    }

    /// Runs SQL with an account and its password in a database; what it prints, or why not.
    pub(super) fn sql_as(
        &self,
        (user, password): (&str, &str),
        database: &str,
        sql: &str,
    ) -> Result<String, String> {
        let done = command("psql")
            .env("PGPASSWORD", password)
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", user, "-AtX"])
            .args(["-v", "ON_ERROR_STOP=1", "-c", sql, database])
            .output()
            .map_err(|error| error.to_string())?;
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if done.status.success() { Ok(said(&done.stdout)) } else { Err(said(&done.stderr)) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _gone = command("pg_ctl")
                .args(["stop", "-s", "-m", "immediate", "-D"])
                .arg(self.data())
                .status();
            let _killed = running.kill();
            let _ended = running.wait();
        }
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A program of PostgreSQL; it refuses to run as root. It ends with this process.
pub(super) fn command(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.args(["--pdeathsig", "KILL", "--"]).arg(newest().join(program));
    // libpq looks there for certificates
    command.current_dir("/").env("HOME", "/");
    command
}

/// `/usr/lib/postgresql/VERSION/bin` of the newest version.
fn newest() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").unwrap();
    let versions = versions.map(|version| version.unwrap().file_name().into_string().unwrap());
    let newest = versions.filter_map(|version| version.parse::<u32>().ok()).max().unwrap();
    Path::new("/usr/lib/postgresql").join(newest.to_string()).join("bin")
}
