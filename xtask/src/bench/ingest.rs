//! `cargo xtask bench ingest`: how many records a second are taken and on disk when that is said,
//! here and by Debian's ActiveMQ (KahaDB, synced for each commit), from the same Java producers.
//!
//! The systems take turns, so that what disturbs the machine disturbs all of them; medians of the
//! turns stand in the table. Two further ones are ours without an applier, and ours on a disk that
//! forgets (`server/rsd/benches/endpoint.rs`): what the endpoint and the producers leave room for.

mod cluster;
mod disk;
mod plan;
mod producers;
mod server;
mod steady;
mod store;
mod system;
mod tables;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use self::plan::Plan;
use self::producers::Load;
use self::system::{Running, System};
use crate::cargo;

const MARKS: [&str; 2] = ["<!-- ingest: begin -->", "<!-- ingest: end -->"];
const STORE_MARKS: [&str; 2] = ["<!-- store: begin -->", "<!-- store: end -->"];

/// What systems and producers are made from.
struct Tools {
    /// The executable `ringmaster`.
    program: PathBuf,
    /// The bench `endpoint`.
    endpoint: PathBuf,
    /// ActiveMQ as a program.
    broker: PathBuf,
    /// The producers.
    producers: PathBuf,
}

/// What one turn of one system has shown.
#[derive(Debug, Clone)]
struct Sample {
    system: System,
    producers: u32,
    load: Load,
    /// Processor time for each message answered, µs.
    cpu_us: f64,
    /// Resident memory at the end, bytes.
    memory: f64,
    /// From SIGKILL and a start at once to an accepted connection, s.
    back: f64,
}

/// Installs what is missing, measures, prints the table.
pub(super) fn run(root: &Path, args: &[String]) -> Result<()> {
    let plan = Plan::parse(args)?;
    if plan.store {
        let table = store::table(&plan, &store::run(root, &plan)?);
        return shown(root, &plan, STORE_MARKS, &table);
    }
    need_packages(root)?;
    let tools = Tools {
        program: super::built(root)?,
        endpoint: endpoint(root)?,
        broker: root.join("app/tests/e2e/java/Broker.java"),
        producers: root.join("xtask/src/bench/ingest/Producers.java"),
    };
    if plan.steady {
        println!("{}", steady::run(root, &plan, &tools)?);
        return Ok(());
    }
    eprintln!("{plan}");
    let (mut samples, mut syncs) = (Vec::new(), Vec::new());
    for turn in 1..=plan.turns {
        syncs.push(disk::syncs_per_second()?);
        for producers in &plan.producers {
            for system in &plan.systems {
                let sample = measure(&tools, &plan, *system, *producers);
                super::proxy::told(turn, sample, &mut samples);
            }
        }
    }
    shown(root, &plan, MARKS, &tables::ingest(&plan, &samples, &syncs))
}

fn shown(root: &Path, plan: &Plan, marks: [&str; 2], table: &str) -> Result<()> {
    println!("{table}");
    if plan.write {
        super::write(root, marks, table.trim_end_matches('\n')).context("the table is lost")?;
    }
    Ok(())
}

/// One system, started for it, under the load of so many producers.
fn measure(tools: &Tools, plan: &Plan, system: System, producers: u32) -> Result<Sample> {
    let running = Running::start(tools, system)?;
    let mut before = 0.0;
    let mut after = 0.0;
    let address = running.address;
    let load = producers::run(tools, plan, address, producers, |word| {
        let cpu = running.process.cpu_us()?;
        *(if word == "begin" { &mut before } else { &mut after }) = cpu;
        Ok(())
    })?;
    let memory = running.process.pss()?;
    let answered = load.rate * f64::from(plan.seconds);
    let back = running.killed_and_back(tools)?;
    Ok(Sample { system, producers, load, cpu_us: (after - before) / answered, memory, back })
}

fn need_packages(root: &Path) -> Result<()> {
    let wanted = "javac:default-jdk-headless /usr/share/java/activemq-broker.jar:libactivemq-java \
                  /usr/share/java/slf4j-nop.jar:libslf4j-java";
    let mut command = Command::new("bash");
    command.current_dir(root).arg("-c").arg(format!(". deploy/tools.sh; need_packages {wanted}"));
    crate::run(command)
}

/// Builds the bench of RS's endpoint; its executable.
fn endpoint(root: &Path) -> Result<PathBuf> {
    let args = ["bench", "--locked", "--no-run", "--message-format", "json"];
    let mut command = cargo(root, &args);
    command.args(["--package", "ringmaster-rsd", "--bench", "endpoint"]);
    let output = command.output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!("the endpoint does not build: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut found = text.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let named = message["target"]["name"] == "endpoint";
        message["executable"].as_str().filter(|_| named).map(PathBuf::from)
    });
    found.next_back().context("cargo tells of no executable")
}
