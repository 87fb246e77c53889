//! What a request says of the place that it wants (rm.md §7.3, §7.4), for calls and for requests
//! that are none.
//!
//! Between select and place. Reads; decides nothing.

use std::sync::Arc;

use model::config::Service;
use model::id::Guid;
use model::snapshot::Snapshot;
use sip::message::Message;
use sip::uri::Uri;

use crate::call::is_secure;
use crate::pool::scheme::{Keys, hash};
use crate::pool::{Asks, Plan, Wish};
use crate::proxy::Proxy;
use crate::reject::{No, Reason};
use crate::select::Choice;

impl Proxy {
    /// Fills in what the request says; `dnis`: the dialled number in normal form.
    pub(crate) fn wish(
        &self,
        plan: &mut Plan,
        message: &Message<'_>,
        trusted: bool,
        dnis: &str,
        session: Option<Guid>,
    ) {
        plan.secure = is_secure(message);
        plan.asks = Asks::of(message, trusted).map(Arc::new);
        if self.pool.hashes {
            let from = Uri::parse(message.from().uri).ok().and_then(|uri| uri.user);
            plan.keys = Keys {
                call_id: hash(message.call_id().as_bytes()),
                from_user: hash(from.unwrap_or_default().as_bytes()),
                dnis: hash(dnis.as_bytes()),
                session: session.map_or(0, |guid| hash(&guid.0)),
            };
        }
    }
}

/// The conference that a request is for, by its user part or by its number; `dnis` as above.
///
/// # Errors
/// `malformed`: nothing that long is the id of one.
pub(crate) fn conference_of(
    snapshot: &Snapshot,
    choice: &Choice,
    message: &Message<'_>,
    dnis: &str,
) -> Result<Option<Wish>, No> {
    let service = choice.service;
    let user = message.request().and_then(|line| line.target.user).unwrap_or_default();
    let id = user.split_once('=').map_or("", |(_, id)| id);
    let named = !id.is_empty() && Service::of_user(user) == Some(service);
    let wish = if named {
        Wish::of(service, message)
    } else {
        let profile = choice.profile.map(|profile| snapshot.profile(profile));
        let room = profile.and_then(|profile| profile.conference_id.as_deref());
        Wish::of_number(service, room.unwrap_or(dnis), message)
    };
    let needed = service == Service::Conference || named && service == Service::Msml;
    if needed && wish.is_none() { Err(Reason::ConferenceId.into()) } else { Ok(wish) }
}
