//! RM, RS and the commands with a Config Server that speaks TLS only and asks for certificates
//! (ops.md §1.12, §13).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use crate::calls::{healthy, objects};
use crate::center::told;
use crate::http;
use crate::platform::{Process, Site, eventually, free_port, run};
use crate::secure::{Authority, Certificate};
use crate::sipp::{Media, Plan};

const NUMBER: [&str; 1] = ["18005550100"];
/// What the server's certificate shows; nobody resolves it.
const NAME: &str = "config.voice";

/// A site with a Config Server, an authority, and certificates of all three.
struct Guarded {
    site: Site,
    server: SocketAddr,
    authority: Authority,
    node: Certificate,
    admin: Certificate,
}

impl Guarded {
    fn new(objects: &str) -> Self {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let server = SocketAddr::new(local, free_port(local));
        let authority = Authority::new();
        let named = |name: &str| authority.issue_for(name, &[format!("DNS:{name}")]);
        let [own, node, admin] = [NAME, "node.voice", "admin.voice"].map(named);
        let site = Site::new(objects);
        std::fs::copy(authority.ca(), site.path("ca.pem")).unwrap();
        let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
        let sections = format!(
            "config:\n  server: \"https://{server}\"\n  ca_file: ca.pem\n  cert_file: {}\n  \
               key_file: {}\n  server_name: {NAME}\n\
             config_server:\n  listen: \"{server}\"\n  seed: platform.yaml\n  \
               tls:\n    cert_file: {}\n    key_file: {}\n    ca_file: {}\n    \
                 client_auth: required\n    client_roles:\n      \
                   - {{ san: node.voice, role: reader }}\n      \
                   - {{ san: admin.voice, role: admin }}",
            node.cert.display(),
            node.key.display(),
            own.cert.display(),
            own.key.display(),
            authority.ca().display(),
        );
        let settings = settings.replace("config: { file: platform.yaml }", &sections);
        assert!(settings.contains(&sections), "{settings}");
        site.write("settings.yaml", &settings);
        Self { site, server, authority, node, admin }
    }

    fn start_server(&self) -> Process {
        self.site.start(&["config-server", "-c", "settings.yaml"])
    }

    /// A command that asks the server, and shows this certificate.
    fn command(&self, args: &[&str], ca: &Path, shown: Option<&Certificate>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringmaster"));
        command.current_dir(self.site.path(".")).args(args).arg("--ca-file").arg(ca);
        command.args(["--server", &format!("https://{}", self.server), "--server-name", NAME]);
        if let Some(shown) = shown {
            command.arg("--cert-file").arg(&shown.cert).arg("--key-file").arg(&shown.key);
        }
        command.output().unwrap()
    }
}

#[test]
fn everybody_reaches_a_config_server_that_asks_for_certificates() {
    let media = Media::start();
    let guarded = Guarded::new(&objects(&[&media], "{}"));
    let site = &guarded.site;
    assert_eq!(run(&site.path("."), &["check", "settings.yaml"]).0, 0);
    let _server = guarded.start_server();
    let probe = ["config-server", "-c", "settings.yaml", "--probe", "ready"];
    assert_eq!(run(&site.path("."), &probe), (0, String::new(), String::new()));
    let rs = site.start_rs();
    let _rm = site.start_rm();
    assert_eq!(guarded.site.revision(), Some(1));
    assert!(rs.line_with(" 31202 ").contains("server=https://127.0.0.1:"));
    healthy(site, 1);
    Plan::new(site.sip(), &NUMBER, 3).run();

    // the commands, by the role of what they show
    let ca = guarded.authority.ca();
    site.write("beta.yaml", "kind: Tenant\nname: beta\n");
    let apply = ["apply", "-f", "beta.yaml"];
    let (code, _, error) = told(guarded.command(&apply, &ca, Some(&guarded.node)));
    assert_eq!(code, 6, "a reader may not: {error}");
    let (code, out, error) = told(guarded.command(&apply, &ca, Some(&guarded.admin)));
    assert_eq!(code, 0, "{out}{error}");
    guarded.site.until_revision(2);
    let clients = || told(guarded.command(&["clients"], &ca, Some(&guarded.node))).1;
    let both = |table: &String| {
        ["rm-1", "rs-1"].iter().all(|name| {
            let row = table.lines().find(|line| line.starts_with(name));
            row.is_some_and(|row| {
                row.contains(" 127.0.0.1") && row.split_whitespace().any(|cell| cell == "2")
            })
        })
    };
    eventually("both tell that they have it", clients, both);
    let init = |shown: &Certificate| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringmaster"));
        command.current_dir(site.path(".")).args(["rs-init", "-c", "settings.yaml"]);
        command.env("RINGMASTER_CONFIG__CERT_FILE", &shown.cert);
        command.env("RINGMASTER_CONFIG__KEY_FILE", &shown.key);
        told(command.output().unwrap())
    };
    assert_eq!(init(&guarded.node).0, 6);
    let (code, out, error) = init(&guarded.admin);
    assert_eq!(code, 0, "{out}{error}");
    guarded.site.until_revision(3);

    // who cannot be trusted, and who does not trust
    let (code, _, error) = told(guarded.command(&["clients"], &ca, None));
    assert!(code == 6 && error.contains("it needs a certificate"), "{code}: {error}");
    let stranger = Authority::new();
    let (code, _, error) = told(guarded.command(&["clients"], &stranger.ca(), Some(&guarded.node)));
    assert!(code == 7 && error.contains("invalid peer certificate"), "{code}: {error}");
    let forged = stranger.issue_for("admin.voice", &["DNS:admin.voice".to_owned()]);
    let (code, _, error) = told(guarded.command(&apply, &ca, Some(&forged)));
    assert!(code == 7 && !error.is_empty(), "{code}: {error}");
}

/// An authority that is not the server's, and a certificate that is not of its own: what was kept
/// counts, and the log says why, until the files are right again.
#[test]
fn a_server_that_cannot_be_trusted_changes_nothing_and_is_told() {
    let media = Media::start();
    let guarded = Guarded::new(&objects(&[&media], "{}"));
    let site = &guarded.site;
    let _server = guarded.start_server();
    let rs = site.start_rs();
    let mut rm = site.start_rm();
    rm.signal("TERM");
    assert!(rm.wait(Duration::from_secs(60)).success());
    rs.line_with(" 31204 ");
    rs.kill();

    let stranger = Authority::new();
    std::fs::copy(stranger.ca(), site.path("ca.pem")).unwrap();
    let files = [&guarded.node.cert, &guarded.node.key];
    let good = files.map(|file| std::fs::read(file).unwrap());
    let forged = stranger.issue_for("node.voice", &["DNS:node.voice".to_owned()]);
    for (file, other) in files.into_iter().zip([&forged.cert, &forged.key]) {
        std::fs::copy(other, file).unwrap();
    }
    let rs = site.start_rs();
    let rm = site.start_rm();
    assert_eq!(http::json(site.rm_http(), "/v1/config")["from"], "cache");
    let ca = guarded.authority.ca();
    site.write("beta.yaml", "kind: Tenant\nname: beta\n");
    let apply = ["apply", "-f", "beta.yaml"];
    assert_eq!(told(guarded.command(&apply, &ca, Some(&guarded.admin))).0, 0);
    healthy(site, 1);
    Plan::new(site.sip(), &NUMBER, 3).run();
    for line in [rm.line_with(" 20601 "), rs.line_with(" 31201 ")] {
        let names = line.contains("server=https://127.0.0.1:");
        assert!(names && line.contains("invalid peer certificate"), "{line}");
    }
    assert_eq!(guarded.site.revision(), Some(1));

    // the files are read again with the next connection
    for (file, bytes) in files.into_iter().zip(good) {
        std::fs::write(file, bytes).unwrap();
    }
    std::fs::copy(ca, site.path("ca.pem")).unwrap();
    guarded.site.until_revision(2);
    rm.line_with(" 20602 ");
    rs.line_with(" 31202 ");
}
