//! The table of `tests/it/testdata/placement.txt`: groups, members, calls, and where they go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::config::{Admin, Document, Service};
use model::id::{Dbid, Revision};
use model::snapshot::Snapshot;
use model::time::{Millis, Now};
use model::tree::{Key, Node, Position, Value};
use serde_json::{Value as Json, json};

use crate::pool::conference::Instance;
use crate::pool::health::{Health, Selfsaid};
use crate::pool::plan::Asks;
use crate::pool::scheme::{Keys, hash};
use crate::pool::{Direction, Hold, Occupant, Pin, Plan, Pool, Shown, Wish};
use crate::record::trace::Trace;

const NOW: Now = Now { mono: Duration::from_secs(1000), wall: Millis(1_767_225_600_000) };

fn node(json: &Json) -> Node {
    let at = Position { line: 1, column: 1 };
    let value = match json {
        Json::Null => Value::Null,
        Json::Bool(yes) => Value::Bool(*yes),
        Json::Number(number) => Value::Int(number.as_i64().unwrap()),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(list) => Value::Seq(list.iter().map(node).collect()),
        Json::Object(map) => {
            let entry =
                |(key, value): (&String, &Json)| (Key { text: key.clone(), at }, node(value));
            Value::Map(map.iter().map(entry).collect())
        }
    };
    Node { value, at }
}

/// `name=value` words of a line, and bare ones.
struct Words<'a>(Vec<&'a str>);

impl<'a> Words<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }

    fn number(&self, name: &str) -> Option<u32> {
        self.get(name).map(|text| text.parse().unwrap())
    }

    fn list(&self, name: &str) -> Vec<&'a str> {
        self.get(name).map(|text| text.split(',').collect()).unwrap_or_default()
    }

    /// `NAME:VALUE|VALUE,…` as a mapping.
    fn capabilities(&self, name: &str) -> Json {
        let all = self.list(name).into_iter().map(|one| {
            let (name, values) = one.split_once(':').unwrap_or((one, ""));
            let values: Vec<&str> = values.split('|').filter(|value| !value.is_empty()).collect();
            (name.to_owned(), json!(values))
        });
        Json::Object(all.collect())
    }
}

/// What a case is about: its lines, and the whole machinery for them.
struct Case<'a> {
    name: &'a str,
    groups: Vec<Json>,
    profiles: Vec<Json>,
    /// Per resource: its words behind the name.
    members: BTreeMap<&'a str, Vec<&'a str>>,
    calls: Vec<(Vec<&'a str>, Vec<&'a str>)>,
}

fn dbid(number: usize, from: usize) -> Json {
    json!(from + number)
}

fn cases(text: &str) -> Vec<Case<'_>> {
    let mut cases: Vec<Case<'_>> = Vec::new();
    let mut resources = 0;
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        if line.starts_with('#') {
            continue;
        }
        let (first, rest) = line.trim_start().split_once(' ').unwrap_or((line.trim_start(), ""));
        let words: Vec<&str> = rest.split_whitespace().collect();
        if first == "case" {
            let (groups, profiles) = (Vec::new(), Vec::new());
            let (members, calls) = (BTreeMap::new(), Vec::new());
            cases.push(Case { name: rest.trim(), groups, profiles, members, calls });
            continue;
        }
        let case = cases.last_mut().unwrap();
        match first {
            "group" => case.groups.push(group(&Words(words), case.groups.len())),
            "call" => {
                let profile = profile(&Words(words.clone()), case.profiles.len());
                case.profiles.push(profile);
                case.calls.push((line.split_whitespace().collect(), Vec::new()));
            }
            "state" => case.calls.push((line.split_whitespace().collect(), Vec::new())),
            "goes" | "refused" | "same" | "shares" => {
                case.calls.last_mut().unwrap().1 = line.split_whitespace().collect();
            }
            name => {
                resources += 1;
                let spec = resource(name, &Words(words.clone()), resources);
                let group = case.groups.last_mut().unwrap();
                group["spec"]["resources"].as_array_mut().unwrap().push(spec);
                case.members.insert(name, words);
            }
        }
    }
    cases
}

fn group(words: &Words<'_>, number: usize) -> Json {
    let [name, scheme, ..] = words.0[..] else { panic!("group {:?}", words.0) };
    let mut spec = json!({
        "services": [words.get("service").unwrap_or("voicexml")],
        "scheme": scheme,
        "geo_location": words.list("location"),
        "capabilities": words.capabilities("has"),
        "resources": [],
    });
    for (ours, theirs) in [("shared", "shared"), ("hash", "hash_on")] {
        if let Some(text) = words.get(ours) {
            spec[theirs] = text.into();
        }
    }
    for (ours, theirs) in [("preference", "preference"), ("answer", "noresource_response_code")] {
        if let Some(number) = words.number(ours) {
            spec[theirs] = number.into();
        }
    }
    let tenant = words.get("tenant").unwrap_or("Environment");
    let dbid = dbid(number, 900);
    json!({"kind": "ResourceGroup", "name": name, "tenant": tenant, "dbid": dbid, "spec": spec})
}

fn resource(name: &str, words: &Words<'_>, number: usize) -> Json {
    let tls = if words.has("tls") { ";transport=tls" } else { "" };
    let mut spec = json!({
        "name": name,
        "dbid": dbid(number, 2000),
        "address": format!("sip:10.{}.{}.1{tls}", number / 250, number % 250),
        "capabilities": words.capabilities("has"),
        "redundancy": if words.has("passive") { "passive" } else { "active" },
    });
    let places = words.0[1].split_once('/').unwrap().1;
    for (name, value) in [
        ("capacity", places.parse().ok()),
        ("weight", words.number("weight")),
        ("confmaxsize", words.number("room")),
        ("confmaxcount", words.number("conferences")),
    ] {
        if let Some(value) = value {
            spec[name] = value.into();
        }
    }
    spec
}

fn profile(words: &Words<'_>, number: usize) -> Json {
    let tenant = words.get("tenant").unwrap_or("Environment");
    json!({"kind": "IvrProfile", "name": format!("p{number}"), "tenant": tenant,
        "dbid": dbid(number, 300), "spec": {
        "service": "voicexml",
        "initial_page_url": "http://a.example/x.vxml",
        "requires": words.capabilities("requires"),
        "prefer": words.list("prefers"),
    }})
}

impl Case<'_> {
    fn snapshot(&self) -> Snapshot {
        let mut objects = vec![
            json!({"kind": "Tenant", "name": "acme", "dbid": 102, "spec": {}}),
            json!({"kind": "Tenant", "name": "north", "dbid": 103, "spec": {"parent": "acme"}}),
        ];
        objects.extend(self.groups.iter().chain(&self.profiles).cloned());
        let document = |(object, number): (&Json, usize)| Document {
            file: None,
            number,
            size: 0,
            root: node(object),
        };
        let documents: Vec<Document> = objects.iter().zip(1..).map(document).collect();
        let built = Snapshot::build(&documents, Revision(1));
        let told = |problems: Vec<_>| format!("{}: {problems:?}", self.name);
        built.map(|(snapshot, _)| snapshot).map_err(told).unwrap()
    }
}

/// A pool under a snapshot, and the calls placed in it.
struct Bench {
    snapshot: Arc<Snapshot>,
    pool: Pool,
    legs: usize,
}

impl Bench {
    fn new(case: &Case<'_>) -> Self {
        let snapshot = Arc::new(case.snapshot());
        let mut pool = Pool::new(7);
        pool.apply(&snapshot);
        let mut bench = Self { snapshot, pool, legs: 0 };
        for (name, words) in &case.members {
            bench.state(name, words[0]);
            let legs: usize = words[1].split_once('/').unwrap().0.parse().unwrap();
            for _ in 0..legs {
                let key = bench.key(name);
                bench.occupy(key);
            }
        }
        bench
    }

    fn key(&self, name: &str) -> usize {
        let resource = self.snapshot.resource_by_name(name).unwrap();
        self.pool.key_of(self.snapshot.resource(resource).dbid).unwrap()
    }

    fn occupy(&mut self, key: usize) {
        self.legs += 1;
        self.pool.occupy(key, Occupant::Leg(self.legs), Direction::In);
    }

    fn state(&mut self, name: &str, state: &str) {
        let key = self.key(name);
        let member = self.pool.get_mut(key).unwrap();
        member.health = Health::Healthy;
        (member.said, member.quarantined, member.admin) = (Selfsaid::Ok, None, Admin::Enabled);
        match state {
            "healthy" => {}
            "unknown" => member.health = Health::Unknown,
            "dead" => member.health = Health::Dead,
            "full" => member.said = Selfsaid::Full(None),
            "quarantined" => member.quarantined = Some(NOW.mono + Duration::from_secs(9)),
            "draining" => member.admin = Admin::Draining,
            "disabled" => member.admin = Admin::Disabled,
            other => panic!("no state: {other}"),
        }
    }

    fn plan(&self, words: &Words<'_>, number: usize) -> Plan {
        let tenant = self.snapshot.tenant_by_name(words.get("tenant").unwrap_or("Environment"));
        let tenant = self.snapshot.tenant(tenant.unwrap()).dbid;
        let service = Service::parse(words.get("service").unwrap_or("voicexml")).unwrap();
        let profile = Dbid(u32::try_from(300 + number).unwrap());
        let mut plan = Plan::of(tenant, profile, service);
        plan.secure = words.has("secure");
        let own = |name: &str| {
            let resource = self.snapshot.resource(self.snapshot.resource_by_name(name).unwrap());
            (resource.dbid, self.snapshot.group(resource.group).dbid)
        };
        plan.tried = words.list("tried").into_iter().map(own).collect();
        plan.pin = words.get("pin").map(|text| {
            let (hold, name) = text.split_once(':').unwrap();
            let hold = match hold {
                "dialog" => Hold::Dialog,
                "hard" => Hold::Hard,
                "while-alive" => Hold::WhileAlive,
                "soft" => Hold::Soft,
                other => panic!("no hold: {other}"),
            };
            Pin { resource: own(name).0, hold }
        });
        let pair = |text: &str| match text.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (text.to_owned(), None),
        };
        let asks = Asks {
            requires: words.list("asks").into_iter().map(pair).collect(),
            location: words.get("at").map(str::to_owned),
            strict: words.has("strict"),
        };
        plan.asks = (asks != Asks::default()).then(|| Arc::new(asks));
        plan.conference = words.get("conference").map(|id| {
            let reserve = words.number("reserve").unwrap_or(1);
            Arc::new(Wish { id: id.to_owned(), size: words.number("room"), reserve })
        });
        let key = words.get("key").map_or(0, |key| hash(key.as_bytes()));
        plan.keys = Keys { call_id: key, from_user: key, dnis: key, session: key };
        plan
    }

    /// Places one call: the name of its resource and why, or the "no".
    fn place(&mut self, plan: &mut Plan) -> Result<(String, &'static str), (&'static str, u16)> {
        let mut trace = Trace::default();
        let options = model::config::Options::default();
        let placed = self.pool.place(NOW, &self.snapshot, &options, plan, &mut trace);
        let pick = placed.map_err(|no| (no.reason.word(), no.status()))?;
        self.occupy(pick.member);
        let member = self.pool.get(pick.member).unwrap();
        let (name, resource) = (member.names.name.clone(), member.names.dbid);
        if let (Some(wish), Some(key)) = (&plan.conference, plan.conference_key()) {
            let instance = Instance::new(key, pick.member, resource, wish, String::new());
            self.pool.enter_conference(self.legs, instance);
        }
        Ok((name, pick.by))
    }
}

/// Whatever is seated: the load is the number of live legs, and only those of the direction that
/// counts take places (rm.md §7.6).
#[test]
fn legs_of_the_other_direction_are_load_but_take_no_place() {
    for (usage, ins, outs, free) in [("in-and-out", 2, 1, 2), ("in", 2, 1, 3), ("out", 2, 1, 4)] {
        let mut case = cases("case x\ngroup mcp round-robin\n  a healthy 0/5\n").remove(0);
        case.groups[0]["spec"]["port_usage"] = usage.into();
        let mut bench = Bench::new(&case);
        let key = bench.key("a");
        for leg in 0..ins {
            bench.pool.occupy(key, Occupant::Leg(leg), Direction::In);
        }
        for leg in ins..ins + outs {
            bench.pool.occupy(key, Occupant::Leg(leg), Direction::Out);
        }
        let member = bench.pool.get(key).unwrap();
        assert_eq!((member.used(), member.free_places()), (ins + outs, Some(free)), "{usage}");
        for leg in 0..ins + outs {
            bench.pool.free(key, Occupant::Leg(leg));
        }
        assert_eq!(bench.pool.get(key).unwrap().used(), 0);
    }
}

/// The column of new calls in testdata/shown.txt.
#[test]
fn the_table_of_what_states_mean() {
    let text = include_str!("../../../tests/it/testdata/shown.txt");
    let mut rows = 0;
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let [state, takes, _] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let case = format!("case x\ngroup mcp round-robin\n  a {state} 0/5\ncall\n");
        let mut bench = Bench::new(&cases(&case)[0]);
        let mut plan = Plan::of(Dbid(1), Dbid(0), Service::Voicexml);
        let found = match bench.place(&mut plan) {
            Ok((_, "last-resort")) => "last-resort",
            Ok(_) => "yes",
            Err(_) => "no",
        };
        assert_eq!(found, takes, "{line}");
        rows += 1;
    }
    assert_eq!(rows, 7);
}

#[test]
fn the_table_of_placement() {
    let text = include_str!("../../../tests/it/testdata/placement.txt");
    let cases = cases(text);
    assert!(cases.len() >= 50, "{}", cases.len());
    for case in cases {
        let mut bench = Bench::new(&case);
        let mut number = 0;
        for (call, expected) in &case.calls {
            let what = format!("{}: {}", case.name, call.join(" "));
            if call[0] == "state" {
                bench.state(call[1], call[2]);
                continue;
            }
            let words = Words(call[1..].to_vec());
            let (mut names, mut by, mut no) = (Vec::new(), "", None);
            let keys = words.number("keys");
            for nth in 0..keys.or(words.number("times")).unwrap_or(1) {
                let mut plan = bench.plan(&words, number);
                plan.keys.call_id = keys.map_or(plan.keys.call_id, |_| hash(&nth.to_be_bytes()));
                match bench.place(&mut plan) {
                    Ok((name, why)) => {
                        names.push(name);
                        by = why;
                    }
                    Err(refused) => {
                        names.push("-".to_owned());
                        no = Some(refused);
                    }
                }
            }
            number += 1;
            match expected[..] {
                ["goes", .., "by", why] => {
                    assert_eq!(names, expected[1..expected.len() - 2], "{what}");
                    assert_eq!(by, why, "{what}");
                }
                ["same", "by", why] => {
                    assert!(names.windows(2).all(|two| two[0] == two[1]), "{what}: {names:?}");
                    assert_eq!(by, why, "{what}");
                }
                ["shares", ref shares @ .., "by", why] => {
                    assert_eq!(by, why, "{what}");
                    for (name, share) in shares.iter().filter_map(|one| one.split_once('=')) {
                        let own = names.iter().filter(|own| *own == name).count() * 100;
                        let own = own as f64 / names.len() as f64;
                        let share: f64 = share.parse().unwrap();
                        assert!((own - share).abs() < 3.0, "{what}: {name} has {own} of 100");
                    }
                }
                ["refused", reason] => assert_eq!(no.map(|no| no.0), Some(reason), "{what}"),
                ["refused", reason, code] => {
                    let code = code.parse().unwrap();
                    assert_eq!(no, Some((reason, code)), "{what}");
                }
                _ => panic!("{what}: {expected:?}"),
            }
        }
    }
}

/// Two groups under a scheme, and calls that come and go while states change; what is chosen.
fn life(scheme: &str, seed: u64, steps: usize) -> Vec<Option<String>> {
    use model::chance::Chance;
    let text = format!(
        "case x\ngroup one {scheme}\n  a healthy 0/3\n  b healthy 0/2 weight=300\n  \
         c healthy 0/- passive\n  d healthy 0/0\ngroup two {scheme} preference=900\n  \
         e healthy 0/4\n  f healthy 0/1 passive\n"
    );
    let case = cases(&text).remove(0);
    let mut bench = Bench::new(&case);
    let mut chance = Chance::new([seed; 4]);
    let states =
        ["healthy", "healthy", "unknown", "dead", "full", "quarantined", "draining", "disabled"];
    let names: Vec<&str> = case.members.keys().copied().collect();
    let mut live: BTreeMap<usize, usize> = BTreeMap::new();
    let mut chosen = Vec::new();
    let mut below = |most: usize| usize::try_from(chance.below(most as u64)).unwrap();
    for _ in 0..steps {
        match below(4) {
            0 => bench.state(names[below(names.len())], states[below(states.len())]),
            1 if !live.is_empty() => {
                let leg = *live.keys().nth(below(live.len())).unwrap();
                bench.pool.free(live.remove(&leg).unwrap(), Occupant::Leg(leg));
            }
            _ => {
                let shown = |bench: &Bench, name: &str| {
                    let member = bench.pool.get(bench.key(name)).unwrap();
                    (member.shown(NOW.mono), member.has_place())
                };
                let before: BTreeMap<&str, _> =
                    names.iter().map(|name| (*name, shown(&bench, name))).collect();
                let healthy = |one: &(Shown, bool)| one.0 == Shown::Healthy;
                let mut plan = bench.plan(&Words(Vec::new()), 0);
                plan.keys.call_id = below(50) as u64;
                let placed = bench.place(&mut plan);
                let name = placed.as_ref().ok().map(|(name, _)| name.clone());
                match &placed {
                    Ok((name, by)) => {
                        let was = before[name.as_str()];
                        let any = before.values().any(healthy);
                        let last = matches!(was.0, Shown::Unknown | Shown::Quarantined) && was.1;
                        assert!(healthy(&was) || last && !any, "{scheme} {seed}: {name} {was:?}");
                        assert_eq!(*by == "last-resort", !healthy(&was), "{scheme} {seed}");
                        live.insert(bench.legs, bench.key(name));
                    }
                    Err((reason, _)) => {
                        assert!(!before.values().any(healthy), "{scheme} {seed}: {reason}");
                    }
                }
                chosen.push(name);
            }
        }
        for name in &names {
            let key = bench.key(name);
            let legs = live.values().filter(|member| **member == key).count();
            assert_eq!(bench.pool.get(key).unwrap().used(), legs, "{scheme} {seed}: {name}");
        }
    }
    chosen
}

#[test]
fn only_who_can_is_chosen_the_load_is_the_legs_and_a_seed_replays() {
    for scheme in ["round-robin", "least-used", "least-percent", "weighted", "hash"] {
        for seed in 1..40 {
            let chosen = life(scheme, seed, 300);
            assert!(chosen.iter().flatten().count() > 20, "{scheme} {seed}");
            assert_eq!(chosen, life(scheme, seed, 300), "{scheme} {seed}");
        }
    }
}
