//! config-handler and rs-init: they wait, make what is missing, and run twice change nothing.

use std::time::Duration;

use serde_json::Value;

use crate::center::{Center, told};
use crate::http;
use crate::platform::{Process, Site, eventually};

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
        command.env("RSCONFIG", "{cdr: {page-size: 40}}");
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
    assert_eq!(app["spec"]["options"]["cdr"]["page-size"], 40);
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

/// The numbers of another set mean nothing here.
#[test]
fn a_set_of_nodes_leaves_those_of_another() {
    let center = Center::new("");
    let _server = center.start();
    for (node, replicas) in [("rm-b-4", "5"), ("rm-a-0", "3")] {
        let mut command = as_in_gvp(&center, "config-handler", node);
        command.env("RM_REPLICAS", replicas);
        let out = run(command);
        assert!(!out.contains("- Application"), "{out}");
    }
    let apps = center.ok(&["get", "apps", "-o", "name"]);
    assert!(apps.contains("rm-b-4") && apps.contains("rm-a-0"), "{apps}");
}

/// What a person's object refers to stays, is told, and holds up neither the own object nor the
/// nodes that can go.
#[test]
fn a_node_that_is_gone_and_still_referenced_stays_and_is_told() {
    let center = Center::new("");
    let _server = center.start();
    for node in ["rm-1", "rm-2"] {
        run(as_in_gvp(&center, "config-handler", node));
    }
    let web = "kind: Application\nname: web\nspec: { type: sip-server, connections: [rm-2] }\n";
    center.write("web.yaml", web);
    center.ok(&["apply", "-f", "web.yaml", "-q"]);
    for again in [false, true] {
        let mut smaller = as_in_gvp(&center, "config-handler", "rm-0");
        smaller.env("RM_REPLICAS", "1");
        let out = run(smaller);
        let told: Vec<&str> = out.lines().filter(|line| line.contains(" 50004 ")).collect();
        assert_eq!(told.len(), 1, "{out}");
        assert!(told[0].contains("Application rm-2"), "{out}");
        assert!(told[0].contains("still referenced by Application web"), "{out}");
        assert_eq!(out.contains("- Application rm-1"), !again, "{out}");
        let apps = center.ok(&["get", "apps", "-o", "name"]);
        let mut nodes: Vec<&str> = apps.lines().filter(|name| name.starts_with("rm-")).collect();
        nodes.sort_unstable();
        assert_eq!(nodes, ["rm-0", "rm-2"]);
    }
}

#[test]
fn as_many_as_a_platform_has_run_at_once() {
    const NODES: usize = 24;
    let center = Center::new("");
    let _server = center.start();
    let one = |number: usize| {
        let mut command = as_in_gvp(&center, "config-handler", &format!("rm-{number}"));
        command.env("RM_REPLICAS", NODES.to_string());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    let all: Vec<_> = (0..NODES).map(one).collect();
    for child in all {
        let (code, out, err) = told(child.wait_with_output().unwrap());
        assert_eq!(code, 0, "{out}{err}");
    }
    let apps = center.ok(&["get", "apps", "-o", "name"]);
    assert_eq!(apps.lines().filter(|name| name.starts_with("rm-")).count(), NODES, "{apps}");
}

#[test]
fn an_option_that_nobody_knows_is_warned_about() {
    let center = Center::new("");
    let _server = center.start();
    for (program, variable) in [("config-handler", "RMCONFIG"), ("rs-init", "RSCONFIG")] {
        let mut command = as_in_gvp(&center, program, "rm-0");
        command.env(variable, "{log: {verbos: all}}");
        let (code, out, err) = told(command.output().unwrap());
        assert_eq!(code, 0, "{out}{err}");
        assert!(err.contains("W602: ") && err.contains("log/verbos"), "{program}: {err}");
    }
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

/// Settings of the page about the handlers, whose names meet.
const MEET: [&str; 4] = [
    "config_handler: { node: rm-1, rm_options: { log: { verbose: debug } } }",
    "rs_init: { app: rs, options: { messaging: { activemq.diskStoreUsageLimit: 100 mb } } }",
    "rm: { name: rm-1 }",
    "rs: { name: rs-1, application: rs }",
];

/// A program in the folder of a site, with its settings.
fn in_site(site: &Site, program: &str) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ringmaster"));
    command.current_dir(site.path(".")).args([program, "-c", "settings.yaml"]);
    command
}

/// RM and RS work with what the handlers have made when the names meet, and say so when they do
/// not; a node that is connected is not taken away.
#[test]
fn a_node_reads_what_its_handler_made() {
    let page = include_str!("../../../docs/operate/handlers.md");
    MEET.iter().for_each(|line| assert!(page.contains(line), "{line}"));
    let center = Center::new("");
    let _server = center.start();
    let site = Site::new("");
    let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    let server = format!("config: {{ server: \"{}\" }}\n{}\n{}", center.url(), MEET[0], MEET[1]);
    let settings = settings.replace("config: { file: platform.yaml }", &server);
    site.write("settings.yaml", &settings);
    run(in_site(&site, "config-handler"));
    run(in_site(&site, "rs-init"));

    let mut apart = site.start_rs();
    assert!(apart.line_with(" 31210 ").contains("application=rs-1"));
    apart.signal("TERM");
    assert!(apart.wait(Duration::from_secs(60)).success());

    let meets = settings.replace("rs:\n  name: rs-1", "rs:\n  name: rs-1\n  application: rs");
    assert_ne!(meets, settings);
    site.write("settings.yaml", &meets);
    // no call is made: nobody looks at what it sends
    let (rs, rm) = (site.start_rs(), site.start(&["rm", "-c", "settings.yaml"]));
    let own = || http::json(site.rm_http(), "/v1/config")["application"].clone();
    eventually("RM has its Application", own, |name| *name == "rm-1");
    let level = || http::json(site.rm_http(), "/v1/log")["level"].clone();
    eventually("the options of all nodes count", level, |level| *level == "debug");
    let limit = || http::metric(site.rs_http(), "rs_spool_limit_bytes");
    eventually("RS has its Application", limit, |bytes| *bytes == f64::from(100 << 20));
    for (process, id) in [(&rm, " 20611 "), (&rs, " 31210 ")] {
        assert!(!process.output().contains(id), "{}", process.output());
    }

    let mut strange = in_site(&site, "rs-init");
    strange.env("RSCONFIG", "{cdr: {page-siz: 3}}");
    run(strange);
    let told = rs.line_with(" 31205 ");
    assert!(told.contains("W602") && told.contains("cdr/page-siz"), "{told}");

    let clients = || json(&center.ok(&["clients", "-o", "json"]));
    let connected = |all: &Value| {
        let mut all = all.as_array().into_iter().flatten();
        all.any(|one| one["name"] == "rm-1" && one["connected"] == true)
    };
    eventually("RM is connected", clients, connected);
    let mut smaller = as_in_gvp(&center, "config-handler", "rm-0");
    smaller.env("RMAPP", "rm").env("RM_REPLICAS", "1");
    let out = run(smaller);
    assert!(!out.contains("- Application"), "{out}");
    assert!(center.ok(&["get", "apps", "-o", "name"]).lines().any(|name| name == "rm-1"));
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
