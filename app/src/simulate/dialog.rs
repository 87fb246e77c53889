//! One end of a dialog as a user agent keeps it (RFC 3261 §12): tags, route set, remote target.

use std::net::SocketAddr;

use sip::message::Message;
use sip::uri::Uri;

/// What requests inside the dialog are made of.
#[derive(Clone, Debug)]
pub(super) struct Dialog {
    call_id: String,
    /// Our From, with tag.
    local: String,
    /// Their To, with tag.
    remote: String,
    target: String,
    routes: Vec<String>,
    cseq: u32,
}

impl Dialog {
    /// The caller's side, from the 2xx: the route set is the Record-Route in reverse order.
    pub(super) fn of_caller(answer: &Message<'_>, cseq: u32) -> Option<Self> {
        let mut routes = record_routes(answer);
        routes.reverse();
        Some(Self {
            call_id: answer.call_id().to_owned(),
            local: header(answer, "From")?,
            remote: header(answer, "To")?,
            target: contact(answer)?,
            routes,
            cseq,
        })
    }

    /// The callee's side, from the INVITE and the tag it answers with.
    pub(super) fn of_callee(invite: &Message<'_>, tag: &str) -> Option<Self> {
        Some(Self {
            call_id: invite.call_id().to_owned(),
            local: format!("{};tag={tag}", header(invite, "To")?),
            remote: header(invite, "From")?,
            target: contact(invite)?,
            routes: record_routes(invite),
            cseq: 0,
        })
    }

    /// The next request of the dialog and where it goes.
    pub(super) fn request(
        &mut self,
        method: &str,
        from: SocketAddr,
        branch: &str,
    ) -> Option<(SocketAddr, Vec<u8>)> {
        self.cseq += 1;
        self.message(method, self.cseq, from, branch)
    }

    /// The ACK to the 2xx of the INVITE that made the dialog.
    pub(super) fn ack(&self, from: SocketAddr, branch: &str) -> Option<(SocketAddr, Vec<u8>)> {
        self.message("ACK", self.cseq, from, branch)
    }

    fn message(
        &self,
        method: &str,
        cseq: u32,
        from: SocketAddr,
        branch: &str,
    ) -> Option<(SocketAddr, Vec<u8>)> {
        let next = self.routes.first().unwrap_or(&self.target);
        let to = address(next.trim_start_matches('<').split('>').next()?)?;
        let mut text = format!(
            "{method} {} SIP/2.0\r\nVia: SIP/2.0/UDP {from};rport;branch={branch}\r\n",
            self.target
        );
        for route in &self.routes {
            text.push_str(&format!("Route: {route}\r\n"));
        }
        text.push_str(&format!(
            "From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
             Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            self.local, self.remote, self.call_id
        ));
        Some((to, text.into_bytes()))
    }
}

/// The address of a `sip:` URI whose host is a literal.
pub(super) fn address(uri: &str) -> Option<SocketAddr> {
    let uri = Uri::parse(uri).ok()?;
    let ip = uri.host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    Some(SocketAddr::new(ip, uri.port.unwrap_or(5060)))
}

fn header(message: &Message<'_>, name: &str) -> Option<String> {
    message.named(name).map(|header| String::from_utf8_lossy(header.value).into_owned())
}

fn contact(message: &Message<'_>) -> Option<String> {
    message.contacts().next().map(|contact| contact.uri.to_owned())
}

fn record_routes(message: &Message<'_>) -> Vec<String> {
    message.record_routes().map(|route| format!("<{}>", route.uri)).collect()
}
