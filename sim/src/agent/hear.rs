//! What a party does with what it hears.

use std::time::Duration;

use sip::endpoint::{ClientId, Received, ServerId};
use sip::transport::Flow;

use super::text::{header, is_first, method, number, reply, tag, uri};
use super::{Agent, Dialog, Later, Offer, Seen, flow, heard_as, name_of, transaction};

impl Agent {
    /// A message has come by this flow.
    pub(crate) fn hear(&mut self, now: Duration, from: Flow, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes).into_owned();
        if !self.has_power() || self.gone.contains(header(&text, "Call-ID")) {
            return;
        }
        if self.passes_on(now, &text) {
            return;
        }
        let response = match self.endpoint.handle_input(now, from, bytes) {
            Received::Request { id, .. } => return self.asked(now, id, text),
            Received::Ack { .. } => {
                self.unacknowledged.remove(&transaction(&text));
                return self.listen(now, "ACK".to_owned(), &text);
            }
            Received::Cancel { invite, .. } => {
                self.listen(now, "CANCEL".to_owned(), &text);
                return self.answer(now, invite, 487, "");
            }
            Received::Response { id, message } => (id, message.status().unwrap_or_default()),
            Received::Stray { .. }
            | Received::Overload { .. }
            | Received::Absorbed(_)
            | Received::Refused(_) => return,
        };
        let (id, code) = response;
        self.listen(now, heard_as(&text), &text);
        self.answered(now, id, code, &text);
    }

    fn asked(&mut self, now: Duration, id: ServerId, text: String) {
        let asked = method(&text).to_owned();
        let inside = !is_first(&text);
        self.listen(now, asked.clone(), &text);
        if asked == "OPTIONS" && !inside {
            if let Some((code, lines)) = self.alive {
                self.number += 1;
                let text = reply(&text, code, &format!("o{}", self.number), lines);
                self.endpoint.respond(now, id, code, text.as_bytes());
            }
            return;
        }
        if asked == "INVITE" && !inside {
            return self.offered(now, id, text);
        }
        let talk = name_of(&text, tag(&text, "To"), tag(&text, "From"));
        let known = self.talks.get(&talk).is_some_and(|talk| !talk.over);
        let own = || {
            let mut asked = self.asked.values();
            asked.any(|one| one.talk.as_ref() == Some(&talk) && one.text.starts_with("INVITE "))
        };
        let code = match asked.as_str() {
            _ if inside && !known => 481,
            // both at once: each refuses the other's (RFC 3261 §14.2)
            "INVITE" if own() => 491,
            "INVITE" => {
                let manner = super::Manner::answers(200);
                let contact = self.contact_of(&talk);
                self.taken.insert(id, Offer { text, tag: String::new(), manner, contact });
                return self.answer(now, id, 200, "");
            }
            "REFER" => 202,
            _ => 200,
        };
        if asked == "BYE" && code == 200 {
            if let Some(talk) = self.talks.get_mut(&talk) {
                talk.over = true;
            }
            self.note(now, header(&text, "Call-ID"), Seen::HungUp);
        }
        let contact = format!("Contact: <sip:x@{}>\r\n", self.contact_of(&talk));
        let text = reply(&text, code, "none", &contact);
        self.endpoint.respond(now, id, code, text.as_bytes());
    }

    /// Host and port by which it is known in a dialog.
    fn contact_of(&self, talk: &str) -> String {
        let known = self.talks.get(talk).map(|talk| talk.contact().to_owned());
        known.unwrap_or_else(|| self.own_contact(None))
    }

    fn offered(&mut self, now: Duration, id: ServerId, text: String) {
        self.note(now, header(&text, "Call-ID"), Seen::Offered);
        self.number += 1;
        let own = format!("{}t{}", self.name, self.number);
        let manner = self.next_manner();
        let rings = manner.rings.map(|(after, code)| (after, code, String::new()));
        let answers = manner.answers.map(|(after, code)| (after, code, manner.lines.clone()));
        let named = self.host.filter(|_| self.chance.below(2) == 0);
        let contact = self.own_contact(named);
        self.taken.insert(id, Offer { text, tag: own, manner, contact });
        for (after, code, lines) in rings.into_iter().chain(answers) {
            if after.is_zero() {
                self.answer(now, id, code, &lines);
            } else {
                self.later(now + after, Later::Answer { id, code, lines });
            }
        }
    }

    fn answered(&mut self, now: Duration, id: ClientId, code: u16, text: &str) {
        if code < 200 {
            return;
        }
        let invite = method(text) == "INVITE";
        if invite && code < 300 {
            self.accepted(now, id, text);
        }
        let Some(asked) = self.asked.remove(&id) else { return };
        let call = header(text, "Call-ID");
        if super::text::reason(text) == "bad-token" {
            self.note(now, call, Seen::Distrusted);
        }
        if invite && is_first(&asked.text) {
            let reason = super::text::reason(text).to_owned();
            self.note(now, call, Seen::Final(code, reason));
        }
        if let Some(talk) = asked.talk {
            self.told(now, &talk, method(text), code);
        }
    }

    /// The answer to a request in a dialog, or that none came (408).
    fn told(&mut self, now: Duration, name: &str, method: &str, code: u16) {
        let Some(talk) = self.talks.get_mut(name) else { return };
        let call = talk.call.clone();
        match (method, code) {
            ("BYE", code) => self.note(now, &call, Seen::ByeAnswered(code)),
            // the other side knows nothing of it (RFC 3261 §12.2.1.2)
            (_, 481) => talk.over = true,
            (_, 408) => self.say_in(now, name, "BYE"),
            (_, _) => {}
        }
    }

    /// A 2xx to an INVITE of ours, for the first time or again: ACK, and the dialog if it is new.
    fn accepted(&mut self, now: Duration, id: ClientId, text: &str) {
        let name = name_of(text, tag(text, "From"), tag(text, "To"));
        let new = !self.talks.contains_key(&name);
        let told = self.asked.get(&id).map(|one| uri(header(&one.text, "Contact")));
        let contact = told.and_then(|own| own.strip_prefix("sip:x@")).map(ToOwned::to_owned);
        let contact = contact.unwrap_or_else(|| self.own_contact(None));
        let begins = || Dialog::of_caller(text, contact);
        let talk = self.talks.entry(name.clone()).or_insert_with(begins);
        self.number += 1;
        let branch = format!("{}a{}", self.name, self.number);
        let ack = talk.ack(number(text), self.address, &branch);
        if let Some((transport, next)) = talk.next_hop() {
            self.endpoint.send(flow(transport, next), ack.as_bytes());
        }
        if !new {
            return;
        }
        match self.asked.get(&id) {
            Some(asked) if !asked.given_up => {
                let call = asked.call.clone().unwrap_or_default();
                self.plan(now, &name, &call.says, call.hold);
            }
            // given up, or a further dialog of the same call
            _ => self.say_in(now, &name, "BYE"),
        }
    }

    pub(super) fn unanswered(&mut self, now: Duration, id: ClientId) {
        self.listen(now, "timeout".to_owned(), "");
        let Some(asked) = self.asked.remove(&id) else { return };
        if let Some(talk) = asked.talk {
            return self.told(now, &talk, method(&asked.text), 408);
        }
        if asked.text.starts_with("INVITE ") {
            self.note(now, header(&asked.text, "Call-ID"), Seen::Unanswered);
        }
    }
}
