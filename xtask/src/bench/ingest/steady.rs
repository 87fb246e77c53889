//! `bench ingest --steady`: the whole server on a database that is full, under a load that it is
//! to bear for minutes; without its database for minutes; killed while much waits (rs.md §13).

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::cluster::Cluster;
use super::plan::Plan;
use super::server::{Database, Server, Told};
use super::{Tools, producers, store};
use crate::bench::proxy::{median, now};

const SECOND: Duration = Duration::from_secs(1);
/// Share of the rate that goes on while the database is away.
const AWAY: u32 = 5;
/// What waits no longer than this is what is under way, s.
const GONE: f64 = 2.0;
/// A backlog has so many times the outage to be gone.
const PATIENCE: u32 = 4;

/// What was seen, as rows of a table.
#[derive(Default)]
struct Rows(Vec<[String; 2]>);

/// Fills the database if it is empty, then measures; the table.
pub(super) fn run(root: &Path, plan: &Plan, tools: &Tools) -> Result<String> {
    if plan.seed > 0 {
        store::fill(root, plan)?;
    }
    let database = match &plan.database {
        Some(url) => Database::Url(url.clone()),
        None => Database::Files(store::files(root, plan)),
    };
    let mut rows = Rows::default();
    let mut server = Server::start(&tools.program, &database)?;
    rows.add("calls stored before", plan.seed.to_string());
    rows.add("listens after a start", format!("{:.2} s", server.took));
    for producers in plan.producers.iter().filter(|_| plan.seconds > 0) {
        load(plan, tools, *producers, &server, &mut rows)?;
        server = server.killed_and_back()?;
        rows.add("listens after SIGKILL", format!("{:.2} s", server.took));
    }
    let cluster = plan.cluster.clone().map(Cluster::new);
    if plan.outage > 0 {
        outage(plan, tools, &server, cluster.as_ref().context("--cluster is missing")?, &mut rows)?;
    }
    if plan.unapplied > 0 {
        let cluster = cluster.context("--cluster is missing")?;
        unapplied(plan, tools, server, &cluster, &mut rows)?;
    }
    Ok(rows.table())
}

/// So many messages a second for so many seconds.
fn load(
    plan: &Plan,
    tools: &Tools,
    producers: u32,
    server: &Server,
    rows: &mut Rows,
) -> Result<()> {
    let mut child = producers::begun(tools, plan, server.address, producers, plan.rate)?;
    producers::are_measured(&mut child)?;
    let (begin, before, cpu) = (now(), server.told()?, server.process.cpu_us()?);
    let mut seen = Vec::new();
    while begin.elapsed() + SECOND < SECOND * plan.seconds {
        sleep(SECOND);
        seen.push(server.told()?);
    }
    let last = *seen.last().context("no second was measured")?;
    let took = begin.elapsed().as_secs_f64();
    let sent = producers::ended(child)?;
    // what is left costs too
    let mut end = server.told()?;
    while end.waiting > 0.0 {
        sleep(SECOND);
        end = server.told()?;
    }
    let per_record = (server.process.cpu_us()? - cpu) / (end.stored - before.stored);
    let stored = last.stored - before.stored;
    let of = |value: fn(&Told) -> f64| seen.iter().map(value);
    let most = |value| of(value).fold(0.0, f64::max);
    let late = seen.iter().filter(|told| told.lag >= GONE).count();
    rows.add(
        "load",
        format!("{} messages/s of {producers} producers, for {} s", plan.rate, plan.seconds),
    );
    rows.add("answered", format!("{:.0}/s", sent.rate));
    rows.add("answer p50, p99", format!("{:.2}, {:.1} ms", sent.p50_ms, sent.p99_ms));
    rows.add("into the database", format!("{:.0} records/s", stored / took));
    rows.add(
        "age of the oldest that waits, each second",
        format!(
            "median {:.1} s, longest {:.1} s; {late} of {} seconds with {GONE:.0} s or more",
            median(of(|told| told.lag)),
            most(|told| told.lag),
            seen.len()
        ),
    );
    rows.add("waiting, most", format!("{:.0} records", most(|told| told.waiting)));
    rows.add("CPU per stored record, ingest and apply", format!("{per_record:.1} µs"));
    rows.add("memory, most", format!("{:.0} MiB", most(|told| told.memory)));
    Ok(())
}

/// The database goes for so many seconds while a fifth of the load goes on.
fn outage(
    plan: &Plan,
    tools: &Tools,
    server: &Server,
    cluster: &Cluster,
    rows: &mut Rows,
) -> Result<()> {
    let rate = plan.rate / AWAY;
    let endless = Plan { seconds: plan.outage * (PATIENCE + 2), ..plan.clone() };
    let producers = plan.producers.first().copied().unwrap_or(1);
    let mut child = producers::begun(tools, &endless, server.address, producers, rate)?;
    producers::are_measured(&mut child)?;
    cluster.stop()?;
    sleep(SECOND * plan.outage);
    let away = server.told()?;
    cluster.start()?;
    let (back, mut seen) = (now(), away);
    let mut most = away.memory;
    while seen.lag >= GONE || seen.waiting > f64::from(rate) * GONE {
        if back.elapsed() > SECOND * (plan.outage * PATIENCE) {
            bail!("{:.0} of {:.0} records still wait", seen.waiting, away.waiting);
        }
        sleep(SECOND);
        seen = server.told()?;
        most = most.max(seen.memory);
    }
    let gone = back.elapsed().as_secs_f64();
    if let Some(status) = child.0.try_wait()? {
        bail!("a producer has seen an error: {status}");
    }
    let waited = away.waiting;
    rows.add("database away", format!("{} s at {rate} records/s", plan.outage));
    rows.add("waiting when it came back", format!("{waited:.0} records"));
    rows.add("gone, while as much goes on", format!("after {gone:.0} s"));
    rows.add("errors that producers saw", "none".to_owned());
    rows.add("memory, most", format!("{most:.0} MiB"));
    Ok(())
}

/// Killed while so many records wait.
fn unapplied(
    plan: &Plan,
    tools: &Tools,
    server: Server,
    cluster: &Cluster,
    rows: &mut Rows,
) -> Result<()> {
    let endless = Plan { seconds: 3600, ..plan.clone() };
    cluster.stop()?;
    let child = producers::begun(tools, &endless, server.address, 50, 0)?;
    while server.told()?.waiting < f64::from(plan.unapplied) {
        sleep(SECOND);
    }
    drop(child);
    let waiting = server.told()?.waiting;
    let server = server.killed_and_back()?;
    cluster.start()?;
    rows.add("waiting when it was killed", format!("{waiting:.0} records"));
    rows.add("listens after that", format!("{:.2} s", server.took));
    Ok(())
}

impl Rows {
    fn add(&mut self, what: &str, measured: String) {
        eprintln!("{what}: {measured}");
        self.0.push([what.to_owned(), measured]);
    }

    fn table(&self) -> String {
        let lines = self.0.iter().map(|[what, measured]| format!("| {what} | {measured} |\n"));
        format!("| what | measured |\n|---|---|\n{}", lines.collect::<String>())
    }
}
