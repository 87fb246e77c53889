//! Documents as rs.md shows them, and what hostile text becomes.

use std::time::Duration;

use model::config::Service;
use model::id::LegId;
use model::record::{CallType, ComponentType, EndState};
use model::time::Millis;
use serde_json::{Value, json};

use super::{
    Application, Call, Component, Item, Manifest, Pages, Problem, Resource, TenantOf, details,
    error_xml, of_session,
};
use crate::query::Refused;

const NOW: Millis = Millis(1_795_345_200_000);

fn at(text: &str) -> Millis {
    Millis::parse(text).unwrap()
}

fn call() -> Call {
    let guid = "01A202B2-C578-7487-A7D5-BA32B23886C4";
    let tenant = |id, name: &str, usage| TenantOf {
        id,
        name: name.into(),
        usage: Some(usage),
        burst: Some(1),
    };
    Call {
        key: [0x5b; 16],
        session_id: format!("{guid}.00690001"),
        guid: Some(guid.into()),
        call_type: CallType::Inbound,
        started: at("2026-11-22T10:00:00.120Z"),
        answered: Some(at("2026-11-22T10:00:00.180Z")),
        ended: Some(at("2026-11-22T10:01:07.730Z")),
        dn: Some("18005550100".into()),
        local_uri: "sip:18005550100@gvp.example".into(),
        remote_uri: "sip:+4930123@gw.example".into(),
        service: Some(Service::Voicexml),
        end_state: Some(EndState::UserEnd),
        sip_status: Some(200),
        call_id: Some("a84b4c76e66710@gw.example".into()),
        call_uuid: None,
        reason: Some("normal".into()),
        leg: Some(LegId(0x0069_0001)),
        epoch: 1,
        config_rev: Some(77),
        component: Component { id: 101, name: "rm-1".into(), kind: ComponentType::Rm },
        application: Some(Application {
            id: 189,
            name: "acme-main".into(),
            service: Some(Service::Voicexml),
            usage: Some(7),
            burst: Some(1),
        }),
        tenants: vec![tenant(1, "Environment", 41), tenant(102, "acme", 7)],
        resource: Some(Resource {
            group: Some("mcp".into()),
            name: Some("mcp-1".into()),
            address: Some("sip:127.0.0.1:5070".into()),
            attempts: Some(1),
        }),
        led: false,
    }
}

fn manifest() -> Manifest {
    let param = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Manifest {
        request_uri: concat!(
            "http://rs:8080/ems-rs/HIST/CDRs/RM/details?",
            "started-from=2026-11-22T00:00:00Z&app-id=189&page=1"
        )
        .into(),
        request_params: vec![
            param("started-from", "2026-11-22T00:00:00Z"),
            param("app-id", "189"),
            param("page", "1"),
        ],
        pages: Some(Pages { current: 1, total: 3, records: 240, page_size: 100, exact: true }),
        timezone_offset: 1,
        version: "1.0.0".into(),
        generation_time: Duration::from_micros(4321),
        ..Manifest::default()
    }
}

/// A document without the white space that says nothing.
fn bare(xml: &str) -> String {
    let words: Vec<_> = xml.split_whitespace().collect();
    words.join(" ").replace("> <", "><")
}

#[test]
fn document_1() {
    let document = details(&manifest(), ComponentType::Rm, &[call()], NOW);
    assert_eq!(bare(&document), bare(include_str!("testdata/document1.xml")));
}

#[test]
fn what_has_no_value_is_left_out() {
    let live = Call {
        guid: None,
        answered: None,
        ended: None,
        dn: None,
        service: None,
        sip_status: None,
        call_id: None,
        reason: None,
        leg: None,
        config_rev: None,
        application: None,
        tenants: Vec::new(),
        resource: None,
        started: at("2026-11-22T10:59:58Z"),
        ..call()
    };
    let one_page = Pages { current: 1, total: 1, records: 1, page_size: 100, exact: true };
    let manifest = Manifest {
        request_params: Vec::new(),
        pages: Some(one_page),
        warning: Some("w".into()),
        source: Some("memory".into()),
        ..manifest()
    };
    let document = bare(&details(&manifest, ComponentType::Mcp, &[live], NOW));
    assert!(document.contains("<request-params/><normalized-params/><meta>"), "{document}");
    assert!(document.contains(
        r#"value="0.004"/><item name="source" value="memory"/><item name="warning" value="w"/>"#
    ));
    let cdr = concat!(
        r#"<cdrs type="MCP"><cdr session-id="01A202B2-C578-7487-A7D5-BA32B23886C4.00690001" "#,
        r#"call-type="INBOUND" start="2026-11-22T10:59:58Z" duration="2000" "#,
        r#"local-uri="sip:18005550100@gvp.example" remote-uri="sip:+4930123@gw.example">"#,
        r#"<component href="/components/101" name="rm-1" type="RM"/></cdr></cdrs></report>"#,
    );
    assert!(document.ends_with(cdr), "{document}");
    let none = bare(&details(&manifest, ComponentType::Rm, &[], NOW));
    assert!(none.ends_with(r#"<cdrs type="RM"/></report>"#));
}

#[test]
fn hostile_text_breaks_no_document() {
    let hostile = Call {
        remote_uri: "\"'<>&]]>\u{0}\u{1b}\u{FFFE}\u{FFFF}\t\n\r\u{7f}😀".into(),
        ..call()
    };
    let document = details(&manifest(), ComponentType::Rm, &[hostile], NOW);
    let expected = concat!(
        "remote-uri=\"&quot;'&lt;&gt;&amp;]]&gt;\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}",
        "&#9;&#10;&#13;\u{7f}😀\""
    );
    assert!(document.contains(expected), "{document}");
}

#[test]
fn errors_in_both_formats() {
    let message = "app-id, tenant-id and dn exclude each other";
    let refused = Refused::parameter("exclusive-parameters", message, &["app-id", "dn"]);
    assert_eq!(
        bare(&error_xml(&refused, "01JD")),
        concat!(
            r#"<?xml version="1.0" encoding="UTF-8"?>"#,
            r#"<error-response status="400" code="exclusive-parameters" request-id="01JD">"#,
            "<message>app-id, tenant-id and dn exclude each other</message>",
            r#"<parameter name="app-id"/><parameter name="dn"/></error-response>"#,
        )
    );
    let problem = serde_json::to_value(Problem::new(&refused, "01JD")).unwrap();
    assert_eq!(
        problem,
        json!({
            "type": "urn:ringmaster:exclusive-parameters", "title": message, "status": 400,
            "code": "exclusive-parameters", "request_id": "01JD", "parameters": ["app-id", "dn"],
        })
    );
    let other = Refused::other(503, "database-unavailable", "the database does not answer");
    let problem = serde_json::to_value(Problem::new(&other, "r")).unwrap();
    assert_eq!((&problem["status"], problem.get("parameters")), (&json!(503), None));
}

#[test]
fn the_item_of_a_leg() {
    let leg = call();
    let item = serde_json::to_string(&Item::of_leg(&leg, NOW)).unwrap();
    let expected = concat!(
        r#"{"guid":"01A202B2-C578-7487-A7D5-BA32B23886C4","#,
        r#""key":"5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b","state":"completed","#,
        r#""started_at":"2026-11-22T10:00:00.120Z","answered_at":"2026-11-22T10:00:00.180Z","#,
        r#""ended_at":"2026-11-22T10:01:07.730Z","duration_ms":67610,"call_type":"INBOUND","#,
        r#""tenant":{"id":102,"name":"acme"},"profile":{"id":189,"name":"acme-main"},"#,
        r#""dn":"18005550100","local_uri":"sip:18005550100@gvp.example","#,
        r#""remote_uri":"sip:+4930123@gw.example","#,
        r#""session_id":"01A202B2-C578-7487-A7D5-BA32B23886C4.00690001","service":"voicexml","#,
        r#""end_state":"USER_END","sip_status":200,"reason":"normal","resource":"mcp-1","#,
        r#""legs_count":1}"#,
    );
    assert_eq!(item, expected);
}

#[test]
fn the_item_of_a_session() {
    let second = Call {
        started: at("2026-11-22T10:00:30Z"),
        ended: Some(at("2026-11-22T10:02:00.120Z")),
        end_state: Some(EndState::AppEnd),
        reason: Some("later".into()),
        dn: Some("2".into()),
        leg: Some(LegId(2)),
        ..call()
    };
    let legs = [second.clone(), call()];
    let item = of_session(&legs, NOW).unwrap();
    assert_eq!((item.dn, item.legs_count, item.duration_ms), (Some("18005550100"), 2, 120_000));
    assert_eq!((item.end_state, item.reason), (Some(EndState::AppEnd), Some("later")));
    let legs = [Call { ended: None, ..second }, call()];
    let item = serde_json::to_value(of_session(&legs, NOW).unwrap()).unwrap();
    assert_eq!((&item["state"], &item["ended_at"]), (&json!("live"), &Value::Null));
    assert_eq!((&item["end_state"], &item["duration_ms"]), (&Value::Null, &json!(3_599_880)));
    assert_eq!(of_session(&[], NOW), None);
}
