//! The writer thread: lines to stdout or a file, rotation by size, reopening for logrotate.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender};

use super::{Captured, Settings};

/// What the queue carries.
pub(super) enum Message {
    Line(String),
    Flush(SyncSender<()>),
    Reopen,
}

/// Where lines end.
pub(super) enum Target {
    Stdout,
    File(LogFile),
    Memory(Captured),
    Nowhere,
}

/// A file that is rotated by renaming: `rm.log` → `rm.log.1` → … → `rm.log.{keep}`.
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    max_bytes: u64,
    keep: u32,
}

impl Target {
    pub(super) fn open(settings: &Settings) -> io::Result<Self> {
        let Some(path) = &settings.file else { return Ok(Self::Stdout) };
        let file = append_to(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self::File(LogFile {
            path: path.clone(),
            file,
            bytes,
            max_bytes: settings.max_bytes.max(1),
            keep: settings.keep,
        }))
    }

    /// A failed write is dropped: there is nowhere left to say so, and it must not stop a call.
    fn write(&mut self, line: String) {
        match self {
            Self::Stdout => {
                let _ = io::stdout().lock().write_all(line.as_bytes());
            }
            Self::File(file) => file.write(line.as_bytes()),
            Self::Memory(captured) => captured.push(line),
            Self::Nowhere => {}
        }
    }

    fn reopen(&mut self) {
        if let Self::File(log) = self
            && let Ok(file) = append_to(&log.path)
        {
            log.bytes = file.metadata().map_or(0, |meta| meta.len());
            log.file = file;
        }
    }
}

impl LogFile {
    fn write(&mut self, line: &[u8]) {
        if self.bytes > 0 && self.bytes + line.len() as u64 > self.max_bytes {
            self.rotate();
        }
        if self.file.write_all(line).is_ok() {
            self.bytes += line.len() as u64;
        }
    }

    fn rotate(&mut self) {
        let numbered = |n: u32| PathBuf::from(format!("{}.{n}", self.path.display()));
        for n in (1..self.keep).rev() {
            // A number that does not exist yet is no fault.
            let _ = std::fs::rename(numbered(n), numbered(n + 1));
        }
        if self.keep > 0 {
            let _ = std::fs::rename(&self.path, numbered(1));
        } else {
            let _ = std::fs::remove_file(&self.path);
        }
        if let Ok(file) = append_to(&self.path) {
            self.file = file;
            self.bytes = 0;
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Runs until every handle on the log is gone.
pub(super) fn spawn(mut target: Target, lines: Receiver<Message>) {
    let run = move || {
        for message in lines {
            match message {
                Message::Line(line) => target.write(line),
                Message::Flush(done) => {
                    if matches!(target, Target::Stdout) {
                        let _ = io::stdout().lock().flush();
                    }
                    let _ = done.send(());
                }
                Message::Reopen => target.reopen(),
            }
        }
    };
    // Without a thread there is no log; the process goes on, since calls matter more.
    let _ = std::thread::Builder::new().name("log".into()).spawn(run);
}
