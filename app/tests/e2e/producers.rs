//! Stock clients as producers: the ActiveMQ client in Java (the programs below `java/`, compiled
//! by the test). What arrived is read back through the API.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::http;
use crate::platform::{Process, Site, eventually};

/// RS needs none.
const OBJECTS: &str = "kind: Tenant\nname: acme\n";

/// Of Debian's libactivemq-java and what it needs.
const JARS: [&str; 6] = [
    "activemq-client",
    "geronimo-jms_1.1_spec",
    "geronimo-j2ee-management-1.1-spec",
    "hawtbuf",
    "slf4j-api",
    "slf4j-nop",
];

/// The compiled programs and the jars they need.
fn class_path() -> String {
    static CLASSES: OnceLock<TempDir> = OnceLock::new();
    let jars = JARS.map(|jar| format!("/usr/share/java/{jar}.jar")).join(":");
    let classes = CLASSES.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/java");
        let files = std::fs::read_dir(sources).unwrap().map(|file| file.unwrap().path());
        let files: Vec<PathBuf> = files.filter(|file| is_ours(file)).collect();
        let output = Command::new("javac")
            .args(["-Xlint:all", "-Werror", "-cp", &jars, "-d"])
            .arg(dir.path())
            .args(files)
            .output()
            .expect("javac is installed (test.sh does it)");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        dir
    });
    format!("{}:{jars}", classes.path().display())
}

/// A source of the client's programs; what needs the broker's jars is somebody else's.
fn is_ours(file: &Path) -> bool {
    let text = std::fs::read_to_string(file).unwrap();
    file.extension().is_some_and(|end| end == "java") && !text.contains("apache.activemq.broker")
}

/// What the checks of one run have told.
#[derive(Debug, Default)]
struct Told {
    passed: Vec<String>,
    sent: BTreeSet<String>,
    never: BTreeSet<String>,
    dead: usize,
}

/// Runs one group of checks to its end; `asked` does what it asks for.
fn checks(site: &Site, group: &[&str], mut asked: impl FnMut(&str)) -> Told {
    let port = site.broker().port().to_string();
    let mut command = Command::new("java");
    command.args(["-cp", &class_path(), "-Xmx256m", "Checks", group[0], &port]);
    command.args(&group[1..]).stdin(Stdio::piped());
    let mut program = Process::of(command);
    let mut told = Told::default();
    let mut seen = 0;
    loop {
        let next = || program.output().lines().nth(seen).map(str::to_owned);
        let line = eventually("the next line of the checks", next, Option::is_some).unwrap();
        seen += 1;
        let (kind, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match kind {
            "PASS" => told.passed.push(rest.to_owned()),
            "SENT" => assert!(told.sent.insert(rest.to_owned()), "{rest} is sent twice"),
            "NEVER" => _ = told.never.insert(rest.to_owned()),
            "DEAD" => told.dead += 1,
            "ASK" => {
                asked(rest);
                program.say("done");
            }
            "END" => return told,
            _ => panic!("{line}"),
        }
    }
}

/// Sessions of all calls, with the GUID of each.
fn calls(rs: SocketAddr) -> BTreeMap<String, String> {
    let (mut found, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let page = http::json(rs, &format!("/api/v1/calls?legs=true&limit=1000{cursor}"));
        for item in page["items"].as_array().unwrap() {
            let [session, guid] = ["session_id", "guid"].map(|key| text(&item[key]));
            assert_eq!(item["state"], "completed", "{item}");
            assert_eq!(found.insert(session, guid), None, "a call twice: {item}");
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Everything that was told is in the database, and nothing else.
fn arrived(site: &Site, told: &Told) -> BTreeMap<String, String> {
    let rs = site.rs_http();
    eventually("calls in the database", || calls(rs).len(), |found| *found >= told.sent.len());
    eventually("nothing unapplied", || http::metric(rs, "rsQueueSize"), |size| *size == 0.0);
    let found = calls(rs);
    let names: BTreeSet<String> = found.keys().cloned().collect();
    assert_eq!(names, told.sent);
    assert!(told.never.is_disjoint(&names));
    let dead = http::metric(rs, "rs_dead_letters_total");
    assert_eq!(dead, f64::from(u32::try_from(told.dead).unwrap()), "dead letters");
    found
}

fn note(site: &Site, guid: &str) -> String {
    let call = http::json(site.rs_http(), &format!("/api/v1/calls/{guid}"));
    text(&call["legs"][0]["extra"]["note"])
}

fn none(what: &str) {
    panic!("nobody does {what}");
}

#[test]
fn java_bodies_of_all_kinds_are_taken() {
    let site = Site::new(OBJECTS);
    let rs = site.start_rs();
    let told = checks(&site, &["bodies"], none);
    assert_eq!((told.passed.len(), told.dead), (21, 10), "{told:#?}");
    let calls = arrived(&site, &told);
    assert_eq!(note(&site, &calls["unicode"]), " \u{1F600} € \" \u{10000}");
    for kind in ["text", "bytes"] {
        for size in [0, 200_000] {
            let name = format!("compressed-{size}-{kind}");
            assert_eq!(note(&site, &calls[&name]), "\u{1F600}", "{name}");
        }
    }
    assert!(rs.output().contains(" 34001 "));
}

#[test]
fn java_sends_of_all_ways_are_stored() {
    let site = Site::new(OBJECTS);
    let _rs = site.start_rs();
    let told = checks(&site, &["sends"], none);
    assert_eq!((told.passed.len(), told.never.len()), (9, 6), "{told:#?}");
    arrived(&site, &told);
    let metric = |name: &str| http::metric(site.rs_http(), name);
    // those of `async` and `windows`; a callback has its answer
    assert_eq!(metric("rs_unconfirmed_sends_total"), 300.0);
    eventually("nobody is left", || metric(OPENWIRE), |open| *open == 0.0);
}

const OPENWIRE: &str = "rs_connections{transport=\"openwire\"}";

#[test]
fn java_clients_come_back_and_count_once() {
    let site = Site::new(OBJECTS);
    let mut rs = Some(site.start_rs());
    let told = checks(&site, &["failover"], |what| {
        assert_eq!(what, "restart");
        if let Some(running) = rs.take() {
            running.kill();
        }
        rs = Some(site.start_rs());
    });
    assert_eq!(told.passed.len(), 5, "{told:#?}");
    assert!(told.sent.len() > 40 + 2 + 5 + 2 + 40, "{told:#?}");
    arrived(&site, &told);
}

#[test]
fn java_clients_may_ask_for_whatever_they_know() {
    let site = Site::new(OBJECTS);
    let _rs = site.start_rs();
    let told = checks(&site, &["options"], none);
    assert_eq!(told.passed.len(), 16, "{told:#?}");
    arrived(&site, &told);
}

#[test]
fn java_clients_are_told_what_is_not_offered_and_go_on() {
    let site = Site::new(OBJECTS);
    let rs = site.start_rs();
    let told = checks(&site, &["refused"], none);
    assert_eq!(told.passed.len(), 18, "{told:#?}");
    arrived(&site, &told);
    rs.line_with(" 32002 ");
}
