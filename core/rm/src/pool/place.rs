//! Which resource takes the next try: groups, tiers, scheme (rm.md §7.3), or why none (§7.9).
//!
//! Asked once per try, against the state of that moment; a healthy member of any group goes
//! before the last resort (`unknown`, `quarantined`) of any.

use std::sync::Arc;

use model::config::{GroupIx, Options};
use model::id::Dbid;
use model::record::{Stage, Verdict};
use model::snapshot::Snapshot;
use model::time::Now;

use super::board::{Board, Seat, Tier};
use super::groups::{self, Fit, Wants};
use super::left_out::{exhausted, figures};
use super::plan::Plan;
use super::{Member, Pool, Shown, scheme};
use crate::limits;
use crate::record::trace::{Figures, Later, Step, Trace, step};
use crate::reject::{No, Reason};

/// The resource for the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pick {
    pub(crate) member: usize,
    /// None: no resource, but a host outside.
    pub(crate) group: Option<GroupIx>,
    /// Why it won: a scheme, `pin`, `last-resort` or `outside`.
    pub(crate) by: &'static str,
}

impl Pick {
    /// Nobody of the pool: the host in a Request-URI (rm.md §3.6).
    pub(crate) const OUTSIDE: Self = Self { member: usize::MAX, group: None, by: "outside" };
}

/// Where a choice is made, and under what.
#[derive(Clone, Copy)]
struct Desk<'a> {
    snapshot: &'a Snapshot,
    options: &'a Options,
    wants: Wants<'a>,
}

impl Pool {
    /// Chooses the next resource of a plan and moves the group's cursor; takes no place yet.
    ///
    /// # Errors
    /// Why there is none, with the code of rm.md §7.9.
    pub(crate) fn place(
        &mut self,
        now: Now,
        snapshot: &Arc<Snapshot>,
        options: &Options,
        plan: &mut Plan,
        trace: &mut Trace,
    ) -> Result<Pick, No> {
        let chosen = plan.chosen.take();
        trace.reads(snapshot);
        self.settle(now.mono);
        self.tell_tried(now, plan, trace);
        if let Some(pick) = self.pinned(now, snapshot, options, plan, trace)? {
            self.chosen(now, snapshot, plan, pick, trace);
            return Ok(pick);
        }
        let mut fit = std::mem::take(&mut self.fit);
        let first = plan.tried.is_empty();
        let wants = Wants::of(snapshot, plan, chosen);
        let found = groups::fit(snapshot, plan, wants, &mut fit, first.then_some(&mut *trace));
        for one in &fit {
            self.settle_group(one.group, now.mono);
            if !plan.explained {
                self.note_full(one.group);
            }
        }
        if first {
            self.explain(now, plan, &fit, trace);
        } else {
            exhausted(snapshot, options, plan, &fit, trace);
        }
        let desk = Desk { snapshot, options, wants };
        let pick = self.search(desk, plan, &fit);
        self.fit = fit;
        match (pick, found) {
            (Some(pick), Ok(())) => {
                self.chosen(now, snapshot, plan, pick, trace);
                Ok(pick)
            }
            _ => Err(self.none(now, snapshot, options, plan)),
        }
    }

    fn search(&mut self, desk: Desk<'_>, plan: &Plan, fit: &[Fit]) -> Option<Pick> {
        if plan.tried.len() >= limits::TRIES_TOTAL {
            return None;
        }
        for tiers in Tier::ALL {
            for one in fit {
                let own = |of: Dbid| of == desk.snapshot.group(one.group).dbid;
                let tries = plan.tried.iter().filter(|(_, of)| own(*of)).count();
                if tries >= usize::from(desk.options.max_tries) {
                    continue;
                }
                let found = tiers.into_iter().find_map(|tier| self.choose(desk, plan, *one, tier));
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    fn choose(&mut self, desk: Desk<'_>, plan: &Plan, fit: Fit, tier: Tier) -> Option<Pick> {
        let members = &self.members;
        let Board { seats, scheme, last, .. } = self.boards.get_mut(fit.group.index())?;
        let any = plan.tried.is_empty() && plan.passed_over.is_empty();
        let plain = any && !plan.secure && fit.whole && plan.conference.is_none();
        let wants = desk.wants;
        let may = |member: &Member| {
            plan.reaches(member)
                && !plan.has_tried(member.names.dbid)
                && plan.conference.as_ref().is_none_or(|wish| wish.fits(member))
                && (fit.whole
                    || member.configured.is_some_and(|ix| wants.are_met_by(desk.snapshot, ix)))
        };
        let is_fit = |seat: &Seat| {
            seat.tier == Some(tier) && (plain || members.get(seat.member).is_some_and(may))
        };
        let moves = !plan.explained;
        let at = scheme::choose(*scheme, seats, *last, plan.keys, moves, is_fit)?;
        let by = if tier.is_last_resort() { "last-resort" } else { scheme.as_str() };
        Some(Pick { member: seats.get(at)?.member, group: Some(fit.group), by })
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
        let Some(of) = pick.group else { return };
        self.settle_group(of, now.mono);
        if !plan.explained {
            self.note_full(of);
        }
        let Some(member) = self.members.get_mut(pick.member) else { return };
        let Some((group, at)) = member.seat else { return };
        let Some(board) = self.boards.get_mut(group.index()) else { return };
        let Some(seat) = board.seats.get_mut(at) else { return };
        let rank = u64::try_from(plan.tried.len() + 1).ok();
        let (name, by) = (Later::Resource(seat.resource), Later::Word(pick.by));
        trace.push(Step {
            figures: Figures {
                state: Some(seat.shown),
                used: Some(seat.used.into()),
                limit: seat.capacity.map(u64::from),
                rank,
                until: None,
            },
            ..step(Stage::Place, name, Verdict::Chosen, by)
        });
        plan.tried.push((seat.dbid, snapshot.group(of).dbid));
        if !plan.explained {
            member.total += 1;
            self.choices += 1;
            seat.chosen = self.choices;
            board.last = Some(at);
        }
    }

    /// Tells the trace of those that cannot be chosen, or only if nobody else can.
    fn explain(&self, now: Now, plan: &Plan, fit: &[Fit], trace: &mut Trace) {
        let boards = fit.iter().filter_map(|one| self.boards.get(one.group.index()));
        if let Some(wish) = &plan.conference {
            let seats = boards.clone().flat_map(|board| &board.seats);
            let healthy = seats.filter(|seat| seat.shown == Shown::Healthy);
            let small =
                healthy.filter_map(|seat| self.get(seat.member)).filter(|one| !wish.fits(one));
            for member in small {
                let why = "conference-size";
                trace.push(step(Stage::Place, &member.names.name, Verdict::Skipped, &why));
            }
        }
        for board in boards.filter(|board| board.sums.unwell > 0) {
            let unwell = board.seats.iter().filter(|seat| seat.shown != Shown::Healthy);
            for (seat, member) in unwell.filter_map(|seat| Some((seat, self.get(seat.member)?))) {
                let until = member
                    .quarantined_until(now.mono)
                    .map(|until| now.wall.plus(until.saturating_sub(now.mono)));
                let figures = Figures { until, ..figures(member, seat.shown) };
                let (name, why) = (&member.names.name, seat.shown.as_str());
                trace.push(Step { figures, ..step(Stage::Place, name, Verdict::Skipped, &why) });
            }
        }
    }

    /// The "no" of a plan for which there is no resource (any more), with the code of rm.md §7.9.
    pub(crate) fn none(&self, now: Now, snapshot: &Snapshot, options: &Options, plan: &Plan) -> No {
        if plan.outside {
            let code = Some(options.resource_unavailable_respcode);
            return No::new(Reason::HuntFailed, plan.service.as_str()).with_status(code);
        }
        let mut fit = Vec::new();
        let wants = Wants::of(snapshot, plan, None);
        let found = groups::fit(snapshot, plan, wants, &mut fit, None);
        let mut shown: Vec<Shown> = Vec::new();
        for one in &fit {
            let met = |member: &Member| {
                one.whole || member.configured.is_some_and(|ix| wants.are_met_by(snapshot, ix))
            };
            let members = self.of_group(snapshot, one.group).map(|(_, member)| member);
            let matching = members.filter(|member| plan.reaches(member) && met(member));
            shown.extend(matching.map(|member| as_cause(member, now)));
        }
        let first = fit.first().filter(|_| !plan.secure || !shown.is_empty());
        let (Some(first), Ok(())) = (first, found) else {
            let reason = found.err().unwrap_or(Reason::NoMatch);
            let code = Some(options.resource_no_match_respcode);
            return No::new(reason, plan.service.as_str()).with_status(code);
        };
        let reason = if plan.tried.is_empty() { cause(&shown) } else { Reason::HuntFailed };
        refusal(snapshot, options, first.group, reason)
    }
}

/// The "no" of a group, with the code of rm.md §7.9.
pub(super) fn refusal(
    snapshot: &Snapshot,
    options: &Options,
    group: GroupIx,
    reason: Reason,
) -> No {
    let by_cause = match reason {
        Reason::ResourceFull => options.resource_full_respcode,
        Reason::ResourceDraining => options.resource_draining_respcode,
        Reason::ResourceDisabled => options.resource_disabled_respcode,
        _ => options.resource_dead_respcode,
    };
    let group = snapshot.group(group);
    let code = group
        .noresource_response_code
        .or(by_cause)
        .unwrap_or(options.resource_unavailable_respcode);
    No::new(reason, group.name.clone()).with_status(Some(code))
}

/// The state of a member that cannot be chosen, as far as it is why.
pub(super) fn as_cause(member: &Member, now: Now) -> Shown {
    match member.shown(now.mono) {
        // its name has no address yet
        Shown::Unknown if !member.reach.is_known() => Shown::Dead,
        // one that might take a call is no candidate only for want of room
        Shown::Unknown | Shown::Healthy => Shown::Full,
        shown => shown,
    }
}

/// By the first that holds over all matching members (rm.md §7.9).
pub(super) fn cause(shown: &[Shown]) -> Reason {
    let any = |wanted: &[Shown]| shown.iter().any(|one| wanted.contains(one));
    if any(&[Shown::Full]) {
        Reason::ResourceFull
    } else if any(&[Shown::Draining]) {
        Reason::ResourceDraining
    } else if any(&[Shown::Dead, Shown::Quarantined]) {
        Reason::ResourceDead
    } else {
        Reason::ResourceDisabled
    }
}

#[cfg(test)]
mod tests;
