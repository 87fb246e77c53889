//! What is known of names, and for how long (rm.md §1.2): an answer is fresh for its TTL, at least
//! 1 s and at most 300 s; when the name service then fails, the last one serves for up to 1 h.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use model::map::Map;
use sip::locate::{Failure, Goal, HostName, Targets};
use sip::transport::Transport;
use slab::Slab;

use super::Away;
use crate::limits;

/// All names that matter, at most [`limits::NAMES`] besides those of resources.
#[derive(Debug)]
pub(crate) struct Book {
    entries: Slab<Entry>,
    keys: Map<Goal, usize>,
    /// Those that no resource has, by the time at which they are of no use any more.
    loose: BTreeSet<(Duration, usize)>,
    /// Questions without answer.
    open: usize,
    /// Of next hops: resources keep their own.
    pub(crate) away: Away,
}

/// One name.
#[derive(Debug)]
struct Entry {
    goal: Goal,
    /// A resource has it.
    kept: bool,
    /// It is being asked for.
    open: bool,
    targets: Option<Targets>,
    /// Why the last question failed.
    failure: Option<Failure>,
    /// When the targets were told.
    told: Duration,
    /// Until then nobody asks again.
    fresh: Duration,
    /// Until then the targets serve.
    good: Duration,
    /// When its timer is due.
    due: Duration,
}

/// What is known of a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known<'b> {
    /// There, now.
    Targets(&'b Targets),
    /// Nowhere, as was said a moment ago.
    Failed(Failure),
    /// The question is open, and there is nothing else to go by.
    Asked,
    /// It has to be asked for.
    Nothing,
}

/// What became of a wish to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It is asked for already.
    Open,
    /// Too many questions are open, or too many names are known.
    Full,
    /// It is to be asked for now.
    New { key: usize },
}

/// An answer that was noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) key: usize,
    /// The timer to set.
    pub(crate) next: Duration,
    /// It failed, and did not the time before.
    pub(crate) failing: bool,
    /// The failure, if it is one.
    pub(crate) word: &'static str,
}

/// What a timer of a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// The shell has not answered.
    Unanswered(Goal),
    /// Ask again: a resource needs it. When that is not possible, this is the next time.
    Again(Goal, Duration),
    /// Not needed yet.
    Later(Duration),
    /// It is of no use any more.
    Forgotten,
}

impl Book {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            entries: Slab::new(),
            keys: Map::new(seed),
            loose: BTreeSet::new(),
            open: 0,
            away: Away::default(),
        }
    }

    fn entry(&self, goal: &Goal) -> Option<(usize, &Entry)> {
        let key = *self.keys.get(goal)?;
        self.entries.get(key).map(|entry| (key, entry))
    }

    /// What is known of a goal at `now`.
    pub(crate) fn look(&self, now: Duration, goal: &Goal) -> Known<'_> {
        let Some((_, entry)) = self.entry(goal) else { return Known::Nothing };
        let good = entry.targets.as_ref().filter(|_| entry.good > now);
        // a resource's answer is renewed behind its back; any other is asked for when it is old
        match (good, entry.failure) {
            (Some(targets), _) if entry.fresh > now || entry.kept => Known::Targets(targets),
            _ if entry.open => Known::Asked,
            (None, Some(failure)) if entry.fresh > now => Known::Failed(failure),
            _ => Known::Nothing,
        }
    }

    /// Wants a goal to be asked for, until `until`.
    pub(crate) fn ask(&mut self, goal: &Goal, until: Duration) -> Asked {
        if self.entry(goal).is_some_and(|(_, entry)| entry.open) {
            return Asked::Open;
        }
        if self.open >= limits::NAME_QUESTIONS {
            return Asked::Full;
        }
        let key = match self.entry(goal) {
            Some((key, _)) => key,
            None => match self.enter(goal, until) {
                Some(key) => key,
                None => return Asked::Full,
            },
        };
        if let Some(entry) = self.entries.get_mut(key) {
            entry.open = true;
            entry.due = until;
            self.open += 1;
        }
        Asked::New { key }
    }

    /// A new name, in place of the one that is of no use first if there are too many.
    fn enter(&mut self, goal: &Goal, good: Duration) -> Option<usize> {
        if self.loose.len() >= limits::NAMES {
            let idle = |at: &&(Duration, usize)| self.entries.get(at.1).is_some_and(|e| !e.open);
            let (_, oldest) = *self.loose.iter().find(idle)?;
            self.remove(oldest);
        }
        let key = self.entries.insert(Entry {
            goal: goal.clone(),
            kept: false,
            open: false,
            targets: None,
            failure: None,
            told: Duration::ZERO,
            fresh: Duration::ZERO,
            good,
            due: good,
        });
        self.keys.insert(goal.clone(), key);
        self.loose.insert((good, key));
        Some(key)
    }

    fn remove(&mut self, key: usize) {
        let Some(entry) = self.entries.try_remove(key) else { return };
        self.open -= usize::from(entry.open);
        self.loose.remove(&(entry.good, key));
        self.keys.remove(&entry.goal);
    }

    /// Takes in an answer; `None` when nobody has asked.
    pub(crate) fn note(
        &mut self,
        now: Duration,
        goal: &Goal,
        found: Result<Targets, Failure>,
        ttl: Duration,
    ) -> Option<Noted> {
        let key = *self.keys.get(goal)?;
        let entry = self.entries.get_mut(key).filter(|entry| entry.open)?;
        entry.open = false;
        self.open -= 1;
        self.loose.remove(&(entry.good, key));
        let failed = entry.failure.is_some();
        let word = found.as_ref().err().map_or("", |failure| failure.as_str());
        match found {
            Ok(targets) => {
                let ttl = ttl.clamp(limits::NAME_TTL_LEAST, limits::NAME_TTL_MOST);
                entry.targets = Some(targets);
                entry.failure = None;
                entry.told = now;
                entry.fresh = now + ttl;
                entry.good = now + ttl + limits::NAME_STALE;
                // asked for again before it is old
                entry.due = if entry.kept { now + ttl - ttl / 10 } else { entry.good };
            }
            Err(failure) => {
                entry.failure = Some(failure);
                entry.fresh = now + limits::NAME_RETRY;
                if entry.targets.is_none() || entry.good <= now {
                    entry.targets = None;
                    entry.good = entry.fresh;
                }
                entry.due = if entry.kept { entry.fresh } else { entry.good };
            }
        }
        if !entry.kept {
            self.loose.insert((entry.good, key));
        }
        let failing = entry.failure.is_some() && !failed;
        Some(Noted { key, next: entry.due, failing, word })
    }

    /// The timer of a name came.
    pub(crate) fn due(&mut self, now: Duration, key: usize) -> Due {
        let Some(entry) = self.entries.get_mut(key) else { return Due::Forgotten };
        if entry.open {
            return Due::Unanswered(entry.goal.clone());
        }
        if entry.kept {
            entry.due = now + limits::NAME_RETRY;
            return Due::Again(entry.goal.clone(), entry.due);
        }
        if entry.good > now {
            entry.due = entry.good;
            return Due::Later(entry.good);
        }
        self.remove(key);
        Due::Forgotten
    }

    /// Exactly these goals are those of resources from now on.
    pub(crate) fn keep(&mut self, now: Duration, goals: &BTreeSet<Goal>) {
        for (key, entry) in &mut self.entries {
            let kept = goals.contains(&entry.goal);
            match (std::mem::replace(&mut entry.kept, kept), kept) {
                (false, true) => {
                    self.loose.remove(&(entry.good, key));
                }
                (true, false) => {
                    self.loose.insert((entry.good, key));
                }
                (true, true) | (false, false) => {}
            }
        }
        for goal in goals {
            if self.entry(goal).is_none()
                && let Some(key) = self.enter(goal, now)
                && let Some(entry) = self.entries.get_mut(key)
            {
                entry.kept = true;
                self.loose.remove(&(now, key));
            }
        }
    }

    /// Where names of next hops lead to by TLS, and these names.
    pub(crate) fn secure_hops(&self) -> impl Iterator<Item = (SocketAddr, &str)> + '_ {
        let loose = self.entries.iter().filter(|(_, entry)| !entry.kept);
        loose.flat_map(|(_, Entry { goal, targets, .. })| {
            let name = goal.name().map(HostName::as_str);
            let targets = targets.iter().flat_map(Targets::iter);
            let secure = targets.filter(|target| target.transport == Transport::Tls);
            secure.filter_map(move |target| Some((target.remote, name?)))
        })
    }

    /// Names that are known, and the age of the oldest answer that serves although its renewal
    /// failed.
    pub(crate) fn figures(&self, now: Duration) -> (usize, Duration) {
        // the last question failed, and its former answer serves on
        let serves =
            |entry: &&Entry| entry.targets.is_some() && entry.failure.is_some() && entry.good > now;
        let stale = self.entries.iter().map(|(_, entry)| entry).filter(serves);
        let oldest = stale.map(|entry| now.saturating_sub(entry.told)).max();
        (self.entries.len(), oldest.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
