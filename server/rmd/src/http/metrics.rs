//! `/metrics` (ops.md §5): one copy of the engine's numbers, made between two of its turns, and
//! what the other threads count. Of the tables only what is built exists.

mod engine;
mod limits;
mod records;
mod resources;
mod series;
mod tenants;

use super::Shared;
use super::problem::Problem;
use crate::figures::Figures;
use crate::inbox::Query;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use model::id::Dbid;
use model::snapshot::Snapshot;
use series::{Label, Series};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use telemetry::names;
use telemetry::process;
use telemetry::prometheus::{Exposition, Format, Kind};

/// `GET /metrics`.
pub(super) async fn metrics(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let format = Format::from_accept(accept);
    let figures = shared.ask(Query::Figures).await?;
    let snapshot = shared.state.snapshot().ok_or_else(Problem::busy)?;
    let mut out = Exposition::new(format);
    process::families(
        &mut out,
        "rm",
        shared.state.name(),
        shared.state.started(),
        shared.state.log(),
    );
    life(&mut out, &shared);
    let bound = Bound::of(&snapshot, shared.admin.metrics.max_series);
    engine::families(&mut out, &figures, &bound);
    resources::families(&mut out, &figures, &bound);
    alarms(&mut out, &figures, &shared);
    configuration(&mut out, &shared);
    tenants::family(&mut out, &shared, &snapshot).await?;
    limits::families(&mut out, &shared, &snapshot).await?;
    records::families(&mut out, &figures, &shared);
    Ok(([(header::CONTENT_TYPE, format.content_type())], out.finish()).into_response())
}

/// The engine thread's signs of life.
fn life(out: &mut Exposition, shared: &Shared) {
    out.family(names::LOOP_SECONDS, Kind::Histogram, "one turn of a loop");
    out.histogram(&[("loop", "engine")], &shared.pulse.turns);
    out.family(names::LOOP_LAG_SECONDS, Kind::Gauge, "time since the last turn");
    let age = shared.pulse.age(&shared.clock);
    out.sample(&[("loop", "engine")], age.as_secs_f64());
    single(out, names::RM_QUEUE_AGE_SECONDS, "wait of the oldest datagram of the last turn", {
        shared.pulse.queue_age().as_secs_f64()
    });
    out.family(names::RM_UDP_DROPS_TOTAL, Kind::Counter, "datagrams that the kernel dropped");
    for (stack, count) in shared.drops.all() {
        out.sample(&[("stack", stack)], float(count));
    }
    let up = shared.clock.now().wall.since(shared.state.started()).max(Duration::from_millis(1));
    let busy = shared.pulse.busy().as_secs_f64() / up.as_secs_f64();
    single(out, names::RM_ENGINE_BUSY_RATIO, "share of its time that the engine worked", busy);
}

/// The configuration and its source.
fn configuration(out: &mut Exposition, shared: &Shared) {
    let (now, figures) = (shared.clock.now().wall, &shared.config.figures);
    figures.families(out, "rm", now);
    let revision = float(shared.state.revision().0);
    single(out, names::RM_CONFIG_REVISION, "configuration in force", revision);
    let age = figures.age(now).as_secs_f64();
    single(out, names::RM_CONFIG_AGE_SECONDS, "since the last sign of life of its source", age);
    let help = "configurations that were read and are not valid";
    total(out, names::RM_CONFIG_REJECTED_TOTAL, help, shared.state.rejections());
}

/// All alarms, of the engine and of what lies around it.
fn alarms(out: &mut Exposition, figures: &Figures, shared: &Shared) {
    out.family(names::RM_ALARM, Kind::Gauge, "1: the alarm is raised");
    let around = shared.state.alarms().states();
    for (name, raised) in figures.alarms.iter().chain(&around) {
        out.sample(&[("name", name)], f64::from(u8::from(*raised)));
    }
}

/// How many series a family may have, and whose come first: those of the lowest dbids.
struct Bound<'s> {
    most: usize,
    tenants: BTreeMap<&'s str, Dbid>,
    groups: BTreeMap<&'s str, Dbid>,
}

impl<'s> Bound<'s> {
    fn of(snapshot: &'s Snapshot, most: usize) -> Self {
        let tenants = snapshot.tenants().map(|(_, one)| (one.name.as_str(), one.dbid));
        let groups = snapshot.groups().map(|(_, one)| (one.name.as_str(), one.dbid));
        Self { most, tenants: tenants.collect(), groups: groups.collect() }
    }

    /// What is no longer configured comes last.
    fn tenant(&self, name: &str) -> Dbid {
        self.tenants.get(name).copied().unwrap_or(Dbid(u32::MAX))
    }

    fn group(&self, name: &str) -> Dbid {
        self.groups.get(name).copied().unwrap_or(Dbid(u32::MAX))
    }
}

/// A counter by the name of an object and a word.
fn nested<'c, K: ToString>(
    labels: &'static [Label],
    counts: &'c BTreeMap<String, BTreeMap<K, u64>>,
    dbid: impl Fn(&str) -> Dbid,
) -> Series<'c> {
    let mut objects: Vec<_> = counts.iter().collect();
    objects.sort_by_key(|(name, _)| dbid(name));
    let mut series = Series::new(labels);
    for (name, words) in objects {
        for (word, count) in words {
            series.push([name.as_str().into(), word.to_string().into()], float(*count));
        }
    }
    series
}

/// A gauge without labels.
fn single(out: &mut Exposition, name: &'static str, help: &str, value: f64) {
    out.family(name, Kind::Gauge, help);
    out.sample(&[], value);
}

/// A counter without labels.
fn total(out: &mut Exposition, name: &'static str, help: &str, value: u64) {
    out.family(name, Kind::Counter, help);
    out.sample(&[], float(value));
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats; above 2^53 a unit is noise")]
fn float(value: u64) -> f64 {
    value as f64
}

/// A size of this machine's memory; it fits.
fn size(value: usize) -> f64 {
    float(u64::try_from(value).unwrap_or(u64::MAX))
}
