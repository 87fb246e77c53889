//! Where RM and RS get their configuration (ops.md §1.10): the client of the Config Server.
//!
//! ```text
//!   server ◄── reqwest ── driver ──► machine: what next (pure)
//!                           │ ▲
//!     events, snapshots     ▼ │ valid, or why not
//!   sse, wire (pure) ──►  model::config::Set ──► Snapshot ──► the daemon, off its hot path
//!                           │
//!                           ▼
//!                         cache: last known good, on disk
//! ```
//! It has a thread of its own; a daemon gives a [`Daemon`] and is told. What is not valid never
//! gets out of here; a server that is away changes nothing that is in force. With `config.file` a
//! file takes the place of the server, and everything behind it is the same.

mod cache;
mod connect;
mod driver;
mod file;
mod keep;
mod limits;
mod look;
mod machine;
mod report;
pub mod sse;
pub mod trust;
pub mod wire;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use model::config::Set;
use model::id::Revision;
use model::schema::{Place, Problem, Warning};
use model::snapshot::Snapshot;
use net::Clock;
use tokio::sync::watch;

use crate::Settings;
use crate::settings::ConfigClient;
use cache::Cache;
pub use connect::{Connector, Server};
use driver::Driver;
pub use file::{FileSource, Reread};
use wire::Whole;

/// Where one daemon's configuration comes from.
pub enum Source {
    /// It never changes.
    Fixed(Arc<Snapshot>),
    /// `config.file`, and what it held.
    File(FileSource, Arc<Snapshot>),
    /// `config.server`.
    Server(Client),
}

impl Source {
    /// As the settings say, unless there is one that never changes; and what is strange in a file.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub fn open(
        settings: &Settings,
        fixed: Option<Arc<Snapshot>>,
        setup: Setup,
    ) -> Result<(Self, Vec<Warning>), Vec<Problem>> {
        if let Some(snapshot) = fixed {
            return Ok((Self::Fixed(snapshot), Vec::new()));
        }
        let Some(path) = settings.config_file.clone() else {
            return Ok((Self::Server(Client::open(setup)), Vec::new()));
        };
        let (file, snapshot, warnings) = FileSource::open(path, setup.own, setup.clock)?;
        Ok((Self::File(file, Arc::new(snapshot)), warnings))
    }

    /// What is in force at the start; `None`: nothing yet.
    #[must_use]
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        match self {
            Self::Fixed(snapshot) | Self::File(_, snapshot) => Some(Arc::clone(snapshot)),
            Self::Server(client) => client.snapshot(),
        }
    }

    /// Keeps an eye on it from now on, on a thread called after `component`.
    ///
    /// # Errors
    /// The machine has no thread or descriptor left.
    pub fn start(self, component: &str, daemon: Box<dyn Daemon>) -> io::Result<Watched> {
        Ok(match self {
            Self::Fixed(_) => Watched { file: None, look: None, client: None },
            Self::File(file, _) => {
                let file = Arc::new(file);
                let look = Arc::clone(&file).start(component, daemon)?;
                Watched { file: Some(file), look: Some(look), client: None }
            }
            Self::Server(client) => {
                Watched { file: None, look: None, client: Some(client.start(daemon)?) }
            }
        })
    }
}

/// A source that is watched; not any more when dropped.
pub struct Watched {
    file: Option<Arc<FileSource>>,
    look: Option<file::Look>,
    client: Option<Watching>,
}

impl Watched {
    /// The file, to read it at once.
    #[must_use]
    pub fn file(&self) -> Option<Arc<FileSource>> {
        self.file.clone()
    }

    /// Ends it; false when it had broken.
    pub fn end(mut self) -> bool {
        let looked = self.look.as_mut().is_none_or(file::Look::end);
        self.client.take().is_none_or(Watching::end) && looked
    }
}

/// What a client is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How the server is reached.
    pub server: ConfigClient,
    /// Under this name the server shows us.
    pub name: String,
    /// `rm` or `rs`.
    pub component: &'static str,
    /// The daemon's directory; the last known good is kept below it.
    pub dir: PathBuf,
    /// Addresses that no object may have: the daemon's own.
    pub own: Vec<SocketAddr>,
    /// The process's clock.
    pub clock: Clock,
    /// Chance, for the waits.
    pub seed: [u64; 4],
}

/// What a daemon does with what its client finds. Called on the client's thread, so it may take
/// its time; the next revision waits.
pub trait Daemon: Send {
    /// This is valid and to be in force. Gives back the options that it changes and that need a
    /// restart, as `section/key`.
    fn apply(&mut self, applied: Applied) -> Vec<String>;

    /// A revision is not valid; the one before stays in force as a whole.
    fn reject(&mut self, revision: Revision, faults: &[Problem]);

    /// Anything else.
    fn hear(&mut self, news: News<'_>);
}

/// A configuration to be in force.
#[derive(Debug)]
pub struct Applied {
    /// The configuration.
    pub snapshot: Arc<Snapshot>,
    /// What is strange in it.
    pub warnings: Vec<Warning>,
    /// How long it took to check and build it.
    pub took: Duration,
}

/// What a client tells its daemon beside configurations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News<'a> {
    /// A server is listened to.
    Connected {
        /// Its URL.
        server: &'a str,
    },
    /// A sign of life.
    Contact,
    /// The connection is over; what is in force stays.
    Away,
    /// Away for so long that somebody should know.
    Lost {
        /// The server asked last.
        server: &'a str,
        /// Since the last sign of life.
        age: Duration,
        /// Why it does not answer.
        error: &'a str,
    },
    /// The digest of a revision is not the server's: it is fetched whole.
    Mismatch {
        /// Which.
        revision: Revision,
    },
    /// Another set of an older revision, or of the same one, takes the place of the one in force:
    /// the servers were set back.
    SetBack {
        /// Was in force.
        from: Revision,
        /// Will be.
        to: Revision,
    },
    /// What was kept on disk cannot be used.
    PassedOver {
        /// Which file, why, and what is used instead.
        error: &'a str,
    },
    /// What is in force could not be kept on disk.
    NotKept {
        /// The kernel's reason.
        error: &'a str,
    },
}

/// A client that does not run yet; what it kept on disk is read.
pub struct Client {
    setup: Setup,
    cache: Cache,
    held: Set,
    /// Which books that is from.
    books: Option<String>,
    snapshot: Option<Arc<Snapshot>>,
    /// What was kept and cannot be used, and why.
    passed: Vec<String>,
}

impl Client {
    /// Reads the last known good; what is damaged or not valid any more is passed over, and told
    /// to the daemon.
    #[must_use]
    pub fn open(setup: Setup) -> Self {
        let cache = Cache::at(setup.dir.join("snapshot"));
        let (mut found, mut passed) = (None, Vec::new());
        for (path, whole) in cache.load() {
            match whole.map_err(|error| error.to_string()).and_then(|one| kept(one, &setup.own)) {
                Ok(kept) => {
                    found = Some(kept);
                    break;
                }
                Err(why) => passed.push(format!("{}: {why}", path.display())),
            }
        }
        let instead = found.as_ref().map_or_else(
            || "nothing: the server is waited for".to_owned(),
            |(_, revision, _): &(Set, Revision, _)| format!("revision {}", revision.0),
        );
        passed.iter_mut().for_each(|one| *one = format!("{one}; used instead: {instead}"));
        let (held, books, snapshot) = match found {
            Some((set, revision, books)) => {
                let snapshot = Arc::new(set.snapshot(revision));
                (set, books, Some(snapshot))
            }
            None => (Set::default(), None, None),
        };
        Self { setup, cache, held, books, snapshot, passed }
    }

    /// The last known good, if there is one: in force until the server says otherwise.
    #[must_use]
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.clone()
    }

    /// Runs it on a thread of its own.
    ///
    /// # Errors
    /// The machine has no thread or descriptor left.
    pub fn start(self, mut daemon: Box<dyn Daemon>) -> io::Result<Watching> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = watch::channel(false);
        let Self { setup, cache, held, books, snapshot, passed } = self;
        passed.iter().for_each(|error| daemon.hear(News::PassedOver { error }));
        let revision = snapshot.map(|snapshot| snapshot.revision);
        let name = format!("{}-config", setup.component);
        let driver = Driver::new(setup, cache, (held, revision, books), daemon);
        let thread = thread::Builder::new().name(name).spawn(move || {
            runtime.block_on(driver.run(stopped));
            runtime.shutdown_background();
        })?;
        Ok(Watching { stop, thread: Some(thread) })
    }
}

/// What was kept, if it is still valid.
fn kept(whole: Whole, own: &[SocketAddr]) -> Result<(Set, Revision, Option<String>), String> {
    let Whole { revision, books, objects, digest } = whole;
    let changed = Set::default().change(objects, &[], own).map_err(|faults| {
        faults.first().map_or_else(|| "not valid".to_owned(), ToString::to_string)
    })?;
    let same = changed.set.digest() == digest;
    if same { Ok((changed.set, revision, books)) } else { Err("its digest is another".to_owned()) }
}

/// Whether RM would refuse every call with this.
fn is_empty(set: &Set) -> bool {
    set.objects().all(|object| object.key.name == "Environment")
}

/// Why nothing does not take the place of something by itself.
fn emptied() -> Problem {
    Place::default().problem("W403", "no objects: what is in force stays")
}

/// Why a server that was made anew does not take away what is in force.
fn other_books(ours: &str, theirs: &str) -> Problem {
    let text = format!("another server's books ({theirs}, not {ours}): what is in force stays");
    Place::default().problem("W408", text)
}

/// A running client; ended when dropped.
#[derive(Debug)]
pub struct Watching {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Watching {
    /// Ends it; false when it had broken.
    pub fn end(mut self) -> bool {
        self.join()
    }

    fn join(&mut self) -> bool {
        self.stop.send_replace(true);
        self.thread.take().is_none_or(|thread| thread.join().is_ok())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.join();
    }
}

#[cfg(test)]
mod tests;
