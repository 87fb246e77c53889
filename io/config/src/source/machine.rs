//! What a client does next (ops.md §1.7, §1.10): load, watch, resume, load again, wait; pure.
//!
//! It knows revisions, servers by their number, time and chance; neither objects nor sockets. The
//! driver does one action after the other and tells how each one went.
//!
//! ```text
//!            ┌── 410, 412, resync, mismatch, hole, refused ──┐
//!            ▼                                                │
//!   Load ──────── whole, or as we hold it ──────────────► Watch ── change, heartbeat ──┐
//!    ▲ │                                                   ▲  │  ▲                      │
//!    │ └─ behind: again, up to 5 s, then the next server   │  │  └──────────────────────┘
//!    │                                                     │  └─ bye, overflow: at once
//!    └──────── Rest, 0.25 s doubling to 5 s ◄── failed, silent ──┘
//! ```
//! At once is once: a server that ends the watch again before anything good has come is rested
//! from.

use std::time::Duration;

use model::chance::Chance;
use model::id::Revision;

use super::limits::{BEHIND, BEHIND_STEP, LOST, RETRY_FIRST, RETRY_MOST, SILENCE};

/// What to do now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Action {
    /// Ask for the snapshot.
    Load {
        /// Which server.
        server: usize,
        /// The revision that need not be sent.
        unless: Option<Revision>,
        /// A snapshot below it is not taken: the server is behind.
        least: Option<Revision>,
    },
    /// Hear everything after a revision.
    Watch {
        /// Which server.
        server: usize,
        /// What we know.
        since: Revision,
    },
}

/// What has happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Input {
    /// The snapshot of this revision is in force.
    Loaded(Revision),
    /// The snapshot of this revision is whole, but not valid: the one before stays in force.
    Refused(Revision),
    /// The server holds the revision that we hold.
    Same,
    /// The server's revision is below ours.
    Behind,
    /// The history does not reach back to what we hold.
    Gone,
    /// The watch is open.
    Open,
    /// A change is in force.
    Changed(Revision),
    /// A change cannot be taken as it is: not valid, another digest, a hole, or too large.
    Unfit,
    /// A sign of life at this revision.
    Beat(Revision),
    /// The server closes because we were slow.
    Overflow,
    /// The server closes because it leaves.
    Bye,
    /// A server that stands earlier in the list holds this, and the watch is open elsewhere.
    Earlier {
        /// Which.
        server: usize,
        /// What it holds.
        revision: Revision,
    },
    /// Any other end.
    Failed,
}

/// What the outside should know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Event {
    /// A server is being listened to.
    Connected {
        /// Which.
        server: usize,
    },
    /// None is listened to any more.
    Away,
    /// No server for so long.
    Lost {
        /// Since the last sign of life.
        age: Duration,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Something is to be done at this time.
    Due(Duration),
    /// It is being done.
    Doing,
    /// The watch is open; the last sign of life.
    Watching(Duration),
}

/// How much is asked for at the next attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Need {
    /// Everything, unless it is what we hold.
    Check,
    /// Everything: what we hold is in doubt.
    Whole,
    /// What comes after this.
    Since(Revision),
}

/// The decisions of one client.
#[derive(Debug)]
pub(super) struct Machine {
    servers: usize,
    /// The server that we stay with.
    at: usize,
    /// In force.
    held: Option<Revision>,
    /// A revision that was not valid: each later one is taken whole until one is.
    refused: Option<Revision>,
    need: Need,
    phase: Phase,
    /// Servers that did not help since one did.
    misses: usize,
    /// A server is behind us since this time.
    behind: Option<Duration>,
    /// Which servers have answered when asked last, and were behind us for as long as they may.
    set_back: Vec<bool>,
    /// Something good has come since the watch was taken up again at once.
    good: bool,
    backoff: Duration,
    chance: Chance,
    /// The last sign of life; the start before the first.
    contact: Duration,
    connected: bool,
    lost: bool,
    events: Vec<Event>,
}

impl Machine {
    /// `held`: what was in force before the start. `servers`: at least one.
    pub(super) fn new(
        servers: usize,
        held: Option<Revision>,
        now: Duration,
        seed: [u64; 4],
    ) -> Self {
        Self {
            servers: servers.max(1),
            at: 0,
            held,
            refused: None,
            need: Need::Check,
            phase: Phase::Due(now),
            misses: 0,
            behind: None,
            set_back: vec![false; servers.max(1)],
            good: true,
            backoff: RETRY_FIRST,
            chance: Chance::new(seed),
            contact: now,
            connected: false,
            lost: false,
            events: Vec::new(),
        }
    }

    /// The next action, if one is due; the driver does it and tells how it went.
    pub(super) fn poll_action(&mut self, now: Duration) -> Option<Action> {
        let due = matches!(self.phase, Phase::Due(at) if at <= now);
        if !due {
            return None;
        }
        self.phase = Phase::Doing;
        let server = self.at;
        // all of them are behind: they were set back, and are right
        let least = self.held.filter(|_| self.set_back.contains(&false));
        Some(match (self.need, self.held) {
            (Need::Since(since), _) => Action::Watch { server, since },
            (Need::Check, held) => Action::Load { server, unless: held, least },
            (Need::Whole, _) => Action::Load { server, unless: None, least },
        })
    }

    /// What the outside should know.
    pub(super) fn poll_event(&mut self) -> Option<Event> {
        if self.events.is_empty() { None } else { Some(self.events.remove(0)) }
    }

    /// When [`Self::handle_timeout`] or [`Self::poll_action`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        let phase = match self.phase {
            Phase::Due(at) => Some(at),
            Phase::Doing => None,
            Phase::Watching(heard) => Some(heard + SILENCE),
        };
        let lost = (!self.connected && !self.lost).then_some(self.contact + LOST);
        phase.into_iter().chain(lost).min()
    }

    /// Whether the watch is open.
    pub(super) fn listens(&self) -> bool {
        matches!(self.phase, Phase::Watching(_))
    }

    /// Whether a change of this revision is to be put into force as it is.
    pub(super) fn follows(&self, revision: Revision) -> bool {
        self.refused.is_none() && self.held.is_some_and(|held| held.0 + 1 == revision.0)
    }

    /// Whether a revision is known already.
    pub(super) fn knows(&self, revision: Revision) -> bool {
        self.known().is_some_and(|known| revision <= known)
    }

    /// Whether this revision was refused last.
    pub(super) fn refuses(&self, revision: Revision) -> bool {
        self.refused == Some(revision)
    }

    /// Time has passed.
    pub(super) fn handle_timeout(&mut self, now: Duration) {
        if matches!(self.phase, Phase::Watching(heard) if heard + SILENCE <= now) {
            self.handle_input(now, Input::Failed);
        }
        if !self.connected && !self.lost && self.contact + LOST <= now {
            self.lost = true;
            self.events.push(Event::Lost { age: now.saturating_sub(self.contact) });
        }
    }

    /// Something has happened.
    pub(super) fn handle_input(&mut self, now: Duration, input: Input) {
        match input {
            Input::Loaded(revision) => {
                let known = self.known();
                (self.held, self.refused) = (Some(revision), None);
                self.answered(known);
                self.next(now, Need::Since(revision));
            }
            Input::Refused(revision) => {
                let known = self.known();
                self.refused = Some(revision);
                self.answered(known);
                self.next(now, Need::Since(revision));
            }
            Input::Same => {
                self.reached();
                let known = self.held.unwrap_or_default();
                self.next(now, Need::Since(known));
            }
            Input::Behind => self.behind(now),
            Input::Gone | Input::Unfit => self.again(now, Need::Whole),
            Input::Open => self.heard(now),
            Input::Changed(revision) => {
                self.held = Some(revision);
                self.helped();
                self.heard(now);
            }
            Input::Beat(revision) => match self.known() {
                Some(known) if revision == known => {
                    self.helped();
                    self.heard(now);
                }
                Some(known) if revision < known => self.behind(now),
                _ => self.again(now, Need::Whole),
            },
            Input::Overflow => self.again(now, self.onward()),
            Input::Bye => {
                self.away(now);
                self.at = (self.at + 1) % self.servers;
                self.again(now, self.onward());
            }
            Input::Earlier { server, revision } => {
                if server < self.at && self.known().is_none_or(|known| known < revision) {
                    self.away(now);
                    self.at = server;
                    self.next(now, Need::Check);
                }
            }
            Input::Failed => self.failed(now),
        }
    }

    /// What is in force or was refused: what comes after it is asked for.
    pub(super) fn newest(&self) -> Option<Revision> {
        self.known()
    }

    /// The newest revision that we have seen, in force or refused.
    fn known(&self) -> Option<Revision> {
        self.refused.or(self.held)
    }

    fn next(&mut self, now: Duration, need: Need) {
        self.need = need;
        self.phase = Phase::Due(now);
    }

    /// What is needed where we are.
    fn onward(&self) -> Need {
        self.known().map_or(Need::Check, Need::Since)
    }

    /// The watch was ended from there: at once, but after a rest if nothing good came meanwhile.
    fn again(&mut self, now: Duration, need: Need) {
        let wait = if std::mem::take(&mut self.good) { Duration::ZERO } else { self.rest() };
        self.need = need;
        self.phase = Phase::Due(now + wait);
    }

    /// A server has answered, and is not behind.
    fn reached(&mut self) {
        self.behind = None;
        self.set_back.fill(false);
    }

    /// A server has given a snapshot; one that we knew is no help.
    fn answered(&mut self, before: Option<Revision>) {
        self.reached();
        if self.known() != before {
            self.helped();
        }
    }

    /// Something good has come from a server.
    fn helped(&mut self) {
        (self.misses, self.backoff, self.good) = (0, RETRY_FIRST, true);
    }

    fn heard(&mut self, now: Duration) {
        self.reached();
        self.phase = Phase::Watching(now);
        self.contact = now;
        if !self.connected {
            (self.connected, self.lost) = (true, false);
            self.events.push(Event::Connected { server: self.at });
        }
    }

    /// The connection is over; what was heard last is the last sign of life.
    fn away(&mut self, now: Duration) {
        if std::mem::take(&mut self.connected) {
            self.events.push(Event::Away);
            self.contact = self.contact.max(match self.phase {
                Phase::Watching(heard) => heard,
                Phase::Due(_) | Phase::Doing => now,
            });
        }
    }

    fn failed(&mut self, now: Duration) {
        self.away(now);
        self.mark(false);
        // what was in doubt stays in doubt; else it goes on where it was
        if self.need != Need::Whole {
            self.need = match (self.need, self.known()) {
                (Need::Since(_), Some(known)) => Need::Since(known),
                _ => Need::Check,
            };
        }
        self.missed(now);
    }

    /// On to the next server: at once, or after a rest when all have been asked.
    fn missed(&mut self, now: Duration) {
        self.behind = None;
        self.misses += 1;
        self.at = (self.at + 1) % self.servers;
        let wait =
            if self.misses.is_multiple_of(self.servers) { self.rest() } else { Duration::ZERO };
        self.phase = Phase::Due(now + wait);
    }

    /// The next wait: the present step ± 20 %.
    fn rest(&mut self) -> Duration {
        let step = self.backoff;
        self.backoff = (step * 2).min(RETRY_MOST);
        let percent = 80 + u32::try_from(self.chance.below(41)).unwrap_or(20);
        step * percent / 100
    }

    /// The server is behind us: it may catch up, else the next one is asked. When all have answered
    /// and are behind, what they hold is taken: they were set back. One that does not answer may
    /// hold what we do, so that nothing older is taken while there is one.
    fn behind(&mut self, now: Duration) {
        self.away(now);
        self.need = Need::Whole;
        let since = *self.behind.get_or_insert(now);
        if now < since + BEHIND {
            self.phase = Phase::Due((now + BEHIND_STEP).min(since + BEHIND));
            return;
        }
        self.mark(true);
        self.missed(now);
        if !self.set_back.contains(&false) {
            self.phase = Phase::Due(now);
        }
    }

    fn mark(&mut self, set_back: bool) {
        if let Some(one) = self.set_back.get_mut(self.at) {
            *one = set_back;
        }
    }
}

#[cfg(test)]
mod tests;
