//! `/metrics`: how much of the limits is used.

use crate::node::Node;

const OBJECTS: &str = "\
kind: Tenant
name: parent
dbid: 500
spec: { policy: { children: { acme: { usage_limit: 7, services: { msml: { usage_limit: 9 } } } } } }
---
kind: Tenant
name: acme
dbid: 400
spec: { parent: parent, policy: { usage_limit: 5, burst: { level2: 8, level3: 20 }, \
inbound_usage_limit: 4, services: { msml: { usage_limit: 3 }, ccxml: { per_session: 1 } } } }
---
kind: IvrProfile
name: main
tenant: acme
spec: { service: voicexml, initial_page_url: \"http://127.0.0.1/\", policy: { usage_limit: 2 } }
";

/// The lines of a family, without its name.
fn family(node: &Node, name: &str) -> Vec<String> {
    let text = node.get("/metrics").1;
    let lines = text.lines().filter_map(|line| line.strip_prefix(name));
    lines.filter(|line| line.starts_with('{')).map(str::to_owned).collect()
}

#[test]
fn limits_and_their_use_by_tenant() {
    let node = Node::with(OBJECTS);
    let usage = [
        "{kind=\"tenant\",object=\"Environment\"} 0",
        "{kind=\"tenant\",object=\"acme\"} 0",
        "{kind=\"service\",object=\"acme/msml\"} 0",
        "{kind=\"tenant\",object=\"parent\"} 0",
    ];
    assert_eq!(family(&node, "ringmaster_rm_usage"), usage, "in the order of the dbids");
    // what the parent lays over it is the stricter at every level but the first
    let limits = [
        "{kind=\"tenant\",object=\"acme\",level=\"1\"} 5",
        "{kind=\"tenant\",object=\"acme\",level=\"2\"} 7",
        "{kind=\"tenant\",object=\"acme\",level=\"3\"} 7",
        "{kind=\"service\",object=\"acme/msml\",level=\"1\"} 3",
    ];
    assert_eq!(family(&node, "ringmaster_rm_limit"), limits);
}

#[test]
fn profiles_where_they_are_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::in_dir(dir, OBJECTS, "  metrics: { profiles: true }\n");
    let profiles = |name| {
        let lines = family(&node, name).into_iter();
        lines.filter(|line| line.contains("kind=\"profile\"")).collect::<Vec<_>>()
    };
    let usage = "{kind=\"profile\",object=\"acme/main\"} 0";
    assert_eq!(profiles("ringmaster_rm_usage"), [usage]);
    let limits = ["1", "2", "3"]
        .map(|level| format!("{{kind=\"profile\",object=\"acme/main\",level=\"{level}\"}} 2"));
    assert_eq!(profiles("ringmaster_rm_limit"), limits);
}

#[test]
fn of_a_family_the_oldest_keep_their_series() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::in_dir(dir, OBJECTS, "  metrics: { max_series: 2 }\n");
    let usage = [
        "{kind=\"tenant\",object=\"Environment\"} 0",
        "{kind=\"tenant\",object=\"acme\"} 0",
        "{kind=\"service\",object=\"other\"} 0",
        "{kind=\"tenant\",object=\"other\"} 0",
    ];
    assert_eq!(family(&node, "ringmaster_rm_usage"), usage);
    assert_eq!(family(&node, "ringmaster_rm_limit").len(), 2);
    let inbound = ["{rmTenantName=\"Environment\"} 0", "{rmTenantName=\"other\"} 0"];
    assert_eq!(family(&node, "rmTenantCurrentInboundCalls"), inbound);
}
