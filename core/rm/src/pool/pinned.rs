//! A call that belongs to one resource (rm.md §7.7): whether it goes there, and what follows if
//! it cannot.

use model::config::Options;
use model::record::{Stage, Verdict};
use model::snapshot::Snapshot;
use model::time::Now;

use super::place::{Pick, as_cause, cause, refusal};
use super::plan::{Hold, Pin, Plan};
use super::{Member, Pool, Shown};
use crate::record::trace::{Trace, step};
use crate::reject::{No, Reason};

/// Whether a resource in this state takes a call that belongs to it.
const fn takes(hold: Hold, shown: Shown) -> bool {
    match shown {
        Shown::Healthy => true,
        Shown::Disabled | Shown::Dead => false,
        Shown::Full => matches!(hold, Hold::Dialog),
        Shown::Draining => matches!(hold, Hold::Dialog | Hold::Conference | Hold::WhileAlive),
        Shown::Unknown | Shown::Quarantined => !matches!(hold, Hold::Soft),
    }
}

/// What a resource in this state is for a call that belongs to it: full without a free place,
/// whatever else may be the matter with it. Who takes over a dialog needs no further place for
/// long, and a conference has places of its own.
fn as_pinned(hold: Hold, shown: Shown, member: &Member) -> Shown {
    let needs_place = matches!(hold, Hold::Hard | Hold::WhileAlive | Hold::Soft);
    if needs_place && takes(hold, shown) && !member.has_place() { Shown::Full } else { shown }
}

impl Pool {
    /// The resource that a plan is pinned to; none: the choice is free.
    ///
    /// # Errors
    /// It must be that one and cannot: `conference-dead`, else the cause of rm.md §7.9.
    pub(super) fn pinned(
        &self,
        now: Now,
        snapshot: &Snapshot,
        options: &Options,
        plan: &Plan,
        trace: &mut Trace,
    ) -> Result<Option<Pick>, No> {
        let Some(pin) = self.pin_of(plan) else { return Ok(None) };
        let found = self.key_of(pin.resource).and_then(|key| Some((key, self.get(key)?)));
        let shown = found.map_or(Shown::Disabled, |(_, member)| {
            as_pinned(pin.hold, member.shown(now.mono), member)
        });
        let free = matches!(pin.hold, Hold::Soft)
            || pin.hold == Hold::WhileAlive && matches!(shown, Shown::Disabled | Shown::Dead);
        let tried = plan.has_tried(pin.resource);
        if let Some((key, member)) = found.filter(|_| !tried) {
            let room = self.has_room(plan, pin, member);
            let fits = room == Some(true) || room.is_none() && takes(pin.hold, shown);
            let alive = !matches!(shown, Shown::Disabled | Shown::Dead);
            let reached = plan.reaches(member) && member.reach.is_known();
            if let Some(resource) = member.configured.filter(|_| fits && alive && reached) {
                let group = Some(snapshot.resource(resource).group);
                self.tell_unpinned(now, snapshot, (plan, pin), trace);
                return Ok(Some(Pick { member: key, group, by: "pin" }));
            }
            let word = if room == Some(false) { "conference-size" } else { shown.as_str() };
            trace.push(step(Stage::Place, &member.names.name, Verdict::Skipped, &word));
        }
        if free {
            return Ok(None);
        }
        self.tell_unpinned(now, snapshot, (plan, pin), trace);
        let reason = match (pin.hold, shown) {
            _ if tried => Reason::HuntFailed,
            (Hold::Conference, Shown::Dead | Shown::Disabled) => {
                let code = Some(options.conference_error_respcode);
                let service = || plan.service.as_str().to_owned();
                let name = found.map_or_else(service, |(_, one)| one.names.group.clone());
                return Err(No::new(Reason::ConferenceDead, name).with_status(code));
            }
            (_, Shown::Disabled) if found.is_some() => Reason::ResourceDisabled,
            (_, Shown::Full) => Reason::ResourceFull,
            _ => found.map_or(Reason::ResourceDead, |(_, one)| cause(&[as_cause(one, now)])),
        };
        let group = found.and_then(|(_, member)| member.configured).map(|ix| {
            let group = snapshot.resource(ix).group;
            refusal(snapshot, options, group, reason)
        });
        Err(group.unwrap_or_else(|| {
            let code = Some(options.resource_unavailable_respcode);
            No::new(reason, plan.service.as_str()).with_status(code)
        }))
    }

    /// A dialog that is named holds before anything; then the conference, then the rest.
    fn pin_of(&self, plan: &Plan) -> Option<Pin> {
        let named = plan.pin.filter(|pin| pin.hold == Hold::Dialog);
        let conference = || {
            let instance = self.conferences.find(&plan.conference_key()?)?;
            Some(Pin { resource: instance.resource, hold: Hold::Conference })
        };
        named.or_else(conference).or(plan.pin)
    }

    /// Whether a conference takes one more leg: below its size, else that of its server, and on a
    /// place that it has reserved or that is free. None: it is no matter of a conference.
    fn has_room(&self, plan: &Plan, pin: Pin, member: &Member) -> Option<bool> {
        if pin.hold != Hold::Conference {
            return None;
        }
        let instance = self.conferences.find(&plan.conference_key()?)?;
        let room = instance.has_room(member.conference_size);
        Some(room && (instance.unused() > 0 || member.has_place()))
    }
}
