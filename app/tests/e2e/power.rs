//! Power cuts (rs.md §14, 7): a journal is kept of what RS writes and syncs below its directory
//! (`power/journal.c`), and after a kill the directory is made anew of what a disk may hold: what
//! was synced, and of the rest whatever chance leaves (`power/disk.rs`). The load and the proof are
//! those of `kill`.

mod disk;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use model::chance::Chance;
use tempfile::TempDir;

use crate::platform::{Process, Site, command};
use disk::Disk;

/// The power of one RS, whose data lies in files.
pub(crate) struct Power {
    dir: PathBuf,
    /// Holds the library that keeps the journal, and the journal.
    desk: TempDir,
    disk: Disk,
}

impl Power {
    /// Before the first start.
    pub(crate) fn of(site: &Site) -> Self {
        let desk = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/power/journal.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(desk.path().join("journal.so"));
        assert!(compiler.arg(source).args(["-ldl", "-lpthread"]).status().unwrap().success());
        let dir = site.path("data/rs");
        std::fs::create_dir_all(&dir).unwrap();
        Self { dir, desk, disk: Disk::default() }
    }

    /// RS, not yet ready, whose writes are followed.
    pub(crate) fn spawn(&self, site: &Site) -> Process {
        let mut command = command(&site.path("."), &["rs", "-c", "settings.yaml"]);
        command.env("LD_PRELOAD", self.desk.path().join("journal.so"));
        command.env("POWER_DIR", &self.dir).env("POWER_JOURNAL", self.journal());
        Process::of(command)
    }

    /// After RS has been killed: its directory is what a disk held when the power went.
    pub(crate) fn cut(&mut self, chance: &mut Chance) {
        match std::fs::read(self.journal()) {
            Ok(journal) => {
                std::fs::remove_file(self.journal()).unwrap();
                self.disk.follow(&journal, &self.dir);
            }
            // killed before it did anything
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
        }
        self.disk.cut(chance);
        std::fs::remove_dir_all(&self.dir).unwrap();
        self.disk.write(&self.dir);
    }

    fn journal(&self) -> PathBuf {
        self.desk.path().join("journal")
    }
}
