//! `ringmaster-fuzz [TARGET…] [--runs N | --minutes N] [--seed N] [--replay FILE] [--distil]`:
//! the program behind `cargo xtask fuzz` and the fuzz step of `cargo xtask ci`.
#![expect(clippy::print_stdout, reason = "a command line tool talks on stdout")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fuzz::distil::distil;
use fuzz::guard::{Guard, caught};
use fuzz::hunt::{Bound, Places, hunt};
use fuzz::target::{TARGETS, Target};
use fuzz::{corpus, coverage};

const USAGE: &str = "usage: ringmaster-fuzz [TARGET…] [--runs N | --minutes N] [--seed N] \
    [--found DIR] [--replay FILE] [--distil]";

/// What the command line says.
struct Args {
    targets: Vec<&'static Target>,
    runs: Option<u64>,
    minutes: f64,
    seed: u64,
    found: Option<PathBuf>,
    replay: Option<PathBuf>,
    distil: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("fuzz: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args = Args::read(std::env::args().skip(1))?;
    if let Some(file) = &args.replay {
        return replay(&args.targets, file);
    }
    let places =
        Places { artifacts: corpus::folder().join("artifacts"), found: args.found.clone() };
    let guard = Guard::start(places.artifacts.clone());
    if args.distil {
        return args.targets.iter().try_for_each(|target| shrink(target, &guard, &places));
    }
    println!("fuzz: seed {}, {} edges", args.seed, coverage::edges());
    let share = Duration::from_secs_f64(args.minutes * 60.0 / args.targets.len() as f64);
    for target in &args.targets {
        let bound = match args.runs {
            Some(runs) => Bound::Runs((runs * target.share).div_ceil(100)),
            None => Bound::Time(share),
        };
        let report = hunt(target, &guard, args.seed, bound, &places)?;
        let found = report.found;
        println!(
            "fuzz: {:<12} {:>9} runs, {} inputs + {found}, {} edges, slowest {:?}",
            target.name, report.runs, report.seeds, report.edges, report.slowest
        );
    }
    Ok(())
}

impl Args {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut args = Self {
            targets: Vec::new(),
            runs: None,
            minutes: 5.0,
            seed: 1,
            found: None,
            replay: None,
            distil: false,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} wants a value"));
            match word.as_str() {
                "--runs" => args.runs = Some(value()?.parse()?),
                "--minutes" => args.minutes = value()?.parse()?,
                "--seed" => args.seed = value()?.parse()?,
                "--found" => args.found = Some(value()?.into()),
                "--replay" => args.replay = Some(value()?.into()),
                "--distil" => args.distil = true,
                name => match TARGETS.iter().find(|target| target.name == name) {
                    Some(target) => args.targets.push(target),
                    None => bail!("there is no target {name}: {}\n{USAGE}", names()),
                },
            }
        }
        if args.targets.is_empty() {
            args.targets = TARGETS.iter().collect();
        }
        Ok(args)
    }
}

fn names() -> String {
    TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ")
}

/// Runs one file and lets its panic through.
fn replay(targets: &[&Target], file: &Path) -> Result<()> {
    let input = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let [target] = targets else { bail!("--replay wants one target: {}", names()) };
    match caught(|| (target.run)(&input)) {
        Ok(()) => println!("{}: {} bytes, no fault", target.name, input.len()),
        Err(said) => bail!("{}: {said}", target.name),
    }
    Ok(())
}

/// Puts into the committed inputs what of them and of long runs reaches an edge that the named ones
/// do not, and takes out the others.
fn shrink(target: &Target, guard: &Guard, places: &Places) -> Result<()> {
    if coverage::edges() == 0 {
        bail!("this program has no counters: cargo xtask fuzz --distil");
    }
    let before = corpus::distilled(target)?;
    let mut all: Vec<Vec<u8>> = before.iter().map(|(_, input)| input.clone()).collect();
    if let Some(found) = &places.found {
        let folder = found.join(target.name);
        if folder.exists() {
            corpus::read(&folder, &mut all)?;
        }
    }
    all.retain(|input| input.len() <= target.largest);
    let kept = distil(target, guard, &corpus::named(target)?, all)?;
    let folder = corpus::own(target);
    let gone = before.iter().filter(|(_, input)| !kept.contains(input));
    for (file, _) in gone {
        std::fs::remove_file(file).with_context(|| format!("cannot remove {}", file.display()))?;
    }
    for input in &kept {
        corpus::keep(&folder, input)?;
    }
    let bytes: usize = kept.iter().map(Vec::len).sum();
    println!(
        "fuzz: {:<12} {} inputs of {bytes} bytes, {} before",
        target.name,
        kept.len(),
        before.len()
    );
    Ok(())
}
