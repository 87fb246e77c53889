//! What an INVITE that leaves says of its choice: where to, of which leg, what it shares.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use model::id::{Dbid, Guid, LegId};
use rm::token::Token;
use sip::transport::Flow;

use crate::agent::text::{all, header, is_first, uri};
use crate::node::Node;

/// Who is where.
#[derive(Debug, Default)]
pub(in crate::check) struct Hosts(BTreeMap<SocketAddr, &'static str>);

/// An INVITE that leaves for a resource, or for a host outside, for the first time.
#[derive(Debug)]
pub(in crate::check) struct Chosen {
    /// Where it goes.
    pub(in crate::check) to: SocketAddr,
    /// It is the first try of its leg.
    pub(in crate::check) begins: bool,
    /// By a stream.
    pub(in crate::check) stream: bool,
    /// Its topmost Via.
    pub(in crate::check) branch: String,
    /// Who is there.
    pub(in crate::check) host: &'static str,
    /// It goes to no resource.
    pub(in crate::check) is_outside: bool,
    /// Its Call-ID.
    pub(in crate::check) call: String,
    /// Its session.
    pub(in crate::check) guid: Guid,
    pub(super) leg: LegId,
    /// The user part of its conference or recording.
    pub(super) room: Option<String>,
}

impl Hosts {
    /// These.
    #[must_use]
    pub(in crate::check) fn of(all: impl Iterator<Item = (SocketAddr, &'static str)>) -> Self {
        Self(all.collect())
    }

    /// Somebody is there as well.
    pub(in crate::check) fn add(&mut self, address: SocketAddr, name: &'static str) {
        self.0.insert(address, name);
    }

    /// The choice that an INVITE tells.
    ///
    /// # Errors
    /// It has no token that the newest key has sealed, or goes to nobody.
    pub(super) fn read(&self, node: &Node, flow: Flow, text: &str) -> Result<Chosen, String> {
        let (to, stream) = (flow.remote, flow.transport.is_stream());
        let call = header(text, "Call-ID").to_owned();
        let routes = all(text, "Record-Route").map(|route| user(uri(route)));
        let mut tokens = routes.filter_map(|user| Token::open(user, node.newest(), &call).ok());
        let Some(Token { guid, leg, resource, .. }) = tokens.next() else {
            return Err(format!("{call} leaves without a token of the newest key"));
        };
        let Some(host) = self.0.get(&to).copied() else {
            return Err(format!("{call} leaves for {to}, where nobody is"));
        };
        let (room, is_outside) = (room(text).map(ToOwned::to_owned), resource == Dbid(0));
        let branch = branch(text).to_owned();
        Ok(Chosen { to, begins: false, stream, branch, host, is_outside, call, guid, leg, room })
    }
}

/// An INVITE outside dialogs as text; `None`: it is something else.
pub(super) fn new_call(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    (text.starts_with("INVITE ") && is_first(text)).then_some(text)
}

/// The topmost Via, whose branch no other request has.
pub(super) fn branch(invite: &str) -> &str {
    header(invite, "Via")
}

/// The user part of a SIP URI.
fn user(uri: &str) -> &str {
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    rest.split_once('@').map_or("", |(user, _)| user)
}

/// The user part of a Request-URI that names a conference or a recording.
fn room(invite: &str) -> Option<&str> {
    let user = user(invite.split(' ').nth(1)?).split(';').next()?;
    let names = ["conf=", "msml=", super::RECORDING];
    names.iter().any(|name| user.starts_with(name)).then_some(user)
}
