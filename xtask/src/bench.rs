//! `cargo xtask bench [start|parse|call|decide|api|config|proxy …|ingest …] [--write]`: figures,
//! never timed tests.
//!
//! Each figure is the median of several runs. With `--write` the tables between the marks of
//! `docs/reference/performance.md` are replaced, so that they hold only what was measured.

mod api;
mod call;
mod config;
mod decide;
mod http;
mod ingest;
mod parse;
mod printed;
mod proxy;
mod start;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{cargo, run as step};

/// The page of figures; between its marks stands only what `--write` put there.
pub(crate) const PAGE: &str = "docs/reference/performance.md";
pub(crate) const BEGIN: &str = "<!-- figures: begin -->";
pub(crate) const END: &str = "<!-- figures: end -->";

/// All benches but `proxy` and `ingest`, which are long.
const ALL: [&str; 6] = ["start", "parse", "call", "decide", "api", "config"];

/// One line of the table.
struct Figure {
    what: &'static str,
    goal: &'static str,
    measured: String,
    how: &'static str,
}

/// Runs the benches named; without a name all but `proxy` and `ingest`, which take two minutes.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<()> {
    if let Some(("proxy", rest)) = args.split_first().map(|(name, rest)| (name.as_str(), rest)) {
        return proxy::run(root, rest);
    }
    if let Some(("ingest", rest)) = args.split_first().map(|(name, rest)| (name.as_str(), rest)) {
        return ingest::run(root, rest);
    }
    let named: Vec<&str> =
        args.iter().map(String::as_str).filter(|arg| *arg != "--write").collect();
    if let Some(unknown) = named.iter().find(|name| !ALL.contains(*name)) {
        bail!("there is no bench {unknown}: {}, or proxy or ingest alone", ALL.join(", "));
    }
    let wanted = |name: &str| named.is_empty() || named.contains(&name);
    let mut figures = Vec::new();
    if wanted("start") {
        figures.push(start::run(root)?);
    }
    if wanted("parse") {
        figures.extend(parse::run(root)?);
    }
    if wanted("call") {
        figures.extend(call::run(root)?);
    }
    if wanted("decide") {
        figures.extend(decide::run(root)?);
    }
    if wanted("api") {
        figures.extend(api::run(root)?);
    }
    if wanted("config") {
        figures.extend(config::run(root)?);
    }
    for figure in &figures {
        println!("{}: {} (goal {})", figure.what, figure.measured, figure.goal);
    }
    if args.iter().any(|arg| arg == "--write") {
        if !named.is_empty() {
            bail!("--write replaces the whole table: run all of it");
        }
        write(root, [BEGIN, END], &table(&figures))?;
    }
    Ok(())
}

/// The executable as users get it.
fn built(root: &Path) -> Result<PathBuf> {
    step(cargo(root, &["build", "--release", "--locked", "--package", "ringmaster"]))?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join("release/ringmaster"))
}

fn table(figures: &[Figure]) -> String {
    let mut table = String::from("| what | goal | measured | how |\n|---|---|---|---|\n");
    for figure in figures {
        let Figure { what, goal, measured, how } = figure;
        table.push_str(&format!("| {what} | {goal} | {measured} | {how} |\n"));
    }
    table
}

/// Replaces what stands between two marks of the page of figures.
fn write(root: &Path, [begin, end]: [&str; 2], text: &str) -> Result<()> {
    let path = root.join(PAGE);
    let page = std::fs::read_to_string(&path).context("the page of figures is missing")?;
    let (head, rest) = page.split_once(begin).context("the page has no begin mark")?;
    let (_, tail) = rest.split_once(end).context("the page has no end mark")?;
    std::fs::write(&path, format!("{head}{begin}\n\n{text}\n{end}{tail}"))?;
    println!("wrote {}", path.display());
    Ok(())
}
