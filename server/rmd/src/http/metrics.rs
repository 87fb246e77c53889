//! `/metrics` (ops.md §5): one copy of the engine's numbers, made between two of its turns, and
//! what the other threads count. Of the tables only what is built exists.

mod engine;
mod limits;
mod records;
mod tenants;

use super::Shared;
use super::problem::Problem;
use crate::figures::Figures;
use crate::inbox::Query;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
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
    let mut out = Exposition::new(format);
    process::families(
        &mut out,
        "rm",
        shared.state.name(),
        shared.state.started(),
        shared.state.log(),
    );
    life(&mut out, &shared);
    engine::families(&mut out, &figures);
    alarms(&mut out, &figures, &shared);
    configuration(&mut out, &shared);
    tenants::family(&mut out, &shared).await?;
    limits::families(&mut out, &shared).await?;
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
