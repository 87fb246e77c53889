//! `cargo xtask ci`: what CI and a laptop run, in the order in which failures are cheapest.

use std::path::Path;

use anyhow::Result;

use crate::{cargo, fuzz, run as step, sim, tidy};

/// Runs every step; the first that fails ends it.
pub(crate) fn run(root: &Path) -> Result<()> {
    step(cargo(root, &["fmt", "--all", "--check"]))?;
    tidy::run(root)?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    step(cargo(root, &clippy))?;
    let test = ["test", "--workspace", "--exclude", sim::PACKAGE, "--locked", "--no-fail-fast"];
    step(cargo(root, &test))?;
    sim::tests(root)?;
    sim::bounded(root)?;
    fuzz::bounded(root)?;
    let mut doc = cargo(root, &["doc", "--workspace", "--no-deps", "--locked", "--quiet"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    step(doc)
}
