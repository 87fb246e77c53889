//! Who is left out of a choice for what was before it: who was tried, groups in which enough was
//! tried, and all others when a call belongs to one resource (rm.md §9.5).
//!
//! Tells the trace and decides nothing.

use model::config::Options;
use model::record::{Stage, Verdict};
use model::snapshot::Snapshot;
use model::time::Now;

use super::groups::Fit;
use super::plan::{Pin, Plan};
use super::{Member, Pool, Shown};
use crate::record::trace::{Figures, Later, Step, Trace, step};

impl Pool {
    /// Those that were tried since they were told last.
    pub(super) fn tell_tried(&self, now: Now, plan: &mut Plan, trace: &mut Trace) {
        let told = std::mem::replace(&mut plan.told, plan.tried.len());
        for (resource, _) in plan.tried.iter().skip(told) {
            let Some(member) = self.key_of(*resource).and_then(|key| self.get(key)) else {
                continue;
            };
            let figures = figures(member, member.shown(now.mono));
            let name = &member.names.name;
            trace.push(Step { figures, ..step(Stage::Place, name, Verdict::Skipped, &"tried") });
        }
    }

    /// All others of a call that belongs to one resource: the members of its group, and the other
    /// groups that the tenant sees for the service.
    pub(super) fn tell_unpinned(
        &self,
        now: Now,
        snapshot: &Snapshot,
        (plan, pin): (&Plan, Pin),
        trace: &mut Trace,
    ) {
        if !plan.tried.is_empty() {
            return;
        }
        let own = snapshot.resource_by_dbid(pin.resource);
        let own = own.map(|resource| snapshot.resource(resource).group);
        let tenant = snapshot.tenant_by_dbid(plan.tenant);
        let seen = tenant.map_or(&[][..], |tenant| snapshot.groups_for(tenant, plan.service));
        for group in seen {
            if Some(*group) != own {
                let candidate = format_args!("group {}", snapshot.group(*group).name);
                trace.push(step(Stage::Place, &candidate, Verdict::Skipped, Later::Word("pin")));
                continue;
            }
            for (_, member) in self.of_group(snapshot, *group) {
                let Some(resource) = member.configured else { continue };
                if member.names.dbid != pin.resource {
                    let figures = figures(member, member.shown(now.mono));
                    let (name, why) = (Later::Resource(resource), Later::Word("pin"));
                    let told = step(Stage::Place, name, Verdict::Skipped, why);
                    trace.push(Step { figures, ..told });
                }
            }
        }
    }
}

/// Groups in which enough was tried.
pub(super) fn exhausted(
    snapshot: &Snapshot,
    options: &Options,
    plan: &Plan,
    fit: &[Fit],
    trace: &mut Trace,
) {
    for group in fit.iter().map(|one| snapshot.group(one.group)) {
        let tries = plan.tried.iter().filter(|(_, of)| *of == group.dbid).count();
        if tries >= usize::from(options.max_tries) {
            let candidate = format_args!("group {}", group.name);
            trace.push(step(Stage::Place, &candidate, Verdict::Skipped, &"max-tries"));
        }
    }
}

/// What is told of a member besides.
pub(super) fn figures(member: &Member, shown: Shown) -> Figures {
    Figures {
        state: Some(shown),
        used: u64::try_from(member.used()).ok(),
        limit: member.capacity.map(u64::from),
        ..Figures::default()
    }
}
