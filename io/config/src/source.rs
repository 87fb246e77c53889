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
mod limits;
mod look;
mod machine;
mod report;
pub mod sse;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use model::config::Set;
use model::id::Revision;
use model::schema::{Problem, Warning};
use model::snapshot::Snapshot;
use net::Clock;
use tokio::sync::watch;

use crate::Settings;
use crate::settings::ConfigClient;
use cache::Cache;
pub use connect::{Connector, Server};
use driver::Driver;
pub use file::{FileSource, Reread};

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
    snapshot: Option<Arc<Snapshot>>,
}

impl Client {
    /// Reads the last known good; what is damaged or not valid any more is passed over.
    #[must_use]
    pub fn open(setup: Setup) -> Self {
        let cache = Cache::at(setup.dir.join("snapshot"));
        let found = cache.load().find_map(|whole| {
            let (revision, digest) = (whole.revision, whole.digest);
            let changed = Set::default().change(whole.objects, &[], &setup.own).ok()?;
            (changed.set.digest() == digest).then_some((changed.set, revision))
        });
        let (held, snapshot) = match found {
            Some((set, revision)) => {
                let snapshot = Arc::new(set.snapshot(revision));
                (set, Some(snapshot))
            }
            None => (Set::default(), None),
        };
        Self { setup, cache, held, snapshot }
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
    pub fn start(self, daemon: Box<dyn Daemon>) -> io::Result<Watching> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = watch::channel(false);
        let Self { setup, cache, held, snapshot } = self;
        let revision = snapshot.map(|snapshot| snapshot.revision);
        let name = format!("{}-config", setup.component);
        let driver = Driver::new(setup, cache, (held, revision), daemon);
        let thread = thread::Builder::new().name(name).spawn(move || {
            runtime.block_on(driver.run(stopped));
            runtime.shutdown_background();
        })?;
        Ok(Watching { stop, thread: Some(thread) })
    }
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
