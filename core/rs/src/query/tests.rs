//! Every parameter of rs.md §5.4, valid and not, with the codes of §5.13.

use model::config::Service;
use model::record::{CallGuid, CallType, ComponentType, EndState};
use model::time::Millis;

use super::{Details, Filter, Number, Party, Progress, Refused, Settings, Uri, datetime, details};

fn at(text: &str) -> Millis {
    Millis::parse(text).unwrap()
}

fn ask(live: bool, component: ComponentType, query: &str) -> Result<Details, Refused> {
    let settings = Settings { now: at("2026-11-22T12:00:00Z"), page_size_max: 1000 };
    details(live, component, query, &settings)
}

fn rm(query: &str) -> Details {
    ask(false, ComponentType::Rm, query).unwrap()
}

#[track_caller]
fn refused(query: &str, code: &str, parameters: &[&str]) {
    let refused = ask(false, ComponentType::Rm, query).unwrap_err();
    assert_eq!((refused.code, refused.status), (code, 400), "{refused}");
    assert_eq!(refused.parameters, parameters, "{refused}");
}

#[test]
fn every_filter() {
    let plan = rm(concat!(
        "started-from=2026-11-22T00:00:00Z&started-to=2026-11-22T10:00:00.5%2B01:00",
        "&ended-from=2026-11-22&ended-to=2026-11-23T00:00:00 02:00&app-id=189,190&app-id=7",
        "&comp-id=101&remote-uri=sip:%2B4930*&remote-uri=SIP:a@b&local-uri=sip:l",
        "&session-id=x.1&call-type=INBOUND,BRIDGED&end-state=REJECTED&service=voicexml",
        "&call-uuid=U1&duration-min=1&duration-max=5000&page=2&page-size=50&unknown=1",
    ));
    let uri = |text: &str, prefix| Uri { text: text.into(), prefix };
    assert_eq!(
        plan.filter,
        Filter {
            progress: Progress::Completed,
            component_type: Some(ComponentType::Rm),
            started_after: Some(at("2026-11-22T00:00:00Z")),
            started_before: Some(at("2026-11-22T09:00:00.5Z")),
            ended_after: Some(at("2026-11-22T00:00:00Z")),
            ended_before: Some(at("2026-11-22T22:00:00Z")),
            profiles: vec![189, 190, 7],
            components: vec![101],
            remote_uris: vec![uri("sip:+4930", true), uri("sip:a@b", false)],
            local_uris: vec![uri("sip:l", false)],
            session_id: Some("x.1".into()),
            call_uuid: Some("U1".into()),
            call_types: vec![CallType::Inbound, CallType::Bridged],
            end_states: vec![EndState::Rejected],
            services: vec![Service::Voicexml],
            duration_min: Some(1),
            duration_max: Some(5000),
            ..Filter::default()
        }
    );
    assert_eq!((plan.page, plan.page_size, plan.warning), (2, 50, None));
    assert_eq!(plan.parameters.len(), 19);
    assert!(plan.parameters.iter().all(|(name, _)| name != "unknown"));
    assert_eq!(rm("tenant-id=102").filter.tenants, [102]);
    let guid = "gvp-guid=01a202b2-c578-7487-a7d5-ba32b23886c4&page=1";
    let guid = rm(guid).filter.guid.unwrap();
    assert_eq!(guid, CallGuid::new("01A202B2-C578-7487-A7D5-BA32B23886C4"));
}

#[test]
fn numbers() {
    let numbers = |query: &str| rm(query).filter.numbers;
    assert_eq!(
        numbers("dn=18005550100&dn=%2B1800*,+18005550100-18005550199"),
        [
            Number::Exact("18005550100".into()),
            Number::Prefix("1800".into()),
            Number::Range { from: "18005550100".into(), to: "18005550199".into() },
        ]
    );
    for bad in ["", "1*2", "18-1800", "20-10", "1-", "1-2-3", "a-b", "1-2*"] {
        refused(&format!("dn={bad}"), "bad-dn", &["dn"]);
    }
    let range = Number::Range { from: "1000".into(), to: "2000".into() };
    let matching = ["1000", "1999", "2000", "0999", "2001", "15000", "1A00"];
    let matching: Vec<_> = matching.into_iter().filter(|dn| range.matches(dn)).collect();
    assert_eq!(matching, ["1000", "1999", "2000"]);
    assert!(Number::Prefix("18".into()).matches("1800"));
    assert!(Uri { text: "sip:a".into(), prefix: true }.matches("SIP:Ab"));
    assert!(!Uri { text: "sip:a".into(), prefix: false }.matches("SIP:Ab"));
}

#[test]
fn refusals() {
    refused("app-id=", "bad-integer", &["app-id"]);
    refused("app-id=1,x", "bad-integer", &["app-id"]);
    refused("app-id=-1", "bad-integer", &["app-id"]);
    refused("app-id=99999999999", "bad-integer", &["app-id"]);
    refused("page=0", "bad-integer", &["page"]);
    refused("page-size=1001", "bad-integer", &["page-size"]);
    refused("page=1&page=1", "duplicate-parameter", &["page"]);
    refused("started-from=x", "bad-datetime", &["started-from"]);
    refused("call-type=inbound", "bad-enum", &["call-type"]);
    refused("end-state=GONE", "bad-enum", &["end-state"]);
    refused("service=fax", "bad-enum", &["service"]);
    refused("remote-uri=", "bad-uri-pattern", &["remote-uri"]);
    refused("local-uri=sip:*@b", "bad-uri-pattern", &["local-uri"]);
    refused("app-id=1&dn=2", "exclusive-parameters", &["app-id", "dn"]);
    refused("tenant-id=1&app-id=2", "exclusive-parameters", &["app-id", "tenant-id"]);
    refused("gvp-guid=x&comp-id=1", "exclusive-parameters", &["comp-id", "gvp-guid"]);
    let same = "2026-11-22T00:00:00Z";
    refused(
        &format!("ended-from={same}&ended-to={same}"),
        "from-not-before-to",
        &["ended-from", "ended-to"],
    );
    refused(&format!("comp-id=1{}", ",1".repeat(200)), "too-many-ids", &["comp-id"]);
    assert_eq!(rm(&format!("comp-id=1{}", ",1".repeat(199))).filter.components.len(), 200);

    let code = |live, component, query: &str| ask(live, component, query).unwrap_err().code;
    assert_eq!(code(true, ComponentType::Rm, "ended-to=2026-11-22"), "not-for-live");
    let needs = "session-needs-component";
    assert_eq!(code(false, ComponentType::Mcp, "session-id=x"), needs);
    assert_eq!(code(false, ComponentType::Mcp, "session-id=x&comp-id=1,2"), needs);
    ask(false, ComponentType::Mcp, "session-id=x&comp-id=1").unwrap();
    // no parameter of theirs: ignored, not echoed
    let mcp = ask(false, ComponentType::Mcp, "dn=*2&app-id=1").unwrap();
    assert_eq!((mcp.filter.numbers.len(), mcp.parameters.len()), (0, 1));
}

#[test]
fn a_list_without_bounds_is_limited_to_a_day() {
    let plan = rm("app-id=1");
    assert_eq!(plan.filter.started_after, Some(at("2026-11-21T11:59:59.999Z")));
    assert!(plan.warning.is_some());
    for query in ["started-to=2026-11-22", "ended-from=2026-11-01", "session-id=x", "gvp-guid=x"] {
        let plan = rm(query);
        assert_eq!((plan.filter.started_after, plan.warning), (None, None), "{query}");
    }
    let live = ask(true, ComponentType::Rm, "").unwrap();
    assert_eq!((live.filter.progress, live.filter.started_after), (Progress::Live, None));
}

#[test]
fn pages() {
    let page = |page: u32, records| rm(&format!("page={page}")).pages(records).map_err(|e| e.code);
    assert_eq!(page(1, 0), Ok(1));
    assert_eq!(page(1, 100), Ok(1));
    assert_eq!(page(3, 240), Ok(3));
    assert_eq!(page(4, 240), Err("page-out-of-range"));
    assert_eq!(page(2, 0), Err("page-out-of-range"));
}

#[test]
fn datetimes() {
    let read = |text: &str| datetime("t", text).ok().map(|time| time.to_string());
    for (text, expected) in [
        ("2026-11-22", "2026-11-22T00:00:00.000Z"),
        ("2026-11-22T10:00:00", "2026-11-22T10:00:00.000Z"),
        ("2026-11-22T10:00:00.25", "2026-11-22T10:00:00.250Z"),
        ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00.000Z"),
        ("2026-11-22T10:00:00.123-05:30", "2026-11-22T15:30:00.123Z"),
        ("2026-11-22T10:00:00 01:00", "2026-11-22T09:00:00.000Z"),
    ] {
        assert_eq!(read(text).as_deref(), Some(expected), "{text}");
    }
    for text in [
        "",
        "2026",
        "2026-11-22T",
        "2026-11-22 10:00:00",
        "2026-13-22T10:00:00Z",
        "2026-11-22T10:00",
        "2026-11-22T10:00:00.",
        "2026-11-22T10:00:00+1",
        "22.11.2026 10",
        "2026-11-22T10:00:00é",
        "ééééééééééééééé",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn hostile_queries_are_only_text() {
    let plan = rm("session-id=%27%3B+DROP%20TABLE%zz%&&=&=x&session-id2=%ff");
    assert_eq!(plan.filter.session_id.as_deref(), Some("'; DROP TABLE%zz%"));
}

#[test]
fn a_party_is_met_as_the_user_of_a_uri() {
    let users = |prefix| Party { number: "49301x".to_owned(), prefix }.users();
    let uri = |text: &str, prefix| Uri { text: text.to_owned(), prefix };
    assert_eq!((users(false).len(), users(true).len()), (6 * 4, 6));
    for user in [uri("sip:+49301x@", true), uri("sips:49301x:", true), uri("tel:49301x", false)] {
        assert!(users(false).contains(&user), "{user:?}");
    }
    assert!(users(true).contains(&uri("tel:+49301x", true)));
    let upper = Party { number: "49301X".to_owned(), prefix: false };
    assert_eq!(upper.users(), users(false), "URIs are compared in lower case");
}

#[test]
fn more_than_a_day_of_calls_is_heavy() {
    let day = 24 * 3600 * 1000;
    let now = Millis(10 * day);
    let at = |days: u64| Some(Millis(days * day));
    let none = Filter::default;
    for (filter, heavy) in [
        (none(), true),
        (Filter { started_after: Some(Millis(9 * day - 1)), ..none() }, false),
        (Filter { started_after: Some(Millis(9 * day - 2)), ..none() }, true),
        (Filter { started_after: at(2), started_before: at(3), ..none() }, false),
        (Filter { started_after: at(2), started_before: at(4), ..none() }, true),
        (Filter { started_after: at(9), started_before: at(40), ..none() }, false),
        (Filter { ended_after: at(2), ended_before: at(3), ..none() }, false),
        (Filter { started_before: at(4), ..none() }, true),
        (Filter { started_after: at(2), progress: Progress::Completed, ..none() }, true),
        (Filter { started_after: at(2), progress: Progress::Live, ..none() }, false),
        (Filter { started_after: at(2), call_uuid: Some("x".to_owned()), ..none() }, false),
    ] {
        assert_eq!(filter.is_heavy(now), heavy, "{filter:?}");
    }
}
