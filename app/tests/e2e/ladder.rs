//! The messages of a call: as an operator asks for them when it is over, and as a collector gets
//! them. The commands and settings are those of docs/operate/messages.md.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::calls::{healthy, objects};
use crate::collector::Collector;
use crate::http;
use crate::platform::{self, CALLER, MEDIA, Site, eventually};
use crate::sipp::{Media, Plan};

const PAGE: &str = include_str!("../../../docs/operate/messages.md");
const NUMBERS: [&str; 1] = ["18005550100"];

/// The blocks of the page in a language.
fn blocks(language: &str) -> impl Iterator<Item = &'static str> {
    let fence = format!("```{language}\n");
    let blocks: Vec<_> = PAGE.split(fence.as_str()).skip(1).collect();
    blocks.into_iter().map(|block| block.split("```").next().unwrap())
}

/// A caller who shows credentials and data that nobody shall see.
fn caller_with_secrets(site: &Site) -> PathBuf {
    let scenario = Plan::new(site.sip(), &NUMBERS, 1).scenario;
    let text = std::fs::read_to_string(scenario).unwrap();
    let secrets = "Max-Forwards: 70\n      \
        Authorization: Digest username=\"ann\", response=\"secret-1\"\n      \
        X-Genesys-UData_pin: secret-2\n      X-Genesys-CallUUID";
    let changed = text.replace("Max-Forwards: 70\n      X-Genesys-CallUUID", secrets);
    assert_ne!(text, changed);
    site.write("secrets.xml", &changed)
}

/// Direction, far end, method or code, and CSeq of each message, repetitions and 100 left out.
fn steps(messages: &[Value]) -> Vec<String> {
    let mut steps = Vec::new();
    for message in messages {
        let head = message["head"].as_str().unwrap();
        let mut words = head.split(' ');
        let first = words.next().unwrap();
        let what = if first == "SIP/2.0" { words.next().unwrap() } else { first };
        let cseq = head.lines().find_map(|line| line.strip_prefix("CSeq: ")).unwrap();
        let peer: std::net::SocketAddr = message["peer"].as_str().unwrap().parse().unwrap();
        let far = if peer.ip() == CALLER { "caller" } else { "media" };
        assert!(peer.ip() == CALLER || peer.ip() == MEDIA, "{peer}");
        assert_eq!(message["transport"], "UDP");
        let step = format!("{} {far} {what} of {cseq}", message["direction"].as_str().unwrap());
        if what != "100" && !steps.contains(&step) {
            steps.push(step);
        }
    }
    steps
}

/// A whole call, as RM has it.
const WHOLE: [&str; 12] = [
    "in caller INVITE of 1 INVITE",
    "out media INVITE of 1 INVITE",
    "in media 180 of 1 INVITE",
    "out caller 180 of 1 INVITE",
    "in media 200 of 1 INVITE",
    "out caller 200 of 1 INVITE",
    "in caller ACK of 1 ACK",
    "out media ACK of 1 ACK",
    "in caller BYE of 2 BYE",
    "out media BYE of 2 BYE",
    "in media 200 of 2 BYE",
    "out caller 200 of 2 BYE",
];

/// No body, no credential, no token.
fn assert_nothing_secret(text: &str) {
    for secret in ["secret", "Authorization", "UData", "rtpmap", "m=audio"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(text.contains("sip:rm-***@"), "{text}");
    assert_eq!(text.matches("sip:rm-").count(), text.matches("sip:rm-***@").count(), "{text}");
}

/// The copies that a collector has of the messages of a call, when it has one of each.
fn copies(collector: &Collector, call_id: &str, count: usize) -> Vec<BTreeMap<String, String>> {
    let of_call = || {
        let mut copies = collector.copies();
        copies.retain(|copy| copy["correlation"] == call_id);
        copies
    };
    eventually("a copy of each message", of_call, |copies| copies.len() == count)
}

#[test]
fn scenario_62_the_messages_of_a_finished_call_and_a_collector_that_dies() {
    let (media, collector) = (Media::start(), Collector::start());
    let site = Site::new(&objects(&[&media], "{}"));
    site.write("hep.password", "collect-me\n");
    let hep = blocks("yaml").next().unwrap();
    let hep = hep.replace("homer.example:9060", &collector.address.to_string());
    let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    site.write("settings.yaml", &settings.replacen("rm:\n", &hep, 1));
    let _rm = site.start_rm();
    healthy(&site, 1);
    let rm = site.rm_http();
    let run = |command: &str, guid: &str| {
        let command = command.strip_prefix("ringmaster ").unwrap().replace("GUID", guid);
        let url = rm.to_string();
        let args: Vec<&str> = command.split(' ').chain(["--rm", &url]).collect();
        platform::run(&site.path("."), &args)
    };

    let scenario = caller_with_secrets(&site);
    let hold = Duration::from_secs(5);
    let calling = Plan { scenario, hold, ..Plan::new(site.sip(), &NUMBERS, 1) }.start();
    let up = || run("ringmaster calls --state up -o name", "").1;
    let guid = eventually("a call is up", up, |text| text.lines().count() == 1);
    let guid = guid.trim();
    let now = || {
        let (code, out, errors) = run("ringmaster calls GUID --sip -o json", guid);
        assert_eq!(code, 0, "{errors}");
        let ladder: Value = serde_json::from_str(&out).unwrap();
        steps(ladder["messages"].as_array().unwrap())
    };
    let begun = |steps: &Vec<String>| steps.len() >= 8 && steps[..8] == WHOLE[..8];
    eventually("its messages up to the ACK", now, begun);
    calling.finish();
    eventually("it is over", || run("ringmaster calls GUID", guid).0, |code| *code == 4);

    let commands: Vec<&str> = blocks("sh").flat_map(str::lines).collect();
    let [table, json, name] = commands[..] else { panic!("other commands: {commands:#?}") };
    let (code, out, errors) = run(json, guid);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert_nothing_secret(&out);
    let ladder: Value = serde_json::from_str(&out).unwrap();
    let messages = ladder["messages"].as_array().unwrap();
    assert_eq!(steps(messages), WHOLE);
    assert_eq!((&ladder["lost"], ladder["session"].as_str()), (&Value::Bool(false), Some(guid)));
    let times: Vec<&str> = messages.iter().map(|one| one["time"].as_str().unwrap()).collect();
    assert!(ladder["since"].as_str().unwrap() <= times[0], "{ladder}");
    assert!(messages[0]["bytes"].as_u64().unwrap() > 400, "{}", messages[0]);

    let (code, out, _) = run(table, guid);
    assert_eq!(code, 0);
    assert_nothing_secret(&out);
    for (number, message) in messages.iter().enumerate() {
        let [time, direction, peer] =
            ["time", "direction", "peer"].map(|field| message[field].as_str().unwrap());
        let row = out.lines().find(|line| line.starts_with(&format!("{} ", number + 1)));
        let row: Vec<&str> = row.unwrap().split_whitespace().take(5).collect();
        assert_eq!(row[1..], [time, direction, peer, "UDP"], "{out}");
        for line in message["head"].as_str().unwrap().trim_end().lines() {
            assert!(out.contains(line), "{line} is not in {out}");
        }
    }
    let (code, out, _) = run(name, guid);
    assert_eq!((code, out.lines().count()), (0, messages.len()));
    paged(&site, guid, messages);
    let unknown = "0193F2A0-7C5B-7D3E-9A44-11D2C3B4A596";
    assert_eq!(run(table, unknown).0, 4);

    let call_id = messages[0]["call_id"].as_str().unwrap();
    mirrored(&site, messages, &copies(&collector, call_id, messages.len()));
    drop(collector);
    let before = http::metric(rm, "ringmaster_rm_hep_lost_total");
    Plan::new(site.sip(), &NUMBERS, 50).run();
    let lost = || http::metric(rm, "ringmaster_rm_hep_lost_total");
    eventually("copies are lost", lost, |lost| *lost > before);
    assert!(http::metric(rm, "ringmaster_rm_hep_sent_total") > 0.0);
}

/// Page by page it is the same.
fn paged(site: &Site, guid: &str, messages: &[Value]) {
    let path = format!("/v1/calls/{guid}/sip?limit=3");
    let mut page = http::json(site.rm_http(), &path);
    let mut all = Vec::new();
    loop {
        let own = page["messages"].as_array().unwrap();
        assert!((1..=3).contains(&own.len()), "{page}");
        all.extend(own.clone());
        let Some(cursor) = page["cursor"].as_str() else { break };
        page = http::json(site.rm_http(), &format!("{path}&cursor={cursor}"));
    }
    assert_eq!(all, messages);
}

/// The collector has each message as it was on the wire.
fn mirrored(site: &Site, messages: &[Value], copies: &[BTreeMap<String, String>]) {
    let own = site.sip();
    for (message, copy) in messages.iter().zip(copies) {
        let head = message["head"].as_str().unwrap();
        let peer: std::net::SocketAddr = message["peer"].as_str().unwrap().parse().unwrap();
        let inbound = message["direction"] == "in";
        let (from, to) = if inbound { (peer, own) } else { (own, peer) };
        let ends = [from.ip().to_string(), to.ip().to_string()];
        assert_eq!([&copy["source"], &copy["destination"]], [&ends[0], &ends[1]], "{copy:?}");
        let ports = [from.port().to_string(), to.port().to_string()];
        let seen = [&copy["source port"], &copy["destination port"]];
        assert_eq!(seen, [&ports[0], &ports[1]], "{copy:?}");
        let fixed = ["family", "protocol", "type", "agent", "key"].map(|name| copy[name].as_str());
        assert_eq!(fixed, ["2", "17", "1", "2001", "collect-me"], "{copy:?}");
        let payload = &copy["payload"];
        let word = |text: &str| text.split(' ').next().unwrap().to_owned();
        assert_eq!(word(payload), word(head), "{copy:?}");
        assert_eq!(payload.len(), usize::try_from(message["bytes"].as_u64().unwrap()).unwrap());
        let seconds: u64 = copy["seconds"].parse().unwrap();
        let micros: u64 = copy["micros"].parse().unwrap();
        assert!(seconds > 1_750_000_000 && micros < 1_000_000, "{copy:?}");
    }
    let invite = &copies[0]["payload"];
    for part in ["secret-1", "secret-2", "m=audio"] {
        assert!(invite.contains(part), "{part} is not in {invite}");
    }
}
