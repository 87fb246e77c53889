//! The platform on which the scenarios of rm.md §14 play side by side: one Resource Manager, one
//! Reporting Server, and a tenant for each scenario that fills or breaks something.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use serde_json::Value;

use crate::platform::{self, Process, Site, eventually};
use crate::player::{Play, is_bound};
use crate::sipp::{Media, Via};
use crate::wire::Message;
use crate::{http, report};

/// A caller whose call is answered.
pub(crate) const ANSWERED: &str = "> INVITE; < 180; < 200; > ACK; > BYE; < 200";

/// A running platform.
pub(crate) struct Stage {
    running: Mutex<Running>,
    /// Of the media servers and gateways, by name.
    addresses: BTreeMap<String, SocketAddr>,
    /// The media server of tenant acme, which answers all that comes.
    pub(crate) media: Media,
    pub(crate) sip: SocketAddr,
    pub(crate) rm_http: SocketAddr,
    pub(crate) rs_http: SocketAddr,
}

/// In the order in which they end.
struct Running {
    rm: Process,
    _rs: Process,
    site: Site,
}

/// The platform that is up, or a new one; it ends with the last scenario that holds it.
pub(crate) fn stage() -> Arc<Stage> {
    static STAGE: Mutex<Weak<Stage>> = Mutex::new(Weak::new());
    let mut up = STAGE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(stage) = up.upgrade() {
        return stage;
    }
    let stage = Arc::new(Stage::start());
    *up = Arc::downgrade(&stage);
    stage
}

/// The objects, with an address for each `HERE`.
fn placed(text: &str) -> (String, BTreeMap<String, SocketAddr>) {
    let mut addresses = BTreeMap::new();
    let mut place = |line: &str| {
        let Some((before, after)) = line.split_once("HERE") else { return line.to_owned() };
        let name = before.rsplit_once("name: ").unwrap().1.split(',').next().unwrap();
        let address = Play::reserve();
        assert_eq!(addresses.insert(name.to_owned(), address), None, "{name}");
        format!("{before}{address}{after}")
    };
    let lines: Vec<String> = text.lines().map(&mut place).collect();
    (lines.join("\n"), addresses)
}

/// A media server that is there.
fn listening(address: SocketAddr) -> Media {
    let media = Media::start_at(address);
    eventually("a media server listens", || is_bound(address, Via::Udp), |up| *up);
    media
}

impl Stage {
    fn start() -> Self {
        let (objects, addresses) = placed(include_str!("scenarios/platform.yaml"));
        let media = listening(addresses["acme-1"]);
        let site = Site::new(&objects);
        let (rs, rm) = (site.start_rs(), site.start_rm());
        let (sip, rm_http, rs_http) = (site.sip(), site.rm_http(), site.rs_http());
        let running = Mutex::new(Running { rm, _rs: rs, site });
        Self { running, addresses, media, sip, rm_http, rs_http }
    }

    /// What a failed scenario has left is as good for the others as before.
    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the server of this name is, or is to be.
    pub(crate) fn at(&self, name: &str) -> SocketAddr {
        self.addresses[name]
    }

    /// The server of this name, answering all that comes.
    pub(crate) fn serve(&self, name: &str) -> Media {
        listening(self.at(name))
    }

    /// The state of each server of a group.
    pub(crate) fn states(&self, group: &str) -> Vec<String> {
        let all = http::json(self.rm_http, &format!("/v1/resources?group={group}"));
        let all = all["resources"].as_array().unwrap().iter();
        all.map(|one| one["state"].as_str().unwrap().to_owned()).collect()
    }

    /// The alarms that stand, as `NAME OBJECT`.
    pub(crate) fn alarms(&self) -> Vec<String> {
        let list = http::json(self.rm_http, "/v1/alarms");
        let all = list["alarms"].as_array().unwrap().iter();
        let word = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
        all.map(|one| format!("{} {}", word(one, "name"), word(one, "object"))).collect()
    }

    /// Calls a number as `name`, whose Call-ID is [`call_id`], until the call has ended: what the
    /// caller has sent and got.
    pub(crate) fn call(&self, name: &str, script: &str, number: &str) -> Vec<Message> {
        self.play(&Play::new(name, script, Via::Udp), number)
    }

    /// The same of a caller that says more.
    pub(crate) fn play(&self, caller: &Play<'_>, number: &str) -> Vec<Message> {
        caller.call(self.sip, number).played()
    }

    /// What the report knows of the call of this name.
    pub(crate) fn leg(&self, name: &str) -> Value {
        report::leg(self.rs_http, &call_id(name))
    }

    /// The INVITE that the media server of acme got for the call of this name.
    pub(crate) fn invite(&self, name: &str) -> Message {
        let mut got = self.media.messages(&call_id(name));
        got.retain(|one| !one.sent && one.is("INVITE "));
        assert_eq!(got.len(), 1, "one INVITE: {got:#?}");
        got.remove(0)
    }

    /// The lines of RM's log with this id that hold `part`, when there is one.
    pub(crate) fn logged(&self, id: u32, part: &str) -> Vec<String> {
        let id = format!(" {id} ");
        let lines = || -> Vec<String> {
            let all = self.running().rm.output();
            let meant = |line: &&str| line.contains(&id) && line.contains(part);
            all.lines().filter(meant).map(str::to_owned).collect()
        };
        eventually(&format!("{id}with {part}"), lines, |lines| !lines.is_empty())
    }

    /// Exit code and output of a command that asks this Resource Manager.
    pub(crate) fn command(&self, args: &[&str]) -> (i32, String) {
        let rm = self.rm_http.to_string();
        let dir = self.running().site.path(".");
        let (code, out, errors) = platform::run(&dir, &[args, &["--rm", &rm]].concat());
        (code, out + &errors)
    }

    /// How many sessions of this tenant are up.
    pub(crate) fn sessions(&self, tenant: &str) -> u64 {
        let limits = http::json(self.rm_http, &format!("/v1/limits?tenant={tenant}"));
        let all = limits["limits"].as_array().unwrap().iter();
        let mut own = all.filter(|one| one["kind"] == "tenant" && one["rule"] == "usage_limit");
        own.next().unwrap_or_else(|| panic!("{limits:#}"))["used"].as_u64().unwrap()
    }
}

/// The Call-ID of the first call of a player of this name.
pub(crate) fn call_id(name: &str) -> String {
    format!("{name}-1@127.0.0.2")
}

/// The steps of a stage in the trace of a leg, as `VERDICT CANDIDATE: REASON`.
pub(crate) fn steps(leg: &Value, stage: &str) -> Vec<String> {
    let all = leg["trace"].as_array().unwrap_or_else(|| panic!("no trace: {leg:#}"));
    let word = |step: &Value, name: &str| step[name].as_str().unwrap_or_default().to_owned();
    let told = |step: &Value| {
        let [verdict, candidate, reason] =
            ["verdict", "candidate", "reason"].map(|name| word(step, name));
        format!("{verdict} {candidate}: {reason}")
    };
    all.iter().filter(|step| step["stage"] == stage).map(told).collect()
}

/// Texts of the events of a leg with this label.
pub(crate) fn events<'l>(leg: &'l Value, log_id: &str) -> Vec<&'l str> {
    let all = leg["events"].as_array().unwrap_or_else(|| panic!("no events: {leg:#}"));
    let of = all.iter().filter(|event| event["log_id"] == log_id);
    of.map(|event| event["text"].as_str().unwrap()).collect()
}

/// A refusal as the caller gets it and the record has it: the reason word, and no answer time.
pub(crate) fn assert_refused(stage: &Stage, name: &str, got: &[Message], status: u16, word: &str) {
    let answer = got.iter().find(|one| one.is(&format!("SIP/2.0 {status} "))).unwrap();
    assert_eq!(answer.header("Warning"), Some(format!("399 rm-1 \"{word}\"").as_str()));
    let leg = stage.leg(name);
    let found = [&leg["end_state"], &leg["reason"], &leg["answered_at"]];
    assert_eq!(found, [&Value::from("REJECTED"), &word.into(), &Value::Null], "{leg:#}");
    assert_eq!(leg["sip_status"], status, "{leg:#}");
}
