//! CANCEL (rm.md §1.7), and Timer C of a re-INVITE: what is given up while it rings. Timer C of a
//! call: `deadline`.
//!
//! The endpoint has answered the CANCEL and makes ours; here is decided what it ends.

use model::time::Now;
use sip::endpoint::ServerId;
use sip::header::Name;
use sip::message::Message;
use smallvec::SmallVec;

use crate::proxy::{Proxy, ServerUse};

impl Proxy {
    /// The caller gives up.
    pub(crate) fn on_cancel(&mut self, now: Now, invite: ServerId, message: &Message<'_>) {
        let lines = message.all(Name::Reason).flat_map(|header| header.line);
        let mut reason: SmallVec<[u8; 256]> = lines.copied().collect();
        if reason.is_empty() {
            reason.extend_from_slice(b"Reason: SIP;cause=487\r\n");
        }
        match self.servers.get(&invite).copied() {
            Some(ServerUse::Hunt(key)) => {
                let Some(hunt) = self.hunts.get_mut(key) else { return };
                hunt.cancelled = true;
                if let Some(current) = &hunt.current {
                    self.endpoint.cancel(now.mono, current.client, Some(&reason));
                }
            }
            Some(ServerUse::Relay(key)) => {
                if let Some(relay) = self.relays.get_mut(key) {
                    relay.settle();
                    self.endpoint.cancel(now.mono, relay.client, Some(&reason));
                }
            }
            None => self.cancel_waiting(now, invite),
        }
    }

    /// Timer C of a re-INVITE: the party that rings is asked to stop; its answer goes back.
    pub(crate) fn on_relay_timer_c(&mut self, now: Now, key: usize) {
        if let Some(relay) = self.relays.get_mut(key) {
            relay.settle();
            self.endpoint.cancel(now.mono, relay.client, Some(b"Reason: SIP;cause=408\r\n"));
        }
    }
}
