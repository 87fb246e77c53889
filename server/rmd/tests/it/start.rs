//! Starts that are refused, and what they leave behind: nothing.

use crate::node::{objects, settings, start};
use rmd::Stop;
use std::net::TcpListener;

#[test]
fn a_second_node_in_one_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = start(settings(dir.path(), ""), &objects(&[], 1)).unwrap();
    let error = start(settings(dir.path(), ""), &objects(&[], 1)).err().unwrap();
    assert_eq!(error.exit_code(), 8);
    assert!(error.to_string().starts_with("directory locked"), "{error}");
    first.stop(Stop::Now);
    assert_eq!(first.wait().legs_left, 0);
    start(settings(dir.path(), ""), &objects(&[], 1)).unwrap();
}

#[test]
fn an_address_in_use_is_refused_and_frees_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap();
    let mut refused = settings(dir.path(), "");
    refused.rm.http = taken;
    let error = start(refused, &objects(&[], 1)).err().unwrap();
    assert_eq!(error.exit_code(), 8);
    assert_eq!(error.to_string(), format!("cannot listen on http {taken}"));
    start(settings(dir.path(), ""), &objects(&[], 1)).unwrap();
}
