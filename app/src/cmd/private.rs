//! New files for what others must not read: tokens, backups. One that is there is not overwritten.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::exit::{Exit, Failure};

/// A file that waits for its text; dropped without, it goes again.
pub(super) struct Private<'p> {
    path: &'p Path,
    file: File,
    written: bool,
}

impl<'p> Private<'p> {
    /// Makes it, before anything is done whose answer comes only once.
    pub(super) fn new(path: &'p Path) -> Result<Self, Failure> {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = made.map_err(|error| local(path, &error))?;
        Ok(Self { path, file, written: false })
    }

    /// Writes the whole text; it is on disk then.
    pub(super) fn write(mut self, text: &str) -> Result<(), Failure> {
        // what is half written is seen by its owner, who may have nothing else
        self.written = true;
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_all());
        written.map_err(|error| local(self.path, &error))
    }
}

impl Drop for Private<'_> {
    fn drop(&mut self) {
        if !self.written {
            // there is nothing in it
            let _ = std::fs::remove_file(self.path);
        }
    }
}

fn local(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Local, format!("{}: {error}", path.display()))
}
