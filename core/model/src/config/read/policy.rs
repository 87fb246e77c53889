//! Policies and parameters, as tenants and profiles have them (rm.md §5.2, §6.1).

use crate::config::limits::MAX_TEXT;
use crate::config::{Alarms, Parameter, Policy, RespCodes, Service};
use crate::schema::{Field, Object, Place, Placed};
use crate::tree::Value;

/// A policy whose numbers have yet to be held against each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct PolicyDraft {
    pub(crate) usage_limit: Option<Placed<u32>>,
    pub(crate) burst: Option<BurstDraft>,
    pub(crate) forbidden: Vec<Service>,
    pub(crate) usage_limit_code: Option<Placed<i64>>,
    pub(crate) service_forbidden_code: Option<Placed<i64>>,
    pub(crate) alarms: Alarms,
}

#[derive(Clone, Debug)]
pub(crate) struct BurstDraft {
    pub(crate) place: Place,
    pub(crate) level2: Placed<u32>,
    pub(crate) level3: Option<Placed<u32>>,
}

impl PolicyDraft {
    /// The policy, once the checks of the policy stage have passed.
    pub(crate) fn settled(&self) -> Policy {
        let code = |code: &Option<Placed<i64>>| {
            code.as_ref().and_then(|code| u16::try_from(code.value).ok())
        };
        let mut policy = Policy {
            usage_limit: self.usage_limit.as_ref().map(|limit| limit.value),
            burst: self.burst.as_ref().map(|burst| crate::config::Burst {
                level2: burst.level2.value,
                level3: burst.level3.as_ref().map(|level| level.value),
            }),
            respcodes: RespCodes {
                usage_limit: code(&self.usage_limit_code),
                service_forbidden: code(&self.service_forbidden_code),
            },
            alarms: self.alarms,
            ..Policy::default()
        };
        self.forbidden.iter().for_each(|service| policy.forbidden.insert(*service));
        policy
    }
}

const REFUSALS: [&str; 6] = [
    "usage_limit",
    "rate_limit",
    "service_forbidden",
    "outbound_forbidden",
    "transfer_forbidden",
    "dialing_rule_forbidden",
];

pub(super) fn policy(spec: &Object<'_>, kind: &str) -> PolicyDraft {
    let mut draft = PolicyDraft::default();
    let Some(policy) = spec.get("policy").and_then(|field| field.object()) else { return draft };
    draft.usage_limit = policy.get("usage_limit").and_then(|field| limit(&field));
    draft.burst = policy.get("burst").and_then(|field| burst(&field, kind));
    draft.forbidden = forbidden_services(&policy);
    respcodes(&policy, &mut draft);
    draft.alarms = alarms(&policy);
    for limit in ["inbound_usage_limit", "outbound_usage_limit", "rate_limit"] {
        policy.unavailable(limit, |_| false);
    }
    for allowed in ["outbound_allowed", "transfer_allowed", "cti_allowed", "recording_allowed"] {
        policy.unavailable(allowed, |value| *value == Value::Bool(true));
    }
    policy.unavailable("dialing_rules", |value| *value == Value::Seq(Vec::new()));
    policy.unavailable("max_call_duration", |value| is_text(value, "12h"));
    policy.unavailable("use_same_gateway", |value| is_text(value, "no"));
    policy.unavailable("partition", |value| is_text(value, "per-side"));
    policy.unavailable("pass", |value| *value == Value::Map(Vec::new()));
    policy.unavailable("children", |value| *value == Value::Map(Vec::new()));
    policy.finish();
    draft
}

pub(super) fn is_text(value: &Value, text: &str) -> bool {
    matches!(value, Value::Text(found) if found == text)
}

/// `100` or `{max: 100, exact: false}`.
fn limit(field: &Field<'_>) -> Option<Placed<u32>> {
    if !matches!(field.node().value, Value::Map(_)) {
        return field.whole(0, u32::MAX).map(|max| field.placed(max));
    }
    let object = field.object()?;
    let max = object.get("max");
    if max.is_none() {
        field.note(
            "E102",
            format!("\"{}.max\" must be a whole number, found nothing", field.name()),
        );
    }
    object.unavailable("exact", |value| *value == Value::Bool(false));
    object.finish();
    let max = max?;
    max.whole(0, u32::MAX).map(|value| max.placed(value))
}

fn burst(field: &Field<'_>, kind: &str) -> Option<BurstDraft> {
    let object = field.object()?;
    let level2 = object.require("level2", kind).and_then(|field| limit(&field));
    let level3 = object.get("level3").and_then(|field| limit(&field));
    object.finish();
    Some(BurstDraft { place: field.place().clone(), level2: level2?, level3 })
}

fn forbidden_services(policy: &Object<'_>) -> Vec<Service> {
    let mut forbidden = Vec::new();
    let Some(services) = policy.get("services").and_then(|field| field.object()) else {
        return forbidden;
    };
    for service in Service::ALL {
        let Some(field) = services.get(service.as_str()) else { continue };
        let Some(object) = field.object() else { continue };
        if object.get("allowed").and_then(|field| field.boolean()) == Some(false) {
            forbidden.push(service);
        }
        for later in ["usage_limit", "per_session", "respcode", "forbidden_respcode"] {
            object.unavailable(later, |_| false);
        }
        object.finish();
    }
    services.finish();
    forbidden
}

fn respcodes(policy: &Object<'_>, draft: &mut PolicyDraft) {
    let Some(codes) = policy.get("respcodes").and_then(|field| field.object()) else { return };
    draft.usage_limit_code = codes.get("usage_limit").and_then(|field| code(&field));
    draft.service_forbidden_code = codes.get("service_forbidden").and_then(|field| code(&field));
    for later in REFUSALS.into_iter().filter(|r| !matches!(*r, "usage_limit" | "service_forbidden"))
    {
        codes.unavailable(later, |_| false);
    }
    codes.finish();
}

/// A response code; whether it is between 400 and 699 is a matter of the policy stage.
pub(super) fn code(field: &Field<'_>) -> Option<Placed<i64>> {
    field.whole(i64::MIN, i64::MAX).map(|code| field.placed(code))
}

fn alarms(policy: &Object<'_>) -> Alarms {
    let Some(alarms) = policy.get("alarms").and_then(|field| field.object()) else {
        return Alarms::default();
    };
    let read = |key| alarms.get(key).and_then(|field| field.boolean());
    let [usage, rate, service, outbound, transfer, rule] = REFUSALS.map(read);
    alarms.finish();
    Alarms {
        usage_limit: usage,
        rate_limit: rate,
        service_forbidden: service,
        outbound_forbidden: outbound,
        transfer_forbidden: transfer,
        dialing_rule_forbidden: rule,
    }
}

/// `parameters: {service: {name: {fixed: v} | {default: v}}}`.
pub(super) fn parameters(spec: &Object<'_>) -> Vec<Parameter> {
    let mut all = Vec::new();
    let Some(services) = spec.get("parameters").and_then(|field| field.object()) else {
        return all;
    };
    for service in Service::ALL {
        let Some(field) = services.get(service.as_str()) else { continue };
        let Some(names) = field.object() else { continue };
        all.extend(names.entries().filter_map(|(name, field)| {
            let value = parameter_value(&name.text, &field);
            let good = parameter_name(&name.text, &field);
            let (value, fixed) = value.filter(|_| good)?;
            Some(Parameter { service, name: name.text.clone(), value, fixed })
        }));
    }
    services.finish();
    all
}

fn parameter_name(name: &str, field: &Field<'_>) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let why = if name.is_empty() || name.len() > 64 || !name.chars().all(letter) {
        "expected 1 to 64 letters, digits, dots, underscores and hyphens"
    } else if name.to_ascii_lowercase().starts_with("gvp.rm.") {
        "names with gvp.rm. belong to the Resource Manager"
    } else {
        return true;
    };
    let shown: String = name.chars().take(64).flat_map(char::escape_debug).collect();
    field.note("E105", format!("\"{shown}\" is not a valid parameter name: {why}"));
    false
}

fn parameter_value(name: &str, field: &Field<'_>) -> Option<(String, bool)> {
    let object = field.object()?;
    let (fixed, default) = (object.get("fixed"), object.get("default"));
    object.finish();
    match (fixed, default) {
        (Some(value), None) => Some((scalar(&value)?, true)),
        (None, Some(value)) => Some((scalar(&value)?, false)),
        (Some(_), Some(_)) | (None, None) => {
            let shown: String = name.chars().take(64).flat_map(char::escape_debug).collect();
            field.note("E110", format!("parameter \"{shown}\": give either fixed or default"));
            None
        }
    }
}

/// Text, or a number or truth value as it is printed.
pub(super) fn scalar(field: &Field<'_>) -> Option<String> {
    match &field.node().value {
        Value::Text(_) => field.text_up_to(MAX_TEXT).map(str::to_owned),
        Value::Int(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Seq(_) | Value::Map(_) => {
            field.wrong_type("text, a number, true or false")
        }
    }
}
