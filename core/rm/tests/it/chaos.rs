//! Random calls over a wire that loses, doubles and reorders, under changing configuration.
//!
//! Whatever happens, every call that was begun has exactly one end record, no id comes twice, and
//! at the end nothing is left in any set. The same seed gives the same records.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::chance::Chance;

use crate::world::{
    CALLER, Dialog, MCP1, MCP2, Sent, World, address, header, invite, objects, reply, settings,
    snapshot,
};
use model::id::BootEpoch;
use rm::{FrameKind, Input};

/// Seeds of one run; each lives through some minutes.
const SEEDS: u64 = 40;

struct Chaos {
    world: World,
    chance: Chance,
    /// Dialogs of callers and servers that may still say BYE.
    up: Vec<(String, Dialog)>,
    calls: u32,
    /// Requests of ours, so that they can be repeated and cancelled.
    sent: BTreeMap<String, String>,
    calm: bool,
}

impl Chaos {
    fn roll(&mut self, percent: u64) -> bool {
        !self.calm && self.chance.below(100) < percent
    }

    fn pick(&mut self, count: u64) -> usize {
        usize::try_from(self.chance.below(count)).unwrap()
    }

    /// kill -9 and a new run of the same node, from what is on disk.
    fn restart(&mut self, boot: u32) {
        let closed = self.closed();
        let open = self.world.records.iter().filter(|one| one.frame == FrameKind::Open);
        let open = open.filter(|one| !closed.contains(&one.key));
        // as the spool keeps them: a frame that is opened again takes the place of the one before
        let blocks: BTreeMap<[u8; 22], Vec<u8>> =
            open.map(|one| (one.key, one.block.clone())).collect();
        let mut second = impatient();
        second.boot = BootEpoch(boot);
        second.seed = [u64::from(boot), self.chance.next_u64(), 3, 4];
        let world = &mut self.world;
        world.proxy = rm::Proxy::new(second, snapshot(&objects()), world.now);
        world.made = 0;
        world.wire.clear();
        let restored = world.proxy.restore(world.now, blocks.values().map(Vec::as_slice));
        assert_eq!((restored.legs, restored.refused), (blocks.len(), 0));
        world.ready();
    }

    /// Keys of all frames that were closed or forgotten.
    fn closed(&self) -> BTreeSet<[u8; 22]> {
        let ends = self.world.records.iter().filter(|one| one.frame == FrameKind::Close);
        ends.map(|one| one.key).chain(self.world.forgotten.iter().copied()).collect()
    }

    fn call(&mut self) {
        self.calls += 1;
        let number = ["18005550100", "18005550250", "19001", "4711"];
        let at = usize::try_from(self.chance.below(4)).unwrap();
        let text = invite(number[at], &format!("x{}", self.calls));
        self.world.udp(CALLER, &text);
        self.sent.insert(format!("x{}@10.1.1.5", self.calls), text);
    }

    /// One message of the wire, any of them, arrives once, twice or never.
    fn deliver(&mut self) {
        let count = u64::try_from(self.world.wire.len()).unwrap();
        if count == 0 {
            return;
        }
        let at = if self.calm { 0 } else { usize::try_from(self.chance.below(count)).unwrap() };
        let sent = self.world.wire.remove(at).unwrap();
        if self.roll(10) {
            return;
        }
        let times = if self.roll(10) { 2 } else { 1 };
        for _ in 0..times {
            self.arrive(&sent);
        }
    }

    fn arrive(&mut self, sent: &Sent) {
        let to = sent.flow.remote.to_string();
        let (first, text) = (sent.text.split(' ').next().unwrap(), sent.text.as_str());
        match first {
            "SIP/2.0" => self.answered(&to, text),
            "ACK" => {}
            "INVITE" if header(text, "To").contains(";tag=") => {
                self.world.udp(&to, &reply(text, 200, "", "Contact: <sip:x@10.0.0.11:5070>\r\n"));
            }
            "INVITE" => self.invited(&to, text),
            _ => self.world.udp(&to, &reply(text, 200, "", "")),
        }
    }

    fn invited(&mut self, to: &str, text: &str) {
        let tag = format!("t{}", self.chance.below(1_000_000));
        let contact = format!("<sip:mcp@{to}>");
        let lines = format!("Contact: {contact}\r\n");
        if self.roll(40) {
            self.world.udp(to, &reply(text, 180, &tag, &lines));
        }
        let code = match self.chance.below(12) {
            0 => 486,
            1 => 503,
            2 => 404,
            3 if !self.calm => return,
            _ => 200,
        };
        if code == 200 {
            let callee = Dialog::of_callee(text, &tag, &contact);
            self.up.push((to.to_owned(), callee));
        }
        self.world.udp(to, &reply(text, code, &tag, &lines));
    }

    fn answered(&mut self, to: &str, text: &str) {
        let invite = header(text, "CSeq").ends_with(" INVITE");
        if !(invite && text.starts_with("SIP/2.0 200 ") && to == CALLER) {
            return;
        }
        let mut dialog = Dialog::of_caller(text);
        let branch = format!("ack{}", self.chance.below(u64::MAX));
        self.world.udp(CALLER, &dialog.request("ACK", CALLER, &branch));
        self.up.push((CALLER.to_owned(), dialog));
    }

    /// Somebody in a dialog says something.
    fn speak(&mut self) {
        let count = u64::try_from(self.up.len()).unwrap();
        if count == 0 {
            return;
        }
        let at = usize::try_from(self.chance.below(count)).unwrap();
        let branch = format!("d{}", self.chance.below(u64::MAX));
        let method = ["BYE", "INFO", "INVITE", "UPDATE"];
        let method = if self.calm { "BYE" } else { method[self.pick(4)] };
        let (host, dialog) = &mut self.up[at];
        let (host, text) = (host.clone(), dialog.request(method, host, &branch));
        if method == "BYE" {
            self.up.remove(at);
        }
        self.world.udp(&host, &text);
    }

    fn cancel(&mut self) {
        let key = format!("x{}@10.1.1.5", self.chance.below(u64::from(self.calls)) + 1);
        let text = self.sent[&key].replace("INVITE", "CANCEL");
        let head = text.split("Content-Type").next().unwrap();
        self.world.udp(CALLER, &format!("{head}Content-Length: 0\r\n\r\n"));
    }

    fn reconfigure(&mut self) {
        let mut documents = objects();
        let states = ["enabled", "draining", "disabled"];
        let state = states[self.pick(3)];
        documents[3]["spec"]["resources"][0]["state"] = state.into();
        documents[0]["spec"]["policy"]["usage_limit"] = (self.chance.below(40) + 1).into();
        documents[0]["spec"]["policy"].as_object_mut().unwrap().remove("burst");
        if self.chance.below(4) == 0 {
            documents[3]["spec"]["resources"].as_array_mut().unwrap().remove(1);
        }
        self.world.input(Input::Snapshot(snapshot(&documents)));
    }

    fn step(&mut self) {
        match self.chance.below(100) {
            0..12 => self.call(),
            12..75 => self.deliver(),
            75..83 => self.speak(),
            83..85 => self.cancel(),
            85 => self.reconfigure(),
            86 => {
                let servers = [vec![], vec![address(MCP2)], vec![address(MCP1), address(MCP2)]];
                self.world.alive = servers[self.pick(3)].clone();
            }
            87 => {
                let remote = address(MCP1);
                let transport = sip::transport::Transport::Udp;
                let flow = sip::transport::Flow { transport, listener: 0, remote, conn: None };
                self.world.input(Input::FlowFailed { flow });
            }
            88..90 => self.world.disk = !self.world.disk,
            _ => self.world.run(Duration::from_millis(self.chance.below(1500))),
        }
    }
}

fn impatient() -> rm::Settings {
    let mut settings = settings();
    settings.options.no_timer_lifetime = Duration::from_secs(60);
    settings.options.orphan_lifetime = Duration::from_secs(60);
    settings
}

/// One life; gives back the ids of all records in order, and how many calls were answered.
fn run(seed: u64) -> (Vec<String>, usize) {
    let world = World::with(&objects(), impatient());
    let chance = Chance::new([seed, 1, 2, 3]);
    let (up, sent) = (Vec::new(), BTreeMap::new());
    let mut chaos = Chaos { world, chance, up, calls: 0, sent, calm: false };
    let restarts = seed.is_multiple_of(2);
    for step in 0..600 {
        chaos.step();
        if restarts && (step == 250 || step == 450) {
            chaos.restart(if step == 250 { 2 } else { 3 });
        }
    }
    chaos.calm = true;
    chaos.world.disk = true;
    chaos.world.alive = vec![address(MCP1), address(MCP2)];
    for _ in 0..400 {
        chaos.speak();
        for _ in 0..20 {
            chaos.deliver();
        }
        chaos.world.run(Duration::from_millis(100));
    }
    // what never heard a BYE ends by itself; RM's own BYEs may stay without answer
    chaos.world.run(Duration::from_secs(200));
    let closed = chaos.closed();
    let world = &chaos.world;
    assert_eq!(world.proxy.invariant(), Ok(()), "seed {seed}");
    let status = world.proxy.status();
    assert_eq!((status.sessions, status.legs), (0, 0), "seed {seed}");
    let used: usize = world.proxy.resources().iter().map(|one| one.used).sum();
    assert_eq!((used, status.transactions_pending), (0, 0), "seed {seed}");
    let counters = world.proxy.counters();
    assert_eq!(counters.ledger_in, counters.ledger_out, "seed {seed}");
    if !restarts {
        assert_eq!(counters.ledger_out, world.ends().len() as u64, "seed {seed}");
    }
    for open in world.records.iter().filter(|one| one.frame == FrameKind::Open) {
        assert!(closed.contains(&open.key), "seed {seed}: a frame stays open: {}", open.json);
    }
    // a party that missed the end may speak again after a restart: then its token, and only that,
    // brings the leg back under a higher epoch
    let mut ends = BTreeSet::new();
    for end in world.ends() {
        let first = ends.insert(leg(end));
        assert!(first || (restarts && end["rebuilt"] == true), "seed {seed}: two ends: {end}");
    }
    for start in world.phase("start") {
        assert!(ends.contains(&leg(start)), "seed {seed}: no end of {start}");
    }
    let order: Vec<String> = world.records.iter().map(|one| one.json["id"].to_string()).collect();
    let ids: BTreeSet<&String> = order.iter().collect();
    assert_eq!(ids.len(), order.len(), "seed {seed}: an id came twice");
    (order, world.phase("start").len())
}

fn leg(record: &serde_json::Value) -> String {
    record["session_id"].as_str().unwrap().to_owned()
}

#[test]
fn nothing_is_lost_doubled_or_left_behind() {
    let answered: usize = (1..=SEEDS).map(|seed| run(seed).1).sum();
    assert!(answered > 500, "{answered}");
}

#[test]
fn the_same_seed_gives_the_same_records() {
    assert_eq!(run(7), run(7));
    assert_eq!(run(8), run(8));
}
