//! Users of a file, as docs/operate/users.md makes them: the stock clients in Java and Python with
//! right and wrong passwords, and certificates in their place.

use std::process::Command;

use crate::http;
use crate::platform::{Site, eventually, run};
use crate::producers::{SESSION, Secured, arrived, checks, frames};

const PAGE: &str = include_str!("../../../docs/operate/users.md");

const OBJECTS: &str = "kind: Tenant\nname: acme\n";

/// The settings of the page beside those of the run, and nobody in particular sends.
fn add_users(site: &Site) {
    let block = PAGE.split("```yaml\nrs:\n").nth(1).unwrap().split("```").next().unwrap();
    let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    site.write("settings.yaml", &format!("{settings}{block}    anonymous_broker: false\n"));
}

/// The commands of the page, for a user whose password is `secret`.
fn add_user(site: &Site, name: &str, roles: &str) {
    site.write(&format!("{name}.password"), "secret\nanother line\n");
    let commands = PAGE.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(commands.lines().count(), 3, "the page has other commands than this test knows");
    for line in commands.lines() {
        let line = line.replace("ringmaster ", &format!("{} ", env!("CARGO_BIN_EXE_ringmaster")));
        let line = line.replace("rm-1", name).replace("producer", roles);
        let output =
            Command::new("sh").args(["-c", &line]).current_dir(site.path(".")).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn java_clients_log_in_or_are_told_why_not() {
    let site = Site::new(OBJECTS);
    add_users(&site);
    add_user(&site, "mcp-1", "producer");
    add_user(&site, "anna", "reporter");
    let users = std::fs::read_to_string(site.path("users")).unwrap();
    let mut rs = Some(site.start_rs());
    let told = checks(&site, &["logins"], |what| {
        if what == "lock out" {
            let line = |line: &&str| !line.starts_with("mcp-1 ");
            let others: Vec<&str> = users.lines().filter(line).collect();
            site.write("users", &others.join("\n"));
            if let Some(running) = rs.take() {
                running.kill();
            }
            rs = Some(site.start_rs());
            return;
        }
        assert_eq!(what, "let in");
        let running = rs.as_ref().unwrap();
        let tries = || running.output().matches(" 36002 ").count();
        eventually("it tries again", tries, |tries| *tries > 2);
        site.write("users", &users);
    });
    assert_eq!(told.passed.len(), 7, "{told:#?}");
    let running = rs.unwrap();
    assert!(running.output().contains(" 36003 "));
    assert!(!running.output().contains("secret") && !running.output().contains("argon2"));
    let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    running.kill();
    // what arrived is read by whoever may
    let users = "users_file: users\n    anonymous_broker: false";
    site.write("settings.yaml", &settings.replace(users, "anonymous: true"));
    let _rs = site.start_rs();
    arrived(&site, &told);
}

#[test]
fn stomp_clients_log_in_or_are_told_why_not() {
    let site = Site::new(OBJECTS);
    add_users(&site);
    let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    site.write("settings.yaml", &format!("{settings}    anonymous: true\n"));
    add_user(&site, "mcp-1", "producer");
    let _rs = site.start_rs();
    let told = frames(&site, Some("logins".into()));
    assert_eq!(told.passed.len(), 6, "{told:#?}");
    arrived(&site, &told);
}

/// Python's http.client writes all before it reads.
#[test]
fn a_refusal_before_the_body_has_come_is_read_by_its_sender() {
    const SCRIPT: &str = "
import base64, http.client, sys
def asked(user, kind, size):
    connection = http.client.HTTPConnection(sys.argv[1], timeout=60)
    headers = {'Content-Type': kind}
    if user:
        headers['Authorization'] = 'Basic ' + base64.b64encode(user.encode()).decode()
    connection.request('POST', '/api/v1/records', b' ' * size, headers)
    return connection.getresponse().status
json, most = 'application/json', 9 << 20
print(asked('', json, most), asked('anna:wrong', json, most), asked('anna:secret', json, most),
      asked('mcp-1:secret', 'text/html', most), asked('mcp-1:secret', json, 25 << 20))
";
    let site = Site::new(OBJECTS);
    add_users(&site);
    add_user(&site, "anna", "reporter");
    add_user(&site, "mcp-1", "producer");
    let _rs = site.start_rs();
    let at = site.rs_http().to_string();
    let told = Command::new("python3").args(["-c", SCRIPT, &at]).output().unwrap();
    let said = String::from_utf8_lossy(&told.stderr);
    assert_eq!(String::from_utf8_lossy(&told.stdout), "401 401 403 415 413\n", "{said}");
}

#[test]
fn a_certificate_is_as_good_as_a_password() {
    let secured = Secured::new("optional");
    let site = &secured.site;
    add_users(site);
    add_user(site, "rm-1", "producer");
    let users = std::fs::read_to_string(site.path("users")).unwrap();
    let more = "mcp producer - certificate=mcp.example\nanna reporter - certificate=CN=anna\n";
    site.write("users", &(users + more));
    assert_eq!(run(&site.path("."), &["check", "--strict", "settings.yaml"]).0, 0);
    let _rs = site.start_rs();
    let said = |name: &str, http: bool| {
        // anna's is known by its subject
        let own = secured.authority.issue_for(name, &[format!("DNS:{name}.example")]);
        let at = if http { site.rs_http() } else { site.broker() };
        let words = "GET /api/v1/calls HTTP/1.0\r\nHost: rs\r\n\r\n";
        let (cert, key) = (own.cert.to_str().unwrap(), own.key.to_str().unwrap());
        secured.openssl_at(at, &["-cert", cert, "-key", key], if http { words } else { SESSION })
    };
    for (name, http, expected) in [
        ("mcp", false, "CONNECTED\nversion:1.2"),
        ("anna", false, "user anna may not send records: the role is producer"),
        ("eva", false, "this listener needs a user name and a password"),
        ("anna", true, "HTTP/1.0 200 "),
        ("mcp", true, "\"code\":\"role-needed\""),
        ("eva", true, "\"code\":\"login-required\""),
    ] {
        let text = said(name, http);
        assert!(text.contains(expected), "{name} {http}: {text}");
    }
}

#[test]
fn a_token_is_made_and_lets_in() {
    let site = Site::new(OBJECTS);
    add_users(&site);
    add_user(&site, "anna", "reporter");
    let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    site.write("settings.yaml", &format!("{settings}    tokens_file: tokens\n"));
    let line = PAGE.lines().find(|line| line.starts_with("ringmaster rs token ")).unwrap();
    let line = line.replace("ringmaster ", &format!("{} ", env!("CARGO_BIN_EXE_ringmaster")));
    let make = || {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("umask 077; {line}")]).current_dir(site.path("."));
        command.output().unwrap()
    };
    let made = make();
    assert!(made.status.success(), "{made:?}");
    // the file that is there is not written over
    assert!(!make().status.success());
    let token = std::fs::read_to_string(site.path("billing.token")).unwrap();
    let tokens = std::fs::read_to_string(site.path("tokens")).unwrap();
    assert!(tokens.starts_with("billing reporter sha256:") && tokens.contains(" expires=20"));
    assert!(!tokens.contains(token.trim()) && token.len() == 69, "{token}");
    assert_eq!(run(&site.path("."), &["check", "--strict", "settings.yaml"]).0, 0);
    let _rs = site.start_rs();
    let ask = |token: &str| {
        let header = format!("Authorization: Bearer {token}\r\n");
        http::ask(site.rs_http(), "GET", "/api/v1/calls", &header, "").unwrap().status
    };
    assert_eq!((ask(token.trim()), ask("rst_x")), (200, 401));
    let url = format!("http://{}", site.rs_http());
    let erase = ["rs", "erase", "123456", "--rs", &url, "--token-file", "billing.token"];
    let (code, _, why) = run(&site.path("."), &erase);
    assert!(code != 0 && why.contains("a role that user billing has not"), "{why}");
}
