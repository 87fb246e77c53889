//! baresip, a real phone without a head: it places calls to RM, and answers them as a media server.
//!
//! It is commanded and tells events over TCP, in JSON inside netstrings. No sound device is needed:
//! without a module that has one it is silent.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::calls::{healthy, objects_at};
use crate::flows::nothing_is_left;
use crate::http;
use crate::platform::{Site, eventually, loopback};
use crate::player::Play;
use crate::report;
use crate::secure::{self, Authority};
use crate::sipp::Via;

/// A phone with an address of its own.
pub(crate) struct Phone {
    child: Child,
    control: TcpStream,
    events: Arc<Mutex<VecDeque<Value>>>,
    /// Where it is reached, as a URI without user says it.
    place: String,
    _dir: TempDir,
}

impl Phone {
    /// A phone of the user `user`, which answers calls by itself if `answers`.
    pub(crate) fn start(user: &str, via: Via, answers: bool, authority: &Authority) -> Self {
        let address = loopback();
        let ip = address.ip();
        let dir = tempfile::tempdir().unwrap();
        let config = format!(
            "sip_listen {ip}:5060\nnet_interface {ip}\nrtp_ports 10000-10100\n\
             module_path /usr/lib/baresip/modules\nmodule g711.so\nmodule_tmp account.so\n\
             module_app menu.so\nmodule_app ctrl_tcp.so\nctrl_tcp_listen {ip}:4444\n\
             sip_certificate {}\nsip_cafile {}\n",
            authority.issue(&format!("phone-{ip}"), &[ip]).both.display(),
            authority.ca().display()
        );
        let address = via.at(address);
        let mode = if answers { ";answermode=auto" } else { "" };
        let account = format!("<sip:{user}@{address}{}>;regint=0{mode}\n", via.param());
        for (name, text) in [("config", &*config), ("accounts", &*account), ("contacts", "")] {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let child = Command::new("baresip")
            .arg("-f")
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("baresip is installed (test.sh does it)");
        let connect = || TcpStream::connect((ip, 4444)).ok();
        let control = eventually("baresip is up", connect, Option::is_some).unwrap();
        let events = Arc::default();
        let (told, input) = (Arc::clone(&events), control.try_clone().unwrap());
        std::thread::spawn(move || listen(input, &told));
        let place = format!("{address}{}", via.param());
        Self { child, control, events, place, _dir: dir }
    }

    pub(crate) fn command(&self, command: &str, params: &str) {
        let text = json!({ "command": command, "params": params }).to_string();
        write!(&self.control, "{}:{text},", text.len()).unwrap();
    }

    /// Waits for the next event of this type; what comes before it is forgotten.
    pub(crate) fn event(&self, kind: &str) -> Value {
        let next = || {
            let mut events = self.events.lock().unwrap();
            while let Some(event) = events.pop_front() {
                if event["type"] == kind {
                    return Some(event);
                }
            }
            None
        };
        eventually(kind, next, Option::is_some).unwrap()
    }
}

/// Reads events to the end: `LENGTH:JSON,` each.
fn listen(input: TcpStream, events: &Mutex<VecDeque<Value>>) {
    let mut input = BufReader::new(input);
    let mut length = Vec::new();
    while input.read_until(b':', &mut length).is_ok_and(|read| read > 0) {
        let digits = String::from_utf8_lossy(&length);
        // What is cut off is the end: the phone is gone.
        let Ok(size) = digits.trim_matches([',', ':']).parse() else { return };
        let mut text = vec![0; size];
        length.clear();
        if input.read_exact(&mut text).is_err() {
            return;
        }
        events.lock().unwrap().push_back(serde_json::from_slice(&text).unwrap());
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// RM and RS with the number 18005550100 on the one media server at `place`.
fn platform(place: &str) -> Site {
    Site::new(&objects_at(&[place], "{}"))
}

/// End states of all calls in the report, oldest first; each was answered.
fn end_states(site: &Site, calls: usize) -> Vec<String> {
    nothing_is_left(site, calls);
    let cdrs = report::exactly(site.rm_http(), site.rs_http(), calls);
    let answered = |cdr: &&report::Cdr| cdr["sip-status"] == "200" && cdr.contains_key("answer");
    assert_eq!(cdrs.iter().filter(answered).count(), calls, "{cdrs:#?}");
    cdrs.iter().rev().map(|cdr| cdr["end-state"].clone()).collect()
}

fn invites(site: &Site) -> f64 {
    http::metric(site.rm_http(), "ringmaster_rm_requests_total{stack=\"proxy\",method=\"INVITE\"}")
}

/// Two phones, RM between them: one dials a number, one plays the media server, both hang up once.
fn phone_to_phone(front: Via, behind: Via) {
    let authority = Authority::new();
    let callee = Phone::start("dialog", behind, true, &authority);
    let site = platform(&callee.place);
    if [front, behind].contains(&Via::Tls) {
        secure::add_listener(&site, &authority);
    }
    let _rs = site.start_rs();
    let _rm = site.start_rm();
    // It answers OPTIONS, too.
    healthy(&site, 1);
    let caller = Phone::start("alice", front, false, &authority);
    let number = format!("sip:18005550100@{}{}", front.at(site.sip()), front.param());
    for (side, other) in [(&caller, &callee), (&callee, &caller)] {
        caller.command("dial", &number);
        caller.event("CALL_ESTABLISHED");
        let peer = callee.event("CALL_ESTABLISHED");
        assert!(peer["peeruri"].as_str().unwrap().contains("alice"), "{peer}");
        let before = invites(&site);
        side.command("hold", "");
        eventually("a re-INVITE", || invites(&site), |now| *now == before + 1.0);
        side.command("hangup", "");
        other.event("CALL_CLOSED");
    }
    assert_eq!(end_states(&site, 2), ["USER_END", "APP_END"]);
}

#[test]
fn a_phone_calls_a_phone_over_udp() {
    phone_to_phone(Via::Udp, Via::Udp);
}

#[test]
fn a_phone_calls_a_phone_with_tcp_in_front_and_udp_behind() {
    phone_to_phone(Via::Tcp, Via::Udp);
}

#[test]
fn a_phone_calls_a_phone_with_udp_in_front_and_tcp_behind() {
    phone_to_phone(Via::Udp, Via::Tcp);
}

#[test]
fn a_phone_calls_a_phone_over_tls() {
    phone_to_phone(Via::Tls, Via::Tls);
}

#[test]
fn a_phone_calls_sipp_and_is_told_why_not() {
    let media = Play::new("phone", "< INVITE foreign; > 180; > 200; < ACK; > BYE; < 200", Via::Udp);
    let media = media.answer();
    let objects = objects_at(&[media.address], "{}");
    let site =
        Site::new(&objects.replace("interval: 1s, timeout: 500ms, down_after: 5", "method: none"));
    let _rs = site.start_rs();
    let _rm = site.start_rm();
    let authority = Authority::new();
    let phone = Phone::start("alice", Via::Udp, false, &authority);
    phone.command("dial", &format!("sip:18005550100@{}", site.sip()));
    phone.event("CALL_RINGING");
    phone.event("CALL_ESTABLISHED");
    phone.event("CALL_CLOSED");
    media.finish();
    phone.command("dial", &format!("sip:15550000000@{}", site.sip()));
    let closed = phone.event("CALL_CLOSED");
    assert!(closed["param"].as_str().unwrap().contains("404"), "{closed}");
    nothing_is_left(&site, 2);
    let cdrs = report::exactly(site.rm_http(), site.rs_http(), 2);
    let reasons: Vec<_> =
        cdrs.iter().rev().map(|cdr| (&*cdr["end-state"], &*cdr["reason"])).collect();
    assert_eq!(reasons, [("APP_END", "normal"), ("REJECTED", "no-profile")]);
}

#[test]
fn sipp_calls_a_phone() {
    let authority = Authority::new();
    let phone = Phone::start("dialog", Via::Tcp, true, &authority);
    let site = platform(&phone.place);
    let _rs = site.start_rs();
    let _rm = site.start_rm();
    healthy(&site, 1);
    let script = "> INVITE; < 180 maybe; < 200; > ACK; wait 200; > BYE; < 200";
    Play::new("to-phone", script, Via::Udp).call(site.sip(), "18005550100").finish();
    phone.event("CALL_CLOSED");
    assert_eq!(end_states(&site, 1), ["USER_END"]);
}
