//! Days that a tenant has in the Config Server (rs.md §10), in a whole daemon: they are in force
//! from the moment on at which its configuration is, and not any longer.

use std::path::Path;

use config::Settings;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::database::on;
use super::house::{House, Made, after, now};
use crate::postgres::Server;

const DAY_MS: u64 = 86_400_000;
const SINCE: &str = "/api/v1/calls?legs=true&from=2026-01-01T00:00:00Z&tenant=";

/// Objects of which acme has a label.
fn write(file: &Path, days: Option<&str>) {
    let labels = days.map(|days| format!("labels: {{gvp/dbmp/rs.db.retention.cdr.102: '{days}'}}"));
    let labels = labels.unwrap_or_default();
    let text = format!(
        "kind: Tenant\nname: acme\ndbid: 102\n{labels}\n---\nkind: Tenant\nname: beta\ndbid: 104\n"
    );
    let new = file.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, file).unwrap();
}

/// Ten days ago.
fn call(number: u32) -> String {
    let started = model::time::Millis(now().0 / DAY_MS * DAY_MS - 10 * DAY_MS + 43_200_000);
    let ended = Some(after(started, 1000));
    Made { number, started, ended, remote_uri: "sip:a@b" }.record()
}

fn calls(house: &House, tenant: u32) -> usize {
    house.json(&format!("{SINCE}{tenant}"))["items"].as_array().unwrap().len()
}

/// Purges until it is so: a day waits for its figures.
fn purges_until(house: &House, so: impl Fn(&House) -> bool) {
    house.until(|house| {
        assert_eq!(house.post("/api/v1/retention/run", &[], b"").status, 202);
        let jobs = |house: &House| house.json("/api/v1/jobs").to_string();
        house.until(|house| !jobs(house).contains("running") && !jobs(house).contains("waiting"));
        so(house)
    });
}

fn overrides(house: &House) -> Value {
    house.json("/api/v1/retention")["overrides"].clone()
}

fn keeps_what_it_says(change: impl Fn(&mut Settings)) {
    let mut house = House::in_dir(tempfile::tempdir().unwrap(), &change);
    house.send(&[call(1), call(2).replace("acme", "beta").replace(":102", ":104")]);
    assert_eq!((calls(&house, 102), calls(&house, 104)), (1, 1));
    let House { rs, dir, .. } = house;
    rs.stop();
    assert!(!rs.wait().failed);
    let file = dir.path().join("objects.yaml");
    write(&file, Some("90"));
    let house = House::in_dir(dir, |settings| {
        change(settings);
        settings.rs.retention.cdr = 1;
        settings.config_file = Some(file.clone());
    });
    let one = &overrides(&house)[0];
    assert_eq!((&one["id"], &one["cdr"]), (&json!(102), &json!(90)), "{one}");
    assert_eq!((&one["origin"]["cdr"], &one["set_at"]), (&json!("annex"), &Value::Null), "{one}");
    purges_until(&house, |house| calls(house, 104) == 0);
    assert_eq!(calls(&house, 102), 1, "acme keeps its call");

    let put = |body: &[u8]| {
        let at = house.rs.addresses().http;
        super::house::send(at, ("PUT", "/api/v1/retention"), &[], body).status
    };
    assert_eq!(put(br#"{"scope": "tenant", "id": 102, "events": 3}"#), 204);
    let one = &overrides(&house)[0];
    assert_eq!((&one["cdr"], &one["events"]), (&json!(90), &json!(3)), "{one}");
    let origin = json!({"cdr": "annex", "events": "api", "var": null});
    assert_eq!(one["origin"], origin);
    assert_eq!(house.ask("DELETE", "/api/v1/retention/tenant/102", &[]).status, 204);

    write(&file, Some("ninety"));
    let told = |line: &String| line.contains(" 31205 ") && line.contains("W604");
    house.until(|house| house.lines.lines().iter().any(told));
    house.until(|house| overrides(house) == json!([]));
    write(&file, Some("90"));
    house.until(|house| overrides(house)[0]["cdr"] == json!(90));
    write(&file, None);
    house.until(|house| overrides(house) == json!([]));
    purges_until(&house, |house| calls(house, 102) == 0);
}

#[test]
fn an_annex_keeps_its_tenants_calls_on_sqlite() {
    keeps_what_it_says(|_| {});
}

#[test]
fn an_annex_keeps_its_tenants_calls_on_postgresql() {
    let server = Server::start();
    keeps_what_it_says(|settings| on(&server)(settings));
}

/// A Reporting Server that has lost its copy of the configuration takes nothing that it would keep.
#[test]
fn nothing_goes_before_the_configuration_is_known_that_has_days() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("objects.yaml");
    write(&file, Some("90"));
    let house = House::in_dir(dir, |settings| settings.config_file = Some(file.clone()));
    let noted = |dir: &Path| -> Option<String> {
        let db = Connection::open(dir.join("rs/rs.db")).unwrap();
        let sql = "SELECT value FROM rs_meta WHERE key = 'rollup.annexed'";
        db.query_row(sql, [], |row| row.get(0)).ok()
    };
    house.until(|house| noted(house.dir.path()).as_deref() == Some("1"));
    let House { rs, dir, .. } = house;
    rs.stop();
    assert!(!rs.wait().failed);
    // nobody answers there, and nothing is known of it
    let house = House::without_configuration(dir);
    assert_eq!(house.post("/api/v1/retention/run", &[], b"").status, 202);
    house.until(|house| {
        house.json("/api/v1/jobs").to_string().contains("the configuration is not known yet")
    });
    let House { rs, dir, .. } = house;
    rs.stop();
    assert!(!rs.wait().failed);
    write(&file, None);
    let house = House::in_dir(dir, |settings| settings.config_file = Some(file.clone()));
    house.until(|house| noted(house.dir.path()).as_deref() == Some("0"));
    purges_until(&house, |house| {
        house.json("/api/v1/retention")["last_run"]["finished"] == json!(true)
    });
}
