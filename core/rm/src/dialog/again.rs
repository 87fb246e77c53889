//! Another way for a request that nobody has answered: by UDP where TCP, tried for its size alone,
//! was refused (rm.md §1.2), else at the next address of the same name (RFC 3263 §4.3).
//!
//! For requests inside dialogs, and outside for those that are no calls. Must not go to another
//! resource.

use model::time::Now;
use sip::endpoint::ClientOptions;
use sip::locate::Target;
use sip::transport::Flow;
use smallvec::SmallVec;

use super::hop::Hop;
use super::{Kind, Passing, Relay};
use crate::forward::draft::Draft;
use crate::forward::{branch, request_uri, session_timer};
use crate::limits;
use crate::proxy::{ClientUse, Proxy};
use crate::reject::{No, Reason};

/// What a request is written from for another way.
#[derive(Debug)]
pub(crate) enum Again {
    /// Inside a dialog.
    Hop(Hop, session_timer::Timer),
    /// Outside dialogs, to one resource.
    Resource(Single),
}

/// A request outside dialogs that is no call, and the resource to which it goes.
#[derive(Debug)]
pub(crate) struct Single {
    pub(crate) member: usize,
    /// A Request-URI whose host is called instead of a member.
    pub(crate) outside: Option<String>,
    /// Its Request-URI there.
    pub(crate) uri: request_uri::Target,
    /// The address in hand, and those that are left.
    pub(crate) to: Target,
    pub(crate) others: SmallVec<[Target; 2]>,
    /// The address states its transport.
    pub(crate) fixed: bool,
}

/// How a request has left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) flow: Flow,
    /// By TCP for its size alone.
    pub(crate) by_size: bool,
}

impl Again {
    /// The address in hand.
    fn target(&self) -> Target {
        match self {
            Self::Hop(hop, _) => Target::of(hop.flow),
            Self::Resource(single) => single.to,
        }
    }

    /// Addresses that are left.
    pub(crate) fn left(&self) -> usize {
        match self {
            Self::Hop(hop, _) => hop.others.len(),
            Self::Resource(single) => single.others.len(),
        }
    }

    /// Goes on to the next address.
    fn next(&mut self) {
        match self {
            Self::Hop(hop, _) => hop.flow = hop.others.remove(0),
            Self::Resource(single) => single.to = single.others.remove(0),
        }
    }
}

impl Relay {
    /// Somebody is there, or nobody wants to know: no other way is tried. True if there was one.
    pub(crate) fn settle(&mut self) -> bool {
        self.again.take().is_some()
    }
}

impl Proxy {
    /// How long an address may be silent while `left` others of the same name stand by: with an
    /// INVITE as long as in any try, for whoever gets it says 100; else its share of the time for
    /// which the sender waits.
    pub(crate) fn patience(&self, kind: Kind, left: usize, by_size: bool) -> ClientOptions {
        let share = u32::try_from(left + 1).unwrap_or(u32::MAX);
        // a connect that fails in time must be told apart from a next hop that does not answer
        let connect = || self.connect_times().1 + limits::CONNECT_GRACE;
        let timeout = match (left, kind) {
            (0, _) => None,
            (_, Kind::Invite) if by_size => Some(self.options.try_timeout.max(connect())),
            (_, Kind::Invite) => Some(self.options.try_timeout),
            (_, Kind::Update | Kind::Bye | Kind::Refer | Kind::Other) => {
                Some(self.settings.timers.t1 * 64 / share)
            }
        };
        ClientOptions { timeout }
    }

    /// The request of a relay could not be sent, or nothing has answered it: it goes another way.
    /// False when there is none.
    ///
    /// # Errors
    /// `too-large`: TCP is refused, and no datagram takes it.
    pub(crate) fn another_way(
        &mut self,
        now: Now,
        key: usize,
        transport: bool,
    ) -> Result<bool, No> {
        let Some(relay) = self.relays.get_mut(key) else { return Ok(false) };
        let Some(mut again) = relay.again.take() else { return Ok(false) };
        let detour = relay.placed.as_ref().is_none_or(|placed| placed.through);
        let member = relay.placed.as_ref().map(|placed| placed.member).filter(|_| !detour);
        let target = again.target();
        if relay.sent.by_size && transport && self.is_unopened(target.remote) {
            self.tcp_refused(now, target.remote, member);
        } else if again.left() == 0 {
            return Ok(false);
        } else {
            match member.and_then(|member| self.pool.get_mut(member)) {
                Some(member) => member.reach.failed(now.mono, target),
                None => self.book.away.note(now.mono, target),
            }
            let why = if transport { "transport" } else { "timeout" };
            *self.counters.address_failovers.entry(why).or_default() += 1;
            again.next();
        }
        self.send_again(now, key, again)
    }

    /// False when it cannot be written: there is no other way then.
    fn send_again(&mut self, now: Now, key: usize, mut again: Box<Again>) -> Result<bool, No> {
        self.branches += 1;
        let mut draft = Draft::default();
        let sent = loop {
            match self.written_another_way(now, key, &again, &mut draft) {
                Ok(sent) => break sent,
                Err(no) if no.reason != Reason::TooLarge => return Ok(false),
                Err(no) if !self.another_resource(now, key, &mut again) => return Err(no),
                Err(_) => {}
            }
        };
        let Some(relay) = self.relays.get(key) else { return Ok(false) };
        let options = self.patience(relay.kind, again.left(), sent.by_size);
        let client = self.endpoint.request(now.mono, sent.flow, &draft.bytes, options);
        self.clients.insert(client, ClientUse::Relay(key));
        if let Some(relay) = self.relays.get_mut(key) {
            relay.client = client;
            relay.sent = sent;
            relay.again = Some(again);
        }
        Ok(true)
    }

    fn written_another_way(
        &self,
        now: Now,
        key: usize,
        again: &Again,
        draft: &mut Draft,
    ) -> Result<Sent, No> {
        let internal = || No::from(Reason::Internal);
        let relay = self.relays.get(key).ok_or_else(internal)?;
        let message = sip::parse::parse(&relay.request, &self.limits).map_err(|_| internal())?;
        let hash = branch::loop_hash(&self.settings.keys, &message);
        let timer = match again {
            Again::Hop(_, timer) => *timer,
            Again::Resource(_) => session_timer::Timer::default(),
        };
        let (ingress, trust) = (relay.ingress, relay.trust);
        let passing = Passing { message: &message, ingress, hash, timer, trust };
        match again {
            Again::Hop(hop, _) => self.written_in_dialog(now, &passing, hop, draft),
            Again::Resource(single) => self.written_single(now, &passing, single, draft),
        }
    }

    /// It is too large for its resource, and goes to the next one. Inside a dialog there is none.
    fn another_resource(&mut self, now: Now, key: usize, again: &mut Again) -> bool {
        let Again::Resource(single) = again else { return false };
        let Some(relay) = self.relays.get_mut(key) else { return false };
        let (Some(mut placed), mut trust) = (relay.placed.take(), relay.trust) else {
            return false;
        };
        let passed = self.passes_single_over(now, single, &mut placed, &mut trust);
        if let Some(relay) = self.relays.get_mut(key) {
            (relay.placed, relay.trust) = (Some(placed), trust);
        }
        passed
    }
}
