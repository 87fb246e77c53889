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
    check(include_str!("fixtures/faults/references.txt"), 15);
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
