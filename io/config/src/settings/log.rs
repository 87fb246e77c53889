//! `log`: what is logged, how, and where to.

use std::path::PathBuf;

use model::schema::Object;

use super::path;

/// `log`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Log {
    /// `log.level`
    pub level: Level,
    /// `log.format`
    pub format: Format,
    /// `log.file`; `None` = standard output.
    pub file: Option<PathBuf>,
    /// `log.redact`
    pub redact: Redact,
    /// `log.max_bytes`: the size at which a file is rotated, bytes.
    pub max_bytes: u64,
    /// `log.keep`: rotated files kept.
    pub keep: u32,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: Level::default(),
            format: Format::default(),
            file: None,
            redact: Redact::default(),
            max_bytes: 100 << 20,
            keep: 10,
        }
    }
}

/// From the fewest to the most lines.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Level {
    /// Nothing.
    Off,
    /// `critical`
    Critical,
    /// `error`
    Error,
    /// `warn`
    Warn,
    /// `notice`
    Notice,
    /// `info`
    #[default]
    Info,
    /// `debug`
    Debug,
    /// `trace`
    Trace,
}

impl Level {
    const ALL: [(&'static str, Self); 8] = [
        ("critical", Self::Critical),
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("notice", Self::Notice),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
        ("off", Self::Off),
    ];

    /// Its name, as in the settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, level)| *level == self).map_or("off", |(name, _)| name)
    }
}

/// How a line is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is hidden of callers' numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Redact {
    /// Nothing.
    None,
    /// All but the last digits.
    #[default]
    Partial,
    /// Everything.
    Full,
}

pub(super) fn read(log: Object<'_>) -> Option<Log> {
    let defaults = Log::default();
    let level = log.get("level").and_then(|field| field.choice(&Level::ALL));
    let formats = [("text", Format::Text), ("json", Format::Json)];
    let format = log.get("format").and_then(|field| field.choice(&formats));
    let file = log.get("file").and_then(|field| path(&field));
    let redacts = [("none", Redact::None), ("partial", Redact::Partial), ("full", Redact::Full)];
    let redact = log.get("redact").and_then(|field| field.choice(&redacts));
    let max_bytes = log.get("max_bytes").and_then(|field| field.size(64 << 10, 1 << 40));
    let keep = log.get("keep").and_then(|field| field.whole(0, 1000));
    log.finish();
    Some(Log {
        level: level.unwrap_or(defaults.level),
        format: format.unwrap_or(defaults.format),
        file: file.filter(|file| file.as_os_str() != "none"),
        redact: redact.unwrap_or(defaults.redact),
        max_bytes: max_bytes.unwrap_or(defaults.max_bytes),
        keep: keep.unwrap_or(defaults.keep),
    })
}
