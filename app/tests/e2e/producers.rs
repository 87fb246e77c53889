//! Stock clients as producers: the ActiveMQ client in Java (the programs below `java/`, compiled
//! by the test) and stomp.py (`python/frames.py`). What arrived is read back through the API.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::platform::{Process, Site, eventually, run};
use crate::secure::Authority;
use crate::{http, report};

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
pub(crate) struct Told {
    pub(crate) passed: Vec<String>,
    sent: BTreeSet<String>,
    never: BTreeSet<String>,
    dead: usize,
}

/// Runs one group of the checks in Java to its end; `asked` does what it asks for.
pub(crate) fn checks(site: &Site, group: &[&str], asked: impl FnMut(&str)) -> Told {
    let port = site.broker().port().to_string();
    let mut command = Command::new("java");
    command.args(["-cp", &class_path(), "-Xmx256m", "Checks", group[0], &port]);
    command.args(&group[1..]);
    told(command, asked)
}

/// Runs the checks with stomp.py; with authorities by TLS.
pub(crate) fn frames(site: &Site, authorities: Option<PathBuf>) -> Told {
    frames_asked(site, authorities, none)
}

/// The same; `asked` does what it asks for.
fn frames_asked(site: &Site, arguments: Option<PathBuf>, asked: impl FnMut(&str)) -> Told {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = tests.join("../target/stomp/bin/python");
    assert!(python.exists(), "stomp.py is installed there (test.sh does it)");
    let mut command = Command::new(python);
    command.arg(tests.join("tests/e2e/python/frames.py")).arg(site.broker().port().to_string());
    command.args(arguments);
    told(command, asked)
}

fn told(mut command: Command, mut asked: impl FnMut(&str)) -> Told {
    command.stdin(Stdio::piped());
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
    let mut found = BTreeMap::new();
    for item in report::legs(rs, "") {
        let [session, guid] = ["session_id", "guid"].map(|key| text(&item[key]));
        assert_eq!(item["state"], "completed", "{item}");
        assert_eq!(found.insert(session, guid), None, "a call twice: {item}");
    }
    found
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Everything that was told is in the database, and nothing else.
pub(crate) fn arrived(site: &Site, told: &Told) -> BTreeMap<String, String> {
    let rs = site.rs_http();
    eventually("calls in the database", || calls(rs).len(), |found| *found >= told.sent.len());
    eventually("nothing unapplied", || http::metric(rs, "rsQueueSize"), |size| *size == 0.0);
    let found = calls(rs);
    let names: BTreeSet<String> = found.keys().cloned().collect();
    assert_eq!(names, told.sent);
    assert!(told.never.is_disjoint(&names));
    let dead = http::summed(rs, "rs_dead_letters_total");
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
    assert_eq!((told.passed.len(), told.dead), (23, 11), "{told:#?}");
    let calls = arrived(&site, &told);
    assert_eq!(note(&site, &calls["unicode"]), " \u{1F600} € \" \u{10000}");
    assert_eq!(note(&site, &calls["bytes-with-a-bad-one"]), "\u{fffd}");
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
        if what == "disconnect" {
            return disconnect(site.rs_http());
        }
        assert_eq!(what, "restart");
        if let Some(running) = rs.take() {
            running.kill();
        }
        rs = Some(site.start_rs());
    });
    assert_eq!(told.passed.len(), 6, "{told:#?}");
    // of those through the restart 20 before it and 20 behind, and what comes in between
    assert!(told.sent.len() >= 40 + 2 + 5 + 2 + 2 + 40, "{told:#?}");
    arrived(&site, &told);
}

/// Ends the one connection that there is, and waits until it is gone.
fn disconnect(rs: SocketAddr) {
    let open = || {
        let list = http::json(rs, "/api/v1/connections");
        let ids = list["items"].as_array().unwrap().iter().map(|one| text(&one["id"]));
        ids.collect::<Vec<_>>()
    };
    let ids = eventually("those before are gone", open, |ids| ids.len() == 1);
    let path = format!("/api/v1/connections/{}", ids[0]);
    assert_eq!(http::ask(rs, "DELETE", &path, "", "").unwrap().status, 204);
    eventually("it is ended", open, |left| !left.contains(&ids[0]));
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
fn stomp_clients_in_python_are_served_in_all_versions() {
    let site = Site::new(OBJECTS);
    let rs = site.start_rs();
    let told = frames(&site, None);
    assert_eq!((told.passed.len(), told.never.len()), (14, 63), "{told:#?}");
    let calls = arrived(&site, &told);
    for version in ["1.0", "1.1", "1.2"] {
        assert_eq!(note(&site, &calls[&format!("noted-{version}")]), "\u{1F600} € ", "{version}");
    }
    let metric = |name: &str| http::metric(site.rs_http(), name);
    eventually("nobody is left", || metric(STOMP), |open| *open == 0.0);
    assert_eq!(metric("rs_unconfirmed_sends_total"), 0.0);
    rs.line_with(" 32002 ");
}

#[test]
fn stomp_clients_in_python_come_back_and_count_once() {
    let site = Site::new(OBJECTS);
    let mut rs = Some(site.start_rs());
    let told = frames_asked(&site, Some(PathBuf::from("restarts")), |what| {
        assert_eq!(what, "restart");
        if let Some(running) = rs.take() {
            running.kill();
        }
        rs = Some(site.start_rs());
    });
    assert_eq!(told.passed.len(), 4, "{told:#?}");
    assert!(told.sent.len() > 3 * 40 + 2 * 20, "{told:#?}");
    arrived(&site, &told);
}

const STOMP: &str = "rs_connections{transport=\"stomp\"}";

/// RS with a certificate for both of its ports, and an authority that a Java client trusts.
pub(crate) struct Secured {
    pub(crate) site: Site,
    pub(crate) authority: Authority,
    trusted: PathBuf,
}

impl Secured {
    pub(crate) fn new(client_auth: &str) -> Self {
        let (site, authority) = (Site::new(OBJECTS), Authority::new());
        let local = authority.issue("rs", &[site.broker().ip()]);
        let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
        let block = format!(
            "{settings}  tls:\n    cert_file: {}\n    key_file: {}\n    ca_file: {}\n    \
             client_auth: {client_auth}\n",
            local.cert.display(),
            local.key.display(),
            authority.ca().display()
        );
        site.write("settings.yaml", &block);
        assert_eq!(run(&site.path("."), &["check", "settings.yaml"]).0, 0);
        let trusted = site.path("trusted.p12");
        let output = Command::new("keytool")
            .args(["-importcert", "-noprompt", "-alias", "ca", "-storepass", "secret", "-file"])
            .arg(authority.ca())
            .args(["-storetype", "PKCS12", "-keystore"])
            .arg(&trusted)
            .output()
            .expect("keytool is installed with javac");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        Self { site, authority, trusted }
    }

    /// What OpenSSL's client says after it has said this.
    fn openssl(&self, args: &[&str], said: &str) -> String {
        self.openssl_at(self.site.broker(), args, said)
    }

    /// The same at another port.
    pub(crate) fn openssl_at(&self, at: SocketAddr, args: &[&str], said: &str) -> String {
        let at = at.to_string();
        let mut child = Command::new("openssl")
            .args(["s_client", "-connect", &at, "-ign_eof", "-verify_return_error", "-CAfile"])
            .arg(self.authority.ca())
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("openssl is installed (test.sh does it)");
        child.stdin.take().unwrap().write_all(said.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}

/// A whole STOMP session that ends by itself.
pub(crate) const SESSION: &str = "STOMP\naccept-version:1.2\n\n\0DISCONNECT\nreceipt:bye\n\n\0";

#[test]
fn tls_is_spoken_on_the_same_port() {
    let secured = Secured::new("none");
    let site = &secured.site;
    let rs = site.start_rs();
    let told = checks(site, &["tls", secured.trusted.to_str().unwrap()], none);
    assert_eq!(told.passed.len(), 3, "{told:#?}");
    let probe = ["rs", "-c", "settings.yaml", "--probe", "ready"];
    assert_eq!(run(&site.path("."), &probe).0, 0, "HTTP speaks TLS too");

    assert_eq!(frames(site, Some(secured.authority.ca())).passed.len(), 14);

    // STOMP by hand and what is not offered, inside TLS
    let said = secured.openssl(&[], SESSION);
    assert!(said.contains("CONNECTED\nversion:1.2") && said.contains("receipt-id:bye"), "{said}");
    let said = secured.openssl(&[], "GET / HTTP/1.1\r\n\r\n");
    assert!(said.contains("HTTP/1.1 400 ") && said.contains(&site.rs_http().to_string()), "{said}");
    let said = secured.openssl(&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], SESSION);
    assert!(said.contains(" alert ") && !said.contains("CONNECTED\nversion"), "{said}");
    rs.line_with("TLS: ");

    // another certificate counts as soon as its files are there
    let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    let file = |key: &str| {
        let line = settings.lines().find_map(|line| line.trim().strip_prefix(key));
        PathBuf::from(line.unwrap().trim())
    };
    let new = secured.authority.issue("renewed", &[site.broker().ip()]);
    std::fs::copy(new.key, file("key_file:")).unwrap();
    std::fs::copy(new.cert, file("cert_file:")).unwrap();
    rs.signal("HUP");
    let shown = || secured.openssl(&[], SESSION);
    eventually("the new certificate", shown, |said| said.contains("CN = renewed"));
    rs.line_with(" 10505 ");
}

#[test]
fn a_producer_without_the_certificate_that_is_asked_for_is_turned_away() {
    let secured = Secured::new("required");
    let rs = secured.site.start_rs();
    let said = secured.openssl(&[], SESSION);
    assert!(
        !said.contains("CONNECTED\nversion") && said.contains("certificate required"),
        "{said}"
    );
    rs.line_with("TLS: peer sent no certificates");
    let own = secured.authority.issue("mcp", &[secured.site.broker().ip()]);
    let files = [own.cert, own.key].map(|file| file.display().to_string());
    let said = secured.openssl(&["-cert", &files[0], "-key", &files[1]], SESSION);
    assert!(said.contains("receipt-id:bye"), "{said}");
    let probe = ["rs", "-c", "settings.yaml", "--probe", "ready"];
    assert_eq!(run(&secured.site.path("."), &probe).0, 0, "who probes has no certificate");
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
