//! Calls in SQLite's files are read by SQL with the names of their objects, as
//! docs/operate/databases.md says.

use std::process::Command;

use crate::http;
use crate::platform::{Site, eventually, run};

const PAGE: &str = include_str!("../../../docs/operate/databases.md");
const GOLDEN: &str = include_str!("../../../core/model/tests/it/testdata/records.ndjson");
/// The folder of the page.
const DIR: &str = "/var/lib/ringmaster";

#[test]
fn calls_are_read_by_sql_with_their_names() {
    let site = Site::new("kind: Tenant\nname: acme\n");
    let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    // the records become older and older
    site.write("settings.yaml", &format!("{settings}  retention: {{ cdr: 36500 }}\n"));
    let script = || run(&site.path("."), &["rs", "sql-views", "-c", "settings.yaml"]);
    let (code, out, told) = script();
    assert_eq!((code, &*out), (8, ""), "nothing is there: {told}");
    let _rs = site.start_rs();
    let lines: Vec<&str> = GOLDEN.lines().take(3).collect();
    let header = "Content-Type: application/x-ndjson\r\n";
    let body = lines.join("\n") + "\n";
    let sent = http::ask(site.rs_http(), "POST", "/api/v1/records", header, &body).unwrap();
    assert_eq!(sent.status, 200, "{}", sent.body);
    let stored = || http::metric(site.rs_http(), "rs_apply_records_total");
    eventually("all is stored", stored, |stored| *stored == 3.0);

    let (code, out, told) = script();
    assert_eq!((code, &*told), (0, ""));
    site.write("views.sql", &out);
    let program = PAGE.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let program = program.replace(DIR, site.path("data").to_str().unwrap());
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/stomp/bin/python");
    let read = Command::new(python)
        .args(["-c", &program])
        .current_dir(site.path("."))
        .output()
        .expect("Python is installed there (test.sh does it)");
    let read = [read.stdout, read.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(read, ["20261122 acme 2\n".to_owned(), String::new()]);

    let (code, _, told) =
        run(&site.path("."), &["rs", "sql-views", "-c", "settings.yaml", "--from", "20261123"]);
    assert!(code == 8 && told.contains("no file of such a day"), "{code} {told}");
}
