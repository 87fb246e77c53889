//! Options of `gvp.lrg` as fields of a resource group (rm.md §4.2); pure.

use serde_json::{Map, Value, json};

/// What media servers of a new group offer.
const SERVICES: [&str; 6] = ["voicexml", "msml", "conference", "announcement", "media", "cpd"];

/// An option and where its value goes.
const FIELDS: &[(&str, &str)] = &[
    ("load-balance-scheme", "scheme"),
    ("port-capacity", "port_capacity"),
    ("port-usage-type", "port_usage"),
    ("preference", "preference"),
    ("resource-confmaxsize", "confmaxsize"),
    ("resource-confmaxcount", "confmaxcount"),
    ("noresource-response-code", "noresource_response_code"),
    ("use-cti", "use_cti"),
    ("fail-over-cti-handling", "fail_over_cti_handling"),
    ("cti-unavailable-respcode", "cti_unavailable_respcode"),
    ("cti-unavailable-action", "cti_unavailable_action"),
    ("remove-ruri-capability-on-fallback", "remove_ruri_capability_on_fallback"),
];

/// Fields of the spec, and as labels what has no field.
pub(super) fn spec(options: &Map<String, Value>) -> (Value, Vec<(String, String)>) {
    let mut spec = json!({});
    let mut labels = Vec::new();
    for (option, value) in options {
        match option.as_str() {
            "service-types" => spec["services"] = list(value),
            "geo-location" => spec["geo_location"] = list(value),
            "monitor-method" => spec["monitor"]["method"] = json!(text(value)),
            _ => match FIELDS.iter().find(|(known, _)| known == option) {
                Some((_, field)) => spec[*field] = plain(value),
                None => labels.push((format!("gvp/gvp.lrg/{option}"), text(value))),
            },
        }
    }
    (spec, labels)
}

/// What a new group needs and nobody has said. With a namespace its media servers are found by the
/// name of their service.
pub(super) fn complete(spec: &mut Value, name: &str, namespace: Option<&str>) {
    if spec["services"].is_null() {
        spec["services"] = json!(SERVICES);
    }
    let label = |text: &str| {
        text.len() <= 63
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if let Some(namespace) = namespace.filter(|namespace| label(namespace) && label(name)) {
        let name = format!("_sip._tcp.{name}.{namespace}.svc.cluster.local");
        spec["discovery"] = json!({ "dns": { "name": name } });
    }
}

/// GVP writes numbers and flags as text.
fn plain(value: &Value) -> Value {
    let Some(text) = value.as_str() else { return value.clone() };
    match (text.parse::<i64>(), text) {
        (Ok(number), _) => json!(number),
        (_, "true") => json!(true),
        (_, "false") => json!(false),
        _ => value.clone(),
    }
}

fn list(value: &Value) -> Value {
    let text = text(value);
    let items = text.split([';', ',']).map(str::trim).filter(|item| !item.is_empty());
    items.map(Value::from).collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{complete, spec};
    use serde_json::json;

    #[test]
    fn options_of_gvp_become_fields_or_labels() {
        let options = json!({
            "load-balance-scheme": "least-used", "port-capacity": "500", "use-cti": 2,
            "service-types": "voicexml; conference", "monitor-method": "none",
            "remove-ruri-capability-on-fallback": "true", "odd": 7,
        });
        let (spec, labels) = spec(options.as_object().unwrap());
        let expected = json!({
            "scheme": "least-used", "port_capacity": 500, "use_cti": 2,
            "services": ["voicexml", "conference"], "monitor": {"method": "none"},
            "remove_ruri_capability_on_fallback": true,
        });
        assert_eq!(spec, expected);
        assert_eq!(labels, [("gvp/gvp.lrg/odd".to_owned(), "7".to_owned())]);
    }

    #[test]
    fn a_new_group_offers_services_and_is_found_where_names_allow() {
        let cases = [
            ("mcp", Some("voice"), Some("_sip._tcp.mcp.voice.svc.cluster.local")),
            ("MCP_LRG", Some("voice"), None),
            ("mcp", None, None),
        ];
        for (name, namespace, found) in cases {
            let mut spec = json!({});
            complete(&mut spec, name, namespace);
            assert_eq!(spec["services"][0], "voicexml");
            assert_eq!(spec["discovery"]["dns"]["name"].as_str(), found, "{name} {namespace:?}");
        }
    }
}
