//! The commands of docs/operate/two-tenants.md, run as they stand, with ports from the OS.
//!
//! What a reader types stays as it is, but for RM's address in a call; all other addresses come in
//! by the environment.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Command;

use crate::center::told;
use crate::platform::{MEDIA, Process, eventually, free_port};

const PAGE: &str = include_str!("../../../docs/operate/two-tenants.md");
const SAMPLE: &str = "deploy/samples/two-tenants.yaml";

/// The commands of the page, in order.
fn commands() -> Vec<&'static str> {
    let blocks = PAGE.split("```sh\n").skip(1);
    blocks.flat_map(|block| block.split("```").next().unwrap().lines()).collect()
}

/// A reader's machine: the sample at media servers of this run, and ports that are free.
struct Reader {
    dir: tempfile::TempDir,
    sip: u16,
    media: u16,
    environment: Vec<(&'static str, String)>,
}

impl Reader {
    fn new() -> Self {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let [sip, monitor, rm, broker, rs, config] = [(); 6].map(|()| free_port(local));
        let dir = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let media = two_free_ports();
        let objects = std::fs::read_to_string(root.join(SAMPLE)).unwrap();
        let objects = objects
            .replace("127.0.0.3:5070", &format!("{MEDIA}:{media}"))
            .replace("127.0.0.3:5071", &format!("{MEDIA}:{}", media + 1));
        std::fs::create_dir_all(dir.path().join("deploy/samples")).unwrap();
        std::fs::write(dir.path().join(SAMPLE), objects).unwrap();
        let sip_at = format!("[\"udp:127.0.0.1:{sip}\", \"tcp:127.0.0.1:{sip}\"]");
        let environment = vec![
            ("RINGMASTER_CONFIG_SERVER__LISTEN", format!("127.0.0.1:{config}")),
            ("RINGMASTER_CONFIG__SERVER", format!("http://127.0.0.1:{config}")),
            ("RINGMASTER_SERVER", format!("http://127.0.0.1:{config}")),
            ("RINGMASTER_RM__SIP__LISTEN", sip_at),
            ("RINGMASTER_RM__MONITOR__LISTEN", format!("udp:127.0.0.1:{monitor}")),
            ("RINGMASTER_RM__HTTP", format!("127.0.0.1:{rm}")),
            ("RINGMASTER_RM__REPORTING__BROKER", format!("tcp://127.0.0.1:{broker}")),
            ("RINGMASTER_RS__BROKER", format!("127.0.0.1:{broker}")),
            ("RINGMASTER_RS__HTTP", format!("127.0.0.1:{rs}")),
            ("RM", format!("http://127.0.0.1:{rm}")),
        ];
        Self { dir, sip, media, environment }
    }

    fn command(&self, line: &str) -> Command {
        let line = line.replace("127.0.0.1:5060", &format!("127.0.0.1:{}", self.sip));
        // the only quoted text of the page is a message
        let (line, quoted) = match line.split_once(" \"") {
            Some((before, rest)) => {
                let (quoted, after) = rest.split_once('"').unwrap();
                (format!("{before}{after}"), Some(quoted.to_owned()))
            }
            None => (line, None),
        };
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        if let Some(quoted) = quoted {
            let at = words.iter().position(|word| word == "--message").unwrap();
            words.insert(at + 1, quoted);
        }
        let program = match words.remove(0).as_str() {
            "ringmaster" => env!("CARGO_BIN_EXE_ringmaster").to_owned(),
            other => other.to_owned(),
        };
        let rm = &self.environment.last().unwrap().1;
        match words.first().map(String::as_str) {
            Some("explain" | "resources") => words.extend(["--rm".to_owned(), rm.clone()]),
            Some("simulate") => words.extend(["--media-port".to_owned(), self.media.to_string()]),
            _ => {}
        }
        let mut command = Command::new(program);
        let variables = self.environment.iter().map(|(name, value)| (*name, value));
        command.current_dir(self.dir.path()).args(words).envs(variables);
        command
    }

    fn start(&self, line: &str) -> Process {
        let process = Process::of(self.command(line));
        process.wait_for("ready");
        process
    }

    fn run(&self, line: &str) -> (i32, String, String) {
        told(self.command(line).output().unwrap())
    }

    fn ok(&self, line: &str) -> String {
        let (code, out, err) = self.run(line);
        assert_eq!(code, 0, "{line}: {out}{err}");
        out
    }
}

fn two_free_ports() -> u16 {
    loop {
        let port = free_port(MEDIA);
        if port < u16::MAX && std::net::UdpSocket::bind((MEDIA, port + 1)).is_ok() {
            return port;
        }
    }
}

#[test]
fn two_tenants_stand_as_the_page_says() {
    let commands = commands();
    let [
        server,
        rs,
        rm,
        dry,
        apply,
        tenants,
        profiles,
        clients,
        explain,
        simulate,
        resources,
        explain_again,
        call,
        diff,
        change,
        history,
        rollback,
    ] = commands[..]
    else {
        panic!("the page has other commands than this test runs: {commands:#?}");
    };
    let reader = Reader::new();
    let _server = reader.start(server);
    let _rs = reader.start(rs);
    // RM is ready when it has a configuration, which an empty server has too
    let _rm = reader.start(rm);
    assert!(reader.ok(dry).contains("+ Tenant green"));
    assert!(reader.ok(apply).contains("revision 1"));
    assert!(reader.ok(tenants).contains("blue"));
    let listed = reader.ok(profiles);
    assert!(listed.contains("blue-main") && !listed.contains("green-main"), "{listed}");
    assert!(reader.ok(clients).contains("rm-1"));
    let (code, out, _) =
        eventually("dead media servers", || reader.run(explain), |(code, ..)| *code == 1);
    assert!(code == 1 && out.contains("green"), "{out}");

    let _media = reader.start(simulate);
    let healthy = || reader.ok(resources).matches(" healthy ").count();
    eventually("two healthy media servers", healthy, |count| *count == 2);
    let why = reader.ok(explain_again);
    assert!(why.contains("green-main") && why.contains("mcp-"), "{why}");
    let sipp = reader.command(call).output().unwrap();
    let (code, out, err) = told(sipp);
    assert_eq!(code, 0, "{out}{err}");

    let file = reader.dir.path().join(SAMPLE);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("usage_limit: 50", "usage_limit: 0")).unwrap();
    let (code, out, _) = reader.run(diff);
    assert!(code == 1 && out.contains("spec.policy.usage_limit: 50 -> 0"), "{out}");
    assert!(reader.ok(change).contains("revision 2"));
    let refused = explain_again.replace("18005550300", "18005550100");
    let (code, out, _) = reader.run(&refused);
    assert!(code == 1 && out.contains("blue"), "the next call meets the new limit: {out}");
    assert!(reader.ok(history).contains("first customers"));
    assert!(reader.ok(rollback).contains("dry run"));
}
