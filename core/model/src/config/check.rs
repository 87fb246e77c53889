//! The later stages of validation: references, numbers, policy, limits (ops.md §1.3).
//!
//! Each takes the whole set of drafts and notes every fault it finds; a stage runs only when the
//! earlier ones were clean, so that it may rely on them.

pub(crate) mod applications;
pub(crate) mod children;
mod cycles;
mod delta;
pub(crate) mod dids;
pub(crate) mod effect;
mod hunts;
pub(crate) mod limits;
pub(crate) mod policy;
pub(crate) mod references;

use std::net::SocketAddr;
use std::sync::Arc;

pub(crate) use delta::{Delta, Deltas};
pub(crate) use dids::Numbers;
pub(crate) use references::Links;

use super::read::{Drafts, RuleBook};
use crate::schema::{Problem, Problems, Warning};
use crate::snapshot::Snapshot;
use crate::snapshot::link::Linking;

/// Drafts that have passed all stages, and what the stages found out about them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checked {
    pub(crate) drafts: Drafts,
    pub(crate) links: Arc<Links>,
    rules: Arc<RuleBook>,
    numbers: Numbers,
    own: Vec<SocketAddr>,
    /// Of revision 0.
    pub(crate) snapshot: Snapshot,
    /// Of objects that do not go well together (W401, W402, W407), however many.
    pub(crate) warnings: Arc<[Warning]>,
}

/// What is to be checked, beside what has been.
pub(crate) struct Step<'s> {
    pub(crate) old: &'s Drafts,
    pub(crate) drafts: &'s Drafts,
    pub(crate) deltas: &'s Deltas,
    /// Whether addresses of RM itself are others than before.
    pub(crate) own_differs: bool,
    pub(crate) own: &'s [SocketAddr],
}

impl Checked {
    /// Runs all stages after the schema's; no resource may have an address of `own`.
    ///
    /// # Errors
    /// All problems of the first stage that has any, at most 100.
    pub(crate) fn new(drafts: Drafts, own: &[SocketAddr]) -> Result<Self, Vec<Problem>> {
        Self::default().next(drafts, own)
    }

    /// How many patterns of numbers there are.
    pub(crate) fn dids(&self) -> usize {
        self.numbers.len()
    }

    /// The same for drafts of which some are these: what cannot have changed is not looked at.
    ///
    /// # Errors
    /// The same problems, if these drafts are without any.
    pub(crate) fn next(&self, drafts: Drafts, own: &[SocketAddr]) -> Result<Self, Vec<Problem>> {
        let mut deltas = Deltas::of(&self.drafts, &drafts);
        if self.links.parents.is_empty() {
            deltas.nothing_is_alike();
        }
        let own_differs = self.own != own;
        let step = Step { old: &self.drafts, drafts: &drafts, deltas: &deltas, own_differs, own };
        let links = match deltas.alike() {
            true => Arc::clone(&self.links),
            false => stage(|problems| {
                let links = references::check(&drafts, problems);
                children::check(&drafts, &links, problems);
                Arc::new(links)
            })?,
        };
        let numbers = stage(|problems| self.numbers.next(&step, &links, problems))?;
        let rules = stage(|problems| policy::check(&step, &links, &self.rules, problems))?;
        stage(|problems| limits::check(&step, &links, &rules, &numbers, problems))?;
        let linking = Linking {
            before: &self.snapshot,
            drafts: &drafts,
            deltas: &deltas,
            links: &links,
            rules: &rules,
            numbers: &numbers,
        };
        let snapshot = linking.snapshot();
        let warnings = match deltas.go_together() {
            true => Arc::clone(&self.warnings),
            false => {
                let mut warnings = policy::warnings(&snapshot, &drafts, &links);
                warnings.extend(hunts::warnings(&snapshot, &drafts, &links));
                warnings.into()
            }
        };
        let own = own.to_vec();
        Ok(Self { drafts, links, rules, numbers, own, snapshot, warnings })
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
