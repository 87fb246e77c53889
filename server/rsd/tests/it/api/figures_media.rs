//! Figures of media servers end to end, and those of other zones and of means (rs.md §14 no. 26 and
//! 27, §6).

use std::process::Command;

use model::time::Millis;
use serde_json::{Value, json};

use super::figures_house::{
    BASE_MS, Leg, berlin, column, comes_to, record_end, record_start, send, series,
};
use super::house::House;

const PAGE: &str = include_str!("../../../../../docs/operate/figures.md");
const HOUR_MS: i64 = 3_600_000;
const HOUR: (i64, i64) = (BASE_MS, BASE_MS + HOUR_MS);

fn at(ms: i64) -> Millis {
    Millis(ms.cast_unsigned())
}

/// A record of a media server, by its number.
fn of_media(kind: &str, number: u32, id: &str, more: &Value) -> Value {
    let name = format!("mcp-{number}");
    let mut record = json!({
        "schema": 1, "kind": kind, "id": format!("{name}:{id}"), "time": at(BASE_MS + 60_000),
        "producer": {"name": name},
        "component": {"name": name, "type": "MCP", "dbid": 300 + 10 * number},
    });
    record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    record
}

/// The end of the media server's part of a session.
fn ended(session: u64, end_state: &str) -> Vec<Value> {
    let leg = record_end(&Leg::new(session, BASE_MS), BASE_MS + 60_000);
    let name = format!("S{session}");
    let own = json!({
        "phase": "end", "session_id": name, "guid": leg["guid"], "started_at": at(BASE_MS),
        "ended_at": at(BASE_MS + 60_000), "call_type": "INBOUND", "local_uri": "sip:a",
        "remote_uri": "sip:b", "end_state": end_state,
        "media": {"asr": {"used": true, "sessions": 1, "duration_ms": 5000}},
    });
    let own = of_media("cdr", 1, &format!("{name}/cdr.end/0"), &own);
    vec![leg, own]
}

fn told(session: u64, number: u32, verb: &str, more: &Value) -> Value {
    let name = format!("S{session}");
    let time = BASE_MS + i64::from(number) * 1000;
    let mut own = json!({"session_id": name, "verb": verb, "time": at(time)});
    own.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    of_media("var", 1, &format!("{name}/var/0.{number}"), &own)
}

#[test]
fn calls_without_a_result_and_refused_ones_are_told_apart() {
    let house = berlin();
    let mut records = ended(1, "APP_END");
    records.extend(ended(2, "REJECTED"));
    records.extend(ended(3, "APP_END"));
    records.extend([
        told(3, 1, "action_start", &json!({"action": "login"})),
        told(3, 4, "action_end", &json!({"action": "login", "result": "SUCCESS"})),
        told(3, 5, "action_start", &json!({"action": "pin"})),
        told(3, 9, "call_result", &json!({"result": "FAILED", "reason": "two tries"})),
    ]);
    send(&house, &records);
    for of in ["HOUR&dim=all", "HOUR&dim=profile&id=189", "DAY&dim=tenant&id=102"] {
        let expected = json!({"UNKNOWN": [1], "REJECTED": [1], "FAILED": [1]});
        comes_to(&house, &(json!([3]), json!([180_000]), expected), |house| {
            let found = series(house, "var", of, HOUR);
            let of = |name| column(&found, 0, name);
            (of("values"), of("durations"), of("by_result"))
        });
    }
    let found = series(&house, "var", "HOUR&dim=profile&id=189&group_by=reason", HOUR);
    let failed = json!({"result": "FAILED", "reason": "two tries", "values": [1]});
    let reasons = found["series"][0]["reasons"].as_array().unwrap();
    assert!(reasons.len() == 3 && reasons.contains(&failed), "{reasons:?}");
    assert_eq!(found["count"], "legs");
    let found = series(&house, "actions", "HOUR&dim=profile&id=189", HOUR);
    let mut actions = found["series"].as_array().unwrap().clone();
    actions.sort_by_key(|one| one["target"]["action"].to_string());
    let login = json!({
        "target": {"dim": "profile", "id": 189, "action": "login"}, "values": [1], "last": [0],
        "durations": [3000], "min": [3000], "max": [3000], "by_result": {"SUCCESS": [1]},
    });
    assert_eq!(actions[0], login);
    // one that is open at the end of the call ends with it
    let pin = json!([55_000]);
    assert_eq!((&actions[1]["last"], &actions[1]["max"]), (&json!([1]), &pin));
    assert_eq!(actions[1]["by_result"], json!({"UNKNOWN": [1]}));
    let asr = series(&house, "durations", "HOUR&dim=component&id=310&measure=asr", HOUR);
    assert_eq!((&asr["count"], column(&asr, 0, "values")), (&json!("ports"), json!([15_000])));
}

/// Response times: samples of one media server, a sketch of another.
fn latencies() -> Vec<Value> {
    let of = |number, kind: &str, more: Value| {
        let mut told = json!({"type": kind, "bin_start": at(BASE_MS), "bin_seconds": 60});
        told.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        of_media("sq.latency", number, &format!("sq.latency/{kind}/0"), &told)
    };
    let sketch = json!({"count": 3, "sum": 63, "sumsq": 1385, "min": 15, "max": 26,
        "hist": {"15": 1, "22": 1, "26": 1}});
    vec![
        of(1, "PAGE_FETCH", json!({"samples": [81, 95, 240]})),
        of(2, "PAGE_FETCH", json!({"sketch": sketch})),
        of(2, "CALL_ANSWER", json!({"samples": [400, 600, 700]})),
        of(2, "HOME_MADE", json!({"samples": [99_000]})),
    ]
}

#[test]
fn response_times_as_samples_and_as_a_sketch_are_one_figure() {
    let house = berlin();
    send(&house, &latencies());
    // 15, 22, 26, 81, 95, 240: 479 of six, squares 74571
    let expected = json!({
        "target": {"dim": "all", "id": 0, "type": "PAGE_FETCH", "category": "FETCHING"},
        "threshold": 1000, "values": [79.8333], "measured": [6], "min": [15], "max": [240],
        "std_dev": [77.8148], "percentiles": {"0.5": [26.0], "0.95": [240.0]},
        "acceptable": [true],
    });
    let asked = "HOUR&dim=all&type=PAGE_FETCH&percentiles=0.5,0.95";
    comes_to(&house, &expected, |house| series(house, "latency", asked, HOUR)["series"][0].clone());
    let found = series(&house, "latency", "HOUR", HOUR);
    let all = found["series"].as_array().unwrap();
    let one = |id: u32, kind: &str| {
        let of = |one: &&Value| one["target"]["id"] == id && one["target"]["type"] == kind;
        all.iter().find(of).unwrap()
    };
    assert_eq!(all.len(), 4);
    assert_eq!(one(310, "PAGE_FETCH")["values"], json!([138.6667]));
    assert_eq!(one(320, "PAGE_FETCH")["values"], json!([21.0]));
    let answer = one(320, "CALL_ANSWER");
    let slow = answer["percentiles"]["0.95"][0].as_f64().unwrap();
    assert!((slow - 700.0).abs() / 700.0 < 0.032, "{slow}");
    assert_eq!((&answer["acceptable"], &answer["threshold"]), (&json!([false]), &json!(500)));
    let other = one(320, "HOME_MADE");
    assert_eq!((&other["acceptable"], &other["threshold"]), (&json!([true]), &Value::Null));
    // of hours without any there is nothing to be said
    let empty = series(&house, "latency", "HOUR&id=310", (BASE_MS, BASE_MS + 2 * HOUR_MS));
    assert_eq!(column(&empty, 0, "values"), json!([138.6667, null]));
    assert_eq!(column(&empty, 0, "measured"), json!([3, 0]));
}

/// From 23:45 until 01:30 in Berlin, 22:45 until 00:30 in UTC, 04:15 until 06:00 in India.
fn over_midnight() -> House {
    let house = berlin();
    let midnight = BASE_MS - 10 * HOUR_MS;
    let leg = Leg::new(1, midnight - HOUR_MS * 5 / 4);
    send(&house, &[record_start(&leg), record_end(&leg, midnight + HOUR_MS / 2)]);
    house
}

#[test]
fn days_of_other_zones_are_made_of_stored_hours_and_half_hours() {
    let house = over_midnight();
    let midnight = BASE_MS - 10 * HOUR_MS;
    let days = |first: i64| (first, first + 48 * HOUR_MS);
    let of = |zone: &str, first: i64| {
        let figures = ["arrivals", "peaks", "durations"].map(|figure| {
            let asked = format!("DAY&dim=tenant&id=102&tz={zone}");
            let found = series(&house, figure, &asked, days(first));
            assert_eq!(found["bins"], json!([at(first), at(first + 24 * HOUR_MS)]), "{zone}");
            column(&found, 0, "values")
        });
        json!(figures)
    };
    let two = |arrivals: [i64; 2], peaks: [i64; 2]| json!([arrivals, peaks, [0, 6_300_000]]);
    comes_to(&house, &two([1, 0], [1, 1]), |_| of("Europe/Berlin", midnight - 25 * HOUR_MS));
    comes_to(&house, &two([1, 0], [1, 1]), |_| of("UTC", midnight - 24 * HOUR_MS));
    assert_eq!(of("Asia/Kolkata", midnight - HOUR_MS * 59 / 2), two([0, 1], [0, 1]));
    assert_eq!(of("Asia/Kathmandu", midnight - HOUR_MS * 119 / 4), two([0, 1], [0, 1]));
    // hours of UTC are those of Berlin
    let asked = "HOUR&dim=tenant&id=102&tz=UTC";
    let found = series(&house, "peaks", asked, (midnight - 2 * HOUR_MS, midnight + HOUR_MS));
    assert_eq!((&found["tz"], column(&found, 0, "values")), (&json!("UTC"), json!([1, 1, 1])));
    // when the hours are gone there is nothing to make them of
    let db = rusqlite::Connection::open(house.dir.path().join("rs/rs.db")).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let gone = "INSERT INTO rs_meta VALUES ('rollup.gone_ms.0.3', ?1)";
    db.execute(gone, [BASE_MS.to_string()]).unwrap();
    let asked = "/api/v1/series/peaks?granularity=DAY&tz=UTC&from=2026-11-21T00:00:00Z\
                 &to=2026-11-23T00:00:00Z";
    assert_eq!(house.refusal(asked), (400, "zone-not-available".to_owned()));
    let half_hours = asked.replace("UTC", "Asia/Kolkata");
    assert!(house.json(&half_hours)["bins"].is_array(), "those are there");
}

#[test]
fn months_of_another_zone_may_be_made_of_more_rows_than_are_shown_of_months() {
    let house = over_midnight();
    let midnight = BASE_MS - 10 * HOUR_MS;
    let first = (midnight - 2 * HOUR_MS, midnight - HOUR_MS);
    comes_to(&house, &json!([1]), |house| {
        column(&series(house, "peaks", "HOUR&dim=all", first), 0, "values")
    });
    // a year and a half of hours like that one
    let db = rusqlite::Connection::open(house.dir.path().join("rs/rs.db")).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let more = "WITH RECURSIVE n (h) AS (SELECT 0 UNION ALL SELECT h + 1 FROM n WHERE h < 13000)
        INSERT OR IGNORE INTO rs_conc_bin
        SELECT gran, bin_ms + h * 3600000, measure, dim, dim_id, sub, level_start, peak, peak_ms,
          peak_by_type, net, types, deltas
        FROM rs_conc_bin, n WHERE gran = 3 AND dim = 0 AND bin_ms = ?1";
    assert!(db.execute(more, [first.0]).unwrap() > 25_000);
    let months = (midnight, midnight + 12_000 * HOUR_MS);
    let found = series(&house, "peaks", "MONTH&dim=all&tz=Asia/Tokyo", months);
    assert_eq!(found["bins"].as_array().unwrap().len(), 18);
}

#[test]
fn a_mean_reads_the_days_before() {
    let house = over_midnight();
    let midnight = BASE_MS - 10 * HOUR_MS;
    let day = (midnight - HOUR_MS, midnight + 23 * HOUR_MS);
    comes_to(&house, &json!([1.0 / 3.0]), |house| {
        let found = series(house, "arrivals", "DAY&dim=tenant&id=102&sma=3", day);
        assert_eq!(found["bins"], json!([at(day.0)]));
        let mean = column(&found, 0, "sma")[0].as_f64().unwrap();
        assert!(column(&found, 0, "values").as_array().unwrap().len() == 1);
        json!([if (mean - 0.3333).abs() < 1e-9 { 1.0 / 3.0 } else { mean }])
    });
    let found = series(&house, "peaks", "DAY&dim=tenant&id=102&sma=", day);
    assert_eq!(column(&found, 0, "sma"), json!([0.2857]), "seven days: 2 of them 1");
    assert_eq!(found["series"][0]["by_type"], json!({"INBOUND": [1]}));
}

#[test]
fn what_does_not_go_together_is_refused() {
    let house = berlin();
    let refused = |figure: &str, more: &str| {
        let at = "from=2026-11-22T00:00:00Z&to=2026-11-23T00:00:00Z";
        house.refusal(&format!("/api/v1/series/{figure}?{at}&{more}"))
    };
    let bad = |code: &str| (400, code.to_owned());
    assert_eq!(refused("latency", "granularity=HOUR&dim=tenant"), bad("dim-not-available"));
    // utilisation is of now
    assert_eq!(refused("usage", "granularity=HOUR"), (404, "no-such-path".to_owned()));
    assert_eq!(refused("var", "granularity=HOUR&dim=component"), bad("dim-not-available"));
    assert_eq!(
        refused("peaks", "granularity=HOUR&dim=dn&id=1&measure=asr"),
        bad("dim-not-available")
    );
    assert_eq!(refused("var", "granularity=HOUR&count=legs"), bad("unknown-parameter"));
    assert_eq!(refused("peaks", "granularity=HOUR&type=PAGE_FETCH"), bad("unknown-parameter"));
    assert_eq!(refused("latency", "granularity=HOUR&percentiles=0.3"), bad("bad-enum"));
    assert_eq!(refused("peaks", "granularity=HOUR&tz=Middle/Earth"), bad("bad-enum"));
    assert_eq!(refused("peaks", "granularity=HOUR&sma=7"), bad("exclusive-parameters"));
    assert_eq!(refused("peaks", "granularity=DAY&sma=367"), bad("bad-integer"));
    let both = "granularity=DAY&count=legs&measure=asr";
    assert_eq!(refused("peaks", both), bad("exclusive-parameters"));
    let years = "granularity=MONTH&tz=UTC&from=2010-01-01T00:00:00Z&to=2026-01-01T00:00:00Z";
    let asked = format!("/api/v1/series/peaks?{years}");
    assert_eq!(house.refusal(&asked), bad("too-many-bins"));
    let usage = "/api/v1/series/usage?granularity=DAY&from=2026-11-22T00:00:00Z";
    assert_eq!(house.refusal(usage).0, 404);
}

#[test]
fn the_commands_of_the_page() {
    let house = berlin();
    send(&house, &ended(1, "APP_END"));
    send(&house, &latencies());
    let blocks = PAGE.split("```sh\n").skip(1);
    let commands: Vec<_> =
        blocks.flat_map(|block| block.split("```").next().unwrap().lines()).collect();
    assert_eq!(commands.len(), 5);
    for command in commands {
        let line = command.replace("127.0.0.1:8080", &house.rs.addresses().http.to_string());
        house.until(|_| {
            let output = Command::new("sh").args(["-c", &line]).output().unwrap();
            assert!(output.status.success(), "{line}: {output:?}");
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            answer["result"]["marked"].is_u64()
                || answer["series"].as_array().is_some_and(|series| {
                    series.iter().any(|one| {
                        let values = one["values"].as_array().unwrap();
                        values.iter().any(|value| value.as_f64().is_some_and(|n| n > 0.0))
                    })
                })
        });
    }
}
