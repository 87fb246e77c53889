//! The platform of the bench: 40 resellers with 24 tenants each, ten profiles and 1,000 patterns
//! to a tenant, twelve media servers to a reseller and twenty for all.

use std::sync::Arc;

use model::chance::Chance;
use model::config::Document;
use model::id::Revision;
use model::snapshot::Snapshot;
use serde_json::{Value, json};

const RESELLERS: u32 = 40;
const TENANTS: u32 = 24;
const PROFILES: u32 = 10;
/// Numbers of a profile: a million by all.
const NUMBERS: u32 = 100;

/// A number of anybody: mostly an exact one, one in fifty of a range, one of a prefix.
pub(crate) fn number(chance: &mut Chance) -> String {
    let pick = |chance: &mut Chance, of: u32| u32::try_from(chance.below(of.into())).unwrap();
    let owner = pick(chance, RESELLERS * (TENANTS + 1) * PROFILES);
    let last = match pick(chance, NUMBERS) {
        98 => 1000 + pick(chance, 1000),
        99 => 2000 + pick(chance, 1000),
        exact => exact,
    };
    format!("49{owner:05}{last:04}")
}

/// The patterns of a profile: 98 exact ones, a range and a prefix.
fn patterns(owner: u32) -> impl Iterator<Item = String> {
    let exact = (0..NUMBERS - 2).map(move |last| format!("49{owner:05}{last:04}"));
    let range = format!("49{owner:05}1000-49{owner:05}1999");
    exact.chain([range, format!("49{owner:05}2*")])
}

/// All of it, from documents to the snapshot; the groups place by this scheme.
pub(crate) fn snapshot(scheme: &str) -> Arc<Snapshot> {
    let policy = json!({"usage_limit": 200_000});
    let mut documents =
        vec![json!({"kind": "Tenant", "name": "Environment", "spec": {"policy": policy}})];
    let mut owner = 0;
    for reseller in 0..RESELLERS {
        let name = format!("reseller-{reseller}");
        tenant(&mut documents, &name, "Environment", &mut owner);
        documents.push(group((&format!("media-{reseller}"), &name), 12, reseller, scheme));
        for customer in 0..TENANTS {
            tenant(&mut documents, &format!("customer-{reseller}-{customer}"), &name, &mut owner);
        }
    }
    documents.push(group(("media", "Environment"), 20, RESELLERS, scheme));
    let documents: Vec<Document> = documents
        .iter()
        .zip(1..)
        .map(|(object, number)| {
            let root = crate::world::node(object);
            Document { file: None, number, size: 0, root }
        })
        .collect();
    let (snapshot, _) = Snapshot::build(&documents, Revision(42)).unwrap();
    Arc::new(snapshot)
}

fn tenant(documents: &mut Vec<Value>, name: &str, parent: &str, owner: &mut u32) {
    let policy = json!({"usage_limit": 10_000, "burst": {"level2": 12_000, "level3": 15_000},
        "services": {"ccxml": {"allowed": false}}});
    documents.push(json!({"kind": "Tenant", "name": name,
        "spec": {"parent": parent, "policy": policy}}));
    for number in 0..PROFILES {
        let profile = format!("app-{number}");
        documents.push(json!({"kind": "IvrProfile", "name": profile, "tenant": name, "spec": {
            "service": "voicexml", "initial_page_url": "http://apps.example/start.vxml",
            "policy": {"usage_limit": 5_000, "dialing_rules": ["reject ^\\+?1?900"]}}}));
        let dids: Vec<String> = patterns(*owner).collect();
        documents.push(json!({"kind": "DidGroup", "name": profile, "tenant": name,
            "spec": {"profile": profile, "dids": dids}}));
        *owner += 1;
    }
}

fn group((name, tenant): (&str, &str), size: u32, number: u32, scheme: &str) -> Value {
    let resource = |at: u32| {
        let address = format!("sip:10.{}.{}.{}:5070", 1 + number / 200, number % 200, 1 + at);
        json!({"name": format!("{name}-{at}"), "address": address, "capacity": 100_000,
            "weight": 50 + at})
    };
    json!({"kind": "ResourceGroup", "name": name, "tenant": tenant, "spec": {
        "services": ["voicexml", "msml"], "monitor": {"method": "none"},
        "scheme": scheme,
        "resources": (0..size).map(resource).collect::<Vec<_>>()}})
}
