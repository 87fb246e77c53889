//! The loop: pick an input, change it, run it, keep it when it reached something new.
//!
//! Bounded by runs it is deterministic: the same seed gives the same inputs. Bounded by time it
//! goes on from what earlier runs found, and leaves there what it found itself.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use model::chance::Chance;

use crate::corpus;
use crate::coverage::{self, Seen};
use crate::guard::{Guard, replay};
use crate::mutate::mutate;
use crate::target::Target;

/// Inputs kept in memory; a run that found more has long left the first ones behind.
const KEPT: usize = 20_000;

/// When a hunt ends.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// After so many inputs.
    Runs(u64),
    /// After so much time.
    Time(Duration),
}

/// Where a hunt leaves files.
#[derive(Clone, Debug)]
pub struct Places {
    /// Inputs that crashed.
    pub artifacts: PathBuf,
    /// Inputs that reached something new; `None`: they are forgotten.
    pub found: Option<PathBuf>,
}

/// What came of a hunt.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Inputs that were run.
    pub runs: u64,
    /// Inputs at the start, and how many were found.
    pub seeds: usize,
    /// Inputs that reached something new.
    pub found: usize,
    /// Edges reached.
    pub edges: usize,
    /// The longest that one input took.
    pub slowest: Duration,
}

/// A target with its inputs.
struct Hunt<'t> {
    target: &'t Target,
    guard: &'t Guard,
    artifacts: &'t Path,
    chance: Chance,
    inputs: Vec<Vec<u8>>,
    seen: Seen,
    report: Report,
}

/// Hunts with one target.
///
/// # Errors
/// An input that crashes: what the panic said, and how to replay it.
pub fn hunt(
    target: &Target,
    guard: &Guard,
    seed: u64,
    bound: Bound,
    places: &Places,
) -> Result<Report> {
    let mut seeds = corpus::committed(target)?;
    let found = places.found.as_ref().map(|folder| folder.join(target.name));
    if let Some(folder) = found.as_ref().filter(|folder| folder.exists()) {
        corpus::read(folder, &mut seeds)?;
    }
    let mut hunt = Hunt {
        target,
        guard,
        artifacts: &places.artifacts,
        chance: Chance::new([seed, 2, 3, 4]),
        inputs: Vec::new(),
        seen: Seen::default(),
        report: Report { seeds: seeds.len(), ..Report::default() },
    };
    for input in &seeds {
        hunt.run(input)?;
    }
    hunt.inputs = seeds;
    hunt.changes(bound, found.as_deref())?;
    hunt.report.edges = hunt.seen.edges();
    Ok(hunt.report)
}

impl Hunt<'_> {
    #[expect(clippy::disallowed_methods, reason = "a long run is bounded by time")]
    fn changes(&mut self, bound: Bound, found: Option<&Path>) -> Result<()> {
        let begun = Instant::now();
        let first = self.report.runs;
        let over = |runs: u64| match bound {
            Bound::Runs(most) => runs - first >= most,
            Bound::Time(most) => begun.elapsed() >= most,
        };
        while !over(self.report.runs) {
            let mut input = self.pick();
            let other = self.pick();
            mutate(&mut self.chance, &mut input, self.target.words, &other);
            if self.run(&input)? {
                self.report.found += 1;
                if let Some(folder) = found {
                    corpus::keep(folder, &input)?;
                }
                if self.inputs.len() < KEPT {
                    self.inputs.push(input);
                }
            }
        }
        Ok(())
    }

    /// Often one of the latest: what they reached is least explored.
    fn pick(&mut self) -> Vec<u8> {
        let count = self.inputs.len() as u64;
        let from = if self.chance.below(3) == 0 { count - count.min(32) } else { 0 };
        let at = from + self.chance.below(count - from);
        usize::try_from(at).ok().and_then(|at| self.inputs.get(at)).cloned().unwrap_or_default()
    }

    /// Runs one input; true when it reached something new.
    #[expect(clippy::disallowed_methods, reason = "the slowest input is worth a look")]
    fn run(&mut self, input: &[u8]) -> Result<bool> {
        self.report.runs += 1;
        coverage::reset();
        let begun = Instant::now();
        let result = self.guard.run(self.target, input);
        self.report.slowest = self.report.slowest.max(begun.elapsed());
        if let Err(said) = result {
            let name = self.target.name;
            let file = corpus::keep_artifact(self.artifacts, name, input);
            bail!("{name}, run {}: {said}\n{}", self.report.runs, replay(name, &file));
        }
        Ok(self.seen.add())
    }
}
