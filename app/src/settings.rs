//! From files to values: boot settings, platform objects, the log. Refusals with their exit codes.

use std::path::Path;

use config::Settings;
use config::settings::{Format, Level, Redact};
use model::schema::Problem;
use model::time::Millis;
use net::Clock;
use telemetry::{Log, LogFormat, LogSettings, log_id};

use crate::exit::{Exit, Failure};

/// Reads boot settings; `flags` are pairs in the form of the environment that win over it.
/// A relative `config.file` lies beside the file that names it.
pub(crate) fn load(file: Option<&Path>, flags: &[(&str, String)]) -> Result<Settings, Failure> {
    let flags = flags.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let mut settings = Settings::load(file, environment(), flags)
        .map_err(|problems| Failure::new(Exit::Settings, lines(&problems)))?;
    if let (Some(beside), Some(objects)) = (file.and_then(Path::parent), &settings.config_file) {
        settings.config_file = Some(beside.join(objects));
    }
    Ok(settings)
}

/// The same for the short programs: variables of GVP stand above the file and below ours.
pub(crate) fn load_with_gvp(file: Option<&Path>) -> Result<Settings, Failure> {
    let environment: Vec<_> = environment().collect();
    let read = |path: &str| std::fs::read_to_string(path).map_err(|error| error.to_string());
    let refused = |problems: Vec<Problem>| Failure::new(Exit::Settings, lines(&problems));
    let gvp = config::settings::gvp_variables(&environment, read).map_err(refused)?;
    Settings::load(file, gvp.into_iter().chain(environment), []).map_err(refused)
}

fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| !OF_COMMANDS.contains(&name.as_str()))
}

/// Variables of commands, which are no settings.
const OF_COMMANDS: [&str; 2] = ["RINGMASTER_SERVER", "RINGMASTER_TOKEN_FILE"];

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
