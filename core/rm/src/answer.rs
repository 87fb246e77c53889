//! What RM answers itself (rm.md §1.10): 100 Trying, every "no", OPTIONS to RM.
//!
//! Every final answer carries Warning and Server. The To tag is a keyed hash of the request, so
//! that a repeated request without a transaction gets the same answer.

use std::fmt::Write;
use std::ops::Deref;

use model::id::Guid;
use model::time::Now;
use sip::endpoint::ServerId;
use sip::message::Message;
use sip::print::{phrase, response, within};
use sip::transport::Flow;
use smallvec::{SmallVec, smallvec};

use crate::admit::{Request, method};
use crate::alarm::{self, About};
use crate::input::NodeState;
use crate::log;
use crate::output::Event;
use crate::proxy::Proxy;
use crate::reject::{No, Reason};
use crate::session::Session;

/// Value of the Server header in every answer that RM makes.
pub(crate) const SERVER: &str = "Ringmaster";

/// A To tag of ours: `rm` and eight hexadecimal digits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tag([u8; Self::LEN]);

impl Tag {
    const LEN: usize = 10;

    fn of(mark: u32) -> Self {
        let mut text = *b"rm00000000";
        for (place, shift) in text.iter_mut().rev().take(8).zip((0..32).step_by(4)) {
            let digit = u8::try_from(mark >> shift & 15).unwrap_or(0);
            *place = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        }
        Self(text)
    }
}

impl Deref for Tag {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Proxy {
    /// 100 Trying, before anything is looked up.
    pub(crate) fn trying(&mut self, request: &Request<'_, '_>) {
        let mut draft = self.fresh_draft();
        response(request.message, 100, phrase(100), None, &[], request.flow, &mut draft.bytes);
        self.endpoint.respond(request.now.mono, request.id, 100, &draft.bytes);
        self.draft = draft;
    }

    /// Answers a request in hand with a "no" that has no record.
    pub(crate) fn refuse(&mut self, request: &Request<'_, '_>, no: &No) {
        let mut draft = self.fresh_draft();
        self.no_to(request.flow, request.message, no, &mut draft.bytes);
        self.endpoint.respond(request.now.mono, request.id, no.status(), &draft.bytes);
        self.draft = draft;
        self.said_no(no, request.message, None, request.flow);
    }

    /// Refuses without a transaction, and without an allocation: this must cost less than to serve.
    pub(crate) fn refuse_stateless(&mut self, flow: Flow, message: &Message<'_>, no: &No) {
        let status = no.status();
        let mut texts = std::mem::take(&mut self.scratch);
        let warning = self.warning(no, &mut texts);
        let retry = texts.len();
        if no.reason == Reason::Method {
            method::allowed(&self.options.refused_methods, &mut texts);
        }
        let (told, allow) = texts.split_at(retry);
        let (warning, retry) = told.split_at(warning);
        let extension = if no.reason == Reason::BadExtension { no.subject.as_str() } else { "" };
        // what the status cannot do without comes first (RFC 3261 §8.2.2.3, §21.4.6)
        let all = [
            ("Retry-After", retry),
            ("Allow", allow),
            ("Unsupported", extension),
            ("Warning", warning),
            ("Server", SERVER),
        ];
        let extra: SmallVec<[_; 5]> =
            all.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        self.send_stateless(flow, message, status, &extra);
        drop(extra);
        self.scratch = texts;
        self.said_no(no, message, None, flow);
    }

    /// An answer that is forgotten at once. A datagram is answered by at most twice its size: else
    /// without the last of `extra`, or not at all (rm.md §13.4).
    fn send_stateless(
        &mut self,
        flow: Flow,
        message: &Message<'_>,
        status: u16,
        extra: &[(&str, &str)],
    ) {
        let tag = self.own_tag(message);
        let mut sent = false;
        self.endpoint.send_with(flow, |out| {
            sent = within(flow, message.raw().len(), extra, out, |extra, out| {
                response(message, status, phrase(status), Some(&tag), extra, flow, out);
                true
            });
        });
        if !sent {
            self.counters.dropped("amplification");
        }
    }

    /// Answers a kept request with a "no".
    pub(crate) fn answer_no(
        &mut self,
        now: Now,
        server: ServerId,
        flow: Flow,
        request: &[u8],
        no: &No,
        leg: Option<usize>,
    ) {
        let mut draft = self.fresh_draft();
        if self.no_bytes(flow, request, no, leg, &mut draft.bytes) {
            self.endpoint.respond(now.mono, server, no.status(), &draft.bytes);
        }
        self.draft = draft;
    }

    /// Appends the bytes of a "no" to a kept request, counted and logged; false for what is none.
    pub(crate) fn no_bytes(
        &mut self,
        flow: Flow,
        request: &[u8],
        no: &No,
        leg: Option<usize>,
        out: &mut Vec<u8>,
    ) -> bool {
        let limits = self.limits;
        let Ok(message) = sip::parse::parse(request, &limits) else { return false };
        self.no_to(flow, &message, no, out);
        self.said_no(no, &message, leg, flow);
        true
    }

    fn no_to(&mut self, flow: Flow, message: &Message<'_>, no: &No, out: &mut Vec<u8>) {
        let mut texts = std::mem::take(&mut self.scratch);
        let warning = self.warning(no, &mut texts);
        let (warning, retry) = texts.split_at(warning);
        let mut allow = String::new();
        let mut extra: SmallVec<[(&str, &str); 4]> =
            smallvec![("Warning", warning), ("Server", SERVER)];
        if !retry.is_empty() {
            extra.push(("Retry-After", retry));
        }
        match no.reason {
            Reason::Method => {
                method::allowed(&self.options.refused_methods, &mut allow);
                extra.push(("Allow", &allow));
            }
            Reason::MinSe => extra.push(("Min-SE", &no.subject)),
            Reason::BadExtension => extra.push(("Unsupported", &no.subject)),
            _ => {}
        }
        let (tag, status) = (self.own_tag(message), no.status());
        response(message, status, phrase(status), Some(&tag), &extra, flow, out);
        drop(extra);
        self.scratch = texts;
    }

    /// Writes the value of Warning and behind it that of Retry-After, where there is one; gives
    /// back where that begins.
    fn warning(&self, no: &No, texts: &mut String) -> usize {
        texts.clear();
        // a String takes whatever is written
        let _ = write!(texts, "399 {} \"{}\"", self.settings.name, no.reason.word());
        let retry = texts.len();
        let _ = no.retry_after().map(|seconds| write!(texts, "{seconds}"));
        retry
    }

    fn own_tag(&self, message: &Message<'_>) -> Tag {
        Tag::of(self.mark(message))
    }

    /// An ACK to an answer that RM made itself: it has our tag, which nobody else can make.
    pub(crate) fn is_own_answer(&self, ack: &Message<'_>) -> bool {
        let tag = ack.to().tag().filter(|tag| tag.len() == Tag::LEN && tag.starts_with("rm"));
        tag.is_some_and(|tag| tag == &*self.own_tag(ack))
    }

    /// A number of this request and its copies.
    pub(crate) fn mark(&self, message: &Message<'_>) -> u32 {
        let from = message.from().tag().unwrap_or_default();
        let cseq = message.cseq().to_be_bytes();
        let parts = [b"tag", message.call_id().as_bytes(), from.as_bytes(), &cseq];
        self.settings.keys.branch_hash(&parts)
    }

    fn said_no(&mut self, no: &No, message: &Message<'_>, leg: Option<usize>, flow: Flow) {
        let entry = no.reason.entry();
        let invite = message.method() == sip::method::Method::Invite;
        self.counters.answer(no.status(), entry.word, invite);
        let Some(id) = entry.log else { return };
        let alarm = self.alarm_of(no, id);
        let mut unsaid = 0;
        if id == log::NO_RESOURCE {
            let groups = self.counters.exhausted.entry(no.subject.clone()).or_default();
            *groups += 1;
            let (total, now) = (*groups, self.seen.mono);
            match self.unsaid.get(&no.subject).copied() {
                Some((until, _)) if until > now => return,
                said => unsaid = (total - 1).saturating_sub(said.map_or(0, |(_, total)| total)),
            }
            let until = now + crate::limits::NO_RESOURCE_LOG;
            self.unsaid.insert(no.subject.clone(), (until, total));
        }
        let mut fields = vec![
            ("reason", entry.word.to_owned()),
            ("status", no.status().to_string()),
            ("source", flow.remote.to_string()),
        ];
        if !no.subject.is_empty() {
            fields.push((no.reason.subject(), no.subject.clone()));
        }
        if no.reason.subject() != "call_id" {
            fields.push(("call_id", message.call_id().to_owned()));
        }
        let session = leg.and_then(|key| self.table.both(key)).map(|(session, _)| session);
        let guid = session.map(|session| session.guid);
        fields.extend(session.into_iter().flat_map(Session::named));
        if let Some((tenant, profile)) = no.whose.as_deref() {
            fields.push(("tenant", tenant.clone()));
            fields.extend(profile.clone().map(|profile| ("profile", profile)));
        }
        fields.extend(alarm.map(|name| ("alarm", name.to_owned())));
        if unsaid > 0 {
            fields.push(("unsaid", unsaid.to_string()));
        }
        self.log(id, guid, fields);
    }

    /// The name of the alarm that a "no" raises, if it was not up.
    fn alarm_of(&mut self, no: &No, log_id: u16) -> Option<&'static str> {
        let whose = || match no.subject.as_str() {
            "" => About::NODE,
            subject => About::of(no.reason.subject(), subject.to_owned()),
        };
        let (raised, text) = match (&no.alarm, log_id) {
            (Some(raised), _) => (raised.clone(), no.subject.as_str()),
            // the number is no object of the configuration
            (None, log::NO_PROFILE) => ((alarm::Name::NoProfile, About::NODE), &*no.subject),
            (None, log::NO_RESOURCE) => ((alarm::Name::NoResource, whose()), no.reason.word()),
            (None, _) => return None,
        };
        let name = raised.0.as_str();
        self.alarms.raise(self.seen, raised, log_id, text).then_some(name)
    }

    /// OPTIONS to RM: its state (rm.md §1.10).
    pub(crate) fn answer_options(&mut self, request: &Request<'_, '_>) {
        let full = self.is_full() || self.overload.state() > 0;
        let (code, state, reason) = match self.state {
            NodeState::Ready if full => (200, "full", "ok"),
            NodeState::Ready => (200, "healthy", "ok"),
            NodeState::Draining => (503, "draining", Reason::NodeDraining.word()),
            NodeState::Starting => (503, "starting", Reason::NodeNotReady.word()),
        };
        let mut allow = String::new();
        method::allowed(&self.options.refused_methods, &mut allow);
        let warning = format!("399 {} \"{reason}\"", self.settings.name);
        let mut extra = vec![("X-Ringmaster-State", state)];
        if code == 503 {
            extra.push(("Retry-After", if state == "draining" { "10" } else { "2" }));
            extra.push(("Warning", &warning));
        }
        extra.extend([
            ("Allow", allow.as_str()),
            ("Accept", "application/sdp"),
            ("Supported", "timer, uui"),
            ("Server", SERVER),
        ]);
        let flow = request.flow;
        if request.source.is_stranger() {
            self.endpoint.discard(request.id);
            self.send_stateless(flow, request.message, code, &extra);
        } else {
            let tag = self.own_tag(request.message);
            let mut bytes = Vec::new();
            response(request.message, code, phrase(code), Some(&tag), &extra, flow, &mut bytes);
            self.endpoint.respond(request.now.mono, request.id, code, &bytes);
        }
        self.counters.answer(code, reason, false);
    }

    /// Asks the shell for a log line.
    pub(crate) fn log(
        &mut self,
        id: u16,
        session: Option<Guid>,
        fields: Vec<(&'static str, String)>,
    ) {
        self.events.push(Event::Log { id, session, fields });
    }
}

#[cfg(test)]
mod tests {
    use super::Tag;

    #[test]
    fn a_tag_is_ten_characters() {
        for (mark, text) in [(0, "rm00000000"), (0x9d04_c1e7, "rm9d04c1e7"), (255, "rm000000ff")] {
            assert_eq!(&*Tag::of(mark), text);
        }
    }
}
