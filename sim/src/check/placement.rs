//! No call goes to a resource that takes none, or that does not offer what it is for; all legs of a
//! conference are on one (rm.md §7.1, §7.3, §7.7).

use std::collections::{BTreeMap, BTreeSet};

use rm::{LegView, Proxy, ResourceView};

use super::live::Live;
use super::rules::Rules;
use crate::agent::text::{all, header, is_first, method};
use crate::node::{Node, Output};

/// States in which no new call may come (rm.md §7.1).
const CLOSED: [&str; 4] = ["full", "draining", "dead", "disabled"];

/// How the user part of a recording begins: its calls stay together only while their server lives.
const RECORDING: &str = "record=";

/// By address: the state shown, and whether all places are taken, whatever that says.
pub(super) type States = BTreeMap<String, (&'static str, bool)>;

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Placement {
    /// Branches of INVITEs towards resources: a repeated one is no new choice.
    branches: BTreeSet<String>,
    /// The user part by which a call names its conference or recording, by Call-ID.
    rooms: BTreeMap<String, String>,
}

/// An INVITE that leaves for a resource for the first time.
#[derive(Debug)]
pub(super) struct Chosen {
    /// `sip:` and where it goes.
    address: String,
    call: String,
}

/// States of all resources of a node.
#[must_use]
pub(super) fn states(node: &Node) -> States {
    let resources = node.proxy().map(Proxy::resources).unwrap_or_default();
    let state = |one: ResourceView| {
        let taken = one.used >= most(&one);
        (one.address, (one.state, taken))
    };
    resources.into_iter().map(state).collect()
}

impl Placement {
    /// The choices that a step has made.
    pub(super) fn chosen(&mut self, output: &Output) -> Vec<Chosen> {
        let mut all_chosen = Vec::new();
        for (_, to, _, bytes) in &output.messages {
            let Ok(text) = std::str::from_utf8(bytes) else { continue };
            if !text.starts_with("INVITE ") || method(text) != "INVITE" || !is_first(text) {
                continue;
            }
            let branch = all(text, "Via").next().unwrap_or_default().to_owned();
            if !self.branches.insert(branch) {
                continue;
            }
            let call = header(text, "Call-ID").to_owned();
            if let Some(room) = room(text) {
                self.rooms.insert(call.clone(), room.to_owned());
            }
            all_chosen.push(Chosen { address: format!("sip:{to}"), call });
        }
        all_chosen
    }

    /// Of legs that were taken over while the configuration did not have their resource, nobody
    /// remembers the conference.
    pub(super) fn taken_over(&mut self, proxy: &Proxy, sessions: &[Live]) {
        let now = proxy.resources();
        for leg in sessions.iter().flat_map(|live| &live.legs) {
            let is =
                |one: &ResourceView| Some(format!("{}/{}", one.group, one.name)) == leg.resource;
            if !now.iter().any(is) {
                self.rooms.remove(&leg.call_id);
            }
        }
    }

    /// Judges them; `before` is how the resources were before the step.
    ///
    /// # Errors
    /// A call is where none may be, or where it does not belong.
    pub(super) fn judge(
        &self,
        chosen: &[Chosen],
        before: &States,
        proxy: &Proxy,
        rules: &Rules,
        sessions: &[Live],
    ) -> Result<(), String> {
        let now = proxy.resources();
        for one in chosen {
            let Some(resource) = now.iter().find(|view| view.address == one.address) else {
                continue;
            };
            let found = sessions.iter().find_map(|live| {
                Some((live, live.legs.iter().find(|leg| leg.call_id == one.call)?))
            });
            let Some((live, leg)) = found else { continue };
            let others = || self.others(leg, live, sessions);
            // a conference may grow where it is, on places that it has reserved, and so may what is
            // recorded on a server that drains
            let grows = others().any(|other| other.resource == leg.resource);
            is_open(one, before, resource, grows)?;
            let offers = rules.serves(&resource.group, &live.chain, leg.service);
            if !offers {
                let (call, name) = (&one.call, &resource.name);
                return Err(format!("{call} goes to {name}, which offers no {}", leg.service));
            }
            let room = self.rooms.get(&one.call);
            let bound = room.is_some_and(|room| !room.starts_with(RECORDING));
            let apart = others().find(|other| other.resource != leg.resource);
            if let Some(apart) = apart.filter(|_| bound) {
                let (here, there) = (&leg.resource, &apart.resource);
                return Err(format!("{}: on {here:?}, its conference on {there:?}", one.call));
            }
        }
        Ok(())
    }

    /// Other legs that are in the same conference or recording.
    fn others<'l>(
        &'l self,
        own: &'l LegView,
        live: &'l Live,
        sessions: &'l [Live],
    ) -> impl Iterator<Item = &'l LegView> {
        let room = self.rooms.get(&own.call_id);
        let of_tenant = sessions.iter().filter(|one| one.tenant() == live.tenant());
        of_tenant.flat_map(|one| &one.legs).filter(move |leg| {
            let alike = room.is_some() && self.rooms.get(&leg.call_id) == room;
            // what was rebuilt from a token knows of no conference
            let knows = leg.service == own.service && !leg.rebuilt && leg.resource.is_some();
            alike && knows && leg.call_id != own.call_id
        })
    }
}

/// `grows`: its conference is there already.
fn is_open(
    chosen: &Chosen,
    before: &States,
    now: &ResourceView,
    grows: bool,
) -> Result<(), String> {
    let (state, taken) = before.get(&chosen.address).copied().unwrap_or_default();
    let open = !(taken || CLOSED.contains(&state)) || !is_closed(now);
    let room = grows && matches!(state, "draining" | "full") && now.used <= most(now);
    if open || room {
        return Ok(());
    }
    Err(format!("a call is placed on {}, which is {state}", now.name))
}

/// It would not take the call that it was just given. What was full for a while may be so no
/// longer, and this very call may have taken its last place.
fn is_closed(after: &ResourceView) -> bool {
    let most = most(after);
    let last_place = after.used == most;
    after.used > most || CLOSED.contains(&after.state) && !(after.state == "full" && last_place)
}

/// Its places.
fn most(resource: &ResourceView) -> usize {
    let most = resource.capacity.and_then(|most| usize::try_from(most).ok());
    most.unwrap_or(usize::MAX)
}

/// The user part of a Request-URI that names a conference or a recording.
fn room(invite: &str) -> Option<&str> {
    let uri = invite.split(' ').nth(1)?.strip_prefix("sip:")?;
    let user = uri.split('@').next()?.split(';').next()?;
    let names = ["conf=", "msml=", RECORDING];
    names.iter().any(|name| user.starts_with(name)).then_some(user)
}
