//! Words of the cases for what is accepted, and for what stands outside the configuration: the
//! name service, a head that is no text.

use std::time::Duration;

use model::id::Revision;
use model::snapshot::Snapshot;
use rm::Input;
use serde_json::Value;
use sip::transport::{Flow, Transport};

use super::{Scene, at, lines, two};
use crate::platform::{self, invite_to};
use crate::world::{address, documents};
use crate::{discovery, names};

/// Until what the name service has said is known.
const MOMENT: Duration = Duration::from_millis(10);

impl Scene {
    /// One of these words, if it is one; false: it is another's.
    pub(super) fn given(&mut self, word: &str, rest: &str) -> bool {
        match word {
            "check" => self.check(rest),
            "daemon" => self.daemon(rest),
            "hosts" => self.hosts(rest),
            "members" => self.members(rest),
            "binary" => self.binary(rest),
            _ => return false,
        }
        true
    }

    /// The beginning of the one thing that the check says of what the case has added.
    fn check(&self, rest: &str) {
        let (own, before) = (said(&self.documents), said(&platform::platform()));
        let told: Vec<&String> = own.iter().filter(|one| !before.contains(one)).collect();
        let fits = match &told[..] {
            [] => rest == "none",
            [one] => one.starts_with(rest),
            _ => false,
        };
        assert!(fits, "{told:?}");
    }

    /// An option that is the daemon's to carry out, as it is told it.
    fn daemon(&mut self, rest: &str) {
        let (name, value) = two(rest);
        let snapshot = crate::world::snapshot(&self.documents);
        let verbose = snapshot.application("rm-1").and_then(|own| own.options.verbose);
        let found = match name {
            "maxtcpconnections" => self.world().proxy.max_connections().to_string(),
            "verbose" => verbose.map_or("-".to_owned(), |one| format!("{one:?}").to_lowercase()),
            _ => unreachable!("{name}"),
        };
        assert_eq!(found, value);
    }

    /// The name service says that this name has these addresses, the first one before the others.
    fn hosts(&mut self, rest: &str) {
        let (name, all) = two(rest);
        let all: Vec<&str> = all.split_whitespace().map(at).collect();
        let world = self.world();
        names::resolve(world, &format!("sip:{name}"), &all, 60);
        world.run(MOMENT);
    }

    /// The name service says that these stand behind this name.
    fn members(&mut self, rest: &str) {
        let (name, all) = two(rest);
        let all: Vec<&str> = all.split_whitespace().map(at).collect();
        let world = self.world();
        discovery::tell_addresses(world, name, &all);
        world.run(MOMENT);
    }

    /// A call whose one header ends with a byte that is no text.
    fn binary(&mut self, rest: &str) {
        let (from, rest) = two(rest);
        let (uri, more) = rest.split_once(" | ").expect("a header");
        let (name, value) = lines(more)[0];
        self.from = at(from);
        let line = format!("{name}: {value}#\r\n");
        let mut bytes = invite_to(uri.trim(), self.from, "binary", &line).into_bytes();
        let mark = bytes.windows(3).position(|three| three == b"#\r\n").unwrap();
        bytes[mark] = 0xE9;
        let remote = address(self.from);
        let flow = Flow { transport: Transport::Udp, listener: 0, remote, conn: None };
        let world = self.world();
        let packet = Input::Packet { flow, bytes: &bytes, age: Duration::ZERO };
        world.proxy.handle_input(world.now, packet);
        // what passes is not looked at: the wire of these tests is text
        if world.proxy.status().legs == 0 {
            world.fire();
        }
    }
}

/// All problems, or all warnings.
fn said(objects: &Value) -> Vec<String> {
    let told = match Snapshot::build(&documents(objects), Revision(1)) {
        Ok((_, warnings)) => warnings,
        Err(problems) => problems,
    };
    // all objects stand at the same place
    told.iter().map(|one| one.to_string().replacen("1:1: ", "", 1)).collect()
}
