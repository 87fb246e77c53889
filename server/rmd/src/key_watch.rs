//! Reads `rm.cluster.key_file` again when it has changed (rm.md §1.4): looked at every 10 s, and
//! at once when told to (SIGHUP).
//!
//! A thread of its own, because the engine never waits for a file. What cannot be read or used is
//! logged once and changes nothing: the keys in force stay. Must not put a key into a log line.

use crate::cluster_key;
use crate::error::StartError;
use crate::inbox::{Inbox, Input, Refused};
use crate::limits::KEY_LOOK;
use crate::running::spawn;
use rm::Keys;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use telemetry::Log;

/// The thread, and the end by which it is told things.
pub(crate) struct KeyWatch {
    tell: SyncSender<Tell>,
    thread: JoinHandle<()>,
}

/// What the watch may be told.
enum Tell {
    Look,
    End,
}

/// Has the watch look at once, from any thread.
#[derive(Clone)]
pub(crate) struct Look(SyncSender<Tell>);

impl Look {
    /// Never waits: if it is about to look already, or has ended, there is nothing to tell.
    pub(crate) fn now(&self) {
        let _ = self.0.try_send(Tell::Look);
    }
}

impl KeyWatch {
    /// Watches `path`, whose content at the start was `seen`.
    pub(crate) fn start(
        path: PathBuf,
        seen: String,
        inbox: Inbox,
        log: Log,
    ) -> Result<Self, StartError> {
        let (tell, told) = sync_channel(1);
        let thread = spawn("rm-keys", move || watch(&path, seen, &told, &inbox, &log))?;
        Ok(Self { tell, thread })
    }

    pub(crate) fn look(&self) -> Look {
        Look(self.tell.clone())
    }

    /// Ends the thread; false when it had broken.
    pub(crate) fn end(self) -> bool {
        // One that has ended by itself has dropped its end.
        let _ = self.tell.send(Tell::End);
        self.thread.join().is_ok()
    }
}

fn watch(path: &Path, mut seen: String, told: &Receiver<Tell>, inbox: &Inbox, log: &Log) {
    let mut failed = String::new();
    loop {
        match told.recv_timeout(KEY_LOOK) {
            Ok(Tell::Look) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Tell::End) | Err(RecvTimeoutError::Disconnected) => return,
        }
        match renewed(path, &seen) {
            Ok(None) => failed.clear(),
            Ok(Some((text, keys))) => {
                let applied = format!("{keys:?}");
                match inbox.send(Input::Keys(Box::new(keys))) {
                    Ok(()) => {
                        failed.clear();
                        seen = text;
                        let file = path.display().to_string();
                        log.emit(20604, None, &[("file", &file), ("keys", &applied)]);
                    }
                    // It is looked at again before long.
                    Err(Refused::Busy) => {}
                    Err(Refused::Gone) => return,
                }
            }
            Err(error) => {
                let error = error.to_string();
                if error != failed {
                    log.emit(20603, None, &[("error", &error)]);
                    failed = error;
                }
            }
        }
    }
}

/// The text and the keys, if the text is another one than `seen`.
fn renewed(path: &Path, seen: &str) -> Result<Option<(String, Keys)>, StartError> {
    let text = cluster_key::text(path)?;
    if text == seen {
        return Ok(None);
    }
    let keys = cluster_key::keys(path, &text)?;
    Ok(Some((text, keys)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_another_text_with_keys_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let line = |id: u8| format!("{id} {}\n", "0f".repeat(32));
        fs::write(&path, line(1)).unwrap();
        assert!(renewed(&path, &line(1)).unwrap().is_none());
        fs::write(&path, line(2) + &line(1)).unwrap();
        let (text, keys) = renewed(&path, &line(1)).unwrap().unwrap();
        assert_eq!((text, format!("{keys:?}")), (line(2) + &line(1), "[2, 1]".to_owned()));
        for broken in ["", "2 0f0f\n", "0f0f\n"] {
            fs::write(&path, broken).unwrap();
            let told = renewed(&path, &line(1)).unwrap_err().to_string();
            assert!(told.contains("keys:1: ") && !told.contains("0f0f"), "{told}");
        }
        fs::write(&path, "#".repeat(70_000)).unwrap();
        assert!(renewed(&path, "").is_err());
        fs::remove_file(&path).unwrap();
        assert!(renewed(&path, "").is_err());
    }
}
