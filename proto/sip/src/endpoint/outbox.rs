//! What is to leave, as bytes in one buffer that is used again: queueing allocates nothing in the
//! steady state. The caller drains it after every mutation, so it holds one turn's messages.

use std::collections::VecDeque;

use super::Transmit;
use crate::transaction::bounds::IDLE_OUTBOX;
use crate::transport::Flow;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    /// Where the first message begins.
    start: usize,
    messages: VecDeque<Transmit>,
}

impl Outbox {
    pub(crate) fn push(&mut self, flow: Flow, bytes: &[u8]) {
        self.write(flow, |out| out.extend_from_slice(bytes));
    }

    /// Queues what `write` appends; nothing, when it appends nothing.
    pub(crate) fn write(&mut self, flow: Flow, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.bytes.len();
        write(&mut self.bytes);
        let len = self.bytes.len().saturating_sub(before);
        if len > 0 {
            self.messages.push_back(Transmit { flow, len });
        }
    }

    /// Messages that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.messages.len()
    }

    /// Appends the next message to `out`.
    pub(crate) fn pop(&mut self, out: &mut Vec<u8>) -> Option<Transmit> {
        let message = self.messages.pop_front()?;
        let end = self.start + message.len;
        out.extend_from_slice(self.bytes.get(self.start..end).unwrap_or_default());
        self.start = end;
        if self.messages.is_empty() {
            self.start = 0;
            self.bytes.clear();
            self.bytes.shrink_to(IDLE_OUTBOX);
        }
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Transport;

    #[test]
    fn messages_leave_in_order_and_the_buffer_is_kept() {
        let remote = "127.0.0.1:5060".parse().unwrap();
        let flow = Flow { transport: Transport::Udp, listener: 0, remote, conn: None };
        let mut outbox = Outbox::default();
        let mut out = b"before ".to_vec();
        for round in 0..2 {
            outbox.push(flow, b"one");
            outbox.push(flow, b"");
            outbox.write(flow, |out| out.extend_from_slice(b"three"));
            assert_eq!(outbox.pop(&mut out), Some(Transmit { flow, len: 3 }));
            outbox.push(flow, b"x");
            assert_eq!(outbox.pop(&mut out).map(|message| message.len), Some(5));
            assert_eq!(outbox.pop(&mut out).map(|message| message.len), Some(1));
            assert_eq!(outbox.pop(&mut out), None);
            assert_eq!((outbox.start, outbox.bytes.len()), (0, 0), "{round}");
            assert!(outbox.bytes.capacity() > 0);
        }
        assert_eq!(out, b"before onethreexonethreex");
    }
}
