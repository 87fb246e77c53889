//! Policies and parameters, as tenants and profiles have them (rm.md §5.2, §6.1).

mod rules;
mod services;

use std::time::Duration;

use crate::config::limits::{MAX_CALL, MAX_TEXT};
use crate::config::{Alarms, Parameter, Policy, RespCodes, SameGateway, Service};
use crate::schema::{Field, Object, Place, Placed};
use crate::tree::Value;
pub(crate) use rules::RuleBook;

/// A policy whose numbers have yet to be held against each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct PolicyDraft {
    /// Everything but the dialling rules.
    pub(crate) policy: Policy,
    pub(crate) usage_limit: Option<Placed<u32>>,
    pub(crate) burst: Option<BurstDraft>,
    /// All response codes in it.
    pub(crate) codes: Vec<Placed<i64>>,
    /// The rules as they are written.
    pub(crate) dialing_rules: Vec<Placed<String>>,
    /// What is laid over its first-level children, by their names.
    pub(crate) children: Vec<(Placed<String>, Self)>,
}

#[derive(Clone, Debug)]
pub(crate) struct BurstDraft {
    pub(crate) place: Place,
    pub(crate) level2: Placed<u32>,
    pub(crate) level3: Option<Placed<u32>>,
}

impl PolicyDraft {
    /// The policy, once the checks of the policy stage have passed.
    pub(crate) fn settled(&self, rules: &RuleBook) -> Policy {
        let dialing_rules = self.dialing_rules.iter();
        let dialing_rules = dialing_rules.filter_map(|rule| rules.get(&rule.value)).collect();
        Policy { dialing_rules, ..self.policy.clone() }
    }

    /// It and what it lays over children.
    pub(crate) fn with_children(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.children.iter().map(|(_, child)| child))
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

/// The policy of a tenant, or of another `kind`, which has no children to lay anything over.
pub(super) fn policy(spec: &Object<'_>, kind: &str) -> PolicyDraft {
    let Some(policy) = spec.get("policy").and_then(|field| field.object()) else {
        return PolicyDraft::default();
    };
    let mut draft = fields(&policy, kind);
    if kind == "Tenant"
        && let Some(children) = policy.get("children").and_then(|field| field.object())
    {
        for (name, field) in children.entries() {
            let place = Place { at: name.at, ..field.place().clone() };
            let Some(object) = field.object() else { continue };
            let child = fields(&object, kind);
            object.finish();
            draft.children.push((Placed { value: name.text.clone(), place }, child));
        }
    }
    policy.finish();
    draft
}

/// All fields that a policy and what is laid over a child's have in common.
fn fields(policy: &Object<'_>, kind: &str) -> PolicyDraft {
    let mut draft = PolicyDraft {
        usage_limit: policy.get("usage_limit").and_then(|field| limit(&field)),
        burst: policy.get("burst").and_then(|field| burst(&field, kind)),
        dialing_rules: rules::read(policy),
        ..PolicyDraft::default()
    };
    let most = |key| policy.get(key).and_then(|field| limit(&field)).map(|limit| limit.value);
    let flag = |key| policy.get(key).and_then(|field| field.boolean());
    let (forbidden, services) = services::read(policy, &mut draft.codes);
    draft.policy = Policy {
        usage_limit: draft.usage_limit.as_ref().map(|limit| limit.value),
        burst: draft.burst.as_ref().map(|burst| crate::config::Burst {
            level2: burst.level2.value,
            level3: burst.level3.as_ref().map(|level| level.value),
        }),
        inbound_usage_limit: most("inbound_usage_limit"),
        outbound_usage_limit: most("outbound_usage_limit"),
        rate_limit: policy.get("rate_limit").and_then(|field| field.whole(0, u32::MAX)),
        forbidden,
        services,
        outbound_forbidden: flag("outbound_allowed") == Some(false),
        transfer_forbidden: flag("transfer_allowed") == Some(false),
        dialing_rules: Vec::new(),
        max_call_duration: policy
            .get("max_call_duration")
            .and_then(|field| field.duration(Duration::from_secs(1), MAX_CALL)),
        cti_allowed: flag("cti_allowed"),
        recording_allowed: flag("recording_allowed"),
        use_same_gateway: policy.get("use_same_gateway").and_then(|field| same_gateway(&field)),
        respcodes: respcodes(policy, &mut draft.codes),
        alarms: alarms(policy),
        pass: pass(policy),
    };
    // how nodes share a limit when they cannot see each other; a node alone has it whole
    if let Some(field) = policy.get("partition") {
        let _: Option<()> = field.choice(&[("per-side", ()), ("divide", ())]);
    }
    draft
}

fn same_gateway(field: &Field<'_>) -> Option<SameGateway> {
    // a bare `no` is false in some dialects of YAML
    if field.node().value == Value::Bool(false) {
        return Some(SameGateway::No);
    }
    field.choice(&[
        ("no", SameGateway::No),
        ("preferred", SameGateway::Preferred),
        ("required", SameGateway::Required),
    ])
}

/// `100` or `{max: 100, exact: true}`; `exact` is about several nodes, one alone is always exact.
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
    if let Some(exact) = object.get("exact") {
        let _ = exact.boolean();
    }
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

fn respcodes(policy: &Object<'_>, all: &mut Vec<Placed<i64>>) -> RespCodes {
    let Some(codes) = policy.get("respcodes").and_then(|field| field.object()) else {
        return RespCodes::default();
    };
    let [usage_limit, rate_limit, service, outbound, transfer, rule] =
        REFUSALS.map(|key| noted(codes.get(key), all));
    codes.finish();
    RespCodes {
        usage_limit,
        rate_limit,
        service_forbidden: service,
        outbound_forbidden: outbound,
        transfer_forbidden: transfer,
        dialing_rule_forbidden: rule,
    }
}

/// A response code, among all that the policy stage has to look at.
fn noted(field: Option<Field<'_>>, all: &mut Vec<Placed<i64>>) -> Option<u16> {
    let placed = code(&field?)?;
    let value = u16::try_from(placed.value).ok();
    all.push(placed);
    value
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

/// `pass: {key: value}`: names of parameters, and text or what is printed as one.
fn pass(policy: &Object<'_>) -> Vec<(String, String)> {
    let Some(pass) = policy.get("pass").and_then(|field| field.object()) else {
        return Vec::new();
    };
    let pair = |(key, field): (&crate::tree::Key, Field<'_>)| {
        let value = scalar(&field);
        let good = parameter_name(&key.text, &field);
        value.filter(|_| good).map(|value| (key.text.clone(), value))
    };
    pass.entries().filter_map(pair).collect()
}

/// `parameters: {service: {name: {fixed: v} | {default: v}}}`; those of `record` are of the legs
/// that it makes.
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
            Some(Parameter { service: service.of_legs(), name: name.text.clone(), value, fixed })
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
