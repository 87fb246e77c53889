//! What is accepted and told: fields without effect, numbers that look like ranges (W405, W406).
//! And that every text says, or is followed by, the object and the field that it is about.

use crate::build;

fn hints(text: &str) -> Vec<String> {
    let (_, warnings) = build(text).unwrap();
    let own = |warning: &&model::schema::Warning| ["W405", "W406"].contains(&warning.code);
    warnings.iter().filter(own).map(ToString::to_string).collect()
}

#[test]
fn a_field_without_effect_is_told_with_its_object() {
    let text = "kind: Tenant\nname: a\n---\n\
        kind: IvrProfile\nname: p\ntenant: a\n\
        spec: { service: msml, conference_id: x, geo_location: y }\n---\n\
        kind: IvrProfile\nname: q\ntenant: a\n\
        spec: { service: conference, conference_id: x }\n---\n\
        kind: IvrProfile\nname: r\ntenant: a\nspec: { service: record, geo_location: y }\n---\n\
        kind: ResourceGroup\nname: g\nspec: { services: [voicexml], confmaxsize: 2, resources: \
        [{ name: b, address: \"sip:10.0.0.1\", weight: 2, confmaxcount: 3 }] }\n---\n\
        kind: ResourceGroup\nname: h\n\
        spec: { services: [msml, conference], scheme: weighted, confmaxsize: 2, \
        resources: [{ name: c, address: \"sip:10.0.0.2\", weight: 2 }] }\n";
    let profile = "(IvrProfile \"p\" of tenant \"a\")";
    let group = "(ResourceGroup \"g\")";
    let no_rooms = "in a group without service conference or msml";
    let weight = "with scheme round-robin; weighted and hash have weights";
    let told = [
        format!(
            "o.yaml:7:39: W405: \"conference_id\" has no effect with service msml; \
             it is for service conference {profile}"
        ),
        format!(
            "o.yaml:7:56: W405: \"geo_location\" has no effect with service msml; \
             it is for service record {profile}"
        ),
        format!("o.yaml:21:44: W405: \"confmaxsize\" has no effect {no_rooms} {group}"),
        format!(
            "o.yaml:21:120: W405: \"confmaxcount\" has no effect {no_rooms} \
             (ResourceGroup \"g\", resources[0].confmaxcount)"
        ),
        format!(
            "o.yaml:21:103: W405: \"weight\" has no effect {weight} \
             (ResourceGroup \"g\", resources[0].weight)"
        ),
    ];
    assert_eq!(hints(text), told);
}

#[test]
fn a_number_with_several_hyphens_is_told_once_in_a_group() {
    let text = "kind: Tenant\nname: a\n---\n\
        kind: IvrProfile\nname: p\ntenant: a\nspec: { service: media }\n---\n\
        kind: DidGroup\nname: n\ntenant: a\nspec: { profile: p, dids: \
        [\"100-199\", \"1-800*\", \"1-5-9\", \"1-800-555-0100\"] }\n---\n\
        kind: DidGroup\nname: m\ntenant: a\nspec: { profile: p, dids: [\"200-299\", \"7-7\"] }\n";
    let told = "o.yaml:12:49: W406: DID \"1-5-9\" of group \"n\" is the one number 159; \
                a range has one hyphen, between numbers without any (dids[2])";
    assert_eq!(hints(text), [told]);
}

#[test]
fn the_object_and_the_field_stand_behind_a_text_that_does_not_name_them() {
    let profile = "kind: IvrProfile\nname: p\ntenant: a\n";
    for (text, told) in [
        (
            "kind: Tenant\nname: a\nspec: { polcy: {} }\n".to_owned(),
            "o.yaml:3:9: E101: unknown field \"polcy\"; did you mean \"policy\"? (Tenant \"a\")",
        ),
        (
            "kind: Tenant\nname: a\nspec: { policy: { x: 1 } }\n".to_owned(),
            "o.yaml:3:19: E101: unknown field \"x\" (Tenant \"a\", policy.x)",
        ),
        (
            "kind: Tenant\nname: a\nspec: { policy: { children: { b: { burst: { level2: 1 }, \
             usage_limit: 2 } } } }\n---\nkind: Tenant\nname: b\nspec: { parent: a }\n"
                .to_owned(),
            "o.yaml:3:53: E401: burst.level2 (1) must not be below usage_limit (2) \
             (Tenant \"a\", policy.children.b.burst.level2)",
        ),
        (
            format!(
                "kind: Tenant\nname: a\n---\n{profile}spec: {{ service: media, policy: \
                 {{ respcodes: {{ rate_limit: 200 }} }} }}\n"
            ),
            "o.yaml:7:60: E405: response code 200 is not between 400 and 699 \
             (IvrProfile \"p\" of tenant \"a\", policy.respcodes.rate_limit)",
        ),
        (
            "kind: ResourceGroup\nname: g\nspec: { services: [media], preference: x }\n".to_owned(),
            "o.yaml:3:40: E102: \"preference\" must be a whole number, found text \"x\" \
             (ResourceGroup \"g\")",
        ),
        (
            "kind: Tenant\nspec: {}\n".to_owned(),
            "o.yaml:1:1: E103: \"name\" is required for kind Tenant",
        ),
    ] {
        let problems = build(&text).unwrap_err();
        assert_eq!(problems[0].to_string(), told);
    }
}
