//! A simulated media server: OPTIONS, 180, 200, hold, BYE either way. Sends no media.

use std::collections::BTreeMap;
use std::time::Duration;

use model::chance::Chance;
use sip::endpoint::{Received, TransactionEvent};
use sip::message::Message;
use sip::method::Method;
use sip::transport::Flow;

use super::dialog::Dialog;
use super::phone::{Answer, Part, Phone};

/// Calls by Call-ID; `ends` is when this side hangs up.
pub(super) struct Media {
    hold: Option<(Duration, Duration)>,
    calls: BTreeMap<String, Call>,
    chance: Option<Chance>,
    stopped: bool,
}

struct Call {
    dialog: Dialog,
    ends: Option<Duration>,
}

impl Media {
    pub(super) fn new(hold: Option<(Duration, Duration)>) -> Self {
        Self { hold, calls: BTreeMap::new(), chance: None, stopped: false }
    }

    fn request(
        &mut self,
        phone: &mut Phone,
        now: Duration,
        flow: Flow,
        id: sip::endpoint::ServerId,
        message: &Message<'_>,
    ) {
        let known = self.calls.contains_key(message.call_id());
        let code = match message.method() {
            Method::Invite if message.to().tag().is_none() => {
                self.answer(phone, now, flow, id, message);
                return;
            }
            Method::Bye => {
                if self.calls.remove(message.call_id()).is_some() {
                    200
                } else {
                    481
                }
            }
            Method::Invite | Method::Update | Method::Info | Method::Prack => {
                if known {
                    200
                } else {
                    481
                }
            }
            Method::Options => 200,
            _ => 405,
        };
        let sdp = (matches!(message.method(), Method::Invite) && code == 200)
            .then(|| sdp(phone, message.body()));
        let answer = Answer { code, tag: None, sdp: sdp.as_deref() };
        phone.respond(now, id, message, flow, answer);
    }

    fn answer(
        &mut self,
        phone: &mut Phone,
        now: Duration,
        flow: Flow,
        id: sip::endpoint::ServerId,
        invite: &Message<'_>,
    ) {
        let (wall, port) = (phone.wall(), u64::from(phone.local().port()));
        let chance = self.chance.get_or_insert_with(|| Chance::new([wall, port, 1, 2]));
        let tag = format!("m{:08x}", chance.below(1 << 32));
        let ends = self.hold.map(|hold| now + between(chance, hold));
        let ringing = Answer { code: 180, tag: Some(&tag), sdp: None };
        phone.respond(now, id, invite, flow, ringing);
        let sdp = sdp(phone, invite.body());
        let ok = Answer { code: 200, tag: Some(&tag), sdp: Some(&sdp) };
        phone.respond(now, id, invite, flow, ok);
        if let Some(dialog) = Dialog::of_callee(invite, &tag) {
            self.calls.insert(invite.call_id().to_owned(), Call { dialog, ends });
        }
    }

    fn hang_up(&mut self, phone: &mut Phone, now: Duration, call_id: &str) {
        if let Some(mut call) = self.calls.remove(call_id) {
            let branch = phone.branch();
            if let Some((to, bytes)) = call.dialog.request("BYE", phone.local(), &branch) {
                phone.request(now, to, bytes);
            }
        }
    }
}

impl Part for Media {
    fn received(&mut self, phone: &mut Phone, now: Duration, flow: Flow, received: Received<'_>) {
        match received {
            Received::Request { id, message } => self.request(phone, now, flow, id, &message),
            Received::Cancel { .. }
            | Received::Ack { .. }
            | Received::Response { .. }
            | Received::Stray { .. }
            | Received::Absorbed(_)
            | Received::Refused(_)
            | Received::Overload { .. } => {}
        }
    }

    fn event(&mut self, _phone: &mut Phone, _now: Duration, _event: TransactionEvent) {}

    fn tick(&mut self, phone: &mut Phone, now: Duration) -> Option<Duration> {
        let due: Vec<String> = self
            .calls
            .iter()
            .filter(|(_, call)| call.ends.is_some_and(|at| at <= now))
            .map(|(call_id, _)| call_id.clone())
            .collect();
        for call_id in due {
            self.hang_up(phone, now, &call_id);
        }
        self.calls.values().filter_map(|call| call.ends).min()
    }

    /// Callers hang up; a media server stays to answer them.
    fn stop(&mut self, _phone: &mut Phone, _now: Duration) {
        self.stopped = true;
    }

    fn done(&self) -> bool {
        self.stopped && self.calls.is_empty()
    }
}

/// A time between the two, evenly.
pub(super) fn between(chance: &mut Chance, (least, most): (Duration, Duration)) -> Duration {
    let span = most.saturating_sub(least).as_millis();
    least + Duration::from_millis(chance.below(u64::try_from(span).unwrap_or(u64::MAX).max(1)))
}

/// An answer to the first audio stream of an offer: the same formats, inactive, at a dead port.
fn sdp(phone: &Phone, offer: &[u8]) -> String {
    let offer = String::from_utf8_lossy(offer);
    let formats = offer
        .lines()
        .find_map(|line| line.strip_prefix("m=audio "))
        .and_then(|line| line.split_once(' '))
        .map_or("RTP/AVP 0 8", |(_, rest)| rest.trim_end());
    let ip = phone.local().ip();
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    format!(
        "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=ringmaster\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
         m=audio 9 {formats}\r\na=inactive\r\n"
    )
}
