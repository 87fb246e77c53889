//! What is recorded of each whole minute, and of calls that last (rm.md §9.2, §9.4).

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{CALLER, MCP1, World, invite, objects, reply, settings};

const MINUTE: Duration = Duration::from_secs(60);

impl World {
    /// Records of this kind, in order.
    fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.records.iter().map(|one| &one.json).filter(|one| one["kind"] == kind).collect()
    }
}

/// The values of one object.
fn of<'v>(record: &'v Value, dim: &str) -> &'v Value {
    record["values"].as_array().unwrap().iter().find(|value| value["dim"] == dim).unwrap()
}

#[test]
fn arrivals_and_peaks_of_a_minute() {
    let mut documents = objects();
    documents[0]["spec"]["policy"] = json!({"usage_limit": 2});
    let mut world = World::with(&documents, settings());
    world.run(MINUTE);
    world.records.clear();
    let mut first = world.up("18005550100", "one");
    world.run(Duration::from_secs(10));
    world.up("18005550100", "two");
    world.udp(CALLER, &invite("18005550100", "three"));
    world.run(Duration::from_secs(20));
    world.hang_up(&mut first, "bye");
    world.run(MINUTE);

    let arrivals = world.of_kind("or.arrivals");
    assert_eq!(arrivals.len(), 1);
    assert_eq!(arrivals[0]["bin_start"], "2026-01-01T00:01:00Z");
    assert_eq!((&arrivals[0]["bin_seconds"], &arrivals[0]["basis"]), (&60.into(), &"cdr".into()));
    assert!(arrivals[0]["id"].as_str().unwrap() == "rm-1/1/or.arrivals/20260101T0001/0");
    for (dim, name, dbid) in [
        ("component", "rm-1", Some(301)),
        ("tenant", "acme", Some(102)),
        ("profile", "IVRAppDefault", Some(205)),
        ("service", "voicexml", None),
    ] {
        let value = of(arrivals[0], dim);
        assert_eq!((&value["name"], value["dbid"].as_u64()), (&name.into(), dbid), "{dim}");
        assert_eq!((&value["count"], &value["rejected"]), (&3.into(), &1.into()), "{dim}");
        assert_eq!(value["duration_ms"], 30_000, "{dim}");
        assert_eq!(value["call_type"], "INBOUND");
    }
    let peaks = world.of_kind("or.peaks");
    let measures: Vec<&Value> = peaks.iter().map(|one| &one["measure"]).collect();
    assert_eq!(measures, ["calls", "sessions"]);
    for record in peaks {
        let value = of(record, "tenant");
        // the refused one was there for a moment, as a leg and as a session
        assert_eq!((&value["level_start"], &value["peak"]), (&0.into(), &3.into()));
        assert_eq!(value["peak_time"], "2026-01-01T00:01:10.200Z");
    }
    // what moves no more is not told of
    let before = world.records.len();
    world.run(MINUTE * 2);
    let later: Vec<&Value> = world.records[before..].iter().map(|one| &one.json["kind"]).collect();
    assert_eq!(later, ["or.integrity", "or.integrity"]);
}

/// Every minute of a random hour: what was there, came, and was taken over, less what ended, is
/// what is there.
#[test]
fn the_books_of_every_minute_balance() {
    let mut world = World::new();
    let mut chance = model::chance::Chance::new([7; 4]);
    let mut up = Vec::new();
    for call in 0..300 {
        match chance.below(4) {
            0 => world.udp(CALLER, &invite("4711", &format!("n{call}"))),
            1 if !up.is_empty() => {
                let at = usize::try_from(chance.below(up.len() as u64)).unwrap();
                let mut one = up.swap_remove(at);
                world.hang_up(&mut one, &format!("b{call}"));
            }
            _ => up.push(world.up("18005550100", &format!("c{call}"))),
        }
        world.wire.clear();
        world.run(Duration::from_millis(chance.below(24_000)));
    }
    world.run(MINUTE);
    let books = world.of_kind("or.integrity");
    assert!(books.len() > 50);
    let mut level = 0;
    for (number, book) in books.iter().enumerate() {
        let figure = |name: &str| book[name].as_i64().unwrap();
        level += figure("calls_in") + figure("adopted_in");
        level -= figure("records_out") + figure("handed_out");
        assert_eq!(figure("in_progress"), level, "{book}");
        assert!(figure("rejected") <= figure("records_out"), "{book}");
        assert_eq!(book["streams"]["or"], book["producer"]["seq"], "{number}");
    }
    let total = |name: &str| books.iter().map(|book| book[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!(total("records_out"), world.ends().len() as u64);
    let refused = world.ends().iter().filter(|end| end["end_state"] == "REJECTED").count();
    assert_eq!(total("rejected"), refused as u64);
    let kinds = || world.records.iter().map(|one| &one.json["kind"]);
    let last = kinds().rposition(|kind| kind == "or.integrity").unwrap();
    let cdr = kinds().take(last).filter(|kind| *kind == "cdr").count() as u64;
    assert_eq!(books.last().unwrap()["streams"]["cdr"], cdr);
}

/// More objects than one turn tells of: several records, and each object in one of them.
#[test]
fn many_objects_are_told_in_slices() {
    let mut documents = objects();
    let list = documents.as_array_mut().unwrap();
    for n in 0..200 {
        let name = format!("t{n}");
        list.push(json!({"kind": "Tenant", "name": name, "spec": {}}));
        list.push(json!({"kind": "IvrProfile", "name": "main", "tenant": name, "spec": {
            "service": "voicexml", "initial_page_url": "http://a.example/x.vxml"}}));
        list.push(json!({"kind": "DidGroup", "name": format!("{name}-n"), "tenant": name,
            "spec": {"profile": "main", "dids": [format!("70{n:04}")]}}));
    }
    let mut world = World::with(&documents, settings());
    for n in 0..200 {
        world.udp(CALLER, &invite(&format!("70{n:04}"), &format!("s{n}")));
    }
    world.records.clear();
    world.run(MINUTE);
    let arrivals = world.of_kind("or.arrivals");
    // 200 tenants, 200 profiles, the node and one service
    assert_eq!(arrivals.len(), 402_usize.div_ceil(rm::limits::MINUTE_VALUES));
    let values = arrivals.iter().flat_map(|one| one["values"].as_array().unwrap());
    assert_eq!(values.count(), 402);
    for (number, record) in arrivals.iter().enumerate() {
        assert!(record["id"].as_str().unwrap().ends_with(&format!("/{number}")));
    }
    let ids: std::collections::BTreeSet<&str> =
        world.records.iter().map(|one| one.json["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), world.records.len(), "no id twice");
    assert_eq!(world.of_kind("or.integrity").len(), 1);
}

#[test]
fn a_long_call_says_that_it_is_up() {
    let mut fast = settings();
    fast.options.update_interval = Duration::from_secs(600);
    let mut world = World::with(&objects(), fast);
    let mut up = world.up("18005550100", "long");
    world.run(Duration::from_secs(1900));
    let updates = world.phase("update");
    assert_eq!(updates.len(), 3);
    for (number, update) in updates.iter().enumerate() {
        assert_eq!(update["update_reason"], "interval");
        let id = update["id"].as_str().unwrap();
        assert!(id.ends_with(&format!("/cdr.update/1.1.{}", number + 1)), "{id}");
        assert!(update["answered_at"].is_string() && update.get("ended_at").is_none());
    }
    assert!(world.hang_up(&mut up, "bye").is_some());
    world.run(Duration::from_secs(1900));
    assert_eq!(world.phase("update").len(), 3, "it has ended");

    let mut never = settings();
    never.options.update_interval = Duration::ZERO;
    let mut world = World::with(&objects(), never);
    world.up("18005550100", "quiet");
    world.run(Duration::from_secs(3600));
    assert!(world.phase("update").is_empty());
}

/// A call that rings has no record yet that could be renewed.
#[test]
fn what_only_rings_is_not_renewed() {
    let mut fast = settings();
    fast.options.update_interval = Duration::from_secs(10);
    let mut world = World::with(&objects(), fast);
    world.udp(CALLER, &invite("18005550100", "rings"));
    let forwarded = world.take(MCP1);
    world.udp(MCP1, &reply(&forwarded, 180, "t", ""));
    world.run(Duration::from_secs(100));
    assert!(world.phase("update").is_empty());
}
