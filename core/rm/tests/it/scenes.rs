//! Options, fields of objects, headers, states of resources and records as scripts of text:
//! testdata/{options,fields,headers,resources,records,alarms}.txt.
//!
//! A case is some lines; what each word means is said at the top of testdata/options.txt. The
//! platform is that of the other tables.

mod given;

use rm::{FrameKind, Input, NodeState};
use serde_json::Value;
use sip::transport::Transport;

use crate::platform::{self, invite_to};
use crate::world::{
    CALLER, Dialog, MCP1, MCP2, Sent, World, address, all, header, reply, settings,
};

/// Who is where, besides the callers of the other tables.
fn at(name: &str) -> &'static str {
    match name {
        "mcp-1" => MCP1,
        "mcp-2" => MCP2,
        "mcp-1b" => "10.0.7.7:5070",
        "ctic-1" => platform::CONNECTOR,
        "ctic-2" => "10.0.0.32:5080",
        "recorder" => "10.0.0.41:5060",
        "recorder-2" => "10.0.0.42:5060",
        "stranger" => "203.0.113.9:5060",
        caller => platform::caller(caller),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The value at `a.b.0` in a record.
fn field<'v>(record: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(record, |value, name| match name.parse::<usize>() {
        Ok(at) => &value[at],
        Err(_) => &value[name],
    })
}

fn two(rest: &str) -> (&str, &str) {
    let (first, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    (first, rest.trim())
}

/// Header lines, separated by ` | `.
fn lines(text: &str) -> Vec<(&str, &str)> {
    let lines = text.split(" | ").filter(|line| !line.is_empty());
    lines.map(|line| line.split_once(": ").expect("Name: value")).collect()
}

/// One case while it is played.
struct Scene {
    documents: Value,
    settings: rm::Settings,
    world: Option<World>,
    /// Records that were there before the latest call.
    before: usize,
    calls: usize,
    from: &'static str,
    request: String,
    /// The INVITE that went latest, and the one before it.
    asked: Option<Sent>,
    earlier: Option<Sent>,
    /// The latest call that was answered: both ends, and where the called one is.
    up: Option<(Dialog, Dialog, String)>,
    /// Where the latest INVITE went.
    went: Option<std::net::SocketAddr>,
    /// `X-Genesys-GVP-Session-ID` of the first call.
    session: String,
}

impl Scene {
    fn new() -> Self {
        Self {
            documents: platform::platform(),
            settings: settings(),
            world: None,
            before: 0,
            calls: 0,
            from: CALLER,
            request: String::new(),
            asked: None,
            earlier: None,
            up: None,
            went: None,
            session: String::new(),
        }
    }

    fn world(&mut self) -> &mut World {
        let Self { documents, settings, world, .. } = self;
        world.get_or_insert_with(|| World::with(documents, settings.clone()))
    }

    fn asked(&self) -> &Sent {
        self.asked.as_ref().expect("an INVITE went")
    }

    fn guid(&self) -> &str {
        self.session.split(';').next().unwrap()
    }

    /// What a run makes anew, by name.
    fn named(&self, text: &str) -> String {
        let text = match text.split_once("<sip:rm-").zip(text.split_once('@')) {
            Some(((head, _), (_, tail))) => format!("{head}<sip:rm-T@{tail}"),
            None => text.to_owned(),
        };
        if self.session.is_empty() { text } else { text.replace(self.guid(), "GUID") }
    }

    fn filled(&self, text: &str) -> String {
        let filled = text.replace("SESSION", &self.session).replace("GUID", self.guid());
        // of another number of our own branches, as if it had come through us
        filled.replace("OUR-VIA", "SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bK-rm0001")
    }

    fn line(&mut self, word: &str, rest: &str) {
        match word {
            "rm" => self.option(rest),
            "set" => self.set(rest),
            "add" => self.documents.as_array_mut().unwrap().push(read(rest)),
            "trust" => self.trust(rest),
            "start" => self.start(rest),
            "node" => {
                let (node, boot) = two(rest);
                self.settings.node_id = model::id::NodeId(node.parse().unwrap());
                self.settings.boot = model::id::BootEpoch(boot.parse().unwrap());
            }
            "disk" => self.world().disk = rest == "fast",
            "drops" => {
                let packets = rest.parse().unwrap();
                self.world().input(Input::KernelDrops { packets });
            }
            "unopened" => {
                let flow = self.asked().flow;
                self.world().input(Input::ConnectFailed { flow });
            }
            "restart" => self.restart(rest),
            "call" => self.call(rest),
            "wait" => {
                let time = model::units::duration(rest).unwrap();
                self.world().run(time);
                // what has just become true is seen with the next turn
                self.world().fire();
            }
            "dies" => self.world().alive.retain(|alive| *alive != address(at(rest))),
            "lives" => self.world().alive.push(address(at(rest))),
            "probes" => self.world().alive_code = rest.parse().unwrap(),
            "says" => self.says(rest),
            "late" => {
                let earlier = self.earlier.as_ref().expect("two INVITEs went");
                let (remote, text) = (earlier.flow.remote.to_string(), earlier.text.clone());
                let contact = format!("Contact: <sip:m@{remote}>\r\n");
                let answer = reply(&text, rest.parse().unwrap(), "late", &contact);
                self.world().udp(&remote, &answer);
            }
            "cancels" => {
                let text = self.request.replace("INVITE", "CANCEL");
                let from = self.from;
                self.world().udp(from, &text);
            }
            "bye" | "info" | "refer" => self.in_dialog(&word.to_uppercase(), rest),
            "reinvite" => self.in_dialog("INVITE", rest),
            _ if self.given(word, rest) => {}
            _ => self.outcome(word, rest),
        }
    }

    fn outcome(&mut self, word: &str, rest: &str) {
        match word {
            "goes" => self.goes(rest),
            "told" => self.told(rest),
            "tells" => self.has(&self.answer(), rest),
            "has" => self.has(&self.asked().text.clone(), rest),
            "lacks" => assert!(all(&self.asked().text, rest).is_empty(), "{}", self.asked().text),
            "state" => {
                let (name, state) = two(rest);
                let all = self.world().proxy.resources();
                let found = all.iter().find(|one| one.name == name).expect(name);
                assert_eq!(found.state, state);
            }
            "legs" => assert_eq!(self.world().proxy.status().legs.to_string(), rest),
            "record" => self.recorded("end", rest),
            "begun" => self.recorded("start", rest),
            "update" => self.recorded("update", rest),
            "event" => self.event(rest),
            "trace" => self.trace(rest),
            "frame" => self.frame(rest),
            "hears" => self.hears(rest),
            "guid" => assert_eq!(form(self.guid()), rest),
            "probe" => {
                let (name, value) = rest.split_once(": ").expect("Name: value");
                let probe = self.world().probe.clone();
                assert_eq!(nameless(header(&probe, name)), value, "{probe}");
            }
            "probed" => {
                let last = self.world().probed.last().expect("a probe").transport;
                assert_eq!(format!("{last:?}").to_lowercase(), rest);
            }
            "log" => self.log(rest),
            "alarm" => self.alarm(rest),
            _ => unreachable!("no such word"),
        }
    }

    fn option(&mut self, rest: &str) {
        let (name, value) = two(rest);
        let (section, name) = name.split_once('/').unwrap_or(("rm", name));
        let list = self.documents.as_array_mut().unwrap();
        if !list.iter().any(|one| one["kind"] == "Application") {
            list.push(serde_json::json!({"kind": "Application", "name": "rm-1",
                "spec": {"type": "resource-manager", "options": {}}}));
        }
        let own = list.iter_mut().find(|one| one["kind"] == "Application").unwrap();
        own["spec"]["options"][section][name] = read(value);
    }

    /// A field of an object or of a resource.
    fn set(&mut self, rest: &str) {
        let (object, rest) = two(rest);
        let (path, value) = two(rest);
        let objects = self.documents.as_array_mut().unwrap();
        let resources = |one: &Value| one["spec"]["resources"].as_array().cloned();
        let of = |name: &str, one: &Value| {
            resources(one)?.iter().position(|resource| resource["name"] == name)
        };
        let found =
            objects.iter().position(|one| one["name"] == object && one["kind"] != "DidGroup");
        let mut cell = if let Some(own) = found {
            &mut objects[own]["spec"]
        } else {
            let group = objects.iter().position(|one| of(object, one).is_some()).expect(object);
            let number = of(object, &objects[group]).unwrap();
            &mut objects[group]["spec"]["resources"][number]
        };
        for name in path.split('/') {
            cell = &mut cell[name];
        }
        *cell = read(value);
        if self.world.is_some() {
            let snapshot = crate::world::snapshot(&self.documents);
            self.world().input(Input::Snapshot(snapshot));
        }
    }

    /// A caller is a peer too, and trusted.
    fn trust(&mut self, name: &str) {
        let peer = rm::Peer {
            name: name.to_owned(),
            matches: vec![rm::Match::parse(at(name)).unwrap()],
            role: rm::Role::Gateway,
            ..self.settings.peers[0].clone()
        };
        self.settings.peers.push(peer);
    }

    /// The node is ready and has probed nobody yet.
    fn start(&mut self, rest: &str) {
        assert_eq!(rest, "cold");
        self.world = Some(World::cold(&self.documents, self.settings.clone()));
        self.world().input(Input::State(NodeState::Ready));
    }

    /// The node is killed and comes back with its spool, or with an empty one.
    fn restart(&mut self, rest: &str) {
        let old = self.world.take().unwrap();
        let open = old.records.iter().filter(|one| one.frame == FrameKind::Open);
        let blocks: Vec<&[u8]> = open.map(|one| one.block.as_slice()).collect();
        let mut own = self.settings.clone();
        (own.boot, own.seed) = (model::id::BootEpoch(2), [2; 4]);
        let mut world = World::cold(&self.documents, own);
        world.now = old.now;
        if rest != "blank" {
            assert!(world.proxy.restore(old.now, blocks.into_iter()).legs > 0);
        }
        world.ready();
        (self.world, self.before) = (Some(world), 0);
    }

    fn call(&mut self, rest: &str) {
        let (from, rest) = two(rest);
        let (uri, more) = rest.split_once(" | ").unwrap_or((rest, ""));
        self.from = at(from);
        self.calls += 1;
        let mut text = invite_to(uri.trim(), self.from, &format!("c{}", self.calls), "");
        for (name, value) in lines(more) {
            let line = format!("{name}: {}\r\n", self.filled(value));
            let own = text.find(&format!("\r\n{name}: ")).filter(|_| name != "Via");
            match own {
                Some(own) => {
                    let end = own + 2 + text[own + 2..].find("\r\n").unwrap() + 2;
                    text.replace_range(own + 2..end, &line);
                }
                None => text = text.replacen("Max-Forwards", &format!("{line}Max-Forwards"), 1),
            }
        }
        self.request.clone_from(&text);
        let from = self.from;
        let world = self.world();
        world.wire.clear();
        let before = world.records.len();
        world.udp(from, &text);
        (self.before, self.asked) = (before, None);
    }

    fn goes(&mut self, rest: &str) {
        // what is sent again for want of an answer is no other try
        let last = self.asked.as_ref().map(|sent| header(&sent.text, "Via").to_owned());
        let sent = loop {
            let sent = self.world().take_invite();
            match sent {
                Some(sent) if Some(header(&sent.text, "Via")) == last.as_deref() => {}
                other => break other,
            }
        };
        if rest == "nowhere" {
            assert!(sent.is_none(), "{sent:?}");
            return;
        }
        let sent = sent.expect("an INVITE goes");
        let (name, rest) = two(rest);
        let (transport, uri) = match two(rest) {
            ("tcp", uri) => (Transport::Tcp, uri),
            _ => (Transport::Udp, rest),
        };
        let before = self.went.replace(sent.flow.remote);
        match name {
            "anyone" => {}
            "same" => assert_eq!(Some(sent.flow.remote), before),
            "other" => assert_ne!(Some(sent.flow.remote), before),
            name => assert_eq!(sent.flow.remote, address(at(name))),
        }
        assert_eq!(sent.flow.transport, transport);
        if !uri.is_empty() {
            let first = sent.text.lines().next().unwrap();
            let found = self.named(first).replace("INVITE ", "").replace(" SIP/2.0", "");
            assert_eq!(found, uri);
        }
        if self.session.is_empty() {
            header(&sent.text, "X-Genesys-GVP-Session-ID").clone_into(&mut self.session);
        }
        self.earlier = self.asked.replace(sent);
    }

    fn says(&mut self, rest: &str) {
        let (code, more) = rest.split_once(" | ").unwrap_or((rest, ""));
        let code: u16 = code.trim().parse().unwrap();
        let (remote, asked) = (self.asked().flow.remote.to_string(), self.asked().text.clone());
        let mut extra: String =
            lines(more).iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let contact = format!("<sip:m@{remote}>");
        if (200..300).contains(&code) {
            extra += &format!("Contact: {contact}\r\n");
        }
        let tag = format!("t{}", self.calls);
        self.world().udp(&remote, &reply(&asked, code, &tag, &extra));
        if (200..300).contains(&code) {
            let mut caller = Dialog::of_caller(&self.answer());
            caller.contact = format!("<sip:{}>", self.from);
            let ack = caller.request("ACK", self.from, &format!("ack{}", self.calls));
            let from = self.from;
            self.world().udp(from, &ack);
            self.up = Some((caller, Dialog::of_callee(&asked, &tag, &contact), remote));
        }
    }

    /// The caller or the called side asks for something inside the dialog; what it is answered.
    fn in_dialog(&mut self, method: &str, rest: &str) {
        let (rest, more) = rest.split_once(" | ").unwrap_or((rest, ""));
        let (who, code) = two(rest);
        let caller = self.from;
        let (own, other, server) = self.up.as_mut().unwrap();
        let (dialog, from, to) = match who {
            "caller" => (own, caller, server.as_str()),
            "called" => (other, server.as_str(), caller),
            _ => unreachable!("{who}"),
        };
        let branch = format!("{method}{}", dialog.cseq);
        let more = if more.is_empty() { String::new() } else { format!("{more}\r\n") };
        // of a re-INVITE the answer has it
        let (asks, says) = if method == "INVITE" { ("", &*more) } else { (&*more, "") };
        let request = dialog.request(method, from, &branch);
        let request = request.replacen("Contact", &format!("{asks}Contact"), 1);
        let world = self.world.as_mut().unwrap();
        world.wire.clear();
        world.udp(from, &request);
        let passed = world.take(to);
        assert!(passed.starts_with(method), "{passed}");
        world.udp(to, &reply(&passed, code.parse().unwrap(), "", says));
    }

    /// The latest answer to the INVITE that its caller has.
    fn answer(&self) -> String {
        let sent = self.world.as_ref().unwrap().wire.iter().rev();
        let mut own = sent.filter(|sent| sent.flow.remote == address(self.from));
        let answer = own.find(|sent| {
            sent.text.starts_with("SIP/2.0 ")
                && !sent.text.starts_with("SIP/2.0 100 ")
                && header(&sent.text, "CSeq").ends_with("INVITE")
        });
        answer.map(|sent| sent.text.clone()).unwrap_or_default()
    }

    fn told(&self, rest: &str) {
        let answer = self.answer();
        if rest == "nothing" {
            assert_eq!(answer, "");
            return;
        }
        let (code, reason) = two(rest);
        assert_eq!(answer.split(' ').nth(1), Some(code), "{answer}");
        let warning =
            if reason.is_empty() { String::new() } else { format!("399 rm-1 \"{reason}\"") };
        assert_eq!(header(&answer, "Warning"), warning, "{answer}");
    }

    fn has(&self, message: &str, rest: &str) {
        let (name, value) = rest.split_once(": ").expect("Name: value");
        assert_eq!(self.named(header(message, name)), value, "{message}");
    }

    /// The latest record of this phase of the latest call.
    fn of_phase(&self, phase: &str) -> Option<&Value> {
        let own = self.world.as_ref()?.records.iter().skip(self.before);
        own.map(|one| &one.json).rfind(|one| one["phase"] == phase)
    }

    fn recorded(&self, phase: &str, rest: &str) {
        let record = self.of_phase(phase);
        if rest == "none" {
            assert!(record.is_none(), "{record:?}");
            return;
        }
        let record = record.expect("a record");
        let (path, value) = two(rest);
        let found = self.named(&text(field(record, path)));
        assert_eq!(found, value, "{record}");
    }

    fn event(&self, rest: &str) {
        let (id, text) = two(rest);
        let own = &self.world.as_ref().unwrap().records;
        let event = own.iter().rfind(|one| one.json["log_id"] == id);
        let event = &event.expect(id).json;
        assert_eq!(event["kind"], "call.event");
        assert_eq!(
            format!("{} {}", event["level"].as_str().unwrap(), event["text"].as_str().unwrap()),
            text
        );
    }

    /// How the latest record of this phase is kept.
    fn frame(&self, rest: &str) {
        let (phase, kind) = two(rest);
        let mut own = self.world.as_ref().unwrap().records.iter();
        let record = own.rfind(|one| one.json["phase"] == phase).expect(phase);
        assert_eq!(format!("{:?}", record.frame).to_lowercase(), kind);
    }

    /// The final answer to the latest request inside the dialog.
    fn hears(&self, rest: &str) {
        let (who, code) = two(rest);
        let (_, _, server) = self.up.as_ref().unwrap();
        let at = if who == "caller" { self.from } else { server };
        let sent = self.world.as_ref().unwrap().wire.iter();
        let own = sent.filter(|sent| sent.flow.remote == address(at));
        let answer = own.map(|sent| &sent.text).find(|text| text.starts_with("SIP/2.0 "));
        let heard = answer.map_or("nothing", |text| text.split(' ').nth(1).unwrap());
        assert_eq!(heard, code);
    }

    /// The latest line with this number, and the alarm that it names; `none`: there is no line.
    fn log(&self, rest: &str) {
        let (id, alarm) = two(rest);
        let id: u16 = id.parse().unwrap();
        let told = self.world.as_ref().unwrap().told_alarms(id);
        let latest = told.last().map_or("none", |alarm| *alarm);
        assert_eq!(latest, alarm, "{id}");
    }

    /// The alarms that are raised: name, what it is about, log id.
    fn alarm(&mut self, rest: &str) {
        let told = crate::alarm_list::list(self.world());
        let told = told.iter().map(|one| {
            let rm::Alarm { name, kind, object, log_id, .. } = one;
            format!("{name} {kind} {object} {log_id}")
        });
        let told: Vec<String> = told.collect();
        let expected: Vec<&str> = if rest == "none" { Vec::new() } else { vec![rest] };
        assert_eq!(told, expected);
    }

    /// A step of the trace of the latest call: candidate, verdict, reason.
    fn trace(&self, rest: &str) {
        let record = self.of_phase("start").or_else(|| self.of_phase("end")).expect("a record");
        let steps = record["trace"].as_array().expect("a trace");
        let step = |one: &Value| {
            let [candidate, verdict, reason] =
                ["candidate", "verdict", "reason"].map(|name| text(&one[name]));
            format!("{candidate} {verdict}: {reason}")
        };
        let found: Vec<String> = steps.iter().map(step).collect();
        assert!(found.iter().any(|one| one == rest), "{found:#?}");
    }
}

/// An identifier by its form: H for a hexadecimal digit; but the version, and Y for the variant.
fn form(guid: &str) -> String {
    let one = |(at, letter): (usize, char)| match (at, letter) {
        (14, '0'..='9') => letter,
        (19, '8' | '9' | 'A' | 'B') => 'Y',
        (_, '0'..='9' | 'A'..='F') => 'H',
        _ => letter,
    };
    guid.chars().enumerate().map(one).collect()
}

/// A header of a request of RM's own, with what each start makes anew by name.
fn nameless(value: &str) -> String {
    let value = match value.split_once(";tag=") {
        Some((before, _)) => format!("{before};tag=TAG"),
        None => value.to_owned(),
    };
    let id = value.get(..36).filter(|id| form(id) == "HHHHHHHH-HHHH-7HHH-YHHH-HHHHHHHHHHHH");
    id.map_or(value.clone(), |id| value.replacen(id, "GUID", 1))
}

/// JSON, or text as it stands.
fn read(value: &str) -> Value {
    serde_json::from_str(value).unwrap_or_else(|_| value.into())
}

/// Plays the cases of a table, of which there are at least so many.
fn play(table: &str, least: usize) {
    let mut wrong = Vec::new();
    let (mut cases, mut case) = (0, "");
    let mut scene = None;
    for (number, line) in (1..).zip(table.lines()) {
        let (word, rest) = two(line.trim());
        if word.is_empty() || word.starts_with('#') {
            continue;
        }
        if word == "case" {
            (scene, case) = (Some(Scene::new()), rest);
            cases += 1;
            continue;
        }
        // the lines of a case that has gone wrong are passed over
        let Some(own) = scene.as_mut() else { continue };
        let told = std::panic::AssertUnwindSafe(|| own.line(word, rest));
        if std::panic::catch_unwind(told).is_err() {
            wrong.push(format!("line {number} of the case \"{case}\": {line}"));
            scene = None;
        }
    }
    assert!(cases >= least, "{cases} of {least} cases");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn options() {
    play(include_str!("testdata/options.txt"), 70);
}

#[test]
fn fields() {
    play(include_str!("testdata/fields.txt"), 50);
}

#[test]
fn headers() {
    play(include_str!("testdata/headers.txt"), 25);
}

#[test]
fn states_of_resources() {
    play(include_str!("testdata/resources.txt"), 29);
}

#[test]
fn records() {
    play(include_str!("testdata/records.txt"), 46);
}

#[test]
fn alarms() {
    play(include_str!("testdata/alarms.txt"), 25);
}
