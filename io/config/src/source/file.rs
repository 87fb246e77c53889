//! File mode (ops.md §1.10.7): the objects from `config.file`, read again when it has changed.
//!
//! The file, or every file of the directory, is looked at through symbolic links, so that a swapped
//! link (as Kubernetes does it) is a change. What changes while it is looked at is read when it
//! rests. A file that is not valid, or empty at run time, changes nothing that is in force.
//! Same pipeline as that of a server: valid as a whole, numbered, handed to the daemon.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use model::config::Document;
use model::id::Revision;
use model::schema::{Problem, Warning};
use model::snapshot::Snapshot;
use net::Clock;
use sha2::{Digest, Sha256};

use super::limits::LOOK;
use super::{Applied, Daemon, News, emptied};
use crate::objects;

/// The number of what is read at the start; each later one counts one.
const FIRST: Revision = Revision(1);

/// Files of a directory as they were seen: names, times, sizes and numbers.
type Stamp = Vec<(PathBuf, i64, i64, u64, u64)>;

/// A file of objects that is kept an eye on.
pub struct FileSource {
    path: PathBuf,
    /// Addresses that no object may have.
    own: Vec<SocketAddr>,
    clock: Clock,
    seen: Mutex<Seen>,
}

struct Seen {
    /// What was read last, valid or not.
    print: Option<[u8; 32]>,
    outcome: Result<Vec<Warning>, Vec<Problem>>,
    revision: Revision,
    /// What is in force holds no object.
    empty: bool,
    daemon: Option<Box<dyn Daemon>>,
}

/// What came of reading a file again.
#[derive(Debug)]
pub enum Reread {
    /// It is in force, with what is strange in it. Unchanged content is in force already.
    InForce(Revision, Vec<Warning>),
    /// It is not valid; what was in force stays.
    Refused(Vec<Problem>),
}

impl FileSource {
    /// Reads it for the first time.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn open(
        path: PathBuf,
        own: Vec<SocketAddr>,
        clock: Clock,
    ) -> Result<(Self, Snapshot, Vec<Warning>), Vec<Problem>> {
        let print = print(&path);
        let documents = objects::load_standing(&path)?;
        let (snapshot, warnings) = Snapshot::build_for(&documents, FIRST, &own)?;
        let outcome = Ok(warnings.clone());
        let empty = none(&documents);
        let seen = Seen { print, outcome, revision: FIRST, empty, daemon: None };
        Ok((Self { path, own, clock, seen: Mutex::new(seen) }, snapshot, warnings))
    }

    /// Reads it now; returns when the daemon has what is new. One at a time.
    pub fn again(&self) -> Reread {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = self.clock.mono();
        let print = print(&self.path);
        if print.is_some() && print == seen.print {
            return match &seen.outcome {
                Ok(warnings) => Reread::InForce(seen.revision, warnings.clone()),
                Err(faults) => Reread::Refused(faults.clone()),
            };
        }
        let next = Revision(seen.revision.0 + 1);
        let documents = objects::load_standing(&self.path);
        let built = documents.and_then(|all| {
            // as a file is that somebody is about to write
            let empty = none(&all);
            if empty && !seen.empty {
                return Err(vec![emptied()]);
            }
            Ok((Snapshot::build_for(&all, next, &self.own)?, empty))
        });
        seen.print = print;
        match built {
            Ok(((snapshot, warnings), empty)) => {
                seen.empty = empty;
                seen.revision = next;
                seen.outcome = Ok(warnings.clone());
                let took = self.clock.mono().saturating_sub(begun);
                let snapshot = Arc::new(snapshot);
                if let Some(daemon) = &mut seen.daemon {
                    daemon.apply(Applied { snapshot, warnings: warnings.clone(), took });
                }
                Reread::InForce(next, warnings)
            }
            Err(faults) => {
                seen.outcome = Err(faults.clone());
                if let Some(daemon) = &mut seen.daemon {
                    daemon.reject(next, &faults);
                }
                Reread::Refused(faults)
            }
        }
    }

    /// Keeps an eye on it, on a thread of its own.
    pub(super) fn start(
        self: Arc<Self>,
        component: &str,
        daemon: Box<dyn Daemon>,
    ) -> io::Result<Look> {
        let stamp = stamp(&self.path);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).daemon = Some(daemon);
        let (stop, stopped) = sync_channel(1);
        let name = format!("{component}-config");
        let thread =
            thread::Builder::new().name(name).spawn(move || self.watch(stamp, &stopped))?;
        Ok(Look { stop, thread: Some(thread) })
    }

    fn watch(&self, mut read: Stamp, stopped: &Receiver<()>) {
        let mut before = read.clone();
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(LOOK) {
            let now = stamp(&self.path);
            // whoever writes it may not have come to the end
            let rests = now == before;
            if rests && now != read {
                read.clone_from(&now);
                self.again();
            }
            before = now;
            if let Some(daemon) =
                &mut self.seen.lock().unwrap_or_else(PoisonError::into_inner).daemon
            {
                daemon.hear(News::Contact);
            }
        }
    }
}

/// A file that is watched; not any more when dropped.
pub(super) struct Look {
    stop: SyncSender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Look {
    /// Ends it; false when it had broken.
    pub(super) fn end(&mut self) -> bool {
        // one that has ended by itself has dropped its end
        let _ = self.stop.try_send(());
        self.thread.take().is_none_or(|thread| thread.join().is_ok())
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whether there is no document that says anything.
fn none(documents: &[Document]) -> bool {
    documents.iter().all(|document| document.root.is_null())
}

/// What two looks are compared by; what is not there has none.
fn stamp(path: &Path) -> Stamp {
    let one = |path: PathBuf| {
        let found = fs::metadata(&path).ok()?;
        Some((path, found.mtime(), found.mtime_nsec(), found.size(), found.ino()))
    };
    let mut all: Stamp =
        objects::files(path).unwrap_or_default().into_iter().filter_map(one).collect();
    all.extend(one(path.to_owned()));
    all
}

/// What the files hold, as a number; `None`: they cannot be read.
fn print(path: &Path) -> Option<[u8; 32]> {
    let mut all = Sha256::new();
    for file in objects::files(path).ok()? {
        if !fs::metadata(&file).ok()?.is_file() {
            return None;
        }
        let text = objects::read(&file).ok()?;
        let name = file.display().to_string();
        all.update(format!("{} {name} {}\n", name.len(), text.len()));
        all.update(text);
    }
    Some(all.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::{FileSource, Reread};
    use crate::source::tests::Told;
    use model::id::Revision;
    use net::Clock;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::sync::Arc;

    const GOOD: &str = "kind: Tenant\nname: acme\n";

    fn open(path: &Path) -> (Arc<FileSource>, Told, super::Look) {
        let (source, snapshot, _) =
            FileSource::open(path.to_owned(), Vec::new(), Clock::start()).unwrap();
        assert_eq!(snapshot.revision, Revision(1));
        let (source, told) = (Arc::new(source), Told::default());
        let look = Arc::clone(&source).start("rm", Box::new(told.clone())).unwrap();
        (source, told, look)
    }

    #[test]
    fn what_has_changed_is_read_by_itself_and_broken_files_change_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("o.yaml");
        fs::write(&path, GOOD).unwrap();
        let (source, told, _look) = open(&path);
        fs::write(&path, format!("{GOOD}---\nkind: Tenant\nname: beta\n")).unwrap();
        assert!(told.at(2).tenant_by_name("beta").is_some());
        fs::write(&path, "kind: Tenant\nname: [\n").unwrap();
        let (revision, why) = told.until("rejected", |seen| seen.rejected.first().cloned());
        assert!(revision == 3 && why.contains("o.yaml:2:"), "{revision} {why}");
        assert!(matches!(source.again(), Reread::Refused(faults) if faults.len() == 1));
        fs::remove_file(&path).unwrap();
        assert!(matches!(source.again(), Reread::Refused(_)));
        fs::write(&path, GOOD).unwrap();
        assert!(matches!(source.again(), Reread::InForce(Revision(3), _)));
        assert!(told.at(3).tenant_by_name("beta").is_none());
    }

    #[test]
    fn an_emptied_file_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("o.yaml");
        fs::write(&path, GOOD).unwrap();
        let (source, told, _look) = open(&path);
        for text in ["", "---\n", "# nothing\n"] {
            fs::write(&path, text).unwrap();
            let faults = match source.again() {
                Reread::Refused(faults) => faults,
                taken @ Reread::InForce(..) => panic!("{text:?}: {taken:?}"),
            };
            assert!(faults[0].to_string().contains("W403"), "{faults:?}");
        }
        assert_eq!(told.until("rejected", |seen| seen.rejected.first().cloned()).0, 2);
        fs::write(&path, GOOD).unwrap();
        assert!(matches!(source.again(), Reread::InForce(Revision(2), _)));
    }

    #[test]
    fn content_that_is_in_force_is_no_new_revision() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("o.yaml");
        fs::write(&path, GOOD).unwrap();
        let (source, told, _look) = open(&path);
        fs::write(&path, GOOD).unwrap();
        assert!(matches!(source.again(), Reread::InForce(Revision(1), _)));
        fs::write(&path, format!("{GOOD}# another\n")).unwrap();
        assert!(matches!(source.again(), Reread::InForce(Revision(2), _)));
        assert_eq!(told.at(2).revision, Revision(2));
    }

    #[test]
    fn a_swapped_link_is_a_change() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for (version, text) in [("v1", GOOD), ("v2", "kind: Tenant\nname: beta\n")] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("o.yaml"), text).unwrap();
        }
        symlink("v1", at("..data")).unwrap();
        fs::create_dir(at("mount")).unwrap();
        symlink("../..data/o.yaml", at("mount/o.yaml")).unwrap();
        let (_source, told, _look) = open(&at("mount"));
        symlink("v2", at("next")).unwrap();
        fs::rename(at("next"), at("..data")).unwrap();
        assert!(told.at(2).tenant_by_name("beta").is_some());
    }
}
