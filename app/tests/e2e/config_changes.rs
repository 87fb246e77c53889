//! Every field of every kind of object with another value than it has, for the test that changes
//! them all under calls; `covered` holds them against the schemas.

use std::collections::BTreeSet;

use model::config::{Kind, schema};
use serde_json::Value;

/// One change of one object.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) kind: &'static str,
    pub(crate) name: &'static str,
    /// Where, in the object; a number is an index.
    pub(crate) path: &'static [&'static str],
    /// What it becomes, as JSON.
    pub(crate) value: &'static str,
}

const fn row(
    kind: &'static str,
    name: &'static str,
    path: &'static [&'static str],
    value: &'static str,
) -> Change {
    Change { kind, name, path, value }
}

/// In this order; an object is changed upon what the rows before made of it. None of them refuses
/// the calls of `acme` to 18005550100.
pub(crate) const CHANGES: &[Change] = &[
    row("Tenant", "other", &["enabled"], "false"),
    row("Tenant", "acme", &["labels"], r#"{"team":"a"}"#),
    row("Tenant", "other", &["spec", "parent"], r#""acme""#),
    row("Tenant", "acme", &["spec", "aliases"], r#"["cc-1"]"#),
    row("Tenant", "acme", &["spec", "default_profile"], r#""second""#),
    row("Tenant", "acme", &["spec", "policy", "usage_limit"], "90000"),
    row("Tenant", "acme", &["spec", "policy", "inbound_usage_limit"], "80000"),
    row("Tenant", "acme", &["spec", "policy", "outbound_usage_limit"], "70000"),
    row("Tenant", "acme", &["spec", "policy", "burst"], r#"{"level2":95000,"level3":99000}"#),
    row("Tenant", "acme", &["spec", "policy", "rate_limit"], "50000"),
    row("Tenant", "acme", &["spec", "policy", "services"], r#"{"voicexml":{"usage_limit":60000}}"#),
    row("Tenant", "acme", &["spec", "policy", "outbound_allowed"], "false"),
    row("Tenant", "acme", &["spec", "policy", "transfer_allowed"], "false"),
    row("Tenant", "acme", &["spec", "policy", "dialing_rules"], r#"["accept ^1"]"#),
    row("Tenant", "acme", &["spec", "policy", "max_call_duration"], r#""2h""#),
    row("Tenant", "acme", &["spec", "policy", "cti_allowed"], "false"),
    row("Tenant", "acme", &["spec", "policy", "recording_allowed"], "false"),
    row("Tenant", "acme", &["spec", "policy", "use_same_gateway"], r#""preferred""#),
    row("Tenant", "acme", &["spec", "policy", "respcodes"], r#"{"usage_limit":486}"#),
    row("Tenant", "acme", &["spec", "policy", "alarms"], r#"{"usage_limit":true}"#),
    row("Tenant", "acme", &["spec", "policy", "partition"], r#""divide""#),
    row("Tenant", "acme", &["spec", "policy", "pass"], r#"{"gvp.x":true}"#),
    row("Tenant", "acme", &["spec", "policy", "children"], r#"{"child":{"usage_limit":5}}"#),
    row("Tenant", "acme", &["spec", "parameters"], r#"{"voicexml":{"a":{"fixed":"1"}}}"#),
    row("IvrProfile", "changed", &["enabled"], "false"),
    row("IvrProfile", "changed", &["labels"], r#"{"team":"a"}"#),
    row("IvrProfile", "acme-main", &["spec", "initial_page_url"], r#""http://a.example/3""#),
    row("IvrProfile", "acme-main", &["spec", "alternate_page_url"], r#""http://a.example/4""#),
    row("IvrProfile", "acme-main", &["spec", "default_properties_url"], r#""http://a.example/5""#),
    row(
        "IvrProfile",
        "acme-main",
        &["spec", "parameters"],
        r#"{"voicexml":{"b":{"default":"1"}}}"#,
    ),
    row("IvrProfile", "changed", &["spec", "requires"], r#"{"asr":"x"}"#),
    row("IvrProfile", "acme-main", &["spec", "prefer"], r#"["mcp"]"#),
    row("IvrProfile", "acme-main", &["spec", "keep_tenant_id"], "true"),
    row("IvrProfile", "acme-main", &["spec", "notes"], r#""seen""#),
    row("IvrProfile", "changed", &["spec", "service"], r#""ccxml""#),
    row("IvrProfile", "announced", &["spec", "play"], r#""http://a.example/6.wav""#),
    row("IvrProfile", "joined", &["spec", "conference_id"], r#""team7""#),
    row("IvrProfile", "recorded", &["spec", "geo_location"], r#""berlin""#),
    row("IvrProfile", "acme-main", &["spec", "policy", "usage_limit"], "50000"),
    row("IvrProfile", "acme-main", &["spec", "policy", "inbound_usage_limit"], "50000"),
    row("IvrProfile", "acme-main", &["spec", "policy", "outbound_usage_limit"], "50000"),
    row(
        "IvrProfile",
        "acme-main",
        &["spec", "policy", "burst"],
        r#"{"level2":60000,"level3":70000}"#,
    ),
    row("IvrProfile", "acme-main", &["spec", "policy", "rate_limit"], "40000"),
    row(
        "IvrProfile",
        "acme-main",
        &["spec", "policy", "services"],
        r#"{"ccxml":{"allowed":false}}"#,
    ),
    row("IvrProfile", "acme-main", &["spec", "policy", "outbound_allowed"], "false"),
    row("IvrProfile", "acme-main", &["spec", "policy", "transfer_allowed"], "false"),
    row("IvrProfile", "acme-main", &["spec", "policy", "dialing_rules"], r#"["accept ^1"]"#),
    row("IvrProfile", "acme-main", &["spec", "policy", "max_call_duration"], r#""1h""#),
    row("IvrProfile", "acme-main", &["spec", "policy", "cti_allowed"], "false"),
    row("IvrProfile", "acme-main", &["spec", "policy", "recording_allowed"], "false"),
    row("IvrProfile", "acme-main", &["spec", "policy", "use_same_gateway"], r#""preferred""#),
    row("IvrProfile", "acme-main", &["spec", "policy", "respcodes"], r#"{"usage_limit":486}"#),
    row("IvrProfile", "acme-main", &["spec", "policy", "alarms"], r#"{"usage_limit":true}"#),
    row("IvrProfile", "acme-main", &["spec", "policy", "partition"], r#""divide""#),
    row("IvrProfile", "acme-main", &["spec", "policy", "pass"], r#"{"gvp.y":true}"#),
    row("DidGroup", "changed", &["labels"], r#"{"team":"a"}"#),
    row("DidGroup", "changed", &["spec", "profile"], r#""acme-main""#),
    row("DidGroup", "acme-numbers", &["spec", "dids"], r#"["18005550100-18005550199","1900*"]"#),
    row("DidGroup", "acme-numbers", &["spec", "description"], r#""main""#),
    row("DidGroup", "changed", &["enabled"], "false"),
    row("ResourceGroup", "mcp", &["labels"], r#"{"team":"a"}"#),
    row("ResourceGroup", "mcp", &["spec", "services"], r#"["voicexml","msml"]"#),
    row("ResourceGroup", "mcp", &["spec", "scheme"], r#""hash""#),
    row("ResourceGroup", "mcp", &["spec", "hash_on"], r#""session""#),
    row("ResourceGroup", "spare", &["spec", "shared"], r#""own""#),
    row("ResourceGroup", "mcp", &["spec", "preference"], "50"),
    row("ResourceGroup", "mcp", &["spec", "geo_location"], r#""berlin""#),
    row("ResourceGroup", "mcp", &["spec", "capabilities"], r#"{"asr":"x"}"#),
    row("ResourceGroup", "mcp", &["spec", "monitor", "interval"], r#""2s""#),
    row("ResourceGroup", "mcp", &["spec", "monitor", "timeout"], r#""1s""#),
    row("ResourceGroup", "mcp", &["spec", "monitor", "down_after"], "6"),
    row("ResourceGroup", "mcp", &["spec", "monitor", "up_after"], "2"),
    row("ResourceGroup", "mcp", &["spec", "monitor", "recovery_interval"], r#""3s""#),
    row("ResourceGroup", "mcp", &["spec", "monitor", "alive_codes"], r#"["200-299"]"#),
    row("ResourceGroup", "spare", &["spec", "monitor", "transport"], r#""tcp""#),
    row("ResourceGroup", "spare", &["spec", "monitor", "method"], r#""options""#),
    row("ResourceGroup", "mcp", &["spec", "port_capacity"], "50000"),
    row("ResourceGroup", "mcp", &["spec", "port_usage"], r#""in""#),
    row("ResourceGroup", "mcp", &["spec", "failover", "codes"], "[503]"),
    row("ResourceGroup", "mcp", &["spec", "try_timeout"], r#""20s""#),
    row("ResourceGroup", "mcp", &["spec", "quarantine"], r#""2s""#),
    row("ResourceGroup", "mcp", &["spec", "max_quarantine"], r#""30s""#),
    row("ResourceGroup", "mcp", &["spec", "noresource_response_code"], "486"),
    row("ResourceGroup", "mcp", &["spec", "confmaxsize"], "500"),
    row("ResourceGroup", "mcp", &["spec", "confmaxcount"], "500"),
    row("ResourceGroup", "mcp", &["spec", "on_dead"], r#""none""#),
    row("ResourceGroup", "mcp", &["spec", "release_after"], r#""90s""#),
    row("ResourceGroup", "spare", &["spec", "session_expires"], r#""1h""#),
    row("ResourceGroup", "gw", &["spec", "use_cti"], "1"),
    row("ResourceGroup", "gw", &["spec", "remove_ruri_capability_on_fallback"], "true"),
    row("ResourceGroup", "connectors", &["spec", "fail_over_cti_handling"], r#""answer""#),
    row("ResourceGroup", "connectors", &["spec", "cti_unavailable_respcode"], r#""486;600""#),
    row("ResourceGroup", "connectors", &["spec", "cti_unavailable_action"], r#""answer""#),
    row("ResourceGroup", "mcp", &["spec", "resources", "0", "capacity"], "40000"),
    row("ResourceGroup", "mcp", &["spec", "resources", "0", "weight"], "50"),
    row("ResourceGroup", "mcp", &["spec", "resources", "0", "capabilities"], r#"{"tts":"x"}"#),
    row("ResourceGroup", "mcp", &["spec", "resources", "0", "confmaxsize"], "400"),
    row("ResourceGroup", "mcp", &["spec", "resources", "0", "confmaxcount"], "400"),
    row(
        "ResourceGroup",
        "mcp",
        &["spec", "resources", "0", "source_addresses"],
        r#"["192.0.2.7"]"#,
    ),
    row("ResourceGroup", "spare", &["spec", "resources", "0", "redundancy"], r#""passive""#),
    row("ResourceGroup", "spare", &["spec", "resources", "0", "state"], r#""draining""#),
    row("ResourceGroup", "spare", &["spec", "discovery"], r#"{"dns":{"name":"nobody.test"}}"#),
    row("ResourceGroup", "spare", &["spec", "resources", "0", "address"], r#""sip:127.0.0.3:19""#),
    row("ResourceGroup", "spare", &["spec", "resources", "0", "name"], r#""spare-2""#),
    row("ResourceGroup", "spare", &["enabled"], "false"),
    row("Application", "changed", &["labels"], r#"{"team":"a"}"#),
    row("Application", "changed", &["spec", "type"], r#""sip-server""#),
    row("Application", "changed", &["spec", "address"], r#""192.0.2.8""#),
    row("Application", "changed", &["spec", "connections"], r#"["rm-1"]"#),
    row("Application", "changed", &["spec", "folder"], r#""a/b""#),
    row("Application", "rm-1", &["spec", "template"], r#""template""#),
    row("Application", "rm-1", &["spec", "options"], r#"{"rm":{"max-tries":4}}"#),
    row("Application", "changed", &["enabled"], "false"),
];

/// What identifies an object, what the server writes, and what this version refuses.
const NO_CHANGE: [&str; 11] = [
    "kind",
    "name",
    "tenant",
    "dbid",
    "revision",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
    "auto_register",
    "aor",
];

/// Fields of the schemas without a row.
pub(crate) fn covered() -> Vec<String> {
    let mut missing = Vec::new();
    for kind in Kind::ALL {
        let schema: Value = serde_json::from_str(schema::json(kind)).unwrap();
        let mut fields = BTreeSet::new();
        below(&schema, &schema, "", &mut fields);
        for field in fields {
            let changes = |change: &&Change| {
                let path: Vec<&str> = change
                    .path
                    .iter()
                    .map(|step| if *step == "0" { "[]" } else { *step })
                    .collect();
                change.kind == kind.as_str() && path.join("/") == field
            };
            if !CHANGES.iter().any(|change| changes(&change)) {
                missing.push(format!("{kind} {field}"));
            }
        }
    }
    missing
}

/// Sections whose fields are changed one by one; of all others the whole.
const SECTIONS: [&str; 5] = ["spec", "policy", "monitor", "failover", "resources"];

fn below(root: &Value, schema: &Value, path: &str, fields: &mut BTreeSet<String>) {
    let schema = resolved(root, schema);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let own = (path == "spec/resources/[]" && name == "name") || !NO_CHANGE.contains(&&**name);
        if !own {
            continue;
        }
        let place = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        let field = resolved(root, field);
        match (SECTIONS.contains(&&**name), &field["items"]) {
            (true, Value::Null) => below(root, field, &place, fields),
            (true, items) => below(root, items, &format!("{place}/[]"), fields),
            (false, _) => {
                fields.insert(place);
            }
        }
    }
}

fn resolved<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    match schema["$ref"].as_str() {
        Some(place) => root.pointer(place.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}
