//! Every text of a fault with its line and column: the cases are files beside this one.

use crate::{build, faults};

/// Cases of a fixture: a text, and the lines that it is told with.
fn cases(fixture: &str) -> Vec<(String, Vec<String>)> {
    let cases = fixture.split("====\n").filter(|case| case.contains("--> "));
    let case = |case: &str| {
        let lines = || case.lines().filter(|line| !line.starts_with('#'));
        let text: Vec<&str> = lines().filter(|line| !line.starts_with("--> ")).collect();
        let told = lines().filter_map(|line| line.strip_prefix("--> "));
        (text.join("\n"), told.map(|line| format!("o.yaml:{line}")).collect())
    };
    cases.map(case).collect()
}

fn check(fixture: &str, count: usize) {
    let cases = cases(fixture);
    assert_eq!(cases.len(), count, "cases in the fixture");
    for (text, told) in cases {
        assert_eq!(faults(&text), told, "{text}");
    }
}

#[test]
fn of_heads() {
    check(include_str!("fixtures/faults/heads.txt"), 15);
}

#[test]
fn of_tenants_and_policies() {
    check(include_str!("fixtures/faults/tenants.txt"), 25);
}

#[test]
fn of_profiles_and_number_groups() {
    check(include_str!("fixtures/faults/profiles.txt"), 14);
}

#[test]
fn of_groups_and_resources() {
    check(include_str!("fixtures/faults/groups.txt"), 38);
}

#[test]
fn of_options() {
    check(include_str!("fixtures/faults/options.txt"), 10);
}

#[test]
fn of_references() {
    check(include_str!("fixtures/faults/references.txt"), 16);
}

#[test]
fn of_numbers() {
    check(include_str!("fixtures/faults/dids.txt"), 5);
}

#[test]
fn of_values_against_each_other() {
    check(include_str!("fixtures/faults/policy.txt"), 14);
}

#[test]
fn what_the_config_server_writes_is_ignored() {
    let text = "kind: Tenant\nname: a\ndbid: 101\nrevision: 4\ncreated_at: x\ncreated_by: x\n\
                updated_at: x\nupdated_by: x\nlabels: { env: prod }\n---\n";
    assert!(build(text).is_ok());
}

#[test]
fn the_defaults_of_absent_fields_are_accepted() {
    let policy = "outbound_allowed: true, transfer_allowed: true, cti_allowed: true, pass: {}, \
                  recording_allowed: true, partition: per-side, children: {}, \
                  max_call_duration: 12h, dialing_rules: [], use_same_gateway: \"no\"";
    let group = "geo_location: [], capabilities: {}, port_usage: in-and-out, on_dead: bye, \
                 release_after: 15s, use_cti: 0, auto_register: false, discovery: null, \
                 remove_ruri_capability_on_fallback: false, fail_over_cti_handling: reject, \
                 cti_unavailable_action: reject, monitor: { transport: null }";
    let profile = "requires: {}, prefer: [], keep_tenant_id: false, conference_id: null";
    let text = format!(
        "kind: Tenant\nname: a\nspec: {{ policy: {{ {policy} }} }}\n---\n\
         kind: ResourceGroup\nname: g\nspec: {{ services: [media], {group} }}\n---\n\
         kind: IvrProfile\nname: p\nspec: {{ service: media, {profile} }}\n"
    );
    assert_eq!(faults(&text), [""; 0]);
}

#[test]
fn discovery_is_an_object_or_a_list_and_says_what_it_cannot() {
    let group = |discovery: &str| {
        let head = "kind: ResourceGroup\nname: mcp\nspec:\n  services: [voicexml]\n";
        format!("{head}  discovery: {discovery}\n")
    };
    for good in [
        "{ dns: { name: _sip._tcp.mcp.voice.svc.cluster.local } }",
        "[{ dns: { name: MCP.example., port: 5070, refresh: 5s }, capacity: 0, keep_gone: 0 }]",
        "null",
        "[]",
    ] {
        assert!(build(&group(good)).is_ok(), "{good}: {:?}", faults(&group(good)));
    }
    let many = format!("[{}]", ["{ dns: { name: a.example } }"; 9].join(", "));
    for (bad, told) in [
        (
            "{ kubernetes: { namespace: voice, service: mcp } }",
            "E107: \"discovery.kubernetes\" is not available in this version",
        ),
        (
            "{ dns: { name: _sips._tcp.mcp.example } }",
            "E107: \"discovery.dns.name: _sips._tcp.mcp.example\" is not available in this version",
        ),
        ("{ capacity: 5 }", "E103: \"discovery.dns\" is required for kind ResourceGroup"),
        ("{ dns: {} }", "E103: \"discovery.dns.name\" is required for kind ResourceGroup"),
        (
            "{ dns: { name: \"a b\" } }",
            "E105: \"a b\" is not a valid name: expected such as \
            _sip._tcp.mcp.voice.example",
        ),
        (
            "{ dns: { name: _sip.mcp.example } }",
            "E105: \"_sip.mcp.example\" is not a valid name: \
            _udp or _tcp must follow the service",
        ),
        (
            "{ dns: { name: _sip._udp.mcp.example, port: 5070 } }",
            "E105: \"5070\" is not a valid port: SRV records tell it",
        ),
        (
            "{ dns: { name: a.example, refresh: 10ms } }",
            "E106: \"discovery.dns.refresh\" must be between 1s and 1h",
        ),
        ("{ dns: { name: a.example }, keep: 1h }", "E101: unknown field \"keep\""),
        (many.as_str(), "E106: \"discovery\" must be between 0 and 8 names"),
    ] {
        let all = faults(&group(bad));
        assert!(all.len() == 1 && all[0].contains(told), "{bad}: {all:?}");
    }
}
