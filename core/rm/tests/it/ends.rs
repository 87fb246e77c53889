//! How calls end (rm.md §2.7, §7.10, §9.2): the table testdata/ends.txt.

use std::time::Duration;

use model::id::{BootEpoch, Guid};
use rm::{FrameKind, Input, Will};
use serde_json::{Value, json};

use crate::joining::answered;
use crate::names::resolve;
use crate::platform::{invite_to, platform};
use crate::tables::cases;
use crate::world::{CALLER, MCP1, Up, World, address, header, invite, reply, settings};

/// One call, and who its parties are.
struct Call {
    documents: Value,
    world: World,
    caller: &'static str,
    /// Once it is up.
    up: Option<Up>,
    /// What the media server was asked, while it rings.
    asked: String,
    guid: Guid,
    branches: usize,
}

fn own_settings(boot: u32) -> rm::Settings {
    let mut own = settings();
    own.peers[0].notify_failures = true;
    (own.boot, own.seed) = (BootEpoch(boot), [u64::from(boot); 4]);
    own
}

impl Call {
    fn new(kind: &str, happens: &str) -> Self {
        let mut documents = platform();
        let on_dead = happens.split(':').nth(1).unwrap_or("bye").split('+').next().unwrap();
        documents[3]["spec"]["on_dead"] = on_dead.into();
        if !happens.contains("dies") {
            documents[3]["spec"]["monitor"] = json!({"method": "none"});
        }
        let mut world = World::with(&documents, own_settings(1));
        let tenant = "gvp-tenant-id=acme";
        let (caller, text) = match kind {
            "inbound" | "ringing" | "trying" | "asked" => (CALLER, invite("18005550100", "c")),
            "named" => {
                let named = "Contact: <sip:c@client.test:5090>";
                let text = invite("18005550100", "c");
                (CALLER, text.replace("Contact: <sip:10.0.0.2:5090>", named))
            }
            "bridged" => (MCP1, invite_to(&format!("sip:dialog@10.0.0.5;{tenant}"), MCP1, "c", "")),
            "outbound" => {
                (MCP1, invite_to(&format!("sip:030456789@10.0.0.5;{tenant}"), MCP1, "c", ""))
            }
            other => unreachable!("no call: {other}"),
        };
        let timer = happens.starts_with("timer");
        world.udp(caller, &text);
        let guid = world.proxy.calls(&rm::CallFilter::default(), None, 1).calls[0].session;
        let (mut up, mut asked) = (None, String::new());
        if matches!(kind, "ringing" | "trying" | "asked") {
            asked = world.take(MCP1);
            let said = [("ringing", 180), ("trying", 100)].into_iter();
            for (_, code) in said.filter(|(name, _)| *name == kind) {
                world.udp(MCP1, &reply(&asked, code, "t", ""));
            }
        } else if kind == "named" {
            let sent = world.take(MCP1);
            let contact = "Contact: <sip:x@server.test:5070>\r\n";
            world.udp(MCP1, &reply(&sent, 200, "callee", contact));
        } else if timer {
            let sent = world.take(MCP1);
            let lines = "Contact: <sip:x@10.0.0.11:5070>\r\nSession-Expires: 90;refresher=uac\r\n";
            world.udp(MCP1, &reply(&sent, 200, "callee", lines));
        } else {
            up = Some(answered(&mut world, caller).2);
        }
        world.wire.clear();
        Self { documents, world, caller, up, asked, guid, branches: 0 }
    }

    /// One side asks for something, and the other answers it so.
    fn asks(&mut self, caller: bool, method: &str, code: u16) {
        self.branches += 1;
        let branch = format!("{method}{}", self.branches);
        let up = self.up.as_mut().unwrap();
        let server = up.server.clone();
        let (dialog, from, to) = match caller {
            true => (&mut up.caller, self.caller, server.as_str()),
            false => (&mut up.callee, server.as_str(), self.caller),
        };
        let contact = format!("<sip:x@{from}>");
        dialog.contact.clone_from(&contact);
        let text = dialog.request(method, from, &branch);
        self.world.udp(from, &text);
        let passed = self
            .world
            .wire
            .iter()
            .position(|sent| sent.flow.remote == address(to) && sent.text.starts_with(method));
        let passed = self.world.wire.remove(passed.expect("it is passed on")).unwrap();
        self.world.udp(to, &reply(&passed.text, code, "", ""));
    }

    /// The node is killed and comes back.
    fn restart(&mut self, with_its_spool: bool) {
        let open = self.world.records.iter().filter(|one| one.frame == FrameKind::Open);
        let blocks: Vec<Vec<u8>> = open.map(|one| one.block.clone()).collect();
        let now = self.world.now;
        self.world = World::cold(&self.documents, own_settings(2));
        self.world.now = now;
        if with_its_spool {
            let blocks = blocks.iter().map(Vec::as_slice);
            assert_eq!(self.world.proxy.restore(now, blocks).legs, 1);
        }
        self.world.ready();
        self.world.wire.clear();
    }

    /// The name service answers.
    fn found(&mut self, name: &str, at: &[&str]) {
        resolve(&mut self.world, name, at, 60);
        self.world.run(Duration::ZERO);
    }

    fn dies(&mut self, how: &str) {
        self.world.alive.retain(|at| *at != address(MCP1));
        // at most 12 s until that is known
        let mut waited = 0;
        while self.world.proxy.resource("mcp", "mcp-1").unwrap().state != "dead" {
            self.world.run(Duration::from_secs(1));
            waited += 1;
            assert!(waited <= 12);
        }
        let release = if how.ends_with("soon") { 12 } else { 16 };
        self.world.run(Duration::from_secs(release));
    }

    fn happens(&mut self, event: &str) {
        match event {
            "caller-bye" => self.asks(true, "BYE", 200),
            "called-bye" => self.asks(false, "BYE", 200),
            "bye-481" => self.asks(true, "BYE", 481),
            "bye-408" => self.asks(true, "BYE", 408),
            "refer" => self.asks(false, "REFER", 202),
            "refused-refer" => self.asks(false, "REFER", 603),
            "heard" => self.asks(true, "INFO", 200),
            "cancel" => {
                let cancel = invite("18005550100", "c").replace("INVITE", "CANCEL");
                self.world.udp(CALLER, &cancel);
                self.world.udp(MCP1, &reply(&self.asked, 487, "t", ""));
            }
            "100" | "486" => {
                self.world.udp(MCP1, &reply(&self.asked, event.parse().unwrap(), "t", ""));
            }
            "silence" => self.world.run(Duration::from_secs(300)),
            "timer" => {}
            "operator" => self.world.input(Input::HangUp { guid: self.guid, leg: None }),
            "crossed" => {
                let contact = "Contact: <sip:x@10.0.0.11:5070>\r\n";
                self.world.udp(MCP1, &reply(&self.asked, 200, "t", contact));
            }
            "deadline" => {
                let until = Some(self.world.now.wall.plus(Duration::from_secs(1)));
                let will = Some(Will { admin: model::config::Admin::Draining, until });
                self.world.input(Input::Administer { resource: "mcp-1", will });
                self.world.run(Duration::from_millis(1500));
            }
            "returns" => {
                self.world.alive.push(address(MCP1));
                self.world.run(Duration::from_secs(60));
            }
            "caller-found" => self.found("sip:client.test:5090", &[self.caller]),
            "server-found" => self.found("sip:server.test:5070", &[MCP1]),
            "nobody-found" => {
                self.found("sip:client.test:5090", &[]);
                self.found("sip:server.test:5070", &[]);
            }
            "restart" => self.restart(true),
            "blank-restart" => self.restart(false),
            _ => match event.strip_prefix("dies:") {
                Some(how) => self.dies(how),
                None => self.world.run(model::units::duration(event).unwrap()),
            },
        }
    }

    /// What RM has sent of its own to this address, in order; what is sent again counts once.
    fn told(&self, to: &str) -> String {
        let mut told: Vec<String> = Vec::new();
        for sent in self.world.wire.iter().filter(|sent| sent.flow.remote == address(to)) {
            let method = sent.text.split(' ').next().unwrap();
            let cause =
                header(&sent.text, "Reason").split(';').find(|one| one.starts_with("cause="));
            let word = match (method, cause) {
                ("BYE", Some(cause)) => format!("BYE:{}", &cause[6..]),
                ("NOTIFY" | "CANCEL", _) => method.to_owned(),
                _ => continue,
            };
            if !told.contains(&word) {
                told.push(word);
            }
        }
        if told.is_empty() { "-".to_owned() } else { told.join(",") }
    }
}

#[test]
fn the_table_of_ends() {
    let mut wrong = Vec::new();
    for case in cases(include_str!("testdata/ends.txt"), 50) {
        let [kind, happens, expected @ ..] = &case[..] else { panic!("{case:?}") };
        let mut call = Call::new(kind, happens);
        for event in happens.split('+') {
            call.happens(event);
        }
        let text = |value: &Value| match value {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            number => number.to_string(),
        };
        let (state, reason, status) = match call.world.ends()[..] {
            [] => ("-".to_owned(), "-".to_owned(), "-".to_owned()),
            [end] => (text(&end["end_state"]), text(&end["reason"]), text(&end["sip_status"])),
            _ => panic!("{case:?}: it ends twice"),
        };
        assert_eq!(call.world.proxy.status().legs, usize::from(state == "-"), "{case:?}");
        let server = call.up.as_ref().map_or(MCP1, |up| up.server.as_str());
        let found = [state, reason, status, call.told(call.caller), call.told(server)];
        if found != expected {
            wrong.push(format!("{case:?}: {found:?}"));
        }
        call.world.proxy.invariant().unwrap();
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A BYE that crosses RM's own would find nobody; one to a server that lives finds it.
#[test]
fn a_bye_that_crosses_that_of_rm_is_answered_though_the_server_is_dead() {
    for (happens, answer) in [("dies:bye", Some("SIP/2.0 481 ")), ("operator", None)] {
        let mut call = Call::new("inbound", happens);
        call.happens(happens);
        call.world.wire.clear();
        let up = call.up.as_mut().unwrap();
        call.world.udp(CALLER, &up.caller.request("BYE", CALLER, "crossing"));
        let answered = call.world.try_take(CALLER);
        let passed = call.world.try_take(MCP1);
        assert_eq!(passed.is_some(), answer.is_none(), "{happens}: {passed:?}");
        match (answered, answer) {
            (Some(text), Some(expected)) => assert!(text.starts_with(expected), "{text}"),
            (None, None) => {}
            (other, _) => panic!("{happens}: {other:?}"),
        }
        assert_eq!(call.world.ends().len(), 1);
    }
}
