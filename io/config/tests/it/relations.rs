//! Faults between objects: references, numbers, policy, limits; and the warnings.

use std::net::SocketAddr;
use std::sync::Arc;

use config::objects::from_text;
use model::id::Revision;
use model::snapshot::Snapshot;

use crate::{build, faults};

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
fn references() {
    let (a, b) = (tenant("a", ""), tenant("b", ""));
    check(&[
        (
            tenant("a", "parent: nobody"),
            &["3:17: E201: Tenant \"nobody\" of tenant \"Environment\" does not exist"],
        ),
        (
            media("nobody", "p"),
            &["3:9: E201: Tenant \"nobody\" of tenant \"Environment\" does not exist"],
        ),
        (
            tenant("a", "parent: b") + &tenant("b", "parent: a") + &tenant("c", "parent: a"),
            &[
                "3:17: E202: tenant \"a\": parent chain forms a cycle",
                "7:17: E202: tenant \"b\": parent chain forms a cycle",
            ],
        ),
        (tenant("a", "parent: a"), &["3:17: E202: tenant \"a\": parent chain forms a cycle"]),
        (
            a.clone() + &tenant("A", ""),
            &["6:7: E204: Tenant \"A\" already exists in tenant \"Environment\" as \"a\""],
        ),
        (
            a.clone() + &a,
            &["6:7: E204: Tenant \"a\" already exists in tenant \"Environment\" as \"a\""],
        ),
        (
            a.clone() + &b + &media("a", "p") + &media("b", "p") + &media("a", "P"),
            &["20:7: E204: IvrProfile \"P\" already exists in tenant \"a\" as \"p\""],
        ),
        (
            a.clone() + &media("a", "q") + &numbers("a", "g", "\"1\""),
            &["13:18: E205: profile \"p\" not found in tenant \"a\" or its parents"],
        ),
        (
            tenant("a", "default_profile: p") + &b + &media("b", "p"),
            &["3:26: E205: profile \"p\" not found in tenant \"a\" or its parents"],
        ),
        (
            tenant("a", "aliases: [x, b, a]") + &tenant("b", "aliases: [x, y]"),
            &[
                "3:22: E207: alias \"b\" is already used by tenant \"b\"",
                "3:25: E207: alias \"a\" is already used by tenant \"a\"",
                "7:19: E207: alias \"x\" is already used by tenant \"a\"",
            ],
        ),
        (
            "kind: Tenant\nname: a\ndbid: 5\n---\nkind: Tenant\nname: b\ndbid: 5\n".to_owned(),
            &["7:7: E206: dbid 5 is taken"],
        ),
        ("kind: Tenant\nname: a\ndbid: 1\n".to_owned(), &["3:7: E206: dbid 1 is taken"]),
        (
            "kind: Tenant\nname: Environment\ndbid: 2\n".to_owned(),
            &["3:7: E206: dbid of an existing object cannot change"],
        ),
        (
            "kind: Application\nname: rm\ndbid: 9\nspec: { type: resource-manager }\n---\n"
                .to_owned()
                + &group("g", "{ name: m, address: \"sip:1.2.3.4\", dbid: 9 }"),
            &["9:81: E206: dbid 9 is taken"],
        ),
    ]);
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
fn dids() {
    let base = tenant("a", "") + &tenant("b", "") + &media("Environment", "p");
    check(&[
        (
            base.clone() + &numbers("a", "g", "\"10-9\", \"19-11\", \"1*2\""),
            &[
                "17:28: E302: DID range \"10-9\": ends differ in length",
                "17:36: E302: DID range \"19-11\": start is above end",
                "17:45: E302: DID pattern \"1*2\": \"*\" is only allowed at the end",
            ],
        ),
        (
            base.clone() + &numbers("a", "g", "\"100-199\"") + &numbers("b", "h", "\"+1.50\""),
            &["22:28: E301: DID \"150\" of group \"h\" overlaps \"100-199\" of tenant \"a\""],
        ),
        (
            base.clone() + &numbers("a", "g", "\"100\", \"10*\", \"1-0-0\""),
            &["17:42: E303: DID \"100\" appears twice in tenant \"a\""],
        ),
        (
            base.clone() + &numbers("a", "g", "\"100\"") + &numbers("a", "h", "\"100\""),
            &["22:28: E303: DID \"100\" appears twice in tenant \"a\""],
        ),
        (
            base + &numbers("a", "g", "\"1*\"").replace("kind:", "enabled: false\nkind:")
                + &numbers("b", "h", "\"12*\""),
            &["23:28: E301: DID \"12*\" of group \"h\" overlaps \"1*\" of tenant \"a\""],
        ),
    ]);
}

#[test]
fn policy() {
    let burst = |policy: &str| tenant("a", &format!("policy: {{ {policy} }}"));
    let profile = |spec: &str| object("IvrProfile", "Environment", "p", spec);
    check(&[
        (
            burst("usage_limit: 10, burst: { level2: 9, level3: 8 }"),
            &[
                "3:53: E401: burst.level2 (9) must not be below usage_limit (10)",
                "3:64: E401: burst.level3 (8) must not be below burst.level2 (9)",
            ],
        ),
        (burst("burst: { level2: 9 }"), &["3:26: E401: burst needs usage_limit"]),
        (
            burst("respcodes: { usage_limit: 200, service_forbidden: 700 }"),
            &[
                "3:45: E405: response code 200 is not between 400 and 699",
                "3:69: E405: response code 700 is not between 400 and 699",
            ],
        ),
        (profile("service: voicexml"), &["4:18: E403: service voicexml needs initial_page_url"]),
        (profile("service: ccxml"), &["4:18: E403: service ccxml needs initial_page_url"]),
        (profile("service: announcement"), &["4:18: E403: service announcement needs play"]),
        (
            object(
                "ResourceGroup",
                "Environment",
                "g",
                "services: [media], noresource_response_code: 399, monitor: { interval: 2s, timeout: 2s }",
            ),
            &[
                "4:54: E405: response code 399 is not between 400 and 699",
                "4:68: E408: monitor.timeout must be below monitor.interval",
            ],
        ),
        (
            group(
                "g",
                "{ name: m, address: \"sip:1.2.3.4\" }, { name: n, address: \"sip:1.2.3.5\" }",
            ) + &group(
                "h",
                "{ name: M, address: \"sip:1.2.3.6\" }, { name: q, address: \"sip:x@1.2.3.4:5060;transport=tcp\" }",
            ),
            &[
                "9:48: E404: resource name \"M\" is used by group \"g\" and group \"h\"",
                "9:97: E406: resource address \"sip:x@1.2.3.4:5060;transport=tcp\" is used by \"m\" and \"q\"",
            ],
        ),
        (
            group(
                "g",
                "{ name: m, address: \"sip:1.2.3.4\" }, { name: m, address: \"sip:1.2.3.4:5061\" }",
            ),
            &["4:85: E404: resource name \"m\" is used by group \"g\" and group \"g\""],
        ),
    ]);
}

#[test]
fn a_resource_is_not_this_rm() {
    let text = group("g", "{ name: m, address: \"sip:127.0.0.1\" }");
    let documents = from_text(&text, Some(Arc::from("o.yaml"))).unwrap();
    let own: [SocketAddr; 1] = ["127.0.0.1:5060".parse().unwrap()];
    let problems = Snapshot::build_for(&documents, Revision(1), &own).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
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
fn warnings() {
    let text = tenant("a", "policy: { usage_limit: 10 }")
        + &tenant("b", "parent: a, policy: { usage_limit: 20 }")
        + &object("IvrProfile", "b", "p", "service: media, policy: { usage_limit: 30 }")
        + &object("IvrProfile", "b", "q", "service: media");
    let (_, warnings) = build(&text).unwrap();
    let told: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "o.yaml:7:43: W401: limit 20 of \"b\" is above the 10 of its parent \"a\"; the parent's will bind",
            "o.yaml:12:48: W401: limit 30 of \"p\" is above the 20 of its parent \"b\"; the parent's will bind",
            "o.yaml:12:18: W402: no group offers service \"media\" to tenant \"b\"",
        ]
    );
}
