//! What RM answers itself (rm.md §1.10): the table testdata/answers.txt.
//!
//! Each row is a world of its own: what is given is made so, one request is sent, and the last
//! final answer to it is compared, with the record of the attempt and what was counted.

use std::time::Duration;

use rm::{Input, NodeState};
use serde_json::{Value, json};

use crate::platform::{self, CONNECTOR, invite_to};
use crate::tables::cases;
use crate::world::{CALLER, MCP1, MCP2, World, address, header, reply, settings};

const STRANGER: &str = "203.0.113.9:5060";

/// What a row says of the world, word by word.
struct Given<'t>(Vec<(&'t str, &'t str)>);

impl<'t> Given<'t> {
    fn new(text: &'t str) -> Self {
        let words = text.split('+').filter(|word| *word != "-");
        Self(words.map(|word| word.split_once('=').expect("name=value")).collect())
    }

    fn get(&self, name: &str) -> Option<&'t str> {
        self.0.iter().find(|(own, _)| *own == name).map(|(_, value)| *value)
    }

    /// JSON; the blank of a dialling rule is written `_`.
    fn json(&self, name: &str) -> Option<Value> {
        let text = self.get(name)?.replace("reject_", "reject ");
        Some(serde_json::from_str(&text).expect(name))
    }
}

/// The platform of the other tables, as the row wants it.
fn documents(given: &Given<'_>) -> Value {
    let mut all = platform::platform();
    for (name, at) in [("tenant", 0), ("profile", 1)] {
        if given.get(name) == Some("disabled") {
            all[at]["enabled"] = false.into();
        }
    }
    all[1]["spec"]["policy"] = given.json("policy").unwrap_or_else(|| json!({}));
    if given.get("page") == Some("too-long") {
        all[1]["spec"]["parameters"]["voicexml"]["own"] = json!({"fixed": "y".repeat(2_100)});
    }
    for (name, value) in given.json("mcp").iter().flat_map(|more| more.as_object().unwrap()) {
        all[3]["spec"][name] = value.clone();
    }
    let mut group = |group: &str, state: Option<&str>| {
        let list = all.as_array_mut().unwrap();
        let group = list.iter_mut().find(|one| one["name"] == group).unwrap();
        for resource in group["spec"]["resources"].as_array_mut().unwrap() {
            match state {
                Some("full") => resource["capacity"] = 0.into(),
                Some(state @ ("draining" | "disabled")) => resource["state"] = state.into(),
                _ => {}
            }
        }
    };
    group("mcp", given.get("servers"));
    group("ctic", given.get("connectors"));
    if let Some(options) = given.json("rm") {
        all.as_array_mut().unwrap().push(json!({"kind": "Application", "name": "rm-1",
            "spec": {"type": "resource-manager", "options": {"rm": options}}}));
    }
    all
}

/// A world in which all that is given holds; and the session header of a call that is up.
fn world(given: &Given<'_>) -> (World, String) {
    let documents = documents(given);
    let mut world = World::with(&documents, settings());
    let mut session = String::new();
    if given.get("servers") == Some("dead") {
        world.alive.clear();
        world.run(Duration::from_secs(12));
    }
    if given.get("conference") == Some("dead") {
        let uri = "sip:conf=team7@10.0.0.5;gvp-tenant-id=acme";
        world.udp(CALLER, &invite_to(uri, CALLER, "first", ""));
        let first = world.take_invite().unwrap();
        let at = first.flow.remote;
        let contact = format!("Contact: <sip:mcp@{at}>\r\n");
        world.udp(&at.to_string(), &reply(&first.text, 200, "t", &contact));
        world.alive.retain(|alive| *alive != at);
        world.run(Duration::from_secs(13));
    }
    if given.get("session") == Some("up") {
        world.up("18005550100", "first");
        let guid = world.phase("start")[0]["guid"].as_str().unwrap();
        session = format!("X-Genesys-GVP-Session-ID: {guid}\r\n");
    }
    match given.get("node") {
        Some("draining") => world.input(Input::State(NodeState::Draining)),
        Some("starting") => world.input(Input::State(NodeState::Starting)),
        Some("overloaded") => world.input(Input::KernelDrops { packets: 1_000_000 }),
        _ => {}
    }
    world.wire.clear();
    (world, session)
}

/// The request of a row.
fn request(method: &str, uri: &str, from: &str, lines: &str, session: &str) -> String {
    let uri = uri.replace("LONG", &"y".repeat(3_000)).replace("ID129", &"i".repeat(129));
    let mut text = invite_to(&uri, from, "row", session);
    text = text.replace("INVITE", method).replace("To: <sip:0@10.0.0.5>", &format!("To: <{uri}>"));
    if method.parse::<u16>().is_ok() {
        let first = text.lines().next().unwrap().to_owned();
        text = text.replacen(&first, &format!("SIP/2.0 {method} OK"), 1);
    }
    for (name, value) in lines.split('+').filter_map(|line| line.split_once(':')) {
        match name {
            "To-Tag" => {
                text =
                    text.replacen(&format!("To: <{uri}>"), &format!("To: <{uri}>;tag={value}"), 1)
            }
            "Version" => text = text.replacen(" SIP/2.0\r\n", &format!(" {value}\r\n"), 1),
            "Pad" => {
                let pad = "x".repeat(1_000);
                let lines =
                    format!("X-Pad: {pad}\r\n").repeat(value.parse::<usize>().unwrap() / 1_000);
                text = text.replacen("Content-Type", &format!("{lines}Content-Type"), 1);
            }
            "Broken" => text = text.replacen(&format!("{value}: "), &format!("{value}: broken"), 1),
            "Max-Forwards" => {
                text = text.replacen("Max-Forwards: 70", &format!("{name}: {value}"), 1)
            }
            _ => {
                let value = value.replace("FORGED", &format!("rm-{}", "A".repeat(94)));
                let line = format!("{name}: {value}\r\nContent-Type");
                text = text.replacen("Content-Type", &line, 1);
            }
        }
    }
    text
}

/// Servers, connectors and the caller do what the row says, until nothing more happens.
fn goes_on(world: &mut World, given: &Given<'_>, from: &str, text: &str) {
    if given.get("way") == Some("back") {
        let sent = world.take_invite().unwrap();
        let via = format!("Via: {}\r\n", header(&sent.text, "Via"));
        let own = "Via: SIP/2.0/UDP 10.0.0.2:5090;branch=z9hG4bKback\r\n";
        world.wire.clear();
        world.udp(from, &text.replacen("Via: ", &format!("{own}{via}Via: "), 1));
        return;
    }
    while let Some(sent) = world.take_invite() {
        let at = sent.flow.remote;
        let known = [MCP1, MCP2, CONNECTOR].map(address).contains(&at);
        assert!(known, "{at} is asked: {}", sent.text);
        let says = given.get(if at == address(CONNECTOR) { "connectors" } else { "servers" });
        match says.and_then(|code| code.parse().ok()) {
            Some(code) => world.udp(&at.to_string(), &reply(&sent.text, code, "t", "")),
            None if given.get("caller") == Some("cancels") => {
                world.udp(&at.to_string(), &reply(&sent.text, 180, "t", ""));
                world.udp(from, &text.replace("INVITE", "CANCEL"));
                world.udp(&at.to_string(), &reply(&sent.text, 487, "t", ""));
            }
            None => assert_eq!(says, Some("silent"), "{at} is asked: {}", sent.text),
        }
        if !world.wire.iter().any(|sent| sent.text.starts_with("INVITE ")) {
            world.run(Duration::from_secs(220));
        }
        // what is sent again for want of an answer is no other try
        let first = header(&sent.text, "Via").to_owned();
        world.wire.retain(|again| header(&again.text, "Via") != first);
    }
}

/// The last final answer to the request of this method that was sent to its sender.
fn answer(world: &World, from: &str, method: &str) -> Option<String> {
    let final_answer = |text: &str| {
        let code =
            text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse::<u16>().ok());
        code.is_some_and(|code| code >= 200) && header(text, "CSeq").ends_with(method)
    };
    let sent = world.wire.iter().filter(|sent| sent.flow.remote == address(from));
    sent.map(|sent| &sent.text).rfind(|text| final_answer(text)).cloned()
}

#[test]
fn the_table_of_answers() {
    for case in cases(include_str!("testdata/answers.txt"), 75) {
        let [given, from, method, uri, lines, status, reason, retry, record] = case[..] else {
            panic!("{case:?}")
        };
        let given = Given::new(given);
        let (mut world, session) = world(&given);
        let from = if from == "stranger" { STRANGER } else { platform::caller(from) };
        let ends = world.ends().len();
        let text = request(method, uri, from, lines, &session);
        world.udp(from, &text);
        goes_on(&mut world, &given, from, &text);
        let own = ends..world.ends().len();
        let recorded: Vec<_> = world.ends()[own]
            .iter()
            .map(|end| (end["reason"].clone(), end["end_state"].clone()))
            .collect();
        let expected = if record == "-" { vec![] } else { vec![(json!(reason), json!(record))] };
        assert_eq!(recorded, expected, "{case:?}");
        let Some(answer) = answer(&world, from, method) else {
            assert_eq!(status, "none", "{case:?}: {:?}", world.wire);
            let counters = world.proxy.counters();
            let malformed = reason == "malformed" && counters.parse_errors["UDP"] == 1;
            assert!(malformed || counters.dropped[reason] == 1, "{case:?}");
            continue;
        };
        assert_eq!(answer.split(' ').nth(1), Some(status), "{case:?}: {answer}");
        let code: u16 = status.parse().unwrap();
        let told = match header(&answer, "X-Ringmaster-State") {
            "" => header(&answer, "Warning").to_owned(),
            state => format!("399 rm-1 \"{state}\""),
        };
        assert_eq!(told, format!("399 rm-1 \"{reason}\""), "{case:?}: {answer}");
        assert_eq!(header(&answer, "Server"), "Ringmaster", "{case:?}");
        let again = header(&answer, "Retry-After");
        match retry {
            "-" => assert_eq!(again, "", "{case:?}"),
            "2-5" => assert!((2..=5).contains(&again.parse::<u32>().unwrap()), "{case:?}: {again}"),
            _ => assert_eq!(again, retry, "{case:?}"),
        }
        if method != "OPTIONS" {
            let counted = world.proxy.counters().answers.get(&(code, reason)).copied();
            assert_eq!(counted, Some(1), "{case:?}");
        }
        world.proxy.invariant().unwrap();
    }
}
