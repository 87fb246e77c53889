//! Random lives of calls: callers that give up, vanish or hang up, media servers that are silent,
//! refuse, die and come back, a bad network with cuts, Resource Managers that crash, a slow disk, a
//! broker that is away. A seed decides all of it.
//!
//! When all calls were placed, everything is mended and time passes until nothing is left in any
//! set; then the report is compared with what really happened.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use model::chance::Chance;
use serde_json::json;

use crate::agent::{Call, Manner};
use crate::network::Link;
use crate::objects;
use crate::seed;
use crate::world::{Fault, Setup, World, server};

/// Longest that anything may stay after everything was mended: a call nobody ends is cut after a
/// minute of silence, its BYEs are given up half a minute later, and answers are kept as long.
const REST: Duration = Duration::from_secs(400);
/// Sessions of the one tenant, so that the limit is met.
const LIMIT: u32 = 24;

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
    /// A hundred calls, with everything.
    pub const FULL: Self = Self { calls: 100, crashes: true, most_steps: u64::MAX };
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
    /// Crashes of Resource Managers.
    pub crashes: u32,
    /// Datagrams that were lost.
    pub lost: u64,
    /// Records in the report.
    pub records: usize,
    /// Copies of records that came again.
    pub repeated: u64,
}

/// One thing that goes wrong, or is mended.
#[derive(Clone, Copy, Debug)]
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
}

/// A life under way.
struct Life {
    world: World,
    chance: Chance,
    events: BTreeMap<(Duration, u64), Event>,
    number: u64,
    crashes: bool,
}

/// Lives one life.
///
/// # Errors
/// What does not hold, with the seed and the step.
pub fn run(seed: u64, plan: Plan) -> Result<Story, Fault> {
    let mut chance = seed::chance(seed, 5);
    let servers: Vec<(&'static str, SocketAddr)> =
        vec![("mcp-1", server(11)), ("mcp-2", server(12)), ("mcp-3", server(13))];
    let mut objects = objects::example_1(&servers);
    if let Some(spec) = objects::spec(&mut objects, "Tenant", "acme") {
        spec["policy"] = json!({"usage_limit": LIMIT});
    }
    if let Some(spec) = objects::spec(&mut objects, "ResourceGroup", "mcp") {
        for (resource, capacity) in (0..3).zip([8, 10, 12]) {
            spec["resources"][resource]["capacity"] = json!(capacity);
        }
    }
    let nodes = if chance.below(3) == 0 { 2 } else { 1 };
    let mut world = World::new(Setup { seed, nodes, servers, objects, settings: impatient })?;
    world.listens = false;
    world.most_steps = plan.most_steps;
    world.network.usual = weather(&mut chance);
    for agent in &mut world.agents {
        agent.manner = None;
        agent.listens = false;
    }
    let (events, crashes) = (BTreeMap::new(), plan.crashes);
    let mut life = Life { world, chance, events, number: 0, crashes };
    life.live(plan.calls)?;
    life.end()
}

/// Calls that nobody ends are cut soon.
fn impatient(settings: &mut rm::Settings) {
    settings.options.no_timer_lifetime = Duration::from_secs(60);
    settings.options.orphan_lifetime = Duration::from_secs(60);
    settings.timers.c = Duration::from_secs(40);
}

fn weather(chance: &mut Chance) -> Link {
    let ms = Duration::from_millis;
    match chance.below(3) {
        0 => Link::GOOD,
        1 => Link { delay: ms(5), jitter: ms(20), loss: 2, twice: 1, cut: false },
        _ => Link { delay: ms(10), jitter: ms(300), loss: 10, twice: 5, cut: false },
    }
}

/// How a called party takes a call, by chance.
pub fn manner(chance: &mut Chance) -> Manner {
    let mut ms = |most| Duration::from_millis(chance.below(most));
    let (ring, answer, hold, say) = (ms(300), ms(3000), ms(20_000), ms(9000));
    let rings = (chance.below(3) == 0).then_some((ring, 180));
    let (code, lines) = match chance.below(20) {
        0 => (503, ""),
        1 => (503, "Retry-After: 2\r\n"),
        2 => (486, ""),
        3 => (404, ""),
        4 => (500, ""),
        5 => (603, ""),
        _ => (200, ""),
    };
    let answers = (chance.below(15) > 0).then_some((answer, code));
    let hold = (chance.below(3) > 0).then_some(hold);
    let says = if chance.below(4) == 0 { vec![(say, said(chance))] } else { Vec::new() };
    Manner { rings, answers, lines: lines.to_owned(), hold, says }
}

fn said(chance: &mut Chance) -> &'static str {
    match chance.below(4) {
        0 => "INVITE",
        1 => "UPDATE",
        2 => "REFER",
        _ => "INFO",
    }
}

fn call(chance: &mut Chance) -> Call {
    let mut ms = |most| Duration::from_millis(chance.below(most));
    let (patience, hold, say, vanish) = (ms(6000), ms(20_000), ms(9000), ms(12_000));
    let number = match chance.below(8) {
        0 => "4711",
        1 => "19001234567",
        2 => "18005550250",
        _ => "18005550100",
    };
    Call {
        number: number.to_owned(),
        lines: String::new(),
        patience: (chance.below(5) == 0).then_some(patience),
        hold: (chance.below(3) > 0).then_some(hold),
        says: if chance.below(3) == 0 { vec![(say, said(chance))] } else { Vec::new() },
        vanish: (chance.below(12) == 0).then_some(vanish),
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
            self.happen(event)?;
            let goes_on = self.events.values().any(|event| matches!(event, Event::Call));
            if matches!(event, Event::Trouble) && goes_on {
                let next = 1000 + self.chance.below(8000);
                self.after(next, Event::Trouble);
            }
        }
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<(), Fault> {
        let now = self.world.now.mono;
        match event {
            Event::Call => {
                let nodes = u64::try_from(self.world.nodes.len()).unwrap_or(1);
                let node = usize::try_from(self.chance.below(nodes)).unwrap_or(0);
                let call = call(&mut self.chance);
                self.world.place(node, call);
            }
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
            Event::PowerOff(agent) => self.world.agents[agent].power_off(now),
            Event::PowerOn(agent) => self.world.agents[agent].power_on(),
            Event::Report(up) => self.world.set_report(up),
            Event::Cut(a, b) => self.world.network.set(a.ip(), b.ip(), Link::CUT),
            Event::Mend => self.world.network.mend(),
            Event::Probes(agent, answer) => self.world.agents[agent].alive = answer,
            Event::Sync(sync) => self.world.nodes.iter_mut().for_each(|node| node.sync = sync),
            Event::State(resource, state) => {
                let mut objects = self.world.objects.clone();
                if let Some(spec) = objects::spec(&mut objects, "ResourceGroup", "mcp") {
                    spec["resources"][resource]["state"] = json!(state);
                }
                self.world.configure(objects)?;
            }
        }
        Ok(())
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
        let server = usize::try_from(1 + chance.below(3)).unwrap_or(1);
        let at = self.world.nodes[node].address;
        let (bad, good) = match chance.below(8) {
            0 | 1 if self.crashes => return self.after(0, Event::Crash(node)),
            0 | 2 => (Event::PowerOff(server), Event::PowerOn(server)),
            1 => (Event::Report(false), Event::Report(true)),
            3 => (Event::Cut(at, self.world.agents[server].address), Event::Mend),
            4 => (Event::Cut(at, SocketAddr::from(([10, 0, 0, 80], 0))), Event::Mend),
            5 => {
                let answers = [None, Some((503, "Retry-After: 5\r\n")), Some((486, ""))];
                let which = usize::try_from(chance.below(3)).unwrap_or(0);
                let answer = answers.get(which).copied().flatten();
                (Event::Probes(server, answer), Event::Probes(server, Some((200, ""))))
            }
            6 => {
                let slow = Duration::from_millis(1 + chance.below(60));
                (Event::Sync(slow), Event::Sync(Duration::from_millis(2)))
            }
            _ => {
                let state = if chance.below(2) == 0 { "draining" } else { "disabled" };
                (Event::State(server - 1, state), Event::State(server - 1, "enabled"))
            }
        };
        self.after(0, bad);
        self.after(long, good);
    }

    /// Everything is mended; in the end nothing is left, and the report says the truth.
    fn end(mut self) -> Result<Story, Fault> {
        let world = &mut self.world;
        world.network.mend();
        world.network.usual = Link::GOOD;
        world.set_report(true);
        for agent in &mut world.agents {
            agent.power_on();
            agent.alive = Some((200, ""));
            agent.hang_up_all(world.now.mono);
        }
        for node in 0..world.nodes.len() {
            if !world.nodes[node].is_up() {
                world.start(node)?;
            }
        }
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
            crashes: world.truth.crashes,
            lost: world.network.figures().lost,
            records: world.report.records(),
            repeated: world.report.repeated(),
        })
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
