//! The database is away (rs.md §14, 9): calls in progress are told from memory, to each reader the
//! same as before and after.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use config::settings::Mask;
use serde_json::{Value, json};

use super::scope::{ACME, BETA, leg};
use super::{PASSWORD, asked, basic, lines, write};
use crate::api::house::House;
use crate::postgres::Server;

const LIVE: &str = "/api/v1/live/calls";

/// `eva` reads of acme, `bea` of beta, `anna` of all; numbers are hidden from them.
fn house(server: &Server) -> House {
    let dir = tempfile::tempdir().unwrap();
    let bound = |name: &str, tenant: &str| {
        rsd::user_line(name, "reporter", PASSWORD).unwrap() + &format!(" tenants={tenant}\n")
    };
    let text = lines() + &bound("eva", "acme") + &bound("bea", "200") + &bound("ida", "nobody");
    let (users, url) = (write(dir.path(), &text), server.url());
    House::in_dir(dir, |settings| {
        settings.rs.auth.users_file = Some(users);
        settings.rs.database.url = Some(url);
        settings.rs.privacy.mask = Mask::Reporter;
    })
}

/// What is the same whoever answers, and the cursor of the next page.
fn told(house: &House, user: &str, path: &str) -> (Value, Value, String) {
    let answer = asked(house, user, "GET", path);
    let mut told: Value = serde_json::from_str(&answer.body).unwrap();
    let source = told["source"].take();
    let next = told["next"].as_str().unwrap_or_default().to_owned();
    told["next"] = json!(!next.is_empty());
    for item in told["items"].as_array_mut().into_iter().flatten() {
        item["duration_ms"].take();
    }
    told["request_id"].take();
    (json!([answer.status, told]), source, next)
}

/// All answers, and by whom they were given.
fn answers(house: &House) -> (Vec<Value>, Vec<Value>) {
    let filters = [
        "",
        "legs=true",
        "limit=1",
        "limit=2&legs=true",
        "tenant=acme",
        "tenant=200&legs=true",
        "tenant=none",
        "profile=acme-main",
        "component=rm-1",
        "component=101",
        "number=18005550100",
        "number=1800*",
        "dn=18005550100",
        "guid=01A202B2-C578-7487-A7D5-000000000002",
        "call_type=INBOUND&service=voicexml",
        "call_type=OUTBOUND",
        "min_duration=1000&legs=true",
        "max_duration=1",
        "from=2026-11-22T10:00:08Z&legs=true",
        "to=2026-11-22T10:00:08Z",
        "sip_status=486",
        "x=1",
        "state=live",
    ];
    let (mut all, mut sources) = (Vec::new(), Vec::new());
    for user in ["root", "anna", "eva", "bea", "ida", "otto"] {
        for filter in filters {
            let (answer, source, next) = told(house, user, &format!("{LIVE}?{filter}"));
            let ok = answer[0] == 200;
            all.push(json!([user, filter, answer]));
            if ok {
                sources.push(source);
            }
            if !next.is_empty() {
                let path = format!("{LIVE}?{filter}&cursor={next}");
                all.push(told(house, user, &path).0);
            }
        }
    }
    (all, sources)
}

/// A call that began and ended.
fn over(number: u64) -> String {
    let cdr = |phase: &str| {
        json!({
            "schema": 1, "kind": "cdr", "id": format!("mcp-9:{number}/cdr.{phase}/0"),
            "time": "2026-11-22T10:00:09Z", "producer": {"name": "mcp-9"}, "phase": phase,
            "component": {"name": "mcp-9", "type": "MCP"}, "session_id": number.to_string(),
            "started_at": "2026-11-22T10:00:00Z", "ended_at": "2026-11-22T10:00:09Z",
            "end_state": "USER_END", "call_type": "INBOUND", "local_uri": "sip:a",
            "remote_uri": "sip:b",
        })
    };
    json!([cdr("end")]).to_string()
}

#[test]
fn calls_in_progress_are_told_from_memory_to_each_as_from_the_database() {
    let mut server = Server::start();
    let mut house = house(&server);
    let calls = [
        leg(1, 1, BETA, 1),
        leg(1, 2, ACME, 5),
        leg(2, 1, ACME, 7),
        leg(2, 2, BETA, 9),
        leg(3, 1, ACME, 3),
    ];
    let starts: Vec<String> = calls.iter().map(|[start, _]| start.clone()).collect();
    house.send(&starts);
    // the first leg of a session in progress, and a whole one
    house.send(&[calls[2][1].clone(), calls[4][1].clone()]);
    let (before, sources) = answers(&house);
    assert!(sources.iter().all(|source| source == "database"), "{sources:?}");
    let found = before.iter().filter(|it| it[2][1]["total"].as_u64() > Some(0)).count();
    assert!(found > 20, "the questions meet the calls: {found}");

    let (ends, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let own = basic("rm", "secret");
            let headers = [("Content-Type", "application/json"), ("Authorization", &*own)];
            while !ends.load(Ordering::Relaxed) {
                let number = sent.fetch_add(1, Ordering::Relaxed);
                let answer = house.post("/api/v1/records", &headers, over(number).as_bytes());
                assert_eq!(answer.status, 200, "{}", answer.body);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            house.until(|_| sent.load(Ordering::Relaxed) > 20);
            server.stop();
            let at_once = told(&house, "eva", LIVE);
            house.until(|house| house.metric("rs_database_up") == "0");
            let away = answers(&house);
            let history = asked(&house, "root", "GET", "/api/v1/calls?from=2026-11-22");
            server.run();
            house.until(|house| house.metric("rs_database_up") == "1");
            (at_once, away, history)
        }));
        ends.store(true, Ordering::Relaxed);
        let (at_once, (away, sources), history) = seen.unwrap();
        assert_eq!(at_once.1, "memory");
        assert!(sources.iter().all(|source| source == "memory"), "{sources:?}");
        for (there, here) in before.iter().zip(&away) {
            assert_eq!(here, there);
        }
        assert_eq!((history.status, &*history.code()), (503, "database-unavailable"));
        assert!(history.head.contains("retry-after: 30"), "{}", history.head);
    });
    house.until(|house| house.metric("rsQueueSize") == "0");
    let (after, sources) = answers(&house);
    assert!(sources.iter().all(|source| source == "database"), "{sources:?}");
    assert_eq!(after, before);
    // what came while it was away is in memory, too, when it goes again
    house.send(&[calls[0][1].clone(), leg(4, 1, BETA, 11)[0].clone()]);
    let (before, _) = answers(&house);
    assert_ne!(before, after);
    server.stop();
    let (away, sources) = answers(&house);
    assert!(sources.iter().all(|source| source == "memory"), "{sources:?}");
    assert_eq!(away, before);
}

#[test]
fn a_bound_reader_s_stream_begins_while_the_database_is_away() {
    let mut server = Server::start();
    let mut house = house(&server);
    house.send(&[leg(1, 1, ACME, 1)[0].clone()]);
    assert_eq!(told(&house, "eva", LIVE).1, "database");
    server.stop();
    house.until(|house| told(house, "eva", LIVE).1 == "memory");
    let eva = basic("eva", PASSWORD);
    let own = ("Authorization", &*eva);
    let mut stream = house.stream(&[own, ("Last-Event-ID", "1")]);
    assert_eq!(stream.next().0, "reset");
    server.run();
    house.send(&[leg(1, 1, ACME, 1)[1].clone(), leg(2, 1, BETA, 2)[0].clone()]);
    let (event, data) = stream.next();
    let data: Value = serde_json::from_str(&data).unwrap();
    let items = data["items"].as_array().unwrap();
    assert_eq!((&*event, items.len(), &items[0]["state"]), ("calls", 1, &json!("completed")));
}

#[test]
fn before_the_database_was_read_there_is_nothing_to_tell() {
    let mut server = Server::start();
    server.stop();
    let house = house(&server);
    let answer = asked(&house, "root", "GET", LIVE);
    assert_eq!((answer.status, &*answer.code()), (503, "database-unavailable"));
    server.run();
    house.until(|house| told(house, "root", LIVE).1 == "database");
}
