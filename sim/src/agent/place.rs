//! How a party begins: a call, or a question outside any dialog.

use std::net::SocketAddr;
use std::time::Duration;

use sip::transport::Transport;

use super::text::tag_of;
use super::{Agent, Call, Dialog, LONGEST, Later, Placed, Seen, flow};

impl Agent {
    /// Places a call by way of this Resource Manager; gives back its Call-ID.
    pub fn place(&mut self, now: Duration, via: SocketAddr, call: Call) -> String {
        self.number += 1;
        let (number, address, transport) = (self.number, self.address, self.transport);
        let contact = self.own_contact(None);
        let id = format!("{number}@{}", self.name);
        let named = call.names.and_then(|header| self.named(header));
        let (line, names) = named.unwrap_or_default();
        let (user, parameters) = (&call.number, &call.parameters);
        let host = call.host.map_or_else(|| via.to_string(), ToOwned::to_owned);
        let text = format!(
            "INVITE sip:{user}@{host}{parameters} SIP/2.0\r\nVia: SIP/2.0/{transport} {address};\
             branch=z9hG4bK{}i{number}\r\nMax-Forwards: 70\r\n\
             From: <sip:+4930123@{}>;tag={}f{number}\r\n\
             To: <sip:{user}@{}>\r\nCall-ID: {id}\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:x@{contact}>\r\n{}{line}Content-Type: application/sdp\r\n\
             Content-Length: 4\r\n\r\nv=0\n",
            self.name,
            address.ip(),
            self.name,
            via.ip(),
            call.lines,
        );
        let placed = Placed { meant: call.meant, priority: call.priority, names };
        self.note(now, &id, Seen::Placed(placed));
        let client = self.send(now, flow(transport, via), text, None);
        let patience = call.patience.unwrap_or(LONGEST);
        self.later(now + patience, Later::Cancel { id: client, call: id.clone() });
        if let Some(time) = call.vanish {
            self.later(now + time, Later::Vanish { call: id.clone() });
        }
        if let Some(asked) = self.asked.get_mut(&client) {
            asked.call = Some(call);
        }
        id
    }

    /// Asks this Resource Manager something outside any dialog.
    pub fn ask(&mut self, now: Duration, whom: SocketAddr, method: &'static str) {
        self.number += 1;
        let (number, address, name) = (self.number, self.address, self.name);
        let text = format!(
            "{method} sip:{whom} SIP/2.0\r\nVia: SIP/2.0/UDP {address};\
             branch=z9hG4bK{name}q{number}\r\nMax-Forwards: 70\r\n\
             From: <sip:{name}@{address}>;tag={name}q{number}\r\n\
             To: <sip:{whom}>\r\nCall-ID: {number}q@{name}\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:x@{address}>\r\nContent-Length: 0\r\n\r\n"
        );
        self.send(now, flow(Transport::Udp, whom), text, None);
    }

    /// The header line that names one of the dialogs which it has begun, as whoever was called
    /// knows it, and the Call-ID of that; `None`: it has none.
    fn named(&mut self, header: &str) -> Option<(String, String)> {
        let is_own = |talk: &&Dialog| !talk.over && talk.began;
        let own: Vec<&Dialog> = self.talks.values().filter(is_own).collect();
        let many = u64::try_from(own.len()).unwrap_or(0).max(1);
        let which = usize::try_from(self.chance.below(many)).unwrap_or(0);
        let Dialog { call, local, remote, .. } = own.get(which)?;
        let (of_callee, of_caller) = (tag_of(remote), tag_of(local));
        let [callee, caller] = match header {
            "Target-Dialog" => ["local-tag", "remote-tag"],
            _ => ["to-tag", "from-tag"],
        };
        let line = format!("{header}: {call};{callee}={of_callee};{caller}={of_caller}\r\n");
        Some((line, call.clone()))
    }
}
