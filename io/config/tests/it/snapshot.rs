//! What a snapshot answers: order of groups, effective state, names, parameters.

use std::fmt::Write;

use model::config::{Admin, Service};
use model::id::{Dbid, Revision};
use model::snapshot::{ENVIRONMENT, Snapshot};

use crate::build;

fn snapshot(text: &str) -> Snapshot {
    build(text).unwrap().0
}

const PLATFORM: &str = include_str!("fixtures/platform.yaml");

fn groups(snapshot: &Snapshot, tenant: &str, service: Service) -> Vec<String> {
    let tenant = snapshot.tenant_by_name(tenant).unwrap();
    let groups = snapshot.groups_for(tenant, service);
    groups.iter().map(|ix| snapshot.group(*ix).name.clone()).collect()
}

#[test]
fn an_empty_configuration_has_environment() {
    let snapshot = snapshot("");
    assert_eq!(snapshot.revision, Revision(7));
    let environment = snapshot.tenant(ENVIRONMENT);
    assert_eq!((environment.name.as_str(), environment.dbid), ("Environment", Dbid(1)));
    assert_eq!((environment.parent, environment.enabled), (None, true));
    assert_eq!(snapshot.tenant_by_dbid(Dbid(1)), Some(ENVIRONMENT));
    assert_eq!(snapshot.tenants().count(), 1);
    assert!(snapshot.did("1").is_none());
    assert!(snapshot.groups_for(ENVIRONMENT, Service::Media).is_empty());
}

#[test]
fn groups_stand_in_placement_order() {
    let snapshot = snapshot(PLATFORM);
    let cases: [(&str, Service, &[&str]); 6] = [
        // nearest owner, then preference, then name
        ("child", Service::Media, &["own-b", "own-a", "mid-shared", "root-a", "root-b"]),
        ("mid", Service::Media, &["mid-own", "mid-shared", "root-a", "root-b"]),
        ("sibling", Service::Media, &["mid-shared", "root-a", "root-b"]),
        ("Environment", Service::Media, &["root-a", "root-b"]),
        ("child", Service::Voicexml, &["root-b"]),
        ("child", Service::Cpd, &[]),
    ];
    for (tenant, service, expected) in cases {
        assert_eq!(groups(&snapshot, tenant, service), expected, "{tenant} {service}");
    }
}

#[test]
fn what_is_disabled_disables_what_is_below() {
    let text = PLATFORM.replace("name: mid\n", "name: mid\nenabled: false\n");
    let snapshot = snapshot(&text);
    let enabled = |name| snapshot.tenant(snapshot.tenant_by_name(name).unwrap()).enabled;
    assert!(!enabled("mid") && !enabled("child") && enabled("Environment"));
    let found = snapshot.did("100").unwrap();
    assert!(!snapshot.profile(found.profile).enabled);
    let state = |name| snapshot.resource(snapshot.resource_by_name(name).unwrap()).state;
    assert_eq!(state("m-own-a"), Admin::Disabled);
    assert_eq!(state("m-root-a"), Admin::Draining);
    assert_eq!(groups(&snapshot, "child", Service::Media).len(), 5);
    assert_eq!(snapshot.did_groups().filter(|(_, group)| group.enabled).count(), 0);
}

#[test]
fn a_disabled_number_group_is_not_asked() {
    let text = PLATFORM.replace("name: numbers\n", "name: numbers\nenabled: false\n");
    assert!(snapshot(&text).did("100").is_none());
    assert!(snapshot(PLATFORM).did("100").is_some());
}

#[test]
fn names_compare_exactly_then_without_case_if_unique() {
    let snapshot = snapshot(PLATFORM);
    let tenant = |name| snapshot.tenant_by_name(name).map(|ix| snapshot.tenant(ix).name.as_str());
    assert_eq!((tenant("MID"), tenant("mid"), tenant("mi")), (Some("mid"), Some("mid"), None));
    let alias = |name| snapshot.tenant_by_alias(name).map(|ix| snapshot.tenant(ix).name.as_str());
    assert_eq!((alias("m1"), alias("M1"), alias("mid")), (Some("mid"), Some("mid"), None));
    let child = snapshot.tenant_by_name("child").unwrap();
    let sibling = snapshot.tenant_by_name("sibling").unwrap();
    let within = |tenant, name| {
        snapshot.profile_within(tenant, name).map(|ix| {
            let profile = snapshot.profile(ix);
            format!("{}/{}", snapshot.tenant(profile.tenant).name, profile.name)
        })
    };
    assert_eq!(within(child, "main").as_deref(), Some("mid/main"));
    assert_eq!(within(child, "MAIN").as_deref(), Some("child/MAIN"));
    // two that differ in case only: neither is meant
    assert_eq!(within(child, "Main"), None);
    assert_eq!(within(sibling, "Main").as_deref(), Some("mid/main"));
    assert_eq!(within(ENVIRONMENT, "main"), None);
    assert!(snapshot.profile_anywhere("main").is_some());
    assert!(snapshot.profile_anywhere("Main").is_none());
    let profile = snapshot.profile_anywhere("MAIN").unwrap();
    let dbid = snapshot.profile(profile).dbid;
    assert_eq!((dbid, snapshot.profile_by_dbid(dbid)), (Dbid(205), Some(profile)));
    let resource = snapshot.resource_by_name("m-root-b").unwrap();
    assert_eq!(snapshot.resource_by_dbid(Dbid(310)), Some(resource));
    assert_eq!(snapshot.resource(resource).capacity, Some(7));
}

#[test]
fn paths_go_both_ways() {
    let snapshot = snapshot(PLATFORM);
    let child = snapshot.tenant_by_name("child").unwrap();
    let name = |ix| snapshot.tenant(ix).name.as_str();
    assert_eq!(
        snapshot.chain(child).map(name).collect::<Vec<_>>(),
        ["child", "mid", "Environment"]
    );
    let path = snapshot.path(child);
    assert_eq!(path.into_iter().map(name).collect::<Vec<_>>(), ["Environment", "mid", "child"]);
}

#[test]
fn parameters_are_inherited_and_the_nearest_wins() {
    let snapshot = snapshot(PLATFORM);
    let child = snapshot.tenant_by_name("child").unwrap();
    let profile = snapshot.profile_within(child, "main").unwrap();
    let of = |tenant| -> Vec<String> {
        let parameters = snapshot.parameters(tenant, profile, Service::Media);
        parameters.iter().map(|p| format!("{}={}", p.name, p.value)).collect()
    };
    assert_eq!(of(child), ["a=child", "b=profile", "c=mid"]);
    let mid = snapshot.tenant_by_name("mid").unwrap();
    assert_eq!(of(mid), ["a=mid", "b=profile", "c=mid"]);
    assert!(snapshot.parameters(mid, profile, Service::Cpd).is_empty());
}

#[test]
fn a_platform_of_some_size_is_built() {
    let mut text = String::from("kind: IvrProfile\nname: p\nspec: { service: media }\n");
    for n in 0..300 {
        let _ = write!(text, "---\nkind: Tenant\nname: t{n}\n---\nkind: DidGroup\nname: d\n");
        let numbers: Vec<String> = (0..100).map(|m| format!("\"{:07}\"", n * 1000 + m)).collect();
        let numbers = numbers.join(", ");
        let _ = write!(text, "tenant: t{n}\nspec: {{ profile: p, dids: [{numbers}] }}\n");
    }
    let snapshot = snapshot(&text);
    let found = snapshot.did("0299099").unwrap();
    assert_eq!(snapshot.tenant(found.tenant).name, "t299");
    assert!(snapshot.did("0299100").is_none());
}
