//! Which resource takes the next try: groups, tiers, scheme (rm.md §7.3), or why none (§7.9).
//!
//! Asked once per try, against the state of that moment; a healthy member of any group goes
//! before the last resort (`unknown`, `quarantined`) of any.

use model::config::{GroupIx, Options, ResourceTransport, Service};
use model::id::Dbid;
use model::record::{Stage, Verdict};
use model::snapshot::Snapshot;
use model::time::Now;
use smallvec::SmallVec;

use super::scheme::round_robin;
use super::{Member, Pool, Shown};
use crate::limits;
use crate::record::trace::{Figures, Step, Trace, step};
use crate::reject::{No, Reason};

/// What is wanted, and what has been tried for it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) tenant: Dbid,
    pub(crate) service: Service,
    /// Resources tried, with the group in which they were found.
    pub(crate) tried: SmallVec<[(Dbid, Dbid); 2]>,
    /// The only resource that may take it, whatever its load (rm.md §7.7).
    pub(crate) pin: Option<Dbid>,
    /// Only over TLS: its Request-URI is `sips:` (rm.md §13.2).
    pub(crate) secure: bool,
    /// The call is only explained: no turn moves, nothing is counted.
    pub(crate) explained: bool,
}

/// The resource for the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pick {
    pub(crate) member: usize,
    pub(crate) group: GroupIx,
    /// Why it won: a scheme, `pin` or `last-resort`.
    pub(crate) by: &'static str,
}

impl Plan {
    pub(crate) fn of(tenant: Dbid, service: Service) -> Self {
        Self { tenant, service, tried: SmallVec::new(), pin: None, secure: false, explained: false }
    }

    /// Whether a resource may be reached as this call must be.
    fn reaches(&self, member: &Member) -> bool {
        let tls = Some(ResourceTransport::Tls);
        !self.secure || member.address.as_ref().is_some_and(|address| address.transport == tls)
    }

    /// The groups that may serve it, in order.
    fn groups<'a>(&self, snapshot: &'a Snapshot) -> &'a [GroupIx] {
        snapshot
            .tenant_by_dbid(self.tenant)
            .map_or(&[], |tenant| snapshot.groups_for(tenant, self.service))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tier {
    Healthy,
    LastResort,
}

impl Tier {
    fn takes(self, member: &Member, shown: Shown, now: Now) -> bool {
        if !member.reach.is_known() {
            return false;
        }
        match shown {
            Shown::Healthy => self == Self::Healthy,
            Shown::Unknown | Shown::Quarantined => {
                self == Self::LastResort && member.has_place() && !member.said.is_full(now.mono)
            }
            Shown::Disabled | Shown::Dead | Shown::Draining | Shown::Full => false,
        }
    }
}

impl Pool {
    /// Chooses the next resource of a plan and moves the group's cursor; takes no place yet.
    ///
    /// # Errors
    /// Why there is none, with the code of rm.md §7.9.
    pub(crate) fn place(
        &mut self,
        now: Now,
        snapshot: &Snapshot,
        options: &Options,
        plan: &mut Plan,
        trace: &mut Trace,
    ) -> Result<Pick, No> {
        if let Some(pin) = plan.pin {
            return self.place_pinned(now, snapshot, options, plan, pin, trace);
        }
        let groups = plan.groups(snapshot);
        if plan.tried.is_empty() {
            self.explain(now, snapshot, groups, trace);
        }
        if plan.tried.len() < limits::TRIES_TOTAL {
            for tier in [Tier::Healthy, Tier::LastResort] {
                for group in groups {
                    if let Some(pick) = self.choose(now, snapshot, options, plan, *group, tier) {
                        self.chosen(now, snapshot, plan, pick, trace);
                        return Ok(pick);
                    }
                }
            }
        }
        Err(self.none(now, snapshot, options, plan))
    }

    /// The one resource that it must be, once: full or draining it still is the right one.
    fn place_pinned(
        &mut self,
        now: Now,
        snapshot: &Snapshot,
        options: &Options,
        plan: &mut Plan,
        pin: Dbid,
        trace: &mut Trace,
    ) -> Result<Pick, No> {
        let key = self.key_of(pin).filter(|_| plan.tried.is_empty());
        let found = key.and_then(|key| Some((key, self.get(key)?)));
        if let Some((key, member)) = found {
            let shown = member.shown(now.mono);
            let lives = !matches!(shown, Shown::Disabled | Shown::Dead) && plan.reaches(member);
            if let Some(resource) = member.configured.filter(|_| lives) {
                let group = snapshot.resource(resource).group;
                let pick = Pick { member: key, group, by: "pin" };
                self.chosen(now, snapshot, plan, pick, trace);
                return Ok(pick);
            }
            let (name, why) = (&member.names.name, shown.as_str());
            trace.push(step(Stage::Place, name, Verdict::Skipped, &why));
        }
        Err(self.none(now, snapshot, options, plan))
    }

    fn choose(
        &self,
        now: Now,
        snapshot: &Snapshot,
        options: &Options,
        plan: &Plan,
        group: GroupIx,
        tier: Tier,
    ) -> Option<Pick> {
        let own = snapshot.group(group).dbid;
        let tries = plan.tried.iter().filter(|(_, of)| *of == own).count();
        if tries >= usize::from(options.max_tries) {
            return None;
        }
        let all: SmallVec<[Dbid; 16]> =
            self.of_group(snapshot, group).map(|(_, member)| member.names.dbid).collect();
        let last = self.cursors.get(group.index()).copied().flatten();
        let fit = |dbid: Dbid| {
            let Some(member) = self.key_of(dbid).and_then(|key| self.get(key)) else {
                return false;
            };
            plan.reaches(member)
                && !plan.tried.iter().any(|(tried, _)| *tried == dbid)
                && tier.takes(member, member.shown(now.mono), now)
        };
        let dbid = round_robin::choose(&all, last, fit)?;
        let by = if tier == Tier::Healthy { "round-robin" } else { "last-resort" };
        Some(Pick { member: self.key_of(dbid)?, group, by })
    }

    /// Moves the cursor, remembers the try, tells the trace.
    fn chosen(
        &mut self,
        now: Now,
        snapshot: &Snapshot,
        plan: &mut Plan,
        pick: Pick,
        trace: &mut Trace,
    ) {
        let Some(member) = self.members.get_mut(pick.member) else { return };
        let dbid = member.names.dbid;
        let rank = u64::try_from(plan.tried.len() + 1).ok();
        trace.push(Step {
            figures: Figures { rank, ..figures(member, member.shown(now.mono)) },
            ..step(Stage::Place, &member.names.name, Verdict::Chosen, &pick.by)
        });
        if !plan.explained {
            member.total += 1;
            if let Some(cursor) = self.cursors.get_mut(pick.group.index()) {
                *cursor = Some(dbid);
            }
        }
        plan.tried.push((dbid, snapshot.group(pick.group).dbid));
    }

    /// Tells the trace of those that cannot be chosen.
    fn explain(&self, now: Now, snapshot: &Snapshot, groups: &[GroupIx], trace: &mut Trace) {
        for group in groups {
            for (_, member) in self.of_group(snapshot, *group) {
                let shown = member.shown(now.mono);
                if shown == Shown::Healthy {
                    continue;
                }
                let until = member
                    .quarantined_until(now.mono)
                    .map(|until| now.wall.plus(until.saturating_sub(now.mono)));
                let figures = Figures { until, ..figures(member, shown) };
                let (name, why) = (&member.names.name, shown.as_str());
                trace.push(Step { figures, ..step(Stage::Place, name, Verdict::Skipped, &why) });
            }
        }
    }

    /// The "no" of a plan for which there is no resource (any more), with the code of rm.md §7.9.
    pub(crate) fn none(&self, now: Now, snapshot: &Snapshot, options: &Options, plan: &Plan) -> No {
        let pinned = plan.pin.and_then(|pin| self.get(self.key_of(pin)?));
        let own = pinned.and_then(|one| one.configured).map(|ix| [snapshot.resource(ix).group]);
        let groups = own.as_ref().map_or_else(|| plan.groups(snapshot), |own| own.as_slice());
        let reachable = groups
            .iter()
            .any(|group| self.of_group(snapshot, *group).any(|(_, member)| plan.reaches(member)));
        let Some(first) = groups.first().filter(|_| reachable || !plan.secure) else {
            let code = Some(options.resource_no_match_respcode);
            return No::new(Reason::NoMatch, plan.service.as_str()).with_status(code);
        };
        let reason = match pinned.map(|one| one.shown(now.mono)) {
            _ if !plan.tried.is_empty() => Reason::HuntFailed,
            Some(Shown::Disabled) => Reason::ResourceDisabled,
            Some(_) => Reason::ResourceDead,
            None => self.cause(now, snapshot, groups),
        };
        let by_cause = match reason {
            Reason::ResourceFull => options.resource_full_respcode,
            Reason::ResourceDraining => options.resource_draining_respcode,
            Reason::ResourceDisabled => options.resource_disabled_respcode,
            _ => options.resource_dead_respcode,
        };
        let group = snapshot.group(*first);
        let code = group
            .noresource_response_code
            .or(by_cause)
            .unwrap_or(options.resource_unavailable_respcode);
        No::new(reason, group.name.clone()).with_status(Some(code))
    }

    /// By the first that holds over all matching members.
    fn cause(&self, now: Now, snapshot: &Snapshot, groups: &[GroupIx]) -> Reason {
        let shown = |member: &Member| match member.shown(now.mono) {
            // its name has no address yet
            Shown::Unknown if !member.reach.is_known() => Shown::Dead,
            shown => shown,
        };
        let any = |wanted: &[Shown]| {
            groups.iter().any(|group| {
                self.of_group(snapshot, *group).any(|(_, member)| wanted.contains(&shown(member)))
            })
        };
        // one that is unknown or quarantined is no candidate only when it has no free place
        if any(&[Shown::Full, Shown::Unknown]) {
            Reason::ResourceFull
        } else if any(&[Shown::Draining]) {
            Reason::ResourceDraining
        } else if any(&[Shown::Dead, Shown::Quarantined]) {
            Reason::ResourceDead
        } else {
            Reason::ResourceDisabled
        }
    }
}

fn figures(member: &Member, shown: Shown) -> Figures {
    Figures {
        state: Some(shown.as_str()),
        used: u64::try_from(member.used()).ok(),
        limit: member.capacity.map(u64::from),
        ..Figures::default()
    }
}
