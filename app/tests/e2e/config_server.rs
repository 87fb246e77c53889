//! `ringmaster config-server`: start, questions, end, and what the contract of its port is worth.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::http;
use crate::platform::{Process, eventually, free_port, run};

const PLATFORM: &str = include_str!("../../../deploy/samples/platform.yaml");

/// A directory with the settings of one Config Server.
struct Place {
    dir: tempfile::TempDir,
    address: SocketAddr,
}

impl Place {
    /// With more of the section, such as `auth: { anonymous: none }`.
    fn new(more: &str) -> Self {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let address = SocketAddr::new(local, free_port(local));
        let place = Self { dir: tempfile::tempdir().unwrap(), address };
        place.write("platform.yaml", PLATFORM);
        place.settings(&format!("listen: {address}, seed: platform.yaml, {more}"));
        place
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(name), text).unwrap();
    }

    fn settings(&self, section: &str) {
        self.write("s.yaml", &format!("data_dir: data\nconfig_server: {{ {section} }}\n"));
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn start(&self) -> Process {
        let process = Process::spawn(self.path(), &["config-server", "-c", "s.yaml"]);
        process.wait_for("ready");
        process
    }

    fn run(&self, more: &[&str]) -> (i32, String, String) {
        run(self.path(), &[&["config-server", "-c", "s.yaml"], more].concat())
    }

    fn revision(&self) -> u64 {
        http::json(self.address, "/v1/objects")["revision"].as_u64().unwrap()
    }
}

#[test]
fn it_starts_with_its_seed_is_asked_and_keeps_what_it_has_told() {
    let place = Place::new("");
    assert_eq!(place.run(&["--probe", "live"]).0, 1, "nobody is there");
    let server = place.start();
    let output = server.output();
    let listening = format!("listening  config_server  http://{}", place.address);
    assert!(output.contains(&listening), "{output}");
    assert!(output.contains("admin token  data/config/admin.token"), "{output}");
    for probe in ["live", "ready"] {
        assert_eq!(place.run(&["--probe", probe]).0, 0, "{probe}");
    }
    let tenant = http::json(place.address, "/v1/objects/Tenant/acme");
    assert_eq!((&tenant["dbid"], &tenant["created_by"]), (&101.into(), &"seed".into()));
    let (code, _, errors) = place.run(&[]);
    assert_eq!(code, 8, "{errors}");
    assert!(errors.contains("locked"), "{errors}");
    let put = http::ask(
        place.address,
        "PUT",
        "/v1/objects/Tenant/beta",
        "Content-Type: application/yaml\r\n",
        "spec: { policy: { usage_limit: 7 } }\n",
    );
    assert_eq!(put.unwrap().status, 201);
    server.kill();
    let mut server = place.start();
    assert_eq!(place.revision(), 2);
    assert!(!server.output().contains("admin token"), "{}", server.output());
    server.signal("TERM");
    assert_eq!(server.wait(Duration::from_secs(60)).code(), Some(0), "{}", server.output());
    assert_eq!(place.run(&["--probe", "ready"]).0, 1);
}

#[test]
fn what_cannot_work_is_refused_with_its_code() {
    let place = Place::new("");
    for (section, code, told) in [
        ("listen: 0.0.0.0:0, auth: { anonymous: admin }", 78, "must be reader or none"),
        ("listen: 127.0.0.1:0, store: \"postgres://db/x\"", 78, "is not available in this version"),
        ("listen: 127.0.0.1:0, seed: nothing.yaml", 3, "nothing.yaml: E001"),
        ("listen: 127.0.0.1:0, tls: { cert_file: platform.yaml, key_file: s.yaml }", 78, "tls"),
        ("listen: 127.0.0.1:0, auth: { bootstrap_token_file: platform.yaml }", 78, "rmt_"),
        ("listen: 192.0.2.1:1", 8, "cannot listen"),
    ] {
        place.settings(section);
        let (exit, out, errors) = place.run(&[]);
        assert_eq!(exit, code, "{section}: {out}{errors}");
        assert!(errors.contains(told), "{told} in {errors}");
        assert!(!out.contains("listening"), "{out}");
    }
    place.write("bad.yaml", "kind: Tenant\nname: a\nspec: { polcy: {} }\n");
    place.settings("listen: 127.0.0.1:0, seed: bad.yaml");
    let (exit, _, errors) = place.run(&[]);
    assert_eq!(exit, 3, "{errors}");
    assert!(errors.contains("bad.yaml:3:9: E101: unknown field \"polcy\""), "{errors}");
}

#[test]
fn another_admin_is_made_beside_the_running_server() {
    let place = Place::new("auth: { anonymous: none }");
    let _server = place.start();
    let (code, out, errors) = place.run(&["--new-admin-token"]);
    assert_eq!(code, 0, "{errors}");
    let file = out.lines().last().unwrap();
    assert_ne!(file, "data/config/admin.token", "the first one stays");
    let token = std::fs::read_to_string(place.path().join(file)).unwrap();
    assert!(!out.contains(token.trim()), "{out}");
    let status = |token: &str| {
        let header = format!("Authorization: Bearer {}\r\n", token.trim());
        http::ask(place.address, "GET", "/v1/tokens", &header, "").unwrap().status
    };
    assert_eq!(status(&token), 200);
    assert_eq!(status(&token.replace("rmt_", "rmt-")), 401);
}

#[test]
fn standalone_without_objects_of_its_own_has_a_config_server() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Process::spawn(dir.path(), &["standalone", "--demo", "--cps", "0"]);
    demo.wait_for("ready");
    let line = demo.line_with("config_server");
    let address = line.rsplit("http://").next().unwrap().trim().parse().unwrap();
    let group = http::json(address, "/v1/objects/ResourceGroup/mcp");
    assert_eq!(group["spec"]["resources"].as_array().unwrap().len(), 2, "{group}");
    assert_eq!(http::get(address, "/ready").unwrap().status, 200);
}

/// Answers that nobody foresaw: requests made from the contract, valid and broken ones.
#[test]
fn requests_made_from_the_contract_meet_answers_of_the_contract() {
    let place = Place::new("");
    let server = place.start();
    // what is wrong twice may be refused for either
    let refusals = "[400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 422, 428, 429]";
    let config = format!("[checks.negative_data_rejection]\nexpected-statuses = {refusals}\n");
    place.write("schemathesis.toml", &config);
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/venv/bin/schemathesis");
    let mut command = Command::new(&tool);
    command
        .args(["run", &format!("http://{}/openapi.json", place.address)])
        // streams do not end, a restore replaces what the others look at, a level hides the log
        .args(["--exclude-path", "/v1/watch", "--exclude-path", "/v1/restore"])
        .args(["--exclude-path", "/v1/log", "--phases", "coverage,fuzzing"])
        // valid by its form is not yet valid
        .args(["--checks", "all", "--exclude-checks", "positive_data_acceptance"])
        .args(["--max-examples", "20", "--max-time", "45", "--seed", "7"])
        .args(["--request-timeout", "20", "--warnings", "off", "--no-color", "--no-shrink"])
        .current_dir(place.path())
        .stdin(Stdio::null());
    let done = command.output().unwrap_or_else(|error| {
        panic!("{}: {error}: ./test.sh installs it", tool.display());
    });
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    let metrics = http::get(place.address, "/metrics").unwrap().body;
    let answered = |code: char| {
        let of = format!("code=\"{code}");
        let name = "ringmaster_config_http_requests_total{";
        let lines = metrics.lines().filter(|line| line.starts_with(name) && line.contains(&of));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum::<u64>()
    };
    assert_eq!(answered('5'), 0, "{metrics}");
    assert!(answered('2') > 100 && answered('4') > 100, "{metrics}");
    let ready = || run(place.path(), &["config-server", "-c", "s.yaml", "--probe", "ready"]).0;
    eventually("it is ready", ready, |code| *code == 0);
    drop(server);
}
