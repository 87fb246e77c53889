//! `/ems-rs`: documents, paging, refusals, probes.

use super::house::{House, Made, after, ask, golden, now};

const RM_HIST: &str = "/ems-rs/HIST/CDRs/RM/details";
const RM_LIVE: &str = "/ems-rs/RT/CDRs/RM/details";
const SINCE: &str = "started-from=2026-11-22T00:00:00Z";

/// A document without the white space that says nothing.
fn bare(xml: &str) -> String {
    let words: Vec<_> = xml.split_whitespace().collect();
    words.join(" ").replace("> <", "><")
}

/// Session ids of a report's calls, in its order.
fn sessions(xml: &str) -> Vec<&str> {
    xml.split("<cdr session-id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn document_1_of_the_specification() {
    let house = House::with_golden_records();
    let query = "gvp-guid=01A202B2-C578-7487-A7D5-BA32B23886C4&page=1&nonsense=1";
    let answer = house.get(&format!("{RM_HIST}?{query}"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.head.contains("content-type: text/xml; charset=UTF-8"), "{}", answer.head);
    assert!(answer.head.contains("cache-control: private, max-age=5"), "{}", answer.head);
    let expected = include_str!("../../../../../core/rs/src/report/testdata/document1.xml");
    let body = |xml: &str| bare(xml).split_once("</manifest>").unwrap().1.to_owned();
    assert_eq!(body(&answer.body), body(expected));
    let manifest = bare(&answer.body);
    let (manifest, _) = manifest.split_once("<meta>").unwrap();
    let uri = format!("http://rs:8080{RM_HIST}?{}", query.replace('&', "&amp;"));
    assert_eq!(
        manifest,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><report><manifest>\
             <request-uri>{uri}</request-uri><request-params>\
             <param name=\"gvp-guid\" value=\"01A202B2-C578-7487-A7D5-BA32B23886C4\"/>\
             <param name=\"page\" value=\"1\"/></request-params><normalized-params/>"
        )
    );
}

#[test]
fn pages_are_newest_first_and_end() {
    let house = House::with_golden_records();
    let all = house.get(&format!("{RM_HIST}?{SINCE}&app-id=189")).body;
    let expected = [
        "01A202B4-2491-7C10-8F02-5B7E90C1D2E3.00690002",
        "01A202B2-C578-7487-A7D5-BA32B23886C4.00690001",
        "01A202A0-7580-7D3E-9A44-11D2C3B4A596.00690003",
    ];
    assert_eq!(sessions(&all), expected);
    assert!(!all.contains("<pages"), "{all}");
    for (page, session) in (1..).zip(expected) {
        let body = house.get(&format!("{RM_HIST}?{SINCE}&page-size=1&page={page}")).body;
        assert_eq!(sessions(&body), [session]);
        let pages = format!(r#"<pages current="{page}" total="3" records="3" page-size="1"/>"#);
        assert!(body.contains(&pages), "{body}");
    }
    let beyond = house.refusal(&format!("{RM_HIST}?{SINCE}&page-size=1&page=4"));
    assert_eq!(beyond, (400, "page-out-of-range".to_owned()));
    // a list without any time says that it is limited to a day, and has none of these
    let unbounded = house.get(RM_HIST).body;
    assert!(unbounded.contains("<item name=\"warning\""), "{unbounded}");
    assert_eq!(sessions(&unbounded), [""; 0]);
    assert_eq!(sessions(&house.get(&format!("{RM_HIST}?{SINCE}&tenant-id=7")).body), [""; 0]);
}

#[test]
fn refusals_have_their_codes() {
    let house = House::open();
    for (query, code) in [
        ("started-from=yesterday", "bad-datetime"),
        ("end-state=LOST", "bad-enum"),
        ("app-id=x", "bad-integer"),
        ("app-id=", "bad-integer"),
        ("page=0", "bad-integer"),
        ("page-size=100000", "bad-integer"),
        ("dn=1*2", "bad-dn"),
        ("remote-uri=*x*", "bad-uri-pattern"),
        ("app-id=1&tenant-id=2", "exclusive-parameters"),
        ("page=1&page=2", "duplicate-parameter"),
        ("page=2", "page-out-of-range"),
        (&*format!("{SINCE}&started-to=2026-01-01"), "from-not-before-to"),
        (&*format!("app-id={}", "1,".repeat(200) + "1"), "too-many-ids"),
    ] {
        let refusal = house.refusal(&format!("{RM_HIST}?{query}"));
        assert_eq!(refusal, (400, code.to_owned()), "{query}");
    }
    let refusal = house.refusal(&format!("{RM_LIVE}?ended-from=2026-01-01"));
    assert_eq!(refusal, (400, "not-for-live".to_owned()));
    let long = format!("{RM_HIST}?x={}", "x".repeat(16 << 10));
    assert_eq!(house.refusal(&long), (414, "uri-too-long".to_owned()));
    let refused = house.ask("GET", RM_HIST, &[("X-Long", &"x".repeat(33 << 10))]);
    assert_eq!((refused.status, &*refused.code()), (431, "headers-too-long"));
    for path in ["/ems-rs", "/ems-rs/", "/ems-rs/HIST/CDRs/XYZ/details", "/ems-rs/schema/x"] {
        assert_eq!(house.refusal(path), (404, "no-such-report".to_owned()), "{path}");
    }
    let refused = house.ask("POST", RM_HIST, &[]);
    assert_eq!((refused.status, &*refused.code()), (405, "method"));
    assert!(refused.head.contains("allow: GET, HEAD"), "{}", refused.head);
    for (path, accept) in [
        (RM_HIST, "image/png"),
        (RM_HIST, "application/json"),
        (&format!("{RM_HIST}?format=csv"), "*/*"),
        (&format!("{RM_HIST}?format=json"), "text/xml"),
    ] {
        let refused = house.ask("GET", path, &[("Accept", accept)]);
        assert_eq!((refused.status, &*refused.code()), (406, "no-such-format"), "{path} {accept}");
    }
    let head = house.ask("HEAD", RM_HIST, &[("Accept", "text/html, text/*;q=0.9")]);
    assert_eq!((head.status, &*head.body), (200, ""));
}

#[test]
fn hostile_text_breaks_no_document() {
    let mut house = House::open();
    let hostile = "sip:\"><script>alert('1')</script>&]]>\u{0}\u{1b}\u{FFFF}\r\n😀@x";
    let call =
        Made { number: 1, started: now(), ended: Some(after(now(), 5)), remote_uri: hostile };
    house.send(&[call.record()]);
    let xml = house.get(RM_HIST).body;
    let escaped = "sip:&quot;&gt;&lt;script&gt;alert('1')&lt;/script&gt;&amp;]]&gt;\
                   \u{FFFD}\u{FFFD}&#13;&#10;😀@x\"";
    assert!(xml.contains(escaped), "{xml}");
    assert!(!xml.contains("<script"), "{xml}");
    let json = house.get("/api/v1/calls").body;
    assert!(json.bytes().all(|byte| byte >= b' ' || byte == b'\n'), "{json:?}");
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    // NUL is not stored (rs.md §2.1)
    assert_eq!(read["items"][0]["remote_uri"], hostile.replace('\0', ""));
    let reflected = house.get("/api/v1/calls?%3Cscript%3E=1");
    assert_eq!(reflected.code(), "unknown-parameter");
    assert!(reflected.head.contains("x-content-type-options: nosniff"), "{}", reflected.head);
    let reflected = house.get(&format!("{RM_HIST}?end-state=%3Cb%3E%22"));
    assert!(!reflected.body.contains("<b>"), "{}", reflected.body);
}

#[test]
fn probes_and_metrics() {
    let mut house = House::with_golden_records();
    assert_eq!(house.get("/live").status, 200);
    let ready = house.json("/ready");
    assert_eq!((&ready["status"], &ready["node"]), (&"ok".into(), &"rs-1".into()));
    assert_eq!(ready["checks"]["config"]["detail"], "revision 1");
    assert_eq!(house.json("/api/v1/health")["checks"], ready["checks"]);
    assert_eq!(
        bare(&house.get("/ems-rs/readiness").body),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><readiness status=\"ready\">\
         <check name=\"spool\" ok=\"true\"/>\
         <check name=\"config\" ok=\"true\" required=\"false\"/>\
         <check name=\"broker\" ok=\"true\"/>\
         <check name=\"database\" ok=\"true\" required=\"false\"/>\
         <check name=\"workers\" ok=\"true\" required=\"false\"/>\
         <check name=\"limits\" ok=\"true\" required=\"false\"/></readiness>"
    );
    assert_eq!(house.get("/ready?strict=true").status, 200);
    let json = house.ask("GET", "/ems-rs/readiness", &[("Accept", "application/json")]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json.body).unwrap(), ready);

    assert_eq!(house.metric("rsQueueSize"), "0");
    assert_eq!(house.metric("rs_spool_held_back{priority=\"1\"}"), "0");
    assert_eq!(house.metric("rs_apply_records_total"), "6");
    let of = r#"rs_ingest_records_total{queue="ringmaster.cdr",transport="openwire"}"#;
    assert_eq!(house.metric(of), "6");
    assert_eq!(house.metric("rs_database_up"), "1");
    house.send(&golden(&[2]));
    assert_eq!(house.metric("rs_apply_records_total"), "6");
    assert_eq!(house.sum("rs_apply_duplicates_total"), 1);
    house.get("/api/v1/calls?wrong=1");
    let failed = r#"rs_http_requests_total{path_group="api",status="4xx"}"#;
    assert_eq!(house.metric(failed), "1");
    // by kind, those of closed lists from the start
    assert_eq!(house.metric(r#"rs_apply_duplicates_total{producer="rm-1"}"#), "1");
    assert_eq!(house.metric(r#"rs_dead_letters_total{code="bad_time"}"#), "0");
    assert_eq!(house.metric(r#"rs_misrouted_total{kind="call.event"}"#), "0");
    // what is wrong in a record that is stored
    let flawed = format!(
        r#"{{"schema":1,"kind":"call.event","id":"t/2","time":"2026-11-22T10:00:00Z","label":{{}},
            "producer":{{"name":"t"}},"component":{{"name":"t","type":"OTHER"}},"session_id":"s",
            "level":"INFO","log_id":"1","text":"{}"}}"#,
        "x".repeat(100_000)
    );
    house.send(&[flawed]);
    for flaw in ["cut", "bad"] {
        let of = |kind: &str| house.metric(&format!("rs_fields_{flaw}_total{{kind=\"{kind}\"}}"));
        assert_eq!((of("call.event"), of("cdr")), ("1".to_owned(), "0".to_owned()), "{flaw}");
    }
    assert_eq!(house.sum("rs_calls_total"), 4, "the ends");
    let refused = r#"rs_calls_total{call_type="INBOUND",end_state="REJECTED"}"#;
    assert_eq!(house.metric(refused), "1");
    assert_eq!(house.get(RM_HIST).status, 200);
    assert_ne!(house.metric(r#"rs_query_seconds_count{report="/ems-rs/{*report}"}"#), "0");
    assert_ne!(house.metric(r#"rs_volume_free_bytes{volume="spool"}"#), "0");
    let skew = house.metric(r#"rs_producer_skew_seconds{producer="rm-1"}"#);
    assert!(skew.parse::<f64>().is_ok(), "{skew}");
    let bad = br#"{"schema":1,"kind":"cdr","id":"t/1","producer":{"name":"t"}}"#;
    house.post("/api/v1/records", &[("Content-Type", "application/json")], bad);
    house.until(|house| house.metric(r#"rs_dead_letters_total{code="missing_field"}"#) == "1");
    house.until(|house| house.metric("rs_dead_letters_open") == "1");
    let open = house.ask("GET", "/metrics", &[("Accept", "application/openmetrics-text")]);
    assert!(open.body.ends_with("# EOF\n"), "{}", open.body);
}

#[test]
fn what_is_switched_off_is_not_there() {
    let house = House::in_dir(tempfile::tempdir().unwrap(), |settings| {
        settings.rs.reports.enabled = false;
        settings.rs.api = false;
        settings.rs.ui = false;
    });
    for (path, status) in [
        (RM_HIST, 404),
        ("/ems-rs/readiness", 200),
        ("/api/v1/calls", 404),
        ("/", 404),
        ("/ready", 200),
        ("/metrics", 200),
    ] {
        assert_eq!(house.get(path).status, status, "{path}");
    }
    let http = house.rs.addresses().http;
    drop(house);
    assert!(std::net::TcpStream::connect(http).is_err());
}

#[test]
fn the_page_and_its_files() {
    let house = House::open();
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/assets/app.js", "text/javascript; charset=utf-8"),
        ("/assets/style.css", "text/css; charset=utf-8"),
        ("/assets/icon.svg", "image/svg+xml"),
    ] {
        let answer = ask(house.rs.addresses().http, "GET", path, &[]);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.head.contains(&format!("content-type: {kind}")), "{}", answer.head);
        let policy = "content-security-policy: default-src 'self'; frame-ancestors 'none'";
        assert!(answer.head.contains(policy), "{}", answer.head);
        let inline = ["<style", "style=\"", "onclick", "<script>", "http://", "innerHTML"];
        // a namespace is a name, not an address
        let body = answer.body.replace("http://www.w3.org/2000/svg", "");
        assert!(inline.iter().all(|word| !body.contains(word)), "{path}");
    }
}
