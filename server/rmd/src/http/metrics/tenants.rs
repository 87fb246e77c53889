//! Calls of each tenant, under GVP's name (rm.md §12.2): all tenants of the configuration, from the
//! start.

use super::float;
use super::series::{Label, Series};
use crate::http::Shared;
use crate::http::problem::Problem;
use crate::inbox::Query;
use model::snapshot::Snapshot;
use rm::limits::USED_ASKED;
use telemetry::names;
use telemetry::prometheus::{Exposition, Kind};

pub(super) async fn family(
    out: &mut Exposition,
    shared: &Shared,
    snapshot: &Snapshot,
) -> Result<(), Problem> {
    let mut tenants: Vec<_> = snapshot.tenants().map(|(_, one)| (one.dbid, &one.name)).collect();
    tenants.sort_unstable();
    let mut series = Series::new(&[Label::Name("rmTenantName")]);
    for part in tenants.chunks(USED_ASKED) {
        let asked = part.iter().map(|(dbid, _)| *dbid).collect();
        let figures = shared.ask(|reply| Query::Inbound(asked, reply)).await?;
        for ((_, name), legs) in part.iter().zip(figures) {
            series.push([name.as_str().into()], float(legs));
        }
    }
    out.family(names::RM_TENANT_INBOUND, Kind::Gauge, "inbound legs of this node, by tenant");
    series.write(out, shared.admin.metrics.max_series);
    Ok(())
}
