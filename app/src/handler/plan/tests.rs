//! Plans over what stands: first runs, second runs, what people took over, nodes that are gone.

use config::settings::{ConfigHandler, RsInit};
use serde_json::{Value, json};

use super::super::maker::{Found, Plan};
use super::{Impossible, Node, node, reporting};

fn settings() -> ConfigHandler {
    ConfigHandler { replicas: 2, ..ConfigHandler::default() }
}

fn planned(settings: &ConfigHandler, found: &Found) -> Result<Plan, Impossible> {
    node(&Node { settings, rs_app: "rs", name: "rm-0", address: Some("10.0.0.1:5060") }, found)
}

/// What stands after a plan.
fn after(mut found: Found, plan: &Plan) -> Found {
    let same = |a: &Value, b: &Value| a["kind"] == b["kind"] && a["name"] == b["name"];
    for operation in &plan.operations {
        let object = &operation["object"];
        found.objects.retain(|old| !same(old, object));
        found.objects.push(object.clone());
    }
    found
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.operations.iter().filter_map(|operation| operation["object"]["name"].as_str()).collect()
}

#[test]
fn an_empty_server_gets_everything_and_the_second_run_changes_nothing() {
    let settings = settings();
    let plan = planned(&settings, &Found::default()).unwrap();
    assert_eq!(names(&plan), ["rm", "rm-0", "mcp", "snmp", "confserv", "rs"]);
    let own = &plan.operations[1]["object"];
    assert_eq!(own["spec"]["template"], "rm");
    assert_eq!(own["spec"]["connections"], json!(["rs", "confserv", "snmp"]));
    let found = after(Found::default(), &plan);
    let again = planned(&settings, &found).unwrap();
    assert_eq!(names(&again), ["rm", "rm-0", "mcp"], "stubs that stand are not touched");
    for operation in &again.operations {
        let same = found.objects.iter().any(|object| *object == operation["object"]);
        assert!(same, "{operation}");
    }
}

#[test]
fn what_a_person_has_taken_over_is_left_alone() {
    let plan = planned(&settings(), &Found::default()).unwrap();
    let mut found = after(Found::default(), &plan);
    for object in &mut found.objects {
        if object["name"] == "rm" || object["name"] == "mcp" {
            object["labels"] = json!({});
        }
    }
    let plan = planned(&settings(), &found).unwrap();
    assert_eq!(names(&plan), ["rm-0"]);
    assert_eq!(plan.left_alone, ["Application rm", "ResourceGroup mcp"]);
}

#[test]
fn members_of_a_group_and_further_options_of_a_node_stay() {
    let plan = planned(&settings(), &Found::default()).unwrap();
    let mut found = after(Found::default(), &plan);
    let member = json!([{ "name": "mcp-1", "address": "sip:10.0.0.2:5070" }]);
    for object in &mut found.objects {
        match object["name"].as_str().unwrap() {
            "mcp" => object["spec"]["resources"] = member.clone(),
            "rm-0" => object["spec"]["options"] = json!({ "rm": { "max-tries": 5 } }),
            _ => {}
        }
    }
    let mut wanted = settings();
    wanted.group_options = json!({ "load-balance-scheme": "hash" }).as_object().unwrap().clone();
    let found = after(Found::default(), &planned(&wanted, &found).unwrap());
    let group = found.get("ResourceGroup", "mcp").unwrap();
    assert_eq!((&group["spec"]["resources"], &group["spec"]["scheme"]), (&member, &json!("hash")));
    let node = found.get("Application", "rm-0").unwrap();
    assert_eq!(node["spec"]["options"]["rm"]["max-tries"], 5);
}

#[test]
fn a_number_for_voicemail_needs_a_profile() {
    let settings = ConfigHandler { voicemail_did: Some("18005550199".to_owned()), ..settings() };
    let error = planned(&settings, &Found::default()).unwrap_err();
    assert!(error.0.contains("make an IvrProfile \"voicemail\""), "{}", error.0);
    let environment = json!({ "kind": "Tenant", "name": "Environment",
                              "spec": { "default_profile": "main" } });
    let own = json!({ "kind": "IvrProfile", "name": "voicemail", "spec": {} });
    for (objects, profile) in
        [(vec![environment.clone()], "main"), (vec![environment, own], "voicemail")]
    {
        let plan = planned(&settings, &Found { objects, clients: Vec::new() }).unwrap();
        let made = plan.operations.iter().find(|one| one["object"]["kind"] == "DidGroup").unwrap();
        assert_eq!(made["object"]["spec"]["profile"], profile);
        assert_eq!(made["object"]["spec"]["dids"], json!(["18005550199"]));
    }
}

#[test]
fn the_node_cannot_be_the_template() {
    let settings = ConfigHandler { rm_app: "rm-0".to_owned(), ..settings() };
    assert!(planned(&settings, &Found::default()).is_err());
}

#[test]
fn rs_init_fills_the_stub_that_the_config_handler_made() {
    let found = after(Found::default(), &planned(&settings(), &Found::default()).unwrap());
    let options = json!({ "cdr": { "page-size": 40 } });
    let given = options.as_object().unwrap().clone();
    let init = RsInit { app: "rs".to_owned(), options: given, ..RsInit::default() };
    let plan = reporting(&init, &settings(), &found);
    let object = &plan.operations[0]["object"];
    assert_eq!(object["spec"], json!({ "type": "reporting-server", "options": options }));
    assert_eq!(object["labels"]["ringmaster/managed-by"], "config-handler");
}
