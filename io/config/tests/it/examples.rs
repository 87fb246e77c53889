//! The three examples of rm.md §4.3: what this version builds, and exactly what it refuses.

use model::config::{CtiAction, Scheme, Service, StatusSet, UseCti};

use crate::{build, faults};

#[test]
fn example_1_builds() {
    let (snapshot, warnings) = build(include_str!("fixtures/example-1.yaml")).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let acme = snapshot.tenant_by_name("acme").unwrap();
    let tenant = snapshot.tenant(acme);
    assert_eq!(tenant.dbid.0, 1_232_636_818);
    assert_eq!(tenant.policy.usage_limit, Some(100));
    let burst = tenant.policy.burst.unwrap();
    assert_eq!((burst.level2, burst.level3), (120, Some(150)));
    assert_eq!(tenant.policy.alarms.usage_limit, Some(true));
    let alias = snapshot.tenant_by_alias("9350e2fc-a1dd-4c65-8d40-1f75a2e080dd");
    assert_eq!(alias, Some(acme));
    let found = snapshot.did("18005550217").unwrap();
    let group = snapshot.did_group(found.group).name.as_str();
    assert_eq!((found.pattern, group), ("18005550200-18005550299", "acme-numbers"));
    let profile = snapshot.profile(found.profile);
    assert_eq!((profile.name.as_str(), profile.service), ("IVRAppDefault", Service::Voicexml));
    assert!(!profile.policy.allows(Service::Ccxml) && profile.policy.allows(Service::Voicexml));
    let parameters = snapshot.parameters(acme, found.profile, Service::Voicexml);
    let printed: Vec<_> =
        parameters.iter().map(|p| (p.name.as_str(), p.value.as_str(), p.fixed)).collect();
    assert_eq!(printed, [("gvp.appmodule", "VXML-NG", true), ("lang", "en", false)]);
    let group = snapshot.group(snapshot.groups_for(acme, Service::Cpd)[0]);
    let servers: Vec<_> = group.resources.iter().map(|ix| snapshot.resource(*ix)).collect();
    assert_eq!(group.scheme, Scheme::LeastPercent);
    assert_eq!(servers[1].address.addr(), "10.0.0.12:5070".parse().ok());
    assert_eq!((servers[0].capacity, servers[0].name.as_str()), (Some(500), "mcp-1"));
}

/// Holds the faults against lines of `line:column what`, each an E107.
fn refused(text: &str, expected: &[&str]) {
    let told = faults(text);
    let expected: Vec<String> = expected
        .iter()
        .map(|line| {
            let (at, what) = line.split_once(' ').unwrap();
            format!("o.yaml:{at}: E107: \"{what}\" is not available in this version")
        })
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn example_2_is_refused_where_it_goes_beyond_this_version() {
    let expected = [];
    refused(include_str!("fixtures/example-2.yaml"), &expected);
}

#[test]
fn example_3_is_built_whole() {
    let text = include_str!("fixtures/example-3.yaml");
    let group = "kind: ResourceGroup\nname: mcp\nspec: { services: [recordingclient], \
                 resources: [{ name: mcp-1, address: \"sip:10.0.0.11:5070\" }] }";
    let text = format!("kind: Tenant\nname: acme\n---\n{text}---\n{group}\n");
    let (snapshot, warnings) = build(&text).unwrap();
    assert!(warnings.is_empty(), "calls of its recording profile go to mcp: {warnings:?}");
    let (_, connectors) = snapshot.groups().next().unwrap();
    let (_, gateways) = snapshot.groups().nth(1).unwrap();
    let url = "http://apps.acme.example/nocti.vxml".to_owned();
    let script = CtiAction::Script { service: Service::Voicexml, url };
    assert_eq!(connectors.cti.exhausted, script);
    assert_eq!(connectors.cti.stops, Some(StatusSet(vec![(486, 486), (600, 600)])));
    assert_eq!(connectors.cti.stopped, Some(CtiAction::Answer));
    assert_eq!(gateways.use_cti, UseCti::WithProfile);
}

#[test]
fn the_options_of_example_3_are_read() {
    let whole = include_str!("fixtures/example-3.yaml");
    let application = whole.rsplit_once("---\n").unwrap().1;
    let (snapshot, warnings) = build(application).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let options = &snapshot.application("rm-1").unwrap().options;
    assert_eq!(options.resource_unavailable_respcode, 603);
    assert_eq!(options.resource_no_match_respcode, 603);
    assert_eq!(options.mtu, 1500);
}
