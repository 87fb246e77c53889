//! Alarms that records raise, on a whole daemon (rs.md §12).

use serde_json::Value;

use super::house::{House, golden};

fn raised(house: &House) -> Vec<String> {
    let list = house.json("/api/v1/alarms");
    let name = |alarm: &Value| alarm["name"].as_str().unwrap().to_owned();
    list["items"].as_array().unwrap().iter().map(name).collect()
}

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
    assert_eq!(house.metric("rs_alarm{name=\"RS-ID-CONFLICT\"}"), "1");
    let bad: Vec<String> =
        (0..11).map(|n| format!("{{\"kind\":\"cdr\",\"id\":\"bad-{n}\"}}")).collect();
    house.send(&bad);
    house.until(|house| raised(house) == ["RS-DEAD-LETTERS", "RS-ID-CONFLICT"]);
    let told = |text: &str| house.lines.lines().iter().any(|line| line.contains(text));
    assert!(told("alarm=RS-DEAD-LETTERS") && told("alarm=RS-ID-CONFLICT"));
}
