//! Random lives of calls of every kind: several tenants with limits, conferences, calls through a
//! connector, through gateways and to hosts outside, recordings, sessions of many legs, calls with
//! priority, calls that name a dialog or pass twice; callers that give up, vanish or hang up,
//! in every other life some parties that speak TCP, whose connections break or are refused,
//! called parties that are silent, refuse, die and come back, a bad network with cuts,
//! Resource Managers that crash, a slow disk, a broker that is away, operators and configurations
//! that change in the middle of it. A seed decides all of it.
//!
//! When all calls were placed, everything is mended and time passes until nothing is left in any
//! set; then the report is compared with what really happened.

pub mod habits;
mod platform;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use model::chance::Chance;
use model::config::Admin;
use rm::{CallFilter, Input, Will};
use serde_json::{Value as Json, json};
use sip::transport::Transport;

use crate::network::Link;
use crate::objects;
use crate::seed;
use crate::world::{Fault, Setup, World};
use platform::{MOVES, NAMES, PARTIES, SERVERS};

/// Longest that anything may stay after everything was mended: a call nobody ends is cut after a
/// minute of silence, its BYEs are given up half a minute later, and answers are kept as long.
const REST: Duration = Duration::from_secs(400);
/// What a life is to have.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Calls.
    pub calls: u32,
    /// Resource Managers may crash.
    pub crashes: bool,
    /// It stops after so many steps.
    pub most_steps: u64,
}

impl Plan {
    /// Seventy calls, and what is called further in their sessions: a hundred; with everything.
    pub const FULL: Self = Self { calls: 70, crashes: true, most_steps: u64::MAX };
}

/// How a life went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// Of all that happened.
    pub trace: u64,
    /// Steps.
    pub steps: u64,
    /// Calls that were placed.
    pub calls: usize,
    /// Of these, answered with 2xx.
    pub answered: usize,
    /// Of these, with priority; to a host outside; that name a dialog; that have come back.
    pub kinds: [usize; 4],
    /// Crashes of Resource Managers.
    pub crashes: u32,
    /// Datagrams that were lost.
    pub lost: u64,
    /// Records in the report.
    pub records: usize,
    /// Copies of records that came again.
    pub repeated: u64,
    /// SIP streams that were opened, and how many of these broke.
    pub streams: [u64; 2],
}

/// One thing that goes wrong, or is mended.
#[derive(Clone, Debug)]
enum Event {
    Call,
    Trouble,
    Crash(usize),
    Start(usize),
    PowerOff(usize),
    PowerOn(usize),
    Report(bool),
    Cut(SocketAddr, SocketAddr),
    Mend,
    Probes(usize, Option<(u16, &'static str)>),
    Sync(Duration),
    State(usize, &'static str),
    /// The configuration has a media server no more, or again.
    Configured(usize, bool),
    /// A tenant may have so many sessions.
    Limit(&'static str, Json),
    /// What an operator wants of these parties at one node; with a deadline.
    Will(usize, Vec<&'static str>, Option<(Admin, u64)>),
    /// An operator ends some session of a node.
    HangUp(usize),
    /// The name service is away.
    NamesAway(bool),
    /// A name leads there.
    Leads(&'static str, Vec<SocketAddr>),
    /// All nodes get another key.
    Rotate,
    /// All streams between two hosts break.
    Break(IpAddr, IpAddr),
    /// A party takes connections, or refuses them.
    Listens(usize, bool),
}

/// A life under way.
struct Life {
    world: World,
    chance: Chance,
    events: BTreeMap<(Duration, u64), Event>,
    number: u64,
    crashes: bool,
    by_tcp: BTreeSet<&'static str>,
}

/// Lives one life.
///
/// # Errors
/// What does not hold, with the seed and the step.
pub fn run(seed: u64, plan: Plan) -> Result<Story, Fault> {
    let mut chance = seed::chance(seed, 5);
    let servers = PARTIES.iter().map(|(name, at, _)| (*name, *at)).collect();
    let by_tcp = by_tcp(&mut chance);
    let objects = platform::objects(&by_tcp);
    let nodes = if chance.below(3) == 0 { 2 } else { 1 };
    let hasty = chance.below(3) == 0;
    let settings = if hasty { platform::hasty } else { platform::settings };
    let names = &NAMES[..];
    let mut world = World::new(Setup { seed, nodes, servers, names, objects, settings })?;
    world.listens = false;
    world.most_steps = plan.most_steps;
    world.network.usual = weather(&mut chance);
    for agent in &mut world.agents {
        agent.manner = None;
        agent.listens = false;
        agent.turns = agent.name.starts_with("mcp-");
        let own = PARTIES.iter().find(|(_, at, _)| *at == agent.address);
        agent.habit = own.map_or(habits::media, |(.., habit)| *habit);
        if by_tcp.contains(agent.name) {
            (agent.transport, agent.listens_tcp) = (Transport::Tcp, true);
        }
    }
    for (name, to) in MOVES {
        let leads = NAMES.iter().find(|(own, _)| *own == name).and_then(|(_, at)| at.first());
        let own = world.agents.iter().position(|agent| Some(&agent.address) == leads);
        if let Some(own) = own {
            world.agents[own].host = Some(name);
            world.may_move(own, to);
        }
    }
    let (events, crashes) = (BTreeMap::new(), plan.crashes);
    let mut life = Life { world, chance, events, number: 0, crashes, by_tcp };
    life.live(plan.calls)?;
    life.end()
}

/// Who speaks TCP: in every other life some of those who are inside.
fn by_tcp(chance: &mut Chance) -> BTreeSet<&'static str> {
    let some = chance.below(2) == 0;
    let inside = PARTIES.iter().map(|(name, ..)| *name).filter(|name| !name.starts_with("host-"));
    let all = inside.chain(["sip-server"]);
    all.filter(|_| chance.below(2) == 0 && some).collect()
}

fn weather(chance: &mut Chance) -> Link {
    let ms = Duration::from_millis;
    match chance.below(3) {
        0 => Link::GOOD,
        1 => Link { delay: ms(5), jitter: ms(20), loss: 2, twice: 1, cut: false },
        _ => Link { delay: ms(10), jitter: ms(300), loss: 10, twice: 5, cut: false },
    }
}

impl Life {
    fn after(&mut self, ms: u64, event: Event) {
        let at = self.world.now.mono + Duration::from_millis(ms);
        self.number += 1;
        self.events.insert((at, self.number), event);
    }

    fn live(&mut self, calls: u32) -> Result<(), Fault> {
        let mut at = 0;
        for _ in 0..calls {
            at += self.chance.below(800);
            self.after(at, Event::Call);
        }
        self.after(3000, Event::Trouble);
        while let Some(((at, _), event)) = self.events.pop_first() {
            let wait = at.saturating_sub(self.world.now.mono);
            self.world.run(wait)?;
            let troubled = matches!(event, Event::Trouble);
            self.happen(event)?;
            let goes_on = self.events.values().any(|event| matches!(event, Event::Call));
            if troubled && goes_on {
                let next = 1000 + self.chance.below(8000);
                self.after(next, Event::Trouble);
            }
        }
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<(), Fault> {
        let now = self.world.now.mono;
        match event {
            Event::Call => self.call(),
            Event::Trouble => self.trouble(),
            Event::Crash(node) => {
                if self.world.nodes[node].is_up() {
                    if self.chance.below(2) == 0 {
                        self.until_it_writes(node)?;
                    }
                    self.world.crash(node);
                    let down = 50 + self.chance.below(4000);
                    self.after(down, Event::Start(node));
                }
            }
            Event::Start(node) => {
                self.world.start(node)?;
            }
            Event::PowerOff(agent) => self.world.power_off(agent),
            Event::PowerOn(agent) => self.world.power_on(agent),
            Event::Break(a, b) => self.world.break_streams(a, b)?,
            Event::Listens(agent, listens) => self.world.agents[agent].listens_tcp = listens,
            Event::Report(up) => self.world.set_report(up),
            Event::Cut(a, b) => self.world.network.set(a.ip(), b.ip(), Link::CUT),
            Event::Mend => self.world.network.mend(now),
            Event::Probes(agent, answer) => self.world.agents[agent].alive = answer,
            Event::Sync(sync) => self.world.nodes.iter_mut().for_each(|node| node.sync = sync),
            Event::State(resource, state) => {
                self.configure(|objects| {
                    change(objects, resource, |own| {
                        own["state"] = json!(state);
                    })
                })?;
            }
            Event::Configured(resource, there) => {
                let before = platform::objects(&self.by_tcp);
                self.configure(|objects| {
                    let own = PARTIES.get(resource).map_or("", |(name, ..)| name);
                    keep(objects, &before, own, there);
                })?;
            }
            Event::Limit(tenant, most) => self.configure(|objects| {
                if let Some(spec) = objects::spec(objects, "Tenant", tenant) {
                    spec["policy"]["inbound_usage_limit"] = most;
                }
            })?,
            Event::Will(node, parties, will) => {
                let wall = self.world.now.wall;
                let will = will.map(|(admin, seconds)| {
                    let until = wall.plus(Duration::from_secs(seconds));
                    Will { admin, until: (seconds > 0).then_some(until) }
                });
                for resource in parties {
                    self.world.input(node, Input::Administer { resource, will })?;
                }
            }
            Event::HangUp(node) => self.hang_up(node)?,
            Event::NamesAway(away) => self.world.names.away = away,
            Event::Leads(name, addresses) => self.world.lead(name, &addresses),
            Event::Rotate => self.world.rotate()?,
        }
        Ok(())
    }

    /// Somebody calls.
    fn call(&mut self) {
        let nodes = u64::try_from(self.world.nodes.len()).unwrap_or(1);
        let node = usize::try_from(self.chance.below(nodes)).unwrap_or(0);
        let chance = &mut self.chance;
        let (caller, call) = match chance.below(11) {
            0 | 1 => (platform::GATEWAY, habits::of_gateway(chance, false)),
            2 => (platform::CTI_GATEWAY, habits::of_gateway(chance, true)),
            3 => (platform::EMERGENCY, habits::of_emergency(chance)),
            _ => ("sip-server", habits::of_sip_server(chance)),
        };
        let caller = self.world.agents.iter().position(|agent| agent.name == caller);
        self.world.place_by(caller.unwrap_or(0), node, call);
    }

    /// The same configuration with something changed.
    fn configure(&mut self, change: impl FnOnce(&mut Json)) -> Result<(), Fault> {
        let mut objects = self.world.objects.clone();
        change(&mut objects);
        self.world.configure(objects)
    }

    /// An operator ends one of the sessions of a node.
    fn hang_up(&mut self, node: usize) -> Result<(), Fault> {
        let Some(proxy) = self.world.nodes[node].proxy() else { return Ok(()) };
        let calls = proxy.calls(&CallFilter::default(), None, usize::MAX).calls;
        let many = u64::try_from(calls.len()).unwrap_or(1).max(1);
        let which = usize::try_from(self.chance.below(many)).unwrap_or(0);
        let Some(call) = calls.get(which) else { return Ok(()) };
        let guid = call.session;
        self.world.input(node, Input::HangUp { guid, leg: None })
    }

    /// Lets time pass until something lies on the disk's way: the worst moment for a crash.
    fn until_it_writes(&mut self, node: usize) -> Result<(), Fault> {
        for _ in 0..3000 {
            let spool = self.world.nodes[node].spool();
            if spool.is_some_and(|spool| spool.pending > 0) {
                break;
            }
            self.world.run(Duration::from_millis(1))?;
        }
        Ok(())
    }

    /// Something goes wrong, and is mended some time later.
    fn trouble(&mut self) {
        let chance = &mut self.chance;
        let long = 500 + chance.below(20_000);
        let nodes = u64::try_from(self.world.nodes.len()).unwrap_or(1);
        let node = usize::try_from(chance.below(nodes)).unwrap_or(0);
        let parties = u64::try_from(PARTIES.len()).unwrap_or(1);
        let party = usize::try_from(chance.below(parties)).unwrap_or(0);
        let server = party % SERVERS;
        // the caller is the first agent
        let agent = party + 1;
        let at = self.world.nodes[node].address;
        let (bad, good) = match chance.below(19) {
            0 | 1 if self.crashes => return self.after(0, Event::Crash(node)),
            0 | 2 => (Event::PowerOff(agent), Event::PowerOn(agent)),
            1 => (Event::Report(false), Event::Report(true)),
            3 => (Event::Cut(at, self.world.agents[agent].address), Event::Mend),
            4 => (Event::Cut(at, SocketAddr::from(([10, 0, 0, 80], 0))), Event::Mend),
            5 => {
                let answers = [None, Some((503, "Retry-After: 5\r\n")), Some((486, ""))];
                let which = usize::try_from(chance.below(3)).unwrap_or(0);
                let answer = answers.get(which).copied().flatten();
                (Event::Probes(agent, answer), Event::Probes(agent, Some((200, ""))))
            }
            6 => {
                let slow = Duration::from_millis(1 + chance.below(60));
                (Event::Sync(slow), Event::Sync(Duration::from_millis(2)))
            }
            7 => (Event::Configured(server, false), Event::Configured(server, true)),
            8 => {
                let low = json!(chance.below(12));
                (Event::Limit("reseller", low), Event::Limit("reseller", json!(24)))
            }
            9 => {
                let admin = if chance.below(2) == 0 { Admin::Draining } else { Admin::Disabled };
                let will = Some((admin, chance.below(10)));
                let whose = match (chance.below(3), PARTIES.get(party)) {
                    (1.., Some((name, ..))) => vec![*name],
                    // no call to the outside may leave, and none may go around them
                    _ => vec![platform::GATEWAY, platform::CTI_GATEWAY],
                };
                (Event::Will(node, whose.clone(), will), Event::Will(node, whose, None))
            }
            10 => return self.after(0, Event::HangUp(node)),
            11 => (Event::NamesAway(true), Event::NamesAway(false)),
            12 | 13 => {
                let which = usize::try_from(chance.below(NAMES.len() as u64)).unwrap_or(0);
                let Some((name, leads)) = NAMES.get(which).copied() else { return };
                let moves = MOVES.iter().find(|(own, _)| *own == name).map(|(_, to)| vec![*to]);
                // it moves, or its first address goes, and with that perhaps all
                let fewer = || leads.get(1..).unwrap_or_default().to_vec();
                let now = moves.filter(|_| chance.below(3) > 0).unwrap_or_else(fewer);
                (Event::Leads(name, now), Event::Leads(name, leads.to_vec()))
            }
            14 => return self.after(0, Event::Rotate),
            15 => {
                let whose = self.world.agents[agent].address.ip();
                return self.after(0, Event::Break(at.ip(), whose));
            }
            16 if self.world.agents[agent].transport == Transport::Tcp => {
                (Event::Listens(agent, false), Event::Listens(agent, true))
            }
            _ => {
                let state = if chance.below(2) == 0 { "draining" } else { "disabled" };
                (Event::State(server, state), Event::State(server, "enabled"))
            }
        };
        self.after(0, bad);
        self.after(long, good);
    }

    /// Everything is mended; in the end nothing is left, and the report says the truth.
    fn end(mut self) -> Result<Story, Fault> {
        let world = &mut self.world;
        world.network.mend(world.now.mono);
        world.network.usual = Link::GOOD;
        world.names.away = false;
        NAMES.iter().for_each(|(name, leads)| world.lead(name, leads));
        world.set_report(true);
        for agent in 0..world.agents.len() {
            world.power_on(agent);
        }
        for agent in &mut world.agents {
            agent.listens_tcp = agent.transport == Transport::Tcp;
            agent.alive = Some((200, ""));
            agent.hang_up_all(world.now.mono);
        }
        for node in 0..world.nodes.len() {
            if !world.nodes[node].is_up() {
                world.start(node)?;
            }
        }
        world.configure(platform::objects(&self.by_tcp))?;
        world.run(Duration::from_secs(60))?;
        for agent in &mut world.agents {
            agent.hang_up_all(world.now.mono);
        }
        // what was on its way when all was empty arrives, and makes nothing new
        world.run_until(REST, |world| left(world).is_none())?;
        world.run(Duration::from_secs(2))?;
        // a probe may be under way
        if !world.run_until(Duration::from_secs(2), |world| left(world).is_none())? {
            let what = left(world).unwrap_or_default();
            return Err(world.fault(format!("not empty in the end: {what}")));
        }
        let truth = world.truth.compare(&world.report);
        truth.map_err(|what| world.fault(what))?;
        Ok(Story {
            trace: world.trace(),
            steps: world.steps(),
            calls: world.truth.calls().len(),
            answered: world.truth.answered(),
            kinds: world.truth.kinds(),
            crashes: world.truth.crashes,
            lost: world.network.figures().lost,
            records: world.report.records(),
            repeated: world.report.repeated(),
            streams: [world.streams.opened, world.streams.broken],
        })
    }
}

/// Changes what is configured of a media server, if it is there.
fn change(objects: &mut Json, server: usize, how: impl FnOnce(&mut Json)) {
    let name = PARTIES.get(server).map_or("", |(name, ..)| name);
    let group = objects::spec(objects, "ResourceGroup", "mcp");
    let all = group.and_then(|spec| spec["resources"].as_array_mut());
    if let Some(own) = all.and_then(|all| all.iter_mut().find(|one| one["name"] == name)) {
        how(own);
    }
}

/// Takes a media server out of the configuration, or puts it in as it was `before`.
fn keep(objects: &mut Json, before: &Json, name: &str, there: bool) {
    let mut before = before.clone();
    let own = objects::spec(&mut before, "ResourceGroup", "mcp")
        .and_then(|spec| spec["resources"].as_array()?.iter().find(|one| one["name"] == name))
        .cloned();
    let group = objects::spec(objects, "ResourceGroup", "mcp");
    let Some(all) = group.and_then(|spec| spec["resources"].as_array_mut()) else { return };
    all.retain(|one| one["name"] != name);
    if let Some(own) = own.filter(|_| there) {
        all.push(own);
    }
}

/// The first set that is not empty.
fn left(world: &World) -> Option<String> {
    for node in &world.nodes {
        let Some(proxy) = node.proxy() else { return Some(format!("{} is down", node.name)) };
        let (status, counters) = (proxy.status(), proxy.counters());
        let used: usize = proxy.resources().iter().map(|one| one.used).sum();
        let open = node.spool().map_or(0, |spool| spool.open_keys);
        let sets = [
            ("sessions", status.sessions),
            ("legs", status.legs),
            ("transactions without answer", status.transactions_pending),
            ("places on media servers", used),
            ("open frames", open),
            ("records without disk", node.backlog().0),
        ];
        if let Some((name, count)) = sets.into_iter().find(|(_, count)| *count > 0) {
            return Some(format!("{}: {count} {name}", node.name));
        }
        if counters.ledger_in != counters.ledger_out {
            let (begun, ended) = (counters.ledger_in, counters.ledger_out);
            return Some(format!("{}: {begun} legs begun, {ended} ended", node.name));
        }
        if !node.is_published() {
            return Some(format!("{}: records without broker", node.name));
        }
    }
    let waits = world.agents.iter().find(|agent| agent.waits() > 0);
    waits.map(|agent| format!("{} waits for {}", agent.name, agent.waits()))
}
