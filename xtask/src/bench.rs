//! `cargo xtask bench [start|parse] [--write]`: figures, never timed tests.
//!
//! Each figure is the median of several runs. With `--write` the table in
//! `docs/reference/performance.md` is replaced, so that the page holds only what was measured.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{cargo, run as step};

const START_RUNS: usize = 11;
const PARSE_RUNS: usize = 5;

/// The page of figures; between its marks stands only what `--write` put there.
pub(crate) const PAGE: &str = "docs/reference/performance.md";
pub(crate) const BEGIN: &str = "<!-- figures: begin -->";
pub(crate) const END: &str = "<!-- figures: end -->";

/// One line of the table.
struct Figure {
    what: &'static str,
    goal: &'static str,
    measured: String,
    how: &'static str,
}

/// Runs the benches named, or all.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<()> {
    let named: Vec<&str> =
        args.iter().map(String::as_str).filter(|arg| *arg != "--write").collect();
    if let Some(unknown) = named.iter().find(|name| !["start", "parse"].contains(*name)) {
        bail!("there is no bench {unknown}: start, parse");
    }
    let wanted = |name: &str| named.is_empty() || named.contains(&name);
    let mut figures = Vec::new();
    if wanted("start") {
        figures.push(start(root)?);
    }
    if wanted("parse") {
        figures.extend(parse(root)?);
    }
    for figure in &figures {
        println!("{}: {} (goal {})", figure.what, figure.measured, figure.goal);
    }
    if args.iter().any(|arg| arg == "--write") {
        if !named.is_empty() {
            bail!("--write replaces the whole table: run all benches");
        }
        write(root, &figures)?;
    }
    Ok(())
}

/// From the start of the process on an empty directory to the line `ready`.
fn start(root: &Path) -> Result<Figure> {
    step(cargo(root, &["build", "--release", "--locked", "--package", "ringmaster"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root.join("target"), std::path::PathBuf::from);
    let program = target.join("release/ringmaster");
    let mut times = Vec::with_capacity(START_RUNS);
    for number in 0..START_RUNS {
        let dir =
            std::env::temp_dir().join(format!("ringmaster-bench-{}-{number}", std::process::id()));
        let took = one_start(&program, &dir)?;
        std::fs::remove_dir_all(&dir).context("cannot remove the data directory of a run")?;
        times.push(took);
    }
    times.sort_unstable();
    let measured = format!(
        "{} ms (fastest {}, slowest {})",
        times[START_RUNS / 2].as_millis(),
        times[0].as_millis(),
        times[START_RUNS - 1].as_millis()
    );
    Ok(Figure {
        what: "`standalone`, empty directory, start to `ready`",
        goal: "< 1 s",
        measured,
        how: "median of 11 starts, from fork to the line `ready` on stdout; free ports",
    })
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn one_start(program: &Path, dir: &Path) -> Result<Duration> {
    let begun = Instant::now();
    let mut child = Command::new(program)
        .args(["standalone", "--demo", "--cps", "0", "--data-dir"])
        .arg(dir)
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let stdout = child.stdout.take().context("stdout was asked for")?;
    let mut lines = BufReader::new(stdout).lines();
    let ready = lines.by_ref().map_while(Result::ok).any(|line| line.trim() == "ready");
    let took = begun.elapsed();
    child.kill()?;
    child.wait()?;
    if !ready {
        bail!("{} ended without `ready`", program.display());
    }
    Ok(took)
}

/// Parsing one INVITE of 1 KiB, by the bench of `proto/sip`.
fn parse(root: &Path) -> Result<Vec<Figure>> {
    let mut runs = Vec::with_capacity(PARSE_RUNS);
    for _ in 0..PARSE_RUNS {
        let args =
            ["bench", "--locked", "--quiet", "--package", "ringmaster-sip", "--bench", "parse"];
        let output = cargo(root, &args).output().context("cannot run the parse bench")?;
        if !output.status.success() {
            bail!("the parse bench failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let value = |key: &str| -> Result<f64> {
            let found = text.split_whitespace().find_map(|word| word.strip_prefix(key));
            Ok(found.with_context(|| format!("the parse bench printed no {key}"))?.parse()?)
        };
        runs.push((value("ns=")?, value("allocs=")?));
    }
    runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ns, allocs) = runs[PARSE_RUNS / 2];
    let how = "median of 5 runs of `cargo bench -p ringmaster-sip --bench parse`";
    Ok(vec![
        Figure {
            what: "parse one INVITE of 1 KiB",
            goal: "< 1 µs",
            measured: format!("{ns:.0} ns"),
            how,
        },
        Figure {
            what: "allocations to parse it",
            goal: "none",
            measured: format!("{allocs:.0}"),
            how: "counting allocator in the same bench",
        },
    ])
}

fn write(root: &Path, figures: &[Figure]) -> Result<()> {
    let path = root.join(PAGE);
    let page = std::fs::read_to_string(&path).context("the page of figures is missing")?;
    let (head, rest) = page.split_once(BEGIN).context("the page has no begin mark")?;
    let (_, tail) = rest.split_once(END).context("the page has no end mark")?;
    let mut table = String::from("\n\n| what | goal | measured | how |\n|---|---|---|---|\n");
    for figure in figures {
        let Figure { what, goal, measured, how } = figure;
        table.push_str(&format!("| {what} | {goal} | {measured} | {how} |\n"));
    }
    std::fs::write(&path, format!("{head}{BEGIN}{table}\n{END}{tail}"))?;
    println!("wrote {}", path.display());
    Ok(())
}
