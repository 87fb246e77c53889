//! Final answers that left by a way which may fail: the connection of their request is gone, and
//! the one to its address (RFC 3261 §18.2.2) does not stand yet. Their bytes are kept until that is
//! known, so that the user can send what failed by RFC 3263 §5.

use std::collections::VecDeque;
use std::time::Duration;

use crate::transaction::bounds::{LATE_BYTES, LATE_TIME};
use crate::transport::Flow;

/// An answer that did not arrive where it was sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostAnswer {
    /// Where it was sent to.
    pub flow: Flow,
    /// How many ways of RFC 3263 §5 were tried: 0 when that was the address of its request.
    pub ways: usize,
    /// The whole answer.
    pub bytes: Vec<u8>,
}

/// See the module; at most [`LATE_BYTES`], the oldest are given up first.
#[derive(Debug, Default)]
pub(crate) struct Late {
    /// By age, with the time at which they have arrived if nothing was heard.
    on_the_way: VecDeque<(Duration, LostAnswer)>,
    bytes: usize,
    lost: VecDeque<LostAnswer>,
}

impl Late {
    /// An answer has left.
    pub(crate) fn keep(&mut self, now: Duration, flow: Flow, ways: usize, bytes: &[u8]) {
        self.bytes += bytes.len();
        let answer = LostAnswer { flow, ways, bytes: bytes.to_vec() };
        self.on_the_way.push_back((now + LATE_TIME, answer));
        while let Some((until, oldest)) = self.on_the_way.front()
            && (*until <= now || self.bytes > LATE_BYTES)
        {
            self.bytes -= oldest.bytes.len();
            self.on_the_way.pop_front();
        }
    }

    /// A flow without connection failed: what left by it is lost.
    pub(crate) fn failed(&mut self, now: Duration, flow: Flow) {
        if self.on_the_way.is_empty() {
            return;
        }
        for (until, answer) in std::mem::take(&mut self.on_the_way) {
            if answer.flow != flow && until > now {
                self.on_the_way.push_back((until, answer));
                continue;
            }
            self.bytes -= answer.bytes.len();
            if until > now {
                self.lost.push_back(answer);
            }
        }
    }

    /// Whether some were lost.
    pub(crate) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// The next that was lost.
    pub(crate) fn next_lost(&mut self) -> Option<LostAnswer> {
        self.lost.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Transport;

    fn flow(port: u16) -> Flow {
        let remote = ([10, 0, 0, 1], port).into();
        Flow { transport: Transport::Tcp, listener: 0, remote, conn: None }
    }

    #[test]
    fn what_failed_in_time_is_lost_and_nothing_else() {
        let (mut late, at) = (Late::default(), Duration::from_secs);
        late.keep(at(0), flow(1), 0, b"old");
        late.keep(at(1), flow(1), 2, b"one");
        late.keep(at(1), flow(2), 0, b"other");
        late.failed(LATE_TIME, flow(1));
        let lost = LostAnswer { flow: flow(1), ways: 2, bytes: b"one".to_vec() };
        assert_eq!((late.next_lost(), late.next_lost()), (Some(lost), None));
        assert_eq!((late.on_the_way.len(), late.bytes), (1, 5));
        late.failed(LATE_TIME, flow(1));
        assert_eq!(late.next_lost(), None);
    }

    #[test]
    fn too_much_gives_up_the_oldest() {
        let mut late = Late::default();
        let answer = vec![b'x'; LATE_BYTES / 4];
        for port in 0..10 {
            late.keep(Duration::ZERO, flow(port), 0, &answer);
        }
        assert_eq!((late.on_the_way.len(), late.bytes), (4, LATE_BYTES));
        late.failed(Duration::ZERO, flow(5));
        assert_eq!(late.next_lost(), None);
        late.failed(Duration::ZERO, flow(6));
        assert!(late.next_lost().is_some());
    }
}
