//! The only door: `cargo xtask ci`, `tidy`, `bench`, `fuzz`, `kill`, `sim`. A laptop and CI run the
//! same commands.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks: figures on stdout, how far it is on stderr"
)]

mod bench;
mod ci;
mod conformance;
mod fuzz;
mod kill;
mod sim;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let root = root()?;
    match args.next().as_deref() {
        Some("ci") => ci::run(&root),
        Some("tidy") => tidy::run(&root),
        Some("bench") => bench::run(&root, &args.collect::<Vec<_>>()),
        Some("fuzz") => fuzz::run(&root, &args.collect::<Vec<_>>()),
        Some("conformance") => conformance::run(&root, &args.collect::<Vec<_>>()),
        Some("kill") => kill::run(&root, &args.collect::<Vec<_>>()),
        Some("sim") => sim::run(&root, &args.collect::<Vec<_>>()),
        _ => bail!(
            "usage: cargo xtask ci | tidy | bench [start|parse|call|proxy …] [--write] | \
             conformance … | fuzz [TARGET…] | kill [--kills N …] | sim [--seed N …]"
        ),
    }
}

/// The root of the workspace: the parent of this crate's folder.
fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(here.parent().context("xtask lies in the workspace")?.to_path_buf())
}

/// A cargo command in the workspace, with the cargo that runs this tool.
fn cargo(root: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root).args(args);
    command
}

/// Runs a command, shows it, and fails when it fails.
fn run(mut command: Command) -> Result<()> {
    println!("$ {}", shown(&command));
    let status = command.status().with_context(|| format!("cannot run {}", shown(&command)))?;
    if !status.success() {
        bail!("{} failed: {status}", shown(&command));
    }
    Ok(())
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let mut text = program.to_string_lossy().into_owned();
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}
