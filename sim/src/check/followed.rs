//! Requests in dialogs follow the name in their target to where it leads now (rm.md §1.2, §1.8).

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::agent::text::{all, header, is_first, method};
use crate::node::Output;

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Followed {
    /// Requests that have left: Call-ID and CSeq. A further try of one, and an ACK again, is none.
    left: BTreeSet<(String, String)>,
}

impl Followed {
    /// Where requests go whose target is a name, and whether they leave for the first time.
    pub(super) fn read(
        &mut self,
        output: &Output,
        is_name: impl Fn(&str) -> bool,
    ) -> Vec<(SocketAddr, bool)> {
        let mut all_followed = Vec::new();
        for (_, flow, bytes) in &output.messages {
            let Ok(text) = std::str::from_utf8(bytes) else { continue };
            if !is_followed(text) || !is_name(host(text)) {
                continue;
            }
            let key = (header(text, "Call-ID").to_owned(), header(text, "CSeq").to_owned());
            all_followed.push((flow.remote, self.left.insert(key)));
        }
        all_followed
    }
}

/// A request in a dialog that goes to its target. That of an ACK to a failure, and a CANCEL, go
/// where their INVITE has gone.
fn is_followed(text: &str) -> bool {
    let inside = !text.starts_with("SIP/2.0 ") && !is_first(text);
    inside && method(text) != "ACK" && all(text, "Route").next().is_none()
}

/// The host of a Request-URI.
fn host(text: &str) -> &str {
    let uri = text.split(' ').nth(1).unwrap_or_default();
    let rest = uri.split_once('@').map_or("", |(_, rest)| rest);
    rest.split([':', ';']).next().unwrap_or_default()
}
