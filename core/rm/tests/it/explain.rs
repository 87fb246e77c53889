//! Explain says what the call then gets, and changes nothing (scenario 48, for 1, 7, 11 and 20).

use std::num::NonZeroU32;
use std::time::Duration;

use model::record::Verdict;
use rm::{Explained, Question, Unclear};
use serde_json::{Value, json};

use crate::platform::invite_to;
use crate::world::{CALLER, MCP1, MCP2, World, address, header, invite, objects, reply, settings};

/// What is asked by a whole message.
fn about(text: &str) -> Question {
    let source = Some(CALLER.to_owned());
    Question { message: Some(text.to_owned()), source, ..Question::default() }
}

fn explain(world: &mut World, text: &str) -> Explained {
    world.proxy.explain(world.now, &about(text)).unwrap()
}

/// Everything that the engine is, but for the numbers of places given away again.
fn digest(world: &World) -> String {
    let text = format!("{:?}", world.proxy);
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((at, word)) =
        ["generation: ", "made: "].iter().filter_map(|w| Some((rest.find(w)?, *w))).min()
    {
        let (before, behind) = rest.split_at(at + word.len());
        out += before;
        rest = behind.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out + rest
}

/// The trace as far as the decision goes: the tries come later.
fn decided(record: &Value) -> Vec<Value> {
    let steps = record["trace"].as_array().unwrap().iter();
    let steps: Vec<Value> = steps.filter(|step| step["stage"] != "forward").cloned().collect();
    let first =
        steps.iter().position(|step| step["stage"] == "place" && step["verdict"] == "chosen");
    steps.into_iter().take(first.map_or(usize::MAX, |at| at + 1)).collect()
}

/// Asks, then calls: winner, trace and the request itself are the same.
fn same(world: &mut World, number: &str, call: &str) -> Explained {
    same_for(world, &invite(number, call))
}

fn same_for(world: &mut World, text: &str) -> Explained {
    let told = explain(world, text);
    // the buffers that a message is written in hold the same from here on
    let before = digest(world);
    assert_eq!(explain(world, text), told, "it says the same twice");
    assert_eq!(digest(world), before, "nothing has changed");
    world.udp(CALLER, text);
    match told.outcome {
        "forward" => {
            let chosen = told.resource.as_ref().unwrap();
            let at = if chosen.name == "mcp-1" { MCP1 } else { MCP2 };
            let sent = world.take(at);
            let head = sent.split_inclusive("\r\n\r\n").next().unwrap();
            assert_eq!(told.request.as_deref(), Some(head), "byte for byte");
            world.udp(at, &reply(&sent, 200, "t", &format!("Contact: <sip:mcp@{at}>\r\n")));
            world.take(CALLER);
            let start = world.phase("start").last().copied().unwrap().clone();
            assert_eq!(serde_json::to_value(&told.trace).unwrap(), json!(decided(&start)));
            assert_eq!(start["placed_by"], chosen.placed_by.as_str());
            assert_eq!(start["selected_by"], told.selected_by.unwrap());
        }
        _ => {
            let answer = world.take(CALLER);
            assert!(answer.starts_with(&format!("SIP/2.0 {} ", told.code.unwrap())), "{answer}");
            let end = world.ends().last().copied().unwrap().clone();
            assert_eq!(end["reason"], told.reason.unwrap());
            assert_eq!(serde_json::to_value(&told.trace).unwrap(), end["trace"]);
            let policy = told.policy.as_ref().map(|one| serde_json::to_value(one).unwrap());
            assert_eq!(end.get("policy"), policy.as_ref());
        }
    }
    told
}

#[test]
fn a_call_that_is_placed() {
    let mut world = World::new();
    let told = same(&mut world, "18005550234", "first");
    assert_eq!(told.tenant.unwrap().name, "acme");
    assert_eq!(told.profile.unwrap().dbid, 205);
    assert_eq!(told.resource.unwrap().name, "mcp-1");
    assert_eq!(told.source.name.as_deref(), Some("sip-server"));
    assert_eq!((told.config_rev, told.selected_by), (42, Some("did")));
    // whose turn it is has not moved by asking
    for (call, server) in [("b", "mcp-2"), ("c", "mcp-1"), ("d", "mcp-2")] {
        let told = same(&mut world, "18005550234", call);
        assert_eq!(told.resource.unwrap().name, server);
    }
}

#[test]
fn a_number_without_profile() {
    let mut world = World::new();
    same(&mut world, "18005550234", "first");
    let told = same(&mut world, "4711", "n");
    assert_eq!((told.outcome, told.code, told.reason), ("reject", Some(404), Some("no-profile")));
    assert_eq!(told.subject.as_deref(), Some("4711"));
    assert!(told.tenant.is_none() && told.request.is_none());
}

#[test]
fn a_limit_that_is_reached() {
    let mut documents = objects();
    documents[0]["spec"]["policy"] = json!({"usage_limit": 1, "burst": {"level2": 2, "level3": 3}});
    let mut world = World::with(&documents, settings());
    for call in ["first", "two", "three"] {
        assert_eq!(same(&mut world, "18005550100", call).outcome, "forward");
    }
    let told = same(&mut world, "18005550100", "four");
    assert_eq!((told.code, told.reason), (Some(480), Some("usage-limit")));
    assert_eq!(told.retry_after, Some(5));
    let policy = told.policy.unwrap();
    assert_eq!((policy.limit, policy.usage), (Some(3), Some(3)));
    assert_eq!(policy.name.as_deref(), Some("acme"));
}

#[test]
fn a_server_that_is_silent() {
    let mut world = World::new();
    same(&mut world, "18005550234", "first");
    same(&mut world, "18005550234", "second");
    world.alive = vec![address(MCP2)];
    world.udp(CALLER, &invite("18005550234", "hunted"));
    assert!(world.try_take(MCP1).is_some());
    world.run(Duration::from_millis(2100));
    let hunted = world.take(MCP2);
    world.udp(MCP2, &reply(&hunted, 603, "t", ""));
    assert!(world.take(MCP2).starts_with("ACK ") && world.take(CALLER).contains(" 603 "));
    let told = same(&mut world, "18005550234", "after");
    assert_eq!(told.resource.unwrap().name, "mcp-2");
    let skipped = told.trace.iter().find(|step| step.candidate == "mcp-1").unwrap();
    assert_eq!(skipped.state.as_deref(), Some("quarantined"));
    assert!(skipped.until.is_some());
}

/// A conference has its media server: the others are left out for it.
#[test]
fn a_conference_that_has_begun() {
    let mut world = World::new();
    for (call, others) in [("first", vec![]), ("second", vec![("mcp-2", "pin")])] {
        let text = invite_to("sip:conf=team7@10.0.0.5;gvp-tenant-id=acme", CALLER, call, "");
        let told = same_for(&mut world, &text);
        assert_eq!(told.resource.unwrap().name, "mcp-1");
        let skipped = told.trace.iter().filter(|step| step.verdict == Verdict::Skipped);
        let skipped: Vec<_> =
            skipped.map(|step| (step.candidate.as_str(), step.reason.as_str())).collect();
        assert_eq!(skipped, others);
    }
}

/// Two engines get the same calls, and one of them is asked all the time: what they send, record
/// and log is the same, byte for byte.
#[test]
fn whoever_is_asked_goes_on_as_if_nobody_had() {
    let mut documents = objects();
    documents[0]["spec"]["policy"] = json!({"usage_limit": 12});
    let mut asked = World::with(&documents, settings());
    let mut other = World::with(&documents, settings());
    for n in 0..40 {
        for number in ["18005550100", "4711", "19001"] {
            explain(&mut asked, &invite(number, &format!("ask{n}")));
        }
        for world in [&mut asked, &mut other] {
            let number = if n % 5 == 4 { "4711" } else { "18005550100" };
            world.udp(CALLER, &invite(number, &format!("c{n}")));
            world.run(Duration::from_millis(700));
        }
    }
    let sent = |world: &World| world.wire.iter().map(|one| one.text.clone()).collect::<Vec<_>>();
    assert_eq!(sent(&asked), sent(&other));
    let told = |world: &World| world.records.iter().map(|one| one.text.clone()).collect::<Vec<_>>();
    assert_eq!(told(&asked), told(&other));
    assert_eq!(asked.logs, other.logs);
    assert_eq!(asked.proxy.counters(), other.proxy.counters());
    assert!(asked.ends().len() > 8, "some were refused");
}

#[test]
fn what_is_assumed_holds_for_the_question_alone() {
    let mut world = World::new();
    let text = invite("18005550100", "a");
    let mut question = about(&text);
    for (state, reason) in [
        ("dead", "resource-dead"),
        ("full", "resource-full"),
        ("draining", "resource-draining"),
        ("disabled", "resource-disabled"),
    ] {
        for name in ["mcp-1", "mcp-2"] {
            question.assume.resources.insert(name.to_owned(), state.to_owned());
        }
        let told = world.proxy.explain(world.now, &question).unwrap();
        assert_eq!(told.reason, Some(reason));
    }
    question.assume.resources.remove("mcp-2");
    let told = world.proxy.explain(world.now, &question).unwrap();
    assert_eq!(told.resource.unwrap().name, "mcp-2");
    assert!(world.proxy.resources().iter().all(|one| one.state == "healthy"));
    assert_eq!(explain(&mut world, &text).resource.unwrap().name, "mcp-1");
}

#[test]
fn parts_of_a_message_and_names_of_callers() {
    let mut world = World::new();
    let ask = |world: &mut World, json: Value| {
        let question: Question = serde_json::from_value(json).unwrap();
        world.proxy.explain(world.now, &question)
    };
    let uri = "sip:+18005550234@rm";
    let told = ask(&mut world, json!({"uri": uri, "from": "sip:+4930123@x"})).unwrap();
    assert_eq!((told.outcome, told.source.role), ("forward", Some("sip-server")));
    let told = ask(&mut world, json!({"uri": uri, "source": "10.9.9.9"})).unwrap();
    assert_eq!((told.code, told.reason), (Some(403), Some("untrusted-source")));
    let told = ask(&mut world, json!({"uri": uri, "source": "mcp-1"})).unwrap();
    assert_eq!((told.source.role, told.source.name.as_deref()), (Some("media"), Some("mcp-1")));
    let header = json!({"X-Genesys-gsw-ivr-profile-name": "IVRAppDefault"});
    let told = ask(&mut world, json!({"uri": "sip:4711@rm", "headers": header})).unwrap();
    assert_eq!((told.outcome, told.selected_by), ("forward", Some("headers")));
    for (question, text) in [
        (json!({}), "uri: expected, or message"),
        (json!({"uri": "sip:"}), "uri, from, to or headers: "),
        (json!({"uri": uri, "source": "nobody"}), "source: nobody is no address"),
        (json!({"uri": uri, "config_rev": 41}), "config_rev: 41 is not in force, 42 is"),
        (json!({"uri": uri, "assume": {"resources": {"x": "dead"}}}), "assume.resources: x: no "),
        (json!({"uri": uri, "assume": {"resources": {"mcp-1": "ill"}}}), "assume.resources: ill"),
        (json!({"message": "INVITE sip:a@b SIP/2.0\n\n"}), "message: byte "),
    ] {
        let Err(Unclear::Question(found)) = ask(&mut world, question.clone()) else {
            panic!("{question}");
        };
        assert!(found.starts_with(text), "{found}");
    }
    let bye = invite("18005550100", "x").replace("INVITE", "BYE");
    let found = ask(&mut world, json!({"message": bye}));
    let expected = "message: expected an INVITE that begins a call".to_owned();
    assert_eq!(found, Err(Unclear::Question(expected)));

    let mut cold = World::cold(&objects(), settings());
    assert_eq!(ask(&mut cold, json!({"uri": uri})), Err(Unclear::NotReady));
}

/// A further Route entry of a peer that may send one is followed as the call follows it.
#[test]
fn a_further_route_is_followed() {
    let routed = |entry: &str, call: &str| {
        let routes = format!("Route: <sip:10.0.0.5;lr>, <{entry};lr>\r\nMax-Forwards");
        invite("18005550100", call).replace("Max-Forwards", &routes)
    };
    let mut world = World::new();
    let told = explain(&mut world, &routed("sip:10.0.0.9", "a"));
    assert_eq!((told.code, told.reason), (Some(403), Some("preloaded-route")));

    let mut own = settings();
    own.peers[0].allow_route = true;
    let mut world = World::with(&objects(), own);
    let text = routed("sip:10.0.0.9", "b");
    let told = explain(&mut world, &text);
    assert_eq!(told.resource.unwrap().name, "mcp-1");
    world.udp(CALLER, &text);
    let sent = world.take("10.0.0.9:5060");
    let head = sent.split_inclusive("\r\n\r\n").next().unwrap();
    assert_eq!(told.request.as_deref(), Some(head), "byte for byte");

    let named = world.proxy.explain(world.now, &about(&routed("sip:edge.example", "c")));
    let Err(Unclear::Question(text)) = named else { panic!("{named:?}") };
    assert!(text.contains("edge.example is not resolved yet"), "{text}");
    assert!(world.asked.is_empty(), "a question asks nobody");
}

/// A server for which the request is too large is passed over, as by the call.
#[test]
fn what_is_too_large_for_one_goes_to_the_next() {
    let mut documents = objects();
    documents[3]["spec"]["resources"][0]["address"] = json!("sip:10.0.0.11:5070;transport=udp");
    let text = invite("18005550100", "big");
    let head = text.split("Content-Length").next().unwrap();
    let text = format!("{head}Content-Length: 64900\r\n\r\n{}", "x".repeat(64_900));
    let mut world = World::with(&documents, settings());
    let told = explain(&mut world, &text);
    let before = digest(&world);
    assert_eq!(explain(&mut world, &text), told);
    assert_eq!(digest(&world), before, "nothing has changed");
    assert_eq!((told.outcome, told.resource.unwrap().name.as_str()), ("forward", "mcp-2"));
    assert!(told.request.unwrap().starts_with("INVITE sip:dialog@10.0.0.12:5070;"));
    let passed = told.trace.iter().find(|step| step.stage.as_str() == "forward").unwrap();
    assert_eq!((passed.candidate.as_str(), passed.reason.as_str()), ("mcp-1", "too-large"));
    assert!(world.proxy.resources().iter().all(|one| one.used == 0));

    documents[3]["spec"]["resources"][1]["address"] = json!("sip:10.0.0.12:5070;transport=udp");
    let told = explain(&mut World::with(&documents, settings()), &text);
    assert_eq!((told.code, told.reason), (Some(513), Some("too-large")));
}

/// What is refused before anything is read of a call is told too, and takes nothing of a rate.
#[test]
fn rates_and_overload_are_judged_as_for_the_call() {
    let mut limited = settings();
    limited.peers[0].rate = NonZeroU32::new(1);
    let mut world = World::with(&objects(), limited);
    let text = invite("18005550100", "asked");
    for call in ["a", "b"] {
        assert_eq!(explain(&mut world, &text).outcome, "forward");
        world.udp(CALLER, &invite("4711", call));
        assert!(world.take(CALLER).starts_with("SIP/2.0 404 "));
    }
    let before = digest(&world);
    let told = explain(&mut world, &text);
    assert_eq!(
        (told.code, told.reason, told.retry_after),
        (Some(503), Some("source-rate"), Some(1))
    );
    assert_eq!(digest(&world), before, "nothing has changed");
    world.udp(CALLER, &text);
    assert!(world.take(CALLER).contains("source-rate"));

    let mut world = World::new();
    let free = explain(&mut world, &text);
    assert_eq!(free.outcome, "forward");
    world.input(rm::Input::KernelDrops { packets: 1_000_000 });
    let before = digest(&world);
    let told = explain(&mut world, &text);
    assert_eq!((told.code, told.reason), (Some(503), Some("overload")));
    assert!(told.retry_after.is_some_and(|seconds| (2..=5).contains(&seconds)));
    assert_eq!(digest(&world), before, "nothing has changed");
    world.udp(CALLER, &text);
    let answer = world.take(CALLER);
    assert_eq!(header(&answer, "Warning"), "399 rm-1 \"overload\"");
    assert_eq!(header(&answer, "Retry-After"), told.retry_after.unwrap().to_string());
}
