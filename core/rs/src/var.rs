//! Voice application reporting (rs.md §2.5): what an application said in a call becomes the rows
//! `var_call`, `var_action` and `var_custom`.
//!
//! A report is a call event whose label begins with [`PREFIX`]; a record of kind `var` is stored
//! as one too, in the same spelling (`spell`), so that there is one way to read them (`grammar`).
//! The rows are a pure function of the set of a call's reports and of its own row: they are made
//! again whenever one arrives late. What breaks a rule stays an event and is only counted.

mod evaluate;
mod grammar;
mod spell;

use serde::Serialize;

use crate::key::Key;

pub use evaluate::{Evaluated, evaluate};
pub(crate) use spell::spell;

/// How the label of a report begins.
pub const PREFIX: &str = "com.genesyslab.var.";

/// One report, in the order in which reports of a call are read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Report {
    /// When it happened.
    pub time_ms: i64,
    /// Number in its id: order within a millisecond.
    pub number: i64,
    /// Its ledger key: the last word.
    pub id_key: Key,
    /// What follows [`PREFIX`].
    pub label: String,
    /// Its fields, with pipes between.
    pub text: String,
}

/// The rule that a report broke; what `rs_var_ignored_total` is counted by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rule {
    /// No label of the table in rs.md §2.5.
    Label,
    /// An action's id has 1 to 64 characters without blank and pipe.
    ActionId,
    /// The named parent was not started.
    Parent,
    /// The end of an action that is not open.
    NotOpen,
    /// Notes of an action that was not started.
    NotStarted,
    /// Neither `SUCCESS` nor `FAILED` nor `UNKNOWN`.
    Result,
    /// A custom variable's name has 1 to 64 characters.
    Name,
    /// The notes are full: what did not fit is left out.
    NotesFull,
    /// The call has all the actions that it may have.
    TooManyActions,
    /// The call has all the custom variables that it may have.
    TooManyVariables,
    /// The call has all the reports that are read.
    TooManyReports,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Label,
        Self::ActionId,
        Self::Parent,
        Self::NotOpen,
        Self::NotStarted,
        Self::Result,
        Self::Name,
        Self::NotesFull,
        Self::TooManyActions,
        Self::TooManyVariables,
        Self::TooManyReports,
    ];

    /// Value of the metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::ActionId => "action_id",
            Self::Parent => "parent",
            Self::NotOpen => "not_open",
            Self::NotStarted => "not_started",
            Self::Result => "result",
            Self::Name => "name",
            Self::NotesFull => "notes_full",
            Self::TooManyActions => "too_many_actions",
            Self::TooManyVariables => "too_many_variables",
            Self::TooManyReports => "too_many_reports",
        }
    }
}

/// All rows of one call; they replace those of before.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct VarRows {
    /// The row of `var_call`; `None`: nothing was reported, and nothing had to be.
    pub call: Option<VarCallRow>,
    /// The rows of `var_action`, by `n`.
    pub actions: Vec<VarActionRow>,
    /// The rows of `var_custom`, by name.
    pub custom: Vec<VarCustomRow>,
}

/// One row of `var_call`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct VarCallRow {
    /// `result`: number of the word; `None` while nobody has said one and the call is in progress.
    pub result: Option<u8>,
    /// `reason`.
    pub reason: Option<String>,
    /// `notes`.
    pub notes: Option<String>,
    /// `actions`: how many.
    pub actions: u32,
    /// `ignored`: reports that broke a rule.
    pub ignored: u32,
}

/// One row of `var_action`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct VarActionRow {
    /// `n`: order of the starts, from 1.
    pub n: u32,
    /// `action`.
    pub action: String,
    /// `parent_n`: the instance of the parent that was started last.
    pub parent_n: Option<u32>,
    /// `started_ms`.
    pub started_ms: i64,
    /// `ended_ms`; `None` = open, in a call in progress.
    pub ended_ms: Option<i64>,
    /// `result`: number of the word.
    pub result: Option<u8>,
    /// `reason`.
    pub reason: Option<String>,
    /// `notes`.
    pub notes: Option<String>,
    /// `is_last`: the last one to start.
    pub is_last: bool,
}

/// One row of `var_custom`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct VarCustomRow {
    /// `name`.
    pub name: String,
    /// `value`.
    pub value: String,
}

#[cfg(test)]
mod tests;
