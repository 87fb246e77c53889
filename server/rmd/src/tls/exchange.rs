//! What passes between the engine and the TLS thread: one batch each way, filled by one and taken
//! whole by the other. Buffers go round, so that no message costs an allocation.
//!
//! Full is designed: while the engine has not taken the last batch and it is large, the TLS thread
//! reads no socket; what the engine sends into a full batch fails its flow, as a full write queue
//! does.

use crate::limits::{TLS_ALIASES, TLS_FROM_ENGINE, TLS_TO_ENGINE};
use crate::transport::{StreamCounters, Trust};
use net::Waker;
use net::waker::WakeReceiver;
use sip::parse::ParseError;
use sip::transport::Flow;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What happened on the TLS thread, in order; bytes lie in the batch.
#[derive(Debug)]
pub(crate) enum Happened {
    /// A framed message of so many bytes.
    Packet(Flow, usize),
    /// Broken framing, and so many bytes of the message in hand.
    Broken(Flow, usize, ParseError),
    /// A stream whose far end has proven these names; before all that it carries.
    Verified(Flow, Vec<String>),
    /// A flow that cannot carry any more.
    Failed(Flow),
}

/// Things with bytes, one behind the other.
#[derive(Debug)]
pub(crate) struct Batch<T> {
    pub(super) bytes: Vec<u8>,
    pub(super) items: Vec<T>,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { bytes: Vec::new(), items: Vec::new() }
    }
}

impl<T> Batch<T> {
    fn clear(&mut self) {
        self.bytes.clear();
        self.items.clear();
    }

    fn append(&mut self, other: &mut Self) {
        if self.items.is_empty() {
            std::mem::swap(self, other);
        } else {
            self.bytes.append(&mut other.bytes);
            self.items.append(&mut other.items);
        }
    }
}

/// What the engine wants of the TLS thread.
#[derive(Debug, Default)]
struct Wanted {
    messages: Batch<(Flow, usize)>,
    /// Streams with broken framing to which nothing more will be said.
    answered: Vec<Flow>,
    trust: Option<Trust>,
    aliases: Vec<(Flow, u16)>,
    reload: bool,
    stop: bool,
}

/// What others may see of the TLS thread.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) streams: StreamCounters,
    /// How long the certificates are still valid.
    pub(crate) certificate: Option<Duration>,
}

#[derive(Debug)]
struct Shared {
    wanted: Mutex<Wanted>,
    happened: Mutex<Batch<Happened>>,
    /// Something has happened since the engine took the last batch.
    news: AtomicBool,
    /// The TLS thread waits for the engine to take it.
    held: AtomicBool,
    seen: Mutex<Seen>,
    tls: Waker,
    engine: Waker,
}

/// The engine's end.
#[derive(Debug)]
pub(crate) struct Link {
    shared: Arc<Shared>,
    /// Of this turn.
    out: Batch<(Flow, usize)>,
    /// Streams with broken framing that the engine was told of in this turn.
    answered: Vec<Flow>,
    taken: Batch<Happened>,
}

/// The TLS thread's end.
#[derive(Debug)]
pub(crate) struct Exchange {
    shared: Arc<Shared>,
    out: Batch<Happened>,
    wanted: Batch<(Flow, usize)>,
}

/// For everybody else: to make it stop or look at its files, and to see how it is.
#[derive(Debug, Clone)]
pub(crate) struct Handle(Arc<Shared>);

/// What the TLS thread is told besides messages.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    /// Streams with broken framing whose answer, if there is one, is among the messages.
    pub(crate) answered: Vec<Flow>,
    pub(crate) trust: Option<Trust>,
    /// Streams that may be used for another port of their far end.
    pub(crate) aliases: Vec<(Flow, u16)>,
    pub(crate) reload: bool,
    pub(crate) stop: bool,
}

/// Both ends and what wakes the second; `engine` wakes the first.
pub(crate) fn link(engine: Waker) -> io::Result<(Link, Exchange, Handle, WakeReceiver)> {
    let (tls, wakes) = net::waker::pair()?;
    let shared = Arc::new(Shared {
        wanted: Mutex::default(),
        happened: Mutex::default(),
        news: AtomicBool::new(false),
        held: AtomicBool::new(false),
        seen: Mutex::default(),
        tls,
        engine,
    });
    let link = Link {
        shared: Arc::clone(&shared),
        out: Batch::default(),
        answered: Vec::new(),
        taken: Batch::default(),
    };
    let exchange =
        Exchange { shared: Arc::clone(&shared), out: Batch::default(), wanted: Batch::default() };
    Ok((link, exchange, Handle(shared), wakes))
}

/// Nobody panics while holding one of these locks; if someone did, the value is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    /// One message, kept until [`Self::flush`].
    pub(crate) fn send(&mut self, flow: Flow, bytes: &[u8]) {
        self.out.bytes.extend_from_slice(bytes);
        self.out.items.push((flow, bytes.len()));
    }

    /// Hands over the messages of this turn; those that find no room go to `failed`.
    pub(crate) fn flush(&mut self, mut failed: impl FnMut(Flow)) {
        if self.out.items.is_empty() && self.answered.is_empty() {
            return;
        }
        let mut wanted = lock(&self.shared.wanted);
        wanted.answered.append(&mut self.answered);
        if wanted.messages.bytes.len().saturating_add(self.out.bytes.len()) > TLS_FROM_ENGINE {
            drop(wanted);
            self.out.items.drain(..).for_each(|(flow, _)| failed(flow));
            self.out.clear();
            return;
        }
        wanted.messages.append(&mut self.out);
        drop(wanted);
        self.out.clear();
        self.shared.tls.wake();
    }

    /// Takes what has happened and shows it piece by piece, with the bytes that belong to it.
    pub(crate) fn take(&mut self, mut each: impl FnMut(&Happened, &[u8])) {
        if !self.shared.news.swap(false, Ordering::AcqRel) {
            return;
        }
        std::mem::swap(&mut *lock(&self.shared.happened), &mut self.taken);
        if self.shared.held.swap(false, Ordering::AcqRel) {
            self.shared.tls.wake();
        }
        let mut rest = self.taken.bytes.as_slice();
        for item in &self.taken.items {
            let len = match item {
                Happened::Packet(_, len) | Happened::Broken(_, len, _) => *len,
                Happened::Verified(..) | Happened::Failed(_) => 0,
            };
            let (bytes, behind) = rest.split_at_checked(len).unwrap_or_default();
            rest = behind;
            each(item, bytes);
            if let Happened::Broken(flow, ..) = item {
                self.answered.push(*flow);
            }
        }
        self.taken.clear();
    }

    /// Other sources are known from now on.
    pub(crate) fn set_trust(&self, trust: Trust) {
        lock(&self.shared.wanted).trust = Some(trust);
        self.shared.tls.wake();
    }

    /// This stream may be used for a port of its far end; it comes before what is sent there. While
    /// many wait to be heard further ones are forgotten: the next request asks again.
    pub(crate) fn alias(&self, flow: Flow, port: u16) {
        let mut wanted = lock(&self.shared.wanted);
        if wanted.aliases.len() < TLS_ALIASES {
            wanted.aliases.push((flow, port));
        }
    }

    /// How the TLS thread is.
    pub(crate) fn seen(&self) -> Seen {
        lock(&self.shared.seen).clone()
    }
}

impl Exchange {
    /// Where what happens is put.
    pub(super) fn out(&mut self) -> &mut Batch<Happened> {
        &mut self.out
    }

    /// Gives the engine what has happened. False: it has not taken what it was given before, and
    /// that is much; then nothing more should be read until [`Self::is_held`] says so.
    pub(super) fn give(&mut self) -> bool {
        if self.out.items.is_empty() {
            return true;
        }
        let mut happened = lock(&self.shared.happened);
        if happened.bytes.len() >= TLS_TO_ENGINE {
            self.shared.held.store(true, Ordering::Release);
            drop(happened);
            self.shared.engine.wake();
            return false;
        }
        happened.append(&mut self.out);
        drop(happened);
        self.out.clear();
        self.shared.news.store(true, Ordering::Release);
        self.shared.engine.wake();
        true
    }

    /// Takes what the engine wants. Its messages are for [`Self::say`], under these orders.
    pub(super) fn take(&mut self) -> Orders {
        let mut wanted = lock(&self.shared.wanted);
        std::mem::swap(&mut wanted.messages, &mut self.wanted);
        Orders {
            answered: std::mem::take(&mut wanted.answered),
            trust: wanted.trust.take(),
            aliases: std::mem::take(&mut wanted.aliases),
            reload: std::mem::take(&mut wanted.reload),
            stop: wanted.stop,
        }
    }

    /// The messages that came with the last orders.
    pub(super) fn say(&mut self, mut each: impl FnMut(Flow, &[u8])) {
        let mut rest = self.wanted.bytes.as_slice();
        for (flow, len) in &self.wanted.items {
            let (bytes, behind) = rest.split_at_checked(*len).unwrap_or_default();
            rest = behind;
            each(*flow, bytes);
        }
        self.wanted.clear();
    }

    /// Shows how it is.
    pub(super) fn show(&self, seen: Seen) {
        *lock(&self.shared.seen) = seen;
    }
}

impl Handle {
    /// The files are looked at again, changed or not.
    pub(crate) fn reload(&self) {
        lock(&self.0.wanted).reload = true;
        self.0.tls.wake();
    }

    /// The thread ends; connections close.
    pub(crate) fn stop(&self) {
        lock(&self.0.wanted).stop = true;
        self.0.tls.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::transport::Transport;

    fn flow(port: u16) -> Flow {
        let remote = ([127, 0, 0, 1], port).into();
        Flow { transport: Transport::Tls, listener: 0, remote, conn: None }
    }

    fn all() -> (Link, Exchange, Handle) {
        let (engine, _wakes) = net::waker::pair().unwrap();
        let (link, exchange, handle, _wakes) = link(engine).unwrap();
        (link, exchange, handle)
    }

    #[test]
    fn what_is_given_comes_whole_and_in_order() {
        let (mut link, mut exchange, _handle) = all();
        for turn in 0..3_u16 {
            for n in 0..10 {
                let text = format!("message {n} of turn {turn}");
                exchange.out().bytes.extend_from_slice(text.as_bytes());
                exchange.out().items.push(Happened::Packet(flow(n), text.len()));
                link.send(flow(n), text.as_bytes());
            }
            exchange.out().items.push(Happened::Failed(flow(turn)));
            assert!(exchange.give());
            link.flush(|_| unreachable!("there is room"));
        }
        let mut texts = Vec::new();
        link.take(|item, bytes| match item {
            Happened::Packet(..) => texts.push(String::from_utf8(bytes.to_vec()).unwrap()),
            Happened::Failed(flow) => texts.push(flow.remote.port().to_string()),
            Happened::Broken(..) | Happened::Verified(..) => unreachable!("none was given"),
        });
        assert_eq!(texts.len(), 33);
        assert_eq!((&*texts[9], &*texts[10]), ("message 9 of turn 0", "0"));
        assert_eq!(texts[32], "2");
        let mut count = 0;
        exchange.take();
        exchange.say(|to, bytes| {
            let text = format!("message {} of turn {}", to.remote.port(), count / 10);
            assert_eq!(bytes, text.as_bytes());
            count += 1;
        });
        assert_eq!(count, 30);
    }

    #[test]
    fn a_full_batch_holds_the_one_and_fails_the_flows_of_the_other() {
        let (mut link, mut exchange, handle) = all();
        let message = vec![b'x'; 64 * 1024];
        let mut given = 0;
        let held = loop {
            exchange.out().bytes.extend_from_slice(&message);
            exchange.out().items.push(Happened::Packet(flow(1), message.len()));
            if !exchange.give() {
                break given;
            }
            given += 1;
        };
        assert_eq!(held * message.len(), TLS_TO_ENGINE);
        let mut count = 0;
        link.take(|_, _| count += 1);
        assert!(exchange.give());
        link.take(|_, _| count += 1);
        assert_eq!(count, given + 1);

        let (mut sent, mut failed) = (0, Vec::new());
        while failed.is_empty() {
            link.send(flow(2), &message);
            link.flush(|flow| failed.push(flow));
            sent += 1;
        }
        assert_eq!((failed.len(), (sent - 1) * message.len()), (1, TLS_FROM_ENGINE));
        handle.reload();
        let orders = exchange.take();
        exchange.say(|_, _| sent -= 1);
        assert!(orders.reload && !orders.stop && sent == 1);
        handle.stop();
        assert!(exchange.take().stop);
    }
}
