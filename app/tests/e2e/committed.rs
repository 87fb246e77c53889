//! RS killed between the commit of the database and the removal of segments (rs.md §14, 10): what
//! is left of the spool is passed over by the cursor, and nothing is stored twice.

use std::path::Path;

use model::time::Millis;

use crate::http;
use crate::platform::{Site, eventually, wall};
use crate::postgres::Server;

/// Calls, each of start and end; their pad makes more than one segment of them.
const CALLS: u32 = 60;
const PAD: usize = 400_000;
const JSON: &str = "Content-Type: application/json\r\n";

/// Start and end of a call, with what stays of a field that nobody knows cut away by RS.
fn call(at: Millis, number: u32) -> String {
    let pad = "x".repeat(PAD);
    let record = |phase: &str, more: &str| {
        format!(
            "{{\"schema\":1,\"kind\":\"cdr\",\"id\":\"tool:s-{number}/cdr.{phase}/0\",\
             \"time\":\"{at}\",\"producer\":{{\"name\":\"tool\"}},\"phase\":\"{phase}\",\
             \"component\":{{\"name\":\"tool\",\"type\":\"MCP\"}},\"session_id\":\"s-{number}\",\
             \"started_at\":\"{at}\",\"call_type\":\"INBOUND\",\"local_uri\":\"sip:a\",\
             \"remote_uri\":\"sip:b\",\"pad\":\"{pad}\"{more}}}"
        )
    };
    let end = format!(",\"ended_at\":\"{at}\",\"end_state\":\"USER_END\"");
    format!("[{},{}]", record("start", ""), record("end", &end))
}

fn send(site: &Site, call: &str) {
    let answer = http::ask(site.rs_http(), "POST", "/api/v1/records", JSON, call).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// Files of a folder, without those of its folders.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

#[test]
fn what_was_committed_before_a_kill_is_passed_over_after_it() {
    let mut database = Server::start();
    let site = Site::new("kind: Tenant\nname: acme\n");
    let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    let more = format!("  database: \"{}\"\n  spool: {{ limit: 256MiB }}\n", database.url());
    site.write("settings.yaml", &(settings + &more));
    let rs = site.start_rs();
    let at = wall();
    let send = |number| send(&site, &call(at, number));
    let metric = |name: &str| http::metric(site.rs_http(), name);
    send(0);
    eventually("the first is stored", || metric("rs_apply_records_total"), |n| *n == 2.0);

    database.stop();
    (1..CALLS).for_each(send);
    let (spool, kept) = (site.path("data/rs/spool"), site.path("kept"));
    copy(&spool, &kept);
    let before = metric("rs_spool_bytes");
    database.run();
    eventually("all is stored", || metric("rsQueueSize"), |size| *size == 0.0);
    eventually("segments go", || metric("rs_spool_bytes"), |bytes| *bytes < before);
    rs.kill();
    // as if the kill had come before the first of them went
    std::fs::remove_dir_all(&spool).unwrap();
    copy(&kept, &spool);

    let rs = site.start_rs();
    eventually("they go now", || metric("rs_spool_bytes"), |bytes| *bytes < before);
    assert_eq!(metric("rsQueueSize"), 0.0);
    send(CALLS);
    eventually("the next is stored", || metric("rs_apply_records_total"), |n| *n == 2.0);
    assert_eq!(
        http::summed(site.rs_http(), "rs_apply_duplicates_total"),
        0.0,
        "frames are passed over, not judged"
    );
    let calls = CALLS + 1;
    for (table, rows) in [("rs_call", calls), ("rs_fact_ledger", 2 * calls)] {
        let found = database.sql(&format!("SELECT count(*) FROM {table}"));
        assert_eq!(found, rows.to_string(), "{table}");
    }
    let list = http::json(site.rs_http(), "/api/v1/calls?legs=true&limit=1000");
    assert_eq!(list["items"].as_array().unwrap().len(), usize::try_from(calls).unwrap());
    // and what is sent again is a duplicate, as ever
    send(1);
    let again = || http::summed(site.rs_http(), "rs_apply_duplicates_total");
    eventually("known", again, |duplicates| *duplicates >= 1.0);
    assert_eq!(database.sql("SELECT count(*) FROM rs_call"), calls.to_string());
    drop(rs);
}
