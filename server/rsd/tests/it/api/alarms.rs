//! Alarms that records raise, on a whole daemon (rs.md §12).

use serde_json::Value;

use super::house::{House, golden};

fn raised(house: &House) -> Vec<String> {
    let list = house.json("/api/v1/alarms");
    let name = |alarm: &Value| alarm["name"].as_str().unwrap().to_owned();
    list["items"].as_array().unwrap().iter().map(name).collect()
}

/// Scenario 20: over HTTP, in either order.
#[test]
fn two_contents_of_one_id_have_one_winner_and_both_are_counted() {
    let json = [("Content-Type", "application/json")];
    let first = golden(&[0]).remove(0);
    let mut other: Value = serde_json::from_str(&first).unwrap();
    other["remote_uri"] = "sip:somebody@else.example".into();
    let versions = [first, other.to_string()];
    let uri = |body: &str| serde_json::from_str::<Value>(body).unwrap()["remote_uri"].clone();
    let mut winners = Vec::new();
    for order in [[0, 1], [1, 0]] {
        let house = House::open();
        house.until(|house| house.lines.lines().iter().any(|line| line.contains(" 31001 ")));
        for body in order.map(|version| &versions[version]) {
            let answer = house.post("/api/v1/records", &json, body.as_bytes());
            assert_eq!((answer.status, &*answer.body), (200, RECEIPT));
            house.until(|house| house.metric("rsQueueSize") == "0");
            // the books have been looked at: what comes from now on is new
            let seen = "rs_producer_last_seen_seconds{producer=\"rm-1\"}";
            house.until(|house| house.get("/metrics").body.contains(seen));
        }
        house.until(|house| raised(house).iter().any(|name| name == "RS-ID-CONFLICT"));
        let winner = house.json("/api/v1/calls?from=2026-11-22")["items"][0]["remote_uri"].clone();
        let letters = house.json("/api/v1/dead-letters?code=id_conflict")["items"].clone();
        assert_eq!(letters.as_array().unwrap().len(), 1);
        let letter = house.json(&format!("/api/v1/dead-letters/{}", letters[0]["no"]));
        let loser = uri(letter["body"].as_str().unwrap());
        let mut both = [winner.clone(), loser].map(|uri| uri.to_string());
        both.sort();
        let mut sent = [0, 1].map(|version| uri(&versions[version]).to_string());
        sent.sort();
        assert_eq!(both, sent, "one is on the list, the other is a letter");
        let ingested = house.sum("rs_ingest_records_total");
        assert_eq!((ingested, house.sum("rs_dead_letters_total")), (2, 1));
        let books = house.json("/api/v1/integrity?from=2026-11-22&to=2026-11-23&producer=rm-1");
        assert_eq!(books["items"][0]["id_conflicts"], 1, "{books}");
        winners.push(winner);
    }
    assert_eq!(winners[0], winners[1], "whichever came first");
}

const RECEIPT: &str = "{\"accepted\":1,\"dead_lettered\":[]}\n";

#[test]
fn many_dead_letters_and_an_id_with_two_contents_are_told() {
    let mut house = House::open();
    // the books have been looked at once: what comes from now on is new
    house.until(|house| house.lines.lines().iter().any(|line| line.contains(" 31001 ")));
    house.send(&golden(&[0]));
    let seen = "rs_producer_last_seen_seconds{producer=\"rm-1\"}";
    house.until(|house| house.get("/metrics").body.contains(seen));
    assert_eq!(house.metric("rs_integrity_gaps{producer=\"rm-1\"}"), "0");
    assert_eq!(raised(&house), Vec::<String>::new());
    let mut changed: Value = serde_json::from_str(&golden(&[0])[0]).unwrap();
    changed["remote_uri"] = "sip:somebody@else.example".into();
    house.send(&[changed.to_string()]);
    house.until(|house| raised(house) == ["RS-ID-CONFLICT"]);
    house.until(|house| house.metric("rs_alarm{name=\"RS-ID-CONFLICT\"}") == "1");
    let bad: Vec<String> =
        (0..11).map(|n| format!("{{\"kind\":\"cdr\",\"id\":\"bad-{n}\"}}")).collect();
    house.send(&bad);
    house.until(|house| raised(house) == ["RS-DEAD-LETTERS", "RS-ID-CONFLICT"]);
    let told =
        |house: &House, text: &str| house.lines.lines().iter().any(|line| line.contains(text));
    let both = ["alarm=RS-DEAD-LETTERS", "alarm=RS-ID-CONFLICT"];
    house.until(|house| both.iter().all(|text| told(house, text)));
}
