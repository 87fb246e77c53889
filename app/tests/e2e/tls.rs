//! The page docs/operate/tls.md, as it stands: its authority, its settings, its way of replacing a
//! certificate, while a call is up whose caller comes by TLS (SIPp over TCP behind socat).

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::calls::{healthy, objects};
use crate::http;
use crate::platform::{self, CALLER, Site, eventually, free_port};
use crate::player::is_bound;
use crate::sipp::{Media, Plan, Via};

const PAGE: &str = include_str!("../../../docs/operate/tls.md");

/// The blocks of the page in one language, in order.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    PAGE.split(fence.as_str()).skip(1).map(|block| block.split("```").next().unwrap()).collect()
}

/// Somebody who follows the page, with the ports of this run.
struct Reader {
    site: Site,
    tls: u16,
}

impl Reader {
    fn ports(&self, text: &str) -> String {
        text.replace("127.0.0.1:5061", &format!("127.0.0.1:{}", self.tls))
            .replace("127.0.0.1:5060", &self.site.sip().to_string())
    }

    /// A command line in the directory of the settings; true and what it said.
    fn sh(&self, line: &str) -> (bool, String) {
        let output = Command::new("sh")
            .args(["-c", &self.ports(line)])
            .current_dir(self.site.path("."))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// The settings of the run with those of the page in place of their `sip`.
    fn write_settings(&self) {
        let [page] = blocks("yaml")[..] else { panic!("one block of settings") };
        let page = self.ports(page.strip_prefix("rm:\n").unwrap());
        let text = std::fs::read_to_string(self.site.path("settings.yaml")).unwrap();
        let with = |line: &str| {
            if line.trim_start().starts_with("sip:") { page.clone() } else { format!("{line}\n") }
        };
        self.site.write("settings.yaml", &text.lines().map(with).collect::<String>());
    }
}

/// A TCP port whose bytes reach RM by TLS.
struct Tunnel {
    child: Child,
    address: SocketAddr,
}

impl Tunnel {
    fn open(reader: &Reader) -> Self {
        let address = SocketAddr::new(CALLER, free_port(CALLER));
        let listen = format!("TCP-LISTEN:{},bind={CALLER},reuseaddr,fork", address.port());
        let to = reader.ports("OPENSSL:127.0.0.1:5061,cafile=ca.pem,commonname=rm.example.com");
        let child = Command::new("socat")
            .args([listen, to])
            .current_dir(reader.site.path("."))
            .stderr(Stdio::null())
            .spawn()
            .expect("socat is installed (test.sh does it)");
        eventually("the tunnel listens", || is_bound(address, Via::Tcp), |bound| *bound);
        Self { child, address }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_page_about_tls_works_as_it_is_written_while_calls_are_up() {
    let [make, start, renew] = blocks("sh")[..] else { panic!("three blocks of commands") };
    let media = Media::start();
    let site = Site::new(&objects(&[&media], "{}"));
    let reader = Reader { site, tls: free_port([127, 0, 0, 1].into()) };
    for line in make.lines() {
        let (done, said) = reader.sh(line);
        assert!(done, "{line}: {said}");
    }
    reader.write_settings();
    let lines = start.lines().collect::<Vec<_>>();
    let [check, daemon, client] = lines[..] else { panic!("three commands") };
    assert_eq!(check, "ringmaster check settings.yaml");
    let checked = || platform::run(&reader.site.path("."), &["check", "settings.yaml"]);
    assert_eq!(checked(), (0, String::new(), String::new()));
    assert_eq!(daemon, "ringmaster rm -c settings.yaml");
    let rm = reader.site.start_rm();
    let (done, said) = reader.sh(client);
    assert!(done && said.contains("Verification: OK") && said.contains("CN = rm"), "{said}");
    healthy(&reader.site, 1);

    let tunnel = Tunnel::open(&reader);
    let plan = Plan {
        via: Via::Tcp,
        hold: Duration::from_secs(15),
        ..Plan::new(tunnel.address, &["18005550100"], 5)
    };
    let callers = plan.start();
    let calls = || http::json(reader.site.rm_http(), "/v1/status")["legs"].as_u64().unwrap();
    eventually("calls up", calls, |legs| *legs == 5);
    let (done, said) = reader.sh(renew.trim());
    assert!(done, "{said}");
    rm.signal("HUP");
    let shown = || reader.sh(client).1;
    eventually("the new certificate", shown, |said| said.contains("CN = rm-new"));
    assert!(calls() > 0, "calls have outlived the certificate that they came by");
    callers.finish();
    assert_eq!(media.answered().len(), 5);
    let left = "ringmaster_tls_certificate_expiry_seconds{use=\"sip\"}";
    let days = http::metric(reader.site.rm_http(), left) / 86_400.0;
    assert!((364.0..=365.0).contains(&days), "{days}");
    // A key that is not the certificate's is told before anything starts.
    let (done, said) = reader.sh("cp ca.key rm.key");
    assert!(done, "{said}");
    drop(rm);
    let args = ["rm", "-c", "settings.yaml"];
    let (code, _, said) = platform::run(&reader.site.path("."), &args);
    let expected = "rm.sip.tls: rm.key: not the key of the certificate in rm.pem";
    assert!(code == 78 && said.contains(expected), "{code} {said}");
    let expected = format!("settings.yaml: E105: {expected}\n");
    assert_eq!(checked(), (3, expected, "1 error\n".to_owned()));
}
