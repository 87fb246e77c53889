//! Which nodes are gone: of the own set, of others, connected, silent, of people.

use std::time::Duration;

use config::settings::ConfigHandler;
use serde_json::{Value, json};

use super::super::maker::{Client, Found};
use super::super::plan::Node;
use super::{gone, referenced};

fn made(name: &str, by: &str, template: &str) -> Value {
    json!({ "kind": "Application", "name": name, "labels": { "ringmaster/managed-by": by },
            "spec": { "type": "resource-manager", "template": template } })
}

fn nodes(names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| made(name, "config-handler", "rm")).collect()
}

fn silent(name: &str, age_s: u64) -> Client {
    Client { name: name.to_owned(), age_s, connected: false }
}

fn connected(name: &str) -> Client {
    Client { connected: true, ..silent(name, 0) }
}

fn of(name: &str, settings: &ConfigHandler, found: &Found) -> Vec<String> {
    gone(&Node { settings, rs_app: "rs", name, address: None }, found)
}

fn two() -> ConfigHandler {
    ConfigHandler { replicas: 2, ..ConfigHandler::default() }
}

#[test]
fn nodes_that_are_gone_go_and_no_others() {
    let mut objects = nodes(&["rm-0", "rm-1", "rm-2", "left", "here", "new"]);
    objects.extend([made("rm-3", "anna", "rm"), made("rm-4", "config-handler", "other")]);
    let found = Found { objects, clients: vec![silent("left", 600), silent("here", 599)] };
    assert_eq!(of("rm-0", &two(), &found), ["rm-2", "left"]);
    let patient = ConfigHandler { prune_after: Duration::from_secs(601), ..two() };
    assert_eq!(of("rm-0", &patient, &found), ["rm-2"]);
    let unknown = ConfigHandler { replicas: 0, ..two() };
    assert_eq!(of("rm-0", &unknown, &found), ["left"]);
}

/// The number of another set says nothing about this one: its nodes go when they are silent.
#[test]
fn a_set_takes_no_node_of_another() {
    let objects = nodes(&["rm-a-0", "rm-a-3", "rm-b-4", "rm-b-5", "rm-a-x", "rm-a-+7", "rm-7"]);
    let found = Found { objects, clients: vec![silent("rm-b-5", 600)] };
    assert_eq!(of("rm-a-0", &two(), &found), ["rm-a-3", "rm-b-5"]);
    assert_eq!(of("voice", &two(), &found), ["rm-b-5"], "it is in no set");
}

#[test]
fn a_node_that_is_connected_stays() {
    let objects = nodes(&["rm-0", "rm-2", "rm-3", "other"]);
    let mut found = Found { objects, clients: vec![connected("rm-2"), connected("other")] };
    assert_eq!(of("rm-0", &two(), &found), ["rm-3"]);
    let at_once = ConfigHandler { prune_after: Duration::ZERO, ..two() };
    assert_eq!(of("rm-0", &at_once, &found), ["rm-3"]);
    found.clients = vec![silent("rm-2", 90), silent("other", 600)];
    assert_eq!(of("rm-0", &two(), &found), ["rm-2", "rm-3", "other"]);
}

#[test]
fn what_is_referenced_is_read_from_the_refusal() {
    let problem = json!({ "type": "urn:ringmaster:problem:in-use", "errors": [{ "code": "E203",
        "object": { "kind": "Application", "tenant": "Environment", "name": "rm-2" },
        "message": "still referenced by Application web" }] });
    let expected = ("rm-2".to_owned(), "still referenced by Application web".to_owned());
    assert_eq!(referenced(&problem), [expected]);
}
