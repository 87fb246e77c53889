//! Where a node's configuration comes from, and how a new one gets into the engine (ops.md §1.10).
//!
//! The hand-over runs on the source's thread, never on the engine's: what comes here is checked and
//! built.

use crate::application::Application;
use crate::error::StartError;
use crate::http::Config;
use crate::inbox::{Inbox, Input, Refused};
use crate::limits::APPLY_WAIT;
use crate::parts;
use crate::state::State;
use config::Settings;
use config::source::{Applied, Daemon, News, Setup, Source, Watched};
use model::config::Set;
use model::id::Revision;
use model::schema::Problem;
use model::snapshot::Snapshot;
use model::time::Now;
use net::Clock;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;
use telemetry::ConfigClient;
use telemetry::config_client::Source as CameFrom;

/// Where a node's configuration comes from, until somebody keeps an eye on it.
pub(crate) struct Origin {
    source: Source,
    /// What is strange in a file.
    strange: Vec<Problem>,
    /// As people read it.
    shown: String,
    figures: Arc<ConfigClient>,
    /// `rm.application`.
    application: String,
    /// What the engine begins with.
    first: Arc<Snapshot>,
}

impl Origin {
    /// Reads the file, or the last known good. Without any configuration the engine begins with
    /// nothing, and the node is not ready.
    pub(crate) fn open(
        settings: &Settings,
        fixed: Option<Arc<Snapshot>>,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let setup = Setup {
            server: settings.config.clone(),
            name: settings.rm.name.clone(),
            component: "rm",
            dir: settings.data_dir.join("rm"),
            own: settings.rm.sip.listen.iter().map(|listen| listen.addr).collect(),
            clock,
            seed: parts::seed()?,
        };
        let opened = Source::open(settings, fixed, setup);
        let (source, strange) = opened.map_err(StartError::Objects)?;
        let known = source.snapshot();
        let (shown, came_from) = match &source {
            Source::Fixed(_) => ("embedded".to_owned(), CameFrom::File),
            Source::File(..) => (settings.config_source(), CameFrom::File),
            Source::Server(_) if known.is_some() => (settings.config_source(), CameFrom::Cache),
            Source::Server(_) => (settings.config_source(), CameFrom::Server),
        };
        let figures = Arc::new(ConfigClient::new(clock.now().wall, came_from));
        let application = settings.rm.application.clone();
        let first = known.unwrap_or_else(|| Arc::new(Set::default().snapshot(Revision(0))));
        Ok(Self { source, strange, shown, figures, application, first })
    }

    /// What the engine begins with; the node's state knows it then.
    pub(crate) fn begin(&self, now: Now, state: &State) -> Arc<Snapshot> {
        if self.source.snapshot().is_some() {
            self.figures.in_force(self.first.revision);
            state.applied(now.wall, &self.first);
        } else {
            state.unconfigured(now.wall, &self.first);
        }
        state.strange(&self.strange);
        Arc::clone(&self.first)
    }

    /// Keeps an eye on it from now on.
    pub(crate) fn watch(
        self,
        inbox: Inbox,
        state: State,
        clock: Clock,
    ) -> Result<(Watched, Config), StartError> {
        let Self { source, shown, figures, application, first, .. } = self;
        let own = Application::begin(application, &first, state.log().clone());
        let standing = own.shown();
        let handover = {
            let figures = Arc::clone(&figures);
            Handover { inbox, state, figures, clock, own }
        };
        let watched = source.start("rm", Box::new(handover)).map_err(StartError::threads)?;
        let config = Config { shown, file: watched.file(), figures, standing };
        Ok((watched, config))
    }
}

/// Hands over what is valid, and tells the rest.
struct Handover {
    inbox: Inbox,
    state: State,
    figures: Arc<ConfigClient>,
    clock: Clock,
    own: Application,
}

impl Handover {
    /// Returns when the engine has it, or is gone.
    fn hand(&self, snapshot: &Arc<Snapshot>) {
        let (applied, done) = sync_channel(1);
        let input = |applied| Input::Snapshot { snapshot: Arc::clone(snapshot), applied };
        // a full inbox empties within a turn
        while self.inbox.send(input(Some(applied.clone()))) == Err(Refused::Busy) {
            thread::sleep(Duration::from_millis(1));
        }
        drop(applied);
        // an engine that ends has dropped its end
        let _ = done.recv_timeout(APPLY_WAIT);
    }
}

impl Daemon for Handover {
    fn apply(&mut self, applied: Applied) -> Vec<String> {
        let Applied { snapshot, warnings, took } = applied;
        self.hand(&snapshot);
        self.figures.applied(snapshot.revision, took);
        if self.figures.source() == CameFrom::Cache {
            self.figures.came_from(CameFrom::Server);
        }
        self.state.strange(&warnings);
        self.own.take(&snapshot)
    }

    fn reject(&mut self, revision: Revision, faults: &[Problem]) {
        self.figures.rejected(revision);
        self.state.rejects(self.clock.now().wall, revision, faults);
    }

    fn hear(&mut self, news: News<'_>) {
        let now = self.clock.now().wall;
        match news {
            News::Contact => self.figures.contact(now),
            News::Connected { server } => {
                self.figures.connected(true);
                self.figures.came_from(CameFrom::Server);
                self.figures.serves(Some(server));
                self.state.config_server(now, server, None);
            }
            News::Away => {
                self.figures.connected(false);
                self.figures.serves(None);
            }
            News::Lost { server, age, error } => {
                self.state.config_server(now, server, Some((age, error)));
            }
            News::Mismatch { revision } => self.state.config_mismatch(revision),
            News::SetBack { from, to } => self.state.config_set_back(from, to),
            News::PassedOver { error } => self.state.config_passed_over(error),
            News::NotKept { error } => self.state.config_not_kept(error),
        }
    }
}
