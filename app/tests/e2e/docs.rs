//! The commands of docs/operate/first-steps.md, run as they stand, with ports from the OS.
//!
//! What a reader types stays as it is; addresses come in by the environment, which overrides the
//! sample settings, and by flags behind the ones shown.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::http;
use crate::platform::{MEDIA, Process, eventually, free_port};
use crate::report;

const PAGE: &str = include_str!("../../../docs/operate/first-steps.md");

/// The commands of the page, in order.
fn commands() -> Vec<&'static str> {
    let blocks = PAGE.split("```sh\n").skip(1);
    blocks.flat_map(|block| block.split("```").next().unwrap().lines()).collect()
}

/// A reader's machine: the repository, a data directory, and ports that are free.
struct Reader {
    root: PathBuf,
    dir: tempfile::TempDir,
    sip: u16,
    rm_http: u16,
    rs_http: u16,
    environment: Vec<(&'static str, String)>,
}

impl Reader {
    fn new() -> Self {
        let local = std::net::IpAddr::from([127, 0, 0, 1]);
        let dir = tempfile::tempdir().unwrap();
        let [sip, monitor, rm_http, broker, rs_http] = [(); 5].map(|()| free_port(local));
        // The sample's media servers, at addresses of this run.
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf();
        let objects = std::fs::read_to_string(sample.join("deploy/samples/platform.yaml")).unwrap();
        let first = two_free_ports();
        let objects = objects
            .replace("127.0.0.3:5070", &format!("{MEDIA}:{first}"))
            .replace("127.0.0.3:5071", &format!("{MEDIA}:{}", first + 1));
        let file = dir.path().join("platform.yaml");
        std::fs::write(&file, objects).unwrap();
        let environment = vec![
            ("RINGMASTER_DATA_DIR", dir.path().join("data").display().to_string()),
            ("RINGMASTER_CONFIG__FILE", file.display().to_string()),
            ("RINGMASTER_RM__SIP__LISTEN", format!("[\"udp:127.0.0.1:{sip}\"]")),
            ("RINGMASTER_RM__MONITOR__LISTEN", format!("udp:127.0.0.1:{monitor}")),
            ("RINGMASTER_RM__HTTP", format!("127.0.0.1:{rm_http}")),
            ("RINGMASTER_RM__REPORTING__BROKER", format!("tcp://127.0.0.1:{broker}")),
            ("RINGMASTER_RS__BROKER", format!("127.0.0.1:{broker}")),
            ("RINGMASTER_RS__HTTP", format!("127.0.0.1:{rs_http}")),
            ("MEDIA_PORT", first.to_string()),
        ];
        Self { root: sample, dir, sip, rm_http, rs_http, environment }
    }

    /// The words behind `ringmaster`, with this run's addresses.
    fn args(&self, command: &str) -> Vec<String> {
        let mut words: Vec<String> = command.split(' ').skip(1).map(str::to_owned).collect();
        let mut add = |flag: &str, value: String| words.extend([flag.to_owned(), value]);
        match command.split(' ').nth(1) {
            Some("simulate") if command.contains("--media") => {
                add("--media-port", self.environment.last().unwrap().1.clone());
            }
            Some("simulate") => add("--to", format!("127.0.0.1:{}", self.sip)),
            Some("calls" | "resources") => {
                add("--rm", format!("http://127.0.0.1:{}", self.rm_http))
            }
            _ => {}
        }
        words
    }

    fn command(&self, command: &str) -> Command {
        let mut process = Command::new(env!("CARGO_BIN_EXE_ringmaster"));
        process
            .current_dir(&self.root)
            .args(self.args(command))
            .envs(self.environment.iter().map(|(name, value)| (*name, value)));
        process
    }

    fn start(&self, command: &str) -> Process {
        let process = Process::of(self.command(command));
        process.wait_for("ready");
        process
    }

    fn run(&self, command: &str) -> String {
        let output = self.command(command).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {:?}: {errors}", output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
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
fn the_first_steps_work_as_they_are_written() {
    let commands = commands();
    let [check, rs, rm, media, probe, resources, callers, calls, xml, json] = commands[..] else {
        panic!("the page has other commands than this test runs: {commands:#?}");
    };
    let reader = Reader::new();
    assert_eq!(reader.run(check), "");
    let _rs = reader.start(rs);
    let _rm = reader.start(rm);
    let _media = reader.start(media);
    reader.run(probe);
    let listed = || reader.run(resources).matches(" healthy ").count();
    eventually("two healthy media servers", listed, |count| *count == 2);
    let mut talking = Process::of(reader.command(callers));
    eventually("calls up", || reader.run(calls).lines().count(), |lines| *lines > 1);
    let status = talking.wait(std::time::Duration::from_secs(90));
    assert!(status.success(), "{}", talking.output());
    let last = talking.output();
    let last = last.lines().last().unwrap().to_owned();
    assert!(last.starts_with("placed 50  answered 50  refused 0  lost 0  ended 50"), "{last}");

    let rs_http = std::net::SocketAddr::from(([127, 0, 0, 1], reader.rs_http));
    let rm_http = std::net::SocketAddr::from(([127, 0, 0, 1], reader.rm_http));
    report::exactly(rm_http, rs_http, 50);
    for (command, kind) in [(xml, "<cdrs type=\"RM\">"), (json, "\"items\":[")] {
        let path = command.strip_prefix("curl http://127.0.0.1:8080").unwrap();
        let answer = http::get(rs_http, path).unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains(kind), "{command}: {}", answer.body);
    }
    assert!(reader.dir.path().join("data").is_dir());
}
