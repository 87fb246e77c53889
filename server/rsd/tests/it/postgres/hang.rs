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
    /// To the server and all of its processes.
    fn signal(&self, signal: &str) {
        let child = |entry: fs::DirEntry| {
            let text = fs::read_to_string(entry.path().join("stat")).ok()?;
            // number, (name), state, number of the parent
            let parent = text.rsplit_once(')')?.1.split_whitespace().nth(1)?;
            (parent == self.0).then(|| entry.file_name().into_string().unwrap())
        };
        let children = fs::read_dir("/proc").unwrap().flatten().filter_map(child);
        let all = [self.0.clone()].into_iter().chain(children);
        let told = Command::new("kill").arg(signal).args(all).status();
        assert!(told.unwrap().success());
    }
}

impl Drop for Hang {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}
