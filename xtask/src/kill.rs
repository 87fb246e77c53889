//! `cargo xtask kill [--kills N] [--seed N] [--database URL]`: RS is killed, and its power cut, at
//! random moments while producers send; the end-to-end tests of CI with as many as told, on files
//! and on a PostgreSQL of their own, or on the server of the URL.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::{cargo, run as step};

const USAGE: &str = "usage: cargo xtask kill [--kills N] [--seed N] [--database URL]";
/// On files and on a PostgreSQL of their own.
const TESTS: &str = "kill::";
/// On the server of the URL.
const ON_URL: &str = "kill::what_was_acknowledged_survives_every_kill";
/// Kills unless told otherwise (rs.md §14, 6).
const KILLS: &str = "50";

pub(crate) fn run(root: &Path, args: &[String]) -> Result<()> {
    let tests = if args.iter().any(|arg| arg == "--database") { ON_URL } else { TESTS };
    let test = ["test", "--locked", "--package", "ringmaster", "--test", "e2e", "--", tests];
    let mut command = cargo(root, &test);
    command.arg("--nocapture").env("RINGMASTER_KILLS", KILLS);
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
