//! Simulated callers: dial numbers in turn at a rate, hold, hang up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::chance::Chance;
use sip::endpoint::{ClientId, Received, ServerId, TransactionEvent};
use sip::message::Message;
use sip::method::Method;
use sip::transport::Flow;

use super::dialog::Dialog;
use super::media::between;
use super::phone::{Answer, Part, Phone};
use super::{Dialling, Figures};

/// Calls placed in one turn at most, so that a machine that cannot keep up still answers.
const CALLS_PER_TURN: usize = 64;
/// How late a call may be placed that was due in time.
const LATE: Duration = Duration::from_secs(5);

pub(super) struct Caller {
    dialling: Dialling,
    figures: Arc<Figures>,
    chance: Option<Chance>,
    /// Calls by Call-ID.
    calls: BTreeMap<String, Call>,
    placed: u32,
    begun: Option<Duration>,
    /// No further call will be placed.
    over: bool,
}

struct Call {
    state: State,
    /// ACK of the 2xx, sent again for each retransmission of it.
    ack: Option<(std::net::SocketAddr, Vec<u8>)>,
}

enum State {
    Dialling(ClientId),
    Up { dialog: Dialog, ends: Duration },
    Ending(ClientId),
}

impl Caller {
    pub(super) fn new(dialling: Dialling, figures: Arc<Figures>) -> Self {
        Self {
            dialling,
            figures,
            chance: None,
            calls: BTreeMap::new(),
            placed: 0,
            begun: None,
            over: false,
        }
    }

    /// When the next call is due.
    fn next_call(&self, begun: Duration) -> Option<Duration> {
        let rate = self.dialling.rate;
        let after = Duration::try_from_secs_f64(f64::from(self.placed) / rate).ok()?;
        (rate > 0.0).then(|| begun.saturating_add(after))
    }

    /// Whether the time for calls is over. A call that was due before its end is placed behind it,
    /// when the machine had no time for it, but not much later.
    fn is_over(&self, begun: Duration, now: Duration) -> bool {
        let Some(end) = self.dialling.duration.map(|lasts| begun + lasts) else { return false };
        let overdue = self.next_call(begun).is_some_and(|at| at < end);
        now >= end && (!overdue || now >= end + LATE)
    }

    fn place(&mut self, phone: &mut Phone, now: Duration) {
        let numbers = &self.dialling.numbers;
        let turn = usize::try_from(self.placed).unwrap_or_default() % numbers.len().max(1);
        let Some(number) = numbers.get(turn) else { return };
        let (to, from) = (self.dialling.to, phone.local());
        let caller = 4_930_000_000_u64 + u64::from(self.placed) % 10_000;
        let call_id = format!("{}-{}@{}", phone.wall(), self.placed, from.ip());
        let branch = phone.branch();
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=ringmaster\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio 9 RTP/AVP 0 8\r\na=inactive\r\n",
            ip = from.ip()
        );
        let text = format!(
            "INVITE sip:{number}@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {from};rport;branch={branch}\r\n\
             From: <sip:+{caller}@{from}>;tag=c{}\r\nTo: <sip:{number}@{to}>\r\n\
             Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContact: <sip:{from}>\r\nMax-Forwards: 70\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            self.placed,
            sdp.len()
        );
        let id = phone.request(now, to, text.into_bytes());
        self.calls.insert(call_id, Call { state: State::Dialling(id), ack: None });
        self.placed = self.placed.wrapping_add(1);
        Figures::count(&self.figures.placed);
    }

    fn response(&mut self, phone: &mut Phone, now: Duration, id: ClientId, message: &Message<'_>) {
        let Some(code) = message.status().filter(|code| *code >= 200) else { return };
        let Some(call) = self.calls.get_mut(message.call_id()) else { return };
        match &call.state {
            State::Dialling(invite) if *invite == id && code < 300 => {
                let wall = phone.wall();
                let chance = self.chance.get_or_insert_with(|| Chance::new([wall, 3, 4, 5]));
                let ends = now + between(chance, self.dialling.hold);
                let Some(dialog) = Dialog::of_caller(message, 1) else { return };
                let branch = phone.branch();
                call.ack = dialog.ack(phone.local(), &branch);
                call.state = State::Up { dialog, ends };
                Figures::count(&self.figures.answered);
            }
            State::Dialling(invite) if *invite == id => {
                self.calls.remove(message.call_id());
                Figures::count(&self.figures.refused);
                return;
            }
            State::Ending(bye) if *bye == id => {
                self.calls.remove(message.call_id());
                Figures::count(&self.figures.ended);
                return;
            }
            State::Dialling(_) | State::Up { .. } | State::Ending(_) => {}
        }
        // Of a repeated 2xx too.
        if let Some((to, bytes)) = call.ack.as_ref().filter(|_| message.method() == Method::Invite)
        {
            phone.send(*to, bytes);
        }
    }

    fn request(
        &mut self,
        phone: &mut Phone,
        now: Duration,
        flow: Flow,
        id: ServerId,
        message: &Message<'_>,
    ) {
        let code = match (message.method(), self.calls.contains_key(message.call_id())) {
            (Method::Bye, true) => {
                self.calls.remove(message.call_id());
                Figures::count(&self.figures.ended);
                200
            }
            (Method::Options, _) => 200,
            (Method::Bye, false) => 481,
            _ => 405,
        };
        phone.respond(now, id, message, flow, Answer { code, tag: None, sdp: None });
    }

    fn hang_up(phone: &mut Phone, now: Duration, call: &mut Call) {
        if let State::Up { dialog, .. } = &mut call.state {
            let branch = phone.branch();
            if let Some((to, bytes)) = dialog.request("BYE", phone.local(), &branch) {
                call.state = State::Ending(phone.request(now, to, bytes));
            }
        }
    }
}

impl Part for Caller {
    fn received(&mut self, phone: &mut Phone, now: Duration, flow: Flow, received: Received<'_>) {
        match received {
            Received::Request { id, message } => self.request(phone, now, flow, id, &message),
            Received::Response { id, message } => self.response(phone, now, id, &message),
            Received::Cancel { .. }
            | Received::Ack { .. }
            | Received::Stray { .. }
            | Received::Absorbed(_)
            | Received::Refused(_)
            | Received::Overload { .. } => {}
        }
    }

    fn event(&mut self, _phone: &mut Phone, _now: Duration, event: TransactionEvent) {
        let (TransactionEvent::Timeout { id } | TransactionEvent::TransportFailed { id }) = event
        else {
            return;
        };
        let lost = self.calls.iter().find_map(|(call_id, call)| match call.state {
            State::Dialling(own) | State::Ending(own) if own == id => Some(call_id.clone()),
            State::Dialling(_) | State::Ending(_) | State::Up { .. } => None,
        });
        if let Some(call_id) = lost {
            self.calls.remove(&call_id);
            Figures::count(&self.figures.lost);
        }
    }

    fn tick(&mut self, phone: &mut Phone, now: Duration) -> Option<Duration> {
        let begun = *self.begun.get_or_insert(now);
        self.over |= self.is_over(begun, now);
        for _ in 0..CALLS_PER_TURN {
            if self.over || self.next_call(begun).is_none_or(|at| at > now) {
                break;
            }
            self.place(phone, now);
        }
        let mut next = self.next_call(begun).filter(|_| !self.over);
        for call in self.calls.values_mut() {
            let State::Up { ends, .. } = call.state else { continue };
            if ends <= now {
                Self::hang_up(phone, now, call);
            } else {
                next = Some(next.map_or(ends, |at| at.min(ends)));
            }
        }
        next
    }

    fn stop(&mut self, phone: &mut Phone, now: Duration) {
        self.over = true;
        let before = self.calls.len();
        self.calls.retain(|_, call| !matches!(call.state, State::Dialling(_)));
        for _ in self.calls.len()..before {
            Figures::count(&self.figures.lost);
        }
        for call in self.calls.values_mut() {
            Self::hang_up(phone, now, call);
        }
    }

    fn done(&self) -> bool {
        self.over && self.calls.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::Arc;
    use std::time::Duration;

    use super::Caller;
    use crate::simulate::{Dialling, Figures};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn calls_that_were_due_in_time_are_placed_though_late() {
        let dialling = Dialling {
            to: SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)),
            rate: 5.0,
            duration: Some(10 * SECOND),
            hold: (SECOND, SECOND),
            numbers: vec!["1".to_owned()],
        };
        let mut caller = Caller::new(dialling, Arc::<Figures>::default());
        let begun = 100 * SECOND;
        for (placed, after, over) in
            [(50, 9, false), (50, 10, true), (48, 10, false), (48, 14, false), (48, 15, true)]
        {
            caller.placed = placed;
            assert_eq!(caller.is_over(begun, begun + after * SECOND), over, "{placed}, {after} s");
        }
    }
}
