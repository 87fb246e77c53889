//! The mirror's thread: takes what waits, packs it, sends it; again.

use super::target::Target;
use super::{Batch, Item, Shared};
use hep::{Carrier, Copied};
use net::limits::{LONGEST_WAIT, SEND_BATCH};
use net::udp::SendBatch;
use net::waker::WakeReceiver;
use net::{Clock, Interest, Poller, Token};
use openwire::Secret;
use rm::heads::Direction;
use sip::glance;
use sip::transport::Transport;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bytes of packets that a batch keeps room for.
const KEPT: usize = 1 << 20;

/// Everything that lives on the thread.
pub(super) struct Room {
    pub(super) shared: Arc<Shared>,
    pub(super) target: Target,
    pub(super) agent: u32,
    pub(super) key: Option<Secret>,
    pub(super) own: Vec<SocketAddr>,
    pub(super) clock: Clock,
}

impl Room {
    /// Runs until told to stop, and everything that waited then has left.
    pub(super) fn run(mut self, mut wakes: WakeReceiver) {
        let poller = Poller::new().and_then(|poller| {
            poller.add(&wakes, Token(0), Interest::Read)?;
            Ok(poller)
        });
        // without one nothing is sent, and all is counted as lost when the queue is full
        let Ok(mut poller) = poller else { return };
        let (mut batch, mut ready) = (Batch::default(), Vec::new());
        let (mut outgoing, mut packets) = (SendBatch::new(), Vec::new());
        loop {
            if poller.wait(Some(LONGEST_WAIT), &mut ready).is_err() {
                return;
            }
            wakes.drain();
            let stop = self.shared.stop.load(Ordering::SeqCst);
            std::mem::swap(&mut *self.shared.waiting(), &mut batch);
            self.send(&batch, &mut outgoing, &mut packets);
            batch.clear();
            if stop {
                return;
            }
        }
    }

    fn send(&mut self, batch: &Batch, outgoing: &mut SendBatch, packets: &mut Vec<u8>) {
        let Some((to, socket)) = self.target.at(self.clock.mono()) else {
            return self.shared.lose(batch.items.len());
        };
        let (shared, own) = (&self.shared, &self.own);
        let key = self.key.as_ref().map(|key| key.reveal().as_bytes());
        let flush = |outgoing: &mut SendBatch, packets: &mut Vec<u8>| {
            let left = outgoing.flush(socket, packets, |_| shared.lose(1));
            shared.sent.fetch_add(u64::try_from(left).unwrap_or(u64::MAX), Ordering::Relaxed);
            packets.clear();
            packets.shrink_to(KEPT);
        };
        let mut queued = 0;
        for (item, bytes) in batch.iter() {
            let begin = packets.len();
            match copied(own, self.agent, key, item, bytes).write(packets) {
                Ok(len) => outgoing.push(begin..begin + len, to),
                Err(hep::TooLarge) => shared.lose(1),
            }
            queued += 1;
            if queued == SEND_BATCH {
                queued = 0;
                flush(outgoing, packets);
            }
        }
        flush(outgoing, packets);
    }
}

/// A message as the collector gets it.
fn copied<'a>(
    own: &[SocketAddr],
    agent: u32,
    key: Option<&'a [u8]>,
    item: Item,
    bytes: &'a [u8],
) -> Copied<'a> {
    let here = own.get(usize::from(item.flow.listener)).copied().unwrap_or(item.flow.remote);
    let (source, destination) = match item.direction {
        Direction::In => (item.flow.remote, here),
        Direction::Out => (here, item.flow.remote),
    };
    let carrier = match item.flow.transport {
        Transport::Udp => Carrier::Udp,
        Transport::Tcp | Transport::Tls => Carrier::Tcp,
    };
    let correlation = glance::call_id(glance::head(bytes));
    Copied { source, destination, carrier, at: item.at, agent, key, correlation, payload: bytes }
}
