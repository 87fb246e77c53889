//! How much of the limits of tenants and profiles is used (ops.md §5.1): what they are stands in
//! the snapshot, what is used is asked for, a bounded number at a time.
//!
//! Every tenant is told, of profiles only where `rm.metrics.profiles` wants it; of services those
//! that have a limit.

use super::float;
use super::series::Label::{Name, Word};
use super::series::Series;
use crate::http::problem::Problem;
use crate::http::{Metrics, Shared};
use crate::inbox::Query;
use model::config::Service;
use model::id::Dbid;
use model::snapshot::Snapshot;
use rm::limits::USED_ASKED;
use rm::view::limits::{Counted, Limit, Set, of_profile, of_tenant};
use telemetry::names;
use telemetry::prometheus::{Exposition, Kind};

const LEVELS: [&str; 3] = ["1", "2", "3"];

/// One set, and how large it may be at each burst level.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    kind: &'static str,
    object: String,
    set: Set,
    limits: Option<[u64; 3]>,
    /// So many levels are told: there is but one of a service.
    levels: usize,
}

pub(super) async fn families(
    out: &mut Exposition,
    shared: &Shared,
    snapshot: &Snapshot,
) -> Result<(), Problem> {
    let Metrics { profiles, max_series } = shared.admin.metrics;
    let rows = rows(snapshot, profiles);
    let mut used = Vec::with_capacity(rows.len());
    for part in rows.chunks(USED_ASKED) {
        let sets = part.iter().map(|row| row.set).collect();
        used.extend(shared.ask(|reply| Query::Used(sets, reply)).await?);
    }
    tell_usage(out, &rows, &used, max_series);
    tell_limits(out, &rows, max_series);
    Ok(())
}

fn tell_usage(out: &mut Exposition, rows: &[Row], used: &[u64], most: usize) {
    let help = "live sessions of tenants and profiles, legs of a service";
    out.family(names::RM_USAGE, Kind::Gauge, help);
    let mut series = Series::new(&[Word("kind"), Name("object")]);
    for (row, used) in rows.iter().zip(used) {
        series.push([row.kind.into(), row.object.as_str().into()], float(*used));
    }
    series.write(out, most);
}

fn tell_limits(out: &mut Exposition, rows: &[Row], most: usize) {
    out.family(names::RM_LIMIT, Kind::Gauge, "how many may live, by burst level");
    let mut series = Series::new(&[Word("kind"), Name("object"), Word("level")]);
    for (row, limits) in rows.iter().filter_map(|row| Some((row, row.limits?))) {
        for (level, limit) in LEVELS.into_iter().zip(limits).take(row.levels) {
            let values = [row.kind.into(), row.object.as_str().into(), level.into()];
            series.push(values, float(limit));
        }
    }
    series.write(out, most);
}

/// All rows in the order of the dbids of their objects.
fn rows(snapshot: &Snapshot, profiles: bool) -> Vec<Row> {
    let mut objects: Vec<(Dbid, Vec<Row>)> = Vec::new();
    for (ix, tenant) in snapshot.tenants() {
        let rows = of_object("tenant", &tenant.name, of_tenant(snapshot, ix));
        objects.push((tenant.dbid, rows));
    }
    for (ix, profile) in snapshot.profiles().filter(|_| profiles) {
        let name = format!("{}/{}", snapshot.tenant(profile.tenant).name, profile.name);
        let rows = of_object("profile", &name, of_profile(snapshot, ix));
        objects.push((profile.dbid, rows));
    }
    objects.sort_by_key(|(dbid, _)| *dbid);
    objects.into_iter().flat_map(|(_, rows)| rows).collect()
}

/// The rows of one object: of several limits of the same set the stricter.
fn of_object(kind: &'static str, name: &str, limits: Vec<Limit>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for limit in limits {
        let said = levels(&limit);
        if let Some(row) = rows.iter_mut().find(|row| row.set == limit.set) {
            row.limits = stricter(row.limits, said);
            continue;
        }
        let (kind, object, levels) = match limit.set.of {
            Counted::Sessions => (kind, name.to_owned(), LEVELS.len()),
            Counted::Legs(service) => ("service", of_service(name, service), 1),
            // the same calls are `rmTenantCurrentInboundCalls`
            Counted::Inbound => continue,
        };
        rows.push(Row { kind, object, set: limit.set, limits: said, levels });
    }
    rows
}

fn of_service(name: &str, service: Service) -> String {
    format!("{name}/{service}")
}

/// A level that is not set is the one below it.
fn levels(limit: &Limit) -> Option<[u64; 3]> {
    let first = limit.limit?;
    let second = limit.level2.unwrap_or(first);
    Some([first, second, limit.level3.unwrap_or(second)])
}

fn stricter(one: Option<[u64; 3]>, other: Option<[u64; 3]>) -> Option<[u64; 3]> {
    match (one, other) {
        (Some([a, b, c]), Some([d, e, f])) => Some([a.min(d), b.min(e), c.min(f)]),
        (one, other) => one.or(other),
    }
}
