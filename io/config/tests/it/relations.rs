//! Between objects: what needs more than a file of cases; limits, and the warnings.

use std::net::SocketAddr;
use std::sync::Arc;

use config::objects::from_text;
use model::id::Revision;
use model::snapshot::Snapshot;

use crate::{build, faults, line};

fn tenant(name: &str, spec: &str) -> String {
    format!("kind: Tenant\nname: {name}\nspec: {{ {spec} }}\n---\n")
}

fn object(kind: &str, tenant: &str, name: &str, spec: &str) -> String {
    format!("kind: {kind}\nname: {name}\ntenant: {tenant}\nspec: {{ {spec} }}\n---\n")
}

fn check(cases: &[(String, &[&str])]) {
    for (text, expected) in cases {
        let expected: Vec<String> = expected.iter().map(|line| format!("o.yaml:{line}")).collect();
        let head: String = text.chars().take(200).collect();
        assert_eq!(faults(text), expected, "{head}");
    }
}

fn media(tenant: &str, name: &str) -> String {
    object("IvrProfile", tenant, name, "service: media")
}

fn numbers(tenant: &str, name: &str, dids: &str) -> String {
    object("DidGroup", tenant, name, &format!("profile: p, dids: [{dids}]"))
}

fn group(name: &str, resources: &str) -> String {
    let spec = format!("services: [media], resources: [{resources}]");
    object("ResourceGroup", "Environment", name, &spec)
}

#[test]
fn a_profile_of_a_parent_is_found_and_the_nearest_wins() {
    let text = tenant("a", "")
        + &tenant("b", "parent: a, default_profile: p")
        + &media("Environment", "p")
        + &media("a", "p")
        + &numbers("b", "g", "\"1\"");
    let (snapshot, _) = build(&text).unwrap();
    let found = snapshot.did("1").unwrap();
    assert_eq!(snapshot.tenant(snapshot.profile(found.profile).tenant).name, "a");
    assert_eq!(snapshot.tenant(found.tenant).name, "b");
    assert_eq!(snapshot.tenant(found.tenant).default_profile, Some(found.profile));
}

#[test]
fn a_resource_is_not_this_rm() {
    let text = group("g", "{ name: m, address: \"sip:127.0.0.1\" }");
    let documents = from_text(&text, Some(Arc::from("o.yaml"))).unwrap();
    let own: [SocketAddr; 1] = ["127.0.0.1:5060".parse().unwrap()];
    let problems = Snapshot::build_for(&documents, Revision(1), &own).unwrap_err();
    assert_eq!(
        line(&problems[0]),
        "o.yaml:4:60: E409: resource address \"sip:127.0.0.1\" is this RM itself"
    );
    assert!(Snapshot::build(&documents, Revision(1)).is_ok());
}

#[test]
fn headers_of_deep_tenants_with_long_names_are_too_long() {
    let name = |n: usize| format!("{}-{n}", "x".repeat(60));
    let mut text = tenant(&name(0), "");
    for n in 1..5 {
        text += &tenant(&name(n), &format!("parent: {}", name(n - 1)));
    }
    text += &media(&name(1), "p");
    assert!(faults(&text).is_empty());
    text += &media(&name(4), "q");
    let expected = ["27:7: E410: headers for this profile would exceed 1000 bytes"];
    check(&[(text, &expected)]);
}

#[test]
fn limits() {
    let mut deep = tenant("t0", "");
    for n in 1..33 {
        deep += &tenant(&format!("t{n}"), &format!("parent: t{}", n - 1));
    }
    let labels: Vec<String> = (0..257).map(|n| format!("l{n}: x")).collect();
    let labels = format!("kind: Tenant\nname: a\nlabels: {{ {} }}\n", labels.join(", "));
    let many: Vec<String> = (0..100_001).map(|n| format!("\"{n}\"")).collect();
    let many = media("Environment", "p") + &numbers("Environment", "g", &many.join(", "));
    let resources: Vec<String> = (0..5001)
        .map(|n| format!("{{ name: m{n}, address: \"sip:10.0.0.1:{}\" }}", n + 1))
        .collect();
    check(&[
        (deep, &["130:7: E501: depth of tenant \"t32\": 33 exceeds the limit of 32"]),
        (labels, &["3:9: E501: labels of Tenant \"a\": 257 exceeds the limit of 256"]),
        (many, &["9:27: E501: patterns of group \"g\": 100001 exceeds the limit of 100000"]),
        (
            group("g", &resources.join(", ")),
            &["4:39: E501: resources of group \"g\": 5001 exceeds the limit of 5000"],
        ),
    ]);
}

#[test]
fn a_document_is_not_larger_than_its_limit() {
    let text = format!("kind: Tenant\nname: a\nlabels: {{ a: \"{}\" }}\n", "x".repeat(5 << 20));
    check(&[(text, &["1:1: E002: document 1 is larger than 4MiB"])]);
}

#[test]
fn at_most_a_hundred_faults_of_one_stage_are_told() {
    let fields: Vec<String> = (0..150).map(|n| format!("field{n}: 1")).collect();
    assert_eq!(faults(&tenant("a", &fields.join(", "))).len(), 100);
    let later = tenant("a", "parent: nobody, x: 1");
    assert_eq!(faults(&later), ["o.yaml:3:25: E101: unknown field \"x\""]);
}

#[test]
fn no_objects_at_all_are_warned_about() {
    for text in ["", "# nothing\n", "---\n---\n"] {
        let (_, warnings) = build(text).unwrap();
        let told: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["W403: no objects: RM would refuse every call"], "{text:?}");
    }
    assert!(build("kind: Tenant\nname: a\n").unwrap().1.is_empty());
}

/// W407: such a try is the only one, and nothing but the check says so.
#[test]
fn a_try_that_may_take_the_time_of_the_whole_hunt_is_warned_about() {
    let told = |application: &str, group: &str| {
        let manager = format!("type: resource-manager, options: {{ rm: {{ {application} }} }}");
        let text = format!("kind: Application\nname: rm-1\nspec: {{ {manager} }}\n---\n")
            + &object("ResourceGroup", "Environment", "g", &format!("services: [media]{group}"));
        let (_, warnings) = build(&text).unwrap();
        warnings.iter().map(line).collect::<Vec<String>>()
    };
    let of = |place: &str, one: &str, most: &str| {
        let text = format!("a try of {one} leaves no time for another");
        [format!("o.yaml:{place}: W407: {text}: rm/max-hunt of \"rm-1\" is {most}")]
    };
    assert_eq!(told("max-hunt: 20s", ", try_timeout: 30s"), of("6:7", "30s", "20s"));
    assert_eq!(told("max-hunt: 2s", ""), of("2:7", "2s", "2s"));
    assert_eq!(told("max-hunt: 3s", ", try_timeout: 3s"), of("6:7", "3s", "3s"));
    assert_eq!(told("max-hunt: 3s", ", try_timeout: 2999ms"), [""; 0]);
}

#[test]
fn warnings() {
    let text = tenant("a", "policy: { usage_limit: 10 }")
        + &tenant("b", "parent: a, policy: { usage_limit: 20 }")
        + &object("IvrProfile", "b", "p", "service: media, policy: { usage_limit: 30 }")
        + &object("IvrProfile", "b", "q", "service: media");
    let (_, warnings) = build(&text).unwrap();
    let told: Vec<String> = warnings.iter().map(line).collect();
    assert_eq!(
        told,
        [
            concat!(
                "o.yaml:7:43: W401: limit 20 of \"b\" is above the 10 of its parent \"a\"; ",
                "the parent's will bind"
            ),
            concat!(
                "o.yaml:12:48: W401: limit 30 of \"p\" is above the 20 of its parent \"b\"; ",
                "the parent's will bind"
            ),
            "o.yaml:12:18: W402: no group offers service \"media\" to tenant \"b\"",
        ]
    );
}
