//! A server that hangs: it takes connections, and answers nothing.

use std::fs;
use std::process::Command;

use super::Server;

/// It hangs as long as this is there.
pub(crate) struct Hang(String);

impl Server {
    pub(crate) fn hang(&self) -> Hang {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let hang = Hang(file.lines().next().unwrap().to_owned());
        hang.signal("-STOP");
        hang
    }
}

impl Hang {
    /// To the server, which makes no processes then, and to those that it has.
    fn signal(&self, signal: &str) {
        let told = |to: &str| Command::new("kill").args([signal, to]).output().unwrap();
        assert!(told(&self.0).status.success());
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(text) = fs::read_to_string(entry.path().join("stat")) else { continue };
            // number, (name), state, number of the parent
            let parent = text.rsplit_once(')').and_then(|it| it.1.split_whitespace().nth(1));
            if parent == Some(&*self.0) {
                // one that was at its end is gone
                let _told = told(entry.file_name().to_str().unwrap());
            }
        }
    }
}

impl Drop for Hang {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}
