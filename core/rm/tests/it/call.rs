//! A call from INVITE to BYE: bytes on the wire, and what is recorded of it.

use std::time::Duration;

use crate::world::{
    CALLER, Dialog, MCP1, MCP2, World, address, all, header, invite, objects, reply, settings,
};
use rm::FrameKind;

/// What a proxy counts and what it leaves (rm.md §1.6): hops are counted where they are, and added
/// where they are not; breadth, and what RFC 3262 and RFC 3326 say, pass in both directions.
#[test]
fn what_is_counted_and_what_passes() {
    let lines = "Max-Breadth: 3\r\nSupported: 100rel\r\nReason: Q.850;cause=16\r\n";
    for (given, sent) in [("Max-Forwards: 70\r\n", "69"), ("Max-Forwards: 1\r\n", "0"), ("", "70")]
    {
        let mut world = World::new();
        let text = invite("18005550100", "p").replace("Max-Forwards: 70\r\n", given);
        world.udp(CALLER, &text.replace("Content-Type", &format!("{lines}Content-Type")));
        let forwarded = world.take(MCP1);
        assert_eq!(all(&forwarded, "Max-Forwards"), [sent], "{given}");
        assert!(forwarded.contains(lines), "{forwarded}");
        let answer = "Require: 100rel\r\nRSeq: 988789\r\nReason: Q.850;cause=17\r\n";
        world.udp(MCP1, &reply(&forwarded, 183, "t", answer));
        assert!(world.take(CALLER).contains(answer));
    }
}

/// A 100 is for what takes long (RFC 3261 §17.2.1), and there within 10 ms (rm.md §14, 1).
#[test]
fn a_100_leaves_in_time_unless_something_better_does() {
    let timers = rm::SipTimers { trying: Duration::from_millis(5), ..rm::SipTimers::default() };
    let mut world = World::with(&objects(), rm::Settings { timers, ..settings() });
    let said = |world: &mut World| {
        let answers = world.wire.iter().filter(|sent| sent.flow.remote == address(CALLER));
        let codes = answers.map(|sent| sent.text[8..11].to_owned()).collect::<Vec<_>>();
        world.wire.retain(|sent| sent.flow.remote != address(CALLER));
        codes
    };
    world.udp(CALLER, &invite("18005550100", "quick"));
    let forwarded = world.take(MCP1);
    world.run(Duration::from_millis(4));
    world.udp(MCP1, &reply(&forwarded, 180, "t", ""));
    world.run(Duration::from_millis(100));
    assert_eq!(said(&mut world), ["180"]);
    world.udp(CALLER, &invite("18005550100", "slow"));
    assert!(said(&mut world).is_empty());
    world.run(Duration::from_millis(5));
    assert_eq!(said(&mut world), ["100"]);
    world.udp(CALLER, &invite("18005550100", "again"));
    world.udp(CALLER, &invite("18005550100", "again"));
    assert_eq!(said(&mut world), ["100"], "it came again: an answer was missed");
    let line = "Proxy-Require: x\r\nContent-Type";
    world.udp(CALLER, &invite("18005550100", "no").replace("Content-Type", line));
    world.run(Duration::from_millis(100));
    assert_eq!(said(&mut world), ["420"]);
}

/// §5.4 (a) as forwarded, with the addresses of the specification: mcp-1 on TCP.
#[test]
fn the_forwarded_invite_is_byte_exact() {
    let mut documents = objects();
    let tcp = serde_json::json!("sip:10.0.0.11:5070;transport=tcp");
    documents[3]["spec"]["resources"][0]["address"] = tcp;
    let mut world = World::with(&documents, settings());
    world.udp(CALLER, &invite("+18005550234", "77ef"));
    let sent = world.take_flow(MCP1).unwrap();
    assert!(sent.flow.transport.is_stream());
    let text = sent.text;
    let token = text.split("Record-Route: <sip:").nth(1).unwrap().split('@').next().unwrap();
    assert_eq!((token.len(), &token[..3]), (97, "rm-"));
    let guid = header(&text, "X-Genesys-GVP-Session-ID").split(';').next().unwrap();
    let branch = header(&text, "Via").split("branch=").nth(1).unwrap();
    assert!(branch.starts_with("z9hG4bK-rm0001") && branch.len() == 38, "{branch}");
    let expected = format!(
        "INVITE sip:dialog@10.0.0.11:5070;transport=tcp;\
         voicexml=http://apps.acme.example/start.vxml%3Flang%3Den;\
         gvp.alternatevoicexml=http://backup.acme.example/sorry.vxml;\
         gvp.appmodule=VXML-NG;lang=en SIP/2.0\r\n\
         Via: SIP/2.0/TCP 10.0.0.5:5060;branch={branch}\r\n\
         Record-Route: <sip:{token}@10.0.0.5:5060;lr;transport=tcp;gvp.rm.datanodes=1;\
         idtag=00410001>\r\n\
         Record-Route: <sip:rm-0@10.0.0.5:5060;lr>\r\n\
         X-Genesys-GVP-Session-ID: {guid};gvp.rm.datanodes=1;\
         gvp.rm.tenant-id=1.102_IVRAppDefault\r\n\
         X-Genesys-GVP-Session-Data: callsession={guid};1;0;;;;Environment/acme;IVRAppDefault\r\n\
         X-Genesys-RM-Application-dbid: 205\r\n\
         Via: SIP/2.0/UDP 10.0.0.2:5090;branch=z9hG4bK77ef;received=10.0.0.2\r\n\
         Max-Forwards: 69\r\n\
         From: <sip:+4930123@10.0.0.2>;tag=from-77ef\r\n\
         To: <sip:+18005550234@10.0.0.5>\r\n\
         Call-ID: 77ef@10.1.1.5\r\n\
         CSeq: 1 INVITE\r\n\
         Contact: <sip:10.0.0.2:5090>\r\n\
         X-Genesys-CallUUID: 0UJDMQHH2O8QV3P8P8R2LDAES0000001\r\n\
         Content-Type: application/sdp\r\n\
         Content-Length: 4\r\n\r\nv=0\n"
    );
    assert_eq!(text, expected);
}

/// What is added stays within the bounds of rm.md §1.4, even with a double Record-Route.
#[test]
fn a_forwarded_request_grows_within_bounds() {
    let mut world = World::new();
    let flow = sip::transport::Flow {
        transport: sip::transport::Transport::Tcp,
        listener: 1,
        remote: address(CALLER),
        conn: Some(sip::transport::ConnId(1)),
    };
    let request = invite("+18005550234", "g").replace("/UDP ", "/TCP ");
    world.packet(flow, &request);
    let forwarded = world.take(MCP1);
    let ours = ["Via", "Record-Route", "X-Genesys-GVP-Session-ID", "X-Genesys-GVP-Session-Data"];
    let lengths = ours.iter().flat_map(|name| all(&forwarded, name)).map(|value| value.len() + 30);
    let added: usize = lengths.sum();
    assert!(added <= 1_000, "{added}");
    let routes = all(&forwarded, "Record-Route");
    assert!(routes.len() == 2 && routes.iter().all(|route| route.len() <= 300), "{routes:?}");
    let contact = "Contact: <sip:mcp@10.0.0.11:5070>\r\n";
    world.udp(MCP1, &reply(&forwarded, 200, "t", contact));
    let mut callee = Dialog::of_callee(&forwarded, "t", "<sip:mcp@10.0.0.11:5070>");
    let info = callee.request("INFO", MCP1, "info");
    world.udp(MCP1, &info);
    let passed = world.take(CALLER);
    assert!(passed.len() <= info.len() + 300, "{passed}");
}

#[test]
fn a_whole_call_with_its_two_records() {
    let mut world = World::new();
    world.udp(CALLER, &invite("+18005550234", "a"));
    let trying = world.wire.iter().find(|sent| sent.text.starts_with("SIP/2.0 100 "));
    assert_eq!(trying.unwrap().flow.remote, address(CALLER));
    let forwarded = world.take(MCP1);
    assert_eq!(all(&forwarded, "Record-Route").len(), 1);

    world.run(Duration::from_millis(20));
    world.udp(MCP1, &reply(&forwarded, 180, "9f1c", ""));
    let ringing = world.take(CALLER);
    assert!(ringing.starts_with("SIP/2.0 180 "));
    assert_eq!(all(&ringing, "Via").len(), 1);
    assert!(header(&ringing, "X-Genesys-GVP-Session-ID").ends_with("_IVRAppDefault"));

    world.run(Duration::from_millis(21));
    let contact = "Contact: <sip:mcp@10.0.0.11:5070>\r\n";
    world.udp(MCP1, &reply(&forwarded, 200, "9f1c", contact));
    let answer = world.take(CALLER);
    assert!(answer.starts_with("SIP/2.0 200 "));
    let mut caller = Dialog::of_caller(&answer);
    world.udp(CALLER, &caller.request("ACK", "10.0.0.2:5090", "ack"));
    let ack = world.take(MCP1);
    assert!(
        ack.starts_with("ACK sip:mcp@10.0.0.11:5070 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.5:5060")
    );
    assert!(!ack.contains("Route:"), "{ack}");

    world.run(Duration::from_secs(60));
    world.udp(CALLER, &caller.request("BYE", "10.0.0.2:5090", "bye"));
    let bye = world.take(MCP1);
    world.udp(MCP1, &reply(&bye, 200, "", ""));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));

    let cdrs: Vec<_> = world.records.iter().filter(|one| one.json["kind"] == "cdr").collect();
    assert_eq!(cdrs.len(), 2);
    let (start, end) = (cdrs[0], cdrs[1]);
    assert_eq!((start.frame, end.frame), (FrameKind::Open, FrameKind::Close));
    assert_eq!(start.key, end.key);
    assert!(!start.block.is_empty() && end.block.is_empty());
    check_start(&start.json);
    check_end(&start.json, &end.json);
    assert!(world.proxy.calls(&rm::CallFilter::default(), None, 10).calls.is_empty());
    assert!(world.proxy.resources().iter().all(|one| one.used == 0));
}

fn check_start(json: &serde_json::Value) {
    let guid = json["guid"].as_str().unwrap();
    let expected = serde_json::json!({
        "schema": 1, "kind": "cdr", "id": format!("{guid}/00410001/cdr.start/1.1"),
        "time": "2026-01-01T00:00:00.241Z",
        "producer": {"name": "rm-1", "boot": 1, "seq": 1, "stream": "cdr"},
        "component": {"name": "rm-1", "type": "RM", "dbid": 301}, "config_rev": 42,
        "phase": "start", "guid": guid, "leg": "00410001",
        "session_id": format!("{guid}.00410001"), "epoch": 1,
        "started_at": "2026-01-01T00:00:00.200Z", "answered_at": "2026-01-01T00:00:00.241Z",
        "call_type": "INBOUND",
        "tenant": {"name": "acme", "dbid": 102, "path": [
            {"name": "Environment", "dbid": 1}, {"name": "acme", "dbid": 102}]},
        "usage": [
            {"scope": "tenant", "dbid": 1, "name": "Environment", "usage": 1, "burst": 1},
            {"scope": "tenant", "dbid": 102, "name": "acme", "usage": 1, "burst": 1},
            {"scope": "profile", "dbid": 205, "name": "IVRAppDefault", "usage": 1, "burst": 1}],
        "profile": {"name": "IVRAppDefault", "dbid": 205, "service": "voicexml"},
        "service": "voicexml", "dn": "18005550234",
        "local_uri": "sip:+18005550234@10.0.0.5", "remote_uri": "sip:+4930123@10.0.0.2",
        "call_id": "a@10.1.1.5", "call_uuid": "0UJDMQHH2O8QV3P8P8R2LDAES0000001",
        "resource": {"group": "mcp", "name": "mcp-1", "dbid": 310,
            "address": "sip:10.0.0.11:5070", "attempts": 1},
        "sip_status": 200,
        "trace": [
            {"stage": "select", "candidate": "profile IVRAppDefault", "verdict": "chosen",
             "reason": "did 18005550200-18005550299 of acme-numbers"},
            {"stage": "authorise", "candidate": "tenant acme", "verdict": "passed",
             "reason": "usage_limit", "used": 0, "limit": 100},
            {"stage": "place", "candidate": "mcp-1", "verdict": "chosen",
             "reason": "round-robin", "state": "healthy", "used": 0, "limit": 500, "rank": 1},
            {"stage": "forward", "candidate": "mcp-1", "verdict": "chosen",
             "reason": "answered"}],
        "primary": true, "from_tag": "from-a", "to_tag": "9f1c", "ani": "4930123",
        "selected_by": "did", "placed_by": "round-robin",
        "source": {"name": "sip-server", "address": "10.0.0.2:5090"},
        "ringing_at": "2026-01-01T00:00:00.220Z",
        "tries": [{"resource": "mcp-1", "sip_status": 200, "ms": 41}]
    });
    assert_eq!(*json, expected, "{json:#}");
}

/// The end has what the start has, less what is told once.
fn check_end(start: &serde_json::Value, json: &serde_json::Value) {
    let mut expected = start.clone();
    let map = expected.as_object_mut().unwrap();
    for once in ["usage", "trace", "tries"] {
        map.remove(once);
    }
    let guid = json["guid"].as_str().unwrap();
    let changes = serde_json::json!({
        "id": format!("{guid}/00410001/cdr.end/1.1"), "phase": "end",
        "time": "2026-01-01T00:01:00.241Z", "ended_at": "2026-01-01T00:01:00.241Z",
        "producer": {"name": "rm-1", "boot": 1, "seq": 2, "stream": "cdr"},
        "end_state": "USER_END", "reason": "normal"
    });
    map.extend(changes.as_object().unwrap().clone());
    assert_eq!(*json, expected, "{json:#}");
}

/// The order of the fields is that of the example of rm.md §9.2.
#[test]
fn the_end_record_is_byte_exact() {
    let mut world = World::new();
    let mut up = world.up("+18005550234", "a");
    world.run(Duration::from_secs(192));
    world.hang_up(&mut up, "bye");
    let record = world.records.last().unwrap();
    let guid = record.json["guid"].as_str().unwrap();
    let expected = format!(
        concat!(
            r#"{{"schema":1,"kind":"cdr","id":"{guid}/00410001/cdr.end/1.1","#,
            r#""time":"2026-01-01T00:03:12.200Z","#,
            r#""producer":{{"name":"rm-1","boot":1,"seq":2,"stream":"cdr"}},"#,
            r#""component":{{"name":"rm-1","type":"RM","dbid":301}},"config_rev":42,"#,
            r#""phase":"end","guid":"{guid}","leg":"00410001","session_id":"{guid}.00410001","#,
            r#""epoch":1,"started_at":"2026-01-01T00:00:00.200Z","#,
            r#""answered_at":"2026-01-01T00:00:00.200Z","ended_at":"2026-01-01T00:03:12.200Z","#,
            r#""call_type":"INBOUND","tenant":{{"name":"acme","dbid":102,"path":"#,
            r#"[{{"name":"Environment","dbid":1}},{{"name":"acme","dbid":102}}]}},"#,
            r#""profile":{{"name":"IVRAppDefault","dbid":205,"service":"voicexml"}},"#,
            r#""service":"voicexml","dn":"18005550234","#,
            r#""local_uri":"sip:+18005550234@10.0.0.5","remote_uri":"sip:+4930123@10.0.0.2","#,
            r#""call_id":"a@10.1.1.5","call_uuid":"0UJDMQHH2O8QV3P8P8R2LDAES0000001","#,
            r#""resource":{{"group":"mcp","name":"mcp-1","dbid":310,"#,
            r#""address":"sip:10.0.0.11:5070","attempts":1}},"end_state":"USER_END","#,
            r#""sip_status":200,"reason":"normal","primary":true,"from_tag":"from-a","#,
            r#""to_tag":"to-a","ani":"4930123","selected_by":"did","placed_by":"round-robin","#,
            r#""source":{{"name":"sip-server","address":"10.0.0.2:5090"}}}}"#,
        ),
        guid = guid
    );
    assert_eq!(record.text, expected);
}

#[test]
fn the_called_side_hangs_up() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "b");
    let bye = up.callee.request("BYE", MCP1, "callee");
    world.udp(MCP1, &bye);
    let forwarded = world.take(CALLER);
    assert!(forwarded.starts_with("BYE sip:10.0.0.2:5090 SIP/2.0\r\n"), "{forwarded}");
    world.udp(CALLER, &reply(&forwarded, 200, "", ""));
    assert!(world.take(MCP1).starts_with("SIP/2.0 200 "));
    assert_eq!(world.ends()[0]["end_state"], "APP_END");
}

#[test]
fn calls_take_turns_and_places_are_sets() {
    let mut world = World::new();
    let mut calls: Vec<_> = (0..4).map(|i| world.up("18005550100", &format!("turn{i}"))).collect();
    let servers: Vec<&str> = calls.iter().map(|up| up.server.as_str()).collect();
    assert_eq!(servers, [MCP1, MCP2, MCP1, MCP2]);
    let used = |world: &World| {
        world.proxy.resources().iter().map(|one| (one.used, one.total)).collect::<Vec<_>>()
    };
    assert_eq!(used(&world), [(2, 2), (2, 2)]);
    let status = world.proxy.status();
    assert_eq!((status.sessions, status.legs), (4, 4));
    for (i, up) in calls.iter_mut().enumerate() {
        assert!(world.hang_up(up, &format!("bye{i}")).unwrap().starts_with("SIP/2.0 200 "));
    }
    assert_eq!(used(&world), [(0, 2), (0, 2)]);
    assert_eq!(world.ends().len(), 4);
}

#[test]
fn a_lost_message_is_sent_again_and_nothing_happens_twice() {
    let mut world = World::new();
    let request = invite("18005550100", "lost");
    world.udp(CALLER, &request);
    let first = world.take(MCP1);
    world.udp(CALLER, &request);
    assert!(world.try_take(MCP1).is_none(), "a repeated request ends at its transaction");
    world.run(Duration::from_millis(600));
    assert_eq!(world.take(MCP1), first, "our own is repeated byte by byte");
    let answer = reply(&first, 200, "t", "Contact: <sip:mcp@10.0.0.11:5070>\r\n");
    world.udp(MCP1, &answer);
    let up = world.take(CALLER);
    // the answer was lost on its way to the caller: the server repeats it, we pass it on
    world.udp(MCP1, &answer);
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    let mut caller = Dialog::of_caller(&up);
    world.udp(CALLER, &caller.request("ACK", "10.0.0.2:5090", "ack"));
    assert!(world.take(MCP1).starts_with("ACK "));
    let bye = caller.request("BYE", "10.0.0.2:5090", "bye");
    world.udp(CALLER, &bye);
    world.udp(CALLER, &bye);
    let forwarded = world.take(MCP1);
    assert!(world.try_take(MCP1).is_none());
    world.udp(MCP1, &reply(&forwarded, 200, "", ""));
    let done = world.take(CALLER);
    world.udp(CALLER, &bye);
    assert_eq!(world.take(CALLER), done);
    assert_eq!((world.phase("start").len(), world.ends().len()), (1, 1));
}

#[test]
fn the_answer_to_a_bye_waits_for_the_disk_and_not_for_long() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "held");
    world.disk = false;
    assert!(world.hang_up(&mut up, "bye").is_none());
    let no = world.made;
    world.input(rm::Input::Durable { no: no - 1 });
    assert!(world.try_take(CALLER).is_none());
    world.input(rm::Input::Durable { no });
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    assert_eq!(world.proxy.counters().bye_answer_late, 0);

    let mut up = world.up("18005550100", "late");
    assert!(world.hang_up(&mut up, "bye2").is_none());
    world.run(Duration::from_millis(249));
    assert!(world.try_take(CALLER).is_none());
    world.run(Duration::from_millis(1));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    assert_eq!(world.proxy.counters().bye_answer_late, 1);
    assert!(world.has_log(20503));
}

#[test]
fn an_address_may_change_while_calls_are_up() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "move");
    assert_eq!(up.server, MCP1);
    let mut documents = objects();
    documents[3]["spec"]["resources"][0]["address"] = serde_json::json!("sip:10.0.0.13:5070");
    world.input(rm::Input::Snapshot(crate::world::snapshot(&documents)));
    assert_eq!(world.proxy.resources()[0].used, 1);
    assert!(world.hang_up(&mut up, "bye").is_some());
    assert_eq!(world.ends()[0]["resource"]["address"], "sip:10.0.0.11:5070");
    assert_eq!(world.proxy.resources()[0].used, 0);
    world.udp(CALLER, &invite("18005550100", "elsewhere"));
    assert!(world.try_take(MCP2).is_some());
    world.udp(CALLER, &invite("18005550100", "there"));
    assert!(world.try_take("10.0.0.13:5070").is_some());
}

/// rm.md §13.4: what is taken away is taken away in every spelling.
#[test]
fn escaped_names_of_parameters_are_known() {
    let mut world = World::new();
    let escaped = ";%67vp.rm.datanodes=7;%74ransport=tcp;%6Cang=zz;%76oicexml=http://evil";
    let request = invite("18005550100", "esc").replacen(
        "10.0.0.5:5060 SIP",
        &format!("10.0.0.5:5060{escaped};%78=1 SIP"),
        1,
    );
    world.udp(CALLER, &request);
    let sent = world.take(MCP1);
    let uri = sent.split(' ').nth(1).unwrap();
    assert!(uri.contains(";%6Cang=zz;%78=1;voicexml=http://apps.acme.example/"), "{uri}");
    for gone in ["%67vp", "%74ransport", "%76oicexml", ";lang="] {
        assert!(!uri.contains(gone), "{gone}: {uri}");
    }
}

/// It may leave by a stream, in which nothing else tells where it ends (RFC 3261 §16.6 step 8).
#[test]
fn a_length_that_is_missing_is_added_both_ways() {
    let mut world = World::new();
    let whole = invite("18005550100", "length");
    let (head, body) = whole.split_once("\r\n\r\n").unwrap();
    let lines: Vec<&str> =
        head.split("\r\n").filter(|line| !line.starts_with("Content-Length")).collect();
    world.udp(CALLER, &format!("{}\r\n\r\n{body}", lines.join("\r\n")));
    let forwarded = world.take(MCP1);
    assert_eq!(header(&forwarded, "Content-Length"), body.len().to_string());
    assert!(!body.is_empty() && forwarded.ends_with(&format!("\r\n\r\n{body}")), "{forwarded}");
    let answer = reply(&forwarded, 200, "t1", "Contact: <sip:mcp@10.0.0.11:5070>\r\n");
    assert!(answer.contains("Content-Length: 0\r\n"));
    world.udp(MCP1, &answer.replace("Content-Length: 0\r\n", ""));
    let answer = world.take(CALLER);
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    assert_eq!(header(&answer, "Content-Length"), "0");
}
