//! Every text of a fault, with its line and column.

use crate::{build, faults};

/// Puts `spec` into a document of `kind`; `spec` begins at line 3, column 9.
fn document(kind: &str, spec: &str) -> String {
    format!("kind: {kind}\nname: x\nspec: {{ {spec} }}\n")
}

fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(faults(text).join("\n"), *expected, "{text}");
    }
}

#[test]
fn heads() {
    check(&[
        ("kind: [", "o.yaml:1:7: E001: not valid YAML or JSON: unclosed bracket '['"),
        ("- 1", "o.yaml:1:1: E102: \"document\" must be a mapping, found a list"),
        (
            "name: x",
            "o.yaml:1:1: E104: \"kind\" must be one of Tenant, IvrProfile, DidGroup, ResourceGroup, Application",
        ),
        (
            "kind: Tennant",
            "o.yaml:1:7: E104: \"kind\" must be one of Tenant, IvrProfile, DidGroup, ResourceGroup, Application",
        ),
        ("kind: Tenant", "o.yaml:1:1: E103: \"name\" is required for kind Tenant"),
        (
            "kind: tenant\nname: 007",
            "o.yaml:2:7: E102: \"name\" must be text, found the number 7.0",
        ),
        (
            "kind: Tenant\nname: a.b",
            "o.yaml:2:7: E108: name \"a.b\" contains a character that call headers cannot carry",
        ),
        ("kind: Tenant\nname: \"\"", "o.yaml:2:7: E105: \"\" is not a valid name: it is empty"),
        (
            "kind: Tenant\nname: _a",
            "o.yaml:2:7: E105: \"_a\" is not a valid name: it must begin with a letter or digit",
        ),
        ("kind: DidGroup\nname: g", "o.yaml:1:1: E103: \"spec\" is required for kind DidGroup"),
        ("kind: Tenant\nname: a\ntenant: b", "o.yaml:3:1: E101: unknown field \"tenant\""),
        (
            "kind: Tenant\nname: a\nenabled: 1",
            "o.yaml:3:10: E102: \"enabled\" must be true or false, found the number 1",
        ),
        (
            "kind: Tenant\nname: a\ndbid: 0",
            "o.yaml:3:7: E106: \"dbid\" must be between 1 and 2147483647",
        ),
        (
            "kind: Tenant\nname: a\nlabels: { a: 1 }",
            "o.yaml:3:14: E102: \"labels.a\" must be text, found the number 1",
        ),
        (
            "kind: Tenant\nname: a\nspek: {}",
            "o.yaml:3:1: E101: unknown field \"spek\"; did you mean \"spec\"?",
        ),
    ]);
}

#[test]
fn what_the_config_server_writes_is_ignored() {
    let text = "kind: Tenant\nname: a\ndbid: 101\nrevision: 4\ncreated_at: x\ncreated_by: x\n\
                updated_at: x\nupdated_by: x\nlabels: { env: prod }\n---\n";
    assert!(build(text).is_ok());
}

#[test]
fn schema_of_tenants_and_policies() {
    let tenant = |spec: &str| document("Tenant", spec);
    let cases = [
        ("usage_limits: 5", "o.yaml:3:9: E101: unknown field \"usage_limits\""),
        (
            "policy: { usage_limits: 5 }",
            "o.yaml:3:19: E101: unknown field \"usage_limits\"; did you mean \"usage_limit\"?",
        ),
        (
            "policy: { usage_limit: many }",
            "o.yaml:3:32: E102: \"policy.usage_limit\" must be a whole number, found text \"many\"",
        ),
        (
            "policy: { usage_limit: -1 }",
            "o.yaml:3:32: E106: \"policy.usage_limit\" must be between 0 and 4294967295",
        ),
        (
            "policy: { usage_limit: { exact: true, max: 5 } }",
            "o.yaml:3:34: E107: \"policy.usage_limit.exact\" is not available in this version",
        ),
        (
            "policy: { usage_limit: {} }",
            "o.yaml:3:32: E102: \"policy.usage_limit.max\" must be a whole number, found nothing",
        ),
        (
            "policy: { usage_limit: 1, burst: { level3: 5 } }",
            "o.yaml:3:42: E103: \"policy.burst.level2\" is required for kind Tenant",
        ),
        (
            "policy: { services: { voicexm: { allowed: true } } }",
            "o.yaml:3:31: E101: unknown field \"voicexm\"; did you mean \"voicexml\"?",
        ),
        (
            "policy: { services: { ccxml: { usage_limit: 5 } } }",
            "o.yaml:3:40: E107: \"policy.services.ccxml.usage_limit\" is not available in this version",
        ),
        (
            "policy: { rate_limit: 5 }",
            "o.yaml:3:19: E107: \"policy.rate_limit\" is not available in this version",
        ),
        (
            "policy: { respcodes: { rate_limit: 480 } }",
            "o.yaml:3:32: E107: \"policy.respcodes.rate_limit\" is not available in this version",
        ),
        (
            "policy: { alarms: { usage_limit: 1 } }",
            "o.yaml:3:42: E102: \"policy.alarms.usage_limit\" must be true or false, found the number 1",
        ),
        ("aliases: [5]", "o.yaml:3:19: E102: \"aliases[0]\" must be text, found the number 5"),
        ("aliases: a", "o.yaml:3:18: E102: \"aliases\" must be a list, found text \"a\""),
        ("aliases: [\"\"]", "o.yaml:3:19: E105: \"\" is not a valid alias: it is empty"),
        (
            "parameters: { voicexml: { a: { fixed: 1, default: 2 } } }",
            "o.yaml:3:38: E110: parameter \"a\": give either fixed or default",
        ),
        (
            "parameters: { voicexml: { a: {} } }",
            "o.yaml:3:38: E110: parameter \"a\": give either fixed or default",
        ),
        (
            "parameters: { voicexml: { \"a b\": { fixed: 1 } } }",
            "o.yaml:3:42: E105: \"a b\" is not a valid parameter name: expected 1 to 64 letters, digits, dots, underscores and hyphens",
        ),
        (
            "parameters: { voicexml: { gvp.rm.x: { fixed: 1 } } }",
            "o.yaml:3:45: E105: \"gvp.rm.x\" is not a valid parameter name: names with gvp.rm. belong to the Resource Manager",
        ),
        (
            "parameters: { voicexml: { a: { fixed: [1] } } }",
            "o.yaml:3:47: E102: \"parameters.voicexml.a.fixed\" must be text, a number, true or false, found a list",
        ),
    ];
    for (spec, expected) in cases {
        assert_eq!(faults(&tenant(spec)).join("\n"), expected, "{spec}");
    }
    let accepted = "policy: { outbound_allowed: true, partition: per-side, children: {}, \
                    max_call_duration: 12h, pass: {}, dialing_rules: [], use_same_gateway: \"no\" }";
    assert!(faults(&tenant(accepted)).is_empty());
    assert_eq!(
        faults("kind: Tenant\nname: Environment\nspec: { parent: a }\n"),
        ["o.yaml:3:17: E105: \"a\" is not a valid parent: Environment has none"]
    );
}

#[test]
fn schema_of_profiles_and_numbers() {
    let cases = [
        ("IvrProfile", "notes: x", "o.yaml:3:7: E103: \"service\" is required for kind IvrProfile"),
        (
            "IvrProfile",
            "service: vxml",
            "o.yaml:3:18: E104: \"service\" must be one of voicexml, ccxml, msml, conference, announcement, cpd, media, gateway, cti, recordingclient, recordingserver, record",
        ),
        (
            "IvrProfile",
            "service: conference",
            "o.yaml:3:18: E107: \"service: conference\" is not available in this version",
        ),
        (
            "IvrProfile",
            "service: media, keep_tenant_id: true",
            "o.yaml:3:25: E107: \"keep_tenant_id\" is not available in this version",
        ),
        (
            "IvrProfile",
            "service: voicexml, initial_page_url: \"ftp://x\"",
            "o.yaml:3:46: E105: \"ftp://x\" is not a valid URL: it must begin with http://, https:// or file://",
        ),
        (
            "IvrProfile",
            "service: voicexml, initial_page_url: \"http://\"",
            "o.yaml:3:46: E105: \"http://\" is not a valid URL: nothing follows the scheme",
        ),
        (
            "IvrProfile",
            "service: voicexml, initial_page_url: \"http:///x\"",
            "o.yaml:3:46: E105: \"http:///x\" is not a valid URL: there is no host",
        ),
        (
            "IvrProfile",
            "service: voicexml, initial_page_url: \"http://a b\"",
            "o.yaml:3:46: E105: \"http://a b\" is not a valid URL: ' ' is not allowed",
        ),
        (
            "DidGroup",
            "dids: [\"1\"]",
            "o.yaml:3:7: E103: \"profile\" is required for kind DidGroup",
        ),
        ("DidGroup", "profile: p", "o.yaml:3:7: E103: \"dids\" is required for kind DidGroup"),
        (
            "DidGroup",
            "profile: p, dids: []",
            "o.yaml:3:27: E106: \"dids\" must be between 1 and 100000 patterns",
        ),
        (
            "DidGroup",
            "profile: p, dids: [007]",
            "o.yaml:3:28: E102: \"dids[0]\" must be text, found the number 7.0",
        ),
        (
            "DidGroup",
            "profile: p, dids: [\"a b\"]",
            "o.yaml:3:28: E105: \"a b\" is not a valid DID pattern: a number has no blanks",
        ),
    ];
    for (kind, spec, expected) in cases {
        assert_eq!(faults(&document(kind, spec)).join("\n"), expected, "{spec}");
    }
}

#[test]
fn schema_of_groups_and_resources() {
    let group = |more: &str| document("ResourceGroup", &format!("services: [media], {more}"));
    let resource = |fields: &str| group(&format!("resources: [{{ {fields} }}]"));
    let cases = [
        (
            group("scheme: weighted"),
            "3:36: E107: \"scheme: weighted\" is not available in this version",
        ),
        (
            group("scheme: best"),
            "3:36: E104: \"scheme\" must be one of round-robin, least-used, least-percent, weighted, hash",
        ),
        (group("shared: all"), "3:36: E104: \"shared\" must be one of tree, own"),
        (group("preference: 1001"), "3:40: E106: \"preference\" must be between 0 and 1000"),
        (
            group("monitor: { method: register }"),
            "3:47: E107: \"monitor.method: register\" is not available in this version",
        ),
        (
            group("monitor: { interval: 1ms }"),
            "3:49: E106: \"monitor.interval\" must be between 10ms and 1h",
        ),
        (
            group("monitor: { alive_codes: [99] }"),
            "3:53: E106: \"monitor.alive_codes[0]\" must be between 100 and 699",
        ),
        (
            group("monitor: { alive_codes: [300-200] }"),
            "3:53: E105: \"300-200\" is not a valid range of response codes: expected such as 200-299, from 100 to 699",
        ),
        (group("use_cti: 1"), "3:28: E107: \"use_cti\" is not available in this version"),
        (group("on_dead: none"), "3:28: E107: \"on_dead\" is not available in this version"),
        (
            group("discovery: { dns: x }"),
            "3:28: E107: \"discovery\" is not available in this version",
        ),
        (
            document("ResourceGroup", "services: [gateway]"),
            "3:20: E107: \"services[0]: gateway\" is not available in this version",
        ),
        (
            document("ResourceGroup", "services: []"),
            "3:19: E106: \"services\" must be between 1 and 12 services",
        ),
        (
            document("ResourceGroup", "scheme: round-robin"),
            "3:7: E103: \"services\" is required for kind ResourceGroup",
        ),
        (
            resource("name: m"),
            "3:40: E103: \"resources[0].address\" is required for kind ResourceGroup",
        ),
        (
            resource("name: m, address: \"sip:mcp.example\""),
            "3:60: E107: \"address with host name mcp.example\" is not available in this version",
        ),
        (
            resource("name: m, address: \"sips:1.2.3.4\""),
            "3:60: E107: \"address with TLS\" is not available in this version",
        ),
        (
            resource("name: m, address: \"sip:1.2.3.4;transport=tls\""),
            "3:60: E107: \"address with TLS\" is not available in this version",
        ),
        (
            resource("name: m, address: \"1.2.3.4\""),
            "3:60: E105: \"1.2.3.4\" is not a valid SIP URI: expected such as sip:10.0.0.11:5070;transport=tcp",
        ),
        (
            resource("name: m, address: \"http://1.2.3.4\""),
            "3:60: E105: \"http://1.2.3.4\" is not a valid SIP URI: it must begin with sip: or sips:",
        ),
        (
            resource("name: m, address: \"sip:1.2.3.4:0\""),
            "3:60: E105: \"sip:1.2.3.4:0\" is not a valid SIP URI: the port must be between 1 and 65535",
        ),
        (
            resource("name: m, address: \"sip:1.2.3.4;transport=sctp\""),
            "3:60: E105: \"sip:1.2.3.4;transport=sctp\" is not a valid SIP URI: transport must be udp, tcp or tls",
        ),
        (
            resource("name: m, address: \"sip:0.0.0.0\""),
            "3:60: E105: \"sip:0.0.0.0\" is not a valid SIP URI: it is not the address of one host",
        ),
        (
            resource("name: m, address: \"sip:[::1\""),
            "3:60: E105: \"sip:[::1\" is not a valid SIP URI: a bracket is open",
        ),
        (
            resource("name: m, address: \"sip:\""),
            "3:60: E105: \"sip:\" is not a valid SIP URI: there is no host",
        ),
        (
            resource("name: m, address: \"sip:1.2.3.4\", redundancy: passive"),
            "3:75: E107: \"resources[0].redundancy\" is not available in this version",
        ),
        (
            resource("name: m, address: \"sip:1.2.3.4\", source_addresses: [x/9]"),
            "3:94: E105: \"x/9\" is not a valid source address: expected an IP address or a network such as 192.0.2.0/28",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(faults(&text).join("\n"), format!("o.yaml:{expected}"), "{text}");
    }
}
