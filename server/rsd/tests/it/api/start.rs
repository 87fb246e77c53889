//! Starts, refused starts, restarts.

use std::fs;
use std::net::TcpListener;

use super::house::{House, MCP, RM, golden, settings, start};

#[test]
fn a_restart_keeps_everything_and_a_replay_adds_nothing() {
    let house = House::with_golden_records();
    let list = "/api/v1/calls?from=2026-11-22&legs=true";
    let call = "/api/v1/calls/01A202B2-C578-7487-A7D5-BA32B23886C4?include=trace";
    let before = (house.json(list), house.json(call));
    assert_eq!(before.0["items"].as_array().unwrap().len(), 4);
    let mut house = house.restarted();
    assert_eq!((house.json(list), house.json(call)), before);
    house.send(&golden(&MCP));
    house.send(&golden(&RM));
    assert_eq!((house.json(list), house.json(call)), before);
    assert_eq!(house.metric("rs_apply_records_total"), "0");
    assert_eq!(house.sum("rs_apply_duplicates_total"), 6);
}

#[test]
fn a_start_and_an_end_are_told() {
    let house = House::open();
    assert!(house.rs.ready());
    let House { rs, dir, lines, .. } = house;
    let addresses = rs.addresses();
    assert!(
        addresses.broker.is_some_and(|broker| broker.port() != 0) && addresses.http.port() != 0
    );
    let stopper = rs.stopper();
    let waiting = std::thread::spawn(move || rs.wait());
    stopper.stop();
    assert!(!waiting.join().unwrap().failed);
    assert!(dir.path().join("rs/rs.db").exists());
    let told = |number: &str| lines.lines().iter().any(|line| line.contains(number));
    while !told("31002") {
        std::thread::yield_now();
    }
    assert!(told("31000") && told("31001"));
    assert!(told("31107") && told(&format!("listens on {}", addresses.broker.unwrap())));
    assert!(told("check=open_files outcome="));
}

#[test]
fn a_directory_has_one_server() {
    let house = House::open();
    let (second, _) = start(settings(house.dir.path()));
    let Err(error) = second else { panic!("two servers in one directory") };
    assert_eq!(error.exit_code(), 8);
    assert!(error.to_string().starts_with("directory locked by another ringmaster: "), "{error}");
}

#[test]
fn what_cannot_work_is_refused_with_its_exit_code() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let refused = |change: &dyn Fn(&mut config::Settings)| {
        let mut settings = settings(dir.path());
        change(&mut settings);
        let Err(error) = start(settings).0 else { panic!("it has started") };
        (error.exit_code(), error.to_string())
    };
    let http = refused(&|settings| settings.rs.http = address);
    assert_eq!(http, (8, format!("cannot listen on http {address}")));
    let broker = refused(&|settings| settings.rs.broker = address);
    assert_eq!(broker, (8, format!("cannot listen on broker {address}")));
    let page = refused(&|settings| {
        settings.rs.strict_limits = true;
        settings.rs.reports.page_size = 2000;
    });
    let why =
        "rs.strict_limits: rs.reports.page_size is 2000, and rs.reports.page_size_max is 1000";
    assert_eq!(page, (78, why.to_owned()));
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let unusable = refused(&|settings| settings.data_dir = file.clone());
    assert_eq!(unusable.0, 8, "{}", unusable.1);
    // nothing is left behind that would stop a good start
    drop(House::in_dir(dir, |_| {}));
}

#[test]
fn other_listeners_than_loopback_are_opened_only_when_told_twice() {
    let anywhere = "0.0.0.0:0".parse().unwrap();
    // HTTP open, broker open, anonymous, anonymous_broker; what is missing
    let cases = [
        (true, false, None, None, "rs.auth.anonymous: true"),
        (false, true, None, Some(true), "rs.auth.anonymous: true"),
        (true, true, Some(true), None, "rs.auth.anonymous_broker: true"),
        (false, false, Some(false), None, "rs.auth.anonymous: false"),
        (false, false, None, Some(false), "rs.auth.anonymous_broker: true"),
        (true, false, Some(true), None, ""),
        (true, true, Some(true), Some(true), ""),
    ];
    for (http, broker, anonymous, anonymous_broker, missing) in cases {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = settings(dir.path());
        if http {
            settings.rs.http = anywhere;
        }
        if broker {
            settings.rs.broker = anywhere;
        }
        settings.rs.auth =
            config::settings::Auth { anonymous, anonymous_broker, ..Default::default() };
        match start(settings).0 {
            Ok(_) => assert_eq!(missing, ""),
            Err(error) => {
                assert_eq!(error.exit_code(), 78, "{error}");
                assert!(!missing.is_empty() && error.to_string().contains(missing), "{error}");
            }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::in_dir(dir, |settings| {
        (settings.rs.http, settings.rs.broker) = (anywhere, anywhere);
        let anonymous = Some(true);
        settings.rs.auth =
            config::settings::Auth { anonymous, anonymous_broker: anonymous, ..Default::default() };
    });
    house.send(&golden(&RM));
    assert_eq!(house.json("/api/v1/calls?from=2026-11-22")["items"].as_array().unwrap().len(), 3);
}

/// A record like the golden ones, of a leg that is not among them.
pub(super) fn another_leg(leg: &str) -> String {
    let mut record: serde_json::Value = serde_json::from_str(&golden(&[2])[0]).unwrap();
    record["id"] = format!("01A202B4-2491-7C10-8F02-5B7E90C1D2E3/{leg}/cdr.end/1.1").into();
    record["leg"] = leg.into();
    record.to_string()
}

#[test]
fn no_record_is_taken_for_one_that_a_day_has_already() {
    let House { rs, dir, .. } = House::with_golden_records();
    drop(rs);
    // the main file of an older backup, the spool lost
    fs::remove_dir_all(dir.path().join("rs/spool")).unwrap();
    let db = rusqlite::Connection::open(dir.path().join("rs/rs.db")).unwrap();
    db.execute("UPDATE rs_spool_cursor SET spool_seq = 0", []).unwrap();
    drop(db);
    let mut house = House::in_dir(dir, |_| {});
    house.send(&[another_leg("00690007")]);
    assert_eq!(house.metric("rs_apply_records_total"), "1");
    let legs = house.json("/api/v1/calls?from=2026-11-22&legs=true");
    assert_eq!(legs["items"].as_array().unwrap().len(), 5);
}

#[test]
fn a_database_of_a_later_version_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::in_dir(dir, |_| {});
    let House { rs, dir, .. } = house;
    drop(rs);
    let db = rusqlite::Connection::open(dir.path().join("rs/rs.db")).unwrap();
    db.execute("UPDATE rs_schema_version SET version = version + 1000, rs_version = '99.0.0'", [])
        .unwrap();
    drop(db);
    let Err(error) = start(settings(dir.path())).0 else { panic!("it has started") };
    assert_eq!(error.exit_code(), 78, "{error}");
}
