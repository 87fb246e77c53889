//! Objects from text to snapshot: the examples of the specification, every text of a fault with
//! its place, and what a snapshot answers.
#![expect(clippy::unwrap_used, reason = "a helper that fails, fails its test")]

mod examples;
mod damaged;
mod faults;
mod hints;
mod options;
mod relations;
mod restart;
mod samples;
mod snapshot;

use std::sync::Arc;

use config::objects::from_text;
use model::id::Revision;
use model::schema::{Problem, Warning};
use model::snapshot::Snapshot;

/// Builds a snapshot of a text that is called `o.yaml`.
fn build(text: &str) -> Result<(Snapshot, Vec<Warning>), Vec<Problem>> {
    let documents = from_text(text, Some(Arc::from("o.yaml"))).map_err(|problem| vec![problem])?;
    Snapshot::build(&documents, Revision(7))
}

/// The faults of a text, as they are printed; the object behind each is looked at in `hints`.
fn faults(text: &str) -> Vec<String> {
    match build(text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(line).collect(),
    }
}

fn line(problem: &Problem) -> String {
    Problem { object: None, ..problem.clone() }.to_string()
}
