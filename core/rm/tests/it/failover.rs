//! Failed tries, late answers, CANCEL and Timer C (rm.md §7.8, §1.7).

use std::time::Duration;

use crate::world::{CALLER, Dialog, MCP1, MCP2, World, header, invite, objects, reply, settings};

const CONTACT: &str = "Contact: <sip:mcp@10.0.0.12:5070>\r\n";

fn cancel(request: &str) -> String {
    let uri = request.split(' ').nth(1).unwrap();
    format!(
        "CANCEL {uri} SIP/2.0\r\nVia: {}\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\n\
         Call-ID: {}\r\nCSeq: 1 CANCEL\r\nReason: SIP;cause=480;text=\"gone\"\r\n\
         Content-Length: 0\r\n\r\n",
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
    assert_eq!(stages, ["select", "authorise", "place", "forward", "place", "forward"]);
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
    world.run(Duration::from_millis(1500));
    assert!(world.try_take(MCP2).is_none(), "the hunt is over after its first try");
    assert_eq!(code(&mut world, "late"), "603");
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
    assert_eq!(header(&cancelled, "Reason"), "SIP;cause=480;text=\"gone\"");
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
