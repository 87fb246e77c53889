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
    assert_eq!(house.metric("rs_apply_duplicates_total"), "6");
}

#[test]
fn a_start_and_an_end_are_told() {
    let house = House::open();
    assert!(house.rs.ready());
    let House { rs, dir, lines, .. } = house;
    let addresses = rs.addresses();
    assert!(addresses.broker.port() != 0 && addresses.http.port() != 0);
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
}

#[test]
fn a_directory_has_one_server() {
    let house = House::open();
    let (second, _) = start(settings(house.dir.path()));
    let Err(error) = second else { panic!("two servers in one directory") };
    assert_eq!(error.exit_code(), 8);
    assert!(error.to_string().starts_with("directory locked: "), "{error}");
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
    let open = refused(&|settings| settings.rs.http = "0.0.0.0:0".parse().unwrap());
    assert_eq!(open.0, 78, "{}", open.1);
    let record = refused(&|settings| settings.rs.broker_limits.record = 1);
    assert_eq!(record.0, 78, "{}", record.1);
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let unusable = refused(&|settings| settings.data_dir = file.clone());
    assert_eq!(unusable.0, 8, "{}", unusable.1);
    // nothing is left behind that would stop a good start
    drop(House::in_dir(dir, |_| {}));
}

#[test]
fn a_database_of_a_later_version_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::in_dir(dir, |_| {});
    let House { rs, dir, .. } = house;
    drop(rs);
    let db = rusqlite::Connection::open(dir.path().join("rs/rs.db")).unwrap();
    db.execute("UPDATE rs_schema_version SET version = 1000", []).unwrap();
    drop(db);
    let Err(error) = start(settings(dir.path())).0 else { panic!("it has started") };
    assert_eq!(error.exit_code(), 78, "{error}");
}
