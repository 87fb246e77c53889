//! Calls of each tenant, under GVP's name (rm.md §12.2): all tenants of the configuration, from the
//! start, the oldest of them by name (`rm.metrics.max_series`), the others as one series `other`.

use super::float;
use crate::http::Shared;
use crate::http::problem::Problem;
use crate::inbox::Query;
use rm::limits::USED_ASKED;
use telemetry::names;
use telemetry::prometheus::{Exposition, Kind};

pub(super) async fn family(out: &mut Exposition, shared: &Shared) -> Result<(), Problem> {
    let snapshot = shared.state.snapshot().ok_or_else(Problem::busy)?;
    let mut tenants: Vec<_> = snapshot.tenants().map(|(_, one)| (one.dbid, &one.name)).collect();
    tenants.sort_unstable();
    out.family(names::RM_TENANT_INBOUND, Kind::Gauge, "inbound legs of this node, by tenant");
    let most = shared.admin.metrics.max_series;
    let (mut shown, mut others) = (0, 0);
    for part in tenants.chunks(USED_ASKED) {
        let asked = part.iter().map(|(dbid, _)| *dbid).collect();
        let figures = shared.ask(|reply| Query::Inbound(asked, reply)).await?;
        for ((_, name), legs) in part.iter().zip(figures) {
            shown += 1;
            if shown < most {
                out.sample(&[("rmTenantName", name)], float(legs));
            } else {
                others += legs;
            }
        }
    }
    if shown >= most {
        out.sample(&[("rmTenantName", "other")], float(others));
    }
    Ok(())
}
