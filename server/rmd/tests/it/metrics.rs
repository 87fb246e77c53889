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

const RESOURCES: &str = "\
---
kind: ResourceGroup
name: mcp
spec: { services: [voicexml], monitor: { method: none }, resources: [\
{ name: mcp-1, dbid: 603, address: \"sip:127.0.0.1:9\", capacity: 10 },\
{ name: mcp-2, dbid: 602, address: \"sip:127.0.0.1:10\", capacity: 20 },\
{ name: mcp-3, dbid: 601, address: \"sip:127.0.0.1:11\", capacity: 40 }] }
---
kind: ResourceGroup
name: spare
spec: { services: [msml], monitor: { method: none }, resources: [\
{ name: spare-1, dbid: 604, address: \"sip:127.0.0.1:12\" }] }
";

/// Families whose series grow with the configuration.
const GROWING: [&str; 15] = [
    "ringmaster_rm_usage",
    "ringmaster_rm_limit",
    "ringmaster_rm_rejected_total",
    "ringmaster_rm_resource_state",
    "ringmaster_rm_resource_used",
    "ringmaster_rm_resource_capacity",
    "ringmaster_rm_resource_tries_total",
    "ringmaster_rm_group_resources",
    "ringmaster_rm_group_capacity",
    "ringmaster_rm_group_used",
    "rmPRName",
    "rmPRStatus",
    "rmPRActiveCalls",
    "rmPRTotalCalls",
    "rmTenantCurrentInboundCalls",
];

fn bounded(most: usize) -> Node {
    let dir = tempfile::tempdir().unwrap();
    let settings = format!("  metrics: {{ max_series: {most} }}\n");
    Node::in_dir(dir, &format!("{OBJECTS}{RESOURCES}"), &settings)
}

#[test]
fn no_family_has_more_series_than_wanted() {
    for most in 1..=4 {
        let node = bounded(most);
        for name in GROWING {
            let lines = family(&node, name);
            assert!(lines.len() <= most, "{most}: {name}: {lines:?}");
        }
    }
}

#[test]
fn of_a_family_the_oldest_keep_their_series_and_other_is_the_rest() {
    let node = bounded(2);
    for (name, expected) in [
        (
            "ringmaster_rm_usage",
            &["{kind=\"service\",object=\"other\"} 0", "{kind=\"tenant\",object=\"other\"} 0"][..],
        ),
        (
            "rmTenantCurrentInboundCalls",
            &["{rmTenantName=\"Environment\"} 0", "{rmTenantName=\"other\"} 0"],
        ),
        ("rmPRName", &["{rmPRName=\"mcp-3\"} 1", "{rmPRName=\"other\"} 3"]),
        (
            "rmPRStatus",
            &[
                "{rmPRName=\"mcp-3\",rmPRStatus=\"AVAILABLE\"} 1",
                "{rmPRName=\"other\",rmPRStatus=\"AVAILABLE\"} 3",
            ],
        ),
        (
            "ringmaster_rm_resource_capacity",
            &["{group=\"mcp\",resource=\"mcp-3\"} 40", "{group=\"other\",resource=\"other\"} -1"],
        ),
        (
            "ringmaster_rm_resource_state",
            &["{group=\"other\",resource=\"other\",state=\"other\"} 4"],
        ),
    ] {
        assert_eq!(family(&node, name), expected, "{name}");
    }
}

#[test]
fn where_all_fit_there_is_no_other() {
    let all =
        ["Environment", "acme", "parent"].map(|name| format!("{{rmTenantName=\"{name}\"}} 0"));
    assert_eq!(family(&bounded(3), "rmTenantCurrentInboundCalls"), all);
    assert_eq!(family(&bounded(4), "ringmaster_rm_usage").len(), 4);
    assert_eq!(family(&bounded(4), "ringmaster_rm_limit").len(), 4);
    for name in ["ringmaster_rm_usage", "ringmaster_rm_limit"] {
        assert!(family(&bounded(4), name).iter().all(|line| !line.contains("other")), "{name}");
    }
}
