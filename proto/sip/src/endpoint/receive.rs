//! From a packet to its transaction: what is repeated is answered here, what is new goes up.

use super::{ClientId, Endpoint, Received, ServerId};
use crate::header::{Name, Via};
use crate::message::Message;
use crate::method::Method;
use crate::parse::{ParseError, parse};
use crate::print;
use crate::transaction::{
    Absorbed, Class, Machine, Phase, Verdict, Whose, key, server_invite, server_other,
};
use crate::transport::Flow;

impl Endpoint {
    pub(super) fn receive<'a>(&mut self, flow: Flow, bytes: &'a [u8]) -> Received<'a> {
        if is_keep_alive(bytes) {
            return Received::Absorbed(Absorbed::KeepAlive);
        }
        let message = match parse(bytes, &self.limits) {
            Ok(message) => message,
            Err(error) => return self.refuse(flow, bytes, error),
        };
        if let Some(status) = message.status() {
            return self.response(status, message);
        }
        if message.top_via().is_to_many() {
            return Received::Absorbed(Absorbed::Unanswerable);
        }
        match message.method() {
            Method::Ack => self.ack(message),
            Method::Cancel => self.cancelled(flow, message),
            method => self.request_in(flow, method, message),
        }
    }

    pub(super) fn refuse<'a>(
        &mut self,
        flow: Flow,
        bytes: &'a [u8],
        error: ParseError,
    ) -> Received<'a> {
        let mut answered = false;
        let extra = self.signature.refusal("malformed");
        self.outbox.write(flow, |out| {
            answered = print::within(flow, bytes.len(), &extra.lines(), out, |extra, out| {
                print::refuse(bytes, &error, extra, flow, out)
            });
        });
        self.counters.refused += u64::from(answered);
        Received::Refused(error)
    }

    /// RFC 3261 §17.1.3: the branch of the top Via and the method of the CSeq.
    fn response<'a>(&mut self, status: u16, message: Message<'a>) -> Received<'a> {
        let via = message.top_via();
        if !self.is_own(&via) {
            return Received::Absorbed(Absorbed::ForeignVia);
        }
        let branch = via.branch.unwrap_or_default();
        key::client(&mut self.scratch, message.method(), branch.as_bytes());
        let Some(index) = self.lookup() else { return Received::Stray { message } };
        let Some(id) = self.table.slots.id_at(index) else { return Received::Stray { message } };
        let own = self.table.slots.at(index).is_some_and(|it| it.whose == Whose::Own);
        let class = Class::of(status);
        let verdict = if message.method() == Method::Invite {
            let to = message.header(Name::To).map_or(&b""[..], |to| to.line);
            self.invite_step(index, |state, desk| state.on_response(class, to, desk))
        } else {
            self.step(index, |machine, desk| match machine {
                Machine::ClientOther(state) => {
                    let (state, verdict) = state.on_response(class, desk);
                    (Machine::ClientOther(state), verdict)
                }
                other => (other, Verdict::Stray),
            })
        };
        match verdict {
            _ if own => Received::Absorbed(Absorbed::CancelAnswer),
            Verdict::Pass => Received::Response { id: ClientId(id), message },
            Verdict::Absorb(absorbed) => {
                if absorbed == Absorbed::Retransmission {
                    self.counters.retransmissions_in += 1;
                }
                Received::Absorbed(absorbed)
            }
            Verdict::Stray | Verdict::Timeout | Verdict::Failed | Verdict::Quiet => {
                Received::Stray { message }
            }
        }
    }

    /// Whether a Via says that we have sent what this answers. No port stands for a usual one.
    fn is_own(&self, via: &Via<'_>) -> bool {
        self.sent_by.is_empty()
            || self.sent_by.iter().any(|(host, port)| {
                let usual = matches!(port, 5060 | 5061);
                host.eq_ignore_ascii_case(via.host) && via.port.map_or(usual, |one| one == *port)
            })
    }

    fn request_in<'a>(
        &mut self,
        flow: Flow,
        method: Method<'a>,
        message: Message<'a>,
    ) -> Received<'a> {
        key::server(&mut self.scratch, method, &message);
        let hash = self.table.hash(&self.scratch);
        if let Some(index) = self.table.find(hash, &self.scratch) {
            return self.repeated(index);
        }
        if self.table.pending() >= self.limits.pending_transactions {
            self.counters.overloads += 1;
            return Received::Overload { message };
        }
        let port = message.top_via().port;
        let port = port.unwrap_or_else(|| flow.transport.default_port());
        let id = self.enter(hash, flow, port, Whose::Above);
        if key::origin(&mut self.scratch, &message) {
            self.table.originate(id.index, self.table.hash(&self.scratch));
        }
        if flow.conn.is_some() {
            self.table.members.join(&mut self.table.slots, id.index);
        }
        self.step(id.index, |_, desk| {
            let machine = if method == Method::Invite {
                Machine::ServerInvite(server_invite::State::start())
            } else {
                Machine::ServerOther(server_other::State::start(desk))
            };
            (machine, Verdict::Quiet)
        });
        Received::Request { id: ServerId(id), message }
    }

    fn repeated<'a>(&mut self, index: u32) -> Received<'a> {
        self.counters.retransmissions_in += 1;
        self.step(index, |machine, desk| {
            match &machine {
                Machine::ServerInvite(state) => state.on_repeated(desk),
                Machine::ServerOther(state) => state.on_repeated(desk),
                Machine::ClientInvite(_) | Machine::ClientOther(_) | Machine::Stepping => {}
            }
            (machine, Verdict::Quiet)
        });
        Received::Absorbed(Absorbed::Retransmission)
    }

    /// An ACK belongs to the transaction of its INVITE, if that was refused (§17.2.3).
    fn ack<'a>(&mut self, message: Message<'a>) -> Received<'a> {
        key::server(&mut self.scratch, Method::Invite, &message);
        let Some(index) = self.lookup() else { return Received::Ack { message } };
        let verdict = self.step(index, |machine, desk| match machine {
            Machine::ServerInvite(state) => {
                let (state, verdict) = state.on_ack(desk);
                (Machine::ServerInvite(state), verdict)
            }
            other => (other, Verdict::Pass),
        });
        match verdict {
            Verdict::Absorb(absorbed) => Received::Absorbed(absorbed),
            _ => Received::Ack { message },
        }
    }

    /// RFC 3261 §9.2. The answer never depends on what becomes of the INVITE.
    fn cancelled<'a>(&mut self, flow: Flow, message: Message<'a>) -> Received<'a> {
        key::server(&mut self.scratch, Method::Cancel, &message);
        if let Some(index) = self.lookup() {
            return self.repeated(index);
        }
        key::server(&mut self.scratch, Method::Invite, &message);
        let Some(index) = self.lookup() else {
            let tag = self.tag();
            let tag = text(&tag);
            let extra = self.signature.refusal("no-dialog");
            self.outbox.write(flow, |out| {
                let (phrase, size) = (print::phrase(481), message.raw().len());
                print::within(flow, size, &extra.lines(), out, |extra, out| {
                    print::response(&message, 481, phrase, Some(tag), extra, flow, out);
                    true
                });
            });
            return Received::Absorbed(Absorbed::UnmatchedCancel);
        };
        self.answer_cancel(flow, &message);
        let invite = self.table.slots.at(index);
        let pending = invite.is_some_and(|it| it.machine.phase() == Phase::Pending);
        match self.table.slots.id_at(index) {
            Some(id) if pending => Received::Cancel { invite: ServerId(id), message },
            _ => Received::Absorbed(Absorbed::LateCancel),
        }
    }

    /// Sends 200, which is kept for copies of the CANCEL where there can be any.
    fn answer_cancel(&mut self, flow: Flow, message: &Message<'_>) {
        let tag = self.tag();
        let mut response = self.buffers.room(message.raw().len());
        {
            let (phrase, extra) = (print::phrase(200), self.signature.plain());
            print::response(message, 200, phrase, Some(text(&tag)), &extra, flow, &mut response);
        }
        key::server(&mut self.scratch, Method::Cancel, message);
        let hash = self.table.hash(&self.scratch);
        let id = self.enter(hash, flow, 0, Whose::Own);
        self.step(id.index, |_, desk| {
            let state = server_other::State::answered(&response, desk);
            (Machine::ServerOther(state), Verdict::Quiet)
        });
        self.buffers.release(response);
    }

    fn lookup(&self) -> Option<u32> {
        self.table.find(self.table.hash(&self.scratch), &self.scratch)
    }

    /// A To tag for the key in `scratch`: the same for every copy of a request. Half of the hash
    /// stays secret.
    fn tag(&self) -> [u8; 8] {
        let half = self.table.hash(&self.scratch) >> 32;
        let mut tag = [b'0'; 8];
        for (place, shift) in tag.iter_mut().rev().zip((0..32).step_by(4)) {
            let digit = u8::try_from(half >> shift & 15).unwrap_or(0);
            *place = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        }
        tag
    }
}

/// A tag as text.
fn text(tag: &[u8; 8]) -> &str {
    std::str::from_utf8(tag).unwrap_or_default()
}

/// Blank lines (RFC 5626 §3.5.1), an empty datagram, or STUN, whose first two bits are zero.
fn is_keep_alive(bytes: &[u8]) -> bool {
    bytes.first().is_none_or(|first| *first < 4)
        || bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
}
