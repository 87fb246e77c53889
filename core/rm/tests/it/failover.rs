//! Failed tries, late answers, CANCEL and Timer C (rm.md §7.8, §1.7).

use std::time::Duration;

use crate::world::{CALLER, Dialog, MCP1, MCP2, World, header, invite, objects, reply, settings};

const CONTACT: &str = "Contact: <sip:mcp@10.0.0.12:5070>\r\n";

fn cancel(request: &str) -> String {
    let uri = request.split(' ').nth(1).unwrap();
    format!(
        "CANCEL {uri} SIP/2.0\r\nVia: {}\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\n\
         Call-ID: {}\r\nCSeq: 1 CANCEL\r\nReason: SIP;cause=480;text=\"gone\"\r\n\
         Reason: Q.850;cause=16\r\nContent-Length: 0\r\n\r\n",
        header(request, "Via"),
        header(request, "From"),
        header(request, "To"),
        header(request, "Call-ID"),
    )
}

#[test]
fn a_silent_server_is_given_up_after_two_seconds() {
    let mut world = World::new();
    world.udp(CALLER, &invite("18005550100", "s"));
    let first = world.take(MCP1);
    world.alive.retain(|one| one.to_string() != MCP1);
    world.run(Duration::from_millis(1999));
    assert!(world.try_take(MCP2).is_none());
    world.run(Duration::from_millis(1));
    let second = world.take(MCP2);
    assert_eq!(
        header(&first, "X-Genesys-GVP-Session-ID"),
        header(&second, "X-Genesys-GVP-Session-ID")
    );
    assert_ne!(header(&first, "Record-Route"), header(&second, "Record-Route"));
    assert_ne!(header(&first, "Via"), header(&second, "Via"));
    world.udp(MCP2, &reply(&second, 200, "t", CONTACT));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    let resources = world.proxy.resources();
    assert_eq!((resources[0].state, resources[1].state), ("quarantined", "healthy"));
    assert_eq!((resources[0].used, resources[1].used), (1, 1), "the try is watched");
    let start = world.phase("start")[0];
    assert_eq!(start["resource"]["name"], "mcp-2");
    assert_eq!(start["resource"]["attempts"], 2);
    assert_eq!(
        start["tries"],
        serde_json::json!([{"resource": "mcp-1", "reason": "timeout", "ms": 2000},
            {"resource": "mcp-2", "sip_status": 200, "ms": 0}])
    );
    let stages: Vec<&str> =
        start["trace"].as_array().unwrap().iter().map(|s| s["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["select", "authorise", "place", "forward", "place", "place", "forward"]);
    let event = world.records.iter().find(|one| one.json["kind"] == "call.event").unwrap();
    assert_eq!(event.json["text"], "mcp-1|mcp-2|0|timeout");
    assert!(world.has_log(20404));
    world.run(Duration::from_secs(32));
    assert_eq!(world.proxy.resources()[0].used, 0);
}

#[test]
fn a_late_answer_is_acknowledged_and_ended_and_never_goes_upstream() {
    let mut world = World::new();
    world.udp(CALLER, &invite("18005550100", "late"));
    let first = world.take(MCP1);
    world.run(Duration::from_secs(2));
    let second = world.take(MCP2);
    world.udp(MCP2, &reply(&second, 200, "t2", CONTACT));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    // what was repeated meanwhile
    while world.try_take(MCP1).is_some() {}
    world.udp(MCP1, &reply(&first, 183, "t1", ""));
    let cancelled = world.take(MCP1);
    assert!(cancelled.starts_with("CANCEL "), "{cancelled}");
    assert_eq!(header(&cancelled, "Via"), header(&first, "Via"));
    world.udp(MCP1, &reply(&cancelled, 200, "t1", ""));
    let late = reply(&first, 200, "t1", "Contact: <sip:mcp@10.0.0.11:5070>\r\n");
    world.udp(MCP1, &late);
    let ack = world.take(MCP1);
    assert!(ack.starts_with("ACK sip:mcp@10.0.0.11:5070 SIP/2.0\r\n"), "{ack}");
    let bye = world.take(MCP1);
    assert!(bye.starts_with("BYE sip:mcp@10.0.0.11:5070 SIP/2.0\r\n"), "{bye}");
    assert_eq!(header(&bye, "CSeq"), "2 BYE");
    assert!(header(&bye, "To").ends_with(";tag=t1"));
    assert!(header(&bye, "Reason").starts_with("SIP;cause="));
    assert_eq!(world.proxy.resources()[0].used, 1);
    world.udp(MCP1, &reply(&bye, 200, "", ""));
    assert_eq!(world.proxy.resources()[0].used, 0);
    assert!(world.try_take(CALLER).is_none());
    // that server hangs up too, with the token of its try: the call itself is another dialog
    let mut stale = Dialog::of_callee(&first, "t1", "<sip:mcp@10.0.0.11:5070>");
    world.udp(MCP1, &stale.request("BYE", MCP1, "stale"));
    let passed = world.take(CALLER);
    world.udp(CALLER, &reply(&passed, 481, "", ""));
    let texts = world.records.iter().filter(|one| one.json["log_id"] == "late-answer");
    let texts: Vec<_> = texts.map(|one| one.json["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(texts, ["mcp-1|183", "mcp-1|200"]);
    assert_eq!(world.ends().len(), 0, "the call itself stays up");
}

/// RFC 3261 §9.1: whoever says 100 has the INVITE, and may be told to stop. It is no late answer.
#[test]
fn a_late_100_is_enough_for_a_cancel() {
    let mut world = World::new();
    world.udp(CALLER, &invite("18005550100", "late"));
    let first = world.take(MCP1);
    world.run(Duration::from_secs(2));
    while world.try_take(MCP1).is_some() {}
    let late = |world: &World| {
        world.records.iter().filter(|one| one.json["log_id"] == "late-answer").count()
    };
    world.udp(MCP1, &reply(&first, 100, "t1", ""));
    assert!(world.take(MCP1).starts_with("CANCEL "));
    assert_eq!(late(&world), 0);
    world.udp(MCP1, &reply(&first, 183, "t1", ""));
    assert!(world.try_take(MCP1).is_none(), "one is enough");
    assert_eq!(late(&world), 1);
}

/// RFC 3261 §8.1.1.5: numbers end at 2³¹ − 1, but callers may write any that 32 bits hold.
#[test]
fn a_late_answer_to_the_highest_number_is_ended_too() {
    let mut world = World::new();
    let request = invite("18005550100", "high").replace("CSeq: 1 ", "CSeq: 4294967295 ");
    world.udp(CALLER, &request);
    let first = world.take(MCP1);
    world.run(Duration::from_secs(2));
    let second = world.take(MCP2);
    world.udp(MCP2, &reply(&second, 486, "t2", ""));
    while world.try_take(MCP1).is_some() {}
    world.udp(MCP1, &reply(&first, 200, "t1", "Contact: <sip:mcp@10.0.0.11:5070>\r\n"));
    assert_eq!(header(&world.take(MCP1), "CSeq"), "4294967295 ACK");
    assert_eq!(header(&world.take(MCP1), "CSeq"), "4294967295 BYE");
}

/// A proxy that forks may say no, and one of its branches yes all the same (RFC 3261 §16.7 step 5).
#[test]
fn a_2xx_behind_a_failure_of_the_same_branch_is_acknowledged_and_ended() {
    for (failure, next) in [(503, true), (404, false)] {
        let mut world = World::new();
        world.udp(CALLER, &invite("18005550100", "behind"));
        let first = world.take(MCP1);
        world.udp(MCP1, &reply(&first, failure, "t1", ""));
        assert!(world.take(MCP1).starts_with("ACK "));
        assert_eq!(world.proxy.resources()[0].used, 0);
        if next {
            let second = world.take(MCP2);
            world.udp(MCP2, &reply(&second, 486, "t2", ""));
            assert!(world.take(MCP2).starts_with("ACK "));
        }
        assert!(!world.take(CALLER).starts_with("SIP/2.0 2"));
        let late = reply(&first, 200, "t3", "Contact: <sip:mcp@10.0.0.11:5070>\r\n");
        world.udp(MCP1, &late);
        let ack = world.take(MCP1);
        assert!(ack.starts_with("ACK sip:mcp@10.0.0.11:5070 SIP/2.0\r\n"), "{ack}");
        let bye = world.take(MCP1);
        assert!(bye.starts_with("BYE sip:mcp@10.0.0.11:5070 SIP/2.0\r\n"), "{bye}");
        assert!(header(&bye, "To").ends_with(";tag=t3"));
        assert_eq!(world.proxy.resources()[0].used, 1, "as long as that call stands");
        world.udp(MCP1, &reply(&bye, 200, "", ""));
        assert_eq!(world.proxy.resources()[0].used, 0);
        assert!(world.try_take(CALLER).is_none());
        world.run(Duration::from_secs(40));
        world.udp(MCP1, &late);
        assert!(world.try_take(MCP1).is_none(), "a stray by then");
    }
}

/// A proxy behind us may have forked: each To tag is a dialog (RFC 3261 §13.2.2.4).
#[test]
fn each_dialog_of_a_late_answer_is_ended() {
    let mut world = World::new();
    world.udp(CALLER, &invite("18005550100", "fork"));
    let first = world.take(MCP1);
    world.run(Duration::from_secs(2));
    let second = world.take(MCP2);
    world.udp(MCP2, &reply(&second, 486, "t2", ""));
    while world.try_take(MCP1).is_some() {}
    let contact = "Contact: <sip:mcp@10.0.0.11:5070>\r\n";
    let late = |world: &mut World, tag: &str| {
        world.udp(MCP1, &reply(&first, 200, tag, contact));
        let mut sent = Vec::new();
        while let Some(text) = world.try_take(MCP1) {
            assert!(header(&text, "To").ends_with(&format!(";tag={tag}")), "{text}");
            sent.push(text);
        }
        sent
    };
    let methods =
        |sent: &[String]| sent.iter().map(|text| text[..3].to_owned()).collect::<Vec<_>>();
    let used = |world: &World| world.proxy.resources()[0].used;
    let one = late(&mut world, "L1");
    let two = late(&mut world, "L2");
    assert_eq!(methods(&one), ["ACK", "BYE"]);
    assert_eq!(methods(&two), ["ACK", "BYE"]);
    assert_eq!(methods(&late(&mut world, "L1")), ["ACK"], "again");
    world.udp(MCP1, &reply(&one[1], 200, "", ""));
    assert_eq!(used(&world), 1, "one of two is ended");
    world.udp(MCP1, &reply(&two[1], 200, "", ""));
    assert_eq!(used(&world), 0);
    assert_eq!(methods(&late(&mut world, "L2")), ["ACK"], "its BYE is answered");
    assert_eq!(methods(&late(&mut world, "L3")), ["ACK", "BYE"], "later still");
    assert_eq!(used(&world), 1);
    for n in 4..=8 {
        assert_eq!(methods(&late(&mut world, &format!("L{n}"))), ["ACK", "BYE"]);
    }
    assert!(late(&mut world, "L9").is_empty(), "its server ends it itself");
    world.run(Duration::from_secs(32));
    assert_eq!(used(&world), 0);
}

/// rm.md §1.6: an answer whose Via is not ours, or which has none but ours, is nobody's.
#[test]
fn an_answer_with_a_wrong_or_missing_via_is_dropped() {
    let mut world = World::new();
    world.udp(CALLER, &invite("18005550100", "v"));
    let first = world.take(MCP1);
    let good = reply(&first, 183, "t", "");
    let vias = crate::world::all(&good, "Via");
    let without = |via: &str| good.replacen(&format!("Via: {via}\r\n"), "", 1);
    let [ours, theirs] = vias[..] else { panic!("{vias:?}") };
    for (text, why) in [
        (without(theirs), "no-via"),
        (without(ours), "foreign-via"),
        (good.replacen("10.0.0.5:5060;branch", "10.0.0.6:5060;branch", 1), "foreign-via"),
        (good.replacen("10.0.0.5:5060;branch", "10.0.0.5:5070;branch", 1), "foreign-via"),
        (good.replacen("z9hG4bK-rm0001", "z9hG4bK-rm0002", 1), "stray"),
    ] {
        let before = world.proxy.counters().dropped.get(why).copied().unwrap_or(0);
        world.udp(MCP1, &text);
        assert!(world.try_take(CALLER).is_none(), "{why}: {text}");
        assert_eq!(world.proxy.counters().dropped[why], before + 1, "{text}");
    }
    world.udp(MCP1, &good);
    assert!(world.take(CALLER).starts_with("SIP/2.0 183 "));
}

#[test]
fn a_503_with_retry_after_means_full_and_never_goes_upstream() {
    let mut world = World::new();
    world.udp(CALLER, &invite("18005550100", "f"));
    let first = world.take(MCP1);
    world.udp(MCP1, &reply(&first, 503, "t", "Retry-After: 5\r\n"));
    let second = world.take(MCP2);
    world.udp(MCP2, &reply(&second, 503, "t", ""));
    let answer = world.take(CALLER);
    assert!(answer.starts_with("SIP/2.0 480 "), "{answer}");
    assert_eq!(header(&answer, "Warning"), "399 rm-1 \"hunt-failed\"");
    let states =
        |world: &World| world.proxy.resources().iter().map(|one| one.state).collect::<Vec<_>>();
    assert_eq!(states(&world), ["full", "quarantined"]);
    world.run(Duration::ZERO);
    assert_eq!(states(&world), ["full", "healthy"], "a probe leaves at once, and is answered");
    let end = world.ends()[0];
    assert_eq!(
        (end["reason"].as_str(), end["sip_status"].as_u64()),
        (Some("hunt-failed"), Some(480))
    );
    assert_eq!(end["tries"].as_array().unwrap().len(), 2);
}

#[test]
fn the_best_failure_is_forwarded_when_the_hunt_is_over() {
    let mut world = World::new();
    world.udp(CALLER, &invite("18005550100", "best"));
    let first = world.take(MCP1);
    world.udp(MCP1, &reply(&first, 500, "t", ""));
    let second = world.take(MCP2);
    world.udp(MCP2, &reply(&second, 486, "t", ""));
    assert!(world.take(CALLER).starts_with("SIP/2.0 486 "));
    assert_eq!(world.ends()[0]["reason"], "forwarded");
}

/// rm.md §7.8, scenario 22: answers that say no for good are forwarded, and nobody else is asked.
#[test]
fn redirections_challenges_and_refusals_are_forwarded() {
    for code in [302, 401, 404, 407, 420, 603] {
        let mut world = World::new();
        world.udp(CALLER, &invite("18005550100", "r"));
        let first = world.take(MCP1);
        world.udp(MCP1, &reply(&first, 100, "t1", ""));
        assert!(world.try_take(CALLER).is_none(), "100 is never forwarded");
        let lines = "Contact: <sip:elsewhere@192.0.2.1>\r\nWWW-Authenticate: Digest a=\"1\"\r\n";
        world.udp(MCP1, &reply(&first, code, "t", lines));
        let answer = world.take(CALLER);
        assert_eq!(answer[8..11].parse(), Ok(code));
        assert_eq!(header(&answer, "WWW-Authenticate"), "Digest a=\"1\"");
        assert_eq!(header(&answer, "Contact"), "<sip:elsewhere@192.0.2.1>");
        assert!(world.try_take(MCP2).is_none());
    }
}

/// RFC 3261 §16.7 steps 6 and 7, where the configuration asks the next one after a challenge.
#[test]
fn of_several_failures_the_most_useful_is_forwarded_with_all_challenges() {
    let mut documents = objects();
    documents[3]["spec"]["failover"] = serde_json::json!({"codes": ["400-499", "500-599"]});
    let run = |first: (u16, &str), second: (u16, &str)| {
        let mut world = World::with(&documents, settings());
        world.udp(CALLER, &invite("18005550100", "b"));
        let one = world.take(MCP1);
        world.udp(MCP1, &reply(&one, first.0, "t1", first.1));
        if let Some(two) = world.try_take(MCP2) {
            world.udp(MCP2, &reply(&two, second.0, "t2", second.1));
        }
        world.take(CALLER)
    };
    let (a, b) = ("WWW-Authenticate: Digest a=\"1\"\r\n", "Proxy-Authenticate: Digest b=\"2\"\r\n");
    for (first, second, code) in [
        ((404, ""), (484, ""), "484"),
        ((484, ""), (404, ""), "484"),
        ((500, ""), (404, ""), "404"),
        ((503, ""), (500, ""), "500"),
        ((404, ""), (410, ""), "404"),
        ((404, ""), (401, a), "401"),
        ((603, ""), (200, ""), "603"),
    ] {
        assert_eq!(run(first, second)[8..11], *code, "{first:?} {second:?}");
    }
    let both = run((401, a), (407, b));
    assert!(both.starts_with("SIP/2.0 401 "), "{both}");
    assert_eq!(header(&both, "WWW-Authenticate"), "Digest a=\"1\"");
    assert_eq!(header(&both, "Proxy-Authenticate"), "Digest b=\"2\"");
    // a 503 goes on as it is only where that is asked for
    documents.as_array_mut().unwrap().push(serde_json::json!(
        {"kind": "Application", "name": "rm-1", "spec": {"type": "resource-manager",
            "options": {"rm": {"forward-503": "true"}}}}));
    let mut world = World::with(&documents, settings());
    world.udp(CALLER, &invite("18005550100", "f"));
    for server in [MCP1, MCP2] {
        let text = world.take(server);
        world.udp(server, &reply(&text, 503, "t", "X-Why: busy\r\n"));
    }
    let answer = world.take(CALLER);
    assert!(answer.starts_with("SIP/2.0 503 ") && header(&answer, "X-Why") == "busy", "{answer}");
}

#[test]
fn a_hunt_that_found_nothing_gets_the_code_of_its_group() {
    let mut documents = objects();
    documents[3]["spec"]["noresource_response_code"] = serde_json::json!(603);
    let code = |world: &mut World, call: &str| {
        let answer = world.take(CALLER);
        let warning = header(&answer, "Warning").to_owned();
        assert_eq!(warning, "399 rm-1 \"hunt-failed\"", "{call}");
        let mut logs = world.logs.iter().rev().filter(|(id, _)| *id == 20401);
        let fields = &logs.next().unwrap().1;
        assert!(fields.contains(&("group", "mcp".to_owned())), "{call}: {fields:?}");
        answer[8..11].to_owned()
    };
    // a 503 after progress
    let mut world = World::with(&documents, settings());
    world.udp(CALLER, &invite("18005550100", "rang"));
    let first = world.take(MCP1);
    world.udp(MCP1, &reply(&first, 180, "t", ""));
    assert!(world.take(CALLER).starts_with("SIP/2.0 180 "));
    world.udp(MCP1, &reply(&first, 503, "t", ""));
    assert_eq!(code(&mut world, "rang"), "603");
    // all its time is over
    documents.as_array_mut().unwrap().push(serde_json::json!(
        {"kind": "Application", "name": "rm-1", "spec": {"type": "resource-manager",
            "options": {"rm": {"max-hunt": "1s", "try-timeout": "1500ms"}}}}));
    let mut world = World::with(&documents, settings());
    world.udp(CALLER, &invite("18005550100", "late"));
    world.run(Duration::from_secs(1));
    assert!(world.try_take(MCP2).is_none(), "the hunt is over within its first try");
    assert_eq!(code(&mut world, "late"), "603");
}

/// rm.md §7.8: the time of a hunt is the whole of it, and a try that it ends is watched as any.
#[test]
fn a_try_that_the_end_of_the_hunt_cuts_short_is_cancelled_and_watched() {
    let mut documents = objects();
    documents.as_array_mut().unwrap().push(serde_json::json!(
        {"kind": "Application", "name": "rm-1", "spec": {"type": "resource-manager",
            "options": {"rm": {"max-hunt": "10s"}}}}));
    let mut world = World::with(&documents, settings());
    world.udp(CALLER, &invite("18005550100", "cut"));
    let first = world.take(MCP1);
    world.udp(MCP1, &reply(&first, 100, "t1", ""));
    world.run(Duration::from_millis(9999));
    assert_eq!(world.try_take(MCP1), None);
    world.run(Duration::from_millis(1));
    assert!(world.take(CALLER).starts_with("SIP/2.0 480 "));
    let cancelled = world.take(MCP1);
    assert!(cancelled.starts_with("CANCEL "), "{cancelled}");
    assert!(world.try_take(MCP2).is_none());
    assert_eq!(world.ends().len(), 1);
    assert_eq!(world.proxy.resources()[0].used, 1, "the try is watched");
    world.udp(MCP1, &reply(&cancelled, 200, "t1", ""));
    world.udp(MCP1, &reply(&first, 200, "t1", "Contact: <sip:mcp@10.0.0.11:5070>\r\n"));
    assert!(world.take(MCP1).starts_with("ACK "));
    let bye = world.take(MCP1);
    assert!(bye.starts_with("BYE "), "{bye}");
    world.udp(MCP1, &reply(&bye, 200, "", ""));
    assert_eq!(world.proxy.resources()[0].used, 0);
    assert!(world.try_take(CALLER).is_none());
}

#[test]
fn after_progress_there_is_no_further_try() {
    let mut world = World::new();
    world.udp(CALLER, &invite("18005550100", "p"));
    let first = world.take(MCP1);
    world.udp(MCP1, &reply(&first, 180, "t", ""));
    assert!(world.take(CALLER).starts_with("SIP/2.0 180 "));
    world.udp(MCP1, &reply(&first, 500, "t", ""));
    assert!(world.take(CALLER).starts_with("SIP/2.0 500 "));
    assert!(world.try_take(MCP2).is_none());
}

#[test]
fn cancel_while_it_rings() {
    let mut world = World::new();
    let request = invite("18005550100", "c");
    world.udp(CALLER, &request);
    let first = world.take(MCP1);
    world.udp(MCP1, &reply(&first, 180, "t", ""));
    world.take(CALLER);
    world.udp(CALLER, &cancel(&request));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    let cancelled = world.take(MCP1);
    assert!(cancelled.starts_with("CANCEL "));
    let reasons = crate::world::all(&cancelled, "Reason");
    assert_eq!(reasons, ["SIP;cause=480;text=\"gone\"", "Q.850;cause=16"]);
    world.udp(MCP1, &reply(&cancelled, 200, "t", ""));
    world.udp(MCP1, &reply(&first, 487, "t", ""));
    assert!(world.take(MCP1).starts_with("ACK "));
    assert!(world.take(CALLER).starts_with("SIP/2.0 487 "));
    let end = world.ends()[0];
    assert_eq!(
        (end["end_state"].as_str(), end["reason"].as_str()),
        (Some("CANCELLED"), Some("cancelled"))
    );
    assert!(world.proxy.resources().iter().all(|one| one.used == 0));
}

/// The Reason of a CANCEL goes on, all its lines; one without gets that of a call given up (rm.md
/// §1.7). To a re-INVITE alike.
#[test]
fn a_cancel_goes_on_with_its_reason_or_with_ours() {
    let given = ["SIP;cause=480;text=\"gone\"", "Q.850;cause=16"];
    for (inside, reason, expected) in [
        (false, true, &given[..]),
        (false, false, &["SIP;cause=487"]),
        (true, true, &given),
        (true, false, &["SIP;cause=487"]),
    ] {
        let mut world = World::new();
        let request = if inside {
            world.up("18005550100", "r").caller.request("INVITE", "10.0.0.2:5090", "re")
        } else {
            invite("18005550100", "r")
        };
        world.udp(CALLER, &request);
        let sent = world.take(MCP1);
        world.udp(MCP1, &reply(&sent, 180, "t", ""));
        world.take(CALLER);
        let number = header(&request, "CSeq").split(' ').next().unwrap();
        let mut text = cancel(&request).replace("1 CANCEL", &format!("{number} CANCEL"));
        if !reason {
            let lines = given.map(|value| format!("Reason: {value}\r\n"));
            text = lines.iter().fold(text, |text, line| text.replace(line, ""));
        }
        world.udp(CALLER, &text);
        assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
        let cancelled = world.take(MCP1);
        assert!(cancelled.starts_with("CANCEL "), "{cancelled}");
        assert_eq!(crate::world::all(&cancelled, "Reason"), expected, "{inside}");
        // it is hop by hop: one Via, that of the INVITE as it went on
        assert_eq!(crate::world::all(&cancelled, "Via"), [header(&sent, "Via")]);
        world.udp(MCP1, &reply(&sent, 487, "t", ""));
        assert!(world.take(CALLER).starts_with("SIP/2.0 487 "), "{inside}");
        assert_eq!(world.proxy.status().legs, usize::from(inside));
    }
}

#[test]
fn cancel_before_any_answer_stops_the_hunt() {
    let mut world = World::new();
    let request = invite("18005550100", "q");
    world.udp(CALLER, &request);
    world.take(MCP1);
    world.udp(CALLER, &cancel(&request));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    while let Some(text) = world.try_take(MCP1) {
        assert!(!text.starts_with("CANCEL "), "no CANCEL before a provisional");
    }
    world.run(Duration::from_secs(2));
    assert!(world.take(CALLER).starts_with("SIP/2.0 487 "));
    assert!(world.try_take(MCP2).is_none());
    assert_eq!(world.ends()[0]["end_state"], "CANCELLED");
}

#[test]
fn an_answer_that_crosses_the_cancel_is_forwarded() {
    let mut world = World::new();
    let request = invite("18005550100", "x");
    world.udp(CALLER, &request);
    let first = world.take(MCP1);
    world.udp(MCP1, &reply(&first, 180, "t", ""));
    world.take(CALLER);
    world.udp(CALLER, &cancel(&request));
    world.udp(MCP1, &reply(&first, 200, "t", "Contact: <sip:mcp@10.0.0.11:5070>\r\n"));
    world.take(CALLER);
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    assert_eq!(world.phase("start").len(), 1);
}

/// `proxy/sip.timer.…`: T1 spaces what is repeated, C ends what rings.
#[test]
fn timers_are_options() {
    let mut documents = objects();
    documents.as_array_mut().unwrap().push(serde_json::json!(
        {"kind": "Application", "name": "rm-1", "spec": {"type": "resource-manager",
            "options": {"proxy": {"sip.timer.t1": 200, "sip.timer.c": "5000"}}}}));
    let mut world = World::with(&documents, settings());
    world.udp(CALLER, &invite("18005550100", "t"));
    let first = world.take(MCP1);
    world.run(Duration::from_millis(199));
    assert!(world.try_take(MCP1).is_none());
    world.run(Duration::from_millis(1));
    assert_eq!(world.take(MCP1), first, "after T1");
    world.udp(MCP1, &reply(&first, 180, "t", ""));
    world.take(CALLER);
    world.run(Duration::from_millis(4_999));
    assert!(world.try_take(CALLER).is_none());
    world.run(Duration::from_millis(1));
    assert!(world.take(CALLER).starts_with("SIP/2.0 408 "));
}

/// RFC 3261 §16.7 step 2: timer C begins anew with each 101–199, and with no 100.
#[test]
fn each_provisional_answer_but_100_begins_timer_c_anew() {
    for (status, more) in [(100, 10), (101, 180), (180, 180), (183, 180), (199, 180)] {
        let mut world = World::new();
        world.udp(CALLER, &invite("18005550100", "c"));
        let first = world.take(MCP1);
        world.udp(MCP1, &reply(&first, 182, "t", ""));
        world.take(CALLER);
        world.run(Duration::from_secs(170));
        world.udp(MCP1, &reply(&first, status, "t", ""));
        assert_eq!(world.try_take(CALLER).is_some(), status > 100, "{status}");
        world.run(Duration::from_millis(more * 1000 - 1));
        assert!(world.try_take(CALLER).is_none(), "{status}");
        world.run(Duration::from_millis(1));
        assert!(world.take(CALLER).starts_with("SIP/2.0 408 "), "{status}");
    }
}

#[test]
fn ringing_for_too_long_is_no_answer() {
    let mut world = World::new();
    world.udp(CALLER, &invite("18005550100", "ring"));
    let first = world.take(MCP1);
    world.udp(MCP1, &reply(&first, 180, "t", ""));
    world.take(CALLER);
    world.run(Duration::from_secs(170));
    world.udp(MCP1, &reply(&first, 180, "t", ""));
    world.take(CALLER);
    world.run(Duration::from_secs(179));
    assert!(world.try_take(CALLER).is_none());
    world.run(Duration::from_secs(1));
    assert!(world.take(CALLER).starts_with("SIP/2.0 408 "));
    let cancelled = world.take(MCP1);
    assert!(cancelled.starts_with("CANCEL "));
    world.udp(MCP1, &reply(&first, 487, "t", ""));
    assert!(world.take(MCP1).starts_with("ACK "));
    let end = world.ends()[0];
    assert_eq!(
        (end["end_state"].as_str(), end["sip_status"].as_u64()),
        (Some("NO_ANSWER"), Some(408))
    );
    assert!(world.proxy.resources().iter().all(|one| one.used == 0));
}

fn message(branch: &str) -> String {
    format!(
        "MESSAGE sip:18005550100@10.0.0.5 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 10.0.0.2:5090;branch=z9hG4bK{branch}\r\nMax-Forwards: 70\r\n\
         From: <sip:a@10.0.0.2>;tag=1\r\nTo: <sip:b@10.0.0.5>\r\nCall-ID: {branch}\r\n\
         CSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n"
    )
}

/// RFC 3261 §16.9: what cannot be sent is answered as if a 503 had come (rm.md §7.9).
#[test]
fn a_message_to_nobody_is_answered_and_its_server_is_quarantined() {
    let mut world = World::new();
    world.alive.clear();
    world.udp(CALLER, &message("gone"));
    let flow = world.take_flow(MCP1).unwrap().flow;
    world.input(rm::Input::FlowFailed { flow });
    let answer = world.take(CALLER);
    assert!(answer.starts_with("SIP/2.0 480 "), "{answer}");
    assert_eq!(header(&answer, "Warning"), "399 rm-1 \"hunt-failed\"");
    assert_eq!(world.proxy.resources()[0].state, "quarantined");
    // silence is told to the server's account only
    world.udp(CALLER, &message("mute"));
    assert!(world.take(MCP2).starts_with("MESSAGE "));
    world.run(Duration::from_secs(32));
    assert!(world.try_take(CALLER).is_none());
    assert_ne!(world.proxy.resources()[1].state, "healthy");
}

/// RFC 3261 §16.7 step 6: whoever gets a 503 from us gives up on us as a whole.
#[test]
fn a_503_to_any_request_goes_on_as_something_else() {
    let mut documents = objects();
    for forwarded in [false, true] {
        let mut world = World::with(&documents, settings());
        let mut up = world.up("18005550100", "busy");
        world.udp(CALLER, &up.caller.request("INFO", "10.0.0.2:5090", "info"));
        let info = world.take(MCP1);
        world.udp(MCP1, &reply(&info, 503, "", "Retry-After: 7\r\n"));
        let answer = world.take(CALLER);
        let line = if forwarded { "503 Whatever" } else { "500 Server Internal Error" };
        assert!(answer.starts_with(&format!("SIP/2.0 {line}\r\n")), "{answer}");
        assert_eq!(header(&answer, "Retry-After"), "7");
        world.udp(CALLER, &message("full"));
        let full = world.take(MCP2);
        world.udp(MCP2, &reply(&full, 503, "t", "Retry-After: 7\r\n"));
        let code = if forwarded { "503" } else { "480" };
        assert_eq!(world.take(CALLER)[8..11], *code);
        assert_eq!(world.proxy.resources()[1].state, "full");
        world.udp(CALLER, &up.caller.request("BYE", "10.0.0.2:5090", "bye"));
        let bye = world.take(MCP1);
        world.udp(MCP1, &reply(&bye, 503, "", ""));
        assert_eq!(world.take(CALLER)[8..11], *if forwarded { "503" } else { "500" });
        assert_eq!(world.ends().len(), 1);
        documents.as_array_mut().unwrap().push(serde_json::json!(
            {"kind": "Application", "name": "rm-1", "spec": {"type": "resource-manager",
                "options": {"rm": {"forward-503": "true"}}}}));
    }
}

/// Whoever rang has taken the call: what follows says nothing of its places (rm.md §7.8).
#[test]
fn after_ringing_a_busy_answer_does_not_make_a_server_full() {
    for (code, extra, state) in [
        (486, "", "healthy"),
        (480, "", "healthy"),
        (503, "Retry-After: 30\r\n", "quarantined"),
        (500, "", "quarantined"),
    ] {
        let mut world = World::new();
        world.alive.retain(|one| one.to_string() != MCP1);
        world.udp(CALLER, &invite("18005550100", "rang"));
        let first = world.take(MCP1);
        world.udp(MCP1, &reply(&first, 180, "t", ""));
        world.udp(MCP1, &reply(&first, code, "t", extra));
        assert_eq!(world.proxy.resources()[0].state, state, "{code}");
        assert!(world.try_take(MCP2).is_none(), "no further try");
    }
}
