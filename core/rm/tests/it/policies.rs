//! Decisions of policy: the table testdata/policy.txt, and the scenarios of rm.md §14 that are
//! about limits.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{
    CALLER, MCP1, MCP2, Up, World, address, header, invite, objects, reply, settings, snapshot,
};

/// A peer whose calls have priority.
const EMERGENCY: &str = "10.0.0.3:5090";
/// The gateway to the outside.
const GATEWAY: &str = "192.0.2.10:5060";
/// A gateway that calls come from, with one place for those that go; and one in front of CTI.
const ENTRANCE: &str = "10.0.9.1:5060";
const ENTRANCE_TO_CTI: &str = "10.0.9.2:5060";
const CONNECTOR: &str = "10.0.0.31:5080";
/// Profiles, their tenants and their numbers; the numbers of emergencies end with 9.
const PROFILES: [(&str, &str, &str); 4] = [
    ("north-main", "north", "1001"),
    ("north-extra", "north", "1002"),
    ("south-main", "south", "2001"),
    ("other-main", "other", "3001"),
];

/// The platform of the table, with the policies of a case.
fn platform(policies: &[(String, Value)]) -> Value {
    let policy = |name: &str| {
        let own = policies.iter().find(|(object, _)| object == name);
        own.map_or_else(|| json!({}), |(_, policy)| policy.clone())
    };
    let tenant = |name: &str, parent: &str, profile: &str| {
        let default = (!profile.is_empty()).then_some(profile);
        json!({"kind": "Tenant", "name": name, "spec": {
            "parent": parent, "default_profile": default, "policy": policy(name)}})
    };
    let mut all = vec![
        json!({"kind": "Tenant", "name": "Environment", "spec": {"policy": policy("Environment")}}),
        tenant("reseller", "Environment", ""),
        tenant("north", "reseller", "north-main"),
        tenant("south", "reseller", "south-main"),
        tenant("other", "Environment", "other-main"),
    ];
    for (name, tenant, number) in PROFILES {
        all.push(json!({"kind": "IvrProfile", "name": name, "tenant": tenant, "spec": {
            "service": "voicexml", "initial_page_url": "http://a.example/x.vxml",
            "policy": policy(name)}}));
        all.push(json!({"kind": "DidGroup", "name": name, "tenant": tenant, "spec": {
            "profile": name, "dids": [number, format!("{number}9")]}}));
    }
    all.push(objects()[3].clone());
    let group = |name: &str, service: &str, use_cti: u8, at: &str, places: u32| {
        json!({"kind": "ResourceGroup", "name": name, "spec": {
            "services": [service], "use_cti": use_cti, "monitor": {"method": "none"},
            "preference": 100 + u32::from(at != GATEWAY), "resources": [
                {"name": name, "address": format!("sip:{at}"), "capacity": places}]}})
    };
    all.extend([
        group("carriers", "gateway", 0, GATEWAY, 900),
        group("entrance", "gateway", 0, ENTRANCE, 1),
        group("entrance-to-cti", "gateway", 2, ENTRANCE_TO_CTI, 900),
        group("connectors", "cti", 0, CONNECTOR, 900),
    ]);
    Value::Array(all)
}

/// One case at its work.
pub(crate) struct Case {
    pub(crate) world: World,
    pub(crate) up: VecDeque<(Up, String)>,
    /// Session header of the latest call that has ended.
    ended: String,
    /// Session header of the latest call that is up, and its Request-URI.
    session: String,
    sent: String,
    calls: usize,
}

impl Case {
    pub(crate) fn new(policies: &[(String, Value)]) -> Self {
        let mut settings = settings();
        let mut emergency = settings.peers[0].clone();
        emergency.name = "emergency".to_owned();
        emergency.matches = vec![rm::Match::parse("10.0.0.3").unwrap()];
        emergency.priority = true;
        settings.peers.push(emergency);
        let numbers = PROFILES.map(|(.., number)| format!("{number}9"));
        settings.options.priority_numbers =
            numbers.iter().map(|number| model::did::Pattern::parse(number).unwrap()).collect();
        let world = World::with(&platform(policies), settings);
        let (session, ended, sent) = (String::new(), String::new(), String::new());
        Self { world, up: VecDeque::new(), ended, session, sent, calls: 0 }
    }

    /// The policies are these from now on.
    pub(crate) fn configure(&mut self, policies: &[(String, Value)]) {
        self.world.input(rm::Input::Snapshot(snapshot(&platform(policies))));
    }

    /// A media server calls to the outside: `PROFILE dials NUMBER` in a session of its own,
    /// `PROFILE transfers to NUMBER` in that of the latest call which is up.
    fn outbound(&mut self, name: &str, words: &str) -> String {
        self.calls += 1;
        let (number, header) = match words.strip_prefix("transfers to ") {
            Some(number) => (number, format!("X-Genesys-GVP-Session-ID: {}\r\n", self.session)),
            None => (words.strip_prefix("dials ").unwrap(), String::new()),
        };
        let (_, tenant, _) = PROFILES.into_iter().find(|(one, ..)| *one == name).unwrap();
        let uri = format!("sip:{number}@10.0.0.5;gvp-tenant-id={tenant}.{name} SIP/2.0");
        let text = invite("0", &format!("o{}", self.calls));
        let text = text.replacen("sip:0@10.0.0.5:5060 SIP/2.0", &uri, 1);
        let text = text.replace("10.0.0.2:5090", MCP1).replacen("CSeq", &(header + "CSeq"), 1);
        self.world.udp(MCP1, &text);
        let gateways = [(GATEWAY, ""), (ENTRANCE, " by its gateway")].into_iter();
        let taken = gateways.filter_map(|(at, by)| Some((at, by, self.world.try_take(at)?)));
        let Some((at, by, forwarded)) = taken.collect::<Vec<_>>().pop() else {
            return self.refused(MCP1);
        };
        let contact = format!("Contact: <sip:gw@{at}>\r\n");
        self.world.udp(at, &reply(&forwarded, 200, "t", &contact));
        assert!(self.world.take(MCP1).starts_with("SIP/2.0 200 "));
        let (_, user) = forwarded.split_once("INVITE sip:").unwrap();
        format!("dialled {}{by}", user.split('@').next().unwrap())
    }

    /// Places a call; gives back what became of it, in the words of the table.
    pub(crate) fn call(&mut self, call: &str) -> String {
        if let Some((name, words)) = call.split_once(' ')
            && (words.starts_with("dials ") || words.starts_with("transfers to "))
        {
            return self.outbound(name, words);
        }
        self.calls += 1;
        let (name, words) = call.split_once(' ').unwrap_or((call, ""));
        let (_, tenant, number) = PROFILES.into_iter().find(|(one, ..)| *one == name).unwrap();
        let mut user = number.to_owned();
        let (mut from, mut header) = (CALLER, String::new());
        for word in words.split_whitespace() {
            match word {
                "priority" => from = EMERGENCY,
                "gateway" => from = ENTRANCE,
                "cti" => from = ENTRANCE_TO_CTI,
                "emergency" => user = format!("{number}9"),
                "joins" => header = format!("X-Genesys-GVP-Session-ID: {}\r\n", self.session),
                "again" => header = format!("X-Genesys-GVP-Session-ID: {}\r\n", self.ended),
                "recorded" => {
                    user = format!("annc@10.0.0.5;gvp-tenant-id={tenant}.{name}");
                    user += ";media-service=record";
                }
                service => user = format!("{service}@10.0.0.5;gvp-tenant-id={tenant}.{name}"),
            }
        }
        if !header.is_empty() && !user.contains('@') {
            user = "dialog@10.0.0.5".to_owned();
        }
        let text = invite("0", &format!("c{}", self.calls));
        let mut text = text.replacen("CSeq", &(header + "CSeq"), 1);
        let host = if user.contains('@') { "" } else { "@10.0.0.5:5060" };
        text = text.replacen("sip:0@10.0.0.5:5060 ", &format!("sip:{user}{host} "), 1);
        text = text.replace("10.0.0.2:5090", from);
        self.world.udp(from, &text);
        let servers = [MCP1, MCP2, CONNECTOR].into_iter();
        let taken = servers.filter_map(|server| Some((server, self.world.try_take(server)?)));
        match taken.collect::<Vec<_>>().pop() {
            Some((CONNECTOR, _)) => "to the connector".to_owned(),
            Some((server, forwarded)) => self.answer(from, server, &forwarded),
            None => self.refused(from),
        }
    }

    fn answer(&mut self, from: &str, server: &str, forwarded: &str) -> String {
        let (tag, contact) = (format!("t{}", self.calls), format!("<sip:mcp@{server}>"));
        let lines = format!("Contact: {contact}\r\n");
        self.world.udp(server, &reply(forwarded, 200, &tag, &lines));
        let answer = self.world.take(from);
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
        self.session = header(forwarded, "X-Genesys-GVP-Session-ID").to_owned();
        self.sent = forwarded.lines().next().unwrap().trim_end_matches(" SIP/2.0").to_owned();
        let caller = crate::world::Dialog::of_caller(&answer);
        let callee = crate::world::Dialog::of_callee(forwarded, &tag, &contact);
        let up = Up { caller, callee, server: server.to_owned() };
        self.up.push_back((up, self.session.clone()));
        let start = *self.world.phase("start").last().unwrap();
        // only the first leg of a session tells how full it was
        let Some(levels) = start["usage"].as_array() else { return "admitted again".to_owned() };
        let burst = levels.iter().map(|level| level["burst"].as_u64().unwrap()).max().unwrap();
        format!("admitted {burst}")
    }

    fn refused(&mut self, from: &str) -> String {
        let answer = self.world.take(from);
        let status = answer.split(' ').nth(1).unwrap();
        let end = *self.world.ends().last().unwrap();
        let (reason, policy) = (end["reason"].as_str().unwrap(), &end["policy"]);
        assert_eq!(header(&answer, "Warning"), format!("399 rm-1 \"{reason}\""));
        if policy.is_null() {
            return format!("{status} {reason}");
        }
        let word = |name: &str| policy[name].as_str().unwrap();
        let mut told =
            format!("{status} {reason}: {} {}, {}", word("scope"), word("name"), word("rule"));
        if let (Some(used), Some(limit)) = (policy["usage"].as_u64(), policy["limit"].as_u64()) {
            told += &format!(", {used} of {limit}");
        }
        // the trace says the same
        let steps = end["trace"].as_array().unwrap();
        let step = steps.iter().find(|step| step["verdict"] == "refused").unwrap();
        assert_eq!(step["candidate"], format!("{} {}", word("scope"), word("name")));
        assert_eq!(step["reason"], word("rule"));
        told
    }

    /// The latest call is up until this time, and no longer; its caller is heard of now and then.
    fn lasts(&mut self, time: Duration) {
        const HEARD: Duration = Duration::from_secs(5 * 3600);
        let ends = self.world.ends().len();
        let mut left = time - Duration::from_secs(1);
        while left > HEARD {
            self.world.run(HEARD);
            left -= HEARD;
            let (up, _) = self.up.back_mut().unwrap();
            let info = up.caller.request("INFO", CALLER, &format!("heard{}", left.as_secs()));
            self.world.udp(CALLER, &info);
            let info = self.world.take(&up.server);
            self.world.udp(&up.server, &reply(&info, 200, "", ""));
            assert!(self.world.take(CALLER).starts_with("SIP/2.0 200 "));
        }
        self.world.run(left);
        assert_eq!(self.world.ends().len(), ends, "it ends too early");
        self.world.run(Duration::from_secs(1));
        let all = self.world.ends();
        assert_eq!((all.len(), &all[ends]["reason"]), (ends + 1, &json!("max-duration")));
        self.world.wire.clear();
        self.up.pop_back();
    }

    /// Whether the latest call that is up was sent with a parameter.
    fn has(&self, parameter: &str) -> bool {
        self.sent.split(';').any(|one| one == parameter)
    }

    pub(crate) fn end(&mut self, count: usize) {
        for (mut up, session) in self.up.drain(..count) {
            (self.calls, self.ended) = (self.calls + 1, session);
            self.world.hang_up(&mut up, &format!("bye{}", self.calls)).unwrap();
        }
    }
}

#[test]
fn policy() {
    let text = include_str!("testdata/policy.txt");
    let lines = text.lines().map(|line| line.split(" #").next().unwrap().trim());
    let lines: Vec<&str> =
        lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let mut cases = 0;
    for case in lines.split(|line| line.starts_with("case ")).skip(1) {
        cases += 1;
        run(case);
    }
    assert!(cases >= 61, "{cases}");
}

fn duration(text: &str) -> Duration {
    model::units::duration(text).unwrap()
}

fn run(lines: &[&str]) {
    let split = |line: &str| {
        let (word, rest) = line.split_once(' ').unwrap();
        (word.to_owned(), rest.trim().to_owned())
    };
    let lines: Vec<(String, String)> = lines.iter().map(|line| split(line)).collect();
    let policies = lines.iter().filter(|(word, _)| word == "policy").map(|(_, rest)| {
        let (object, policy) = split(rest);
        (object, serde_json::from_str(&policy).expect(rest))
    });
    let mut case = Case::new(&policies.collect::<Vec<_>>());
    for (word, rest) in &lines {
        match word.as_str() {
            "policy" => {}
            "up" => {
                let (count, call) = split(rest);
                for _ in 0..count.parse().unwrap() {
                    assert_eq!(case.call(&call), "admitted 1", "{lines:?}");
                }
            }
            "end" => case.end(rest.parse().unwrap()),
            "wait" => case.world.run(duration(rest)),
            "lasts" => case.lasts(duration(rest)),
            "carries" => assert!(case.has(rest), "{rest} in {}", case.sent),
            "lacks" => assert!(!case.has(rest), "{rest} in {}", case.sent),
            "alarm" => {
                let raised = case.world.alarms().contains(&"RMPolicyViolation");
                assert_eq!(raised, rest == "raised", "{lines:?}");
            }
            word => {
                assert_eq!(word, "call", "no word of the table");
                let (call, expected) = rest.split_once(" -> ").unwrap();
                assert_eq!(case.call(call), expected, "{rest} in {lines:?}");
            }
        }
        case.world.proxy.invariant().unwrap();
    }
}

/// Scenario 11: example 1 without the profile's own limit, 151 calls at once.
#[test]
fn scenario_11_levels_in_records_and_one_alarm() {
    let mut documents = objects();
    documents[0]["spec"]["policy"]["alarms"] = json!({"usage_limit": true});
    let mut world = World::with(&documents, settings());
    for call in 1..=150 {
        world.up("18005550100", &format!("c{call}"));
        let start = *world.phase("start").last().unwrap();
        let expected = if call <= 100 {
            1
        } else if call <= 120 {
            2
        } else {
            3
        };
        let acme = &start["usage"][1];
        assert_eq!((&acme["usage"], &acme["burst"]), (&call.into(), &expected.into()));
    }
    let refused = |world: &mut World, call: &str| {
        world.udp(CALLER, &invite("18005550100", call));
        let answer = world.take(CALLER);
        assert!(answer.starts_with("SIP/2.0 480 ") && header(&answer, "Retry-After") == "5");
        assert_eq!(header(&answer, "Warning"), "399 rm-1 \"usage-limit\"");
    };
    for call in ["r1", "r2", "r3"] {
        refused(&mut world, call);
    }
    assert_eq!(world.told_alarms(20301), ["RMPolicyViolation", "", ""]);
    let [alarm] = &crate::alarm_list::list(&world)[..] else { panic!("one alarm") };
    let about = (alarm.name, alarm.kind, alarm.object.as_str(), alarm.count);
    assert_eq!(about, ("RMPolicyViolation", "tenant", "acme", 3));
    assert_eq!(alarm.text, "tenant acme usage_limit 150/150");
    world.run(Duration::from_secs(60));
    assert_eq!(world.alarms(), [""; 0]);
    refused(&mut world, "r4");
    let told = ["RMPolicyViolation", "", "", "RMPolicyViolation"];
    assert_eq!(world.told_alarms(20301), told);
}

/// Each kind of refusal raises its own alarm where a policy wants it, and no other does.
#[test]
fn alarms_are_raised_for_the_refusals_that_a_policy_names() {
    let kinds = [
        ("usage_limit", json!({"usage_limit": 0}), "north-main", 20301),
        ("rate_limit", json!({"rate_limit": 0}), "north-main", 20303),
        ("service_forbidden", json!({"recording_allowed": false}), "north-main recorded", 20304),
        ("outbound_forbidden", json!({"outbound_allowed": false}), "north-main dials 1", 20305),
        (
            "dialing_rule_forbidden",
            json!({"dialing_rules": ["reject ."]}),
            "north-main dials 1",
            20306,
        ),
        (
            "transfer_forbidden",
            json!({"transfer_allowed": false}),
            "north-main transfers to 1",
            20305,
        ),
    ];
    for (kind, policy, call, log) in &kinds {
        for (named, ..) in &kinds {
            let mut policy = policy.clone();
            policy["alarms"] = json!({*named: true});
            let mut case = Case::new(&[("north".to_owned(), policy)]);
            if call.contains("transfers") {
                assert_eq!(case.call("north-main"), "admitted 1");
            }
            case.call(call);
            let world = &case.world;
            let (_, fields) = world.logs.iter().find(|(id, _)| id == log).expect(kind);
            let told = fields.iter().any(|(name, _)| *name == "alarm");
            let raised = world.alarms() == ["RMPolicyViolation"];
            assert_eq!((told, raised), (kind == named, kind == named), "{kind} {named}");
        }
    }
}

/// A request outside dialogs that a policy forbids raises its alarm like a call.
#[test]
fn a_message_that_is_refused_raises_its_alarm() {
    let policy = json!({"services": {"voicexml": {"allowed": false}},
        "alarms": {"service_forbidden": true}});
    let mut case = Case::new(&[("north".to_owned(), policy)]);
    let world = &mut case.world;
    for call in ["m1", "m2"] {
        world.udp(CALLER, &invite("1001", call).replace("INVITE", "MESSAGE"));
        assert!(world.take(CALLER).starts_with("SIP/2.0 403 "));
    }
    assert_eq!(world.told_alarms(20304), ["RMPolicyViolation", ""]);
    assert_eq!(world.alarms(), ["RMPolicyViolation"]);
    world.run(Duration::from_secs(60));
    assert_eq!(world.alarms(), [""; 0]);
}

/// Scenario 12: the parent's override of 300 below the child's own 400.
#[test]
fn scenario_12_the_override_of_the_parent_refuses() {
    let policies = [
        (
            "reseller".to_owned(),
            json!({"usage_limit": 1000, "partition": "divide",
            "children": {"north": {"usage_limit": 300}}}),
        ),
        ("north".to_owned(), json!({"usage_limit": 400})),
    ];
    let mut case = Case::new(&policies);
    for _ in 0..300 {
        assert_eq!(case.call("north-main"), "admitted 1");
    }
    let refused = "480 usage-limit: tenant reseller, children.north.usage_limit, 300 of 300";
    assert_eq!(case.call("north-main"), refused);
}

/// Scenario 13: a service forbidden at the grandparent.
#[test]
fn scenario_13_the_grandparent_is_named() {
    let forbidden = json!({"services": {"ccxml": {"allowed": false}}});
    let mut case = Case::new(&[("reseller".to_owned(), forbidden)]);
    let refused = "403 service-forbidden: tenant reseller, services.ccxml.allowed";
    assert_eq!(case.call("north-main ccxml"), refused);
}

/// Scenario 14: the dialling rules of example 2.
#[test]
fn scenario_14_dialling_rules() {
    let rules = json!({"dialing_rules": ["reject ^\\+?1?900", "translate ^0([1-9][0-9]+)$ -> 49$1",
        "accept ^\\+?[0-9]{7,15}$", "reject .*"]});
    let mut case = Case::new(&[("north-main".to_owned(), rules)]);
    let refused = "403 dialing-rule: profile north-main, dialing_rules";
    assert_eq!(case.call("north-main dials 19005550100"), refused);
    assert_eq!(case.call("north-main dials 030456789"), "dialled 4930456789");
    assert_eq!(case.call("north-main dials +4930456789"), "dialled +4930456789");
}

/// Scenario 57: a profile that is full, and an engine that is overloaded.
#[test]
fn scenario_57_priority_passes_full_profiles_and_overload() {
    let mut case = Case::new(&[("north-main".to_owned(), json!({"usage_limit": 0}))]);
    case.world.input(rm::Input::KernelDrops { packets: 1_000_000 });
    assert_eq!(case.call("north-main emergency"), "admitted 1");
    assert_eq!(case.call("north-main priority"), "admitted 1");
    case.world.udp(CALLER, &invite("1001", "shed"));
    assert!(case.world.take(CALLER).starts_with("SIP/2.0 503 "));
    for (sos, code) in [(None, "416"), (Some("1001"), "200")] {
        let policies = [("north-main".to_owned(), json!({"usage_limit": 0}))];
        let mut settings = settings();
        settings.options.sos_number = sos.map(str::to_owned);
        let mut world = World::with(&platform(&policies), settings);
        if sos.is_some() {
            world.input(rm::Input::KernelDrops { packets: 1_000_000 });
        }
        let call = invite("0", "sos").replacen("sip:0@10.0.0.5:5060 ", "urn:service:sos.fire ", 1);
        world.udp(CALLER, &call);
        if let Some(forwarded) = world.try_take(MCP1).or_else(|| world.try_take(MCP2)) {
            world.udp(MCP1, &reply(&forwarded, 200, "t", "Contact: <sip:mcp@10.0.0.11:5070>\r\n"));
        }
        assert!(world.take(CALLER).starts_with(&format!("SIP/2.0 {code} ")), "{sos:?}");
    }
}

/// Scenario 59: requests outside dialogs that are no calls, at a limit and forbidden.
#[test]
fn scenario_59_permissions_hold_for_messages_and_limits_do_not() {
    let at_limit = json!({"usage_limit": 0, "rate_limit": 0});
    let forbidden = json!({"services": {"voicexml": {"allowed": false}}});
    for (policy, code) in [(at_limit, None), (forbidden, Some("403"))] {
        let mut case = Case::new(&[("north-main".to_owned(), policy)]);
        let world = &mut case.world;
        for method in ["MESSAGE", "NEWMETHOD", "REFER", "PUBLISH"] {
            world.udp(CALLER, &invite("1001", method).replace("INVITE", method));
            let forwarded = [MCP1, MCP2].iter().filter(|to| world.try_take(to).is_some()).count();
            let own = matches!(method, "REFER" | "PUBLISH").then_some("405").or(code);
            assert_eq!(forwarded, usize::from(own.is_none()), "{method}");
            if let Some(code) = own {
                assert!(world.take(CALLER).starts_with(&format!("SIP/2.0 {code} ")), "{method}");
            }
            // whose they are is told, though they have no session
            if own == Some("403") {
                let (id, fields) = world.logs.last().unwrap();
                let call_id = format!("{method}@10.1.1.5");
                for (name, value) in
                    [("tenant", "north"), ("profile", "north-main"), ("call_id", &call_id)]
                {
                    assert!(fields.contains(&(name, value.to_owned())), "{fields:?}");
                }
                assert_eq!(*id, 20304);
            }
        }
        assert_eq!(world.proxy.status().sessions, 0);
        assert!(world.ends().is_empty());
    }
}

#[test]
fn the_shortest_max_call_duration_ends_a_call() {
    let policies = [
        ("Environment".to_owned(), json!({"max_call_duration": "3h"})),
        ("reseller".to_owned(), json!({"children": {"north": {"max_call_duration": "2h"}}})),
        ("north-extra".to_owned(), json!({"max_call_duration": "30m"})),
    ];
    let mut case = Case::new(&policies);
    for call in ["north-main", "north-extra", "south-main"] {
        assert_eq!(case.call(call), "admitted 1");
    }
    for (after, ended) in [(30 * 60 - 1, 0), (1, 1), (90 * 60 - 1, 1), (1, 2), (3600, 3)] {
        case.world.run(Duration::from_secs(after));
        let ends = case.world.ends();
        assert_eq!(ends.len(), ended);
        assert!(ends.iter().all(|end| end["reason"] == "max-duration"));
    }
    assert_eq!(case.world.proxy.status().sessions, 0);
}

#[test]
fn sets_are_back_after_a_restart() {
    let policies = [
        ("north".to_owned(), json!({"usage_limit": 2, "services": {"msml": {"usage_limit": 1}}})),
        ("south".to_owned(), json!({"inbound_usage_limit": 1, "max_call_duration": "30m"})),
    ];
    let mut case = Case::new(&policies);
    for call in ["north-main msml", "north-main", "south-main"] {
        assert_eq!(case.call(call), "admitted 1");
    }
    let blocks: Vec<Vec<u8>> = case.world.records.iter().map(|one| one.block.clone()).collect();
    let mut second = Case::new(&policies);
    second.world.now = case.world.now;
    let now = second.world.now;
    let open = blocks.iter().filter(|block| !block.is_empty());
    assert_eq!(second.world.proxy.restore(now, open.map(Vec::as_slice)).legs, 3);
    second.world.proxy.invariant().unwrap();
    let north = "480 usage-limit: tenant north, usage_limit, 2 of 2";
    assert_eq!(second.call("north-main"), north);
    let south = "480 usage-limit: tenant south, inbound_usage_limit, 1 of 1";
    assert_eq!(second.call("south-main"), south);
    second.world.run(Duration::from_secs(1800));
    let ends = second.world.ends().len();
    // the two refusals, and the call of south after its half hour
    assert_eq!(ends, 3);
    second.world.wire.clear();
    assert_eq!(second.call("south-main"), "admitted 1");
}

#[test]
fn what_no_resource_took_is_given_back() {
    let mut case = Case::new(&[("north".to_owned(), json!({"usage_limit": 1}))]);
    case.world.alive.clear();
    case.world.run(Duration::from_secs(12));
    for call in ["a", "b"] {
        case.world.udp(CALLER, &invite("1001", call));
        assert!(case.world.take(CALLER).contains("resource-dead"));
    }
    case.world.alive = vec![address(MCP1), address(MCP2)];
    case.world.run(Duration::from_secs(4));
    assert_eq!(case.call("north-main"), "admitted 1");
}
