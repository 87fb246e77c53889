//! A running Kamailio, whatever its configuration makes of it.

use std::io::Write as _;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::platform::eventually;

/// Its processes and its folder; ended with the value.
pub(crate) struct Daemon {
    child: Child,
    dir: TempDir,
}

impl Daemon {
    /// Starts with `kamailio.cfg` of its folder, and waits until it `listens`. `memory`: megabytes.
    pub(crate) fn start(dir: TempDir, memory: u32, listens: impl Fn() -> bool) -> Self {
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let child = Command::new("kamailio")
            .current_dir(dir.path())
            .args(["-f", "kamailio.cfg", "-DD", "-E", "-m", &memory.to_string(), "-M", "8"])
            .args(["-Y", &dir.path().display().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn()
            .expect("kamailio is installed (test.sh does it)");
        let mut daemon = Self { child, dir };
        let up = || {
            let ended = daemon.child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", daemon.log());
            listens()
        };
        eventually("Kamailio listens", up, |up| *up);
        daemon
    }

    pub(crate) fn log(&self) -> String {
        let bytes = std::fs::read(self.dir.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Its processes are one group.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-s", "KILL", "--", &group]).status();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "--- log of Kamailio:\n{}", self.log());
        }
    }
}
