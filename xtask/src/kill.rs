//! `cargo xtask kill [--kills N] [--seed N] [--database URL]`: RS is killed at random moments while
//! producers send; the end-to-end test of CI, with as many kills as told.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::{cargo, run as step};

const USAGE: &str = "usage: cargo xtask kill [--kills N] [--seed N] [--database URL]";
/// The test; its fellow on PostgreSQL has kills of its own number.
const TEST: &str = "kill::what_was_acknowledged_survives_every_kill";
/// Kills unless told otherwise (rs.md §14, 6).
const KILLS: &str = "50";

pub(crate) fn run(root: &Path, args: &[String]) -> Result<()> {
    let test = ["test", "--locked", "--package", "ringmaster", "--test", "e2e", "--", TEST];
    let mut command = cargo(root, &test);
    command.args(["--exact", "--nocapture"]).env("RINGMASTER_KILLS", KILLS);
    let mut args = args.iter();
    while let Some(name) = args.next() {
        let value = args.next().context(USAGE)?;
        let variable = match name.as_str() {
            "--kills" => "RINGMASTER_KILLS",
            "--seed" => "RINGMASTER_KILL_SEED",
            "--database" => "RINGMASTER_KILL_DATABASE",
            _ => bail!("{name}: {USAGE}"),
        };
        command.env(variable, value);
    }
    step(command)
}
