//! One side of a call: a SIPp that plays a script, and ends well only if all went as it says.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};

use tempfile::TempDir;

use crate::platform::{CALLER, MEDIA, eventually, free_port};
use crate::script::{self, Role};
use crate::sipp::{Via, command};
use crate::wire::{self, Message};

/// A running player; killed when the test ends.
pub(crate) struct Player {
    child: Child,
    dir: TempDir,
    what: String,
    /// Of its first call.
    pub(crate) call_id: String,
    pub(crate) address: SocketAddr,
}

/// How a player plays.
#[derive(Clone, Copy)]
pub(crate) struct Play<'a> {
    /// Its name in a failure, and the beginning of the Call-ID.
    pub(crate) name: &'a str,
    pub(crate) script: &'a str,
    pub(crate) via: Via,
    pub(crate) calls: u32,
    /// Packets get lost on the way.
    pub(crate) lossy: bool,
    /// A host name with its port, in Contact in place of its address.
    pub(crate) contact: Option<&'a str>,
    /// Request-URI of a caller's INVITE; SIPp's words in brackets are filled in.
    pub(crate) uri: &'a str,
    /// Further lines of its header, each with its line end; `[fold]` goes on in the next line.
    pub(crate) lines: &'a str,
    /// The URI in a caller's From, if not that of a number at its address.
    pub(crate) from: Option<&'a str>,
}

impl<'a> Play<'a> {
    /// One call, on a good line.
    pub(crate) fn new(name: &'a str, script: &'a str, via: Via) -> Self {
        let uri = "sip:[number]@[remote_ip]:[remote_port]";
        let (contact, from) = (None, None);
        Self { name, script, via, calls: 1, lossy: false, contact, uri, lines: "", from }
    }

    /// Calls `number` at `to`.
    pub(crate) fn call(&self, to: SocketAddr, number: &str) -> Player {
        let own = SocketAddr::new(CALLER, free_port(CALLER));
        self.start_caller(to, own, own, number)
    }

    /// The same over a line with an address of its own at the far end.
    pub(crate) fn call_by(&self, to: SocketAddr, contact: SocketAddr, number: &str) -> Player {
        let own = SocketAddr::new(CALLER, free_port(CALLER));
        self.start_caller(to, own, contact, number)
    }

    /// The same from this address.
    pub(crate) fn call_from(&self, own: SocketAddr, to: SocketAddr, number: &str) -> Player {
        self.start_caller(to, own, own, number)
    }

    /// An address for a media server.
    pub(crate) fn reserve() -> SocketAddr {
        SocketAddr::new(MEDIA, free_port(MEDIA))
    }

    /// Answers calls, at a port of its own.
    pub(crate) fn answer(&self) -> Player {
        let own = Self::reserve();
        self.answer_at(own, own)
    }

    /// Answers calls at `own`; others reach it at `contact`.
    pub(crate) fn answer_at(&self, own: SocketAddr, contact: SocketAddr) -> Player {
        let mut player = self.start(Role::Media, own, contact, |_| {});
        let up = || is_bound(own, self.via) || player.child.try_wait().unwrap().is_some();
        eventually("a media server listens", up, |up| *up);
        player
    }

    fn start_caller(
        &self,
        to: SocketAddr,
        own: SocketAddr,
        contact: SocketAddr,
        number: &str,
    ) -> Player {
        let from = self.from.map_or_else(|| format!("sip:+4930123@{own}"), str::to_owned);
        self.start(Role::Caller, own, contact, |sipp| {
            sipp.arg(to.to_string())
                .args(["-key", "number", number, "-key", "from", &from])
                .args(["-key", "fold", "\r\n "])
                .args(["-cid_str", &format!("{}-%u@127.0.0.2", self.name)])
                .args(["-r", "50"]);
        })
    }

    fn start(
        &self,
        role: Role,
        own: SocketAddr,
        contact: SocketAddr,
        more: impl FnOnce(&mut Command),
    ) -> Player {
        let dir = tempfile::tempdir().unwrap();
        let scenario = script::scenario(role, self);
        std::fs::write(dir.path().join("script.xml"), scenario).unwrap();
        let shown = self.contact.map_or_else(|| contact.to_string(), str::to_owned);
        let mut sipp = command(dir.path());
        more(&mut sipp);
        let child = sipp
            .args(["-sf", "script.xml", "-t", self.via.flag(), "-m", &self.calls.to_string()])
            .args(["-i", &own.ip().to_string(), "-p", &own.port().to_string()])
            .args(["-key", "contact", &shown, "-key", "via", self.via.name()])
            .args(["-timeout", "120s", "-timeout_error", "-max_retrans", "12"])
            .args(["-trace_err", "-error_file", "errors.log"])
            .args(["-trace_msg", "-message_file", "messages.log"])
            .args(["-trace_stat", "-stf", "figures.csv"])
            .spawn()
            .expect("sipp is installed (test.sh does it)");
        let side = if role == Role::Caller { "caller" } else { "media server" };
        Player {
            child,
            dir,
            what: format!("{side} of {}", self.name),
            call_id: format!("{}-1@127.0.0.2", self.name),
            address: contact,
        }
    }
}

/// Somebody has bound this address.
pub(crate) fn is_bound(address: SocketAddr, via: Via) -> bool {
    let SocketAddr::V4(v4) = address else { panic!("{address}") };
    let file = if via == Via::Udp { "/proc/net/udp" } else { "/proc/net/tcp" };
    let row = format!(" {:08X}:{:04X} ", u32::from_ne_bytes(v4.ip().octets()), v4.port());
    std::fs::read_to_string(file).unwrap().contains(&row)
}

impl Player {
    /// Waits for the end; panics unless every call went as the script says.
    pub(crate) fn finish(self) {
        self.played();
    }

    /// The same, and all that it has sent and got.
    pub(crate) fn played(mut self) -> Vec<Message> {
        let status = self.wait();
        let [errors, messages] = ["errors.log", "messages.log"].map(|name| self.log(name));
        assert!(status.success(), "{}: {status}\n{errors}\n{messages}", self.what);
        wire::messages(&messages)
    }

    /// Waits for the end, however it went.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let ended = || self.child.try_wait().unwrap();
        eventually(&format!("{} ends", self.what), ended, Option::is_some).unwrap()
    }

    /// Lets a player go on that waits for it, over UDP: `< CUE` in its script.
    pub(crate) fn cue(&self) {
        let Self { call_id, address, .. } = self;
        let text = format!(
            "CUE sip:{address} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKcue\r\n\
             From: <sip:cue@127.0.0.1>;tag=1\r\nTo: <sip:{address}>\r\nCall-ID: {call_id}\r\n\
             CSeq: 1 CUE\r\nContent-Length: 0\r\n\r\n"
        );
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(text.as_bytes(), address).unwrap();
    }

    /// The messages that came so far and begin like this, in their order.
    pub(crate) fn received(&self, beginning: &str) -> Vec<String> {
        let all = wire::messages(&self.log("messages.log")).into_iter();
        all.filter(|one| !one.sent && one.is(beginning)).map(|one| one.text).collect()
    }

    /// A log of SIPp's: `errors.log`, or `messages.log` with all that it sent and got.
    pub(crate) fn log(&self, name: &str) -> String {
        let bytes = std::fs::read(Path::new(self.dir.path()).join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).chars().take(2_000_000).collect()
    }

    /// A figure of SIPp at its end, by the name of its column.
    pub(crate) fn figure(&self, name: &str) -> u32 {
        let text = self.log("figures.csv");
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(';').collect()).collect();
        let (Some(head), Some(last)) = (lines.first(), lines.last()) else {
            panic!("{} has no figures", self.what);
        };
        let column = head.iter().position(|column| *column == name);
        column.and_then(|at| last[at].parse().ok()).unwrap_or_else(|| panic!("{name} in {text}"))
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
