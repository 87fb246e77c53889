//! The writer's bytes: a call's fields, in the order of the example of rm.md §9.2.

use super::{
    Body, CallType, Cdr, Component, ComponentType, EndState, Kind, ObjectRef, Phase, Producer,
    Profile, Record, Resource, SCHEMA, Stream, Tenant, queue,
};
use crate::config::Service;
use crate::id::{Guid, LegId};
use crate::time::Millis;

fn at(text: &str) -> Millis {
    Millis::parse(text).unwrap()
}

fn named(name: &str, dbid: u32) -> ObjectRef {
    ObjectRef { name: Some(name.into()), dbid: Some(dbid) }
}

fn example() -> Record {
    let guid = Guid::parse("0193F2A0-7C5B-7D3E-9A44-11D2C3B4A596").unwrap();
    let leg = LegId(0x0041_0001);
    let started_at = at("2026-01-05T10:00:00.000Z");
    let cdr = Cdr {
        guid: Some(guid.into()),
        leg: Some(leg),
        epoch: 1,
        answered_at: Some(at("2026-01-05T10:00:00.041Z")),
        ended_at: Some(at("2026-01-05T10:03:12.001Z")),
        tenant: Some(Tenant {
            name: Some("acme".into()),
            dbid: Some(102),
            path: vec![named("Environment", 1), named("acme", 102)],
        }),
        profile: Some(Profile {
            name: Some("IVRAppDefault".into()),
            dbid: Some(205),
            service: Some(Service::Voicexml),
        }),
        service: Some(Service::Voicexml),
        dn: Some("18005550234".into()),
        local_uri: "sip:+18005550234@10.0.0.5".into(),
        remote_uri: "sip:+4930123@10.0.0.2".into(),
        call_id: Some("a84b4c76e66710@10.1.1.5".into()),
        call_uuid: Some("0UJDMQHH2O8QV3P8P8R2LDAES0000001".into()),
        resource: Some(Resource {
            group: Some("mcp".into()),
            name: Some("mcp-1".into()),
            dbid: Some(310),
            address: Some("sip:10.0.0.11:5070;transport=tcp".into()),
            attempts: Some(1),
        }),
        end_state: Some(EndState::UserEnd),
        sip_status: Some(200),
        reason: Some("normal".into()),
        ..Cdr::new(Phase::End, format!("{guid}.{leg}"), started_at, CallType::Inbound)
    };
    Record {
        schema: SCHEMA,
        id: format!("{guid}/{leg}/cdr.end/1.1"),
        time: at("2026-01-05T10:03:12.004Z"),
        producer: Producer {
            name: "rm-1".into(),
            boot: Some(1),
            seq: Some(90211),
            stream: Some(Stream::Cdr),
        },
        component: Component { name: "rm-1".into(), kind: ComponentType::Rm, dbid: Some(301) },
        config_rev: Some(42),
        body: Body::Cdr(Box::new(cdr)),
        extra: serde_json::Map::new(),
    }
}

#[test]
fn the_example_of_the_specification() {
    let mut out = Vec::new();
    example().write(&mut out);
    let expected = concat!(
        r#"{"schema":1,"kind":"cdr","id":"0193F2A0-7C5B-7D3E-9A44-11D2C3B4A596/00410001/"#,
        r#"cdr.end/1.1","time":"2026-01-05T10:03:12.004Z","producer":{"name":"rm-1","boot":1,"#,
        r#""seq":90211,"stream":"cdr"},"component":{"name":"rm-1","type":"RM","dbid":301},"#,
        r#""config_rev":42,"phase":"end","guid":"0193F2A0-7C5B-7D3E-9A44-11D2C3B4A596","#,
        r#""leg":"00410001","session_id":"0193F2A0-7C5B-7D3E-9A44-11D2C3B4A596.00410001","#,
        r#""epoch":1,"started_at":"2026-01-05T10:00:00.000Z","#,
        r#""answered_at":"2026-01-05T10:00:00.041Z","ended_at":"2026-01-05T10:03:12.001Z","#,
        r#""call_type":"INBOUND","tenant":{"name":"acme","dbid":102,"path":"#,
        r#"[{"name":"Environment","dbid":1},{"name":"acme","dbid":102}]},"#,
        r#""profile":{"name":"IVRAppDefault","dbid":205,"service":"voicexml"},"#,
        r#""service":"voicexml","dn":"18005550234","local_uri":"sip:+18005550234@10.0.0.5","#,
        r#""remote_uri":"sip:+4930123@10.0.0.2","call_id":"a84b4c76e66710@10.1.1.5","#,
        r#""call_uuid":"0UJDMQHH2O8QV3P8P8R2LDAES0000001","resource":{"group":"mcp","#,
        r#""name":"mcp-1","dbid":310,"address":"sip:10.0.0.11:5070;transport=tcp","#,
        r#""attempts":1},"end_state":"USER_END","sip_status":200,"reason":"normal"}"#,
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn every_kind_has_its_queue() {
    let queues: Vec<_> = Kind::ALL.iter().map(|kind| (kind.as_str(), queue(*kind))).collect();
    for (kind, queue) in queues {
        let family = match kind.split('.').next().unwrap() {
            "call" | "var" => "event",
            family => family,
        };
        assert_eq!(queue, format!("ringmaster.{family}"));
        assert_eq!(Stream::of_queue(queue).unwrap().as_str(), family);
    }
    assert_eq!(Stream::of_queue("ringmaster"), None);
}

#[test]
fn numbers_of_words_lead_back() {
    for state in EndState::ALL {
        assert_eq!(EndState::from_number(state.number()), Some(*state));
        assert_eq!(EndState::parse(state.as_str()), Some(*state));
    }
    assert_eq!(EndState::parse("user_end"), None);
    assert_eq!(EndState::from_number(0), None);
}
