//! `cargo xtask sim`: lives one life, or many, and says how to live a failing one again.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks: stories on stdout, failures on stderr"
)]

use anyhow::{Context as _, Result, bail};
use sim::life::{self, Plan, Story};

const USAGE: &str = "usage: cargo xtask sim [--seed N [--steps N]] | [--seeds N] [--from N] \
    [--minutes N]; both with [--calls N]; or --ingest, with [--seeds N] [--from N] | --seed N \
    [--crash N]";
/// Lives after which it says how far it is.
const SOME: u64 = 100;

struct Wish {
    seed: Option<u64>,
    from: u64,
    seeds: u64,
    plan: Plan,
}

/// Says how to live a life again that ended in a panic of the product.
struct Again(u64, Plan);

impl Drop for Again {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self(seed, plan) = self;
            eprintln!("again: cargo xtask sim --seed {seed} --calls {}", plan.calls);
        }
    }
}

fn main() -> Result<()> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = args.iter().position(|arg| arg == "--ingest") {
        args.remove(at);
        return ingest(&args);
    }
    let wish = wish(args.into_iter())?;
    if let Some(seed) = wish.seed {
        return one(seed, wish.plan);
    }
    let mut sum = Story::default();
    for seed in wish.from..wish.from.saturating_add(wish.seeds) {
        if seed > wish.from && (seed - wish.from).is_multiple_of(SOME) {
            println!("seeds {} to {}: {sum:?}", wish.from, seed - 1);
        }
        let _again = Again(seed, wish.plan);
        match life::run(seed, wish.plan) {
            Ok(story) => add(&mut sum, &story),
            Err(fault) => {
                eprintln!("{fault}");
                bail!("again: cargo xtask sim --seed {seed} --calls {}", wish.plan.calls);
            }
        }
    }
    println!("{} seeds from {}: {sum:?}", wish.seeds, wish.from);
    Ok(())
}

/// Lives of ingest: each seed at every point at which the power may go.
fn ingest(args: &[String]) -> Result<()> {
    let (mut from, mut seeds, mut crash) = (1, 4, None);
    let mut one = None;
    for pair in args.chunks(2) {
        let [name, value] = pair else { bail!("{USAGE}") };
        let value: u64 = value.parse().with_context(|| format!("{name} {value}: {USAGE}"))?;
        match name.as_str() {
            "--seed" => one = Some(value),
            "--from" => from = value,
            "--seeds" => seeds = value,
            "--crash" => crash = Some(value),
            _ => bail!("{name}: {USAGE}"),
        }
    }
    let mut story = sim::ingest::Story::default();
    let lived = match one {
        Some(seed) => sim::ingest::life(seed, crash, &mut story).map(drop),
        None => (from..from.saturating_add(seeds))
            .try_for_each(|seed| sim::ingest::sweep(seed, &mut story)),
    };
    if let Err(fault) = lived {
        let crash = fault.crash.map_or_else(String::new, |crash| format!(" --crash {crash}"));
        eprintln!("{fault}");
        bail!("again: cargo xtask sim --ingest --seed {}{crash}", fault.seed);
    }
    println!("{story}");
    Ok(())
}

fn one(seed: u64, plan: Plan) -> Result<()> {
    let story = life::run(seed, plan)?;
    println!("{story:?}\ntrace {:016x}", story.trace);
    Ok(())
}

fn add(sum: &mut Story, story: &Story) {
    sum.trace ^= story.trace;
    sum.steps += story.steps;
    sum.calls += story.calls;
    sum.answered += story.answered;
    for (sum, own) in sum.kinds.iter_mut().zip(story.kinds) {
        *sum += own;
    }
    sum.crashes += story.crashes;
    sum.lost += story.lost;
    sum.records += story.records;
    sum.repeated += story.repeated;
    for (sum, own) in sum.streams.iter_mut().zip(story.streams) {
        *sum += own;
    }
}

fn wish(mut args: impl Iterator<Item = String>) -> Result<Wish> {
    let mut wish = Wish { seed: None, from: 1, seeds: 100, plan: Plan::FULL };
    while let Some(name) = args.next() {
        let value = args.next().context(USAGE)?;
        let value: u64 = value.parse().with_context(|| format!("{name} {value}: {USAGE}"))?;
        match name.as_str() {
            "--seed" => wish.seed = Some(value),
            "--from" => wish.from = value,
            "--seeds" => wish.seeds = value,
            "--steps" => wish.plan.most_steps = value,
            "--calls" => wish.plan.calls = u32::try_from(value).context(USAGE)?,
            _ => bail!("{name}: {USAGE}"),
        }
    }
    Ok(wish)
}
