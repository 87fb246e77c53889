//! What the purge has written into files comes back, by the command of docs/operate/retention.md.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::http;
use crate::platform::{Site, eventually};

const PAGE: &str = include_str!("../../../docs/operate/retention.md");
const GOLDEN: &str = include_str!("../../../core/model/tests/it/testdata/records.ndjson");
/// Those of calls, with their events and reports.
const RECORDS: usize = 11;
/// Where the page has its files.
const DIR: &str = "/var/lib/ringmaster/export";

/// How many days are kept, from the next start on; anna may do everything, mcp-1 only send, and who
/// gives no name is let in.
fn keep(site: &Site, days: u32) {
    let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    let settings = settings.split("  retention:").next().unwrap();
    let more = format!(
        "  retention: {{ cdr: {days}, events: {days} }}\n  \
           export: {{ before_purge: {{ dir: export, compress: zstd }} }}\n  \
           auth: {{ users_file: users, anonymous: true }}\n"
    );
    site.write("settings.yaml", &format!("{settings}{more}"));
}

fn add_user(site: &Site, name: &str, roles: &str) -> String {
    site.write(&format!("{name}.password"), &format!("secret of {name}\n"));
    let line = format!("ringmaster rs user {name} --roles {roles} < {name}.password");
    shell(site, &line).1
}

/// Exit code, stdout, stderr of a line.
fn shell(site: &Site, line: &str) -> (i32, String, String) {
    let line = line.replace("ringmaster rs ", concat!(env!("CARGO_BIN_EXE_ringmaster"), " rs "));
    let output =
        Command::new("sh").args(["-c", &line]).current_dir(site.path(".")).output().unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// The page's command in this site, with more options.
fn import(site: &Site, more: &str) -> (i32, String, String) {
    let command = PAGE.lines().find(|line| line.starts_with("ringmaster rs import ")).unwrap();
    shell(
        site,
        &format!("{} --rs http://{} {more}", command.replace(DIR, "export"), site.rs_http()),
    )
}

fn listed(site: &Site) -> Vec<Value> {
    let list = http::json(site.rs_http(), "/api/v1/calls?from=2026-11-22T00:00:00Z&legs=true");
    list["items"].as_array().unwrap().clone()
}

/// Calls with all that is known of them; numbers that a database gives by itself are its own.
fn calls(site: &Site) -> Vec<Value> {
    let list = listed(site);
    let items = list.iter().map(|item| {
        let path =
            format!("/api/v1/calls/{}?include=trace,events,var", item["key"].as_str().unwrap());
        let mut call = json!({"item": item, "detail": http::json(site.rs_http(), &path)});
        forget_numbers(&mut call);
        call
    });
    items.collect()
}

fn forget_numbers(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let given = members.get("id").and_then(Value::as_u64).is_some_and(|id| id >= 3_000_000);
            if given {
                members.insert("id".to_owned(), json!("given"));
            }
            members.values_mut().for_each(forget_numbers);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_numbers),
        _ => {}
    }
}

fn figures(site: &Site) -> Vec<Value> {
    let of = |figure: &str, by: &str| {
        let day = "from=2026-11-22T00:00:00Z&to=2026-11-23T00:00:00Z";
        let path = format!("/api/v1/series/{figure}?granularity=HOUR&dim={by}&{day}");
        http::json(site.rs_http(), &path)["series"].clone()
    };
    vec![of("arrivals", "tenant"), of("peaks", "tenant"), of("var", "profile")]
}

fn post(site: &Site, path: &str, kind: &str, body: &str) -> u16 {
    let header = format!("Content-Type: {kind}\r\n");
    http::ask(site.rs_http(), "POST", path, &header, body).unwrap().status
}

/// A site whose calls were stored, and then written down and purged: with them, and its figures.
fn purged() -> (Site, Vec<Value>, Vec<Value>) {
    let site = Site::new("kind: Tenant\nname: acme\n");
    let users = [add_user(&site, "anna", "admin"), add_user(&site, "mcp-1", "producer")];
    site.write("users", &users.concat());
    keep(&site, 36_500);
    let rs = site.start_rs();
    let lines: Vec<&str> = GOLDEN.lines().take(RECORDS).collect();
    let body = lines.join("\n") + "\n";
    assert_eq!(post(&site, "/api/v1/records", "application/x-ndjson", &body), 200);
    let stored = || http::metric(site.rs_http(), "rs_apply_records_total");
    eventually("all is stored", stored, |stored| *stored == 11.0);
    let before = calls(&site);
    assert_eq!(before.len(), 5);
    rs.kill();
    keep(&site, 1);
    let rs = site.start_rs();
    let gone = || {
        assert_eq!(post(&site, "/api/v1/retention/run", "application/json", ""), 202);
        listed(&site).len()
    };
    // what is killed now has begun to go, and does not come back
    eventually("all is over", gone, |left| *left == 0);
    // a day goes when its figures are made
    let made = figures(&site);
    drop(rs);
    (site, before, made)
}

fn export(site: &Site, kind: &str) -> PathBuf {
    site.path(&format!("export/{kind}-20261122.ndjson.zst"))
}

#[test]
fn what_was_written_down_is_read_back() {
    let (site, before, made) = purged();
    let rs = site.start_rs();
    let (code, out, told) = import(&site, "");
    assert_eq!((code, &*out), (3, ""), "{told}");
    assert!(told.contains("Raise rs.retention.cdr first"), "{told}");
    assert!(listed(&site).is_empty());
    rs.kill();

    std::fs::remove_dir_all(site.path("data")).unwrap();
    keep(&site, 36_500);
    let rs = site.start_rs();
    let (code, out, told) = import(&site, "--user anna --password-file anna.password");
    assert_eq!((code, &*told), (0, ""), "{out}");
    // a run that ended between writing down and deleting has written the same once more
    for kind in ["cdr", "events", "var"] {
        let lines: Vec<_> =
            out.lines().filter(|line| line.contains(&format!("/{kind}-"))).collect();
        let told = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
        assert_eq!(told(", dead letters 0"), lines.len(), "{out}");
        assert_eq!(told(", there already 0,"), 1, "the first stores all of it: {out}");
        assert_eq!(told(": stored 0,"), lines.len() - 1, "the others nothing: {out}");
    }
    assert_eq!(calls(&site), before);
    eventually("the same figures", || figures(&site), |found| *found == made);

    let (code, out, told) = import(&site, "");
    assert_eq!((code, &*told), (0, ""), "{out}");
    assert!(out.lines().all(|line| line.contains(": stored 0, ")), "{out}");
    assert_eq!(calls(&site), before, "nothing is there twice");
    assert_eq!(figures(&site), made);
    drop(rs);
}

#[test]
fn what_is_no_whole_file_is_not_sent_and_not_by_everybody() {
    let (site, ..) = purged();
    std::fs::remove_dir_all(site.path("data")).unwrap();
    keep(&site, 36_500);
    let rs = site.start_rs();
    let refused = |what: &str, code: i32, text: &str| {
        let (found, out, told) = import(&site, "");
        assert_eq!((found, &*out), (code, ""), "{what}: {told}");
        assert!(told.contains(text), "{what}: {told}");
    };
    let events = std::fs::read(export(&site, "events")).unwrap();
    let mut flipped = events.clone();
    *flipped.last_mut().unwrap() ^= 1;
    std::fs::write(export(&site, "events"), flipped).unwrap();
    refused("a flipped byte", 3, "events-20261122.ndjson.zst: its BLAKE3 is ");
    std::fs::write(export(&site, "events"), events).unwrap();

    let path = site.path("export/events-20261122.ndjson.zst.manifest.json");
    let manifest = std::fs::read_to_string(&path).unwrap();
    let mut other: Value = serde_json::from_str(&manifest).unwrap();
    other["rows"] = json!(other["rows"].as_u64().unwrap() + 1);
    std::fs::write(&path, other.to_string()).unwrap();
    refused("other rows", 3, " records, and its manifest says ");
    std::fs::remove_file(&path).unwrap();
    refused("no manifest", 8, "events-20261122.ndjson.zst.manifest.json: No such file");
    std::fs::write(&path, manifest).unwrap();

    site.write("wrong.password", "wrong\n");
    for (user, file, text) in [
        ("anna", "wrong", "401: "),
        ("mcp-1", "mcp-1", "403: this needs a role that user mcp-1 has not"),
    ] {
        let (code, out, told) =
            import(&site, &format!("--user {user} --password-file {file}.password"));
        assert_eq!((code, &*out), (6, ""), "{told}");
        assert!(told.contains(text), "{told}");
    }
    assert!(listed(&site).is_empty(), "nothing was sent");
    rs.kill();

    // sent all the same, it becomes dead letters, of which the command tells
    keep(&site, 1);
    let rs = site.start_rs();
    let (code, out, told) = import(&site, "--older");
    assert_eq!(code, 3, "{told}");
    assert!(out.contains(": stored 0, there already 0, dead letters "), "{out}");
    assert!(out.contains(" expired_partition)\n") && out.lines().count() == 1, "{out}");
    assert!(told.contains("files behind it were not sent"), "{told}");
    rs.kill();
    refused("nobody there", 7, "");
}
