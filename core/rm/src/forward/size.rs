//! What the size of a message says of its transport (rm.md §1.2, RFC 3261 §18.1.1).
//!
//! The one place of that rule, for everything that is passed on: calls, other requests outside
//! dialogs, requests inside dialogs, answers. Must not write or send anything.

use std::net::SocketAddr;
use std::time::Duration;

use model::time::Now;
use sip::endpoint::ServerId;
use sip::locate::Target;
use sip::message::Message;
use sip::transport::{Flow, Transport};

use crate::limits;
use crate::log;
use crate::proxy::Proxy;
use crate::reject::{No, Reason};

/// How a message of a known size leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carriage {
    /// As its target says.
    AsAddressed,
    /// By TCP to the same address, for its size alone; if that is refused, by UDP after all.
    ByTcp,
}

/// Addresses at which TCP, tried for size alone, was refused: by UDP until then. At most
/// [`limits::UDP_ONLY_ADDRESSES`]; beyond it the oldest is found out again.
#[derive(Debug, Default)]
pub(crate) struct UdpOnly {
    refused: Vec<(SocketAddr, Duration)>,
    /// Where an ACK, for which no transaction waits, has gone by TCP, and until when its refusal is
    /// expected.
    acks: Vec<(SocketAddr, Duration)>,
    /// Whose connect has failed, until all who wait for it are told.
    pub(crate) unopened: Vec<SocketAddr>,
}

impl UdpOnly {
    /// TCP is refused there; true if that is news.
    fn note(&mut self, now: Duration, remote: SocketAddr) -> bool {
        let known = self.has(now, remote);
        put(&mut self.refused, remote, now + limits::UDP_ONLY);
        !known
    }

    fn has(&self, now: Duration, remote: SocketAddr) -> bool {
        self.refused.iter().any(|(own, until)| *own == remote && *until > now)
    }
}

/// Puts an entry behind the others, in the place of an older one of the same address.
fn put(entries: &mut Vec<(SocketAddr, Duration)>, remote: SocketAddr, until: Duration) {
    entries.retain(|(own, _)| *own != remote);
    if entries.len() >= limits::UDP_ONLY_ADDRESSES {
        entries.remove(0);
    }
    entries.push((remote, until));
}

impl Proxy {
    /// How a request of so many bytes goes to a target. `fixed`: the address states its transport,
    /// which is never overridden.
    ///
    /// # Errors
    /// `too-large`: more than UDP takes, and there is nothing but UDP.
    pub(crate) fn carriage(
        &self,
        now: Now,
        target: Target,
        fixed: bool,
        bytes: usize,
    ) -> Result<Carriage, No> {
        let Target { transport, remote } = target;
        let most = usize::from(self.options.mtu).saturating_sub(limits::MTU_RESERVE);
        if transport != Transport::Udp || bytes <= most {
            return Ok(Carriage::AsAddressed);
        }
        let may = !fixed && !self.udp_only.has(now.mono, remote);
        if may && self.egress(Transport::Tcp, remote).is_some() {
            return Ok(Carriage::ByTcp);
        }
        if bytes > limits::UDP_MOST {
            return Err(No::new(Reason::TooLarge, bytes.to_string()));
        }
        Ok(Carriage::AsAddressed)
    }

    /// The flow by which a message goes to the target of another one for its size.
    ///
    /// # Errors
    /// `internal`: no listener has TCP; [`Self::carriage`] has looked.
    pub(crate) fn by_tcp(&self, remote: SocketAddr) -> Result<Flow, No> {
        let transport = Transport::Tcp;
        let listener = self.egress(transport, remote);
        let listener = listener.ok_or_else(|| No::new(Reason::Internal, "no listener for tcp"))?;
        Ok(Flow { transport, listener, remote, conn: None })
    }

    /// TCP for size was refused. `member`: it is the address of this resource, all of whose
    /// addresses are meant.
    pub(crate) fn tcp_refused(&mut self, now: Now, remote: SocketAddr, member: Option<usize>) {
        let mut news = self.udp_only.note(now.mono, remote);
        let field = match member.and_then(|member| self.pool.get(member)) {
            Some(member) => {
                for target in member.reach.all().filter(|target| target.remote != remote) {
                    news |= self.udp_only.note(now.mono, target.remote);
                }
                ("resource", member.names.name.clone())
            }
            None => ("target", remote.to_string()),
        };
        if news {
            self.log(log::UDP_ONLY, None, vec![field]);
        }
    }

    /// An ACK has left by TCP for its size: nobody else hears that it was refused.
    pub(crate) fn ack_by_tcp(&mut self, now: Now, remote: SocketAddr) {
        let (resource, other) = self.connect_times();
        put(
            &mut self.udp_only.acks,
            remote,
            now.mono + resource.max(other) + limits::CONNECT_GRACE,
        );
    }

    /// A connect has failed: whoever waits for the stream is told that it never stood, which for
    /// size alone is no failure (rm.md §1.2).
    pub(crate) fn on_connect_failed(&mut self, now: Now, flow: Flow) {
        if flow.transport == Transport::Tcp {
            self.ack_refused(now, flow);
            if !self.is_unopened(flow.remote) {
                self.udp_only.unopened.push(flow.remote);
            }
        }
        self.endpoint.handle_flow_failed(now.mono, flow);
    }

    /// Whether what has just failed is the connect to this address: a stream that stood and is gone
    /// is a failure like any.
    pub(crate) fn is_unopened(&self, remote: SocketAddr) -> bool {
        self.udp_only.unopened.contains(&remote)
    }

    /// Was it a connect for the size of an ACK? Then the next one, which the repeated 2xx brings,
    /// goes by UDP.
    fn ack_refused(&mut self, now: Now, flow: Flow) {
        let acks = &mut self.udp_only.acks;
        acks.retain(|(_, until)| *until > now.mono);
        if let Some(at) = acks.iter().position(|(remote, _)| *remote == flow.remote) {
            acks.remove(at);
            self.tcp_refused(now, flow.remote, None);
        }
    }

    /// Whether an answer can go back: what is larger than a datagram may be does not go to whoever
    /// asked by UDP, however it came.
    pub(crate) fn fits_back(&self, server: ServerId, answer: &Message<'_>) -> bool {
        answer.raw().len() <= limits::UDP_MOST
            || self.endpoint.flow_of(server).is_none_or(|flow| flow.transport != Transport::Udp)
    }
}

/// What its sender is told of an answer that was too large for it.
pub(crate) fn too_large_an_answer() -> No {
    No::from(Reason::TooLarge).with_status(Some(500))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_ten_minutes_and_never_too_many() {
        let mut known = UdpOnly::default();
        let at = |port: usize| SocketAddr::from(([10, 0, 0, 1], u16::try_from(port).unwrap()));
        assert!(known.note(Duration::ZERO, at(1)));
        assert!(!known.note(Duration::from_secs(1), at(1)), "no news");
        assert!(known.has(Duration::from_secs(600), at(1)));
        assert!(!known.has(Duration::from_secs(601), at(1)));
        for port in 2..2 + limits::UDP_ONLY_ADDRESSES {
            known.note(Duration::ZERO, at(port));
        }
        assert!(!known.has(Duration::ZERO, at(1)) && known.has(Duration::ZERO, at(2)));
        assert_eq!(known.refused.len(), limits::UDP_ONLY_ADDRESSES);
    }
}
