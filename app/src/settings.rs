//! From files to values: boot settings, platform objects, the log. Refusals with their exit codes.

use std::path::Path;
use std::sync::Arc;

use config::Settings;
use config::settings::{Format, Level, Redact};
use model::id::Revision;
use model::schema::Problem;
use model::snapshot::Snapshot;
use model::time::Millis;
use net::Clock;
use telemetry::{Log, LogFormat, LogSettings, log_id};

use crate::exit::{Exit, Failure};

/// The first and, without a Config Server, only revision of a file.
const FIRST: Revision = Revision(1);

/// Reads boot settings; `flags` are pairs in the form of the environment that win over it.
/// A relative `config.file` lies beside the file that names it.
pub(crate) fn load(file: Option<&Path>, flags: &[(&str, String)]) -> Result<Settings, Failure> {
    let flags = flags.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| !OF_COMMANDS.contains(&name.as_str()));
    let mut settings = Settings::load(file, environment.chain(flags))
        .map_err(|problems| Failure::new(Exit::Settings, lines(&problems)))?;
    if let (Some(beside), Some(objects)) = (file.and_then(Path::parent), &settings.config_file) {
        settings.config_file = Some(beside.join(objects));
    }
    Ok(settings)
}

/// Variables of commands, which are no settings.
const OF_COMMANDS: [&str; 2] = ["RINGMASTER_SERVER", "RINGMASTER_TOKEN_FILE"];

/// Platform objects of `config.file` as a snapshot, and where they came from.
pub(crate) fn from_file(file: &rmd::Objects) -> Result<Objects, Failure> {
    let invalid = |problems: Vec<Problem>| Failure::new(Exit::Invalid, lines(&problems));
    let (snapshot, warnings) = file.read(FIRST).map_err(invalid)?;
    Ok(Objects { snapshot: Arc::new(snapshot), source: file.to_string(), warnings })
}

/// Platform objects that are in force.
pub(crate) struct Objects {
    pub(crate) snapshot: Arc<Snapshot>,
    /// Where they came from.
    pub(crate) source: String,
    /// What is strange in them.
    warnings: Vec<Problem>,
}

impl Objects {
    /// Each warning as a line of the log.
    pub(crate) fn warn(&self, log: &Log, node: &str) {
        let log = log.for_node(node, None);
        for warning in &self.warnings {
            log.emit(20605, None, &[("warning", &warning.to_string())]);
        }
    }
}

/// Objects that are part of the program.
pub(crate) fn embedded(media: &[std::net::SocketAddr]) -> Result<Objects, Failure> {
    let documents = config::embedded_objects(media);
    let (snapshot, warnings) = Snapshot::build(&documents, FIRST)
        .map_err(|problems| Failure::new(Exit::Internal, lines(&problems)))?;
    Ok(Objects { snapshot: Arc::new(snapshot), source: "embedded".to_owned(), warnings })
}

/// Starts the log of the process.
pub(crate) fn log(settings: &config::settings::Log) -> Result<Log, Failure> {
    let level = match settings.level {
        Level::Off => None,
        Level::Critical => Some(log_id::Level::Critical),
        Level::Error => Some(log_id::Level::Error),
        Level::Warn => Some(log_id::Level::Warn),
        Level::Notice => Some(log_id::Level::Notice),
        Level::Info => Some(log_id::Level::Info),
        Level::Debug => Some(log_id::Level::Debug),
        Level::Trace => Some(log_id::Level::Trace),
    };
    let format = match settings.format {
        Format::Text => LogFormat::Text,
        Format::Json => LogFormat::Json,
    };
    let redact = match settings.redact {
        Redact::None => telemetry::log::Redact::None,
        Redact::Partial => telemetry::log::Redact::Partial,
        Redact::Full => telemetry::log::Redact::Full,
    };
    let file = settings.file.clone();
    let (max_bytes, keep) = (settings.max_bytes, settings.keep);
    let wanted = LogSettings { level, format, redact, file, max_bytes, keep };
    let shown = settings.file.as_ref().map_or_else(String::new, |file| file.display().to_string());
    Log::start(wanted, wall)
        .map_err(|error| Failure::new(Exit::Local, format!("log.file {shown}: {error}")))
}

/// The wall clock, for lines of the log.
fn wall() -> Millis {
    Clock::start().now().wall
}

/// One problem a line.
pub(crate) fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}
