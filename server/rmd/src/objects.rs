//! The file of platform objects, as it is read at the start and again when somebody asks.
//!
//! Must not put anything in force: a snapshot that is valid goes to the engine.

use config::Settings;
use model::id::Revision;
use model::schema::Problem;
use model::snapshot::Snapshot;
use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where they stand.
#[derive(Debug, Clone)]
pub struct Objects {
    file: PathBuf,
    /// Addresses that no object may have: RM's own.
    own: Vec<SocketAddr>,
}

impl Display for Objects {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.file.display().fmt(f)
    }
}

impl Objects {
    /// `config.file`; none: the objects in force are part of the program.
    #[must_use]
    pub fn of(settings: &Settings) -> Option<Self> {
        let own = settings.rm.sip.listen.iter().map(|listen| listen.addr).collect();
        Some(Self { file: settings.config_file.clone()?, own })
    }

    /// All of them as this revision, and what is strange in them.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn read(&self, revision: Revision) -> Result<(Snapshot, Vec<Problem>), Vec<Problem>> {
        let documents = config::objects::load_standing(&self.file)?;
        Snapshot::build_for(&documents, revision, &self.own)
    }
}
