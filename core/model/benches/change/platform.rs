//! The platform of ops.md §1.11: 1,000 tenants, 3,000 profiles, 100,000 numbers, 500 resources.

use model::config::Document;
use model::tree::from_json;
use serde_json::{Value, json};

/// Tenants besides `Environment`.
pub(crate) const TENANTS: usize = 1_000;
/// Profiles of a tenant.
const PROFILES: usize = 3;
/// Patterns of a tenant.
const NUMBERS: usize = 100;
/// Groups of media servers.
pub(crate) const GROUPS: usize = 50;
/// Media servers of a group.
const RESOURCES: usize = 10;

pub(crate) fn documents(objects: &[Value]) -> Vec<Document> {
    let document = |object| Document { file: None, number: 1, size: 0, root: from_json(object) };
    objects.iter().map(document).collect()
}

pub(crate) fn platform() -> Vec<Value> {
    let tenants = (0..TENANTS).map(|number| {
        let parent = if number % 25 == 0 { "Environment".to_owned() } else { tenant(number / 25) };
        json!({"kind": "Tenant", "name": tenant(number), "spec": {"parent": parent,
            "policy": {"usage_limit": 100_000, "services": {"ccxml": {"allowed": false}}}}})
    });
    let profiles = (0..TENANTS * PROFILES).map(|n| profile(n / PROFILES, n % PROFILES, 50));
    let numbers = (0..TENANTS).map(numbers_of);
    let groups = (0..GROUPS).map(media);
    tenants.chain(profiles).chain(numbers).chain(groups).collect()
}

pub(crate) fn tenant(number: usize) -> String {
    format!("customer-{number}")
}

pub(crate) fn profile(owner: usize, number: usize, limit: u32) -> Value {
    json!({"kind": "IvrProfile", "name": format!("app-{number}"), "tenant": tenant(owner), "spec": {
        "service": "voicexml", "initial_page_url": "http://apps.example/start.vxml",
        "policy": {"usage_limit": limit, "dialing_rules": ["reject ^\\+?1?900"]}}})
}

/// Exact numbers, one range, one prefix.
pub(crate) fn numbers_of(owner: usize) -> Value {
    let exact = (0..NUMBERS - 2).map(|last| format!("49{owner:04}{last:04}"));
    let range = format!("49{owner:04}1000-49{owner:04}1999");
    let dids: Vec<String> = exact.chain([range, format!("49{owner:04}2*")]).collect();
    json!({"kind": "DidGroup", "name": "numbers", "tenant": tenant(owner),
        "spec": {"profile": "app-0", "dids": dids}})
}

pub(crate) fn media(number: usize) -> Value {
    let resource = |of: usize| {
        let address = format!("sip:10.2.{number}.{of}:5070");
        json!({"name": format!("mcp-{number}-{of}"), "address": address, "capacity": 200})
    };
    let resources: Vec<Value> = (0..RESOURCES).map(resource).collect();
    json!({"kind": "ResourceGroup", "name": format!("media-{number}"), "spec": {
        "services": ["voicexml", "ccxml"], "resources": resources}})
}
