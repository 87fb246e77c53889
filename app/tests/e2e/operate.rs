//! The commands of docs/operate/calls.md, as they stand, while calls are up, and of node.md.

use crate::calls::healthy;
use crate::platform::{self, Site, eventually};
use crate::player::Play;
use crate::sipp::Via;

const PAGE: &str = include_str!("../../../docs/operate/calls.md");
const OBJECTS: &str = include_str!("../../../deploy/samples/platform.yaml");

/// The words of a command, as a shell takes them apart.
fn words(command: &str) -> Vec<String> {
    let parts = command.split('\'').enumerate();
    let words = parts.flat_map(|(at, part)| match at % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect::<Vec<_>>(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

#[test]
fn the_page_of_calls_works_as_it_is_written() {
    let script = "< INVITE; > 180; > 200; < ACK; < BYE; > 200";
    let server = Play::new("operate", script, Via::Udp).answer();
    let idle = Play::new("idle", script, Via::Udp).answer();
    let objects = OBJECTS
        .replace("127.0.0.3:5070", &server.address.to_string())
        .replace("127.0.0.3:5071", &idle.address.to_string())
        .replace("scheme: round-robin", "scheme: round-robin\n  monitor: { method: none }");
    let site = Site::new(&objects);
    let _rs = site.start_rs();
    let _rm = site.start_rm();
    healthy(&site, 2);
    let rm = site.rm_http().to_string();
    let run = |command: &str, guid: &str| {
        let command = command.strip_prefix("ringmaster ").unwrap().replace("GUID", guid);
        let mut args = words(&command);
        args.extend(["--rm".to_owned(), rm.clone()]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let (code, out, errors) = platform::run(&site.path("."), &args);
        assert!(errors.is_empty(), "{command}: {errors}");
        (code, out)
    };
    let script = "> INVITE; < 180; < 200; > ACK; < BYE; > 200";
    let caller = Play::new("operate", script, Via::Udp).call(site.sip(), "18005550100");
    let up = || run("ringmaster calls --state up --older-than 1s -o name", "").1;
    let guid = eventually("a call is up for a second", up, |text| text.lines().count() == 1);
    let guid = guid.trim();

    let blocks = PAGE.split("```sh\n").skip(1);
    let commands = blocks.flat_map(|block| block.split("```").next().unwrap().lines());
    let mut ran = 0;
    for command in commands {
        let (code, out) = run(command, guid);
        let (expected, part) = match command {
            "ringmaster explain sip:4711@127.0.0.1" => (1, "refused 404 no-profile: 4711"),
            _ if command.contains("--assume") => (1, "refused 480 resource-full: mcp"),
            _ if command.contains("explain") => (0, "forward to mcp/mcp-2, sip:"),
            _ if command.ends_with("--end") => (0, ": 1 leg ended"),
            _ if command.contains(" limits --used 80") => (0, "KIND"),
            _ if command.contains(" limits") => (0, "usage_limit  1     100    120     150     1%"),
            _ if command.contains(" drain ") => (0, " draining  draining "),
            _ if command.ends_with(" resources") => (0, " draining  draining "),
            _ if command.ends_with(" mcp-1") => (0, " enabled "),
            _ => (0, guid),
        };
        assert_eq!(code, expected, "{command}: {out}");
        assert!(out.contains(part), "{command}: {out}");
        ran += 1;
    }
    assert_eq!(ran, 17, "the page has other commands than this test knows");
    caller.finish();
    server.finish();
}

const NODE: &str = include_str!("../../../docs/operate/node.md");

#[test]
fn the_page_of_the_node_works_as_it_is_written() {
    let idle = Play::new("idle", "< INVITE; > 200", Via::Udp).answer();
    let objects = OBJECTS
        .replace("127.0.0.3:5070", &idle.address.to_string())
        .replace("scheme: round-robin", "scheme: round-robin\n  monitor: { method: none }");
    let site = Site::new(&objects);
    let _rs = site.start_rs();
    let rm_process = site.start(&["rm", "-c", "settings.yaml"]);
    let rm = site.rm_http().to_string();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let run = |command: &str| {
        let mut args = words(command.strip_prefix("ringmaster ").unwrap());
        if !command.contains(" check ") {
            args.extend(["--rm".to_owned(), rm.clone()]);
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let (code, out, errors) = platform::run(root, &args);
        (code, out + &errors)
    };
    // something is wrong, so that there is an alarm
    Play::new("nowhere", "> INVITE; < 404; > ACK", Via::Udp).call(site.sip(), "4711").finish();
    let blocks = NODE.split("```sh\n").skip(1);
    let mut ran = 0;
    for command in blocks.flat_map(|block| block.split("```").next().unwrap().lines()) {
        let (code, out) = run(command);
        let part = match command {
            "ringmaster alarms" => "RMMatchingIVRTenantNotFound  node  rm-1 ",
            "ringmaster log" => "LEVEL\ninfo\n",
            "ringmaster log info" => "LEVEL\ninfo\n",
            _ if command.contains("--tenant acme") => "  tenant acme\n",
            _ if command.contains("--peer") => "  peer 127.0.0.1\n",
            "ringmaster reload" => "revision 1 of ",
            "ringmaster drain rm-1" => "rm-1: drained, 0 legs up\n",
            "ringmaster enable rm-1" => "rm-1: takes calls, 0 legs up\n",
            _ => "",
        };
        assert_eq!(code, 0, "{command}: {out}");
        assert!(out.contains(part), "{command}: {out}");
        ran += 1;
    }
    assert_eq!(ran, 9, "the page has other commands than this test knows");
    assert!(rm_process.line_with(" 10801 ").contains("action=log"));

    // What is not valid is told as `check` tells it, and changes nothing.
    site.write("platform.yaml", &objects.replace("usage_limit: 100", "usage_limit: many"));
    let (code, out) = run("ringmaster reload");
    assert_eq!(code, 3, "{out}");
    assert!(out.contains("422: 1 error; what was in force stays"), "{out}");
    assert!(out.contains("platform.yaml:6:26: E102: \"policy.usage_limit\" must be a "), "{out}");
    assert!(out.contains(" (Tenant \"acme\")"), "{out}");
    let (_, out) = run("ringmaster alarms");
    let expected = ["RMConfigRejected", "node", "rm-1"];
    assert!(out.lines().any(|line| line.split_whitespace().take(3).eq(expected)), "{out}");
    assert!(rm_process.line_with(" 20603 ").contains("alarm=RMConfigRejected"));
    for (args, code, text) in [
        ("ringmaster log loud", 2, "level: expected critical, error, "),
        ("ringmaster log debug --for 25h", 2, "for: expected more than 0s and at most 24h"),
        ("ringmaster log --for 10m", 2, "LEVEL"),
        ("ringmaster log debug --tenant ''", 2, "match: tenant: expected 1 to 256 bytes"),
        ("ringmaster disable rm-1", 2, "disable is for media servers"),
        ("ringmaster drain rm-1 --deadline 1h", 2, "without a deadline"),
        ("ringmaster drain rm-2", 4, "rm-2: no media server of this name, and not the node"),
    ] {
        let (found, out) = run(args);
        assert_eq!(found, code, "{args}: {out}");
        assert!(out.contains(text), "{args}: {out}");
    }
}
