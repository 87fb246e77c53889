//! Rates of sources (rm.md §1.9, §13.1, §13.4): a stranger is served within its own, and nothing is
//! kept for it; a peer has one only where its settings say so.
//!
//! Requests inside dialogs that are ours are nobody's to ration, whoever sends them: their token
//! vouches for them.

use std::time::Duration;

use model::time::Now;
use sip::message::Message;
use sip::transport::Flow;

use super::source::Who;
use super::strangers::Ration;
use super::{Request, Source, Way, method, own};
use crate::limits::PEER_DEPTH;
use crate::proxy::Proxy;
use crate::reject::{No, Reason};

impl Proxy {
    /// Whether bytes of this source are read at all: not those of a source that was wrong too
    /// often, nor answers to CANCEL beyond the rate of a stranger.
    pub(crate) fn is_heard(&mut self, now: Now, flow: Flow, source: Source, bytes: &[u8]) -> bool {
        if own::is_forbidden(flow.remote.ip()) || flow.remote.port() == 0 {
            self.counters.dropped("unanswerable");
            return false;
        }
        if !source.is_stranger() {
            return true;
        }
        let source = flow.remote.ip();
        if self.strangers.is_muted(now.mono, source) {
            self.counters.dropped("malformed-source");
            return false;
        }
        // the transaction layer answers these by itself
        let cancel = sip::parse::begins_with(bytes, "CANCEL");
        if cancel && self.strangers.ask(now.mono, source, false) != Ration::Served {
            self.counters.dropped("rate");
            return false;
        }
        true
    }

    /// Bytes that were no message.
    pub(crate) fn note_fault(&mut self, now: Now, flow: Flow, source: Source) {
        if source.is_stranger() {
            self.strangers.fault(now.mono, flow.remote.ip());
        }
    }

    /// Serves a stranger, or refuses what is beyond a peer's rate; true when the request has been
    /// dealt with.
    pub(crate) fn ration(&mut self, request: &Request<'_, '_>) -> bool {
        if request.source.is_stranger() {
            let vouched = self.is_vouched(request.message);
            if !vouched {
                self.serve_stranger(request);
            }
            return !vouched;
        }
        if !self.is_over_rate(request) {
            return false;
        }
        self.endpoint.discard(request.id);
        self.refuse_stateless(request.flow, request.message, &Reason::SourceRate.into());
        true
    }

    /// It is inside a dialog that has a token of ours, or that is known.
    fn is_vouched(&self, message: &Message<'_>) -> bool {
        message.to().tag().is_some() && self.locate(message).is_ok()
    }

    fn is_over_rate(&mut self, request: &Request<'_, '_>) -> bool {
        let Some((peer, interval)) = self.rationed(request) else { return false };
        let bucket = self.peer_rates.get_mut(peer);
        bucket.is_some_and(|bucket| !bucket.take(request.now.mono, interval, PEER_DEPTH))
    }

    /// Whether it would be beyond its peer's rate now; it takes nothing of it.
    pub(crate) fn would_be_over_rate(&self, request: &Request<'_, '_>) -> bool {
        let Some((peer, interval)) = self.rationed(request) else { return false };
        let bucket = self.peer_rates.get(peer).copied();
        bucket.is_some_and(|mut bucket| !bucket.take(request.now.mono, interval, PEER_DEPTH))
    }

    /// Whose rate counts it, and the time for one. Requests inside dialogs and OPTIONS to RM pass,
    /// and are not counted.
    fn rationed(&self, request: &Request<'_, '_>) -> Option<(usize, Duration)> {
        let Who::Peer(peer) = request.source.who else { return None };
        let rate = self.settings.peers.get(peer)?.rate?;
        let asks = matches!(method::way(self, request), Ok(Way::Answer));
        let counts = request.message.to().tag().is_none() && !asks;
        counts.then(|| (peer, Duration::from_secs(1) / rate.get()))
    }

    /// Whatever a stranger is told costs it a request for each answer, and leaves nothing behind.
    fn serve_stranger(&mut self, request: &Request<'_, '_>) {
        let (flow, message) = (request.flow, request.message);
        let ration = self.strangers.ask(request.now.mono, flow.remote.ip(), request.is_invite());
        let no = match ration {
            Ration::Dropped => {
                self.endpoint.discard(request.id);
                return self.counters.dropped("rate");
            }
            Ration::Told => Reason::SourceRate.into(),
            Ration::Served => match self.judge_stranger(request) {
                None => return self.answer_options(request),
                Some(no) => no,
            },
        };
        self.endpoint.discard(request.id);
        self.refuse_stateless(flow, message, &no);
    }

    /// Why it is refused; `None`: it asks for our state.
    fn judge_stranger(&self, request: &Request<'_, '_>) -> Option<No> {
        if request.flow.listener == self.settings.monitor_listener {
            return Some(No::new(Reason::UntrustedSource, "monitor"));
        }
        match self.gate(request) {
            Ok(Way::Answer) => None,
            Ok(Way::Call | Way::Single) => Some(Reason::UntrustedSource.into()),
            Ok(Way::Dialog) => {
                let no = self.locate(request.message).err();
                Some(no.unwrap_or_else(|| Reason::NoDialog.into()))
            }
            Err(no) => Some(no),
        }
    }
}
