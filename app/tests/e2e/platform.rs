//! The processes under test: settings and objects on disk, start, addresses, kill.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use model::time::Millis;
use tempfile::TempDir;

use crate::capture::{Capture, Watch};
use crate::http;

/// Callers, RM and media servers have addresses of their own, so that roles are told apart.
pub(crate) const CALLER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
pub(crate) const MEDIA: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// A folder with the settings and objects of one test.
pub(crate) struct Site {
    dir: TempDir,
    /// RM's own address, at which nothing but SIP lives.
    sip: SocketAddr,
    capture: RefCell<Option<Capture>>,
    rm_http: u16,
    broker: u16,
    rs_http: u16,
}

impl Site {
    /// Fixed ports of this run, given by the OS, so that a killed process comes back to them.
    pub(crate) fn new(objects: &str) -> Self {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let site = Self {
            dir: tempfile::tempdir().unwrap(),
            sip: loopback(),
            capture: RefCell::default(),
            rm_http: free_port(local),
            broker: free_port(local),
            rs_http: free_port(local),
        };
        site.write("platform.yaml", objects);
        site.write("settings.yaml", &site.settings());
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn sip(&self) -> SocketAddr {
        self.sip
    }

    pub(crate) fn rm_http(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.rm_http))
    }

    /// Where its own RS takes records.
    pub(crate) fn broker(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.broker))
    }

    pub(crate) fn rs_http(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.rs_http))
    }

    /// Starts RM, and keeps an eye on what it sends as long as this value lives.
    pub(crate) fn start_rm(&self) -> Process {
        self.start_rm_watched(Watch::default())
    }

    /// The same, with an eye on more, or a milder one.
    pub(crate) fn start_rm_watched(&self, watch: Watch) -> Process {
        let (ip, file) = (self.sip.ip(), self.path("sent.pcapng"));
        self.capture.borrow_mut().get_or_insert_with(|| Capture::start(ip, watch, file));
        self.start(&["rm", "-c", "settings.yaml"])
    }

    /// The revision of the configuration that RM has in force; none, or no RM: `None`.
    pub(crate) fn revision(&self) -> Option<u64> {
        http::json(self.rm_http(), "/v1/config")["rev"].as_u64()
    }

    /// Waits until that is this one.
    pub(crate) fn until_revision(&self, wanted: u64) {
        eventually("the revision", || self.revision(), |found| *found == Some(wanted));
    }

    pub(crate) fn start_rs(&self) -> Process {
        self.start(&["rs", "-c", "settings.yaml"])
    }

    /// Starts the executable in this folder and waits for the line `ready`.
    pub(crate) fn start(&self, args: &[&str]) -> Process {
        let process = Process::spawn(self.dir.path(), args);
        process.wait_for("ready");
        process
    }

    fn settings(&self) -> String {
        let Self { sip, rm_http, broker, rs_http, .. } = self;
        let monitor = SocketAddr::new(sip.ip(), 5064);
        format!(
            "data_dir: data\n\
             config: {{ file: platform.yaml }}\n\
             rm:\n  name: rm-1\n  \
               sip: {{ listen: [\"udp:{sip}\", \"tcp:{sip}\"] }}\n  \
               monitor: {{ listen: \"udp:{monitor}\" }}\n  \
               http: 127.0.0.1:{rm_http}\n  \
               reporting: {{ broker: \"tcp://127.0.0.1:{broker}\" }}\n\
             rs:\n  name: rs-1\n  broker: 127.0.0.1:{broker}\n  http: 127.0.0.1:{rs_http}\n"
        )
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(capture) = self.capture.take()
            && !std::thread::panicking()
        {
            capture.check();
        }
    }
}

/// A port that is free for UDP and TCP, below those that the system gives to whoever asks for any:
/// a killed process comes back to its port, and nobody may have got it meanwhile.
pub(crate) fn free_port(ip: IpAddr) -> u16 {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 20_000;
    // Each port of this run once; runs side by side begin elsewhere.
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    for _ in 0..COUNT {
        let number = TAKEN.fetch_add(1, Ordering::Relaxed) + std::process::id() * 97;
        let port = u16::try_from(FIRST + number % COUNT).unwrap();
        if TcpListener::bind((ip, port)).is_ok() && UdpSocket::bind((ip, port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}

/// An address that nobody else of this run has, with the port of SIP: for peers that bind more than
/// one port, or want to be told apart.
pub(crate) fn loopback() -> SocketAddr {
    static GIVEN: AtomicU32 = AtomicU32::new(1);
    let number = std::process::id() * 1009 + GIVEN.fetch_add(1, Ordering::Relaxed);
    let [_, net, high, low] = number.to_be_bytes();
    SocketAddr::from(([127, 64 + net % 64, high, low], 5060))
}

/// One running `ringmaster`; killed when the test ends.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    seen: RefCell<Vec<String>>,
}

impl Process {
    pub(crate) fn spawn(dir: &Path, args: &[&str]) -> Self {
        Self::of(command(dir, args))
    }

    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the executable starts");
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = channel_of_lines();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, seen: RefCell::default() }
    }

    /// Waits until a line of stdout equals `text` or contains it as a word of a log line.
    pub(crate) fn wait_for(&self, text: &str) {
        let deadline = now() + PATIENCE;
        while now() < deadline {
            match self.lines.recv_timeout(Duration::from_millis(100)) {
                Ok(line) => {
                    let found = line.trim() == text || line.contains(&format!(" {text} "));
                    self.seen.borrow_mut().push(line);
                    if found {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        panic!("no line `{text}` in:\n{}", self.output());
    }

    /// The first line that holds `part`, when it has come.
    pub(crate) fn line_with(&self, part: &str) -> String {
        let find = || self.output().lines().find(|line| line.contains(part)).map(str::to_owned);
        eventually(part, find, Option::is_some).unwrap()
    }

    /// All of stdout so far.
    pub(crate) fn output(&self) -> String {
        self.seen.borrow_mut().extend(self.lines.try_iter());
        self.seen.borrow().join("\n")
    }

    /// A line to its stdin, which whoever made its command has made a pipe.
    pub(crate) fn say(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("stdin is a pipe");
        writeln!(stdin, "{line}").unwrap();
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().unwrap();
        assert!(status.success(), "kill -s {name} {pid}");
    }

    /// SIGKILL, and gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn wait(&mut self, limit: Duration) -> ExitStatus {
        let deadline = now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(now() < deadline, "still running after {limit:?}:\n{}", self.output());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "--- output of the process:\n{}", self.output());
        }
    }
}

/// A command that ends by itself: exit code, stdout, stderr.
pub(crate) fn run(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let output = command(dir, args).output().unwrap();
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// The executable, to be run in this folder.
pub(crate) fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringmaster"));
    command.current_dir(dir).args(args);
    command
}

#[expect(clippy::disallowed_methods, reason = "a test's own lines are few")]
fn channel_of_lines() -> (std::sync::mpsc::Sender<String>, Receiver<String>) {
    channel()
}

#[expect(clippy::disallowed_methods, reason = "a test waits in real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The same as a clock on the wall tells it.
#[expect(clippy::disallowed_methods, reason = "a test compares with what processes tell")]
pub(crate) fn wall() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Millis(u64::try_from(since.as_millis()).unwrap())
}

/// From the environment: what a command of `cargo xtask` was told.
#[expect(clippy::disallowed_methods, reason = "not a setting of the product")]
pub(crate) fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What a long test tells beside its outcome.
pub(crate) fn say(what: std::fmt::Arguments<'_>) {
    // the run goes on also when nobody listens
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// Longest wait for what must come: long enough for a machine whose cores are all taken, on which
/// the applier, at the lowest priority, gets little.
const PATIENCE: Duration = Duration::from_secs(180);

/// Asks again and again until `check` holds; when patience ends, shows what was seen last.
pub(crate) fn eventually<T: std::fmt::Debug>(
    what: &str,
    mut ask: impl FnMut() -> T,
    check: impl Fn(&T) -> bool,
) -> T {
    let deadline = now() + PATIENCE;
    loop {
        let seen = ask();
        if check(&seen) {
            return seen;
        }
        assert!(now() < deadline, "{what}: last seen {seen:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
