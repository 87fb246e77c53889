//! Settings that options of the Application object lie over while it runs, and the view of them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use config::Settings;
use serde_json::{Value, json};

use super::acceptance::objects;
use super::figures_house::{
    BASE_MS, Leg, column, comes_to, record_end, record_start, send, series,
};
use super::house::{House, ask, settings, start};

/// The key in the view: value, origin, and whether it waits for a restart.
fn shown(house: &House, key: &str) -> [Value; 3] {
    let all = house.json("/api/v1/settings");
    let one = all["items"].as_array().unwrap().iter().find(|item| item["key"] == key);
    let one = one.unwrap_or_else(|| panic!("no {key}"));
    ["value", "origin", "restart_required"].map(|name| one[name].clone())
}

fn house(change: impl FnOnce(&mut Settings)) -> (House, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("platform.yaml");
    objects(&file, "{}");
    let house = House::in_dir(dir, |settings| {
        settings.config_file = Some(file.clone());
        change(settings);
    });
    (house, file)
}

#[test]
fn bins_of_a_question_follow_their_options() {
    let (house, file) = house(|_| {});
    let asked = "/api/v1/series/arrivals?granularity=HOUR&from=2026-11-22T00:00:00Z\
                 &to=2026-11-22T03:00:00Z";
    assert_eq!(house.get(asked).status, 200);
    objects(&file, "{ reporting: { rs.query.limit.hourly: \"2\", rs.query.limit.5min: 4 } }");
    comes_to(&house, &(400, "too-many-bins".to_owned()), |house| {
        let answer = house.get(asked);
        (answer.status, if answer.status == 200 { String::new() } else { answer.code() })
    });
    assert!(house.get(asked).body.contains("at most 2 bins of this granularity"));
    let of = |key: &str| shown(&house, &format!("rs.reports.max_bins.{key}"));
    assert_eq!(of("hourly"), [json!(2), json!("application"), json!(false)]);
    assert_eq!(of("daily"), [json!(1100), json!("default"), json!(false)]);
    objects(&file, "{}");
    comes_to(&house, &200, |house| house.get(asked).status);
}

/// A second connection of one address is closed at once, until there may be two again.
#[test]
fn limits_of_the_broker_follow_their_options() {
    let (house, file) = house(|_| {});
    let broker = house.rs.addresses().broker.unwrap();
    let login = || {
        let mut socket = TcpStream::connect(broker).unwrap();
        // one that is closed at once may be so before all of it was sent
        let _cut_off = socket.write_all(b"CONNECT\naccept-version:1.2\nhost:rs\n\n\0");
        let mut answer = [0; 9];
        let is_in = socket.read_exact(&mut answer).is_ok() && answer == *b"CONNECTED";
        is_in.then_some(socket)
    };
    let first = login();
    assert!(first.is_some());
    let key = "rs.broker_limits.connections_per_address";
    objects(&file, "{ broker-limits: { connections-per-address: \"1\", frame: 2 mb } }");
    comes_to(&house, &json!(1), |house| shown(house, key)[0].clone());
    assert_eq!(shown(&house, "rs.broker_limits.frame")[0], "2MiB");
    assert!(login().is_none());
    objects(&file, "{ broker-limits: { connections-per-address: 3 } }");
    comes_to(&house, &json!(3), |house| shown(house, key)[0].clone());
    assert!(login().is_some());
    // the one that was there has stayed, and ends in its own time
    let mut first = first.unwrap();
    first.write_all(b"DISCONNECT\nreceipt:bye\n\n\0").unwrap();
    let mut rest = String::new();
    first.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("receipt-id:bye"), "{rest}");
}

/// The end of a call, of somewhat more than 3000 bytes.
fn long(session: u64) -> Value {
    let mut record = record_end(&Leg::new(session, BASE_MS + 1000), BASE_MS + 9000);
    record["x"] = json!("x".repeat(3000));
    record
}

/// Sends three of them, each on a way of its own; gives back what HTTP says of its one.
fn on_every_way(house: &mut House, first: u64) -> Value {
    house.hand_over(&[long(first).to_string()]);
    let mut socket = TcpStream::connect(house.rs.addresses().broker.unwrap()).unwrap();
    let record = long(first + 1);
    let frames = format!(
        "CONNECT\naccept-version:1.2\nhost:rs\n\n\0\
         SEND\ndestination:ringmaster.cdr\n\n{record}\0DISCONNECT\nreceipt:bye\n\n\0"
    );
    socket.write_all(frames.as_bytes()).unwrap();
    let mut rest = String::new();
    socket.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("receipt-id:bye"), "{rest}");
    let json = [("Content-Type", "application/json")];
    let body = long(first + 2).to_string();
    let answer = house.post("/api/v1/records", &json, body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

/// Over OpenWire, STOMP and HTTP alike; what is longer is a dead letter, which cannot be mended
/// into something that is longer, too.
#[test]
fn the_length_of_a_record_follows_its_option_on_every_way() {
    let (mut house, file) = house(|_| {});
    let letters = |house: &House| {
        let all = house.json("/api/v1/dead-letters?state=open");
        all["items"].as_array().unwrap().clone()
    };
    let limit = |house: &House| shown(house, "rs.broker_limits.record")[0].clone();
    assert_eq!(on_every_way(&mut house, 1)["accepted"], 1);
    house.until(|house| house.metric("rs_apply_records_total") == "3");
    objects(&file, "{ broker-limits: { record: 2 kb } }");
    comes_to(&house, &json!("2KiB"), limit);
    assert_eq!(on_every_way(&mut house, 4)["dead_lettered"][0]["code"], "too_large");
    house.until(|house| letters(house).len() == 3);
    let all = letters(&house);
    assert!(all.iter().all(|letter| letter["code"] == "too_large"), "{all:?}");
    let mut ways: Vec<_> = all.iter().map(|one| one["transport"].as_str().unwrap()).collect();
    ways.sort_unstable();
    assert_eq!(ways, ["http", "openwire", "stomp"]);
    let retry = format!("/api/v1/dead-letters/{}/retry", all[0]["no"]);
    let json = [("Content-Type", "application/json")];
    let edit = json!({ "body": long(7) }).to_string();
    assert_eq!(house.post(&retry, &json, edit.as_bytes()).status, 413);
    objects(&file, "{}");
    comes_to(&house, &json!("1MiB"), limit);
    assert_eq!(house.post(&retry, &json, edit.as_bytes()).status, 200);
    assert_eq!(on_every_way(&mut house, 8)["accepted"], 1);
    house.until(|house| house.metric("rs_apply_records_total") == "7");
    assert_eq!(letters(&house).len(), 2, "one was mended");
}

/// A record longer than its frame does not come, and no page is longer than the longest: told, and
/// with `rs.strict_limits` no start, whoever has said so.
#[test]
fn what_another_setting_holds_down_is_told() {
    let (house, file) = house(|_| {});
    let options = "{ broker-limits: { record: 3 mb, frame: 2 mb }, \
                   cdr: { page-size: 50, page-size-max: 20 } }";
    objects(&file, options);
    let limited = |house: &House| {
        let all = house.json("/api/v1/settings");
        let items = all["items"].as_array().unwrap().iter();
        let items = items.filter(|one| !one["limited_to"].is_null());
        items.map(|one| (one["key"].clone(), one["limited_to"].clone())).collect::<Vec<_>>()
    };
    let expected = [
        (json!("rs.broker_limits.record"), json!(2 << 20)),
        (json!("rs.reports.page_size"), json!(20)),
    ];
    comes_to(&house, &expected.to_vec(), limited);
    let told = |house: &House, text: &str| {
        house.lines.lines().iter().any(|line| line.contains(" 31105 ") && line.contains(text))
    };
    house.until(|house| {
        told(house, "limit=rs.broker_limits.record asked=3145728 given=2097152")
            && told(house, "limit=rs.reports.page_size asked=50 given=20")
    });
    let health = house.get("/api/v1/health").body;
    assert!(health.contains("rs.reports.page_size is 50, and rs.reports.page_size_max is 20"));
    let House { rs, dir, .. } = house;
    rs.stop();
    assert!(!rs.wait().failed);
    let mut settings = settings(dir.path());
    settings.config_file = Some(file);
    settings.rs.strict_limits = true;
    let Err(error) = start(settings).0 else { panic!("it has started") };
    assert_eq!(error.exit_code(), 78);
    assert!(error.to_string().contains("rs.broker_limits.record is 3145728, and "), "{error}");
}

/// Marks that were to wait for a day are made into bins as soon as an option says so.
#[test]
fn the_rollup_job_and_the_alarm_of_the_queue_follow_their_options() {
    let (house, file) = house(|settings| settings.rs.rollup.delay = Duration::from_secs(3600));
    let leg = Leg::new(1, BASE_MS + 1000);
    send(&house, &[record_start(&leg), record_end(&leg, BASE_MS + 9000)]);
    let hour = (BASE_MS, BASE_MS + 3_600_000);
    let count = |house: &House| column(&series(house, "arrivals", "HOUR", hour), 0, "values");
    assert_ne!(count(&house), json!([1]));
    let options = "{ rollup: { delay: 100ms, delta-days: \"9\", dn-limit: 70 }, \
                   cdr: { timeout: 36h }, queue-high: { size: 20, for: 90s }, \
                   dbmp: { window: 2h, rs.db.retention.var.daily.default: 9 } }";
    objects(&file, options);
    comes_to(&house, &json!([1]), count);
    for (key, value) in [
        ("rs.rollup.delay", json!("100ms")),
        ("rs.rollup.delta_days", json!(9)),
        ("rs.rollup.dn_limit", json!(70)),
        ("rs.cdr.timeout", json!("36h")),
        ("rs.queue_high.size", json!(20)),
        ("rs.queue_high.for", json!("90s")),
        ("rs.retention.window", json!("2h")),
        ("rs.retention.var.daily", json!(9)),
    ] {
        assert_eq!(shown(&house, key), [value, json!("application"), json!(false)], "{key}");
    }
}

/// Command line and environment stand above the options, the boot file below them, and below it
/// those that count at a start only; these wait for one, which is told.
#[test]
fn who_has_said_a_setting_decides_and_is_shown() {
    let text = "rs: { rollup: { delta_days: 20, dn_limit: 9 }, queue_high: { size: 8 } }";
    let environment = [("RINGMASTER_RS__ROLLUP__DELTA_DAYS".to_owned(), "21".to_owned())];
    let given = Settings::from_text(text, None, environment).unwrap();
    let (house, file) = house(|settings| {
        settings.rs.rollup = given.rs.rollup.clone();
        settings.rs.queue_high = given.rs.queue_high;
        settings.origins = given.origins.clone();
    });
    let options = "{ rollup: { delta-days: 5, dn-limit: 6 }, log: { verbose: standard }, \
                   messaging: { activemq.memoryUsageLimit: 32 mb } }";
    objects(&file, options);
    let shows = |house: &House, key: &str, expected: [Value; 3]| {
        comes_to(house, &expected, |house| shown(house, key));
    };
    shows(&house, "rs.rollup.dn_limit", [json!(6), json!("application"), json!(false)]);
    shows(&house, "rs.rollup.delta_days", [json!(21), json!("environment"), json!(false)]);
    shows(&house, "rs.queue_high.size", [json!(8), json!("boot_file"), json!(false)]);
    shows(&house, "rs.queue_high.for", [json!("15m"), json!("default"), json!(false)]);
    shows(&house, "log.level", [json!("warn"), json!("application"), json!(false)]);
    shows(&house, "rs.broker_memory", [json!("256MiB"), json!("default"), json!(true)]);
    house.until(|house| house.lines.lines().iter().any(|line| line.contains(" 31211 ")));
    // the next start takes it
    let House { rs, dir, .. } = house;
    rs.stop();
    assert!(!rs.wait().failed);
    let next = House::in_dir(dir, |settings| settings.config_file = Some(file.clone()));
    let memory = shown(&next, "rs.broker_memory");
    assert_eq!(memory, [json!("32MiB"), json!("application"), json!(false)]);
    assert!(!next.lines.lines().iter().any(|line| line.contains(" 31211 ")));
    // and gives it back at the one after
    objects(&file, "{}");
    shows(&next, "rs.broker_memory", [json!("32MiB"), json!("application"), json!(true)]);
}

/// Where it listens, where its queue is, what it has of its database: said by options it counts
/// from the next start on, where nobody has said it here.
#[test]
fn what_belongs_to_the_machine_waits_for_a_start() {
    let (house, file) = house(|_| {});
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let queue = house.dir.path().join("queue");
    let options = format!(
        "{{ messaging: {{ activemq.port: {port}, activemq.dataDirectory: {queue:?} }}, \
         persistence: {{ rs.database: sqlite, rs.database_cache: 64 mb, \
         rs.nodb.enabled: false }} }}"
    );
    objects(&file, &options);
    let shows = |house: &House, key: &str, expected: [Value; 3]| {
        comes_to(house, &expected, |house| shown(house, key));
    };
    shows(&house, "rs.database_cache", [json!("376MiB"), json!("default"), json!(true)]);
    shows(&house, "rs.spool.dir", [json!(null), json!("default"), json!(true)]);
    shows(&house, "rs.broker", [json!("127.0.0.1:0"), json!("default"), json!(true)]);
    let told = "options=\"messaging/activemq.port, messaging/activemq.dataDirectory, \
                persistence/rs.database, persistence/rs.database_cache\"";
    house.until(|house| house.lines.lines().iter().any(|line| line.contains(told)));
    let again = |house: House, change: &dyn Fn(&mut Settings)| {
        let House { rs, dir, .. } = house;
        rs.stop();
        assert!(!rs.wait().failed);
        House::in_dir(dir, |settings| {
            settings.config_file = Some(file.clone());
            change(settings);
        })
    };
    let mut next = again(house, &|_| {});
    assert_eq!(next.rs.addresses().broker.unwrap().port(), port);
    next.send(&[record_end(&Leg::new(1, BASE_MS + 1000), BASE_MS + 9000).to_string()]);
    assert!(fs::read_dir(&queue).unwrap().count() > 0);
    for (key, value) in [
        ("rs.broker", json!(format!("127.0.0.1:{port}"))),
        ("rs.spool.dir", json!(queue)),
        ("rs.database", json!("sqlite")),
        ("rs.database_cache", json!("64MiB")),
    ] {
        assert_eq!(shown(&next, key), [value, json!("application"), json!(false)], "{key}");
    }
    // history only; what is said here stands above
    objects(&file, "{ persistence: { rs.histonly.enabled: true, rs.database_cache: 64 mb } }");
    let last = again(next, &|settings| {
        let text = "rs: { database_cache: 32MiB }";
        settings.origins = Settings::from_text(text, None, []).unwrap().origins;
        settings.rs.database.cache = 32 << 20;
    });
    assert_eq!(last.rs.addresses().broker, None);
    assert_eq!(shown(&last, "rs.ingest"), [json!(false), json!("application"), json!(false)]);
    let cache = shown(&last, "rs.database_cache");
    assert_eq!(cache, [json!("32MiB"), json!("boot_file"), json!(false)]);
    drop(last);
}

/// Half of what TLS is made of is no reason to speak plain text.
#[test]
fn a_start_with_half_of_tls_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(dir.path());
    let file = dir.path().join("platform.yaml");
    objects(&file, "{ https: { cert_file: rs.pem } }");
    settings.config_file = Some(file);
    let Err(error) = start(settings).0 else { panic!("it has started") };
    let told = "option https/…: cert_file and key_file belong together";
    assert_eq!((error.exit_code(), &*error.to_string()), (78, told));
}

/// Files of secrets are named, and what is in them is not shown.
#[test]
fn the_view_has_every_setting_and_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let (users, line) = (dir.path().join("users"), rsd::user_line("root", "admin", "s3cret-word"));
    fs::write(&users, line.unwrap()).unwrap();
    let house = House::in_dir(dir, |settings| {
        settings.rs.auth.users_file = Some(users.clone());
        settings.rs.database.user = Some("rs".to_owned());
    });
    assert_eq!(house.get("/api/v1/settings").status, 401);
    let login = [("Authorization", "Basic cm9vdDpzM2NyZXQtd29yZA==")];
    let answer = ask(house.rs.addresses().http, "GET", "/api/v1/settings", &login);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(!answer.body.contains("s3cret") && !answer.body.contains("argon2"), "{}", answer.body);
    let all: Value = serde_json::from_str(&answer.body).unwrap();
    let items = all["items"].as_array().unwrap();
    assert!(items.len() > 120, "{}", items.len());
    let named = items.iter().find(|item| item["key"] == "rs.auth.users_file").unwrap();
    assert_eq!(named["value"], json!(users.display().to_string()));
    let keys: Vec<_> = items.iter().map(|item| item["key"].as_str().unwrap()).collect();
    let mut once = keys.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), keys.len());
}
