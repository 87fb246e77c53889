//! Boot settings (ops.md §15): one YAML file, overridden by the environment, into typed structs.
//!
//! Every key of the list is known here; one that is not is an error, and one whose part this
//! version has not may only have its default. `RINGMASTER_RM__HTTP` overrides `rm.http`: sections
//! are joined by two underscores, the value is read like YAML.

mod address;
mod agree;
mod client;
mod config_server;
mod env;
mod given;
mod gvp;
mod handlers;
mod hep;
mod export;
mod latency;
mod later;
mod log;
mod peer;
mod origin;
mod privacy;
mod route;
mod rm;
mod retention;
mod rollup;
mod rs;
mod tls;
mod view;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::schema::{Field, Object, Problem, Problems};
use model::tree::{Node, Value};

pub use address::{HostPort, Listen, Transport};
pub use client::{ConfigClient, ServerUrl};
pub use config_server::{Access, ClientRole, ConfigServer};
pub use export::{Export, ExportFormat, ExportKind};
pub use given::{Origin, Origins};
pub use gvp::variables as gvp_variables;
pub use handlers::{ConfigHandler, InitDatabase, RsInit};
pub use hep::Hep;
pub use log::{Format, Level, Log, Redact};
pub use peer::{Peer, PeerMatch, Role};
pub use privacy::{Mask, Privacy};
pub use retention::{BinRetention, Retention};
pub use rm::{Rm, Sip};
pub use rollup::Rollup;
pub use route::Route;
pub use rs::{Auth, BrokerLimits, Database, QueueHigh, Reports, Rs};
pub use tls::{Certificate, ClientAuth, Tls};
pub use view::shown;

use crate::{objects, yaml};

/// The boot settings of one process, whatever parts it runs.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    /// `data_dir`: where everything that must last lies.
    pub data_dir: PathBuf,
    /// `log`
    pub log: Log,
    /// `config.file`: the platform objects; `None` = the Config Server's.
    pub config_file: Option<PathBuf>,
    /// `config`: how the Config Server is reached.
    pub config: ConfigClient,
    /// `config_server`
    pub config_server: ConfigServer,
    /// `rm`
    pub rm: Rm,
    /// `rs`
    pub rs: Rs,
    /// `config_handler`
    pub config_handler: ConfigHandler,
    /// `rs_init`
    pub rs_init: RsInit,
    /// Who has given which of them.
    pub origins: Origins,
}

/// The top level of the file.
const SECTIONS: [&str; 9] = [
    "data_dir",
    "log",
    "config",
    "config_server",
    "rm",
    "rs",
    "config_handler",
    "rs_init",
    "log_exporter",
];

pub(crate) fn sections() -> &'static [&'static str] {
    &SECTIONS
}

impl Settings {
    /// Reads the file, if one is given, and lays the environment over it, and over both the flags,
    /// which are pairs in the form of the environment.
    ///
    /// # Errors
    /// All problems, each with file, line and column, or with the variable it came from. A file
    /// that a key names and that cannot be read is one.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<Problem>> {
        let text = match file {
            Some(file) => objects::read(file).map_err(|problem| vec![problem])?,
            None => String::new(),
        };
        let name = file.map(|file| Arc::from(file.display().to_string()));
        Self::read(&text, name, (environment, flags), agree::files)
    }

    /// The same from a text; the files that its keys name are not looked for.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn from_text(
        text: &str,
        file: Option<Arc<str>>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<Problem>> {
        Self::read(text, file, (environment, []), |_| {})
    }

    /// First every value by itself, then how they agree, and what `further` finds.
    fn read(
        text: &str,
        file: Option<Arc<str>>,
        (environment, flags): (
            impl IntoIterator<Item = (String, String)>,
            impl IntoIterator<Item = (String, String)>,
        ),
        further: fn(&Field<'_>),
    ) -> Result<Self, Vec<Problem>> {
        let parsed = match &file {
            Some(file) => yaml::parse_file(text, file),
            None => yaml::parse(text),
        };
        let mut documents = parsed.map_err(|problem| vec![problem])?.into_iter();
        let mut root = documents.next().unwrap_or_else(empty);
        let problems = Problems::default();
        if let Some(second) = documents.next() {
            let second = Field::root(&second, file.clone(), &problems);
            second
                .note("E001", "not valid YAML or JSON: settings are one document, here is another");
            return Err(problems.take());
        }
        let in_file = given::keys(&root);
        let mut overridden = env::overlay(&mut root, environment);
        let flagged = env::overlay(&mut root, flags);
        let paths = |all: &[env::Overridden]| all.iter().map(|one| one.path.clone()).collect();
        let (environment, command_line) = (paths(&overridden), paths(&flagged));
        let origins = Origins { command_line, environment, file: in_file };
        overridden.extend(flagged);
        let root = Field::root(&root, file, &problems);
        let settings = root.object().and_then(read);
        if let Some(settings) = settings.as_ref().filter(|_| problems.is_empty()) {
            agree::check(&root, settings);
            further(&root);
        }
        let problems = env::attributed(problems.take(), &overridden);
        match settings {
            Some(settings) if problems.is_empty() => Ok(Self { origins, ..settings }),
            _ => Err(problems),
        }
    }

    /// `rs.spool.dir`, or its default below `data_dir`.
    #[must_use]
    pub fn rs_spool_dir(&self) -> PathBuf {
        self.rs.spool_dir.clone().unwrap_or_else(|| self.data_dir.join("rs").join("spool"))
    }

    /// `rm.cluster.key_file`, or its default below `data_dir`.
    #[must_use]
    pub fn rm_key_file(&self) -> PathBuf {
        self.rm.key_file.clone().unwrap_or_else(|| self.data_dir.join("cluster.key"))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./ringmaster-data"),
            log: Log::default(),
            config_file: None,
            config: ConfigClient::default(),
            config_server: ConfigServer::default(),
            rm: Rm::default(),
            rs: Rs::default(),
            config_handler: ConfigHandler::default(),
            rs_init: RsInit::default(),
            origins: Origins::default(),
        }
    }
}

fn empty() -> Node {
    Node { value: Value::Map(Vec::new()), ..Node::default() }
}

fn read(root: Object<'_>) -> Option<Settings> {
    let defaults = Settings::default();
    let data_dir = root.get("data_dir").and_then(|field| path(&field));
    let log = root.get("log").and_then(|field| field.object());
    let log = log.map_or_else(|| Some(Log::default()), log::read);
    let config = root.get("config").and_then(|field| field.object());
    let (config_file, config) =
        config.map_or_else(|| (None, ConfigClient::default()), client::read);
    let server = root.get("config_server").and_then(|field| field.object());
    let server = server.map_or_else(|| Some(ConfigServer::default()), config_server::read);
    let rm = root.get("rm").and_then(|field| field.object());
    let rm = rm.map_or_else(|| Some(Rm::default()), rm::read);
    let rs = root.get("rs").and_then(|field| field.object());
    let rs = rs.map_or_else(|| Some(Rs::default()), rs::read);
    let handler = root.get("config_handler").and_then(|field| field.object());
    let handler =
        handler.map_or_else(|| Some(ConfigHandler::default()), handlers::read_config_handler);
    let init = root.get("rs_init").and_then(|field| field.object());
    let init = init.map_or_else(|| Some(RsInit::default()), handlers::read_rs_init);
    let built = ["log", "config", "config_server", "rm", "rs", "config_handler", "rs_init"];
    later::refuse(&root, "", &built);
    root.finish();
    Some(Settings {
        data_dir: data_dir.unwrap_or(defaults.data_dir),
        log: log?,
        config_file,
        config,
        config_server: server?,
        rm: rm?,
        rs: rs?,
        config_handler: handler?,
        rs_init: init?,
        origins: Origins::default(),
    })
}

/// A path; not empty.
fn path(field: &Field<'_>) -> Option<PathBuf> {
    let text = field.text()?;
    if text.is_empty() {
        return field.invalid("path", "it is empty");
    }
    Some(PathBuf::from(text))
}

/// The name of a node or application: it stands in headers, ids and record ids.
fn name(field: &Field<'_>) -> Option<String> {
    let name = field.text_up_to(64)?;
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(letter) || !name.starts_with(char::is_alphanumeric) {
        return field.invalid("name", "expected letters, digits, hyphens, underscores and dots");
    }
    Some(name.to_owned())
}

/// The name of an Application object; it may have blanks.
fn application(field: &Field<'_>) -> Option<String> {
    let name = field.text_up_to(64)?;
    if name.is_empty() { field.invalid("name", "it is empty") } else { Some(name.to_owned()) }
}

#[cfg(test)]
mod tests;
