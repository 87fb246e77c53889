//! config-handler and rs-init: they wait, make what is missing, and run twice change nothing.

use std::time::Duration;

use serde_json::Value;

use crate::center::{Center, told};
use crate::platform::Process;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn revision(center: &Center) -> u64 {
    let history = json(&center.ok(&["history", "--limit", "1", "-o", "json"]));
    history[0]["revision"].as_u64().unwrap_or(0)
}

/// The environment of a container of GVP.
fn as_in_gvp(center: &Center, program: &str, node: &str) -> std::process::Command {
    let mut command = center.command(&[program]);
    let (_, port) =
        center.url().rsplit_once(':').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    command
        .envs([("CFGSERVER", "127.0.0.1"), ("CFGPORT", &port), ("POD_NAME", node)])
        .envs([("RM_REPLICAS", "3"), ("RMAPP", "RM_APP"), ("RSAPP", "RS_APP")])
        .env("MCPFOLDER", "\\Configuration\\Resources\\MCP_LRG")
        .env("LRGConfig", "{gvp.lrg: {load-balance-scheme: least-used}}")
        .env("RMCONFIG", "{proxy: {sip.mtusize: 1400}}");
    command
}

fn run(mut command: std::process::Command) -> String {
    let (code, out, err) = told(command.output().unwrap());
    assert_eq!(code, 0, "{out}{err}");
    out
}

/// Scenario 21: three runs, two of them at once, make what one run makes.
#[test]
fn scenario_21_a_handler_that_runs_again_changes_nothing() {
    let center = Center::new("");
    let _server = center.start();
    let before = revision(&center);
    let both = ["rm-0", "rm-0"].map(|node| {
        as_in_gvp(&center, "config-handler", node)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    });
    for child in both {
        let (code, out, err) = told(child.wait_with_output().unwrap());
        assert_eq!(code, 0, "{out}{err}");
    }
    run(as_in_gvp(&center, "config-handler", "rm-0"));
    assert_eq!(revision(&center), before + 1, "one revision by three runs");

    let apps = center.ok(&["get", "apps", "-o", "name"]);
    let mut apps: Vec<&str> = apps.lines().collect();
    apps.sort_unstable();
    assert_eq!(apps, ["RM_APP", "RS_APP", "confserv", "rm-0", "snmp"]);
    let node = json(&center.ok(&["get", "app", "rm-0", "-o", "json"]));
    assert_eq!(node["spec"]["template"], "RM_APP");
    let template = json(&center.ok(&["get", "app", "RM_APP", "-o", "json"]));
    assert_eq!(template["spec"]["options"]["proxy"]["sip.mtusize"], 1400);
    let group = json(&center.ok(&["get", "lrg", "MCP_LRG", "-o", "json"]));
    assert_eq!(group["spec"]["scheme"], "least-used");

    let init = || {
        let mut command = as_in_gvp(&center, "rs-init", "rs-0");
        command.env("RSCONFIG", "{dbmp: {rs.db.retention.cdr.default: 40}}");
        command
    };
    let before = revision(&center);
    std::thread::scope(|scope| {
        let both = [scope.spawn(|| run(init())), scope.spawn(|| run(init()))];
        both.into_iter().for_each(|one| drop(one.join().unwrap()));
    });
    run(init());
    assert_eq!(revision(&center), before + 1, "two at once and one more are one change");
    let app = json(&center.ok(&["get", "app", "RS_APP", "-o", "json"]));
    assert_eq!(app["spec"]["options"]["dbmp"]["rs.db.retention.cdr.default"], 40);
}

/// Scenario 22: a node that is no more goes, and nothing that a person has made.
#[test]
fn scenario_22_a_platform_that_shrinks_loses_its_last_node_only() {
    let center = Center::new("");
    let _server = center.start();
    for node in ["rm-0", "rm-1", "rm-2"] {
        run(as_in_gvp(&center, "config-handler", node));
    }
    let own = "kind: Application\nname: rm-7\nspec: { type: resource-manager, template: RM_APP }\n";
    center.write("own.yaml", own);
    center.ok(&["apply", "-f", "own.yaml", "-q"]);
    let mut smaller = as_in_gvp(&center, "config-handler", "rm-0");
    smaller.env("RM_REPLICAS", "2");
    let out = run(smaller);
    assert!(out.contains("- Application rm-2"), "{out}");
    let apps = center.ok(&["get", "apps", "-o", "name"]);
    let nodes: Vec<&str> = apps.lines().filter(|name| name.starts_with("rm-")).collect();
    assert_eq!(nodes.len(), 3, "{apps}");
    assert!(nodes.contains(&"rm-7") && !nodes.contains(&"rm-2"), "{apps}");
}

/// Scenario 23: it waits for the Config Server and says so; a wrong token ends it at once, and so
/// does patience.
#[test]
fn scenario_23_a_handler_waits_for_the_config_server() {
    let center = Center::new("  auth: { anonymous: none }\n");
    let mut impatient = as_in_gvp(&center, "config-handler", "rm-0");
    impatient.env("RINGMASTER_CONFIG_HANDLER__WAIT", "1s");
    let (code, out, err) = told(impatient.output().unwrap());
    assert_eq!(code, 7, "{out}{err}");
    assert!(out.contains(" 50001 "), "{out}");

    let server = center.start();
    let token = center.path("data/config/admin.token");
    drop(server);
    let mut patient = as_in_gvp(&center, "config-handler", "rm-0");
    patient.env("RINGMASTER_CONFIG__TOKEN_FILE", &token);
    let mut waiting = Process::of(patient);
    waiting.line_with(" 50001 ");
    let _server = center.start();
    let status = waiting.wait(Duration::from_secs(60));
    assert!(status.success(), "{}", waiting.output());
    assert!(waiting.output().contains(" 50002 "), "{}", waiting.output());

    let wrong =
        center.write("wrong.token", "rmt_00000000_0000000000000000000000000000000000000000000\n");
    let mut stranger = as_in_gvp(&center, "config-handler", "rm-0");
    stranger.env("RINGMASTER_CONFIG__TOKEN_FILE", wrong);
    let (code, out, err) = told(stranger.output().unwrap());
    assert_eq!(code, 6, "{out}{err}");
    assert!(!out.contains(" 50001 "), "it did not wait: {out}");
}

#[test]
fn a_telephone_number_in_a_variable_is_text() {
    let center = Center::new("");
    let _server = center.start();
    let profile = "kind: IvrProfile\nname: voicemail\n\
                   spec: { service: voicexml, initial_page_url: \"http://v.example/\" }\n";
    center.write("voicemail.yaml", profile);
    center.ok(&["apply", "-f", "voicemail.yaml", "-q"]);
    let mut command = as_in_gvp(&center, "config-handler", "rm-0");
    command.env("VOICEMAILSERVICEDIDNUMBER", "18005550199").env("EnvironmentType", "007");
    run(command);
    let group = json(&center.ok(&["get", "did", "voicemail", "-o", "json"]));
    assert_eq!(group["spec"]["dids"][0], "18005550199");
    assert_eq!(group["labels"]["environment"], "007");
}

#[test]
fn a_password_in_a_variable_is_refused() {
    let center = Center::new("");
    let mut command = as_in_gvp(&center, "config-handler", "rm-0");
    command.env("DBPASSWORD", "secret");
    let (code, out, err) = told(command.output().unwrap());
    assert_eq!(code, 78, "{out}{err}");
    assert!(err.contains("secrets are given by files") && !err.contains("secret\""), "{err}");
}
