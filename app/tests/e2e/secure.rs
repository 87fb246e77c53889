//! TLS with peers that are not ours: OpenSSL's client, SIPp behind socat, Kamailio, baresip.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::calls::objects_at;
use crate::flows::{self, Way};
use crate::kamailio::Routing;
use crate::platform::{Site, eventually, free_port, loopback, run};
use crate::player::is_bound;
use crate::sipp::Via;

/// An authority, as `docs/operate/tls.md` makes it, and the certificates that it has issued.
pub(crate) struct Authority {
    dir: TempDir,
}

/// Files of one certificate.
pub(crate) struct Certificate {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    /// Both in one file.
    pub(crate) both: PathBuf,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let authority = Self { dir: tempfile::tempdir().unwrap() };
        let config = authority.path("req.cnf");
        std::fs::write(config, "[req]\ndistinguished_name = dn\n[dn]\n").unwrap();
        authority.openssl(
            "-x509 -days 3650 -keyout ca.key -out ca.pem -subj /CN=CA \
             -addext basicConstraints=critical,CA:TRUE",
        );
        authority
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// A certificate for these addresses.
    pub(crate) fn issue(&self, name: &str, addresses: &[IpAddr]) -> Certificate {
        let names: Vec<String> = addresses.iter().map(|ip| format!("IP:{ip}")).collect();
        self.issue_for(name, &names)
    }

    /// A certificate with these subject alternative names.
    pub(crate) fn issue_for(&self, name: &str, names: &[String]) -> Certificate {
        self.openssl(&format!(
            "-x509 -CA ca.pem -CAkey ca.key -days 365 -keyout {name}.key -out {name}.pem \
             -subj /CN={name} -addext subjectAltName={}",
            names.join(",")
        ));
        let [cert, key, both] =
            ["pem", "key", "both"].map(|end| self.path(&format!("{name}.{end}")));
        let text = [&cert, &key].map(|file| std::fs::read_to_string(file).unwrap());
        std::fs::write(&both, text.concat()).unwrap();
        Certificate { cert, key, both }
    }

    fn openssl(&self, args: &str) {
        let output = Command::new("openssl")
            .current_dir(self.dir.path())
            .args(["req", "-config", "req.cnf", "-newkey", "ec", "-nodes"])
            .args(["-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(args.split_whitespace())
            .output()
            .expect("openssl is installed (test.sh does it)");
        assert!(output.status.success(), "{args}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// RM listens for TLS besides, with a certificate for its address.
pub(crate) fn add_listener(site: &Site, authority: &Authority) {
    let rm = authority.issue("rm", &[site.sip().ip()]);
    let text = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    let (sip, tls) = (format!("\"tcp:{}\"]", site.sip()), Via::Tls.at(site.sip()));
    let with_tls = format!(
        "\"tcp:{}\", \"tls:{tls}\"], tls: {{ cert_file: {}, key_file: {}, ca_file: {} }}",
        site.sip(),
        rm.cert.display(),
        rm.key.display(),
        authority.ca().display()
    );
    assert!(text.contains(&sip), "{text}");
    site.write("settings.yaml", &text.replace(&sip, &with_tls));
}

/// A socat that turns TCP into TLS or back; ended with the value.
pub(crate) struct Tunnel {
    child: Child,
    /// The end that speaks TCP, or TLS, with what it is for.
    pub(crate) near: SocketAddr,
    pub(crate) far: SocketAddr,
}

impl Tunnel {
    /// TCP in at an address `near`, TLS out to RM; RM sees it come from `far`.
    pub(crate) fn to_rm(rm: SocketAddr, authority: &Authority, near: IpAddr) -> Self {
        let far = SocketAddr::new(loopback().ip(), 5061);
        let near = SocketAddr::new(near, free_port(near));
        Self::start(
            &format!("TCP-LISTEN:{},bind={},reuseaddr", near.port(), near.ip()),
            &format!("OPENSSL:{rm},bind={far},cafile={},reuseaddr", authority.ca().display()),
            near,
            far,
        )
    }

    /// TLS in at `address`, TCP from there out to `server`.
    pub(crate) fn before(server: SocketAddr, address: SocketAddr, shown: &Certificate) -> Self {
        Self::start(
            &format!(
                "OPENSSL-LISTEN:{},bind={},reuseaddr,fork,verify=0,cert={},key={}",
                address.port(),
                address.ip(),
                shown.cert.display(),
                shown.key.display()
            ),
            &format!("TCP:{server},bind={}", address.ip()),
            address,
            server,
        )
    }

    fn start(from: &str, to: &str, near: SocketAddr, far: SocketAddr) -> Self {
        let child = Command::new("socat")
            .args([from, to])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("socat is installed (test.sh does it)");
        eventually("socat listens", || is_bound(near, Via::Tcp), |bound| *bound);
        Self { child, near, far }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends OPTIONS by `openssl s_client`: what came back, and what OpenSSL had to say.
fn options_by_openssl(rm: SocketAddr, ca: &Path, version: &str) -> (String, String) {
    let mut child = Command::new("openssl")
        .args(["s_client", "-connect", &rm.to_string(), version, "-quiet"])
        .args(["-verify_return_error", "-verify_ip", &rm.ip().to_string(), "-CAfile"])
        .arg(ca)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is installed (test.sh does it)");
    let mut input = child.stdin.take().unwrap();
    // It may have ended already: then there is no answer either.
    let _ = write!(
        input,
        "OPTIONS sip:{rm};transport=tls SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bK1\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    );
    let mut answer = String::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        if line.trim().is_empty() {
            break;
        }
        answer.push_str(&line);
        answer.push('\n');
    }
    drop(input);
    // It would wait for more, whatever becomes of its input.
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    (answer, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn openssl_asks_and_is_answered_by_tls_1_2_and_1_3_only() {
    let authority = Authority::new();
    let site = Site::new(&objects_at(&["127.0.0.3:9"], "{}"));
    add_listener(&site, &authority);
    let _rm = site.start_rm();
    let rm = Via::Tls.at(site.sip());
    for version in ["-tls1_2", "-tls1_3"] {
        let answer = options_by_openssl(rm, &authority.ca(), version).0;
        for part in ["SIP/2.0 200", "SIP/2.0/TLS 127.0.0.1:9", "X-Ringmaster-State: healthy"] {
            assert!(answer.contains(part), "{version}: no {part} in {answer}");
        }
    }
    assert_eq!(options_by_openssl(rm, &authority.ca(), "-tls1_1").0, "");
    let stranger = Authority::new();
    let (answer, error) = options_by_openssl(rm, &stranger.ca(), "-tls1_3");
    assert!(answer.is_empty() && error.contains("verify"), "{answer}{error}");
}

#[test]
fn every_flow_over_tls() {
    flows::run(&Way::plain(Via::Tls, Via::Tls));
}

#[test]
fn every_flow_with_tls_in_front_and_udp_behind() {
    flows::run(&Way::plain(Via::Tls, Via::Udp));
}

#[test]
fn every_flow_between_two_kamailios_over_tls() {
    let in_front = Some(Routing::LrOn);
    flows::run(&Way { in_front, behind_kamailio: true, ..Way::plain(Via::Tls, Via::Tls) });
}

#[test]
fn certificates_that_cannot_work_or_not_for_long_are_told_by_check() {
    let authority = Authority::new();
    let site = Site::new(&objects_at(&["127.0.0.3:9"], "{}"));
    add_listener(&site, &authority);
    let [cert, key, ca] = ["rm.pem", "rm.key", "ca.pem"].map(|name| authority.path(name));
    let check = || run(&site.path("."), &["check", "settings.yaml"]);
    assert_eq!(check().0, 0);
    let good = [&cert, &key, &ca].map(|file| std::fs::read(file).unwrap());
    authority.openssl(
        "-x509 -CA ca.pem -CAkey ca.key -days 7 -keyout rm.key -out rm.pem -subj /CN=rm \
         -addext subjectAltName=DNS:rm.example",
    );
    let (code, told, _) = check();
    let expected = format!("settings.yaml: W404: rm.sip.tls: {}: expires at ", cert.display());
    assert!(code == 0 && told.starts_with(&expected), "{told}");
    assert_eq!(run(&site.path("."), &["check", "--strict", "settings.yaml"]).0, 1);
    let damage = |file: &Path, text: &str, why: &str| {
        std::fs::write(file, text).unwrap();
        let expected = format!("settings.yaml: E105: rm.sip.tls: {}: {why}\n", file.display());
        assert_eq!(check(), (3, expected, "1 error\n".to_owned()));
        for (file, bytes) in [&cert, &key, &ca].into_iter().zip(&good) {
            std::fs::write(file, bytes).unwrap();
        }
    };
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    damage(&ca, "nothing", "no certificate in it");
    damage(&ca, pem, "an authority that cannot be used: invalid peer certificate: BadEncoding");
    damage(&cert, pem, "not an X.509 certificate");
    damage(&key, pem, "no private key in it");
}
