//! A dialog as one of its parties knows it.

use std::net::SocketAddr;

use sip::transport::Transport;

use super::text::{all, header, number, uri};

/// One party's side of a dialog.
#[derive(Clone, Debug)]
pub struct Dialog {
    /// Call-ID.
    pub call: String,
    /// From of own requests, with tag.
    pub(super) local: String,
    /// To of own requests, with tag.
    pub(super) remote: String,
    target: String,
    /// Host and port of its own contact.
    contact: String,
    routes: Vec<String>,
    cseq: u32,
    /// This party has called the other one.
    pub began: bool,
    /// Ended, or given up: nothing is said in it any more.
    pub over: bool,
}

impl Dialog {
    /// The caller's, from the 2xx it got.
    #[must_use]
    pub fn of_caller(answer: &str, contact: String) -> Self {
        let mut routes: Vec<String> = routes(answer);
        routes.reverse();
        Self {
            call: header(answer, "Call-ID").to_owned(),
            local: header(answer, "From").to_owned(),
            remote: header(answer, "To").to_owned(),
            target: uri(header(answer, "Contact")).to_owned(),
            contact,
            routes,
            cseq: number(answer),
            began: true,
            over: false,
        }
    }

    /// The called side's, from the INVITE it got and the tag it gave.
    #[must_use]
    pub fn of_callee(invite: &str, tag: &str, contact: String) -> Self {
        Self {
            call: header(invite, "Call-ID").to_owned(),
            local: format!("{};tag={tag}", header(invite, "To")),
            remote: header(invite, "From").to_owned(),
            target: uri(header(invite, "Contact")).to_owned(),
            contact,
            routes: routes(invite),
            cseq: 0,
            began: false,
            over: false,
        }
    }

    /// Host and port of its own contact.
    #[must_use]
    pub fn contact(&self) -> &str {
        &self.contact
    }

    /// The next request of this party.
    pub fn request(&mut self, method: &str, from: SocketAddr, branch: &str, lines: &str) -> String {
        self.cseq += 1;
        self.text(method, self.cseq, from, branch, lines)
    }

    /// The ACK to the 2xx of the INVITE with this number.
    #[must_use]
    pub fn ack(&self, number: u32, from: SocketAddr, branch: &str) -> String {
        self.text("ACK", number, from, branch, "")
    }

    /// Where its requests go, and how: to the first route, else to the target.
    #[must_use]
    pub fn next_hop(&self) -> Option<(Transport, SocketAddr)> {
        let uri = self.routes.first().unwrap_or(&self.target);
        let (host, parameters) = uri.split_once(';').unwrap_or((uri, ""));
        let rest = host.split_once(':')?.1;
        let remote = rest.rsplit('@').next()?.parse().ok()?;
        let by_tcp = parameters.split(';').any(|one| one == "transport=tcp");
        Some((if by_tcp { Transport::Tcp } else { Transport::Udp }, remote))
    }

    fn text(
        &self,
        method: &str,
        number: u32,
        from: SocketAddr,
        branch: &str,
        lines: &str,
    ) -> String {
        let routes: String = self.routes.iter().map(|one| format!("Route: <{one}>\r\n")).collect();
        let transport = self.next_hop().map_or(Transport::Udp, |(transport, _)| transport);
        format!(
            "{method} {} SIP/2.0\r\nVia: SIP/2.0/{transport} {from};branch=z9hG4bK{branch}\r\n\
             {routes}Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\n\
             CSeq: {number} {method}\r\nContact: <sip:x@{}>\r\n{lines}\
             Content-Length: 0\r\n\r\n",
            self.target, self.local, self.remote, self.call, self.contact,
        )
    }
}

fn routes(message: &str) -> Vec<String> {
    all(message, "Record-Route").map(|value| uri(value).to_owned()).collect()
}
