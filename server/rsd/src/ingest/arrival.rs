//! What one send or one commit brought, as it waits for the spool.
//!
//! Bodies that came compressed stay so until it is handed over: what waits takes the memory that
//! came over the wire, and inflated are few at once (`unpack.rs`), each within what the spool takes
//! at once. A mebibyte of blanks comes as one kibibyte.

use std::net::SocketAddr;

use model::time::Millis;
use openwire::{Inbound, MessageKind};

use super::desk::NotTaken;
use super::gate::Priority;
use super::limits::{DECODED_BYTES, INFLATED_BYTES, INLINE_BYTES};
use super::{Parts, message};
use crate::backlog::Part;
use crate::entry::{Body, Entry, Transport};

/// Who sent it, how and when.
pub(super) struct Sender {
    pub(super) received: Millis,
    pub(super) transport: Transport,
    pub(super) user: Option<String>,
    pub(super) peer: SocketAddr,
    /// Names of producers that the user is bound to.
    pub(super) produces: Vec<String>,
    /// Bytes of a record at most.
    pub(super) record: usize,
}

pub(super) struct Arrival {
    /// The bodies in `packed` are empty here while it waits.
    entry: Entry,
    packed: Vec<Packed>,
    /// Bytes that the packed bodies had when they were inflated last.
    inflated: usize,
    /// Bytes of a record at most.
    record: usize,
}

/// A compressed body.
pub(super) struct Packed {
    pub(super) kind: MessageKind,
    pub(super) raw: Vec<u8>,
    /// Whose it is.
    at: usize,
}

impl Arrival {
    pub(super) fn new(sender: Sender, messages: Vec<Inbound>) -> Self {
        let Sender { received, transport, user, peer, produces, record } = sender;
        let mut packed = Vec::new();
        let messages = messages.into_iter().enumerate().map(|(at, inbound)| {
            let (message, body) = message::message(inbound, record);
            packed.extend(body.map(|(kind, raw)| Packed { kind, raw, at }));
            message
        });
        let messages = messages.collect();
        let received = received.0;
        let letters = Vec::new();
        let entry = Entry { received, transport, user, peer, messages, letters, produces };
        Self { entry, packed, inflated: 0, record }
    }

    /// So much may come of it that it is inflated beside the others (`unpack.rs`).
    pub(super) fn is_heavy(&self) -> bool {
        self.packed.iter().map(|packed| packed.raw.len()).sum::<usize>() > INLINE_BYTES
    }

    /// Hands it to the spool, and gives the sequence with which it is durable.
    ///
    /// # Errors
    /// [`NotTaken`]; after [`NotTaken::Later`] it may be handed again.
    pub(super) fn hand(&mut self, parts: &Parts) -> Result<u64, NotTaken> {
        self.unpack(parts)?;
        self.store(parts)
    }

    /// Inflates it, if it may come.
    ///
    /// # Errors
    /// [`NotTaken`]: nothing of it stays inflated.
    pub(super) fn unpack(&mut self, parts: &Parts) -> Result<(), NotTaken> {
        if self.packed.is_empty() {
            return Ok(());
        }
        self.may_come(parts)?;
        self.inflate()
    }

    /// Hands over what is inflated.
    ///
    /// # Errors
    /// [`NotTaken`]: nothing of it stays inflated.
    pub(super) fn store(&mut self, parts: &Parts) -> Result<u64, NotTaken> {
        let taken = parts.store(&self.entry);
        if taken.is_err() {
            self.empty();
        }
        taken
    }

    /// Nothing is inflated in vain.
    ///
    /// # Errors
    /// [`NotTaken`], as far as it is known by now.
    pub(super) fn may_come(&self, parts: &Parts) -> Result<(), NotTaken> {
        let priority = self.priority();
        if !parts.gate.lets_in(priority) {
            return Err(NotTaken::Later);
        }
        if self.inflated > 0 {
            parts.gate.fits(priority, self.inflated)?;
        }
        Ok(())
    }

    /// Its records by queue, as far as they are inflated.
    pub(super) fn parts(&self) -> Vec<Part> {
        self.entry.parts()
    }

    /// That of its least message.
    pub(super) fn priority(&self) -> Priority {
        Priority::of_all(&self.entry.messages)
    }

    pub(super) fn messages(&self) -> usize {
        self.entry.messages.len()
    }

    /// Bytes of its bodies in memory.
    pub(super) fn held(&self) -> usize {
        let bodies: u64 = self.parts().iter().map(|part| part.bytes).sum();
        let packed: usize = self.packed.iter().map(|packed| packed.raw.len()).sum();
        usize::try_from(bodies).unwrap_or(usize::MAX).saturating_add(packed)
    }

    fn inflate(&mut self) -> Result<(), NotTaken> {
        self.inflated = 0;
        let mut decoded = 0;
        for packed in &self.packed {
            let (body, out) = message::inflated(packed.kind, &packed.raw, self.record);
            self.inflated += body.bytes();
            decoded += out;
            if let Some(message) = self.entry.messages.get_mut(packed.at) {
                message.body = body;
            }
            if self.inflated > INFLATED_BYTES || decoded > DECODED_BYTES {
                self.empty();
                return Err(NotTaken::Never);
            }
        }
        Ok(())
    }

    fn empty(&mut self) {
        for packed in &self.packed {
            if let Some(message) = self.entry.messages.get_mut(packed.at) {
                message.body = Body::Text(String::new());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::BODY_BYTES;
    use super::message::deflated;
    use super::*;

    const BOMB: usize = 0x0f_ffff;

    /// A body of just under a mebibyte in a kibibyte, of which the sender says another length.
    fn bomb(told: u32) -> Vec<u8> {
        let raw = [&told.to_be_bytes()[..], &deflated(&vec![b' '; BOMB])].concat();
        assert!(raw.len() < 2048);
        raw
    }

    /// So many of them.
    fn bombs(count: usize) -> Arrival {
        arrival(bomb(u32::try_from(BOMB).unwrap()), count)
    }

    fn arrival(raw: Vec<u8>, count: usize) -> Arrival {
        let body = openwire::Body::Compressed { kind: MessageKind::Bytes, raw };
        let inbound = Inbound {
            queue: "ringmaster.sq".to_owned(),
            message_id: String::new(),
            correlation_id: None,
            record_id: None,
            persistent: true,
            timestamp: 0,
            properties: Vec::new(),
            body,
        };
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let (received, transport) = (Millis(1), Transport::Openwire);
        let produces = Vec::new();
        let (user, record) = (None, BODY_BYTES);
        let sender = Sender { received, transport, user, peer, produces, record };
        Arrival::new(sender, vec![inbound; count])
    }

    fn bodies(arrival: &Arrival) -> usize {
        arrival.entry.messages.iter().map(|message| message.body.bytes()).sum()
    }

    #[test]
    fn a_transaction_of_bombs_is_refused_before_it_fills_the_memory() {
        let mut arrival = bombs(8000);
        assert!(arrival.held() < 16 << 20, "{}", arrival.held());
        assert_eq!(bodies(&arrival), 0);
        assert_eq!(arrival.inflate(), Err(NotTaken::Never));
        assert!(arrival.inflated < INFLATED_BYTES + (2 << 20), "{}", arrival.inflated);
        assert_eq!(bodies(&arrival), 0, "nothing of it stays inflated");
    }

    #[test]
    fn bombs_of_which_little_is_kept_are_refused_as_well() {
        let broken = |raw: Vec<u8>| raw[..raw.len() - 1].to_vec();
        let mut wrong = bomb(2);
        *wrong.last_mut().unwrap() ^= 1;
        for raw in [bomb(2), broken(bomb(2)), wrong] {
            let most = DECODED_BYTES / BOMB;
            let mut few = arrival(raw.clone(), most);
            assert_eq!(few.inflate(), Ok(()));
            assert!(few.inflated < most * 2048, "{}", few.inflated);
            assert_eq!(arrival(raw, most + 1).inflate(), Err(NotTaken::Never));
        }
    }

    #[test]
    fn what_fits_is_inflated_whole() {
        let mut arrival = bombs(3);
        assert_eq!(arrival.inflate(), Ok(()));
        assert_eq!((bodies(&arrival), arrival.inflated), (3 * BOMB, 3 * BOMB));
        arrival.empty();
        assert!(bodies(&arrival) == 0 && arrival.held() < 8192);
    }
}
