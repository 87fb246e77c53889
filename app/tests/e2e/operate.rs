//! The commands of docs/operate/calls.md, as they stand, while calls are up.

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
