//! Media servers found by a real name server: they come, go, and outlive its failures.

use serde_json::Value;

use crate::calls::{healthy, objects_at};
use crate::dns::{Dnsmasq, domain};
use crate::http;
use crate::platform::{Site, eventually};
use crate::sipp::{Media, Plan, Via};

const NAME: &str = "voice.test";
const NUMBER: &[&str] = &["18005550100"];
const PAGE: &str = include_str!("../../../docs/operate/discovery.md");

fn resources(site: &Site) -> Vec<Value> {
    http::json(site.rm_http(), "/v1/resources")["resources"].as_array().unwrap().clone()
}

fn zone(servers: &[&Media]) -> Vec<String> {
    let servers: Vec<_> = servers.iter().map(|one| (10, 0, one.address)).collect();
    domain(NAME, Via::Udp, &servers)
}

/// The group of the page, with the name of our zone.
fn objects() -> String {
    let group = PAGE.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let wanted = "_sip._udp.mcp.voice.example";
    assert!(group.contains(wanted), "{group}");
    let all = objects_at(&["replaced"], "{}");
    let (others, _) = all.split_once("kind: ResourceGroup").unwrap();
    others.to_owned() + &group.replace(wanted, &format!("_sip._udp.{NAME}"))
}

#[test]
fn media_servers_come_and_go_with_their_records() {
    let (first, second) = (Media::start(), Media::start());
    let mut dns = Dnsmasq::start(&zone(&[&first]));
    let site = Site::new(&objects());
    dns.tell(&site);
    let rm = site.start_rm();
    healthy(&site, 1);
    let found = &resources(&site)[0];
    assert_eq!((&found["name"], &found["source"]), (&"host-1-of-voice".into(), &"dns".into()));
    assert_eq!(found["capacity"], 100);
    Plan::new(site.sip(), NUMBER, 5).run();
    assert_eq!(first.answered().len(), 5);

    dns.serve(&zone(&[&first, &second]));
    healthy(&site, 2);
    Plan::new(site.sip(), NUMBER, 10).run();
    assert_eq!((first.answered().len(), second.answered().len()), (10, 5));
    let labels = "group=\"mcp\",state=\"healthy\",source=\"dns\"";
    let name = format!("ringmaster_rm_group_resources{{{labels}}}");
    assert_eq!(http::counted(site.rm_http(), &name), Some(2.0));

    dns.stop();
    assert!(rm.line_with(" 50021 ").contains(NAME));
    Plan::new(site.sip(), NUMBER, 10).run();
    assert_eq!((first.answered().len(), second.answered().len()), (15, 10));

    dns.serve(&zone(&[&first]));
    eventually("the second one has gone", || resources(&site).len(), |count| *count == 1);
    Plan::new(site.sip(), NUMBER, 4).run();
    assert_eq!((first.answered().len(), second.answered().len()), (19, 10));
}
