//! From transactions to whoever waits for them: answers and ends, by what the transaction is for.

use model::time::Now;
use sip::endpoint::{ClientId, TransactionEvent};

use super::{ClientUse, Proxy};
use crate::forward::verdict::Outcome;
use crate::limits::{MADE_WORK, TURN_WORK};

impl Proxy {
    pub(super) fn on_response(
        &mut self,
        now: Now,
        client: ClientId,
        message: &sip::message::Message<'_>,
    ) {
        let Some(purpose) = self.clients.get(&client).copied() else { return };
        let goes_back =
            matches!(purpose, ClientUse::Hunt(_) | ClientUse::Answered(..) | ClientUse::Relay(_));
        if goes_back && message.vias().nth(1).is_none() {
            self.counters.dropped("no-via");
            return;
        }
        match purpose {
            ClientUse::Hunt(key) => self.on_hunt_response(now, key, client, message),
            ClientUse::Answered(answered) => self.on_further_answer(now, answered, message),
            ClientUse::Relay(key) => self.on_relay_response(now, key, client, message),
            ClientUse::Watch(key) => self.on_watched(now, key, message, true),
            ClientUse::Probe(key) => self.on_probe_answer(now, key, message),
            ClientUse::Notice(key) => {
                if message.status().is_some_and(|status| status >= 200) {
                    self.on_notice_gone(now, key, false);
                }
            }
            ClientUse::Farewell(key) => self.farewell_answered(now, key, client),
            ClientUse::Absorb(watch) => {
                if message.status().is_some_and(|status| status >= 200)
                    && let Some(watch) = watch
                {
                    self.late_ended(watch, client);
                }
            }
        }
    }

    /// What the transaction layer has to say after every step: as much as a turn has time for, the
    /// rest is due at once. Whose transaction has ended waits for it until then.
    ///
    /// `work` is what the turn has done so far; gives back what it has then.
    pub(super) fn settle_transactions(&mut self, now: Now, mut work: usize) -> usize {
        while work < TURN_WORK
            && let Some(event) = self.endpoint.poll_event()
        {
            let made = self.made();
            match event {
                TransactionEvent::Timeout { id } => self.on_client_gone(now, id, Outcome::Timeout),
                TransactionEvent::TransportFailed { id } => {
                    self.on_client_gone(now, id, Outcome::Transport);
                }
                // a hunt or relay that still waits had an answer that could not go back
                TransactionEvent::ClientEnded { id } => {
                    self.on_client_gone(now, id, Outcome::Transport);
                }
                TransactionEvent::ServerEnded { id } | TransactionEvent::ServerTimeout { id } => {
                    self.servers.remove(&id);
                }
            }
            work += 1 + self.work_since(made);
        }
        while work < TURN_WORK
            && let Some(lost) = self.endpoint.poll_lost()
        {
            self.on_lost_answer(now, lost);
            work += MADE_WORK;
        }
        if !self.endpoint.has_news() {
            self.udp_only.unopened.clear();
        }
        work
    }

    /// A client transaction ended without a final answer.
    fn on_client_gone(&mut self, now: Now, client: ClientId, outcome: Outcome) {
        let Some(purpose) = self.clients.remove(&client) else { return };
        match purpose {
            ClientUse::Hunt(key) => self.on_try_gone(now, key, outcome),
            ClientUse::Relay(key) => {
                self.on_relay_failure(now, key, outcome == Outcome::Transport);
            }
            ClientUse::Watch(key) => self.watch_lost_client(key),
            ClientUse::Probe(key) => self.on_probe_gone(now, key, outcome == Outcome::Transport),
            ClientUse::Notice(key) => {
                self.on_notice_gone(now, key, outcome == Outcome::Transport);
            }
            ClientUse::Farewell(key) => {
                self.farewell_failed(now, key, outcome == Outcome::Transport);
            }
            ClientUse::Absorb(Some(watch)) => self.late_ended(watch, client),
            ClientUse::Answered(..) | ClientUse::Absorb(None) => {}
        }
    }
}
