//! The later stages of validation: references, numbers, policy, limits (ops.md §1.3).
//!
//! Each takes the whole set of drafts and notes every fault it finds; a stage runs only when the
//! earlier ones were clean, so that it may rely on them.

pub(crate) mod applications;
pub(crate) mod children;
mod cycles;
pub(crate) mod dids;
pub(crate) mod effect;
pub(crate) mod limits;
pub(crate) mod policy;
pub(crate) mod references;

pub(crate) use references::Links;

use std::net::SocketAddr;

use super::read::{Drafts, RuleBook};
use crate::schema::{Problem, Problems};

/// Drafts that have passed all stages, and what the stages found out about them.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) drafts: Drafts,
    pub(crate) links: Links,
    pub(crate) rules: RuleBook,
}

impl Checked {
    /// Runs all stages after the schema's; no resource may have an address of `own`.
    ///
    /// # Errors
    /// All problems of the first stage that has any, at most 100.
    pub(crate) fn new(drafts: Drafts, own: &[SocketAddr]) -> Result<Self, Vec<Problem>> {
        let links = stage(|problems| {
            let links = references::check(&drafts, problems);
            children::check(&drafts, &links, problems);
            links
        })?;
        stage(|problems| dids::check(&drafts, &links, problems))?;
        let rules = stage(|problems| policy::check(&drafts, &links, own, problems))?;
        stage(|problems| limits::check(&drafts, &links, &rules, problems))?;
        Ok(Self { drafts, links, rules })
    }
}

/// What a stage gives, if it finds nothing wrong.
pub(crate) fn stage<T>(run: impl FnOnce(&Problems) -> T) -> Result<T, Vec<Problem>> {
    let problems = Problems::default();
    let value = run(&problems);
    if problems.is_empty() {
        return Ok(value);
    }
    let mut problems = problems.take();
    problems.sort_by(|a, b| (&a.file, a.at).cmp(&(&b.file, b.at)));
    Err(problems)
}
