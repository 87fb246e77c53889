//! No call goes to a resource that takes none, or that does not offer what it is for; all legs of a
//! conference are on one, and who names a dialog is where its holder is (rm.md §7.1, §7.3, §7.7).
//! What goes to no resource is a call to the outside for which there is no gateway (§3.6).
//!
//! The state that a decision saw is that before the step, at its time: nothing that a step does
//! before it decides opens a resource.

mod chosen;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::id::{Guid, LegId};
use rm::{LegView, Proxy, ResourceView};

use super::live::{Change, Ledger, Live};
use super::rules::Rules;
use crate::node::{Node, Output};
use crate::truth::Truth;
pub(super) use chosen::{Chosen, Hosts};

/// States in which no new call may come (rm.md §7.1).
const CLOSED: [&str; 4] = ["full", "draining", "dead", "disabled"];
/// States that end by time alone.
const TIMED: [&str; 2] = ["full", "draining"];

/// How the names of connectors begin.
const CONNECTOR: &str = "ctic-";
/// How the user part of a recording begins: its calls stay together only while their server lives.
const RECORDING: &str = "record=";

/// By name: the state shown, and whether all places are taken, whatever that says.
pub(super) type States = BTreeMap<String, (&'static str, bool)>;

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Placement {
    /// Who is where.
    pub(super) hosts: Hosts,
    /// Branches of INVITEs towards resources: a repeated one is no new choice.
    branches: BTreeSet<String>,
    /// Legs that were tried.
    begun: BTreeMap<(Guid, LegId), Duration>,
    /// Legs that were at a connector last.
    connected: BTreeSet<(Guid, LegId)>,
    /// Nobody is asked any more so long after that.
    pub(super) most: Duration,
    /// The user part by which a call names its conference or recording, by session and Call-ID.
    rooms: BTreeMap<(Guid, String), String>,
}

/// States of all resources of a node, and whether one of them ends by time alone.
#[must_use]
pub(super) fn states(node: &Node) -> (States, bool) {
    let resources = node.proxy().map(Proxy::resources).unwrap_or_default();
    let timed = resources.iter().any(|one| TIMED.contains(&one.state));
    let state = |one: ResourceView| {
        let taken = one.used >= most(&one);
        (one.name, (one.state, taken))
    };
    (resources.into_iter().map(state).collect(), timed)
}

/// One choice at its judgement.
struct Case<'c> {
    chosen: &'c Chosen,
    live: &'c Live,
    leg: &'c LegView,
}

impl Placement {
    /// The choices that a step has made.
    ///
    /// # Errors
    /// A call leaves without a token that the newest key has sealed, to nobody, or too late.
    pub(super) fn chosen(
        &mut self,
        node: &Node,
        now: Duration,
        output: &Output,
    ) -> Result<Vec<Chosen>, String> {
        let mut all_chosen = Vec::new();
        for (_, flow, bytes) in &output.messages {
            let Some(invite) = chosen::new_call(bytes) else { continue };
            if !self.branches.insert(chosen::branch(invite).to_owned()) {
                continue;
            }
            let mut chosen = self.hosts.read(node, *flow, invite)?;
            let began = self.begun.entry((chosen.guid, chosen.leg)).or_insert(now);
            // what follows when a connector does not take it is a hunt of its own
            if self.connected.remove(&(chosen.guid, chosen.leg)) {
                *began = now;
            }
            if chosen.host.starts_with(CONNECTOR) {
                self.connected.insert((chosen.guid, chosen.leg));
            }
            chosen.begins = *began == now;
            if !self.most.is_zero() && now > *began + self.most {
                let (call, hunt) = (&chosen.call, now - *began);
                return Err(format!("{call} is tried again after {hunt:?}"));
            }
            if let Some(room) = &chosen.room {
                self.rooms.insert((chosen.guid, chosen.call.clone()), room.clone());
            }
            all_chosen.push(chosen);
        }
        Ok(all_chosen)
    }

    /// Of legs that were taken over while the configuration did not have their resource, nobody
    /// remembers the conference.
    pub(super) fn taken_over(&mut self, proxy: &Proxy, ledger: &Ledger) {
        let now = proxy.resources();
        for live in ledger.sessions() {
            for leg in &live.legs {
                let is = |one: &ResourceView| Some(path(one)) == leg.resource;
                if !now.iter().any(is) {
                    self.rooms.remove(&(live.guid, leg.call_id.clone()));
                }
            }
        }
    }

    /// Judges them; `before` is how the resources were before the step, `changes` which sessions
    /// were not as they are.
    ///
    /// # Errors
    /// A call is where none may be, or where it does not belong.
    pub(super) fn judge(
        &self,
        all_chosen: &[Chosen],
        (before, changes): (&States, &[Change]),
        proxy: &Proxy,
        rules: &Rules,
        ledger: &Ledger,
        truth: &Truth,
    ) -> Result<(), String> {
        let now = proxy.resources();
        for chosen in all_chosen {
            let live = ledger.get(chosen.guid);
            let own = |leg: &&LegView| leg.id == chosen.leg;
            let found = live.and_then(|live| Some((live, live.legs.iter().find(own)?)));
            // it may have been refused and forgotten in the same step
            let Some((live, leg)) = found else { continue };
            let case = Case { chosen, live, leg };
            if leg.resource.is_none() && chosen.is_outside {
                case.leaves(rules)?;
                continue;
            }
            let is_it = |one: &&ResourceView| Some(path(one)) == leg.resource;
            let Some(resource) = now.iter().find(is_it) else { continue };
            if resource.name != chosen.host {
                let (call, host) = (&chosen.call, chosen.host);
                return Err(format!("{call} of {} goes to {host}", resource.name));
            }
            let named = truth.calls().get(&chosen.call).map_or("", |call| &call.names);
            let held = case.is_held(named, ledger, &now)?;
            let others: Vec<&LegView> = self.others(&case, ledger).collect();
            // a conference may grow where it is, on places that it has reserved, and so may what is
            // recorded on a server that drains
            let grows = others.iter().any(|other| other.resource == leg.resource);
            // the next address of a resource is no further choice
            let was = changes.iter().find(|change| change.guid == live.guid);
            let was = was.map_or(Some(live), |change| change.before.as_ref());
            let stays = was.is_some_and(|was| {
                was.legs.iter().any(|old| old.id == leg.id && old.resource == leg.resource)
            });
            if !stays {
                let open = is_open(before, resource, grows, held);
                let by = &leg.placed_by;
                open.map_err(|what| format!("{}: by {by} {what}", chosen.call))?;
            }
            case.is_offered(rules, resource)?;
            self.is_together(&case, &others)?;
        }
        Ok(())
    }

    fn is_together(&self, case: &Case<'_>, others: &[&LegView]) -> Result<(), String> {
        let Case { chosen, live, leg } = case;
        let room = self.rooms.get(&(live.guid, chosen.call.clone()));
        let bound = room.is_some_and(|room| !room.starts_with(RECORDING));
        let apart = others.iter().find(|other| other.resource != leg.resource);
        let Some(apart) = apart.filter(|_| bound) else { return Ok(()) };
        let (here, there) = (&leg.resource, &apart.resource);
        Err(format!("{}: on {here:?}, its conference on {there:?}", chosen.call))
    }

    /// Other legs that are in the same conference or recording.
    fn others<'l>(
        &'l self,
        case: &'l Case<'l>,
        ledger: &'l Ledger,
    ) -> impl Iterator<Item = &'l LegView> {
        let Case { live, leg: own, .. } = case;
        let of = |guid: Guid, leg: &LegView| self.rooms.get(&(guid, leg.call_id.clone()));
        let room = of(live.guid, own);
        let sessions = ledger.sessions().filter(move |_| room.is_some());
        let of_tenant = sessions.filter(|one| one.tenant() == live.tenant());
        let legs = of_tenant.flat_map(|one| one.legs.iter().map(move |leg| (one.guid, leg)));
        let alike = legs.filter(move |(guid, leg)| of(*guid, leg) == room);
        alike.map(|(_, leg)| leg).filter(|leg| {
            // what was rebuilt from a token knows of no conference
            let knows = leg.service == own.service && !leg.rebuilt && leg.resource.is_some();
            knows && leg.call_id != own.call_id
        })
    }
}

impl Case<'_> {
    /// It leaves for a host outside: it is meant for the outside, and its tenant has no gateway.
    fn leaves(&self, rules: &Rules) -> Result<(), String> {
        let Self { chosen, live, leg } = self;
        if leg.service == "gateway" && !rules.serves_any(&live.chain, "gateway") {
            return Ok(());
        }
        Err(format!("{} leaves for {} as {}", chosen.call, chosen.host, leg.service))
    }

    fn is_offered(&self, rules: &Rules, resource: &ResourceView) -> Result<(), String> {
        let Self { chosen, live, leg } = self;
        if rules.serves(&resource.group, &live.chain, leg.service) {
            return Ok(());
        }
        let (call, name) = (&chosen.call, &resource.name);
        Err(format!("{call} goes to {name}, which offers no {}", leg.service))
    }

    /// Whether it is with the holder of the dialog of this call, which it names.
    ///
    /// # Errors
    /// That dialog is up, and it is somewhere else.
    fn is_held(&self, named: &str, ledger: &Ledger, now: &[ResourceView]) -> Result<bool, String> {
        let Self { chosen, leg, .. } = self;
        if named.is_empty() {
            return Ok(false);
        }
        let legs = ledger.sessions().flat_map(|live| &live.legs);
        let holders: Vec<&LegView> = legs.filter(|leg| leg.call_id == named).collect();
        if holders.iter().any(|holder| holder.resource == leg.resource) {
            return Ok(true);
        }
        // of a call that has passed twice the tags alone say which leg is meant
        let [holder] = holders[..] else { return Ok(false) };
        let known = now.iter().any(|one| Some(path(one)) == holder.resource);
        if !known || holder.state != "up" {
            return Ok(false);
        }
        let (here, there) = (&leg.resource, &holder.resource);
        Err(format!("{}: on {here:?}, and {named}, which it names, on {there:?}", chosen.call))
    }
}

/// `before`: as the decision has seen it. `grows`: its conference is there already. `held`: the
/// dialog that it names is, which it may take over however full that resource is.
fn is_open(before: &States, now: &ResourceView, grows: bool, held: bool) -> Result<(), String> {
    let (state, taken) = before.get(&now.name).copied().unwrap_or_default();
    let fits = now.used <= most(now);
    let open = !taken && !CLOSED.contains(&state);
    let alive = !matches!(state, "dead" | "disabled");
    if held && alive || fits && (open || grows && TIMED.contains(&state)) {
        return Ok(());
    }
    let (used, name) = (now.used, &now.name);
    Err(format!("it is placed on {name}, which is {state}, {used} of {:?}", now.capacity))
}

/// Its places.
fn most(resource: &ResourceView) -> usize {
    let most = resource.capacity.and_then(|most| usize::try_from(most).ok());
    most.unwrap_or(usize::MAX)
}

/// Its group and its name, as a leg tells them.
fn path(resource: &ResourceView) -> String {
    format!("{}/{}", resource.group, resource.name)
}
