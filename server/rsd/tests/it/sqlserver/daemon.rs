//! The whole daemon on SQL Server's dialect, by its settings; and what `rs-init` makes by them.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use config::Settings as BootSettings;
use rsd::init_database;

use super::story::{guid, rm};
use crate::api::house::{House, settings};
use crate::tds::{Answer, Endpoint, Identity, Settings, StandIn, What};

/// A database of that endpoint, with the password in a file.
pub(crate) fn on(endpoint: &Endpoint, dir: &Path) -> impl FnOnce(&mut BootSettings) {
    let password = dir.join("password");
    fs::write(&password, "secret\n").unwrap();
    let (port, ca) = (endpoint.port(), endpoint.authority());
    let url = format!("sqlserver://localhost:{port}/calls?caFile={}", ca.display());
    move |settings| {
        settings.rs.database.url = Some(url);
        settings.rs.database.user = Some("rs".to_owned());
        settings.rs.database.password_file = Some(password);
    }
}

#[test]
fn a_daemon_stores_and_reports_through_a_deadlock_and_a_lost_connection() {
    let engine = Arc::new(StandIn::new());
    let behind = Arc::clone(&engine);
    let batches = AtomicUsize::new(0);
    let endpoint = Endpoint::start(Settings::secure(Identity::new()), move |request| {
        let ledger = request.what.sql().is_some_and(|sql| sql.contains("INTO rs_fact_ledger ("));
        match ledger.then(|| batches.fetch_add(1, Ordering::SeqCst)) {
            Some(0) => Some(Answer::default().and_error(1205, "deadlock victim")),
            Some(1) => Some(Answer::close()),
            _ => behind.answer(request),
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let house = House::in_dir(tempfile::tempdir().unwrap(), on(&endpoint, dir.path()));
    house.until(|house| {
        let lines = house.lines.lines();
        lines.iter().any(|line| line.contains("it answers") && line.contains(": SQL Server 1"))
    });
    let headers = [("Content-Type", "application/json")];
    let calls: Vec<String> = (1..=3).flat_map(|number| rm(number, number, "acme")).collect();
    let body = format!("[{}]", calls.join(","));
    let answer = house.post("/api/v1/records", &headers, body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
    house.until(|house| house.metric("rs_apply_records_total") == "6");
    assert_eq!(house.sum("rs_apply_duplicates_total"), 0);
    let rows = ["rs_call", "rs_fact_ledger", "rs_dead_letter"].map(|table| engine.rows(table));
    assert_eq!(rows, [3, 6, 0]);
    let call = house.get(&format!("/api/v1/calls/{}", guid(3, 3)));
    assert_eq!(call.status, 200, "{}", call.body);
    assert!(call.body.contains("USER_END") && call.body.contains("acme"), "{}", call.body);
}

#[test]
fn rs_init_follows_the_settings() {
    let engine = StandIn::new();
    let endpoint =
        Endpoint::start(Settings::secure(Identity::new()), move |request| engine.answer(request));
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(dir.path());
    assert!(!init_database(&settings).unwrap(), "SQLite needs nothing");
    on(&endpoint, dir.path())(&mut settings);
    settings.rs_init.database.user = Some("owner".to_owned());
    settings.rs_init.database.admin_password_file = settings.rs.database.password_file.clone();
    assert!(init_database(&settings).unwrap());
    let made = endpoint.asked().into_iter().filter_map(|what| match what {
        What::Call { sql, values, .. } if sql.contains("CREATE LOGIN") => {
            Some(format!("{:?}", values[0]))
        }
        _ => None,
    });
    let made: Vec<_> = made.collect();
    assert_eq!(made, [r#"Text("owner")"#, r#"Text("rs")"#, r#"Text("mssqlreader")"#]);
    settings.rs.database.schema = Some("other".to_owned());
    let refused = init_database(&settings).unwrap_err();
    assert!(refused.to_string().contains("rs.database_schema"), "{refused}");
    assert_eq!(refused.exit_code(), 78);
    settings.rs.database.schema = None;
    settings.rs.database.uri_indexes = Some(true);
    let refused = init_database(&settings).unwrap_err();
    assert!(refused.to_string().contains("rs.database_uri_indexes"), "{refused}");
    assert_eq!(refused.exit_code(), 78);
}
