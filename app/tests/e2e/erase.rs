//! A caller's number is erased by the command of docs/operate/erasure.md.

use std::process::Command;

use crate::http;
use crate::platform::{Site, eventually};

const PAGE: &str = include_str!("../../../docs/operate/erasure.md");
const GOLDEN: &str = include_str!("../../../core/model/tests/it/testdata/records.ndjson");
/// Of the golden records' caller; and as the page has one.
const NUMBER: &str = "+49 (30) 123";
const OF_PAGE: &str = "+49 (30) 123-456";

/// Exit code, stdout, stderr of the page's command for another number.
fn erase(site: &Site, number: &str, before: &str) -> (i32, String, String) {
    let command = PAGE.lines().find(|line| line.starts_with("ringmaster rs erase ")).unwrap();
    let command = command
        .replace("ringmaster ", concat!(env!("CARGO_BIN_EXE_ringmaster"), " "))
        .replace(OF_PAGE, number);
    let line = format!("{before}{command} --rs http://{}", site.rs_http());
    let output =
        Command::new("sh").args(["-c", &line]).current_dir(site.path(".")).output().unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn calls(site: &Site) -> String {
    let list = http::json(site.rs_http(), "/api/v1/calls?from=2026-11-22T00:00:00Z&legs=true");
    list["items"].to_string()
}

#[test]
fn a_number_is_erased_by_a_command() {
    let site = Site::new("kind: Tenant\nname: acme\n");
    let rs = site.start_rs();
    let lines: Vec<&str> = GOLDEN.lines().take(11).collect();
    let header = "Content-Type: application/x-ndjson\r\n";
    let body = lines.join("\n") + "\n";
    let sent = http::ask(site.rs_http(), "POST", "/api/v1/records", header, &body).unwrap();
    assert_eq!(sent.status, 200);
    let stored = || http::metric(site.rs_http(), "rs_apply_records_total");
    eventually("all is stored", stored, |stored| *stored == 11.0);
    assert!(calls(&site).contains("4930123"));
    let (code, said, why) = erase(&site, "abc", "");
    assert_eq!((code, said.as_str()), (2, ""), "{why}");
    assert!(why.contains("bad-number") || why.contains("digits"), "{why}");
    let (code, said, why) = erase(&site, NUMBER, "");
    assert_eq!(code, 0, "{why}");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "erasure 1 has begun");
    assert!(lines[1].starts_with("erasure 1 has ended: "), "{said}");
    assert!(!lines[1].contains(": 0 calls") && !calls(&site).contains("4930123"), "{said}");
    // a number that is not to be seen among processes
    let (code, said, why) = erase(&site, "-", &format!("echo '{NUMBER}' | "));
    assert_eq!(code, 0, "{why}");
    assert!(said.contains("erasure 2 has ended: 0 calls"), "{said}");
    rs.kill();
}
