//! The audit log of a whole daemon (rs.md §8): a change and its line are one, and what is no change
//! of the database has its line, too.

use serde_json::{Value, json};

use super::database;
use super::house::{self, House, golden};
use crate::postgres::Server;

const JSON: (&str, &str) = ("Content-Type", "application/json");
/// A record without a kind.
const LETTER: &str = r#"{"schema": 1, "id": "x", "producer": {"name": "rm-1"}}"#;

fn lines(house: &House, action: &str) -> Vec<Value> {
    let list = house.json(&format!("/api/v1/audit?action={action}"));
    list["items"].as_array().unwrap().clone()
}

fn all(house: &House) -> Vec<String> {
    let list = house.json("/api/v1/audit");
    let items = list["items"].as_array().unwrap().iter();
    items.map(|line| line["action"].as_str().unwrap().to_owned()).collect()
}

/// Does all that changes the database: what is answered.
fn work(house: &House, no: &str, guid: &str) -> Vec<u16> {
    let put = |body: &[u8]| {
        let at = house.rs.addresses().http;
        house::send(at, ("PUT", "/api/v1/retention"), &[], body).status
    };
    let span = br#"{"from":"2026-11-22T00:00:00Z","to":"2026-11-23T00:00:00Z"}"#;
    vec![
        put(br#"{"scope": "tenant", "id": 102, "cdr": 90}"#),
        house.ask("DELETE", "/api/v1/retention/tenant/104", &[]).status,
        house.ask("DELETE", &format!("/api/v1/dead-letters/{no}"), &[]).status,
        house.post("/api/v1/rollups/rebuild", &[JSON], span).status,
        house.post("/api/v1/erasures", &[JSON], br#"{"number": "+49 69 7654321"}"#).status,
        house.ask("DELETE", &format!("/api/v1/calls/{guid}"), &[]).status,
    ]
}

/// What it changes.
fn state(house: &House, no: &str, guid: &str) -> Vec<Value> {
    let call = house.json(&format!("/api/v1/calls/{guid}"));
    vec![
        house.json("/api/v1/retention")["overrides"].clone(),
        house.json(&format!("/api/v1/dead-letters/{no}"))["state"].clone(),
        house.json("/api/v1/erasures"),
        call["remote_uri"].clone(),
    ]
}

/// While the database takes no line it takes no change either.
fn nothing_changes_without_its_line(mut house: House, sql: impl Fn(&str), refuse: [&str; 2]) {
    house.send(&[golden(&[0, 1]), vec![LETTER.to_owned()]].concat());
    let beta = br#"{"scope": "tenant", "id": 104, "cdr": 30}"#;
    let at = house.rs.addresses().http;
    assert_eq!(house::send(at, ("PUT", "/api/v1/retention"), &[], beta).status, 204);
    let no = house.json("/api/v1/dead-letters")["items"][0]["no"].to_string();
    let list = house.json("/api/v1/calls?from=2026-11-22");
    let guid = list["items"][0]["guid"].as_str().unwrap().to_owned();
    let before = (state(&house, &no, &guid), all(&house));
    sql(refuse[0]);
    let refused = work(&house, &no, &guid);
    assert!(refused.iter().all(|status| *status >= 500), "{refused:?}");
    assert_eq!((state(&house, &no, &guid), all(&house)), before);
    let marked = house.json("/api/v1/jobs");
    assert_eq!(marked["items"], json!([]), "no job was begun");
    sql(refuse[1]);
    assert_eq!(work(&house, &no, &guid), [204, 204, 204, 202, 202, 200]);
    let after = state(&house, &no, &guid);
    assert!(after.iter().zip(&before.0).all(|(after, before)| after != before), "{after:?}");
    let mut done = all(&house);
    done.reverse();
    let expected = [
        "retention.set",
        "retention.set",
        "retention.delete",
        "dead-letter.delete",
        "rollup.rebuild",
        "erasure",
        "call-erasure",
    ];
    assert_eq!(done, expected);
}

#[test]
fn a_change_and_its_line_are_one_in_the_files() {
    let house = House::open();
    let file = house.dir.path().join("rs/rs.db");
    let sql = |text: &str| rusqlite::Connection::open(&file).unwrap().execute_batch(text).unwrap();
    let refuse = [
        "CREATE TRIGGER refuse BEFORE INSERT ON rs_audit_log
         BEGIN SELECT RAISE(ABORT, 'not now'); END",
        "DROP TRIGGER refuse",
    ];
    nothing_changes_without_its_line(house, sql, refuse);
}

#[test]
fn a_change_and_its_line_are_one_on_postgresql() {
    let server = Server::start();
    let house = House::in_dir(tempfile::tempdir().unwrap(), database::on(&server));
    let sql = |text: &str| drop(server.sql(text));
    let refuse = [
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE EXCEPTION 'not now'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON rs_audit_log
           FOR EACH ROW EXECUTE FUNCTION refuse()",
        "DROP TRIGGER refuse ON rs_audit_log",
    ];
    nothing_changes_without_its_line(house, sql, refuse);
}

/// The database is away just then; the line is there when it is back.
#[test]
fn an_alarm_that_is_ended_while_the_database_is_away_is_told_later() {
    let mut server = Server::start();
    let house = House::in_dir(tempfile::tempdir().unwrap(), database::on(&server));
    house.until(|house| house.get("/api/v1/audit").status == 200);
    server.stop();
    assert_eq!(house.ask("DELETE", "/api/v1/alarms/RS-SPOOL-SYNC", &[]).status, 204);
    assert_eq!(house.ask("DELETE", "/api/v1/alarms/RS-DB-DOWN", &[]).status, 409);
    server.run();
    house.until(|house| house.get("/api/v1/audit").status == 200);
    house.until(|house| !lines(house, "alarm.end").is_empty());
    let ended = lines(&house, "alarm.end");
    assert_eq!((ended.len(), &ended[0]["object"]), (1, &json!("RS-SPOOL-SYNC")));
}

/// What the Config Server changes while RS runs; what it says at the start is no change.
#[test]
fn settings_that_the_configuration_changes_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("objects.yaml");
    let write = |options: &str| {
        let text = format!(
            "kind: Application\nname: rs-1\nspec: {{type: reporting-server, options: {options}}}\n"
        );
        let new = file.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, &file).unwrap();
    };
    write("{cdr: {page-size: '50'}}");
    let house = House::in_dir(dir, |settings| {
        settings.rs.application = "rs-1".to_owned();
        settings.config_file = Some(file.clone());
    });
    house.until(|house| house.get("/api/v1/audit").status == 200);
    write("{cdr: {page-size: '60'}, dbmp: {rs.db.retention.cdr.default: '70'}}");
    house.until(|house| !lines(house, "settings").is_empty());
    let told = lines(&house, "settings");
    assert_eq!((told.len(), &told[0]["user"]), (1, &json!("configuration")), "{told:?}");
    assert_eq!((&told[0]["object"], &told[0]["detail"]["more"]), (&json!("rs-1"), &json!(0)));
    let changed = json!({"rs.reports.page_size": [50, 60], "rs.retention.cdr": [36_500, 70]});
    assert_eq!(told[0]["detail"]["changed"], changed);
}
