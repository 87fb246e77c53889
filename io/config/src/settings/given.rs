//! Where the value of a boot setting comes from (rs.md §9).

use std::fmt;

use model::tree::{Node, Value};

/// Who has said what a setting is, from whoever wins on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A flag.
    CommandLine,
    /// A variable of the environment.
    Environment,
    /// An option of the Application object.
    Application,
    /// The settings file.
    BootFile,
    /// Nobody.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CommandLine => "command_line",
            Self::Environment => "environment",
            Self::Application => "application",
            Self::BootFile => "boot_file",
            Self::Default => "default",
        })
    }
}

/// Which keys of the boot settings have been given, and by whom. Settings that a program has made
/// itself have no origins: all of their keys count as defaults.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Origins {
    pub(super) command_line: Vec<String>,
    pub(super) environment: Vec<String>,
    pub(super) file: Vec<String>,
}

impl Origins {
    /// Who has given the value of a key, `rs.http`; of a section: the first who has given any of
    /// its keys.
    #[must_use]
    pub fn of(&self, key: &str) -> Origin {
        let has = |given: &[String]| {
            given.iter().any(|one| is_at_or_below(one, key) || is_at_or_below(key, one))
        };
        if has(&self.command_line) {
            Origin::CommandLine
        } else if has(&self.environment) {
            Origin::Environment
        } else if has(&self.file) {
            Origin::BootFile
        } else {
            Origin::Default
        }
    }

    /// Whether no option of the Application object lies over this key.
    #[must_use]
    pub fn is_fixed(&self, key: &str) -> bool {
        matches!(self.of(key), Origin::CommandLine | Origin::Environment)
    }
}

/// Whether a key is another one, or one of its keys or items.
pub(super) fn is_at_or_below(path: &str, above: &str) -> bool {
    let rest = path.strip_prefix(above);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// All keys of a file that are no sections.
pub(super) fn keys(root: &Node) -> Vec<String> {
    let mut all = Vec::new();
    collect(root, "", &mut all);
    all
}

fn collect(node: &Node, path: &str, all: &mut Vec<String>) {
    match &node.value {
        Value::Map(entries) => {
            for (key, below) in entries {
                let dot = if path.is_empty() { "" } else { "." };
                collect(below, &format!("{path}{dot}{}", key.text), all);
            }
        }
        Value::Null => {}
        _ => all.push(path.to_owned()),
    }
}
