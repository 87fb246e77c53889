//! Users of a file: who is let in, over OpenWire and over HTTP, and what they may do (rs.md §8).

mod away;
mod bound;
mod forbidden;
mod origins;
mod provider;
mod scope;
mod import;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use config::Settings;
use openwire::{ClientEvent, Secret};

use crate::api::house::{Answer, House, MCP, RM, golden, settings, start};
use crate::ingest::frames::Frames;
use crate::ingest::house::{self, Sender};

const PASSWORD: &str = "open sesame";

/// One of each role, all with the same password but `rm`, which the senders of the tests use.
fn lines() -> String {
    let mut text = "# ours\n".to_owned();
    for (name, roles, password) in [
        ("rm", "producer", "secret"),
        ("mcp", "producer", "secret"),
        ("anna", "reporter", PASSWORD),
        ("otto", "monitor", PASSWORD),
        ("root", "admin", PASSWORD),
    ] {
        let bound = if name == "mcp" { " produces=mcp-*,other" } else { "" };
        text += &(rsd::user_line(name, roles, password).unwrap() + bound + "\n");
    }
    text
}

fn write(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("users");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn open(change: impl FnOnce(&mut Settings)) -> House {
    let dir = tempfile::tempdir().unwrap();
    let users = write(dir.path(), &lines());
    House::in_dir(dir, |settings| {
        settings.rs.auth.users_file = Some(users);
        change(settings);
    })
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", base64(format!("{name}:{password}").as_bytes()))
}

/// Without padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let at = |n: usize| u32::from(chunk.get(n).copied().unwrap_or_default());
        let group = (at(0) << 16) | (at(1) << 8) | at(2);
        for n in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(group >> (18 - 6 * n)) as usize & 63]));
        }
    }
    text
}

fn asked(house: &House, user: &str, method: &str, path: &str) -> Answer {
    house.ask(method, path, &[("Authorization", &basic(user, PASSWORD))])
}

async fn login(house: &House, user: Option<&str>, password: &str) -> ClientEvent {
    let mut settings = house::settings(99, 0);
    settings.user = user.map(str::to_owned);
    settings.password = Some(Secret::new(password.to_owned()));
    Sender::over(house.rs.addresses().broker.unwrap(), settings).await.next().await
}

/// Why somebody is not let in; empty when they are.
fn refusal(house: &House, user: Option<&str>, password: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match runtime.block_on(login(house, user, password)) {
        ClientEvent::Ready => String::new(),
        ClientEvent::Refused { class, text, .. } => {
            assert_eq!(class, "java.lang.SecurityException", "{text}");
            text
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn http_asks_who_it_is_and_each_does_what_its_roles_allow() {
    let mut house = open(|_| {});
    house.send(&golden(&RM));
    let table = [
        ("GET", "/api/v1/calls?from=2026-11-22", "anna", 200, "otto"),
        ("GET", "/ems-rs/HIST/CDRs/RM/details", "anna", 200, "rm2"),
        ("GET", "/", "anna", 200, "otto"),
        ("GET", "/api/v1/queues", "otto", 200, "anna"),
        ("GET", "/api/v1/queues/ringmaster.cdr/messages", "root", 200, "otto"),
        ("GET", "/api/v1/connections", "root", 200, "otto"),
        ("DELETE", "/api/v1/connections/1-1", "root", 404, "otto"),
        ("GET", "/api/v1/alarms", "otto", 200, "rm2"),
        ("GET", "/api/v1/dead-letters", "root", 200, "anna"),
        ("GET", "/api/v1/audit", "root", 200, "otto"),
        ("DELETE", "/api/v1/alarms/RS-SPOOL-SYNC", "root", 204, "anna"),
        ("POST", "/api/v1/records", "root", 415, "anna"),
        ("GET", "/api/v1/calls?from=2026-11-22", "root", 200, "otto"),
    ];
    for (method, path, may, status, may_not) in table {
        let answer = asked(&house, may, method, path);
        assert_eq!(answer.status, status, "{path} {may}");
        let none = house.ask(method, path, &[]);
        assert_eq!((none.status, &*none.code()), (401, "login-required"), "{method} {path}");
        assert!(
            none.head.contains("www-authenticate: Basic realm=\"Ringmaster\""),
            "{}",
            none.head
        );
        let refused = asked(&house, may_not, method, path);
        let known = ["anna", "otto"].contains(&may_not);
        let expected = if known { (403, "role-needed") } else { (401, "login-required") };
        assert_eq!((refused.status, &*refused.code()), expected, "{method} {path} {may_not}");
    }
    for path in ["/live", "/ready", "/ems-rs/readiness", "/metrics"] {
        assert_eq!(house.get(path).status, 200, "{path}");
    }
    assert_eq!(house.get("/api/v1/health").body, "{\"status\":\"ok\"}\n");
    assert!(asked(&house, "otto", "GET", "/api/v1/health").body.contains("\"checks\""));
}

#[test]
fn numbers_are_hidden_from_reporters() {
    let mut house = open(|settings| settings.rs.privacy.mask = config::settings::Mask::Reporter);
    house.send(&golden(&RM));
    let calls = |user| asked(&house, user, "GET", "/api/v1/calls?from=2026-11-22").body;
    assert!(calls("anna").contains("+4*****3") && !calls("anna").contains("4930123"));
    assert!(calls("root").contains("+4930123"));
    let part = asked(&house, "anna", "GET", "/api/v1/calls?from=2026-11-22&dn=18*");
    assert_eq!((part.status, &*part.code()), (403, "numbers-hidden"));
}

#[test]
fn a_wrong_password_and_an_unknown_name_are_answered_alike_and_counted() {
    let house = open(|_| {});
    let wrong = |name: &str| {
        let answer = house.ask("GET", "/api/v1/calls", &[("Authorization", &basic(name, "guess"))]);
        let problem: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        (answer.status, answer.head.contains("retry-after: "), problem["detail"].clone())
    };
    let (known, unknown) = (wrong("anna"), wrong("nobody"));
    assert_eq!((known.0, known.1, &known.2), (401, false, &unknown.2));
    for _ in 0..9 {
        assert_eq!(wrong("anna").0, 401);
    }
    let waits = wrong("anna");
    assert!(waits.0 == 429 && waits.1, "{waits:?}");
    let right = asked(&house, "anna", "GET", "/api/v1/calls");
    assert_eq!(right.status, 429, "the right password has to wait as well");
    assert_eq!(asked(&house, "root", "GET", "/api/v1/calls").status, 200, "another name has not");
    assert_eq!(house.metric("rs_logins_failed_total"), "13");
    let lines = house.lines.lines();
    let told = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!((told(" 36002 "), told("user=anna"), told("user=-")), (13, 12, 1), "{lines:?}");
    assert_eq!((told("guess"), told(PASSWORD), told("$argon2id")), (0, 0, 0));
}

#[test]
fn a_probe_is_no_login_and_what_is_no_login_is_counted() {
    let house = open(|_| {});
    let shown =
        |path: &str, login: &str| house.ask("GET", path, &[("Authorization", login)]).status;
    for path in ["/live", "/ready", "/ems-rs/readiness", "/metrics"] {
        assert_eq!(shown(path, &basic("anna", "guess")), 200, "{path}");
    }
    assert_eq!(house.metric("rs_logins_failed_total"), "0");
    assert_eq!(shown("/api/v1/health", &basic("anna", "guess")), 200);
    assert_eq!(house.metric("rs_logins_failed_total"), "1");
    for (n, login) in ["Bearer x", "Basic !!!", "Basic cm0tMQ=="].into_iter().enumerate() {
        assert_eq!(shown("/api/v1/calls", login), 401, "{login}");
        assert_eq!(house.metric("rs_logins_failed_total"), (n + 2).to_string(), "{login}");
    }
    // lines are written by a thread of their own
    let told = |lines: &[String]| lines.iter().filter(|line| line.contains(" 36002 ")).count();
    house.until(|house| told(&house.lines.lines()) == 4);
}

/// The password is still being checked when the peer says that it sends no more.
#[test]
fn whoever_only_listens_during_its_login_gets_its_answers() {
    let house = open(|settings| settings.rs.auth.anonymous_broker = Some(false));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut peer = Frames::connect(house.rs.addresses().broker.unwrap()).await;
        let login = "CONNECT\naccept-version:1.2\nhost:x\nlogin:rm\npasscode:secret\n\n\0";
        peer.say(&format!("{login}SEND\ndestination:ringmaster.cdr\nreceipt:1\n\n{{}}\0")).await;
        peer.half_close().await;
        assert!(peer.next().await.starts_with("CONNECTED\n"));
        assert_eq!(peer.next().await, "RECEIPT\nreceipt-id:1\n\n");
        assert_eq!(peer.next().await, "", "closed");
    });
}

#[test]
fn producers_log_in_with_the_same_users() {
    let mut house = open(|settings| settings.rs.auth.anonymous_broker = Some(false));
    assert_eq!(refusal(&house, Some("rm"), "secret"), "");
    let wrong = "the user name or the password is wrong";
    assert_eq!(refusal(&house, Some("rm"), "Secret"), wrong);
    assert_eq!(refusal(&house, Some("mr"), "secret"), wrong);
    let role = refusal(&house, Some("anna"), PASSWORD);
    assert_eq!(role, "user anna may not send records: the role is producer");
    for nobody in [None, Some("")] {
        let text = refusal(&house, nobody, "");
        assert_eq!(text, "this listener needs a user name and a password");
    }
    house.send(&golden(&MCP));
    assert_eq!(house.metric("rs_logins_failed_total"), "5");
    let letter = "{\"kind\":\"cdr\"}".as_bytes();
    let json = [("Authorization", &*basic("rm", "secret")), ("Content-Type", "application/json")];
    assert_eq!(house.post("/api/v1/records", &json, letter).status, 200);
    house.until(|house| house.sum("rs_dead_letters_total") == 1);
    let letters = asked(&house, "root", "GET", "/api/v1/dead-letters").body;
    assert!(letters.contains("\"user\":\"rm\""), "{letters}");
    // where nobody in particular may send, a name is still what it says it is
    let house = open(|_| {});
    assert_eq!(refusal(&house, None, ""), "");
    assert_eq!(refusal(&house, Some("rm"), "x"), wrong);
}

/// A client with `failover:` gives up for a security error alone.
#[test]
fn too_many_logins_of_one_address_at_once_are_no_security_error() {
    let house = open(|_| {});
    let broker = house.rs.addresses().broker.unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let attempt = |n| {
        runtime.spawn(async move {
            let mut settings = house::settings(99, 0);
            settings.user = Some(format!("nobody-{n}"));
            settings.password = Some(Secret::new("guess".to_owned()));
            Sender::over(broker, settings).await.next().await
        })
    };
    let attempts: Vec<_> = (0..60).map(attempt).collect();
    let mut busy = 0;
    for attempt in attempts {
        let ClientEvent::Refused { class, text, .. } = runtime.block_on(attempt).unwrap() else {
            panic!("nobody is let in")
        };
        let is_busy = text == "too many logins at once: come again";
        let expected = ["java.lang.SecurityException", "javax.jms.ResourceAllocationException"];
        assert_eq!(class, expected[usize::from(is_busy)], "{text}");
        busy += usize::from(is_busy);
    }
    assert!((1..60).contains(&busy), "{busy}");
}

#[test]
fn who_does_something_is_in_the_audit() {
    let mut house = open(|_| {});
    house.send(&["{\"kind\":\"cdr\",\"id\":\"x\"}".to_owned()]);
    assert_eq!(asked(&house, "root", "DELETE", "/api/v1/dead-letters/1").status, 204);
    let audit = asked(&house, "root", "GET", "/api/v1/audit?user=root").body;
    assert!(audit.contains("dead-letter.delete"), "{audit}");
}

#[test]
fn the_file_is_followed_and_a_bad_one_changes_nothing() {
    let house = open(|_| {});
    let path = house.dir.path().join("users");
    let line = rsd::user_line("eva", "reporter", PASSWORD).unwrap();
    assert_eq!(asked(&house, "eva", "GET", "/api/v1/calls").status, 401);
    write(house.dir.path(), &(lines() + &line));
    house.until(|house| asked(house, "eva", "GET", "/api/v1/calls").status == 200);
    let logged = |house: &House, text: &str| house.lines.lines().iter().any(|l| l.contains(text));
    assert!(logged(&house, " 36003 "));
    write(house.dir.path(), "eva reporter hunter2\n");
    house.until(|house| logged(house, " 36004 "));
    assert!(logged(&house, "line 1: the password is no PHC string"));
    assert!(!logged(&house, "hunter2"));
    assert_eq!(asked(&house, "eva", "GET", "/api/v1/calls").status, 200);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    fs::write(&path, &line).unwrap();
    house.until(|house| logged(house, "others than its owner may write it"));
    write(house.dir.path(), &line);
    house.until(|house| asked(house, "root", "GET", "/api/v1/calls").status == 401);
    assert_eq!(asked(&house, "eva", "GET", "/api/v1/calls").status, 200);
}

#[test]
fn a_start_with_a_bad_file_is_refused_and_with_users_other_listeners_are_opened() {
    let dir = tempfile::tempdir().unwrap();
    let mut told = settings(dir.path());
    told.rs.auth.users_file = Some(write(dir.path(), "eva reporter\n"));
    let Err(error) = start(told).0 else { panic!("it has started") };
    assert_eq!(error.exit_code(), 78);
    assert!(error.to_string().contains("line 1: expected a name, roles"), "{error}");
    let mut told = settings(dir.path());
    told.rs.auth.users_file = Some(dir.path().join("none"));
    let Err(error) = start(told).0 else { panic!("it has started") };
    assert!(error.exit_code() == 78 && error.to_string().contains("rs.auth.users_file"), "{error}");
    let anywhere = "0.0.0.0:0".parse().unwrap();
    let house = open(|settings| (settings.rs.http, settings.rs.broker) = (anywhere, anywhere));
    assert_ne!(refusal(&house, None, ""), "", "nobody in particular only over loopback");
    assert_eq!(house.get("/api/v1/calls").status, 401);
}

#[test]
fn nobody_in_particular_may_do_everything_where_that_is_said() {
    let house = open(|settings| settings.rs.auth.anonymous = Some(true));
    assert_eq!(house.get("/api/v1/dead-letters").status, 200);
    let wrong = house.ask("GET", "/api/v1/calls", &[("Authorization", &basic("anna", "x"))]);
    assert_eq!(wrong.status, 401, "but not with a wrong password");
    let foreign =
        house.ask("DELETE", "/api/v1/alarms/RS-SPOOL-SYNC", &[("Origin", "http://evil.example")]);
    assert_eq!((foreign.status, &*foreign.code()), (403, "foreign-origin"));
}

/// Golden records of `rm-1` and of `mcp-1`, sent by one who may send for media servers only.
#[test]
fn who_is_bound_to_names_sends_for_no_other() {
    let house = open(|_| {});
    let records = [golden(&RM[..1]), golden(&MCP)].concat();
    let letters = |house: &House| {
        let list = asked(house, "root", "GET", "/api/v1/dead-letters").body;
        let list: serde_json::Value = serde_json::from_str(&list).unwrap();
        // asked too often it says so, and is asked again
        let items = list["items"].as_array().into_iter().flatten();
        let told = |letter: &serde_json::Value| {
            let text = |name: &str| letter[name].as_str().unwrap_or_default().to_owned();
            [text("transport"), text("code"), text("field"), text("user")].join(" ")
        };
        let mut all: Vec<String> = items.map(told).collect();
        all.sort();
        all
    };
    let head = [("Authorization", &*basic("mcp", "secret")), ("Content-Type", "application/json")];
    let answer =
        house.post("/api/v1/records", &head, format!("[{}]", records.join(",")).as_bytes());
    let answer: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(answer["accepted"], 2, "{answer}");
    assert_eq!(answer["dead_lettered"][0]["field"], "producer.name", "{answer}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut settings = house::settings(1, 0);
        settings.user = Some("mcp".to_owned());
        let mut sender = Sender::over(house.rs.addresses().broker.unwrap(), settings).await;
        assert_eq!(sender.next().await, ClientEvent::Ready);
        let (id, body) = ("rm-1-again", records[0].replace("cdr.start/1.1", "cdr.start/1.2"));
        let outbound = openwire::Outbound {
            record_id: id,
            kind: "cdr",
            schema: 1,
            body: body.as_bytes(),
            sequence: 1,
        };
        sender.client.send_transaction("ringmaster.cdr", 1, &[outbound]).unwrap();
        assert_eq!(sender.next().await, ClientEvent::Acknowledged { tag: 1 });
    });
    let bound = "bad_value producer.name mcp";
    let expected = [format!("http {bound}"), format!("openwire {bound}")];
    house.until(|house| letters(house) == expected);
    house.until(|house| house.metric("rs_apply_records_total") == "2");
}

/// A token is as good as a login on every path, until it runs out or its line is gone; and who was
/// let in and who was not is in the audit, once.
#[test]
fn tokens_let_in_and_logins_are_in_the_audit() {
    let dir = tempfile::tempdir().unwrap();
    let users = write(dir.path(), &lines());
    let made = |name: &str, roles: &str, expires| rsd::token_line(name, roles, expires).unwrap();
    let (good, line) = made("billing", "reporter", None);
    let (late, past) = made("billing", "reporter", Some(crate::api::house::now()));
    let (sender, third) = made("ivr", "producer", None);
    let tokens = dir.path().join("tokens");
    let fill = |text: &str| {
        fs::write(&tokens, text).unwrap();
        fs::set_permissions(&tokens, fs::Permissions::from_mode(0o600)).unwrap();
    };
    fill(&format!("{line}\n{past}\n{third}\n"));
    let house = House::in_dir(dir, |settings| {
        settings.rs.auth.users_file = Some(users);
        settings.rs.auth.tokens_file = Some(tokens.clone());
    });
    let ask = |token: &str, path: &str| {
        house.ask("GET", path, &[("Authorization", &format!("Bearer {token}"))]).status
    };
    for path in ["/api/v1/calls", "/ems-rs/HIST/CDRs/RM/details", "/"] {
        assert_eq!((ask(&good, path), ask(&late, path), ask("rst_x", path)), (200, 401, 401));
    }
    assert_eq!((ask(&good, "/api/v1/audit"), ask(&sender, "/api/v1/calls")), (403, 403));
    let head =
        [("Authorization", &*format!("Bearer {sender}")), ("Content-Type", "application/json")];
    assert_eq!(house.post("/api/v1/records", &head, golden(&RM[..1])[0].as_bytes()).status, 200);
    assert_eq!(asked(&house, "anna", "GET", "/api/v1/calls").status, 200);
    let logins = |house: &House| {
        let list = asked(house, "root", "GET", "/api/v1/audit?action=login").body;
        let list: serde_json::Value = serde_json::from_str(&list).unwrap();
        let items = list["items"].as_array().into_iter().flatten();
        let told = |line: &serde_json::Value| {
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            [text("user"), text("object"), text("outcome"), text("address")].join(" ")
        };
        let mut all: Vec<String> = items.map(told).collect();
        all.sort();
        all
    };
    let own = |name: &str| format!("{name} {name} done 127.0.0.1");
    let refused = " - refused 127.0.0.1".to_owned();
    let mut expected = vec![refused, own("anna"), own("billing"), own("ivr"), own("root")];
    expected.sort();
    // however often they came
    house.until(|house| logins(house).len() >= expected.len());
    assert_eq!(logins(&house), expected);
    fill(&format!("{third}\n"));
    house.until(|_| ask(&good, "/api/v1/calls") == 401);
    assert!(!house.lines.lines().iter().any(|line| line.contains("rst_")));
}

/// Each asks on a connection of its own, as fast as it goes.
#[test]
fn whoever_asks_without_end_is_told_to_wait_and_nobody_else_is() {
    let house = open(|_| {});
    let path = "/api/v1/alarms";
    let answers = (0..20_000).map(|_| asked(&house, "root", "GET", path));
    let (mut answered, mut refused) = (0, None);
    for answer in answers {
        match answer.status {
            200 => answered += 1,
            _ => refused = Some(answer),
        }
        if refused.is_some() {
            break;
        }
    }
    let refused = refused.expect("there is an end");
    assert_eq!((refused.status, &*refused.code()), (429, "rate-limit"));
    assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
    assert!(answered >= 200, "{answered}");
    // probes are not counted, nor are others
    assert_eq!(asked(&house, "root", "GET", "/ready").status, 200);
    assert_eq!(asked(&house, "anna", "GET", "/api/v1/calls").status, 200);
}
