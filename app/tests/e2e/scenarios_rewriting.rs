//! Scenarios of rm.md §14 about what a media server is told: 1, 9 and 10.

use model::time::Millis;
use sip::uri::unescape;

use crate::platform::wall;
use crate::player::Play;
use crate::scenarios_stage::{ANSWERED, stage};
use crate::sipp::Via;
use crate::wire::{Message, first};

/// The message as RM should have forwarded it, below what RM puts on top.
fn passed_on(invite: &Message) -> Vec<String> {
    let edited = |line: &str| match line {
        _ if line.starts_with("Via: ") => format!("{line};received=127.0.0.2"),
        "Max-Forwards: 70" => "Max-Forwards: 69".to_owned(),
        _ => line.to_owned(),
    };
    invite.lines().map(edited).collect()
}

#[test]
fn scenario_1_a_call_its_bytes_and_its_records() {
    let stage = stage();
    let script = "< INVITE; wait 400; > 180; > 200; < ACK; < BYE; > 200";
    let own = stage.at("example-1");
    let media = Play::new("example", script, Via::Tcp).answer_at(own, own);
    // an answer that takes long is heralded by a 100
    let script = "> INVITE slow; < 180; < 200; > ACK; wait 300; > BYE; < 200";
    let lines = "X-Genesys-CallUUID: 0UJDMQHH2O8QV3P8P8R2LDAES0000001\n";
    let caller = Play { lines, ..Play::new("example", script, Via::Udp) };
    let begin = wall();
    let told = stage.play(&caller, "+18005551234");
    let heard = media.played();
    let leg = stage.leg("example");

    let (sent, got) = (first(&told, "INVITE "), first(&heard, "INVITE "));
    let expected = format!(
        "INVITE sip:dialog@{own};transport=tcp;\
         voicexml=http://apps.acme.example/start.vxml%3Flang%3Den;\
         gvp.alternatevoicexml=http://backup.acme.example/sorry.vxml;\
         gvp.appmodule=VXML-NG;lang=en SIP/2.0"
    );
    assert_eq!(got.start(), expected);
    let lines: Vec<&str> = got.lines().collect();
    let (ours, theirs) = lines.split_at(6);
    assert_eq!(theirs, passed_on(sent));
    assert_eq!(got.body(), sent.body());
    let (rm, guid) = (stage.sip, leg["guid"].as_str().unwrap());
    for (start, end) in [
        (format!("Via: SIP/2.0/TCP {rm};branch=z9hG4bK-rm"), String::new()),
        (
            "Record-Route: <sip:rm-A".to_owned(),
            format!(
                "@{rm};lr;transport=tcp;gvp.rm.datanodes=1;idtag={}>",
                leg["leg"].as_str().unwrap()
            ),
        ),
        (format!("Record-Route: <sip:rm-0@{rm};lr>"), String::new()),
        (
            format!("X-Genesys-GVP-Session-ID: {guid};gvp.rm.datanodes=1;"),
            ";gvp.rm.tenant-id=1.102_IVRAppDefault".to_owned(),
        ),
        (
            format!("X-Genesys-GVP-Session-Data: callsession={guid};1;"),
            ";Environment/example;IVRAppDefault".to_owned(),
        ),
        ("X-Genesys-RM-Application-dbid: 205".to_owned(), String::new()),
    ] {
        let meant = |line: &&str| line.starts_with(&start) && line.ends_with(&end);
        assert_eq!(ours.iter().filter(|line| meant(line)).count(), 1, "{start} in {ours:#?}");
    }

    let facts = [&leg["tenant"]["name"], &leg["profile"]["name"], &leg["resource"]];
    assert_eq!(facts, ["example", "IVRAppDefault", "example-1"], "{leg:#}");
    let facts = [&leg["end_state"], &leg["reason"], &leg["call_type"]];
    assert_eq!(facts, ["USER_END", "normal", "INBOUND"], "{leg:#}");
    // each time lies between what came before it at one end and what came of it at the other
    for (name, after, before) in [
        ("started_at", begin, first(&told, "SIP/2.0 100 ").at.min(got.at)),
        ("answered_at", first(&heard, "SIP/2.0 180 ").at, first(&told, "SIP/2.0 200 ").at),
        ("ended_at", first(&told, "ACK ").at, first(&heard, "BYE ").at),
    ] {
        let at = Millis::parse(leg[name].as_str().unwrap()).unwrap();
        assert!(after <= at && at <= before, "{name}: {after} {at} {before}");
    }
}

#[test]
fn scenario_9_fixed_replaces_and_default_does_not() {
    let stage = stage();
    let uri = "sip:18005550100@[remote_ip]:[remote_port];gvp.appmodule=mine;lang=fr";
    stage.play(&Play { uri, ..Play::new("parameters", ANSWERED, Via::Udp) }, "0");
    let invite = stage.invite("parameters");
    let parameters: Vec<&str> = invite.start().split([';', ' ']).collect();
    for (parameter, count) in
        [("gvp.appmodule=VXML-NG", 1), ("gvp.appmodule=mine", 0), ("lang=fr", 1), ("lang=en", 0)]
    {
        let found = parameters.iter().filter(|one| **one == parameter).count();
        assert_eq!(found, count, "{parameter} in {}", invite.start());
    }
    stage.call("no-parameters", ANSWERED, "18005550100");
    let start = stage.invite("no-parameters").start().to_owned();
    assert!(start.contains(";gvp.appmodule=VXML-NG;lang=en "), "{start}");
}

#[test]
fn scenario_10_a_page_is_escaped_and_decodes_to_itself() {
    let stage = stage();
    stage.call("page", ANSWERED, "18005550400");
    let invite = stage.invite("page");
    let page = invite.start().split(";voicexml=").nth(1).unwrap().split([';', ' ']).next().unwrap();
    let escaped = "http://apps.acme.example/x.vxml%3Fa%3D1%3Bb%3D%2520&c%3Dd%253De";
    let written = "http://apps.acme.example/x.vxml?a=1;b=%20&c=d%3De";
    assert_eq!((page, unescape(page).as_ref()), (escaped, written));
}
