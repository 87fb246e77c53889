//! Users who are bound to tenants or to names of producers, and how long a reader may read.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::{PASSWORD, asked, basic, lines, open, write};
use crate::api::house::{House, RM, golden};

/// Of two tenants one reader sees one: in lists, totals, single calls, reports and figures.
#[test]
fn a_reporter_of_some_tenants_sees_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let line = rsd::user_line("eva", "reporter", PASSWORD).unwrap() + " tenants=acme\n";
    let none = rsd::user_line("ned", "reporter", PASSWORD).unwrap() + " tenants=nobody\n";
    let users = write(dir.path(), &(lines() + &line + &none));
    let mut house = House::in_dir(dir, |settings| settings.rs.auth.users_file = Some(users));
    let own = golden(&RM[..2]);
    let path = "\"name\":\"Environment\"";
    assert!(own[0].contains("\"acme\"") && own[0].contains(path), "{}", own[0]);
    let other = |record: &String| {
        let record = record.replace("01A202B2-C578-7487", "01A202B2-C578-7488");
        record.replace("\"acme\"", "\"beta\"").replace("\"dbid\":102", "\"dbid\":200")
    };
    let others: Vec<String> = own.iter().map(other).collect();
    // a program that writes 0 for none
    let nobodys = |record: &String| {
        let record = record.replace("01A202B2-C578-7487", "01A202B2-C578-7489");
        record.replace("\"acme\"", "\"gamma\"").replace("\"dbid\":102", "\"dbid\":0")
    };
    let nobodys: Vec<String> = own.iter().map(nobodys).collect();
    house.send(&[own.clone(), others, nobodys].concat());
    let list = |user: &str| {
        let answer = asked(&house, user, "GET", "/api/v1/calls?from=2026-11-22&legs=true");
        let list: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        list["items"].as_array().unwrap().clone()
    };
    assert_eq!((list("root").len(), list("eva").len(), list("ned").len()), (3, 1, 0));
    for wanted in ["tenant=unknown", "profile=unknown", "component=unknown"] {
        let found = asked(&house, "root", "GET", &format!("/api/v1/live/calls?{wanted}")).body;
        let nothing = "{\"items\":[],\"next\":null,\"total\":0,";
        assert!(found.starts_with(nothing), "{found}");
        let path = format!("/api/v1/calls?from=2026-11-22&{wanted}");
        assert!(asked(&house, "root", "GET", &path).body.starts_with("{\"items\":[],"), "{wanted}");
    }
    let text = serde_json::to_string(&list("eva")).unwrap();
    assert!(text.contains("acme") && !text.contains("beta"), "{text}");
    for call in list("root") {
        let path = format!("/api/v1/calls/{}", call["guid"].as_str().unwrap());
        let mine = call["tenant"]["name"] == "acme";
        let answer = asked(&house, "eva", "GET", &path);
        assert_eq!(answer.status, if mine { 200 } else { 404 }, "{path}");
        // who stands above is not named
        assert!(!answer.body.contains("Environment"), "{}", answer.body);
        // nor is it, or a candidate of others, in the trace
        let traced = format!("{path}?include=trace,events,var");
        let answer = asked(&house, "eva", "GET", &traced);
        let told = answer.body.contains("Environment") || answer.body.contains("verdict");
        assert!(!told, "{}", answer.body);
        if mine {
            assert!(asked(&house, "root", "GET", &traced).body.contains("verdict"));
        }
    }
    let count = |user: &str| {
        asked(&house, user, "GET", "/ems-rs/HIST/CDRs/RM/details?started-from=2026-11-22T00:00:00Z")
            .body
            .matches("<cdr ")
            .count()
    };
    assert_eq!((count("root"), count("eva"), count("ned")), (3, 1, 0));
    let series = |user: &str, dim: &str| {
        let span = "granularity=HOUR&from=2026-11-22T00:00:00Z&to=2026-11-23T00:00:00Z";
        asked(&house, user, "GET", &format!("/api/v1/series/arrivals?{span}&{dim}")).status
    };
    assert_eq!((series("eva", "dim=tenant"), series("eva", "dim=tenant&id=102")), (200, 200));
    assert_eq!((series("ned", "dim=tenant"), series("ned", "dim=profile")), (200, 200));
    assert_eq!((series("eva", "dim=tenant&id=200"), series("eva", "dim=all")), (403, 403));
    for path in ["/api/v1/integrity", "/api/v1/retention", "/api/v1/alarms"] {
        let answer = asked(&house, "eva", "GET", path);
        assert_eq!((answer.status, &*answer.code()), (403, "scope-too-narrow"), "{path}");
    }
}

/// Somebody else's stream goes on.
#[test]
fn a_stream_ends_with_the_right_to_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let users = write(dir.path(), &lines());
    let (token, line) = rsd::token_line("billing", "reporter", None).unwrap();
    let tokens = dir.path().join("tokens");
    let fill = |text: &str| {
        fs::write(&tokens, text).unwrap();
        fs::set_permissions(&tokens, fs::Permissions::from_mode(0o600)).unwrap();
    };
    fill(&line);
    let mut house = House::in_dir(dir, |settings| {
        settings.rs.auth.users_file = Some(users);
        settings.rs.auth.tokens_file = Some(tokens.clone());
    });
    let (own, root) = (format!("Bearer {token}"), basic("root", PASSWORD));
    let mut gone = house.stream(&[("Authorization", &own), ("Connection", "close")]);
    let mut stays = house.stream(&[("Authorization", &root)]);
    house.send(&golden(&RM[..1]));
    assert_eq!((gone.next().0, stays.next().0), ("calls".to_owned(), "calls".to_owned()));
    fill("# nobody\n");
    let status = |house: &House| house.ask("GET", "/", &[("Authorization", &own)]).status;
    house.until(|house| status(house) == 401);
    house.send(&golden(&RM[1..2]));
    assert_eq!(stays.next().0, "calls");
    assert!(gone.is_over(), "nothing is told to it any more");
}

/// Its text must not stay because somebody else has sent it.
#[test]
fn what_is_not_stored_is_not_kept_of_a_record_that_is_anothers() {
    let house = open(|settings| settings.rs.privacy.drop_events = vec!["asr_*".to_owned()]);
    let record = json!({
        "schema": 1, "kind": "call.event", "id": "rm-1:E1DE/ev/0.1", "log_id": "asr_trace",
        "time": "2026-11-22T10:00:20Z", "producer": {"name": "rm-1"}, "level": "METRIC",
        "component": {"name": "rm-1", "type": "RM"}, "session_id": "E1DE", "text": "Smith",
    });
    let head = [("Authorization", &*basic("mcp", "secret")), ("Content-Type", "application/json")];
    let answer = house.post("/api/v1/records", &head, record.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
    house.until(|house| house.sum("rs_dead_letters_total") == 1);
    let letter = asked(&house, "root", "GET", "/api/v1/dead-letters/1").body;
    assert!(letter.contains("producer.name") && !letter.contains("Smith"), "{letter}");
}
