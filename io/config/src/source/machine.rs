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
    /// All servers were asked, and those that answered are behind us: they are right.
    older: bool,
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
            older: false,
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
        let least = self.held.filter(|_| !self.older);
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
                self.held = Some(revision);
                self.refused = None;
                self.helped();
                self.next(now, Need::Since(revision));
            }
            Input::Refused(revision) => {
                self.refused = Some(revision);
                self.helped();
                self.next(now, Need::Since(revision));
            }
            Input::Same => {
                self.helped();
                let known = self.held.unwrap_or_default();
                self.next(now, Need::Since(known));
            }
            Input::Behind => self.behind(now),
            Input::Gone | Input::Unfit => self.next(now, Need::Whole),
            Input::Open => self.heard(now),
            Input::Changed(revision) => {
                self.held = Some(revision);
                self.backoff = RETRY_FIRST;
                self.heard(now);
            }
            Input::Beat(revision) => {
                self.backoff = RETRY_FIRST;
                match self.known() {
                    Some(known) if revision == known => self.heard(now),
                    Some(known) if revision < known => self.behind(now),
                    _ => self.next(now, Need::Whole),
                }
            }
            Input::Overflow => self.resume(now),
            Input::Bye => {
                self.at = (self.at + 1) % self.servers;
                self.away(now);
                self.resume(now);
            }
            Input::Failed => self.failed(now),
        }
    }

    /// The newest revision that we have seen, in force or refused.
    fn known(&self) -> Option<Revision> {
        self.refused.or(self.held)
    }

    fn next(&mut self, now: Duration, need: Need) {
        self.need = need;
        self.phase = Phase::Due(now);
    }

    /// Goes on where we are.
    fn resume(&mut self, now: Duration) {
        let need = self.known().map_or(Need::Check, Need::Since);
        self.next(now, need);
    }

    /// A server has answered as it should.
    fn helped(&mut self) {
        (self.misses, self.behind, self.older) = (0, None, false);
    }

    fn heard(&mut self, now: Duration) {
        self.helped();
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
            self.contact = self.contact.max(match self.phase {
                Phase::Watching(heard) => heard,
                Phase::Due(_) | Phase::Doing => now,
            });
        }
    }

    fn failed(&mut self, now: Duration) {
        self.away(now);
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

    /// The server is behind us: it may catch up, else the next one is asked. When all have been
    /// asked, what they hold is taken: they were set back.
    fn behind(&mut self, now: Duration) {
        self.away(now);
        self.need = Need::Whole;
        let since = *self.behind.get_or_insert(now);
        if now < since + BEHIND {
            self.phase = Phase::Due((now + BEHIND_STEP).min(since + BEHIND));
            return;
        }
        let misses = self.misses + 1;
        self.missed(now);
        if misses >= self.servers {
            self.older = true;
            self.phase = Phase::Due(now);
        }
    }
}

#[cfg(test)]
mod tests;
