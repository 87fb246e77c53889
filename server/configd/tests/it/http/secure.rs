//! TLS on the port, with OpenSSL on the other side.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::house::{Answer, House, connect, eventually};

/// A directory with an authority that signs what is asked for.
struct Desk {
    dir: TempDir,
}

impl Desk {
    fn open() -> Self {
        let desk = Self { dir: tempfile::tempdir().unwrap() };
        let names = "[req]\ndistinguished_name = dn\n[dn]\n";
        std::fs::write(desk.path("req.cnf"), names).unwrap();
        desk.openssl(
            "req -x509 -keyout ca.key -out ca.pem -subj /CN=authority \
             -addext basicConstraints=critical,CA:TRUE",
        );
        desk
    }

    fn pair(&self, name: &str, names: &str) {
        self.openssl(&format!(
            "req -x509 -CA ca.pem -CAkey ca.key -keyout {name}.key -out {name}.pem \
             -subj /CN={name} -addext subjectAltName={names}"
        ));
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.path(&format!("{name}.key")), private).unwrap();
    }

    fn openssl(&self, command: &str) {
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -config req.cnf";
        let output = Command::new("openssl")
            .args(command.split_whitespace().chain(key.split(' ')))
            .current_dir(self.dir.path())
            .output()
            .expect("openssl is installed (test.sh does it)");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn settings(&self, more: &str) -> String {
        let dir = self.dir.path().display();
        format!(
            "tls: {{ cert_file: {dir}/server.pem, key_file: {dir}/server.key, \
             ca_file: {dir}/ca.pem{more} }}"
        )
    }

    /// A request by `openssl s_client`, with a certificate if one is named.
    fn ask(&self, house: &House, path: &str, more: &str) -> (Option<Answer>, String) {
        let request = house.ask("GET", path).header("Connection", "close").head();
        let Output { stdout, stderr, .. } = self.client(house, more, &request);
        let head = stdout.windows(5).position(|five| five == b"HTTP/");
        let said = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
        (head.map(|at| Answer::parse(&stdout[at..])), said.into_owned())
    }

    fn client(&self, house: &House, more: &str, request: &str) -> Output {
        let address = house.address().to_string();
        let words =
            format!("60 openssl s_client -connect {address} -CAfile ca.pem -ign_eof {more}");
        let mut child = Command::new("timeout")
            .args(words.split_whitespace())
            .args(["-servername", "config.example", "-verify_return_error"])
            .current_dir(self.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("openssl is installed (test.sh does it)");
        // one that failed its handshake takes nothing
        let _sent = child.stdin.as_mut().unwrap().write_all(request.as_bytes());
        child.wait_with_output().unwrap()
    }
}

#[test]
fn a_certificate_has_a_role_and_its_absence_none() {
    let desk = Desk::open();
    desk.pair("server", "DNS:config.example");
    desk.pair("rm", "DNS:RM.voice.svc");
    desk.pair("other", "DNS:other.voice.svc");
    let roles = ", client_auth: optional, client_roles: [{ san: rm.voice.svc, role: reader }]";
    let house = House::with(&desk.settings(roles));
    assert_eq!(house.server().scheme(), "https");
    let status = |path: &str, more: &str| {
        let (answer, said) = desk.ask(&house, path, more);
        answer.unwrap_or_else(|| panic!("{said}")).status
    };
    let rm = "-cert rm.pem -key rm.key";
    for (path, more, expected) in [
        ("/ready", "", 200),
        ("/v1/objects", "", 401),
        ("/v1/objects", rm, 200),
        ("/v1/objects", "-tls1_2 -cert rm.pem -key rm.key", 200),
        ("/v1/objects", "-cert other.pem -key other.key", 401),
        ("/v1/tokens", rm, 403),
    ] {
        assert_eq!(status(path, more), expected, "{path} {more}");
    }
    // who speaks no TLS hears nothing
    let mut plain = connect(house.address());
    plain.write_all(b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut heard = Vec::new();
    let _end = std::io::Read::read_to_end(&mut plain, &mut heard);
    assert!(!heard.starts_with(b"HTTP/"), "{heard:?}");
}

/// Who keeps the process alive has no certificate; everybody else needs one, whatever it is about.
#[test]
fn where_a_certificate_is_required_only_probes_go_without() {
    let desk = Desk::open();
    desk.pair("server", "DNS:config.example");
    desk.pair("rm", "DNS:rm.voice.svc");
    let more = ", client_auth: required, client_roles: [{ san: rm.voice.svc, role: reader }]";
    let house = House::with(&desk.settings(more));
    let rm = "-cert rm.pem -key rm.key";
    for (path, more, expected) in [
        ("/live", "", 200),
        ("/ready", "", 200),
        ("/metrics", "", 403),
        ("/openapi.json", "", 403),
        ("/v1/objects", "", 403),
        ("/nothing", "", 403),
        ("/metrics", rm, 200),
        ("/v1/objects", rm, 200),
    ] {
        let (answer, said) = desk.ask(&house, path, more);
        let answer = answer.unwrap_or_else(|| panic!("{path} {more}: {said}"));
        assert_eq!(answer.status, expected, "{path} {more}: {}", answer.text());
        assert!(expected != 403 || answer.text().contains("needs a certificate"), "{path}");
    }
    // one that nobody vouches for is none
    let strangers = Desk::open();
    strangers.pair("server", "DNS:config.example");
    strangers.pair("rm", "DNS:rm.voice.svc");
    for file in ["rm.pem", "rm.key"] {
        std::fs::copy(strangers.path(file), desk.path(&format!("other-{file}"))).unwrap();
    }
    let (answer, _) = desk.ask(&house, "/live", "-cert other-rm.pem -key other-rm.key");
    assert!(answer.is_none(), "{answer:?}");
    let metrics = desk.ask(&house, "/metrics", rm).0.unwrap().text();
    let told = "ringmaster_config_auth_failures_total{reason=\"certificate\"} 4\n";
    assert!(metrics.contains(told), "{metrics}");
}

#[test]
fn a_handshake_that_comes_to_nothing_is_counted_and_told() {
    let desk = Desk::open();
    desk.pair("server", "DNS:config.example");
    let house = House::with(&desk.settings(""));
    let mut plain = connect(house.address());
    plain.write_all(b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    drop(connect(house.address()));
    let counted = |line: &str| {
        let metrics = desk.ask(&house, "/metrics", "").0.unwrap().text();
        metrics.contains(&format!("ringmaster_config_tls_failures_total{{reason={line}\n"))
    };
    eventually("both are counted", || counted("\"refused\"} 1") && counted("\"left\"} 1"));
    house.log.flush();
    let lines = house.lines.lines();
    let told: Vec<_> = lines.iter().filter(|line| line.contains(" 10506 ")).collect();
    assert_eq!(told.len(), 1, "a look at the port is no news: {told:?}");
    assert!(told[0].contains("127.0.0.1"), "{told:?}");
}

#[test]
fn a_new_pair_counts_from_now_on_and_a_bad_one_never() {
    let desk = Desk::open();
    desk.pair("server", "DNS:config.example");
    let house = House::with(&desk.settings(""));
    let shown = || {
        let (_, said) = desk.ask(&house, "/live", "-showcerts");
        said.lines().find(|line| line.trim_start().starts_with("0 s:")).map(str::to_owned)
    };
    let told = |id: &str| {
        house.log.flush();
        house.lines.lines().iter().any(|line| line.contains(id))
    };
    let first = shown().expect("a certificate is shown");
    assert!(first.contains("server"), "{first}");
    std::fs::write(desk.path("server.pem"), "nothing").unwrap();
    eventually("the bad one is told", || told(" 10501 "));
    assert_eq!(shown().as_ref(), Some(&first));
    desk.pair("fresh", "DNS:config.example");
    std::fs::rename(desk.path("fresh.key"), desk.path("server.key")).unwrap();
    std::fs::rename(desk.path("fresh.pem"), desk.path("server.pem")).unwrap();
    eventually("the new one is told", || told(" 10505 "));
    let second = shown().expect("a certificate is shown");
    assert!(second.contains("fresh"), "{second}");
    let (metrics, _) = desk.ask(&house, "/metrics", "");
    let metrics = metrics.unwrap().text();
    assert!(metrics.contains("ringmaster_tls_certificate_expiry_seconds{use=\"config\"} 25"));
}

#[test]
fn a_handshake_has_its_time() {
    let desk = Desk::open();
    desk.pair("server", "DNS:config.example");
    let house = House::with(&desk.settings(""));
    let mut slow = connect(house.address());
    slow.write_all(&[0x16, 0x03, 0x01]).unwrap();
    let begun = net::Clock::start();
    let mut heard = Vec::new();
    let _end = std::io::Read::read_to_end(&mut slow, &mut heard);
    let took = begun.mono();
    assert!(took > Duration::from_secs(3) && took < Duration::from_secs(40), "{took:?}");
}
