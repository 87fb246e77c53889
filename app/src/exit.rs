//! The one table of exit codes (spec ops.md §2), for every command and daemon.

use std::fmt;
use std::process::ExitCode;

/// Why a command ends without having done what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The answer is no.
    No = 1,
    /// Wrong usage (clap ends with the same code by itself).
    Usage = 2,
    /// Invalid objects.
    Invalid = 3,
    /// What was asked for does not exist.
    NotFound = 4,
    /// It is not as it was, or not yet.
    Conflict = 5,
    /// Not allowed.
    Forbidden = 6,
    /// A peer did not answer.
    PeerAway = 7,
    /// Address in use, directory locked, volume full or not writable.
    Local = 8,
    /// A fault of ours.
    Internal = 70,
    /// Settings refused, or a part that this version does not have.
    Settings = 78,
    /// A second Ctrl-C.
    Interrupted = 130,
    /// A second SIGTERM.
    Terminated = 143,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A failure as the user sees it: text for stderr, code for the shell.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
