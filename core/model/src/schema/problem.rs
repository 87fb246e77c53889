//! One problem, and the list that a stage collects.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::config::limits::MAX_PROBLEMS;
use crate::tree::Position;

/// Something wrong in a configuration, printed `file:line:column: CODE: text`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The code of docs/reference/errors.md: `E…` blocks, `W…` does not.
    pub code: &'static str,
    /// Where; zeros where it is not known.
    pub at: Position,
    /// The field: `spec.policy.usage_limit`; empty for the whole document.
    pub path: String,
    /// What was expected and what was found.
    pub message: String,
    /// The file, if it came from one.
    pub file: Option<Arc<str>>,
    /// The platform object that it is in, where that is known.
    pub object: Option<Arc<Named>>,
}

/// A platform object, as problems name it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Named {
    /// Its kind.
    pub kind: String,
    /// Its tenant, of objects that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\"", self.kind, self.name)?;
        match &self.tenant {
            Some(tenant) => write!(f, " of tenant \"{tenant}\""),
            None => Ok(()),
        }
    }
}

/// A problem that blocks nothing.
pub type Warning = Problem;

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
        }
        if self.at.line > 0 {
            write!(f, "{}:{}:", self.at.line, self.at.column)?;
        }
        if self.file.is_some() || self.at.line > 0 {
            f.write_str(" ")?;
        }
        write!(f, "{}: {}", self.code, self.message)?;
        let Some(object) = &self.object else { return Ok(()) };
        // what the text says already is not said again
        let unnamed = !self.message.contains(&format!("\"{}\"", object.name));
        let field = below_spec(&self.path);
        let unsaid = !self.path.is_empty() && !self.message.contains(&format!("\"{field}\""));
        match (unnamed, unsaid) {
            (true, true) => write!(f, " ({object}, {field})"),
            (true, false) => write!(f, " ({object})"),
            (false, true) => write!(f, " ({field})"),
            (false, false) => Ok(()),
        }
    }
}

/// A path as messages name it.
pub(super) fn below_spec(path: &str) -> &str {
    path.strip_prefix("spec.").unwrap_or(if path.is_empty() { "document" } else { path })
}

impl std::error::Error for Problem {}

impl Serialize for Problem {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut out = serializer.serialize_struct("Problem", 7)?;
        out.serialize_field("code", self.code)?;
        out.serialize_field("file", &self.file.as_deref())?;
        out.serialize_field("object", &self.object.as_deref())?;
        out.serialize_field("line", &self.at.line)?;
        out.serialize_field("column", &self.at.column)?;
        out.serialize_field("path", &self.path)?;
        out.serialize_field("message", &self.message)?;
        out.end()
    }
}

/// The problems of a stage, at most [`MAX_PROBLEMS`]; shared by all readers of the stage.
#[derive(Debug, Default)]
pub struct Problems {
    list: RefCell<Vec<Problem>>,
}

impl Problems {
    /// Notes a problem, unless the list is full.
    pub fn note(&self, problem: Problem) {
        let mut list = self.list.borrow_mut();
        if list.len() < MAX_PROBLEMS {
            list.push(problem);
        }
    }

    /// Whether nothing was noted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.borrow().is_empty()
    }

    /// The problems in the order in which they were noted.
    #[must_use]
    pub fn take(self) -> Vec<Problem> {
        self.list.into_inner()
    }
}
