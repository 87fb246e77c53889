//! A thousand calls of real SIP clients, and their records on the report.

use std::collections::{BTreeMap, BTreeSet};

use crate::platform::{Site, eventually};
use crate::sipp::{Media, Plan, Via};
use crate::{http, report};

/// One tenant with four numbers, two media servers.
pub(crate) fn objects(media: &[&Media], tenant_policy: &str) -> String {
    let places: Vec<String> = media.iter().map(|media| media.address.to_string()).collect();
    objects_at(&places, tenant_policy)
}

/// The same with servers of any kind at `places`. None is taken for dead or silent because the
/// machine has no time for it.
pub(crate) fn objects_at(places: &[impl std::fmt::Display], tenant_policy: &str) -> String {
    let resources: String = (1..)
        .zip(places)
        .map(|(n, place)| format!("    - {{ name: mcp-{n}, address: \"sip:{place}\" }}\n"))
        .collect();
    format!(
        "kind: Tenant\nname: acme\nspec: {{ policy: {tenant_policy} }}\n---\n\
         kind: IvrProfile\nname: acme-main\ntenant: acme\nspec:\n  service: voicexml\n  \
           initial_page_url: \"http://apps.acme.example/start.vxml?lang=en\"\n---\n\
         kind: DidGroup\nname: acme-numbers\ntenant: acme\n\
         spec:\n  profile: acme-main\n  \
           dids: [\"18005550100\", \"18005550200-18005550299\", \"1900*\"]\n\
         ---\n\
         kind: ResourceGroup\nname: mcp\nspec:\n  services: [voicexml]\n  \
           monitor: {{ interval: 1s, timeout: 500ms, down_after: 5 }}\n  try_timeout: 10s\n  \
           resources:\n{resources}"
    )
}

/// Waits until RM has seen its media servers alive.
pub(crate) fn healthy(site: &Site, count: usize) {
    let healthy = || {
        let resources = http::json(site.rm_http(), "/v1/resources");
        let all = resources["resources"].as_array().unwrap().clone();
        all.iter().filter(|resource| resource["state"] == "healthy").count()
    };
    eventually("healthy media servers", healthy, |found| *found == count);
}

#[test]
fn a_thousand_calls_over_udp_and_tcp_are_all_on_the_report() {
    let media = [Media::start(), Media::start()];
    let site = Site::new(&objects(&[&media[0], &media[1]], "{}"));
    let _rs = site.start_rs();
    let rm = site.start_rm();
    healthy(&site, 2);
    let memory = std::fs::read_to_string(format!("/proc/{}/status", rm.id())).unwrap();
    assert!(memory.contains("THP_enabled:\t0"), "{memory}");

    let numbers = ["18005550100", "18005550234", "19001234567"];
    let udp = Plan::new(site.sip(), &numbers, 500);
    let tcp = Plan { via: Via::Tcp, ..Plan::new(site.sip(), &numbers, 500) };
    udp.run();
    tcp.run();

    let cdrs = report::exactly(site.rm_http(), site.rs_http(), 1000);
    let sessions: BTreeSet<&str> = cdrs.iter().map(|cdr| cdr["session-id"].as_str()).collect();
    assert_eq!(sessions.len(), 1000, "no call is reported twice");
    let mut by_server: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for cdr in &cdrs {
        for attribute in ["start", "answer", "end"] {
            assert!(cdr[attribute].ends_with('Z'), "{attribute} of {cdr:?}");
        }
        // Fractions are trimmed; without the Z, shorter is earlier.
        let [start, answer, end] =
            ["start", "answer", "end"].map(|at| cdr[at].trim_end_matches('Z'));
        assert!(start <= answer && answer <= end, "{cdr:?}");
        assert_eq!(cdr["tenant/name"], "acme");
        assert_eq!(cdr["application/name"], "acme-main");
        assert_eq!(cdr["end-state"], "USER_END");
        assert_eq!(cdr["reason"], "normal");
        assert_eq!(cdr["sip-status"], "200");
        by_server.entry(&cdr["resource/name"]).or_default().insert(&cdr["call-id"]);
    }
    for (media, name) in media.iter().zip(["mcp-1", "mcp-2"]) {
        let answered = media.answered();
        let answered: BTreeSet<&str> = answered.iter().map(String::as_str).collect();
        assert_eq!(by_server[name], answered, "calls of {name}");
        assert_eq!(answered.len(), 500, "round robin shares evenly");
    }
}

#[test]
fn the_page_of_calls_pages_and_filters() {
    let media = Media::start();
    let site = Site::new(&objects(&[&media], "{}"));
    let _rs = site.start_rs();
    let _rm = site.start_rm();
    healthy(&site, 1);
    Plan::new(site.sip(), &["18005550100", "18005550234"], 20).run();
    report::exactly(site.rm_http(), site.rs_http(), 20);

    let path = "/api/v1/calls?state=completed&dn=18005550100&limit=4";
    let mut found = Vec::new();
    let mut next = String::new();
    loop {
        let page = http::json(site.rs_http(), &format!("{path}{next}"));
        found.extend(page["items"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(found.len(), 10);
    assert!(found.iter().all(|call| call["dn"] == "18005550100" && call["state"] == "completed"));
    let guid = found[0]["guid"].as_str().unwrap();
    let call = http::json(site.rs_http(), &format!("/api/v1/calls/{guid}"));
    assert_eq!(call["guid"], guid);
    assert_eq!(call["legs"].as_array().unwrap().len(), 1);

    let unknown = http::get(site.rs_http(), "/api/v1/calls?nonsense=1").unwrap();
    assert_eq!(unknown.status, 400, "{}", unknown.body);
    let bad = http::get(site.rs_http(), "/ems-rs/HIST/CDRs/RM/details?app-id=1&dn=2").unwrap();
    assert_eq!(bad.status, 400);
    assert!(bad.body.contains("code=\"exclusive-parameters\""), "{}", bad.body);
    let late = http::get(site.rs_http(), "/ems-rs/HIST/CDRs/RM/details?page=2").unwrap();
    assert!(late.body.contains("page-out-of-range"), "{}", late.body);
}
