//! A Config Server under calls: every change counts with the next call, and no call fails of it
//! (ops.md §1.10, §14).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::{Value, json};

use crate::calls::{healthy, objects_at};
use crate::config_changes::{CHANGES, Change, covered};
use crate::dns::Dnsmasq;
use crate::http;
use crate::platform::{Process, Site, eventually, free_port};
use crate::report;
use crate::sipp::{Media, Plan};

const NUMBER: &str = "18005550100";

/// A site whose objects are those of a Config Server, which begins with them.
struct Platform {
    site: Site,
    server: SocketAddr,
}

impl Platform {
    fn new(objects: &str) -> Self {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let server = SocketAddr::new(local, free_port(local));
        let site = Site::new(objects);
        let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
        let sections = format!(
            "config: {{ server: \"http://{server}\" }}\n\
             config_server: {{ listen: \"{server}\", seed: platform.yaml }}"
        );
        let settings = settings.replace("config: { file: platform.yaml }", &sections);
        assert!(settings.contains(&sections), "{settings}");
        site.write("settings.yaml", &settings);
        Self { site, server }
    }

    fn start_server(&self) -> Process {
        self.site.start(&["config-server", "-c", "settings.yaml"])
    }

    /// An object as it is.
    fn object(&self, kind: &str, name: &str) -> Value {
        http::json(self.server, &format!("/v1/objects/{kind}/{name}"))
    }

    /// Puts an object; the revision at which it stands.
    fn put(&self, object: &Value) -> u64 {
        let transaction = json!({ "operations": [{ "op": "put", "object": object }] });
        self.transact(&transaction)
    }

    fn transact(&self, transaction: &Value) -> u64 {
        let answer = http::post(self.server, "/v1/transactions", transaction);
        answer["revision"].as_u64().unwrap_or_else(|| panic!("{answer}"))
    }

    /// Changes one field, and waits until RM has it.
    fn change(&self, change: &Change) {
        let mut object = self.object(change.kind, change.name);
        let field = change.path.iter().fold(&mut object, |at, step| match step.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[*step],
        });
        let value: Value = serde_json::from_str(change.value).unwrap();
        assert_ne!(*field, value, "{change:?} changes nothing");
        *field = value;
        self.site.until_revision(self.put(&object));
    }
}

/// kill -9 of the Config Server and its return, again and again, under calls.
#[test]
fn calls_go_on_while_the_config_server_is_killed_and_restarted() {
    let media = Media::start();
    let platform = Platform::new(&objects_at(&[media.address], "{}"));
    let site = &platform.site;
    let mut server = Some(platform.start_server());
    let _rs = site.start_rs();
    let _rm = site.start_rm();
    healthy(site, 1);
    let numbers = [NUMBER];
    let callers = Plan { rate: 50, ..Plan::new(site.sip(), &numbers, 500) }.start();
    for round in 0..3 {
        let tenant = json!({ "kind": "Tenant", "name": format!("t-{round}") });
        platform.site.until_revision(platform.put(&tenant));
        server.take().unwrap().kill();
        std::thread::sleep(Duration::from_millis(800));
        server = Some(platform.start_server());
    }
    let last = platform.put(&json!({ "kind": "Tenant", "name": "last" }));
    platform.site.until_revision(last);
    callers.finish();
    let cdrs = report::exactly(site.rm_http(), site.rs_http(), 500);
    assert!(cdrs.iter().all(|cdr| cdr["end-state"] == "USER_END"));
    let clients = http::json(platform.server, "/v1/clients");
    let all = clients["items"].as_array().unwrap();
    let applied = |name: &str| {
        let own = all.iter().find(|client| client["name"] == name);
        own.map(|client| client["applied"].clone())
    };
    assert_eq!(applied("rm-1"), Some(last.into()), "{clients}");
    assert_eq!(applied("rs-1"), Some(last.into()), "{clients}");
}

/// A Config Server that was wiped and filled with something else takes nothing away, whether its
/// number is lower, the same or higher; an operator can want it.
#[test]
fn a_wiped_config_server_takes_nothing_away_from_calls() {
    let media = Media::start();
    let platform = Platform::new(&objects_at(&[media.address], "{}"));
    let site = &platform.site;
    let server = platform.start_server();
    let mut rm = site.start_rm();
    healthy(site, 1);
    platform.site.until_revision(platform.put(&json!({ "kind": "Tenant", "name": "more" })));
    let numbers = [NUMBER];
    let callers = Plan { rate: 50, ..Plan::new(site.sip(), &numbers, 600) }.start();
    server.kill();
    std::fs::remove_dir_all(site.path("data/config")).unwrap();
    site.write("platform.yaml", "kind: Tenant\nname: other\n");
    let _server = platform.start_server();
    let line = rm.line_with(" 20603 ");
    assert!(line.contains("W408") && line.contains("alarm=RMConfigRejected"), "{line}");
    let rejected = "ringmaster_config_client_rejected_revision{component=\"rm\"}";
    let refuses = |revision: f64| {
        let told = || http::metric(site.rm_http(), rejected);
        eventually("it is refused", told, |told| *told == revision);
    };
    refuses(1.0);
    for revision in [2.0, 3.0] {
        platform.put(&json!({ "kind": "Tenant", "name": format!("t-{revision}") }));
        refuses(revision);
    }
    callers.finish();
    Plan::new(site.sip(), &numbers, 20).run();
    let config = http::json(site.rm_http(), "/v1/config");
    assert_eq!(config["rev"], 2, "{config}");
    assert!(config["rejected"]["errors"][0].as_str().unwrap().contains("W408"), "{config}");
    let told = || {
        let clients = http::json(platform.server, "/v1/clients")["items"].clone();
        let own = clients.as_array().unwrap().iter().find(|one| one["name"] == "rm-1").cloned();
        own.map(|own| (own["applied"].clone(), own["rejected"]["revision"].clone()))
    };
    eventually("clients", told, |told| *told == Some((2.into(), 3.into())));

    // it is wanted: without what was kept a node takes what it finds
    rm.signal("TERM");
    assert!(rm.wait(Duration::from_secs(60)).success());
    std::fs::rename(site.path("data/rm/snapshot"), site.path("data/rm/before")).unwrap();
    let _rm = site.start_rm();
    platform.site.until_revision(3);
}

/// Every field of every kind, one after the other, under 100 calls a second.
#[test]
fn every_field_of_every_kind_changes_under_calls() {
    assert_eq!(covered(), Vec::<String>::new(), "fields that no row changes");
    let media = Media::start();
    let calls = objects_at(&[media.address], "{ usage_limit: 100000 }");
    let platform =
        Platform::new(&format!("{calls}---\n{}", include_str!("scenarios/changes.yaml")));
    let site = &platform.site;
    // the name that a group looks for is nobody's
    let dns = Dnsmasq::start(&[]);
    dns.tell(site);
    let _server = platform.start_server();
    let _rs = site.start_rs();
    let _rm = site.start_rm();
    let state = || {
        let all = http::json(site.rm_http(), "/v1/resources")["resources"].clone();
        let own = all.as_array().unwrap().iter().find(|one| one["name"] == "mcp-1").cloned();
        own.map(|own| own["state"].clone())
    };
    eventually("mcp-1 is healthy", state, |state| *state == Some("healthy".into()));

    let numbers = [NUMBER];
    // calls are coming whenever a change is made, however long that takes here
    let parts = CHANGES.chunks(10);
    let (part, all) = (150, 150 * parts.len());
    for changes in parts.clone() {
        let callers = Plan { rate: 100, ..Plan::new(site.sip(), &numbers, part) }.start();
        for change in changes {
            platform.change(change);
        }
        callers.finish();
    }
    let cdrs = report::exactly(site.rm_http(), site.rs_http(), all);
    assert!(cdrs.iter().all(|cdr| cdr["end-state"] == "USER_END"), "no call failed");

    // the next call sees the change, and its record the revision
    let mut tenant = platform.object("Tenant", "acme");
    let mut switched = |enabled: bool| {
        tenant["enabled"] = json!(enabled);
        let revision = platform.put(&tenant);
        platform.site.until_revision(revision);
        revision
    };
    let off = switched(false);
    Plan::new(site.sip(), &numbers, 1).refused(&site.path("."), 403).run();
    let on = switched(true);
    Plan::new(site.sip(), &numbers, 1).run();
    let cdrs = report::exactly(site.rm_http(), site.rs_http(), all + 2);
    let revision = |cdr: &report::Cdr| cdr["config-rev"].parse::<u64>().unwrap();
    let mut revisions: Vec<u64> = cdrs.iter().map(revision).collect();
    revisions.sort_unstable();
    assert_eq!(revisions.split_off(all), [off, on]);
    revisions.dedup();
    let least = parts.len();
    assert!(revisions.len() >= least, "calls under the changes carry theirs: {revisions:?}");
}
