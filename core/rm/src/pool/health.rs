//! How a resource's health, its own word and its quarantine change (the table of rm.md §7.1).
//!
//! One function per row; nothing else writes these fields.

use std::fmt::{Display, Write};
use std::time::Duration;

use model::config::Method;
use sip::locate::Targets;

use super::Member;
use crate::limits;

/// What probes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Unknown,
    Healthy,
    Dead,
}

/// What the resource says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Selfsaid {
    Ok,
    /// Full until a time (an answer to an INVITE), or until the next probe.
    Full(Option<Duration>),
    /// Draining until the next probe.
    Draining,
}

impl Selfsaid {
    pub(crate) fn is_full(self, now: Duration) -> bool {
        match self {
            Self::Full(until) => until.is_none_or(|until| until > now),
            Self::Ok | Self::Draining => false,
        }
    }
}

/// What a probe came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probed {
    /// A final answer, and whether it had Retry-After.
    Answer {
        code: u16,
        retry_after: bool,
    },
    Timeout,
    Transport,
}

/// What a try came to, as far as the resource is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tried {
    /// 101–199, a 2xx, or a final answer that does not lead to the next.
    Answered,
    /// Timeout, transport error or a failover 5xx: quarantine.
    Failed,
    /// 503 with Retry-After, or 480/486 of a media service: full for so long.
    Full(Duration),
}

/// What somebody may want to know of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    None,
    Dead,
    Healthy,
    Draining,
    Quarantined,
}

impl Member {
    /// A probe has ended.
    pub(crate) fn probed(&mut self, result: Probed) -> Change {
        match result {
            Probed::Answer { code: 503, retry_after: true } => self.word(Selfsaid::Draining),
            Probed::Answer { code: 480 | 486, .. } => self.word(Selfsaid::Full(None)),
            Probed::Answer { code, .. } if self.monitor.alive_codes.contains(code) => self.lives(),
            Probed::Answer { code, .. } => self.missed(format_args!("probe answered {code}")),
            Probed::Timeout => self.missed("probe timed out"),
            Probed::Transport => self.missed("probe could not be sent"),
        }
    }

    /// It lives, and says this. Who was dead is healthy again, whatever it says.
    fn word(&mut self, said: Selfsaid) -> Change {
        self.misses = 0;
        let health = core::mem::replace(&mut self.health, Health::Healthy);
        let before = core::mem::replace(&mut self.said, said);
        match (health, said) {
            (Health::Dead, _) => Change::Healthy,
            (_, Selfsaid::Draining) if before != said => Change::Draining,
            _ => Change::None,
        }
    }

    fn lives(&mut self) -> Change {
        self.misses = 0;
        self.alive = self.alive.saturating_add(1);
        self.said = Selfsaid::Ok;
        if self.alive < self.monitor.up_after {
            return Change::None;
        }
        self.quarantined = None;
        let before = core::mem::replace(&mut self.health, Health::Healthy);
        if before == Health::Healthy { Change::None } else { Change::Healthy }
    }

    fn missed(&mut self, why: impl Display) -> Change {
        self.alive = 0;
        self.misses = self.misses.saturating_add(1);
        self.note_error(why);
        if self.misses < self.monitor.down_after || self.health == Health::Dead {
            return Change::None;
        }
        self.health = Health::Dead;
        Change::Dead
    }

    /// Its name leads somewhere: what was dead for want of an address may live.
    pub(crate) fn found(&mut self, targets: &Targets) -> Change {
        let first = !self.reach.is_known();
        self.reach.found(Some(targets));
        if !first {
            return Change::None;
        }
        (self.misses, self.alive) = (0, 0);
        if self.monitor.method == Method::None {
            self.health = Health::Healthy;
            return Change::Healthy;
        }
        self.health = Health::Unknown;
        Change::None
    }

    /// Whatever was known of it was of another place.
    pub(crate) fn forget_health(&mut self) {
        (self.misses, self.alive, self.failures) = (0, 0, 0);
        (self.said, self.quarantined) = (Selfsaid::Ok, None);
        self.health = match self.monitor.method {
            Method::None => Health::Healthy,
            Method::Options => Health::Unknown,
        };
    }

    /// Its name leads nowhere.
    pub(crate) fn lost(&mut self, why: impl Display) -> Change {
        self.reach.found(None);
        self.note_error(why);
        let before = core::mem::replace(&mut self.health, Health::Dead);
        if before == Health::Dead { Change::None } else { Change::Dead }
    }

    /// A try has ended, or was answered.
    pub(crate) fn tried(&mut self, now: Duration, result: Tried, why: impl Display) -> Change {
        match result {
            Tried::Answered => {
                self.failures = 0;
                Change::None
            }
            Tried::Full(long) => {
                let long = long.min(limits::FULL_BY_ANSWER);
                if !matches!(self.said, Selfsaid::Draining) {
                    self.said = Selfsaid::Full(Some(now + long));
                }
                self.note_error(why);
                Change::None
            }
            Tried::Failed => {
                let doubled = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
                let (first, longest) = self.quarantine;
                self.quarantined = Some(now + first.saturating_mul(doubled).min(longest));
                self.failures = self.failures.saturating_add(1);
                self.note_error(why);
                Change::Quarantined
            }
        }
    }

    /// Into the memory of the one before.
    fn note_error(&mut self, why: impl Display) {
        let text = self.last_error.get_or_insert_default();
        text.clear();
        // writing to a String cannot fail
        let _ = write!(text, "{why}");
    }
}

#[cfg(test)]
mod tests;
